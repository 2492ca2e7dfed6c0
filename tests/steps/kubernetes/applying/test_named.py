"""What the results name: namespaces, counts, and what kubectl makes besides."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.steps.kubernetes.applying.apply import apply_objects
from calamari_py.steps.kubernetes.applying.delete import delete_objects
from calamari_py.steps.kubernetes.objects.scope import placed
from calamari_py.steps.kubernetes.values import ObjectRef
from tests.steps.kubernetes.applying.cluster import Cluster, an_object, forbidden
from tests.steps.kubernetes.fakes import Answer, Call

WEB = an_object("ConfigMap", "web", namespace="")
PARENT = an_object("ConfigMap", "of-web")
SET = {"applyset": "configmaps/of-web"}


@pytest.mark.parametrize(
    ("ref", "namespace"),
    [
        pytest.param(ObjectRef(group="apps", kind="Deployment", name="x"), "app", id="namespaced"),
        pytest.param(ObjectRef(kind="Pod", name="x", namespace="own"), "own", id="named"),
        pytest.param(ObjectRef(kind="Namespace", name="x"), "", id="of the cluster"),
        pytest.param(ObjectRef(group="x.io", kind="Role", name="x"), "", id="nobody knows"),
    ],
)
def test_the_namespace_of_an_object(ref: ObjectRef, namespace: str) -> None:
    """The step's, where the kind is known to have one."""
    assert placed(ref, "app").namespace == namespace


@pytest.mark.parametrize("verb", ["apply", "delete"])
def test_a_failed_object_is_named_in_full(verb: str, cluster: Cluster) -> None:
    """The result says in which namespace it is, and the end how many of each there are."""
    cluster.refusals |= {
        (verb, "web"): forbidden(verb, "configmaps", "web"),
        ("get", "web"): forbidden("get", "configmaps", "web"),
    }
    do: Any = apply_objects if verb == "apply" else delete_objects
    with suppress(ToolFailed):
        do(cluster.kubectl, [WEB], cluster.spec(), cluster.report)
    (failed,) = cluster.report.facts["objects"]
    assert (failed["action"], failed["namespace"]) == ("failed", "app")
    assert cluster.report.last_words in ("applied: 1 failed", "1 failed")


def test_a_failure_that_may_have_changed_something(cluster: Cluster) -> None:
    """Nobody knows what the server has stored of what it refused."""
    cluster.refusals[("apply", "web")] = forbidden("patch", "configmaps", "web")
    with pytest.raises(ToolFailed):
        apply_objects(cluster.kubectl, [WEB], cluster.spec(), cluster.report)
    assert cluster.report.has_changed is None


@pytest.mark.parametrize("is_there", [True, False], ids=["there", "made"])
def test_the_parent_of_an_applyset(is_there: bool, cluster: Cluster) -> None:
    """kubectl makes it with what it applies, and it is among the results then."""
    if is_there:
        cluster.has(PARENT)

    def apply(call: Call) -> Answer:
        if not is_there:
            cluster.has(PARENT)
        return cluster.answer_apply(call)

    cluster.tool.on("kubectl apply", apply)
    results = apply_objects(
        cluster.kubectl, [an_object("Secret", "db")], cluster.spec(**SET), cluster.report
    )
    told = [(result.ref.name, result.action) for result in results]
    assert told == [("db", "created"), *([] if is_there else [("of-web", "created")])]


@pytest.mark.parametrize("dry_run", [False, True], ids=["deleted", "rehearsed"])
def test_the_parent_stays(dry_run: bool, cluster: Cluster) -> None:
    """A delete says so, and how it goes."""
    cluster.has(PARENT, an_object("Secret", "db"))
    spec = cluster.spec(action="delete", dry_run=dry_run, **SET)
    results = delete_objects(cluster.kubectl, [an_object("Secret", "db")], spec, cluster.report)
    assert [(each.ref.name, each.action) for each in results] == [
        ("db", "deleted"), ("of-web", "kept"),
    ]  # fmt: skip
    assert "kubectl delete" in cluster.report.everything
    assert ("ConfigMap", "app", "of-web") in cluster.objects
