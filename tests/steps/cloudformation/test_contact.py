"""How often AWS is asked, and for how long a call may go on."""

from __future__ import annotations

import pytest

from calamari_py.steps.cloudformation.following.contact import Contact
from calamari_py.steps.cloudformation.following.operation import known_events
from calamari_py.steps.cloudformation.following.polling import rest
from calamari_py.steps.cloudformation.work import BoundedCalls, Deadline, Work
from tests.fake_cloudformation import FakeCloudFormation, JumpingClock
from tests.steps.cloudformation.story import Story, throttled
from tests.steps.cloudformation.told import arn_of, resource
from tests.steps.cloudformation.world import ONE, TWO, StackWorld


def _work(jitter: float, **spec: float) -> Work:
    return Story(clock=JumpingClock(jitter=jitter), spec=spec).work()


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 4.0), (0.5, 5.0), (1.0, 6.0)])
def test_runs_that_begin_together_do_not_ask_together(jitter: float, seconds: float) -> None:
    """The time between two polls is spread."""
    work = _work(jitter)
    Contact(work, None).pause()
    assert work.clock.monotonic() == pytest.approx(seconds)


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 8.0), (1.0, 12.0)])
def test_nor_do_they_after_a_failure(jitter: float, seconds: float) -> None:
    """Whoever was throttled together would be throttled again."""
    work = _work(jitter)
    contact = Contact(work, None)
    contact.failed(throttled())
    contact.pause()
    assert work.clock.monotonic() == pytest.approx(seconds)


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 6.0), (0.5, 8.0), (1.0, 10.0)])
def test_waits_before_anything_has_begun_are_spread_too(jitter: float, seconds: float) -> None:
    """The same for `rest`."""
    work = _work(jitter)
    rest(work, 8.0)
    assert work.clock.monotonic() == pytest.approx(seconds)


def test_known_events_are_asked_for_again() -> None:
    """One throttled look before anything has begun does not end the step."""
    story = Story()
    story.add(resource("A", "CREATE_COMPLETE", id="e1"))
    story.failures.append(throttled())
    assert known_events(story.work(), arn_of()) == {"e1"}


@pytest.mark.parametrize(
    ("left", "patience", "asked", "budget"),
    [
        pytest.param(None, 600.0, None, 30.0, id="as ever"),
        pytest.param(12.0, 600.0, None, 12.0, id="the time is nearly over"),
        pytest.param(600.0, 8.0, None, 8.0, id="little patience"),
        pytest.param(600.0, 600.0, 10.0, 10.0, id="less was asked for"),
        pytest.param(0.0, 600.0, None, 5.0, id="last words"),
        pytest.param(0.0, 600.0, 2.0, 2.0, id="short last words"),
    ],
)
def test_no_call_goes_on_for_longer_than_the_step_may(
    left: float | None, patience: float, asked: float | None, budget: float
) -> None:
    """The deadline, the patience and the caller: the shortest counts."""
    clock = JumpingClock()
    aws = FakeCloudFormation(clock)
    deadline = Deadline(clock=clock, at=left, limit=left)
    BoundedCalls(aws, deadline, patience).call("sts", "GetCallerIdentity", {}, budget=asked)
    assert aws.calls[-1].budget == budget


def test_every_call_of_a_step_is_bounded() -> None:
    """The limit of the step is the limit of each of its calls."""
    world = StackWorld(timeout=20.0)
    world.has(ONE)
    world.run(action="diff", template=TWO)
    budgets = [call.budget for call in world.aws.calls]
    assert all(budget is not None and budget <= 20 for budget in budgets)
