"""Access: which cluster it is, and what stands in the kubeconfig."""

from __future__ import annotations

import base64
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from calamari_py.environment import EnvironmentSpec, build_child_environment, owned_by_kind
from calamari_py.errors import CloudError, IdentityError, RoleNotAssumable, ToolFailed, ToolMissing
from calamari_py.steps.kubernetes.access.access import plugin_argv
from calamari_py.steps.kubernetes.access.environment import kind_environment
from calamari_py.steps.kubernetes.spec import ClusterSpec
from tests.steps.kubernetes.access.support import (
    KUBECONFIG,
    SERVER,
    opened,
    service_account,
    user_of,
    written,
)
from tests.steps.kubernetes.fakes import cluster_body
from tests.steps.kubernetes.world import KubeWorld

PLUGIN = ("-E", "-P", "-m", "calamari_py", "eks-token", "--cluster-name", "blue",
          "--region", "eu-west-1")  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> KubeWorld:
    """A step's."""
    return KubeWorld(tmp_path)


def refused(code: str) -> CloudError:
    """What EKS says no with."""
    return CloudError(
        f"EKS cluster 'blue': {code}", service="eks", operation="DescribeCluster", code=code
    )


def test_eks_by_name(world: KubeWorld) -> None:
    """One question, and all that is known goes to the result."""
    access = opened(world)
    assert world.aws.calls == [("eks:DescribeCluster", {"name": "blue"})]
    assert access.name == "EKS cluster 'blue' in eu-west-1"
    assert access.fields() == {
        "name": "blue",
        "arn": "arn:aws:eks:eu-west-1:111111111111:cluster/blue",
        "server": "https://0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com",
        "version": "1.32",
    }


def test_the_kubeconfig_of_eks(world: KubeWorld) -> None:
    """Private, with one context, whose token comes from calamari itself and holds no secret."""
    access = opened(world)
    config = written(access)
    assert access.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert config["current-context"] == "calamari"
    assert [each["name"] for each in config["contexts"]] == ["calamari"]
    assert config["contexts"][0]["context"] == {
        "cluster": "calamari", "user": "calamari", "namespace": "app",
    }  # fmt: skip
    assert user_of(access) == {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": sys.executable,
            "args": list(PLUGIN),
            "interactiveMode": "Never",
            "provideClusterInfo": False,
        }
    }


def test_with_server_and_authority_nobody_is_asked(world: KubeWorld) -> None:
    """But whether there are credentials: kubectl would start the plugin several times to say so."""
    spec = ClusterSpec(way="eks", eks="blue", region="us-east-1", server=SERVER, authority=b"PEM")
    access = opened(world, spec)
    assert world.aws.calls == []
    assert (access.server, access.region, access.cluster_arn) == (SERVER, "us-east-1", "")
    assert user_of(access)["exec"]["args"][-1] == "us-east-1"


def test_without_credentials_it_ends_at_once(
    world: KubeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any command, and with the renewal's own words."""

    def none() -> Any:
        raise RoleNotAssumable("cannot assume role 'x'")

    monkeypatch.setattr("tests.steps.kubernetes.fakes.credentials", none)
    spec = ClusterSpec(way="eks", eks="blue", server=SERVER, authority=b"PEM")
    with pytest.raises(RoleNotAssumable):
        opened(world, spec)


@pytest.mark.parametrize(
    ("seconds", "more"),
    [
        pytest.param(0, (), id="agree"),
        pytest.param(3, (), id="nearly"),
        pytest.param(600, ("--clock-offset", "600"), id="behind"),
        pytest.param(-600, ("--clock-offset", "-600"), id="ahead"),
    ],
)
def test_a_clock_that_is_off(seconds: int, more: tuple[str, ...], world: KubeWorld) -> None:
    """The plugin signs by AWS's, as all calls of ours are."""
    machine = world.clock.now() - timedelta(seconds=seconds)
    access = opened(world, machine_time=lambda: machine)
    assert tuple(user_of(access)["exec"]["args"]) == (*PLUGIN, *more)
    assert plugin_argv("blue", "eu-west-1", seconds)[1:] == (*PLUGIN, *more)


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        pytest.param({"status": "CREATING"}, ToolFailed, "still being created", id="creating"),
        pytest.param({"status": "DELETING"}, ToolFailed, "is being deleted", id="deleting"),
        pytest.param({"status": "FAILED"}, ToolFailed, "could not be created", id="failed"),
        pytest.param({"status": "NEW"}, ToolFailed, "is in status NEW", id="unknown"),
        pytest.param({"endpoint": None}, ToolFailed, "has no API server", id="no-endpoint"),
        pytest.param({"certificateAuthority": {}}, ToolFailed, "who signed", id="no-authority"),
        pytest.param(
            {"arn": "arn:aws:eks:eu-west-1:222222222222:cluster/blue"},
            IdentityError, "not of account 111111111111", id="another-account",
        ),
        pytest.param(
            {"arn": "arn:aws:eks:us-east-1:111111111111:cluster/blue"},
            IdentityError, "region eu-west-1", id="another-region",
        ),
        pytest.param({"arn": ""}, IdentityError, "which is not of", id="no-arn"),
    ],
)  # fmt: skip
def test_a_cluster_that_is_not_to_be_used(
    body: dict[str, Any], error: type[Exception], words: str, world: KubeWorld
) -> None:
    """It ends before a kubeconfig is written."""
    world.aws.answers["eks:DescribeCluster"] = {"cluster": cluster_body(**body)}
    with pytest.raises(error, match=words):
        opened(world)
    assert not list(world.files())


def test_a_cluster_that_is_being_updated_serves(world: KubeWorld) -> None:
    """EKS upgrades a control plane in place."""
    world.aws.answers["eks:DescribeCluster"] = {"cluster": cluster_body(status="UPDATING")}
    assert opened(world).version == "1.32"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param(
            "ResourceNotFoundException",
            ("no EKS cluster 'blue' in eu-west-1", "account 111111111111"), id="not-there",
        ),
        pytest.param(
            "AccessDeniedException",
            ("eks:DescribeCluster", "server and certificate_authority"), id="denied",
        ),
    ],
)  # fmt: skip
def test_eks_does_not_say(code: str, words: tuple[str, ...], world: KubeWorld) -> None:
    """What was asked for where, or the permission and the way without it."""
    world.aws.answers["eks:DescribeCluster"] = refused(code)
    with pytest.raises(CloudError) as caught:
        opened(world)
    assert caught.value.code == code
    for each in words:
        assert each in f"{caught.value.message} {caught.value.hint}"


def test_a_cluster_of_another_region(world: KubeWorld) -> None:
    """EKS is asked in the step's region alone, and the way around that is said."""
    with pytest.raises(ToolFailed, match="the step is in eu-west-1") as caught:
        opened(world, ClusterSpec(way="eks", eks="blue", region="us-east-1"))
    assert "region: us-east-1" in str(caught.value.hint)
    assert world.aws.calls == []


def test_a_token_stands_in_the_private_file_alone(world: KubeWorld) -> None:
    """It is hidden before it is written."""
    spec = ClusterSpec(way="server", server=SERVER, authority=b"PEM", token="t0ken-secret")
    access = opened(world, spec)
    assert user_of(access) == {"token": "t0ken-secret"}
    assert "t0ken-secret" in world.report.hidden
    assert "t0ken-secret" not in repr(access)
    data = written(access)["clusters"][0]["cluster"]["certificate-authority-data"]
    assert base64.b64decode(data) == b"PEM"


@pytest.mark.parametrize(
    ("asked", "context", "namespace"),
    [("", "prod", "shop"), ("app", "prod", "app"), ("", "dev", "default")],
    ids=["the-contexts", "the-steps", "none"],
)
def test_the_namespace_of_a_kubeconfig(
    asked: str, context: str, namespace: str, world: KubeWorld
) -> None:
    """The step's own wins; somebody's file stays as it is."""
    path = world.writes("kube/config", KUBECONFIG)
    section = {"cluster": {"kubeconfig": "kube/config", "context": context}}
    spec = world.parse("helm", {**section, "release": "web", "action": "uninstall"}).cluster
    access = opened(world, spec, namespace=asked)
    assert access.namespace == namespace
    assert written(access)["contexts"][0]["context"]["namespace"] == namespace
    assert path.read_text() == KUBECONFIG
    assert ("static-t0ken" in world.report.hidden) == (context == "dev")


def test_in_cluster(world: KubeWorld, tmp_path: Path) -> None:
    """The token's file is named, for it is rotated; what is in it is hidden."""
    folder = service_account(tmp_path / "sa")
    context = world.context()
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    world.context = lambda: _with(context, environment)  # type: ignore[method-assign]
    access = opened(world, ClusterSpec(way="in-cluster"), namespace="", service_account=folder)
    assert (access.server, access.namespace) == ("https://[fd00::1]:443", "pods-own")
    assert user_of(access) == {"tokenFile": str(folder / "token")}
    assert "pod-t0ken-secret" in world.report.hidden


def _with(context: Any, environment: dict[str, str]) -> Any:
    from dataclasses import replace

    return replace(context, environment=environment)


def test_not_in_a_cluster(world: KubeWorld, tmp_path: Path) -> None:
    """A service that is not there: 69."""
    with pytest.raises(ToolMissing, match="KUBERNETES_SERVICE_HOST") as caught:
        opened(world, ClusterSpec(way="in-cluster"), service_account=tmp_path)
    assert caught.value.exit_code == 69


def test_two_steps_share_nothing(tmp_path: Path) -> None:
    """Kubeconfig, caches and homes are each step's own."""
    seen: list[set[str]] = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        access = opened(KubeWorld(tmp_path / name))
        mine = {v for v in access.environment.values() if str(tmp_path) in v}
        assert all(str(tmp_path / name) in value for value in mine)
        seen.append(mine)
    assert not seen[0] & seen[1]
    assert len(seen[0]) >= 8


def test_a_script_keeps_its_home(world: KubeWorld) -> None:
    """And finds the cluster."""
    names = opened(world).script_environment
    assert names["KUBECONFIG"] == opened(world).kubeconfig.__fspath__()
    assert "HOME" not in names
    assert not any(name.startswith("HELM_") for name in names)


@pytest.mark.parametrize(
    ("name", "passes"),
    [
        ("KUBECONFIG", False), ("KUBECACHEDIR", False), ("KUBERC", False), ("KUBE_EDITOR", False),
        ("KUBECTL_EXTERNAL_DIFF", False), ("KUBECTL_COMMAND_HEADERS", False),
        ("KUBERNETES_EXEC_INFO", False), ("HELM_KUBETOKEN", False), ("HELM_NAMESPACE", False),
        ("HELM_DRIVER", False), ("HELM_PLUGINS", False), ("HELM_DEBUG", False),
        ("POD_NAMESPACE", False), ("KUBERNETES_SERVICE_HOST", True),
        ("KUBERNETES_SERVICE_PORT", True), ("HTTPS_PROXY", True), ("NO_PROXY", True),
        ("HELM_QPS", True), ("HELM_BURST_LIMIT", True),
    ],
)  # fmt: skip
def test_what_of_the_callers_they_get(name: str, passes: bool) -> None:
    """Nothing that leads to another cluster, or runs a program of a person's."""
    spec = EnvironmentSpec(inherited={name: "x"}, scrub=kind_environment().scrub)
    assert (name in build_child_environment(spec).values) == passes


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("KUBECONFIG", "cluster"), ("HELM_KUBECONTEXT", "cluster"), ("HELM_NAMESPACE", "namespace"),
        ("KUBECTL_APPLYSET", "applyset"), ("HELM_DEBUG", "secrets"), ("HELM_DRIVER", None),
        ("HELM_REGISTRY_CONFIG", None), ("HTTPS_PROXY", None),
    ],
)  # fmt: skip
def test_what_a_manifest_may_set(name: str, advice: str | None) -> None:
    """What is owned has its advice."""
    found = owned_by_kind([name], kind_environment().owned)
    assert (advice is None) == (found == {})
    assert advice is None or advice in found[name]
