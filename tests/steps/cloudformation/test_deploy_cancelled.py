"""A deployment that is cancelled or out of time."""

from __future__ import annotations

import signal

import pytest

from calamari_py.errors import Cancelled, TimedOut
from tests.steps.cloudformation.world import (
    ONE,
    QUEUE,
    TWO,
    StackWorld,
    template_text,
)


@pytest.fixture
def world() -> StackWorld:
    return StackWorld()


def _cancel() -> None:
    raise Cancelled(signal.SIGTERM)


# ---- cancelled


@pytest.mark.parametrize("when", ["CreateChangeSet", "DescribeChangeSet", "DescribeStackEvents"])
def test_a_cancel_before_execute_leaves_nothing(world: StackWorld, when: str) -> None:
    """Cancelled on the way: our change set and the empty stack are gone."""
    world.after_call(when, _cancel)
    assert isinstance(world.fail(template=TWO), Cancelled)
    assert "ExecuteChangeSet" not in world.called()
    world.clock.settle()
    assert world.status() is None


def test_a_cancel_leaves_cloudformation_at_work(world: StackWorld) -> None:
    """Unless the manifest says otherwise the update goes on, and that is said."""
    world.has()
    world.clock.at(12, _cancel)
    assert isinstance(world.fail(template=TWO), Cancelled)
    assert "CancelUpdateStack" not in world.called()
    assert any("CloudFormation goes on" in text for text in world.report.said("warning"))
    assert "--action watch" in world.report.everything
    world.clock.settle()
    assert world.status() == "UPDATE_COMPLETE"


def test_a_cancel_cancels_the_update_where_it_is_wanted(world: StackWorld) -> None:
    """`on_cancel: cancel-update`: CloudFormation rolls back."""
    world.has()
    world.clock.at(12, _cancel)
    assert isinstance(world.fail(template=TWO, cancel_update=True), Cancelled)
    assert world.called()[-1] == "CancelUpdateStack"
    world.clock.settle()
    assert world.status() == "UPDATE_ROLLBACK_COMPLETE"


def test_a_timeout_cancels_the_update_where_it_is_wanted(world: StackWorld) -> None:
    """A timeout is a cancel."""
    world.has()
    world.aws.script("Queue", seconds=500)
    world.timeout = 60
    assert isinstance(world.fail(template=TWO, cancel_update=True), TimedOut)
    assert world.called()[-1] == "CancelUpdateStack"


def test_a_creation_cannot_be_cancelled(world: StackWorld) -> None:
    """CancelUpdateStack is for updates: a creation goes on, and that is said."""
    world.clock.at(12, _cancel)
    assert isinstance(world.fail(cancel_update=True), Cancelled)
    assert "CancelUpdateStack" not in world.called()
    assert any("CloudFormation goes on" in text for text in world.report.said("warning"))


def test_a_rollback_is_not_cancelled(world: StackWorld) -> None:
    """An update that is going back already has nothing to be cancelled."""
    world.has(template_text(Queue=QUEUE))
    other = {**QUEUE, "Properties": {"QueueName": "jobs", "DelaySeconds": 5}}
    world.aws.script("Queue", fail="no", seconds=30)
    world.clock.at(50, _cancel)
    error = world.fail(template=template_text(Queue=other), cancel_update=True)
    assert isinstance(error, Cancelled)
    assert world.status() == "UPDATE_ROLLBACK_IN_PROGRESS"
    assert "CancelUpdateStack" not in world.called()


def test_a_cancel_while_execute_is_sent(world: StackWorld) -> None:
    """It may have begun: the stack is asked, and what runs is not hidden."""
    world.has()
    world.after_call("ExecuteChangeSet", _cancel)
    assert isinstance(world.fail(template=TWO), Cancelled)
    assert any("CloudFormation goes on" in text for text in world.report.said("warning"))


def test_a_timeout_says_how_to_watch(world: StackWorld) -> None:
    """124, with the command that goes on."""
    world.has()
    world.aws.script("Queue", seconds=500)
    world.timeout = 60
    error = world.fail(template=TWO)
    assert isinstance(error, TimedOut)
    assert "--action watch" in f"{error.message} {error.hint}"


def test_out_of_time_while_old_resources_are_removed(world: StackWorld) -> None:
    """The update has succeeded by then: so has the step, with a warning."""
    world.has(TWO)
    world.aws.script("Queue", seconds=500)
    world.timeout = 60
    assert world.run(template=ONE).changed
    assert world.report.facts["status"] == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    assert world.report.said("warning")
