"""ApplySets: kubectl prunes, and what that will be is known before."""

from __future__ import annotations

import signal

import pytest

from calamari_py.errors import Cancelled, ToolFailed
from calamari_py.steps.kubernetes.applying.apply import apply_objects
from calamari_py.steps.kubernetes.applying.preview import dry_run
from calamari_py.steps.kubernetes.spec import WaitSpec
from calamari_py.steps.kubernetes.values import KubeObject
from tests.steps.kubernetes.applying.cluster import (
    Cluster,
    a_definition,
    a_namespace,
    an_object,
    forbidden,
)
from tests.steps.kubernetes.fakes import Answer, Call

SET = "applyset-x-v1"
MEMBER = {"applyset.kubernetes.io/part-of": SET}
NEW = an_object("ConfigMap", "new")
OLD = an_object("ConfigMap", "old")


@pytest.fixture
def with_set(cluster: Cluster) -> Cluster:
    """A cluster where the set ``web`` has ``old``."""
    parent = an_object("ConfigMap", "web")
    cluster.has(
        parent,
        labels={"applyset.kubernetes.io/id": SET},
        annotations={"applyset.kubernetes.io/contains-group-kinds": "ConfigMap,Mouse.example.com"},
    )
    cluster.has(OLD, labels=MEMBER)
    return cluster


def failing(cluster: Cluster, *objects: KubeObject, **spec: object) -> ToolFailed:
    """The error of applying `objects` as the set."""
    with pytest.raises(ToolFailed) as raised:
        apply_objects(
            cluster.kubectl,
            objects,
            cluster.spec(applyset="configmaps/web", **spec),
            cluster.report,
        )
    return raised.value


def test_what_is_in_no_file_is_pruned(with_set: Cluster) -> None:
    """It is told with its kind and uid, and the set is applied by one command."""
    spec = with_set.spec(applyset="configmaps/web")
    results = apply_objects(with_set.kubectl, [NEW], spec, with_set.report)
    assert [(str(result.ref), result.action) for result in results] == [
        ("ConfigMap app/new", "created"), ("ConfigMap app/old", "pruned"),
    ]  # fmt: skip
    assert results[1].uid == "uid-1"
    (call,) = with_set.tool.called("kubectl apply")
    assert "--prune --applyset=configmaps/web --namespace app" in call.words
    assert call.command.environment["KUBECTL_APPLYSET"] == "true"


@pytest.mark.parametrize(
    "types", ["-f=http://127.0.0.1:1/x", "ConfigMap,--server=https://127.0.0.1:1", "a b"]
)
def test_a_set_says_types_and_no_options(cluster: Cluster, types: str) -> None:
    """They become words of a command line, and whoever may write the parent writes them."""
    annotations = {"applyset.kubernetes.io/contains-group-kinds": types}
    labels = {"applyset.kubernetes.io/id": SET}
    cluster.has(an_object("ConfigMap", "web"), labels=labels, annotations=annotations)
    assert "names what is no type" in failing(cluster, NEW).message
    assert not any(types in call.words for call in cluster.tool.calls)


@pytest.mark.parametrize(
    ("wait", "expected"),
    [
        pytest.param(WaitSpec(timeout=20), "failed", id="waited for"),
        pytest.param(None, "deleting", id="not waited for"),
    ],
)
def test_what_a_finalizer_holds_is_not_pruned(
    with_set: Cluster, wait: WaitSpec | None, expected: str
) -> None:
    """It is waited for as what is deleted is, and never told as gone."""

    def apply(call: Call) -> Answer:
        held = dict(with_set.objects["ConfigMap", "app", "old"])
        answer = with_set.answer_apply(call)
        with_set.objects["ConfigMap", "app", "old"] = held
        return answer

    with_set.tool.on("kubectl apply", apply)
    if wait is not None:
        assert "'configmap/old' is not gone after 20s" in failing(with_set, NEW, wait=wait).message
    else:
        spec = with_set.spec(applyset="configmaps/web", wait=None)
        apply_objects(with_set.kubectl, [NEW], spec, with_set.report)
    assert [fact["action"] for fact in with_set.report.facts["objects"]] == ["created", expected]
    assert with_set.report.has_changed is True


def test_cancelled_while_pruning(with_set: Cluster) -> None:
    """What was seen before stays known when nothing can be seen any more."""
    with_set.has(NEW)

    def apply(call: Call) -> Answer:
        held = dict(with_set.objects["ConfigMap", "app", "old"])
        answer = with_set.answer_apply(call)
        with_set.objects["ConfigMap", "app", "old"] = held
        return answer

    def cancel() -> None:
        with_set.refusals["get", ""] = forbidden("get", "configmaps", "new")
        raise Cancelled(signal.SIGTERM)

    with_set.tool.on("kubectl apply", apply)
    with_set.clock.at(0.5, cancel)
    spec = with_set.spec(applyset="configmaps/web")
    with pytest.raises(Cancelled):
        apply_objects(with_set.kubectl, [NEW], spec, with_set.report)
    found = [fact["action"] for fact in with_set.report.facts["objects"]]
    assert found == ["unchanged", "deleting"]


def test_another_set_loses_what_this_one_takes(with_set: Cluster) -> None:
    """kubectl says nothing of it: it is warned of, and in a dry run, too."""
    taken = an_object("ConfigMap", "taken")
    with_set.has(taken, labels={"applyset.kubernetes.io/part-of": "applyset-y-v1"})
    spec = with_set.spec(applyset="configmaps/web")
    expected = ["another ApplySet loses what this one takes: configmap/taken"]
    dry_run(with_set.kubectl, [taken, OLD], spec, with_set.report)
    assert with_set.report.said("warning") == expected
    apply_objects(with_set.kubectl, [taken, OLD], spec, with_set.report)
    assert with_set.report.said("warning") == expected * 2


def test_what_the_set_applies_has_not_failed(cluster: Cluster) -> None:
    """A namespace that is refused when it comes first is applied with the set all the same."""
    busy = Answer(code=1, stderr=b"Error from server (InternalError): try again\n")
    cluster.tool.on("kubectl apply", busy, cluster.answer_apply)
    spec = cluster.spec(applyset="configmaps/web")
    results = apply_objects(cluster.kubectl, [a_namespace("app"), NEW], spec, cluster.report)
    assert [result.action for result in results] == ["created", "created"]


def test_first_time(cluster: Cluster) -> None:
    """Where the set is not there yet, nothing is pruned."""
    spec = cluster.spec(applyset="configmaps/web")
    results = apply_objects(cluster.kubectl, [NEW], spec, cluster.report)
    assert [result.action for result in results] == ["created"]


def test_namespace_of_the_set_comes_first(cluster: Cluster) -> None:
    """The parent of the set needs its namespace: one that is missing is applied before, one that
    is there only with the set, whose label it would lose."""
    spec = cluster.spec(applyset="configmaps/web")
    for expected in (["--server-side", "--prune"], ["--prune"]):
        cluster.tool.calls.clear()
        apply_objects(cluster.kubectl, [a_namespace("app"), NEW], spec, cluster.report)
        calls = cluster.tool.called("kubectl apply")
        found = ["--prune" if "--prune" in call.argv else "--server-side" for call in calls]
        assert found == expected


@pytest.mark.parametrize("member", [a_namespace("old"), a_definition()], ids=["namespace", "crd"])
def test_never_a_namespace_by_accident(with_set: Cluster, member: KubeObject) -> None:
    """What takes others with it is pruned only when the manifest says so; nothing is done then."""
    with_set.has(member, labels=MEMBER)
    error = failing(with_set, NEW)
    assert "is in no file any more" in error.message
    assert error.hint is not None
    assert "delete_namespaces: true" in error.hint
    assert with_set.tool.called("kubectl apply") == []
    spec = with_set.spec(applyset="configmaps/web", delete_namespaces=True)
    assert len(apply_objects(with_set.kubectl, [NEW], spec, with_set.report)) == 3


def test_failure_prunes_nothing(with_set: Cluster) -> None:
    """kubectl prunes nothing when an object fails: that is said. The object is only rehearsed
    alone, for alone it would prune the others."""
    with_set.refusals["apply", "new"] = forbidden("patch", "configmaps", "new")
    failing(with_set, NEW)
    assert "nothing is pruned, as not all could be applied" in with_set.lines()
    alone = with_set.tool.called("kubectl apply")[-1]
    assert "--dry-run=server" in alone.argv
    assert "--prune" not in alone.argv


def test_one_namespace_only(cluster: Cluster) -> None:
    """kubectl's limit is said before anything is done."""
    error = failing(cluster, an_object("ConfigMap", "m", namespace="other"))
    assert error.message == ("'prune' works in one namespace, 'app', and configmap/m is in 'other'")
    assert cluster.tool.calls == []


def test_dry_run_says_what_would_be_pruned(with_set: Cluster) -> None:
    """And the label of the set is no difference."""
    with_set.has(NEW, labels=MEMBER)
    spec = with_set.spec(applyset="configmaps/web")
    differences = dry_run(with_set.kubectl, [NEW], spec, with_set.report)
    assert [(each.ref.name, each.kind) for each in differences] == [
        ("new", "none"), ("old", "delete"),
    ]  # fmt: skip
    assert str(differences[1].ref) == "ConfigMap old"
    assert "--prune" not in with_set.tool.called("kubectl apply")[0].argv


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        pytest.param((), ["Namespace app", "ConfigMap web", "ConfigMap app/new"], id="nothing"),
        pytest.param((a_namespace("app"),), ["ConfigMap web", "ConfigMap app/new"], id="namespace"),
        pytest.param((a_namespace("app"), an_object("ConfigMap", "web")), ["ConfigMap app/new"],
                     id="both"),
    ],
)  # fmt: skip
def test_dry_run_says_what_would_be_made_for_it(
    cluster: Cluster, there: tuple[KubeObject, ...], expected: list[str]
) -> None:
    """The parent of the set is in no file, and made with it."""
    cluster.has(*there)
    spec = cluster.spec(applyset="configmaps/web", create_namespace=True)
    differences = dry_run(cluster.kubectl, [NEW], spec, cluster.report)
    assert [str(each.ref) for each in differences if each.kind == "create"] == expected
