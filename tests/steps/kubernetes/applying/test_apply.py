"""apply_objects: what became of each object is known, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.process.base import StopReason
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.kubernetes.applying.apply import apply_objects
from calamari_py.steps.kubernetes.values import KubeObject, ObjectResult
from tests.steps.kubernetes.applying.cluster import (
    CONFLICT,
    UNAUTHORIZED,
    Cluster,
    a_definition,
    a_namespace,
    an_object,
    forbidden,
)
from tests.steps.kubernetes.fakes import Answer, Call, list_of

WEB = an_object("Deployment", "web", api="apps/v1")
MAP = an_object("ConfigMap", "web", data={"k": "a"}, place="k8s/map.yaml:7")
SECRET = an_object("Secret", "db", stringData={"password": "hunter2-hunter2"})
BUSY = b"Error from server (InternalError): etcdserver: request timed out\n"
MOUSE = an_object("Mouse", "jerry", api="example.com/v1")


def applied(cluster: Cluster, *objects: KubeObject, **spec: object) -> tuple[ObjectResult, ...]:
    """Apply `objects`."""
    return apply_objects(cluster.kubectl, objects, cluster.spec(**spec), cluster.report)


def failing(cluster: Cluster, *objects: KubeObject, **spec: object) -> ToolFailed:
    """The error of applying `objects`."""
    with pytest.raises(ToolFailed) as raised:
        applied(cluster, *objects, **spec)
    return raised.value


def actions(results: Sequence[ObjectResult]) -> list[str]:
    """What became of each."""
    return [result.action for result in results]


def told(cluster: Cluster) -> dict[str, str]:
    """What the result says became of each, by name."""
    return {fact["name"]: fact["action"] for fact in cluster.report.facts["objects"]}


def test_created_unchanged_configured(cluster: Cluster) -> None:
    """The three are told apart by what was there before and what is there after."""
    cluster.has(MAP, WEB)
    newer = an_object("ConfigMap", "web", data={"k": "b"})
    results = applied(cluster, newer, WEB, SECRET)
    assert actions(results) == ["configured", "unchanged", "created"]
    assert results[2].uid
    assert results[2].keys == ("password",)
    assert cluster.lines() == ["configmap/web configured", "deployment/web unchanged",
                               "secret/db created"]  # fmt: skip
    assert [name for name, _ in cluster.report.events] == ["kube_object"] * 3
    assert cluster.report.has_changed is True


def test_nothing_to_change_is_no_change(cluster: Cluster) -> None:
    """Where all is unchanged, the result does not say that something was changed."""
    cluster.has(MAP)
    assert actions(applied(cluster, MAP)) == ["unchanged"]
    assert cluster.report.has_changed is False


def test_one_command_a_phase(cluster: Cluster) -> None:
    """However many objects there are: a look, a command for each phase, a look."""
    many = [an_object("ConfigMap", f"m{number}") for number in range(50)]
    applied(cluster, *many, a_namespace("app"))
    assert cluster.verbs() == ["get", "apply", "apply", "get"]


def test_no_secret_leaves_private_files(cluster: Cluster) -> None:
    """Objects are handed over in files of 0600, which are gone afterwards; arguments name only
    those."""
    applied(cluster, SECRET)
    call = cluster.tool.called("kubectl apply")[0]
    assert b"hunter2" in call.files["0001.yaml"]
    assert set(call.modes.values()) == {0o600}
    assert cluster.left_behind() == []
    assert not any("hunter2" in each.words for each in cluster.tool.calls)


def test_live_secrets_are_masked_first(cluster: Cluster) -> None:
    """The value that a Secret had in the cluster is a secret, too."""
    old = an_object("Secret", "db", stringData={"password": "old-password-1"})
    cluster.has(old)
    applied(cluster, SECRET)
    assert "old-password-1" in cluster.report.hidden


def test_one_of_many_fails(cluster: Cluster) -> None:
    """The others are applied and told; the error says which, where it stands, and why."""
    cluster.refusals["apply", "db"] = forbidden("patch", "secrets", "db")
    error = failing(cluster, WEB, SECRET)
    assert told(cluster) == {"web": "created", "db": "failed"}
    assert error.message.startswith("could not apply 'secret/db' (k8s/all.yaml:1): ")
    assert error.hint is not None
    assert "patch" in error.hint
    assert cluster.report.has_changed is True


def test_several_fail(cluster: Cluster) -> None:
    """Each failed object has a row of its own."""
    cluster.refusals["apply", ""] = forbidden("patch", "configmaps", "x")
    error = failing(cluster, *(an_object("ConfigMap", f"m{number}") for number in range(15)))
    assert error.message == "could not apply 15 of 15 objects"
    assert len(error.evidence) == 11
    assert error.evidence[-1] == "and 5 more"
    alone = [call for call in cluster.tool.called("kubectl apply") if len(call.files) == 1]
    assert len(alone) == 10


def test_place_of_the_first_failure(cluster: Cluster) -> None:
    """Programs are told file and line."""
    (cluster.folder / "k8s").mkdir()
    (cluster.folder / "k8s/map.yaml").write_text("")
    cluster.refusals["apply", "web"] = forbidden("patch", "configmaps", "web")
    error = failing(cluster, MAP)
    assert (error.file, error.line) == (str(cluster.folder / "k8s/map.yaml"), 7)


def test_conflict_names_owner_field_and_cure(cluster: Cluster) -> None:
    """Who owns what, and the key that takes it."""
    cluster.refusals["apply", "web"] = CONFLICT
    error = failing(cluster, MAP)
    assert "'other' owns .data.k" in error.message
    assert error.hint is not None
    assert "force_conflicts: true" in error.hint


def test_second_chance(cluster: Cluster) -> None:
    """One that is taken when it comes alone is applied."""
    first = Answer(code=1, stderr=b"Error from server (InternalError): try again\n")
    cluster.tool.on("kubectl apply", first, cluster.answer_apply)
    assert actions(applied(cluster, MAP)) == ["created"]
    assert len(cluster.tool.called("kubectl apply")) == 2


def test_access_failure_ends_all(cluster: Cluster) -> None:
    """Nothing more is tried; what was confirmed is told, and of the rest that nobody knows."""
    cluster.refusals["apply", "db"] = UNAUTHORIZED
    error = failing(cluster, a_namespace("app"), WEB, SECRET, MOUSE)
    assert told(cluster) == {
        "app": "created", "web": "created", "db": "unknown", "jerry": "created",
    }  # fmt: skip
    assert error.message.startswith("could not apply the objects: ")
    assert "not known what became of secret/db" in cluster.lines()
    assert cluster.verbs() == ["get", "apply", "apply"]


def test_no_access_before_anything(cluster: Cluster) -> None:
    """Without an answer nothing is applied, and nothing is told of objects."""
    cluster.refusals["get", ""] = UNAUTHORIZED
    failing(cluster, WEB)
    assert cluster.verbs() == ["get"]
    assert "objects" not in cluster.report.facts
    assert cluster.report.has_changed is None


def test_stopped_on_the_way(cluster: Cluster) -> None:
    """What was applied before the end is told, after a last look."""
    cluster.tool.on(
        "kubectl apply",
        Answer(code=143, stdout=b"configmap/web serverside-applied\n", stopped=StopReason.TIMEOUT),
    )
    with pytest.raises(Stopped):
        applied(cluster, MAP, WEB)
    assert [fact["action"] for fact in cluster.report.facts["objects"]] == ["created", "unknown"]
    assert cluster.tool.calls[-1].last_words is not None


def test_what_may_not_be_looked_at(cluster: Cluster) -> None:
    """Rights to apply without rights to look are enough; nobody says that it was changed."""
    cluster.has(MAP)
    cluster.refusals["get", "db"] = forbidden("get", "secrets", "db")
    assert actions(applied(cluster, SECRET, MAP)) == ["applied", "unchanged"]
    assert cluster.report.has_changed is None


def test_a_second_look_that_fails(cluster: Cluster) -> None:
    """What was not seen afterwards is applied, and nobody knows whether it was changed."""
    cluster.has(MAP)

    def apply(call: Call) -> Answer:
        cluster.refusals["get", "web"] = BUSY
        return cluster.answer_apply(call)

    cluster.tool.on("kubectl apply", apply)
    assert actions(applied(cluster, MAP)) == ["applied"]
    assert cluster.report.has_changed is None


def test_an_object_that_is_being_deleted(cluster: Cluster) -> None:
    """What was applied to it goes with it: that is a failure, and what it waits for is said."""
    cluster.has(MAP, deletionTimestamp="2026-03-01T00:00:00Z", finalizers=["x.io/keep"])
    error = failing(cluster, MAP)
    assert "it is being deleted (it waits for finalizer 'x.io/keep')" in error.message
    assert told(cluster) == {"web": "failed"}


def test_what_is_not_reached_is_not_applied(cluster: Cluster) -> None:
    """When a definition fails, what comes after it was never handed over; what came before is
    looked at."""
    definition, names = a_definition(), a_namespace("app")
    cluster.has(names)
    failing(cluster, names, definition, MAP, an_object("Job", generate="j-", api="batch/v1"))
    facts = cluster.report.facts["objects"]
    assert [fact["action"] for fact in facts] == ["unchanged", "created", "failed", "failed"]
    assert facts[2]["message"] == "not applied: the run ended before"
    assert cluster.lines()[-1] == (
        "not applied, as the run ended before: configmap/web, job/(named by the server)"
    )
    assert len(cluster.tool.called("kubectl apply")) == 1


def test_all_fail_once(cluster: Cluster) -> None:
    """They are applied once more together: more than ten that pass then have not failed."""
    many = [an_object("ConfigMap", f"m{number}") for number in range(14)]
    cluster.tool.on("kubectl apply", Answer(code=1, stderr=BUSY), cluster.answer_apply)
    assert set(actions(applied(cluster, *many))) == {"created"}
    assert cluster.verbs() == ["get", "apply", "apply", "get"]


def test_only_failures_count(cluster: Cluster) -> None:
    """However many have to be applied alone, it is failures that end it."""
    many = [an_object("ConfigMap", f"m{number}") for number in range(14)]
    cluster.tool.on(
        "kubectl apply",
        lambda call: (
            cluster.answer_apply(call) if len(call.files) == 1 else Answer(code=1, stderr=BUSY)
        ),
    )
    assert set(actions(applied(cluster, *many))) == {"created"}


def test_same_name_in_many_namespaces(cluster: Cluster) -> None:
    """One of them is refused: that one has failed with its reason, and the others have not."""
    many = [an_object("ConfigMap", "m", namespace=f"n{number}") for number in range(13)]
    refusal = forbidden("patch", "configmaps", "m")

    def apply(call: Call) -> Answer:
        fine = {name: text for name, text in call.files.items() if b'"n12"' not in text}
        answer = cluster.answer_apply(replace(call, files=fine))
        is_fine = len(fine) == len(call.files)
        return answer if is_fine else Answer(code=1, stdout=answer.stdout, stderr=refusal)

    cluster.tool.on("kubectl apply", apply)
    error = failing(cluster, *many)
    assert "forbidden" in error.message
    found = [fact["action"] for fact in cluster.report.facts["objects"]]
    assert found == ["created"] * 12 + ["failed"]


def test_same_name_in_two_namespaces(cluster: Cluster) -> None:
    """kubectl says no namespaces: each object has its own result all the same."""
    here, there = an_object("ConfigMap", "m"), an_object("ConfigMap", "m", namespace="b")
    cluster.has(there)
    results = applied(cluster, here, there)
    assert actions(results) == ["created", "unchanged"]
    assert cluster.lines() == [
        "configmap/m created (namespace app)", "configmap/m unchanged (namespace b)",
    ]  # fmt: skip


def test_another_namespace_than_the_steps(cluster: Cluster) -> None:
    """It is said, also where all objects are there."""
    applied(cluster, an_object("ConfigMap", "m", namespace="b"))
    assert cluster.lines() == ["configmap/m created (namespace b)"]


def test_server_names_what_has_no_name(cluster: Cluster) -> None:
    """generateName is created, each time, and its result has the server's name."""
    job = an_object("Job", generate="job-", api="batch/v1")
    results = applied(cluster, job, MAP)
    assert [result.ref.name for result in results] == ["job-1", "web"]
    assert cluster.verbs() == ["get", "apply", "create", "get"]
    assert cluster.report.said("note")


def test_server_tells_the_namespace(cluster: Cluster) -> None:
    """The result of an object without a namespace says where the server put it."""
    plain = an_object("ConfigMap", "m", namespace="")
    seen = {**an_object("ConfigMap", "m").body}
    seen["metadata"] = {**seen["metadata"], "uid": "u", "resourceVersion": "1"}
    cluster.tool.on("kubectl get", Answer(stdout=list_of(seen)))
    assert applied(cluster, plain)[0].ref.namespace == "app"


def test_definitions_are_waited_for(cluster: Cluster) -> None:
    """Objects of a new kind are applied once the kind is established."""
    definition = a_definition()

    def establish() -> None:
        for body in cluster.objects.values():
            body["status"] = {"conditions": [{"type": "Established", "status": "True"}]}

    cluster.clock.at(0.2, establish)
    results = applied(cluster, MOUSE, definition)
    assert actions(results) == ["created", "created"]
    assert cluster.verbs() == ["get", "apply", "get", "get", "apply", "get"]


def test_definition_is_never_established(cluster: Cluster) -> None:
    """After a minute the step fails and says so."""
    error = failing(cluster, a_definition())
    assert "was not established within 60s" in error.message


def test_definition_names_are_taken(cluster: Cluster) -> None:
    """Nobody waits for a definition whose names belong to another."""
    taken = {"type": "NamesAccepted", "status": "False", "message": "'mice' is in use"}
    definition = a_definition()
    cluster.has(definition)
    next(iter(cluster.objects.values()))["status"] = {"conditions": [taken]}
    cluster.tool.on("kubectl apply", Answer(stdout=b""))
    assert "'mice' is in use" in failing(cluster, definition).message


def test_terminating_namespace(cluster: Cluster) -> None:
    """A namespace that is being deleted is said before anything is applied."""
    cluster.has(a_namespace("app"), deletionTimestamp="2026-03-01T00:00:00Z")
    error = failing(cluster, a_namespace("app"), MAP)
    assert error.message == "namespace 'app' is being deleted, and takes nothing in"
    assert cluster.verbs() == ["get"]


def test_warnings_of_the_server_once(cluster: Cluster) -> None:
    """A warning is ours, once however often it comes."""
    cluster.warnings = b"Warning: v1 Endpoints is deprecated\n"
    applied(cluster, a_namespace("app"), MAP)
    assert cluster.report.said("warning") == ["v1 Endpoints is deprecated"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, "--server-side --field-manager=calamari -f", id="default"),
        pytest.param({"field_manager": "me", "force_conflicts": True},
                     "--server-side --field-manager=me --force-conflicts -f", id="force"),
        pytest.param({"server_side": False}, "kubectl apply -f", id="client"),
    ],
)  # fmt: skip
def test_how_it_is_applied(cluster: Cluster, spec: dict[str, object], expected: str) -> None:
    """The section's keys become kubectl's flags."""
    applied(cluster, MAP, **spec)
    assert expected in cluster.tool.called("kubectl apply")[0].words


def test_client_side_secrets_are_warned_of(cluster: Cluster) -> None:
    """The annotation of client-side apply holds a Secret's values in clear."""
    applied(cluster, SECRET, server_side=False)
    assert any("annotation" in warning for warning in cluster.report.said("warning"))
