"""Kubectl: every command is bound to the cluster and the step."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.errors import ToolFailed, ToolMissing
from calamari_py.process.base import StopReason
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.kubernetes.access.failures import ApiFailure
from calamari_py.steps.kubernetes.tool.complaints import failures_in
from calamari_py.steps.kubernetes.tool.failed import ApiFailed
from calamari_py.steps.kubernetes.values import ObjectRef
from tests.steps.kubernetes.applying.cluster import UNAUTHORIZED, Cluster, an_object, forbidden
from tests.steps.kubernetes.fakes import Answer, body_of, list_of

NO_PODS = (
    b'Error from server (Forbidden): pods is forbidden: User "x" cannot list resource "pods" '
    b'in API group "" in the namespace "app"\n'
)
NO_TYPE = b'error: the server doesn\'t have a resource type "mice"\n'
REFUSED = (
    b'E1122 21:30:00.1 77 memcache.go:265] "Unhandled Error" err="couldn\'t get current server API '
    b'group list: Get \\"https://127.0.0.1:1/api\\": dial tcp 127.0.0.1:1: connection refused"\n'
    b"The connection to the server 127.0.0.1:1 was refused - did you specify the right host?\n"
)


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """An empty one."""
    return Cluster(tmp_path)


def test_each_command_is_bound(cluster: Cluster) -> None:
    """The program by its path, the access's environment, a folder, and a limit."""
    cluster.kubectl.capture("logs", "web")
    (call,) = cluster.tool.calls
    assert call.command.argv == ("/opt/bin/kubectl", "logs", "web", "--request-timeout=20s")
    assert call.command.environment["KUBECONFIG"] == "kc"
    assert call.command.directory == cluster.folder


def test_stopped(cluster: Cluster) -> None:
    """A command that calamari ended raises so, but for a look after the end."""
    cluster.tool.on("kubectl get", Answer(code=143, stopped=StopReason.SIGNAL))
    with pytest.raises(Stopped):
        cluster.kubectl.capture("get", "pods")
    assert cluster.kubectl.capture("get", "pods", last_words=5.0).exit.code == 143


def test_failure_says_what_was_done(cluster: Cluster) -> None:
    """The error knows the failure behind it."""
    cluster.tool.on("kubectl logs", Answer(code=1, stderr=NO_PODS))
    with pytest.raises(ApiFailed, match="could not read the logs") as raised:
        cluster.kubectl.succeed("logs", "x", doing="read the logs")
    assert raised.value.failure is not None
    assert raised.value.failure.kind == "forbidden"


@pytest.mark.parametrize(
    ("stdout", "code", "expected"),
    [
        pytest.param(b'{"clientVersion": {"gitVersion": "v1.32.3"}}', 0, "1.32.3", id="good"),
        pytest.param(b'{"clientVersion": {"gitVersion": "v1.32.4-dispatcher"}}', 0,
                     "1.32.4-dispatcher", id="suffix"),
        pytest.param(b'{"clientVersion": {"gitVersion": "v1.29.1-eks-1a+b"}}', 0,
                     "1.29.1-eks-1a+b", id="build"),
        pytest.param(b'{"clientVersion": {"gitVersion": "v1.23.17"}}', 0, "at least 1.24",
                     id="old"),
        pytest.param(b"hello", 0, "is no kubectl", id="text"),
        pytest.param(b"{}", 0, "is no kubectl", id="other-json"),
        pytest.param(b"", 2, "is no kubectl", id="fails"),
    ],
)  # fmt: skip
def test_version(cluster: Cluster, stdout: bytes, code: int, expected: str) -> None:
    """A kubectl that is new enough, or ToolMissing."""
    cluster.tool.on("kubectl version", Answer(stdout=stdout, code=code))
    if not expected[0].isdigit():
        with pytest.raises(ToolMissing, match=expected):
            cluster.kubectl.version()
    else:
        assert cluster.kubectl.version() == expected


def test_list_is_one_process(cluster: Cluster) -> None:
    """However many types; what was refused is told beside what was listed."""
    answer = Answer(code=1, stdout=list_of(body_of("Deployment", "web")), stderr=NO_PODS)
    cluster.tool.on("kubectl get", answer)
    listed = cluster.kubectl.list(["deployments", "pods"], namespace="app", doing="look")
    assert [item["metadata"]["name"] for item in listed.items] == ["web"]
    assert [(each.kind, each.resource) for each in listed.failures] == [("forbidden", "pods")]
    assert len(cluster.tool.calls) == 1


def test_list_without_an_unknown_type(cluster: Cluster) -> None:
    """kubectl lists nothing where it does not know one type: the others are listed then."""
    cluster.tool.on(
        "kubectl get",
        Answer(code=1, stderr=NO_TYPE),
        Answer(stdout=list_of(body_of("Pod", "a"))),
        Answer(code=1, stderr=NO_TYPE),
    )
    listed = cluster.kubectl.list(["pods", "mice"], namespace=None, doing="look")
    assert len(listed.items) == 1
    assert [each.kind for each in listed.failures] == ["unknown-type"]


@pytest.mark.parametrize("stderr", [UNAUTHORIZED, REFUSED], ids=["unauthorized", "unreachable"])
def test_no_use_in_going_on(cluster: Cluster, stderr: bytes) -> None:
    """An access failure is an error whatever else was listed."""
    cluster.tool.on("kubectl get", Answer(code=1, stderr=NO_PODS + stderr))
    with pytest.raises(ApiFailed) as raised:
        cluster.kubectl.list(["pods"], namespace="app", doing="look")
    assert raised.value.failure is not None
    assert raised.value.failure.is_access


def test_each_failure_once() -> None:
    """In kubectl's order, the same one not twice."""
    found = failures_in(NO_PODS + b"Warning: old\n" + NO_TYPE + NO_PODS)
    assert [each.kind for each in found] == ["forbidden", "unknown-type"]


def test_objects_of_unknown_kinds_are_not_there(cluster: Cluster) -> None:
    """They are no failure, and the others are found all the same."""
    there = an_object("ConfigMap", "m")
    cluster.has(there)
    cluster.unknown.add("Mouse")
    mouse = ObjectRef(group="example.com", kind="Mouse", name="jerry")
    assert list(cluster.kubectl.get_objects([mouse, there.ref], doing="look")) == [there.ref]


def test_objects_of_an_api_that_is_down(cluster: Cluster) -> None:
    """kubectl does not know their kinds either: they are refused, not absent."""
    cluster.unknown.add("Mouse")
    cluster.refusals["get", "/apis/example.com/v1"] = (
        b"Error from server (ServiceUnavailable): the server is currently unable to handle the "
        b"request\n"
    )
    mouse = ObjectRef(group="example.com", kind="Mouse", name="jerry")
    refused: dict[ObjectRef, ApiFailure] = {}
    assert cluster.kubectl.get_objects([mouse], doing="look", refused=refused) == {}
    assert "unable to handle" in refused[mouse].text
    with pytest.raises(ToolFailed, match="could not look"):
        cluster.kubectl.get_objects([mouse], doing="look")


def test_refused_objects(cluster: Cluster) -> None:
    """They are told apart from those that are not there, or an error."""
    secret, there = an_object("Secret", "s"), an_object("ConfigMap", "m")
    cluster.has(there)
    cluster.refusals["get", "s"] = forbidden("get", "secrets", "s")
    refused: dict[ObjectRef, ApiFailure] = {}
    refs = [secret.ref, there.ref]
    assert list(cluster.kubectl.get_objects(refs, doing="look", refused=refused)) == [there.ref]
    assert list(refused) == [secret.ref]
    with pytest.raises(ToolFailed, match="could not look"):
        cluster.kubectl.get_objects(refs, doing="look")


def test_nothing_to_get(cluster: Cluster) -> None:
    """No names, no process."""
    assert cluster.kubectl.get_objects([ObjectRef(kind="Job", name="")], doing="look") == {}
    assert cluster.tool.calls == []
