"""delete_objects: what goes, what is kept, and what is not gone in time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.steps.kubernetes.applying.delete import delete_objects
from calamari_py.steps.kubernetes.spec import WaitSpec
from calamari_py.steps.kubernetes.values import KubeObject, ObjectResult
from tests.steps.kubernetes.applying.cluster import (
    UNAUTHORIZED,
    Cluster,
    a_definition,
    a_namespace,
    an_object,
    forbidden,
)

MAP = an_object("ConfigMap", "m")
WEB = an_object("Deployment", "web", api="apps/v1")


def deleted(cluster: Cluster, *objects: KubeObject, **spec: object) -> tuple[ObjectResult, ...]:
    """Delete `objects`."""
    return delete_objects(cluster.kubectl, objects, cluster.spec(**spec), cluster.report)


def actions(results: Sequence[ObjectResult]) -> list[str]:
    """What became of each."""
    return [result.action for result in results]


def test_deleted_and_absent(cluster: Cluster) -> None:
    """What was there is gone, what was not is told apart; its text is never handed over."""
    secret = an_object("Secret", "s", stringData={"k": "hunter2-hunter2"})
    cluster.has(secret)
    results = deleted(cluster, MAP, secret)
    assert actions(results) == ["absent", "deleted"]
    assert results[1].uid == "uid-0"
    (call,) = cluster.tool.called("kubectl delete")
    assert b"hunter2" not in b"".join(call.files.values())
    assert cluster.report.has_changed is True


def test_nothing_there(cluster: Cluster) -> None:
    """Then nothing is deleted, and nothing was changed."""
    assert actions(deleted(cluster, MAP, WEB)) == ["absent", "absent"]
    assert cluster.verbs() == ["get"]
    assert not cluster.report.has_changed


def test_dependents_first(cluster: Cluster) -> None:
    """Workloads go before what they need, whatever order the files have."""
    cluster.has(MAP, WEB)
    deleted(cluster, MAP, WEB)
    (call,) = cluster.tool.called("kubectl delete")
    assert b"Deployment" in call.files["0001.yaml"]


@pytest.mark.parametrize("holder", [a_namespace("app"), a_definition()], ids=["namespace", "crd"])
def test_what_takes_others_with_it_is_kept(cluster: Cluster, holder: KubeObject) -> None:
    """Unless the manifest says otherwise."""
    cluster.has(holder)
    assert actions(deleted(cluster, holder)) == ["kept"]
    assert "delete_namespaces: true" in cluster.lines()[0]
    assert actions(deleted(cluster, holder, delete_namespaces=True)) == ["deleted"]


def test_what_the_server_has_named_is_kept(cluster: Cluster) -> None:
    """Nobody knows which ones are meant."""
    assert actions(deleted(cluster, an_object("Job", generate="j-", api="batch/v1"))) == ["kept"]


def test_finalizer_blocks(cluster: Cluster) -> None:
    """What is not gone in the time of the wait has failed, and what blocks it is named."""
    cluster.has(MAP)
    cluster.blocked.add("m")
    with pytest.raises(ToolFailed) as raised:
        deleted(cluster, MAP, wait=WaitSpec(timeout=20))
    assert raised.value.message == "'configmap/m' is not gone after 20s (wait.timeout)"
    assert "finalizer 'x.io/keep'" in raised.value.evidence[0]
    assert cluster.report.facts["objects"][0]["action"] == "failed"
    assert sum(cluster.clock.slept) == 20


def test_no_wait(cluster: Cluster) -> None:
    """wait: false returns at once."""
    cluster.has(MAP)
    cluster.blocked.add("m")
    assert actions(deleted(cluster, MAP, wait=None)) == ["deleted"]
    assert cluster.verbs() == ["get", "delete"]


def test_another_of_the_same_name(cluster: Cluster) -> None:
    """One that somebody has made anew meanwhile is not waited for."""
    cluster.has(MAP)
    cluster.blocked.add("m")
    body = cluster.objects["ConfigMap", "app", "m"]
    cluster.clock.at(0.5, lambda: body["metadata"].update(uid="another"))
    assert actions(deleted(cluster, MAP)) == ["deleted"]


def test_one_is_refused(cluster: Cluster) -> None:
    """The others go; the error says why that one does not."""
    cluster.has(MAP, WEB)
    cluster.refusals["delete", "m"] = forbidden("delete", "configmaps", "m")
    with pytest.raises(ToolFailed, match="could not delete 'configmap/m'"):
        deleted(cluster, MAP, WEB)
    assert [fact["action"] for fact in cluster.report.facts["objects"]] == ["failed", "deleted"]


def test_no_access(cluster: Cluster) -> None:
    """Contact lost: nobody knows, and nobody tries on."""
    cluster.has(MAP, WEB)
    cluster.refusals["delete", ""] = UNAUTHORIZED
    with pytest.raises(ToolFailed, match="could not delete the objects"):
        deleted(cluster, MAP, WEB)
    assert [fact["action"] for fact in cluster.report.facts["objects"]] == ["unknown"] * 2
    assert cluster.verbs() == ["get", "delete"]


def test_dry_run_deletes_nothing(cluster: Cluster) -> None:
    """It says what would go and what would be kept."""
    cluster.has(MAP, a_namespace("app"))
    assert actions(deleted(cluster, MAP, a_namespace("app"), WEB, dry_run=True)) == [
        "deleted", "kept", "absent",
    ]  # fmt: skip
    assert cluster.verbs() == ["get"]
    assert cluster.report.facts["differences"]["delete"] == 1
    assert "objects" not in cluster.report.facts
    assert any("namespace/app would be kept" in line for line in cluster.lines())
