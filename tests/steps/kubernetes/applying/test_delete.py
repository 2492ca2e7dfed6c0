"""delete_objects: what goes, what is kept, and what is not gone in time."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence

import pytest

from calamari_py.errors import Cancelled, ToolFailed
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
from tests.steps.kubernetes.fakes import Answer, Call

MAP = an_object("ConfigMap", "m")
WEB = an_object("Deployment", "web", api="apps/v1")


def deleted(cluster: Cluster, *objects: KubeObject, **spec: object) -> tuple[ObjectResult, ...]:
    """Delete `objects`."""
    return delete_objects(cluster.kubectl, objects, cluster.spec(**spec), cluster.report)


def actions(results: Sequence[ObjectResult]) -> list[str]:
    """What became of each."""
    return [result.action for result in results]


def cancel() -> None:
    """What a signal does."""
    raise Cancelled(signal.SIGTERM)


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
    """wait: false returns at once, and nobody says that it is gone."""
    cluster.has(MAP)
    cluster.blocked.add("m")
    assert actions(deleted(cluster, MAP, wait=None)) == ["deleting"]
    assert cluster.verbs() == ["get", "delete"]
    assert cluster.lines() == ["configmap/m is being deleted"]
    assert cluster.report.has_changed is True


def test_stopped_while_it_waits(cluster: Cluster) -> None:
    """What a finalizer holds is not called deleted when the step is ended."""
    cluster.has(MAP, WEB)
    cluster.blocked.add("m")
    cluster.clock.at(0.5, cancel)
    with pytest.raises(Cancelled):
        deleted(cluster, MAP, WEB)
    assert [fact["action"] for fact in cluster.report.facts["objects"]] == ["deleting", "deleted"]


BUSY = b"Error from server (InternalError): etcdserver: request timed out\n"


def test_what_may_not_be_looked_at_is_not_gone(cluster: Cluster) -> None:
    """Rights to delete without rights to look: nobody knows whether it is gone."""
    cluster.has(MAP)
    cluster.blocked.add("m")
    cluster.refusals["get", "m"] = forbidden("get", "configmaps", "m")
    with pytest.raises(ToolFailed) as raised:
        deleted(cluster, MAP)
    assert raised.value.message == "nobody can see whether 'configmap/m' is gone"
    assert raised.value.hint == (
        "give the step the right to get what it deletes, or say 'wait: false'"
    )
    assert cluster.report.facts["objects"][0]["action"] == "failed"
    assert cluster.clock.slept == []


def test_a_look_that_fails_once(cluster: Cluster) -> None:
    """It is looked again: what could not be seen is neither gone nor given up."""
    cluster.has(MAP)
    cluster.blocked.add("m")
    cluster.refusals["get", "m"] = BUSY
    body = cluster.objects["ConfigMap", "app", "m"]
    body["metadata"]["deletionTimestamp"] = "2026-03-01T00:00:00Z"
    cluster.clock.at(0.5, cluster.refusals.clear)
    with pytest.raises(ToolFailed, match="'configmap/m' is not gone after 20s"):
        deleted(cluster, MAP, wait=WaitSpec(timeout=20))
    cluster.refusals["get", "m"] = BUSY
    start = cluster.clock.monotonic()
    cluster.clock.at(start + 0.5, cluster.refusals.clear)
    cluster.clock.at(start + 2.5, cluster.objects.clear)
    assert actions(deleted(cluster, MAP)) == ["deleted"]


def test_same_name_in_many_namespaces(cluster: Cluster) -> None:
    """One of them is refused: that one has failed with its reason, the others are deleted."""
    many = [an_object("ConfigMap", "m", namespace=f"n{number}") for number in range(13)]
    cluster.has(*many)
    refusal = forbidden("delete", "configmaps", "m")

    def answer(call: Call) -> Answer:
        texts = [*call.files.values()]
        there = [text for text in texts if b'"n12"' not in text]
        keys = [("ConfigMap", json.loads(text)["metadata"]["namespace"], "m") for text in there]
        gone = [key for key in keys if cluster.objects.pop(key, None)]
        failed = len(there) < len(texts)
        stdout = b'configmap "m" deleted\n' * len(gone)
        return Answer(code=int(failed), stdout=stdout, stderr=refusal if failed else b"")

    cluster.tool.on("kubectl delete", answer)
    with pytest.raises(ToolFailed, match=r"could not delete 'configmap/m'.*forbidden"):
        deleted(cluster, *many)
    found = [fact["action"] for fact in cluster.report.facts["objects"]]
    assert found == ["deleted"] * 12 + ["failed"]


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
