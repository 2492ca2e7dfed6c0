"""dry_run: what the server says would become of objects."""

from __future__ import annotations

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.steps.kubernetes.applying.preview import dry_run
from calamari_py.steps.kubernetes.values import KubeObject
from tests.steps.kubernetes.applying.cluster import (
    CONFLICT,
    UNAUTHORIZED,
    Cluster,
    a_definition,
    a_namespace,
    an_object,
)

MAP = an_object("ConfigMap", "m", data={"k": "a"})
MOUSE = an_object("Mouse", "jerry", api="example.com/v1")


def kinds(cluster: Cluster, *objects: KubeObject, **spec: object) -> list[tuple[str, str]]:
    """Kind and note of each difference."""
    found = dry_run(cluster.kubectl, objects, cluster.spec(**spec), cluster.report)
    return [(each.kind, each.note) for each in found]


@pytest.fixture
def app(cluster: Cluster) -> Cluster:
    """A cluster that has namespace ``app``."""
    cluster.has(a_namespace("app"))
    return cluster


def test_create_change_none(app: Cluster) -> None:
    """One look and one rehearsal say all of it, and nothing is changed."""
    app.has(MAP, an_object("ConfigMap", "same"))
    newer = an_object("ConfigMap", "m", data={"k": "b"})
    found = kinds(app, newer, an_object("ConfigMap", "same"), an_object("ConfigMap", "new"))
    assert found == [("change", ""), ("none", ""), ("create", "")]
    assert app.verbs() == ["get", "apply"]
    assert "--dry-run=server" in app.tool.calls[1].argv
    assert app.left_behind() == []


@pytest.mark.parametrize(
    ("objects", "spec"),
    [
        pytest.param((a_namespace("app"), MAP), {}, id="file"),
        pytest.param((MAP,), {"create_namespace": True}, id="create_namespace"),
        pytest.param((an_object("ConfigMap", "m", namespace=""),), {"create_namespace": True},
                     id="of-the-context"),
    ],
)  # fmt: skip
def test_namespace_to_come(
    cluster: Cluster, objects: tuple[KubeObject, ...], spec: dict[str, object]
) -> None:
    """What lies in a namespace that the step makes cannot be checked, and is said so."""
    assert kinds(cluster, *objects, **spec)[-1] == (
        "create", "not checked by the server: its namespace does not exist yet",
    )  # fmt: skip


def test_kind_to_come(app: Cluster) -> None:
    """Nor can an object whose definition comes with it."""
    app.unknown.add("Mouse")
    found = kinds(app, a_definition(), MOUSE)
    assert found == [
        ("create", ""), ("create", "not checked by the server: its kind does not exist yet"),
    ]  # fmt: skip


def test_server_names_it(app: Cluster) -> None:
    """generateName makes a new one each time."""
    ((kind, note),) = kinds(app, an_object("Job", generate="job-", api="batch/v1"))
    assert kind == "create"
    assert "made by each run" in note


def test_conflict_fails_the_run(app: Cluster) -> None:
    """It is told with all other differences, and ends the run."""
    app.refusals["apply", "bad"] = CONFLICT
    others = [an_object("ConfigMap", f"m{number}") for number in range(6)]
    with pytest.raises(ToolFailed) as raised:
        kinds(app, *others, an_object("ConfigMap", "bad"))
    assert "'other' owns .data.k" in raised.value.message
    assert raised.value.hint is not None
    assert "force_conflicts: true" in raised.value.hint
    assert app.report.facts["differences"]["create"] == 6
    assert app.report.facts["differences"]["unknown"] == 1


def test_few_commands_find_one_refusal(app: Cluster) -> None:
    """Halves are asked for, not each object."""
    app.refusals["apply", "bad"] = CONFLICT
    many = [an_object("ConfigMap", f"m{number}") for number in range(64)]
    with pytest.raises(ToolFailed):
        kinds(app, *many, an_object("ConfigMap", "bad"))
    assert len(app.tool.called("kubectl apply")) < 16


def test_many_refusals_are_not_all_asked_for(app: Cluster) -> None:
    """After twenty it is enough; the rest is said to be unchecked."""
    app.refusals["apply", ""] = CONFLICT
    with pytest.raises(ToolFailed):
        kinds(app, *(an_object("ConfigMap", f"m{number}") for number in range(64)))
    assert "too many others were refused" in app.report.everything


def test_no_access(app: Cluster) -> None:
    """An access failure ends it at once."""
    app.refusals["apply", ""] = UNAUTHORIZED
    with pytest.raises(ToolFailed, match="could not rehearse"):
        kinds(app, MAP, MOUSE)
    assert app.verbs() == ["get", "apply"]
