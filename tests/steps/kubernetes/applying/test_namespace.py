"""ensure_namespace: there, made, or said to be missing."""

from __future__ import annotations

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.steps.kubernetes.applying.namespace import ensure_namespace
from tests.steps.kubernetes.applying.cluster import UNAUTHORIZED, Cluster, a_namespace, forbidden

NO_LOOK = forbidden("get", "namespaces", "app")
NO_MAKE = forbidden("create", "namespaces", "app")
EXISTS = b'Error from server (AlreadyExists): namespaces "app" already exists\n'


@pytest.mark.parametrize(
    ("create", "exists", "refusals", "expected"),
    [
        pytest.param(False, True, {}, None, id="there"),
        pytest.param(True, True, {}, None, id="there-already"),
        pytest.param(True, False, {}, "created", id="made"),
        pytest.param(False, False, {"get": NO_LOOK}, None, id="not-to-be-seen"),
        pytest.param(True, False, {"get": NO_LOOK}, "created", id="made-unseen"),
        pytest.param(True, False, {"get": NO_LOOK, "create": NO_MAKE}, None, id="inside-only"),
        pytest.param(True, False, {"create": EXISTS}, None, id="somebody-was-faster"),
        pytest.param(False, False, {}, "namespace 'app' does not exist in cluster 'blue'",
                     id="missing"),
        pytest.param(True, False, {"create": NO_MAKE}, "could not create namespace 'app'",
                     id="not-to-be-made"),
        pytest.param(True, False, {"get": UNAUTHORIZED}, "could not look for namespace 'app'",
                     id="no-access"),
    ],
)  # fmt: skip
def test_namespace(
    cluster: Cluster,
    create: bool,
    exists: bool,
    refusals: dict[str, bytes],
    expected: str | None,
) -> None:
    """Each way it can be."""
    if exists:
        cluster.has(a_namespace("app"))
    cluster.refusals = {(verb, "app"): text for verb, text in refusals.items()}
    if expected is None or expected == "created":
        made = ensure_namespace(cluster.kubectl, "app", create=create, report=cluster.report)
        assert (made.action if made else None) == expected
        assert bool(cluster.report.has_changed) == (expected == "created")
        return
    with pytest.raises(ToolFailed, match=expected):
        ensure_namespace(cluster.kubectl, "app", create=create, report=cluster.report)


@pytest.mark.parametrize(
    ("create", "warnings"),
    [
        pytest.param(
            True, ["may not make namespace 'app'; going on as if it were there"], id="to-be-made"
        ),
        pytest.param(False, [], id="not-to-be-made"),
    ],
)
def test_rights_inside_only(cluster: Cluster, create: bool, warnings: list[str]) -> None:
    """Where it was to be made and was not, that is said: it may be missing."""
    cluster.refusals = {("get", "app"): NO_LOOK, ("create", "app"): NO_MAKE}
    ensure_namespace(cluster.kubectl, "app", create=create, report=cluster.report)
    assert cluster.report.said("warning") == warnings


def test_missing_names_the_cure(cluster: Cluster) -> None:
    """The key that makes it."""
    with pytest.raises(ToolFailed) as raised:
        ensure_namespace(cluster.kubectl, "app", create=False, report=cluster.report)
    assert raised.value.hint is not None
    assert "create_namespace: true" in raised.value.hint


def test_namespace_that_goes(cluster: Cluster) -> None:
    """One that is being deleted takes nothing in; what it waits for is said."""
    conditions = [{"type": "X", "status": "True", "message": "pods. has 1 resource instances"}]
    cluster.has(a_namespace("app"), deletionTimestamp="2026-03-01T00:00:00Z")
    next(iter(cluster.objects.values()))["status"] = {"conditions": conditions}
    with pytest.raises(ToolFailed) as raised:
        ensure_namespace(cluster.kubectl, "app", create=True, report=cluster.report)
    assert raised.value.hint is not None
    assert "pods. has 1" in raised.value.hint
