"""Failures of an API server: what kubectl 1.32.3 and helm 3.17.2 really wrote, told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import RoleNotAssumable
from calamari_py.steps.kubernetes.access.access import Access
from calamari_py.steps.kubernetes.access.failures import (
    ApiFailure,
    Program,
    read_failure,
    tool_failed,
)
from calamari_py.steps.kubernetes.spec import ClusterSpec
from tests.steps.kubernetes.access.support import EKS, opened
from tests.steps.kubernetes.fakes import ROLE_ARN, SESSION_ARN, cluster_body
from tests.steps.kubernetes.world import KubeWorld

USER = "arn:aws:sts::111111111111:assumed-role/Deployer/step-42"


def noisy(text: str, end: str) -> str:
    """What kubectl's cache of types writes five times before kubectl gives up."""
    line = (
        'E1122 21:38:18.5{n}3313    3154 memcache.go:265] "Unhandled Error" '
        f'err="couldn\'t get current server API group list: {text}"\n'
    )
    return "".join(line.format(n=number) for number in range(5)) + end


ASKED = "the server has asked for the client to provide credentials"
GET = 'Get \\"https://127.0.0.1:1/api?timeout=3s\\": '
X509 = "tls: failed to verify certificate: x509: "
UNKNOWN_CA = (
    'certificate signed by unknown authority (possibly because of "crypto/rsa: verification error"'
    ' while trying to verify candidate authority certificate "fake-ca")'
)
EXPIRED_CERTIFICATE = (
    "certificate has expired or is not yet valid: current time 2026-11-22T21:38:39Z is after "
    "2026-11-21T21:38:18Z"
)
PYTHON = "/usr/bin/python3"
PLUGIN_FAILED = f"getting credentials: exec: executable {PYTHON} failed with exit code 77"
OURS = "calamari: the step's credentials could not be renewed; the log of calamari says why\n"
CONFLICT = """\
error: Apply failed with 1 conflict: conflict with "kube-controller-manager" using apps/v1: \
.spec.replicas
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts
"""

REAL = [
    pytest.param(
        noisy(ASKED, f"error: You must be logged in to the server ({ASKED})"),
        "unauthorized", ASKED, id="401-get",
    ),
    pytest.param(
        noisy(ASKED, f'error: unable to recognize "STDIN": {ASKED}'),
        "unauthorized", ASKED, id="401-apply",
    ),
    pytest.param(
        f"Error: Kubernetes cluster unreachable: {ASKED}", "unauthorized", ASKED, id="401-helm"
    ),
    pytest.param(
        "error: You must be logged in to the server (Unauthorized)",
        "unauthorized", "Unauthorized", id="401-watch",
    ),
    pytest.param(
        noisy("unknown", "Error from server (Forbidden): unknown"),
        "forbidden", "unknown", id="403-types",
    ),
    pytest.param(
        "Error: Kubernetes cluster unreachable: unknown", "forbidden", "unknown", id="403-helm"
    ),
    pytest.param(
        'Error from server (NotFound): deployments.apps "web" not found',
        "not-found", 'deployments.apps "web" not found', id="404",
    ),
    pytest.param(
        CONFLICT, "conflict",
        'Apply failed with 1 conflict: conflict with "kube-controller-manager" using apps/v1:'
        " .spec.replicas", id="conflict",
    ),
    pytest.param(
        'Error from server (Conflict): Operation cannot be fulfilled on deployments.apps "web": the'
        " object has been modified; please apply your changes to the latest version and try again",
        "conflict", None, id="modified",
    ),
    pytest.param(
        'Error from server (AlreadyExists): configmaps "web" already exists',
        "conflict", None, id="exists",
    ),
    pytest.param(
        'Error from server (Forbidden): configmaps "web" is forbidden: exceeded quota: q,'
        " requested: count/configmaps=1, used: count/configmaps=5, limited: count/configmaps=5",
        "quota", None, id="quota",
    ),
    pytest.param(
        'Error from server (Forbidden): admission webhook "policy.example.com" denied the request:'
        " images must be signed",
        "invalid", None, id="webhook",
    ),
    pytest.param(
        'Error from server (Forbidden): pods "web" is forbidden: violates PodSecurity'
        ' "restricted:latest": allowPrivilegeEscalation != false',
        "invalid", None, id="pod-security",
    ),
    pytest.param(
        'Error from server (Forbidden): configmaps "web" is forbidden: unable to create new content'
        " in namespace app because it is being terminated",
        "invalid", None, id="terminating",
    ),
    pytest.param(
        "Error from server (InternalError): Internal error occurred: failed calling webhook"
        ' "vpod.kb.io": failed to call webhook: Post "https://x.svc:443/mutate?timeout=10s": tls:'
        " failed to verify certificate: x509: certificate signed by unknown authority",
        "other", None, id="webhook-down",
    ),
    pytest.param("The request is invalid: spec.selector: Required value", "invalid", None,
                 id="invalid"),
    pytest.param(
        'The Deployment "web" is invalid: spec.selector: Required value', "invalid", None,
        id="invalid-named",
    ),
    pytest.param(
        'Error from server (BadRequest): Deployment in version "v1" cannot be handled as a'
        ' Deployment: strict decoding error: unknown field "spec.foo"',
        "invalid", None, id="strict",
    ),
    pytest.param(
        "Error from server (ServiceUnavailable): the server is currently unable to handle the"
        " request", "other", "the server is currently unable to handle the request", id="503",
    ),
    pytest.param(
        "Error from server (TooManyRequests): the server has received too many requests and has"
        " asked us to try again later", "other", None, id="429",
    ),
    pytest.param(
        "Error from server (Timeout): request did not complete within the allotted timeout",
        "timeout", None, id="504",
    ),
    pytest.param(
        'error: resource mapping not found for name: "a" namespace: "" from "STDIN": no matches for'
        ' kind "Foo" in version "x.io/v1"\nensure CRDs are installed first',
        "unknown-type", None, id="no-kind",
    ),
    pytest.param(
        'error: the server doesn\'t have a resource type "foos"', "unknown-type", None, id="no-type"
    ),
    pytest.param(
        "client rate limiter Wait returned an error: context deadline exceeded",
        "timeout", None, id="429-until-the-end",
    ),
    pytest.param(
        "Unable to connect to the server: net/http: request canceled (Client.Timeout exceeded while"
        " awaiting headers)", "timeout", None, id="hangs",
    ),
    pytest.param(
        noisy(f"{GET}context deadline exceeded", "Unable to connect to the server: context deadline"
              " exceeded"),
        "timeout", "context deadline exceeded", id="accepts-and-is-silent",
    ),
    pytest.param(
        "error: timed out waiting for the condition on deployments/web", "timeout", None, id="wait"
    ),
    pytest.param(
        noisy(GET + X509, f"Unable to connect to the server: {X509}{UNKNOWN_CA}"),
        "tls", X509 + UNKNOWN_CA, id="wrong-authority",
    ),
    pytest.param(
        f'Error: Kubernetes cluster unreachable: Get "https://127.0.0.1:1/version": {X509}'
        f"{EXPIRED_CERTIFICATE}",
        "tls", X509 + EXPIRED_CERTIFICATE, id="expired-certificate-helm",
    ),
    pytest.param(
        f"Unable to connect to the server: {X509}cannot validate certificate for 127.0.0.1 because"
        " it doesn't contain any IP SANs", "tls", None, id="another-name",
    ),
    pytest.param(
        "Unable to connect to the server: tls: first record does not look like a TLS handshake",
        "tls", None, id="plain-http",
    ),
    pytest.param(
        noisy(f"{GET}dial tcp 127.0.0.1:1: connect: connection refused", "The connection to the"
              " server 127.0.0.1:1 was refused - did you specify the right host or port?"),
        "unreachable", None, id="refused",
    ),
    pytest.param(
        'Error: Kubernetes cluster unreachable: Get "https://127.0.0.1:1/version": dial tcp'
        " 127.0.0.1:1: connect: connection refused",
        "unreachable", "dial tcp 127.0.0.1:1: connect: connection refused", id="refused-helm",
    ),
    pytest.param(
        "Unable to connect to the server: dial tcp: lookup no-such-host.invalid on"
        " 10.255.255.53:53: no such host", "unreachable", None, id="no-host",
    ),
    pytest.param(
        noisy("EOF", "error: client rate limiter Wait returned an error: context deadline exceeded"
              " - error from a previous attempt: EOF"),
        "unreachable", None, id="hangs-up",
    ),
    pytest.param(
        OURS * 5 + noisy(GET + PLUGIN_FAILED, f"Unable to connect to the server: {PLUGIN_FAILED}"),
        "plugin",
        "the step's credentials could not be renewed; the log of calamari says why", id="plugin",
    ),
    pytest.param(
        "calamari: the credentials ended at 2020-01-01T00:00:00Z; write 'credentials'\n"
        f'Error: Kubernetes cluster unreachable: Get "https://x/version": {PLUGIN_FAILED}',
        "expired", None, id="ended",
    ),
    pytest.param(
        "Unable to connect to the server: getting credentials: exec: fork/exec /x: no such file or"
        " directory", "plugin", None, id="plugin-not-there",
    ),
    pytest.param(
        'error: exec plugin: invalid apiVersion "client.authentication.k8s.io/v1alpha1"',
        "plugin", None, id="plugin-v1alpha1",
    ),
    pytest.param(
        'Error: Get "https://127.0.0.1:1/v2/a/tags/list": dial tcp 127.0.0.1:1: connect: connection'
        " refused", "other", None, id="no-registry-of-charts",
    ),
    pytest.param(
        'Error: looks like "https://127.0.0.1:1" is not a valid chart repository or cannot be'
        ' reached: Get "https://127.0.0.1:1/index.yaml": dial tcp 127.0.0.1:1: connect: connection'
        " refused", "other", None, id="no-repository-of-charts",
    ),
    pytest.param(
        "error: error validating data: failed to download openapi: the server has asked for the"
        " client to provide credentials; if you choose to ignore these errors, turn validation off"
        " with --validate=false",
        "unauthorized", "the server has asked for the client to provide credentials",
        id="no-openapi-401",
    ),
    pytest.param(
        'error: error validating "web.yaml": error validating data: failed to download openapi: Get'
        ' "https://127.0.0.1:1/openapi/v2?timeout=32s": tls: failed to verify certificate: x509:'
        " certificate signed by unknown authority", "tls", None, id="no-openapi-x509",
    ),
    pytest.param(
        'error: error validating data: failed to download openapi: Get "https://x.test/openapi/v2":'
        " dial tcp: lookup x.test on 127.0.0.1:53: no such host", "unreachable", None,
        id="no-openapi-no-such-host",
    ),
    pytest.param(
        'error: error validating data: failed to download openapi: Get "https://127.0.0.1:1/openapi'
        '/v2?timeout=32s": dial tcp 127.0.0.1:1: connect: connection refused', "unreachable", None,
        id="no-openapi-refused",
    ),
    pytest.param(
        "error: error validating data: failed to download openapi: unknown; if you choose to ignore"
        " these errors, turn validation off with --validate=false", "forbidden", "unknown",
        id="no-openapi-403",
    ),
    pytest.param("Error: INSTALLATION FAILED: failed to download openapi: Unauthorized",
                 "unauthorized", None, id="no-openapi-helm"),
    pytest.param("error: failed to fetch openapi: Unauthorized", "unauthorized", None,
                 id="no-openapi-fetched"),
    pytest.param(
        'error when applying patch: failed to do request: Patch "https://127.0.0.1:1/api/v1": dial'
        " tcp 127.0.0.1:1: connect: connection refused", "unreachable", None, id="a-patch-refused",
    ),
    pytest.param("error: unknown flag: --bogus\nSee 'kubectl get --help' for usage.", "other",
                 "unknown flag: --bogus", id="usage"),
]  # fmt: skip


@pytest.mark.parametrize(("stderr", "kind", "text"), REAL)
def test_they_are_told_apart(stderr: str, kind: str, text: str | None) -> None:
    """By kind, and without what kubectl says around it."""
    program: Program = "helm" if stderr.startswith("Error: ") else "kubectl"
    failure = read_failure(stderr.encode(), program=program)
    assert failure is not None
    assert failure.kind == kind
    assert "memcache.go" not in failure.text
    assert text is None or failure.text == text


@pytest.mark.parametrize(
    "stderr", ["", "\n", "Warning: spec.x is deprecated\nWarning: y\n"], ids=["", "blank", "warned"]
)
def test_nothing_went_wrong(stderr: str) -> None:
    """A warning is no failure."""
    assert read_failure(stderr.encode()) is None


def refusal(what: str, verb: str, resource: str, group: str, scope: str) -> ApiFailure:
    """A 403 as an API server writes it."""
    text = (
        f'Error from server (Forbidden): {what} is forbidden: User "{USER}" cannot {verb} resource '
        f'"{resource}" in API group "{group}" {scope}'
    )
    failure = read_failure(text.encode())
    assert failure is not None
    return failure


IN_APP = 'in the namespace "app"'


@pytest.mark.parametrize(
    ("failure", "found"),
    [
        pytest.param(
            refusal('deployments.apps "web"', "patch", "deployments", "apps", IN_APP),
            ("patch", "deployments.apps", "app"), id="named",
        ),
        pytest.param(
            refusal("pods", "list", "pods", "", "at the cluster scope"),
            ("list", "pods", ""), id="cluster-scope",
        ),
    ],
)  # fmt: skip
def test_a_refusal_names_what_was_refused(failure: ApiFailure, found: tuple[str, ...]) -> None:
    """Verb, resource with its group, namespace, and who the cluster took us for."""
    assert (failure.verb, failure.resource, failure.namespace) == found
    assert (failure.kind, failure.user) == ("forbidden", USER)
    assert not failure.is_access


@pytest.mark.parametrize(
    ("kind", "is_access"),
    [("unauthorized", True), ("unreachable", True), ("tls", True), ("expired", True),
     ("plugin", True), ("forbidden", False), ("timeout", False), ("not-found", False),
     ("other", False)],
)  # fmt: skip
def test_what_it_is_no_use_to_go_on_after(kind: Any, is_access: bool) -> None:
    """Everything else would fail in the same way."""
    assert ApiFailure(kind=kind, text="x").is_access == is_access


@pytest.fixture
def world(tmp_path: Path) -> KubeWorld:
    """A step's."""
    return KubeWorld(tmp_path)


@pytest.fixture
def access(world: KubeWorld) -> Access:
    """To an EKS cluster."""
    return opened(world)


def told(world: KubeWorld, access: Access, failure: ApiFailure | str) -> str:
    """Message and hint of the error."""
    given = failure.encode() if isinstance(failure, str) else failure
    error = tool_failed("apply the objects", given, access=access, context=world.context())
    assert error.message.startswith("could not apply the objects: ")
    assert error.exit_code == 1
    return f"{error.message}\n{error.hint or ''}"


UNAUTHORIZED = f"error: You must be logged in to the server ({ASKED})"


def test_401_names_who_was_seen_and_the_command(world: KubeWorld, access: Access) -> None:
    """The session as the cluster saw it, and an access entry for the role with its path."""
    said = told(world, access, UNAUTHORIZED)
    assert f"'{SESSION_ARN}'" in said
    command = f"aws eks create-access-entry --cluster-name blue --principal-arn {ROLE_ARN}"
    assert f"{command} --region eu-west-1" in said
    assert f"--principal-arn {SESSION_ARN}" not in said


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        pytest.param(SESSION_ARN, "arn:aws:iam::111111111111:role/web-deploy", id="a-session"),
        pytest.param(
            "arn:aws:iam::111111111111:user/ann", "arn:aws:iam::111111111111:user/ann", id="a-user"
        ),
    ],
)
def test_401_without_a_role(arn: str, principal: str, world: KubeWorld, access: Access) -> None:
    """The launcher runs the step itself: its role is let in, never a session of it."""
    world.aws.role, world.aws.arn = None, arn
    assert f"--principal-arn {principal} " in told(world, access, UNAUTHORIZED)


def test_401_where_nobody_knows_who(world: KubeWorld, access: Access) -> None:
    """No command with a gap in it."""
    world.aws.role = world.aws.arn = None
    said = told(world, access, UNAUTHORIZED)
    assert "create-access-entry" not in said
    assert "access entry" in said


def test_401_of_a_token(world: KubeWorld) -> None:
    """It has nothing to do with AWS."""
    spec = ClusterSpec(way="server", server="https://x", authority=b"PEM", token="t0ken-secret")
    said = told(world, opened(world, spec), UNAUTHORIZED)
    assert "check cluster.token" in said
    assert "aws" not in said


def test_403_names_the_right_and_how_it_is_given(world: KubeWorld, access: Access) -> None:
    """A Role with exactly that, or an access policy."""
    failure = refusal('deployments.apps "web"', "patch", "deployments", "apps", IN_APP)
    said = told(world, access, failure)
    assert f"'{USER}' may not patch deployments.apps in namespace 'app' (403 Forbidden)" in said
    assert 'a Role with {apiGroups: ["apps"], resources: [deployments], verbs: [patch]}' in said
    assert (
        f"associate-access-policy --cluster-name blue --region eu-west-1 --principal-arn {ROLE_ARN}"
        in said
    )


def test_403_for_the_whole_cluster(world: KubeWorld, access: Access) -> None:
    """Takes a ClusterRole."""
    said = told(world, access, refusal("pods", "list", "pods", "", "at the cluster scope"))
    assert "may not list pods in the whole cluster" in said
    assert "a ClusterRole with" in said


def test_403_of_nobody(world: KubeWorld, access: Access) -> None:
    """A token that the cluster does not read makes one anonymous."""
    text = (
        'Error from server (Forbidden): pods is forbidden: User "system:anonymous" cannot list '
        'resource "pods" in API group "" at the cluster scope'
    )
    assert "system:anonymous" in told(world, access, text)
    assert "found no token" in told(world, access, text)


REFUSED = "Error: Kubernetes cluster unreachable: dial tcp 10.0.0.1:443: i/o timeout"


def test_a_private_endpoint_that_is_not_reached(world: KubeWorld) -> None:
    """The usual reason is said."""
    private = cluster_body(resourcesVpcConfig={"endpointPublicAccess": False})
    world.aws.answers["eks:DescribeCluster"] = {"cluster": private}
    assert "is private: run the step within its VPC" in told(world, opened(world, EKS), REFUSED)


def test_unreachable(world: KubeWorld, access: Access) -> None:
    """It names the address."""
    assert f"check that this machine reaches {access.server}" in told(world, access, REFUSED)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(f"error: {X509}{UNKNOWN_CA}", "certificate_authority is not", id="authority"),
        pytest.param(f"error: {X509}{EXPIRED_CERTIFICATE}", "check the clock", id="expired"),
        pytest.param("error: tls: first record does not", "check the address", id="plain"),
        pytest.param("calamari: the credentials ended at X", "delivery: endpoint", id="ended"),
        pytest.param(
            'Error from server (NotFound): namespaces "app" not found',
            "make the namespace, or let the role make it (create_namespace: true)",
            id="no-namespace",
        ),
        pytest.param(CONFLICT, "force_conflicts: true", id="conflict"),
        pytest.param(
            'error: the server doesn\'t have a resource type "foos"', "(Kubernetes 1.32)", id="type"
        ),
        pytest.param("error: exceeded quota: q", "ResourceQuota", id="quota"),
        pytest.param("", "kubectl said nothing", id="silence"),
    ],
)  # fmt: skip
def test_what_can_be_done(text: str, words: str, world: KubeWorld, access: Access) -> None:
    """A cure for whatever has one."""
    assert words in told(world, access, text)


def test_a_renewal_that_failed_is_told_in_its_own_words(
    world: KubeWorld, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kubectl only knows that its plugin failed."""

    def none() -> Any:
        raise RoleNotAssumable("cannot assume role 'x'", hint="look at the trust policy")

    monkeypatch.setattr("tests.steps.kubernetes.fakes.credentials", none)
    said = told(world, access, f"Unable to connect to the server: {PLUGIN_FAILED}")
    assert "cannot assume role 'x'" in said
    assert "look at the trust policy" in said
