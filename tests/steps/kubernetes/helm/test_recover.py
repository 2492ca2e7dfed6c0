"""A release that somebody died over."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.process.base import StopReason
from calamari_py.process.proc import entry_of
from calamari_py.steps.kubernetes.helm.holder import ourselves
from tests.steps.kubernetes.fakes import Answer, Call
from tests.steps.kubernetes.helm.room import HelmWorld, row

PENDING = "Preparing upgrade"


@pytest.fixture
def world(tmp_path: Path) -> HelmWorld:
    """Its revision 2 is pending, and seen again as the rollback's."""
    found = HelmWorld(tmp_path)
    found.upgrades(row(4, "deployed"))
    return found


def pending(world: HelmWorld, *, age: float, status: str = "pending-upgrade") -> None:
    """Revision 2 is pending since `age` seconds; a rollback makes it history."""
    one, two = row(1, "deployed"), row(2, status, PENDING, updated=world.seconds_ago(age))
    world.has(one, two)

    def back(_call: object) -> Answer:
        world.has(one, two, row(3, "deployed", "Rollback to 1"))
        return Answer()

    world.tool.on("helm rollback", back)


def held_by(world: HelmWorld, **changes: object) -> None:
    """The label of revision 2 names this run, but for `changes`."""
    parent = entry_of(os.getppid())
    assert parent is not None
    other = {"pid": parent.pid, "started": parent.started, **changes}
    holder = replace(ourselves(2, limit=600), **other)  # type: ignore[arg-type]
    world.label = holder.label


def slept(world: HelmWorld) -> float:
    """Seconds."""
    return sum(world.clock.slept)


@pytest.mark.parametrize(
    "status",
    [pytest.param(name, id=name) for name in ("pending-upgrade", "pending-rollback")],
)
def test_an_old_one_is_taken_back(world: HelmWorld, status: str) -> None:
    """To the last deployed revision, told before; then it is upgraded."""
    pending(world, age=301, status=status)
    assert world.step().changed is True
    assert world.verbs()[0] == "rollback web 1"
    assert slept(world) == 0
    assert world.report.facts["recovered"] == {
        "revision": 2, "status": status, "by": "rollback", "to": 1,
    }  # fmt: skip
    assert f"{status} (revision 2): it goes back to revision 1" in world.report.everything


def test_a_young_one_is_waited_for(world: HelmWorld) -> None:
    """Somebody may be at work on it: until it is as old as ``recover_after``."""
    pending(world, age=100)
    world.step()
    assert 199 <= slept(world) <= 201
    assert "it is waited for" in world.report.everything


def test_somebody_ends_what_he_is_at(world: HelmWorld) -> None:
    """Nothing is taken back, and the release is upgraded from there."""
    young = row(2, "pending-upgrade", PENDING, updated=world.seconds_ago(1))
    done = (row(1, "superseded"), row(2, "deployed"))
    world.has(row(1, "deployed"), young, then=done)
    world.step()
    assert "rollback" not in " ".join(world.verbs())


def test_a_dead_run_of_ours(world: HelmWorld) -> None:
    """What is known to be dead is not waited for."""
    pending(world, age=1)
    held_by(world, started=1, token="0000000000")
    world.step()
    assert slept(world) == 0
    assert world.verbs()[0] == "rollback web 1"


def test_a_run_of_ours_that_is_alive(world: HelmWorld) -> None:
    """It is never taken back, however old it is."""
    pending(world, age=10_000)
    held_by(world)
    error = world.failure()
    assert isinstance(error, ToolFailed)
    assert "another run works on release 'web'" in error.message
    assert world.verbs() == []


def test_a_run_of_ours_elsewhere(world: HelmWorld) -> None:
    """It is given the time that its own operation may take."""
    pending(world, age=400)
    held_by(world, place="0123456789ab")
    world.step()
    assert 259 <= slept(world) <= 261


def test_a_first_install_is_removed(world: HelmWorld) -> None:
    """Nothing was ever deployed: what is there of it is uninstalled, and installed anew."""
    first = row(1, "pending-install", "Initial install underway", updated=world.seconds_ago(999))
    world.has(first)

    def gone(_call: object) -> Answer:
        world.has_none()
        return Answer()

    world.tool.on("helm uninstall", gone)
    world.step()
    assert world.verbs()[0] == "uninstall web"


def test_a_rehearsal_takes_nothing_back(world: HelmWorld) -> None:
    """It says what a run would do."""
    pending(world, age=999)
    error = world.failure(dry_run=True)
    assert "helm rollback web 1" in error.hint
    assert world.verbs() == []


def test_a_clock_that_is_ahead(world: HelmWorld) -> None:
    """What is said to begin in the future begins now."""
    pending(world, age=-3600)
    world.step()
    assert 299 <= slept(world) <= 301


def test_an_earlier_attempt_of_this_run(world: HelmWorld) -> None:
    """Its helm was killed, and the attempt that follows waits for nobody."""
    pending(world, age=1)
    world.label = ourselves(2, limit=600).label
    world.step()
    assert slept(world) == 0
    assert world.verbs()[0] == "rollback web 1"


def test_a_signal_while_it_is_taken_back(world: HelmWorld) -> None:
    """Helm has no time to write that down: it is taken back once more."""
    pending(world, age=999)

    def cut_off(call: Call) -> Answer:
        again = row(3, "pending-rollback", "Rollback to 1")
        if call.last_words is None:
            world.has(row(1, "deployed"), row(2, "pending-upgrade", PENDING), again)
            return Answer(code=1, stopped=StopReason.SIGNAL, signum=15)
        return Answer()

    world.tool.on("helm rollback", cut_off)
    outcome = world.step()
    assert outcome.exit is not None
    first, second = world.tool.called("helm rollback")
    assert first.command.outlives_us
    assert second.argv[-2:] == ("web", "1")


@pytest.mark.parametrize("keeps", [pytest.param(True, id="kept"), pytest.param(False, id="gone")])
def test_an_uninstall_is_finished_as_it_was_begun(world: HelmWorld, keeps: bool) -> None:
    """With the history, where the step says so."""
    world.has(row(1, "uninstalling", "Deletion in progress", updated=world.seconds_ago(999)))

    def gone(_call: object) -> Answer:
        world.has_none()
        return Answer()

    world.tool.on("helm uninstall", gone)
    world.step(keep_history=keeps)
    (call,) = world.tool.called("helm uninstall")
    assert ("--keep-history" in call.argv) is keeps


def test_tests_of_a_pending_release(world: HelmWorld) -> None:
    """Nothing is to be compared there: it is said why it is refused."""
    pending(world, age=1)
    error = world.failure(action="test")
    assert "somebody is at work on it, or died over it" in error.message
