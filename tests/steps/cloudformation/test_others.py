"""Others at work on the stack."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calamari_py.errors import Temporary, TimedOut
from calamari_py.steps.cloudformation.following.others import wait_for_others
from tests.steps.cloudformation.story import STACK, WATCH, Story, throttled
from tests.steps.cloudformation.told import stack


@pytest.fixture
def story() -> Story:
    return Story()


def test_others_are_waited_for_and_named(story: Story) -> None:
    """Who, since when, said once; and the stack as they left it."""
    story.stack = replace(STACK, status="UPDATE_IN_PROGRESS")
    story.add(stack("UPDATE_IN_PROGRESS", at=0, token="Console-1"))
    story.clock.advance(200)
    story.at(260, "UPDATE_COMPLETE")
    assert wait_for_others(story.work(), story.stack).status == "UPDATE_COMPLETE"
    assert story.report.said("line") == [
        "stack 'my-app' is UPDATE_IN_PROGRESS: waiting for 'Console-1', at work since 09:30:00Z",
        "stack 'my-app' is UPDATE_COMPLETE: going on",
    ]


@pytest.mark.parametrize("denied", [{"DescribeStackEvents"}, set()])
def test_others_may_be_unknown(story: Story, denied: set[str]) -> None:
    """Events that may not be read, or that are not there, are no reason not to wait."""
    story.denied = denied
    story.stack = replace(STACK, status="DELETE_IN_PROGRESS")
    story.clock.at(60, lambda: setattr(story, "stack", None))
    assert wait_for_others(story.work(), story.stack).status == "DELETE_COMPLETE"
    assert "somebody unknown" in story.report.everything


def test_waiting_for_others_ends_with_the_steps_time(story: Story) -> None:
    """And the message names them."""
    story.timeout = 300.0
    story.stack = replace(STACK, status="UPDATE_IN_PROGRESS")
    story.add(stack("UPDATE_IN_PROGRESS", token="Console-1"))
    with pytest.raises(TimedOut, match=r"'Console-1', at work since 09:30:00Z \(5m00s\)") as raised:
        wait_for_others(story.work(), story.stack)
    assert "'my-app'" in raised.value.message
    assert story.clock.monotonic() == 300
    assert raised.value.hint is not None
    assert WATCH in raised.value.hint


def test_contact_lost_while_waiting_for_others_leaves_nothing_open(story: Story) -> None:
    """Nothing of this run goes on: it is safe to try again."""
    story.stack = replace(STACK, status="UPDATE_IN_PROGRESS")
    story.clock.at(1, lambda: story.failures.extend(throttled() for _ in range(999)))
    with pytest.raises(Temporary):
        wait_for_others(story.work(), story.stack)
    assert story.clock.monotonic() == pytest.approx(600, abs=20)


def test_whoever_is_done_is_not_named(story: Story) -> None:
    """The events of those at work are late: the last ones tell of an operation that has ended."""
    story.stack = replace(STACK, status="UPDATE_IN_PROGRESS")
    story.add(stack("UPDATE_IN_PROGRESS", token="old"), stack("UPDATE_COMPLETE", token="old"))
    story.at(30, "UPDATE_COMPLETE")
    wait_for_others(story.work(), story.stack)
    assert "'old'" not in story.report.everything
    assert "somebody unknown" in story.report.everything


def test_every_status_of_others_is_told(story: Story) -> None:
    """Whatever ends the step then, the record has the last one."""
    story.timeout = 100.0
    story.stack = replace(STACK, status="UPDATE_IN_PROGRESS")
    story.at(30, "UPDATE_ROLLBACK_IN_PROGRESS")
    with pytest.raises(TimedOut):
        wait_for_others(story.work(), story.stack)
    assert story.report.facts["status"] == "UPDATE_ROLLBACK_IN_PROGRESS"
    assert story.report.last_words == "my-app: UPDATE_ROLLBACK_IN_PROGRESS"
