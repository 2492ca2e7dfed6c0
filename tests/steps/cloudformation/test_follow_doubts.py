"""Following an operation where AWS's answers are late, contradict each other, or do not come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from calamari_py.errors import (
    CalamariError,
    CloudError,
    Indeterminate,
    StackFailed,
    Temporary,
    TimedOut,
)
from calamari_py.steps.cloudformation.following.follow import LAG
from tests.steps.cloudformation.story import STACK, Story, refused, throttled
from tests.steps.cloudformation.told import START, TOKEN, arn_of, resource, stack
from tests.steps.cloudformation.world import NAME, ONE, TWO, StackWorld

OLD = replace(STACK, updated=START - timedelta(hours=1), outputs={"A": "old"})
NEW = replace(STACK, updated=START + timedelta(seconds=1), outputs={"A": "new"})


@pytest.fixture
def story() -> Story:
    return Story()


def _begins(story: Story) -> None:
    story.at(1, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=1))


# ---- DescribeStacks is late


@pytest.mark.parametrize("action", ["deploy", "watch"])
@pytest.mark.parametrize("fails", [None, "boom"])
@pytest.mark.parametrize("before", ["UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
@pytest.mark.parametrize("lag", [30, 100, 200])
def test_the_stack_as_it_was_before_is_no_outcome(
    lag: float, before: str, fails: str | None, action: str
) -> None:
    """A quiet operation, and DescribeStacks minutes late: only what is true is told, and the
    outputs are those of now."""
    world = StackWorld()
    world.has(ONE, status=before)
    world.clock.advance(3000)
    world.aws.status_lag = lag
    world.aws.script("Queue", seconds=400, fail=fails)
    if action == "watch":
        world.aws.start_update(NAME, TWO)
        world.clock.advance(5)
    if fails:
        assert isinstance(world.fail(template=TWO, action=action), StackFailed)
    else:
        assert world.run(template=TWO, action=action).code == 0
        assert "Outputs.QueueRef" in world.report.outputs
        assert world.status() == "UPDATE_COMPLETE"


@pytest.mark.parametrize("before", [OLD, replace(OLD, status="UPDATE_IN_PROGRESS")])
def test_the_same_status_with_the_same_time_is_never_certain(story: Story, before: object) -> None:
    """Though the operation was seen to begin; and what is older than before is no better."""
    story.stack = OLD if before is OLD else replace(OLD, updated=START - timedelta(hours=2))
    story.at(1, None, stack("UPDATE_IN_PROGRESS", at=1))
    with pytest.raises(Indeterminate, match="nobody can tell"):
        story.follow(before=before)


def test_an_end_without_its_event_is_believed_when_the_stack_has_changed(story: Story) -> None:
    """The status is the same, the time of the update is not."""
    story.stack = OLD
    story.at(1, None, stack("UPDATE_IN_PROGRESS", at=1))
    story.clock.at(10, lambda: setattr(story, "stack", NEW))
    assert story.follow(before=OLD).stack.outputs == {"A": "new"}


def test_outputs_of_before_are_not_those_of_the_update(story: Story) -> None:
    """The last event has come, and the status happens to be the same."""
    story.stack = OLD
    story.at(1, None, stack("UPDATE_IN_PROGRESS", at=1), stack("UPDATE_COMPLETE", at=8))
    story.clock.at(150, lambda: setattr(story, "stack", NEW))
    assert story.follow(before=OLD).stack.outputs == {"A": "new"}


def test_whoever_knows_no_times_of_updates_is_believed(story: Story) -> None:
    """An emulator: event and status agree."""
    before = replace(STACK, updated=None)
    story.stack = before
    story.at(1, None, stack("UPDATE_IN_PROGRESS", at=1), stack("UPDATE_COMPLETE", at=8))
    assert story.follow(before=before).stack.status == "UPDATE_COMPLETE"


def test_time_that_ends_while_cleaning_up_ends_as_the_event_says(story: Story) -> None:
    """DescribeStacks is behind: what it shows is neither the outcome nor the outputs."""
    story.timeout = 60.0
    _begins(story)
    story.at(5, None, stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", at=5))
    finished = story.follow()
    assert finished.stack.status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    assert finished.stack.outputs == {}
    assert "its outputs are not known" in story.report.everything


# ---- somebody else came after it


def test_outputs_of_a_later_update_are_not_published(story: Story) -> None:
    """The stack was updated after the end of this operation."""
    story.stack = replace(NEW, updated=START + timedelta(seconds=9))
    story.at(1, None, stack("UPDATE_IN_PROGRESS", at=1), stack("UPDATE_COMPLETE", at=8))
    finished = story.follow()
    assert (finished.superseded, finished.stack.outputs) == (True, {})
    assert "left out" in story.report.everything


def test_outputs_are_ours_as_long_as_nobody_has_updated_the_stack(story: Story) -> None:
    """A deletion that has begun since changes none of them."""
    story.stack = replace(NEW, status="DELETE_IN_PROGRESS")
    story.at(
        1, None,
        stack("UPDATE_IN_PROGRESS", at=1), stack("UPDATE_COMPLETE", at=8),
        stack("DELETE_IN_PROGRESS", at=9, token="theirs"),
    )  # fmt: skip
    finished = story.follow()
    assert finished.stack.status == "UPDATE_COMPLETE"
    assert (finished.superseded, finished.stack.outputs) == (True, {"A": "new"})


# ---- events are late


@pytest.mark.parametrize("late", [20, 50, None])
def test_a_cause_that_is_only_named_is_waited_for(story: Story, late: int | None) -> None:
    """The stack says which resource failed; the event that says why comes later, or never."""
    _begins(story)
    said = "The following resource(s) failed to update: [A]. "
    story.at(
        10, "UPDATE_ROLLBACK_COMPLETE",
        stack("UPDATE_ROLLBACK_IN_PROGRESS", said, at=10), stack("UPDATE_ROLLBACK_COMPLETE", at=12),
    )  # fmt: skip
    if late is not None:
        story.at(10 + late, None, resource("A", "UPDATE_FAILED", "the cause", at=9))
    finished = story.follow()
    assert ("the cause" in {event.reason for event in finished.events}) is (late is not None)
    assert story.clock.monotonic() < 10 + LAG + 15


# ---- what is told meanwhile


@pytest.mark.parametrize(
    ("timeout", "patience", "error"),
    [(60.0, 600.0, TimedOut), (3600.0, 30.0, Indeterminate)],
    ids=["time is over", "contact is lost"],
)
def test_the_last_status_is_told_whatever_ends_the_step(
    story: Story, timeout: float, patience: float, error: type[CalamariError]
) -> None:
    """The record and the closing line never have the status of before."""
    story.timeout, story.spec = timeout, {"patience": patience}
    _begins(story)
    story.at(20, None, stack("UPDATE_ROLLBACK_IN_PROGRESS", at=20))
    story.clock.at(40, lambda: story.failures.extend(throttled() for _ in range(99)))
    with pytest.raises(error):
        story.follow()
    assert story.report.facts["status"] == "UPDATE_ROLLBACK_IN_PROGRESS"
    assert story.report.last_words == "my-app: UPDATE_ROLLBACK_IN_PROGRESS"


def test_without_events_the_status_of_the_stack_is_told(story: Story) -> None:
    """Where nothing else is known."""
    story.timeout = 60.0
    story.denied.add("DescribeStackEvents")
    story.stack = OLD
    story.at(30, "UPDATE_IN_PROGRESS")
    with pytest.raises(TimedOut):
        story.follow(before=OLD)
    assert story.report.facts["status"] == "UPDATE_IN_PROGRESS"


def test_the_operation_can_be_watched_by_its_handle(story: Story) -> None:
    """The hint names exactly this one; the token is a fact."""
    story.timeout = 60.0
    _begins(story)
    with pytest.raises(TimedOut) as raised:
        story.follow()
    assert f"--action watch --resume '{arn_of()}#{TOKEN}'" in (raised.value.hint or "")
    assert story.report.facts["token"] == TOKEN


# ---- contact


@pytest.mark.parametrize("code", ["UnexpectedAnswer", "InvalidClientTokenId", "InternalFailure"])
def test_one_odd_refusal_is_not_the_end(story: Story, code: str) -> None:
    """A proxy's page, a replica that does not know the keys yet: the next try may do better."""
    _begins(story)
    story.clock.at(20, lambda: story.failures.append(refused(code)))
    story.at(90, "UPDATE_COMPLETE", stack("UPDATE_COMPLETE", at=90))
    assert story.follow().stack.status == "UPDATE_COMPLETE"


@pytest.mark.parametrize("code", ["AccessDenied", "ValidationError"])
def test_a_clear_refusal_is(story: Story, code: str) -> None:
    """Asking again would not help."""
    _begins(story)
    story.clock.at(20, lambda: story.failures.extend(refused(code) for _ in range(9)))
    with pytest.raises(Indeterminate):
        story.follow()
    assert story.clock.monotonic() < 60


def test_an_odd_refusal_that_stays_leaves_the_outcome_open(story: Story) -> None:
    """For as long as `patience`, like a lost network."""
    story.spec = {"patience": 60.0}
    _begins(story)
    story.clock.at(20, lambda: story.failures.extend(refused("Odd") for _ in range(999)))
    with pytest.raises(Indeterminate):
        story.follow()
    assert 75 <= story.clock.monotonic() < 95


def test_the_hint_of_lost_contact_does_not_say_to_run_the_step_again(story: Story) -> None:
    """The error of a single call says that it is safe to try again: not for a step that has
    begun."""
    story.spec = {"patience": 30.0}
    _begins(story)
    error = Temporary(
        "later", service="x", operation="X", code="Throttling", hint="run the step again"
    )
    story.clock.at(20, lambda: story.failures.extend([error] * 99))
    with pytest.raises(Indeterminate) as raised:
        story.follow()
    assert "run the step again" not in (raised.value.hint or "")
    assert isinstance(raised.value, CloudError)
