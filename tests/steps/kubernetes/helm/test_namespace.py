"""The namespace that an upgrade makes is told like everything else that it makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.steps.kubernetes.fakes import Answer, list_of
from tests.steps.kubernetes.helm.room import HelmWorld, live, row


@pytest.fixture
def world(tmp_path: Path) -> HelmWorld:
    """An empty cluster."""
    made = HelmWorld(tmp_path)
    made.has_none()
    made.tool.on("kubectl get", Answer(stdout=list_of()))
    return made


def test_it_is_among_the_results(world: HelmWorld) -> None:
    """It comes first, before what is in it."""
    config = Answer(stdout=list_of(live("ConfigMap", "web")))
    world.tool.on("kubectl get", Answer(stdout=list_of()), Answer(stdout=list_of()), config)
    world.upgrades(row(1, "deployed"))
    world.step(create_namespace=True)
    told = [(each["kind"], each["action"]) for each in world.report.facts["objects"]]
    assert told == [("Namespace", "created"), ("ConfigMap", "created")]


def test_it_is_there_whatever_fails_then(world: HelmWorld) -> None:
    """The result names it though the chart could not be rendered."""
    refused = Answer(code=1, stderr=b"Error: no such value\n")
    world.tool.on("helm upgrade --dry-run=server", refused)
    world.failure(create_namespace=True)
    assert [each["kind"] for each in world.report.facts["objects"]] == ["Namespace"]
    assert world.report.has_changed is True


@pytest.mark.parametrize("wishes", [{"dry_run": True}, {"action": "diff"}], ids=["dry", "diff"])
def test_a_rehearsal_names_it(wishes: dict[str, object], world: HelmWorld) -> None:
    """It is a difference, the first one, and is not made."""
    world.step(create_namespace=True, **wishes)  # type: ignore[arg-type]
    assert world.report.facts["differences"]["create"] == 2
    lines = [line for line in world.report.said("line") if line.startswith("+ ")]
    assert lines == ["+ Namespace app", "+ ConfigMap web"]
    assert not world.tool.called("kubectl create")


@pytest.mark.parametrize("wishes", [{"dry_run": True}, {"action": "diff"}], ids=["dry", "diff"])
def test_a_rehearsal_fails_like_the_run(wishes: dict[str, object], world: HelmWorld) -> None:
    """Where it is not to be made."""
    error = world.failure(**wishes)
    assert "namespace 'app' does not exist" in error.message
    assert error.exit_code == 1
