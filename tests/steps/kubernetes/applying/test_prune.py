"""ApplySets: kubectl prunes, and what that will be is known before."""

from __future__ import annotations

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.steps.kubernetes.applying.apply import apply_objects
from calamari_py.steps.kubernetes.applying.preview import dry_run
from calamari_py.steps.kubernetes.values import KubeObject
from tests.steps.kubernetes.applying.cluster import (
    Cluster,
    a_definition,
    a_namespace,
    an_object,
    forbidden,
)

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
    assert "--prune" not in with_set.tool.called("kubectl apply")[0].argv
