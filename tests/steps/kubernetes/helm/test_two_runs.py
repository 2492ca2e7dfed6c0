"""Two runs at one release: each touches only what is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.process.base import StopReason
from tests.steps.kubernetes.fakes import Answer
from tests.steps.kubernetes.helm.room import HelmWorld, row

FAILED = 'Upgrade "web" failed: context canceled'
IN_PROGRESS = (
    b"Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress\n"
)
THEIRS = "r2-0123456789ab-1-2-3s-0123456789"


@pytest.fixture
def world(tmp_path: Path) -> HelmWorld:
    """See `HelmWorld`."""
    return HelmWorld(tmp_path)


@pytest.mark.parametrize(
    "status", [pytest.param("pending-upgrade", id="at it"), pytest.param("deployed", id="done")]
)
def test_a_revision_of_another_run_is_left_alone(world: HelmWorld, status: str) -> None:
    """It came while Helm had not begun: ours was refused, and changed nothing."""
    world.label = THEIRS
    world.upgrades(row(1, "deployed"), row(2, status, "x"), code=1, stderr=IN_PROGRESS)
    error = world.failure()
    assert "another operation" in error.message
    assert "revision 2" in world.report.everything
    assert "another run is at work on release 'web'" in world.report.everything
    assert "rollback" not in " ".join(world.verbs())
    assert not world.report.has_changed
    assert "release" not in world.report.facts


def test_a_first_install_of_another_run(world: HelmWorld) -> None:
    """Nobody is advised to uninstall what is not ours."""
    world.has_none()
    world.label = THEIRS
    world.upgrades(row(2, "pending-install", "x"), code=1, stderr=IN_PROGRESS)
    assert "uninstall" not in (world.failure().hint or "")
    assert len(world.verbs()) == 2


def test_a_revision_after_ours(world: HelmWorld) -> None:
    """What failed is ours; what is there now is not, and is not rolled back."""
    rows = (row(1, "deployed"), row(2, "failed", FAILED), row(3, "deployed"))
    world.upgrades(*rows, code=1, stderr=b"Error: x\n")
    world.failure()
    assert "rollback" not in " ".join(world.verbs())
    assert world.report.has_changed is True
    assert "revision 3 (deployed) is not ours" in world.report.everything


def test_a_success_that_another_run_followed(world: HelmWorld) -> None:
    """The release is not what this step was to make of it."""
    world.upgrades(row(1, "superseded"), row(2, "superseded"), row(3, "deployed"))
    error = world.failure()
    assert "another run changed it meanwhile: revision 3 is not ours" in error.message
    assert world.report.has_changed is True


def test_a_signal_while_another_run_is_at_work(world: HelmWorld) -> None:
    """What is pending is theirs: they end it."""
    world.label = THEIRS
    pending = row(2, "pending-upgrade", "Preparing upgrade")
    world.upgrades(row(1, "deployed"), pending, code=1, stopped=StopReason.SIGNAL, signum=15)
    assert world.step().exit is not None
    assert world.tool.called("helm rollback") == []


def test_whose_it_is_cannot_be_asked(world: HelmWorld) -> None:
    """Then it may be anybody's: nothing is touched, and nobody knows what was changed."""
    world.upgrades(row(1, "deployed"), row(2, "failed", FAILED), code=1, stderr=b"Error: x\n")
    refused = b"The connection to the server 127.0.0.1:1 was refused\n"
    world.tool.on("kubectl get secrets,configmaps", Answer(code=1, stderr=refused))
    world.failure()
    assert "rollback" not in " ".join(world.verbs())
    assert "nobody knows what became of release 'web'" in world.report.everything
    assert world.report.has_changed is None
