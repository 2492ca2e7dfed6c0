"""Action ``watch``: whoever began it, what it came to."""

from __future__ import annotations

import pytest

from calamari_py.errors import Cancelled, StackFailed
from tests.fake_cloudformation import Fault
from tests.steps.cloudformation.sets.world import EAST, NAME, ONE, THREE, TWO, SetWorld, group


@pytest.fixture
def world() -> SetWorld:
    """Nothing is there."""
    return SetWorld()


def _left(world: SetWorld) -> None:
    """A run that was ended while an operation is at work."""

    def kill() -> None:
        raise Cancelled(9)

    world.there()
    world.aws.clock.at(12, kill)
    assert isinstance(world.fail(), Cancelled)


def test_a_run_that_was_killed_is_taken_up(world: SetWorld) -> None:
    """The operation that still runs is followed to its end, with every result."""
    _left(world)
    outcome = world.run(action="watch")
    assert (outcome.code, outcome.changed) == (0, None)
    assert len(world.report.events) == 2
    assert world.aws.changing() == []
    assert f"Instances.{TWO}.{EAST}" in world.report.outputs
    assert "following the creation 'calamari-payments-dev-" in world.report.text


def test_its_failure_is_the_step_s(world: SetWorld) -> None:
    """The outcome is that of the operation."""
    world.aws.fails[TWO, EAST] = "no"
    _left(world)
    error = world.fail(action="watch")
    assert isinstance(error, StackFailed)
    assert f"account {TWO}" in error.message


def test_the_last_of_many(world: SetWorld) -> None:
    """One that is over counts like one that runs: the newest is meant."""
    world.there((ONE, EAST), (TWO, EAST))
    world.aws.begin(NAME, token="first", seconds=1)
    world.aws.clock.advance(10)
    world.aws.begin(NAME, token="second", seconds=1)
    world.aws.clock.advance(10)
    world.aws.sets[NAME].operations.reverse()
    world.run(action="watch")
    assert "'second'" in world.report.text


def test_what_is_left_to_do_is_said(world: SetWorld) -> None:
    """The operation has succeeded; the manifest wants more than it was."""
    world.there((ONE, EAST))
    world.aws.begin(NAME, seconds=5)
    assert world.run(action="watch", instances=(group(ONE, THREE),)).code == 0
    (warning,) = world.report.said("warning")
    assert f"lacks instances that the manifest names: {THREE} {EAST}" in warning
    assert "--action deploy" in world.report.hints[0]


def test_no_set(world: SetWorld) -> None:
    """There is nothing to watch."""
    error = world.fail(action="watch")
    assert isinstance(error, StackFailed)
    assert f"there is no stack set '{NAME}' in us-east-1" in error.message


def test_no_operation(world: SetWorld) -> None:
    """A set that was only made."""
    world.there()
    assert world.run(action="watch", instances=()).code == 0
    assert "no operation ever ran" in world.report.text


def test_a_rehearsal_only_looks(world: SetWorld) -> None:
    """It does not wait."""
    world.there()
    world.aws.begin(NAME, seconds=500)
    assert world.run(action="watch", dry_run=True).code == 0
    assert world.aws.clock.monotonic() == 0
    assert "is RUNNING: only looked" in world.report.text


def test_a_set_that_is_gone_at_the_end(world: SetWorld) -> None:
    """A deletion was followed: that the set is not there any longer is its success."""
    world.there()
    world.aws.begin(NAME, action="DELETE", seconds=8)
    gone = Fault(operation="DescribeStackSet", error="StackSetNotFoundException", after=1)
    world.aws.faults.append(gone)
    assert world.run(action="watch").code == 0
    assert world.report.last_words == f"{NAME}: deleted"


def test_a_deletion_leaves_nothing_to_do(world: SetWorld) -> None:
    """Nobody is told to add what was just taken out."""
    world.there()
    world.aws.begin(NAME, action="DELETE", seconds=8)
    world.run(action="watch")
    assert world.report.said("warning") == []
