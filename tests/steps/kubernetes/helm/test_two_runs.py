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


ONE, TWO = row(1, "superseded"), row(2, "deployed")
BACK = row(3, "pending-rollback", "Rollback to 1")


@pytest.mark.parametrize(
    ("rows", "now"),
    [
        pytest.param((ONE, TWO, BACK), "revision 3 (pending-rollback)", id="at it"),
        pytest.param((ONE, row(2, "failed", FAILED)), "revision 2 (failed)", id="the same number"),
        pytest.param((row(2, "uninstalled"),), "revision 2 (uninstalled)", id="uninstalled"),
    ],
)
def test_a_rollback_planned_from_what_is_not_there(
    world: HelmWorld, rows: tuple[object, ...], now: str
) -> None:
    """Helm would begin it beside another operation: it is not asked to."""
    world.has(ONE, TWO, then=rows)
    error = world.failure(action="rollback")
    assert "another run changed release 'web' meanwhile" in error.message
    assert now in error.message
    assert world.verbs() == []
    assert world.report.has_changed is False


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param((row(3, "deployed", "Rollback to 1"), {**BACK, "revision": 4}),
                     id="another is at it"),
        pytest.param((row(3, "deployed", "Rollback to 1"), row(4, "superseded", "Rollback to 1")),
                     id="another ended last"),
        pytest.param((row(3, "superseded", "Rollback to 1"),), id="not deployed"),
        pytest.param((row(3, "deployed"),), id="an upgrade"),
        pytest.param((row(3, "deployed", "Rollback to 12"),), id="to another place"),
    ],
)  # fmt: skip
def test_two_rollbacks_at_once(world: HelmWorld, rows: tuple[object, ...]) -> None:
    """Helm ends both well: none is told to be what the release is now."""
    world.has(ONE, TWO)
    world.rolls_back(ONE, row(2, "superseded"), *rows)
    error = world.failure(action="rollback")
    assert "another run changed release 'web' meanwhile: it was rolled back" in error.message
    assert "release" not in world.report.facts
    assert world.report.has_changed is True


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param((row(3, "failed", 'Rollback "web" failed: x'), {**BACK, "revision": 4}),
                     id="ours failed"),
        pytest.param((BACK, {**BACK, "revision": 4}), id="both are pending"),
        pytest.param(({**BACK, "revision": 4},), id="one between is gone"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "end", [{"code": 1, "stderr": b"Error: x\n"}, {"stopped": StopReason.SIGNAL, "signum": 15}],
    ids=["fails", "is ended"],
)  # fmt: skip
def test_a_rollback_beside_another_leaves_it_alone(
    world: HelmWorld, rows: tuple[object, ...], end: dict[str, object]
) -> None:
    """Whose the pending one is nobody can say: it may be alive."""
    world.has(ONE, TWO)
    world.rolls_back(ONE, TWO, *rows, **{"code": 1, **end})
    if "stopped" in end:
        world.step(action="rollback")
    else:
        world.failure(action="rollback")
    assert world.verbs() == ["rollback web 1"]
    told = "another run is at work on release 'web': revision 4 (pending-rollback) may be theirs"
    assert told in world.report.everything
    assert world.report.has_changed is None


def test_a_rollback_whose_revision_another_run_made(world: HelmWorld) -> None:
    """Helm has changed nothing then, and the pending one is theirs."""
    world.has(ONE, TWO)
    world.rolls_back(ONE, TWO, BACK, code=1, stderr=b"Error: release: already exists\n")
    assert "already exists" in world.failure(action="rollback").message
    assert world.verbs() == ["rollback web 1"]
    assert world.report.has_changed is False


def test_a_way_back_that_another_run_followed(world: HelmWorld) -> None:
    """A failed upgrade goes back; what is another run's is not told as that."""
    world.upgrades(row(1, "deployed"), row(2, "failed", FAILED), code=1, stderr=b"Error: x\n")
    after = row(3, "superseded", "Rollback to 1"), row(4, "deployed")
    world.rolls_back(row(2, "failed", FAILED), *after)
    world.failure()
    assert "revision 4 (deployed) may be theirs" in world.report.everything
    assert "again" not in world.report.everything


@pytest.mark.parametrize("action", ["upgrade", "rollback"])
def test_a_signal_while_another_run_goes_back_too(world: HelmWorld, action: str) -> None:
    """What two runs began is taken back by neither."""
    dead = row(2, "pending-upgrade", "Preparing upgrade", updated=world.seconds_ago(999))
    world.has(row(1, "deployed"), dead)
    both = BACK, {**BACK, "revision": 4}
    world.rolls_back(row(1, "deployed"), dead, *both, code=1, stopped=StopReason.SIGNAL, signum=15)
    world.step(action=action)
    assert len(world.tool.called("helm rollback")) == 1
