"""dry_run: what the server says would become of objects."""

from __future__ import annotations

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.steps.kubernetes.applying.adopted import LAST_APPLIED
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
from tests.steps.kubernetes.fakes import Answer, list_of

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


def test_a_namespace_to_make_comes_first(cluster: Cluster) -> None:
    """It is a difference as any other, and costs no further command."""
    spec = cluster.spec(create_namespace=True)
    found = dry_run(cluster.kubectl, [MAP], spec, cluster.report)
    assert [(each.kind, str(each.ref)) for each in found] == [
        ("create", "Namespace app"), ("create", "ConfigMap app/m"),
    ]  # fmt: skip
    assert cluster.verbs() == ["get"]


@pytest.mark.parametrize(
    ("there", "objects"),
    [
        pytest.param((a_namespace("app"),), (MAP,), id="there"),
        pytest.param((), (a_namespace("app"), MAP), id="in the files"),
    ],
)
def test_no_namespace_to_make(
    cluster: Cluster, there: tuple[KubeObject, ...], objects: tuple[KubeObject, ...]
) -> None:
    """One that is there is none, and one of the files is told once."""
    cluster.has(*there)
    assert len(kinds(cluster, *objects, create_namespace=True)) == len(objects)


def test_kind_to_come(app: Cluster) -> None:
    """Nor can an object whose definition comes with it."""
    app.unknown.add("Mouse")
    found = kinds(app, a_definition(), MOUSE)
    assert found == [
        ("create", ""), ("create", "not checked by the server: its kind does not exist yet"),
    ]  # fmt: skip


def test_version_to_come(app: Cluster) -> None:
    """Nor one of a version that the definition in the files adds to the one that is there."""
    old, new = (a_definition_of(*versions) for versions in (["v1"], ["v1", "v2"]))
    app.has(old)
    first, second = (an_object("Mouse", name, api=f"example.com/{name}") for name in ("v1", "v2"))
    found = kinds(app, new, first, second)
    assert found[1:] == [
        ("create", ""), ("create", "not checked by the server: its version does not exist yet"),
    ]  # fmt: skip


def a_definition_of(*versions: str) -> KubeObject:
    """Of mice in `versions`."""
    plain = a_definition()
    served = [{"name": version, "served": True} for version in versions]
    spec = {**plain.body["spec"], "versions": served}
    return an_object(
        plain.ref.kind, plain.ref.name, namespace="", api=plain.ref.api_version, spec=spec
    )


def test_client_side_before(app: Cluster) -> None:
    """What kubectl applied on the client's side and is in no file any more goes for real, and the
    server's answer to a rehearsal does not show it."""
    last = an_object("ConfigMap", "m", data={"k": "a", "gone": "x"})
    app.has(last, annotations={LAST_APPLIED: last.text.decode()})
    app.tool.on("kubectl apply", Answer(stdout=list_of(app.objects["ConfigMap", "app", "m"])))
    (found,) = dry_run(app.kubectl, [MAP], app.spec(), app.report)
    assert found.kind == "change"
    assert "-  gone: x" in "\n".join(found.lines)
    assert "client-side" in found.note
    assert kinds(app, MAP, server_side=False) == [("none", "")]


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
