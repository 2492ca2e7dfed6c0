"""What kubectl says it has done, and to which objects."""

from __future__ import annotations

import pytest

from calamari_py.steps.kubernetes.applying.lines import (
    Confirmations,
    Warnings,
    lots_of,
    spoken,
)
from calamari_py.steps.kubernetes.applying.tell import named
from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef
from tests.steps.terraform.fakes import ToolReport

WEB = ObjectRef(group="apps", kind="Deployment", name="web", namespace="app")
MOUSE = ObjectRef(group="example.com", kind="Mouse", name="jerry")
MAP_A = ObjectRef(kind="ConfigMap", name="m", namespace="a")
MAP_B = ObjectRef(kind="ConfigMap", name="m", namespace="b")


def confirmed(*lines: str, refs: tuple[ObjectRef, ...]) -> set[ObjectRef]:
    """Which of `refs` these lines confirm."""
    told = Confirmations(Warnings(ToolReport()), lambda _: None)
    for line in lines:
        told.line("stdout", line.encode())
    return told.confirmed(refs)


@pytest.mark.parametrize(
    ("line", "ref"),
    [
        pytest.param("deployment.apps/web serverside-applied", WEB, id="server-side"),
        pytest.param("deployment.apps/web created", WEB, id="created"),
        pytest.param("deployment.apps/web configured", WEB, id="configured"),
        pytest.param("deployment.apps/web unchanged", WEB, id="unchanged"),
        pytest.param('deployment.apps "web" deleted', WEB, id="deleted"),
        pytest.param('deployment.apps "web" deleted from app namespace', WEB, id="deleted-new"),
        pytest.param("mouse.example.com/jerry serverside-applied", MOUSE, id="odd-plural"),
        pytest.param("configmap/m serverside-applied", MAP_A, id="core"),
        pytest.param("clusterrole.rbac.authorization.k8s.io/system:x serverside-applied",
                     ObjectRef(group="rbac.authorization.k8s.io", kind="ClusterRole",
                               name="system:x"), id="colon"),
    ],
)  # fmt: skip
def test_confirmed(line: str, ref: ObjectRef) -> None:
    """Each way kubectl says it."""
    assert confirmed(line, refs=(ref,)) == {ref}


@pytest.mark.parametrize(
    "line",
    [
        "deployment.apps/web pruned", "deployment.apps/web2 created", "deployment/web created",
        "deployment.apps/web serverside-applied (server dry run)", "created",
    ],
)  # fmt: skip
def test_not_confirmed(line: str) -> None:
    """What is said of something else, or of a rehearsal, confirms nothing."""
    assert confirmed(line, refs=(WEB,)) == set()


def test_all_or_none_of_those_that_sound_alike() -> None:
    """One line for two objects does not say which of them it is."""
    line = "configmap/m serverside-applied"
    assert confirmed(line, refs=(MAP_A, MAP_B)) == set()
    assert confirmed(line, line, refs=(MAP_A, MAP_B)) == {MAP_A, MAP_B}


def test_lots() -> None:
    """As few as keep those apart that sound alike, in their order."""
    refs = [MAP_A, WEB, MAP_B, MOUSE]
    objects = [KubeObject(ref=ref, text=b"", body={}) for ref in refs]
    lots = [[each.ref for each in lot] for lot in lots_of(objects)]
    assert lots == [[MAP_A, WEB, MOUSE], [MAP_B]]


def test_spoken_is_the_kind() -> None:
    """Not the plural that a server lists it under."""
    assert spoken(MOUSE) == ("mouse.example.com", "jerry")


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        (WEB, "deployment/web"),
        (MOUSE, "mouse.example.com/jerry"),
        (ObjectRef(group="networking.k8s.io", kind="Ingress", name="i"), "ingress/i"),
        (ObjectRef(kind="Pod", name=""), "pod/(named by the server)"),
    ],
)
def test_named(ref: ObjectRef, expected: str) -> None:
    """As people write it."""
    assert named(ref) == expected


def test_complaints_without_warnings() -> None:
    """Warnings are told, once each, and are no failures."""
    report = ToolReport()
    told = Confirmations(Warnings(report), lambda _: None)
    for line in (b"Warning: old", b"error: x", b"Warning: old", b"y"):
        told.line("stderr", line)
    assert told.stderr == b"error: x\ny"
    assert report.said("warning") == ["old"]
