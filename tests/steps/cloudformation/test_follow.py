"""Following an operation to its truth."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from calamari_py.errors import (
    CalamariError,
    Cancelled,
    CloudError,
    Indeterminate,
    RoleNotAssumable,
    TimedOut,
)
from calamari_py.identity import elapsed_text
from calamari_py.steps.cloudformation.following.follow import (
    LAG,
    Finished,
    Verb,
    follow,
    known_events,
    latest_operation,
)
from calamari_py.steps.cloudformation.following.progress import Progress
from calamari_py.steps.cloudformation.values import StackEvent
from tests.fake_cloudformation import (
    DATABASE,
    Fault,
    big_stack,
    nested,
)
from tests.fake_cloudformation.samples import text
from tests.steps.cloudformation.story import STACK, WATCH, Story, refused, throttled
from tests.steps.cloudformation.told import (
    START,
    TOKEN,
    arn_of,
    below,
    resource,
    stack,
)
from tests.steps.cloudformation.world import NAME, ONE, TWO, StackWorld


@pytest.fixture
def story() -> Story:
    return Story()


def _ids(finished: Finished) -> list[str]:
    return [f"{event.shown_id} {event.status}" for event in finished.events]


# ---- when it is over


def test_it_is_over_when_event_and_stack_say_so(story: Story) -> None:
    """The plain case: an update, and what it did in order."""
    story.at(1, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=1))
    story.at(20, None, resource("A", "UPDATE_COMPLETE", at=20))
    story.at(30, "UPDATE_COMPLETE", stack("UPDATE_COMPLETE", at=30))
    finished = story.follow()
    assert finished.stack.status == "UPDATE_COMPLETE"
    assert _ids(finished) == [
        "my-app UPDATE_IN_PROGRESS", "A UPDATE_COMPLETE", "my-app UPDATE_COMPLETE",
    ]  # fmt: skip
    assert story.report.said("warning") == []


def test_the_status_of_the_operation_before_is_no_end(story: Story) -> None:
    """Right after the start the stack still looks finished: that is not this operation's end."""
    story.at(40, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=40))
    story.at(90, "UPDATE_ROLLBACK_COMPLETE", stack("UPDATE_ROLLBACK_COMPLETE", at=90))
    assert story.follow().stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert story.clock.monotonic() >= 90


def test_a_failed_nested_stack_is_no_end(story: Story) -> None:
    """The parent has yet to go back."""
    story.at(
        1,
        "UPDATE_IN_PROGRESS",
        stack("UPDATE_IN_PROGRESS", at=1),
        below("Data", "UPDATE_IN_PROGRESS", at=2),
    )
    story.at(
        10,
        None,
        stack("UPDATE_ROLLBACK_COMPLETE", path=("Data",), at=10),
        below("Data", "UPDATE_FAILED", at=11),
    )
    story.at(50, "UPDATE_ROLLBACK_COMPLETE", stack("UPDATE_ROLLBACK_COMPLETE", at=50))
    assert story.follow().stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert story.clock.monotonic() >= 50


def test_events_that_are_late_are_waited_for(story: Story) -> None:
    """The stack has ended; its last events, the cause among them, come half a minute later."""
    story.at(1, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=1))
    story.at(10, "UPDATE_ROLLBACK_COMPLETE")
    story.at(
        40,
        None,
        resource("A", "UPDATE_FAILED", "why", at=5),
        stack("UPDATE_ROLLBACK_COMPLETE", at=10),
    )
    assert "A UPDATE_FAILED" in _ids(story.follow())


def test_late_events_of_a_nested_stack_are_waited_for(story: Story) -> None:
    """As long as the last look brings something new there is another one."""
    story.at(
        1,
        "UPDATE_IN_PROGRESS",
        stack("UPDATE_IN_PROGRESS", at=1),
        below("Data", "UPDATE_FAILED", at=2),
    )
    story.at(
        10,
        "UPDATE_ROLLBACK_COMPLETE",
        resource("Data/A", "UPDATE_FAILED", at=2),
        stack("UPDATE_ROLLBACK_COMPLETE", at=10),
    )
    story.at(14, None, resource("Data/B", "UPDATE_FAILED", at=3))
    assert {"Data/A UPDATE_FAILED", "Data/B UPDATE_FAILED"} <= set(_ids(story.follow()))


def test_a_stack_that_is_late_is_waited_for(story: Story) -> None:
    """The event tells of the end; DescribeStacks still shows what was before, and no outputs."""
    story.at(1, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=1))
    story.at(10, None, stack("UPDATE_COMPLETE", at=10))
    story.at(30, "UPDATE_COMPLETE")
    assert story.follow().stack.status == "UPDATE_COMPLETE"
    assert story.clock.monotonic() >= 30


def test_a_last_event_that_never_comes_is_not_waited_for_for_ever(story: Story) -> None:
    """What runs was seen to run, so its status is its own."""
    story.at(1, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=1))
    story.at(10, "UPDATE_COMPLETE")
    assert story.follow().stack.status == "UPDATE_COMPLETE"
    assert story.clock.monotonic() < 10 + LAG + 30
    assert "has not come" in story.report.everything


def test_a_stack_that_looks_finished_while_events_come_is_not(story: Story) -> None:
    """DescribeStacks is far behind, and the events are slow: every one of them is a new sign."""
    story.at(1, None, stack("UPDATE_IN_PROGRESS", at=1))
    for second in range(41, 201, 40):
        story.at(second, None, resource(f"T{second}", "UPDATE_COMPLETE", at=second))
    story.at(230, "UPDATE_ROLLBACK_COMPLETE", stack("UPDATE_ROLLBACK_COMPLETE", at=230))
    assert story.follow().stack.status == "UPDATE_ROLLBACK_COMPLETE"


def test_the_stack_is_not_asked_while_its_events_tell_enough(story: Story) -> None:
    """Calls are scarce: whoever deploys a hundred stacks is throttled."""
    story.at(1, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=1))
    for second in range(2, 101):
        story.at(second, None, resource(f"T{second}", "UPDATE_COMPLETE", at=second))
    story.at(101, "UPDATE_COMPLETE", stack("UPDATE_COMPLETE", at=101))
    story.follow()
    assert story.finds <= 3


def test_an_operation_that_never_shows_is_in_doubt(story: Story) -> None:
    """No event, no other status: nobody may call that a success."""
    with pytest.raises(Indeterminate, match="nobody can tell") as raised:
        story.follow()
    assert raised.value.hint is not None
    assert WATCH in raised.value.hint


def test_a_contradiction_that_stays_is_in_doubt(story: Story) -> None:
    """The last event and the stack say different things for good."""
    story.at(
        1,
        "UPDATE_COMPLETE",
        stack("UPDATE_IN_PROGRESS", at=1),
        stack("UPDATE_ROLLBACK_COMPLETE", at=3),
    )
    with pytest.raises(
        Indeterminate, match="UPDATE_ROLLBACK_COMPLETE, and the stack is UPDATE_COM"
    ):
        story.follow()


def test_somebody_elses_next_operation_does_not_hide_how_this_one_ended(story: Story) -> None:
    """By the time the stack is asked it is at work again."""
    story.at(1, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=1))
    story.at(10, None, stack("UPDATE_ROLLBACK_COMPLETE", at=10))
    story.at(11, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=11, token="Console-1"))
    assert story.follow().stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert "another operation" in story.report.everything
    assert story.clock.monotonic() < 60


def test_a_new_stack_is_not_over_before_it_begins(story: Story) -> None:
    """REVIEW_IN_PROGRESS is neither in progress nor an end."""
    story.stack = replace(STACK, status="REVIEW_IN_PROGRESS")
    story.at(700, "CREATE_IN_PROGRESS", stack("CREATE_IN_PROGRESS", at=700))
    story.at(710, "CREATE_COMPLETE", stack("CREATE_COMPLETE", at=710))
    assert story.follow("create").stack.status == "CREATE_COMPLETE"


def test_a_deletion_ends_with_the_stack_gone(story: Story) -> None:
    """By ARN AWS shows a deleted stack; where it does not, it is deleted as well."""
    story.at(1, "DELETE_IN_PROGRESS", stack("DELETE_IN_PROGRESS", at=1))
    story.at(10, None, stack("DELETE_COMPLETE", at=10))
    story.clock.at(10, lambda: setattr(story, "stack", None))
    assert story.follow("delete").stack.status == "DELETE_COMPLETE"


def test_cleaning_up_is_still_in_progress(story: Story) -> None:
    """The outcome is decided, and the step waits for the rest as long as it may."""
    story.at(1, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=1))
    story.at(
        5, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", at=5)
    )
    story.at(
        300,
        "UPDATE_COMPLETE",
        resource("Old", "DELETE_FAILED", "in use", at=290),
        stack("UPDATE_COMPLETE", at=300),
    )
    assert story.follow().stack.status == "UPDATE_COMPLETE"
    assert "'Old' (AWS::SNS::Topic, physical-Old) is no longer needed" in story.report.everything


def test_time_that_ends_while_cleaning_up_changes_no_outcome(story: Story) -> None:
    """The update has succeeded: the step says what is still going on, and has succeeded, too."""
    story.timeout = 60.0
    story.at(1, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=1))
    story.at(
        5, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", at=5)
    )
    assert story.follow().stack.status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    assert "the outcome is decided" in story.report.everything
    assert WATCH in story.report.everything


def test_time_that_ends_says_that_cloudformation_goes_on(story: Story) -> None:
    """Nobody may think that the update has failed; and the step is not late."""
    story.timeout = 62.0
    story.at(1, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=1))
    with pytest.raises(
        TimedOut, match=r"update of stack 'my-app'.*CloudFormation goes on"
    ) as raised:
        story.follow()
    assert raised.value.hint is not None
    assert WATCH in raised.value.hint
    assert story.clock.monotonic() == 62


def test_time_that_ends_does_not_promise_what_will_be_cancelled(story: Story) -> None:
    """With on_cancel: cancel-update the update is stopped next."""
    story.timeout, story.spec = 60.0, {"cancel_update": True}
    story.at(1, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=1))
    with pytest.raises(TimedOut) as raised:
        story.follow()
    assert "goes on" not in raised.value.message


def test_a_signal_passes(story: Story) -> None:
    """What becomes of the operation is for the action to say."""

    def cancel() -> None:
        raise Cancelled(signal.SIGTERM)

    story.clock.at(20, cancel)
    with pytest.raises(Cancelled):
        story.follow()


# ---- contact


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(throttled, id="throttled"),
        pytest.param(lambda: refused("ExpiredToken"), id="expired"),
        pytest.param(lambda: RoleNotAssumable("no new credentials"), id="no renewal"),
    ],
)
def test_a_while_without_an_answer_is_survived(
    story: Story, error: Callable[[], CalamariError]
) -> None:
    """Throttling, a lost network and expired credentials pass; what happened meanwhile is told."""
    story.at(1, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=1))
    story.clock.at(6, lambda: story.failures.extend(error() for _ in range(6)))
    story.at(
        30,
        "UPDATE_COMPLETE",
        resource("A", "UPDATE_COMPLETE", at=20),
        stack("UPDATE_COMPLETE", at=30),
    )
    assert len(_ids(story.follow())) == 3
    assert len(story.report.said("warning")) == 1
    assert max(story.clock.slept) > 20
    assert max(story.clock.slept) <= 36


def test_contact_that_is_lost_for_good_leaves_the_outcome_open(story: Story) -> None:
    """After `patience` seconds without an answer: neither failed nor succeeded, and what next."""
    story.at(1, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=1))
    story.clock.at(100, lambda: story.failures.extend(throttled() for _ in range(999)))
    with pytest.raises(Indeterminate, match="contact with AWS is lost for 10m") as raised:
        story.follow()
    assert raised.value.code == "Throttling"
    assert raised.value.hint is not None
    assert WATCH in raised.value.hint
    assert story.clock.monotonic() == pytest.approx(700, abs=10)


def test_patience_begins_anew_with_every_answer(story: Story) -> None:
    """Throttling now and then, for hours, is no loss of contact."""
    story.spec, story.timeout = {"patience": 60.0}, None
    story.at(1, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=1))
    for second in range(50, 3000, 100):
        story.clock.at(second, lambda: story.failures.extend([throttled()] * 2))
    story.at(3000, "UPDATE_COMPLETE", stack("UPDATE_COMPLETE", at=3000))
    assert story.follow().stack.status == "UPDATE_COMPLETE"


def test_a_refusal_on_the_way_leaves_the_outcome_open(story: Story) -> None:
    """A role that was taken away is no failure of the stack, and asking again does not help."""
    story.at(1, "UPDATE_IN_PROGRESS", stack("UPDATE_IN_PROGRESS", at=1))
    story.clock.at(50, lambda: story.denied.update({"DescribeStackEvents", "DescribeStacks"}))
    with pytest.raises(
        Indeterminate, match="not allowed 'cloudformation:DescribeStacks'"
    ) as raised:
        story.follow()
    assert story.clock.monotonic() < 100
    assert raised.value.hint is not None
    assert "allow 'cloudformation:DescribeStacks'" in raised.value.hint


def test_without_events_the_status_decides_when_it_was_seen_to_change(story: Story) -> None:
    """Said once; the outcome is certain because the stack was seen at work."""
    story.denied.add("DescribeStackEvents")
    story.at(10, "UPDATE_IN_PROGRESS")
    story.at(90, "UPDATE_ROLLBACK_COMPLETE")
    finished = story.follow()
    assert (finished.stack.status, finished.events) == ("UPDATE_ROLLBACK_COMPLETE", ())
    assert len(story.report.said("warning")) == 1


@pytest.mark.parametrize(
    ("verb", "status"),
    [
        ("create", "CREATE_COMPLETE"), ("create", "ROLLBACK_COMPLETE"),
        ("delete", "DELETE_COMPLETE"),
    ],
)  # fmt: skip
def test_without_events_some_ends_speak_for_themselves(
    story: Story, verb: Verb, status: str
) -> None:
    """No operation before can have left a stack so."""
    story.denied.add("DescribeStackEvents")
    story.stack = replace(STACK, status=status)
    assert story.follow(verb).stack.status == status


@pytest.mark.parametrize(
    ("seconds", "is_certain"),
    [pytest.param(1, True, id="changed since"), pytest.param(0, False, id="as it was")],
)
def test_without_events_aws_says_when_the_stack_was_updated(
    story: Story, seconds: int, is_certain: bool
) -> None:
    """Both times are AWS's; the old update's time proves nothing."""
    story.denied.add("DescribeStackEvents")
    story.stack = replace(STACK, updated=START + timedelta(seconds=seconds))
    if is_certain:
        assert story.follow(began=START).stack.status == "UPDATE_COMPLETE"
    else:
        with pytest.raises(Indeterminate):
            story.follow(began=START)


# ---- progress


def test_progress_counts_what_has_ended(story: Story) -> None:
    """Of so many as are expected, nested ones included, since the operation began."""
    story.at(
        1,
        "UPDATE_IN_PROGRESS",
        stack("UPDATE_IN_PROGRESS", at=1),
        below("Data", "UPDATE_IN_PROGRESS", at=2),
    )
    story.at(
        61,
        None,
        resource("A", "CREATE_COMPLETE", at=60),
        resource("Data/B", "UPDATE_COMPLETE", at=60),
        resource("C", "CREATE_IN_PROGRESS", at=60),
    )
    story.at(131, "UPDATE_COMPLETE", stack("UPDATE_COMPLETE", at=131))
    story.follow(total=34)
    assert "2/34 resources, 1m04s" in story.report.said("progress")


def test_progress_knows_no_share_without_a_total() -> None:
    """A resource that goes on again has not ended."""
    progress = Progress(None)
    progress.count(resource("A", "CREATE_COMPLETE"))
    progress.count(resource("B", "CREATE_COMPLETE"))
    progress.count(resource("B", "DELETE_IN_PROGRESS"))
    assert progress.shown(130) == (None, "1 resource, 2m10s")


def test_progress_is_never_more_than_all() -> None:
    """A change set does not always know all resources."""
    progress = Progress(1)
    for name in "ABC":
        progress.count(resource(name, "CREATE_COMPLETE"))
    assert progress.shown(5) == (100.0, "3/3 resources, 5s")


def test_progress_begins_anew_on_the_way_back() -> None:
    """Nobody knows how many resources that takes."""
    progress = Progress(3)
    progress.count(resource("A", "CREATE_COMPLETE"))
    progress.count(stack("ROLLBACK_IN_PROGRESS"))
    progress.count(resource("A", "DELETE_COMPLETE"))
    assert progress.shown(65) == (None, "rolling back, 1 resource, 1m05s")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0s"), (0.9, "0s"), (59, "59s"), (60, "1m00s"), (130, "2m10s"), (3900, "1h05m")],
)
def test_time_is_said_shortly(seconds: float, text: str) -> None:
    """As people say it."""
    assert elapsed_text(seconds) == text


# ---- before an operation


def test_known_events_are_the_newest(story: Story) -> None:
    """One page is enough to find where the next operation begins."""
    story.page_size = 3
    story.add(*(resource(f"T{n}", "CREATE_COMPLETE", id=f"e{n}") for n in range(9)))
    assert known_events(story.work(), arn_of()) == {"e6", "e7", "e8"}
    assert story.pages == 1


def test_events_that_may_not_be_read_are_a_reason_not_to_begin(story: Story) -> None:
    """Better before anything is changed than after it."""
    story.denied.add("DescribeStackEvents")
    with pytest.raises(CloudError, match="DescribeStackEvents"):
        known_events(story.work(), arn_of())


# ---- the latest operation


@pytest.mark.parametrize(
    ("told", "verb", "began", "token"),
    [
        pytest.param(
            [stack("CREATE_IN_PROGRESS", at=1), stack("CREATE_COMPLETE", at=2)],
            "create", 1, TOKEN, id="long finished",
        ),
        pytest.param(
            [
                stack("CREATE_IN_PROGRESS", at=1), stack("CREATE_COMPLETE", at=2),
                stack("UPDATE_IN_PROGRESS", at=5, token="b"), resource("A", "UPDATE_FAILED", at=6),
                stack("UPDATE_ROLLBACK_IN_PROGRESS", at=7, token="b"),
            ],
            "update", 5, "b", id="going back",
        ),
        pytest.param(
            [
                stack("UPDATE_IN_PROGRESS", at=5), stack("UPDATE_ROLLBACK_IN_PROGRESS", at=6),
                stack("UPDATE_ROLLBACK_FAILED", at=7),
                stack("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated", at=9, token="c"),
                stack("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", at=10, token="c"),
                stack("UPDATE_ROLLBACK_COMPLETE", at=11, token="c"),
            ],
            "rollback", 9, "c", id="a rollback that was continued",
        ),
        pytest.param(
            [
                stack("UPDATE_COMPLETE", at=2), stack("UPDATE_ROLLBACK_IN_PROGRESS", at=6),
                stack("UPDATE_ROLLBACK_COMPLETE", at=7),
            ],
            "update", 6, TOKEN, id="going back, and its first event is late",
        ),
        pytest.param(
            [stack("ROLLBACK_COMPLETE", at=7)],
            "create", 7, TOKEN, id="a creation of which only the end is told",
        ),
        pytest.param(
            [stack("CREATE_COMPLETE", at=2), stack("DELETE_IN_PROGRESS", at=3, token=None)],
            "delete", 3, None, id="being deleted, without a token",
        ),
        pytest.param(
            [stack("REVIEW_IN_PROGRESS", at=0), stack("CREATE_IN_PROGRESS", at=4)],
            "create", 4, TOKEN, id="from a change set",
        ),
        pytest.param(
            [stack("CREATE_COMPLETE", at=2), stack("IMPORT_IN_PROGRESS", at=3)],
            "import", 3, TOKEN, id="import",
        ),
        pytest.param(
            [stack("CREATE_COMPLETE", at=2), stack("UPDATE_COMPLETE", at=3)],
            "update", 3, TOKEN, id="only ends are told",
        ),
    ],
)  # fmt: skip
def test_the_latest_operation_is_found_in_the_events(
    story: Story, told: list[StackEvent], verb: str, began: int, token: str | None
) -> None:
    """It lies between the last two ends of the stack."""
    story.page_size = 2
    story.add(*told)
    found = latest_operation(story.work(), STACK)
    assert found is not None
    assert (found.verb, found.token, found.known) == (verb, token, frozenset())
    assert found.began == START + timedelta(seconds=began)


@pytest.mark.parametrize("told", [[], [stack("REVIEW_IN_PROGRESS", token=None)]])
def test_there_may_have_been_no_operation_yet(story: Story, told: list[StackEvent]) -> None:
    """A stack that has change sets only was never worked on."""
    story.add(*told)
    assert latest_operation(story.work(), STACK) is None


@pytest.mark.parametrize("token", [TOKEN, None])
def test_an_operation_of_the_past_is_told_again_and_nothing_else(
    story: Story, token: str | None
) -> None:
    """Watching what is over comes to its truth at once, without its neighbours."""
    story.add(
        stack("CREATE_IN_PROGRESS", at=0, token=token),
        stack("CREATE_COMPLETE", at=1, token=token),
        stack("UPDATE_IN_PROGRESS", at=9, token=token),
        resource("A", "UPDATE_FAILED", at=10, token=token),
        stack("UPDATE_ROLLBACK_IN_PROGRESS", at=11, token=token),
        stack("UPDATE_ROLLBACK_COMPLETE", at=12, token=token),
    )
    story.stack = replace(STACK, status="UPDATE_ROLLBACK_COMPLETE")
    operation = latest_operation(story.work(), STACK)
    assert operation is not None
    finished = follow(story.work(), operation)
    assert len(finished.events) == 4
    assert story.clock.monotonic() < 20


# ---- against the fake CloudFormation


def test_600_resources_arrive_complete_in_order_and_once() -> None:
    """Also where events come half a minute late, in many pages, with throttling in between."""
    world = StackWorld()
    world.aws.event_lag = 30
    world.aws.page_size = 50
    world.aws.faults.append(Fault(operation="DescribeStackEvents", times=4, after=9))
    world.run(template=text(big_stack(600)))
    seen = [fields["event_id"] for name, fields in world.report.events if name == "stack_event"]
    told = [
        event.id for event in world.aws.stack(NAME).events if event.status != "REVIEW_IN_PROGRESS"
    ]
    assert seen == told
    assert len(seen) > 1200


def test_a_failure_three_nested_stacks_deep_is_followed() -> None:
    """The events of all four stacks, each with its place."""
    world = StackWorld()
    core = world.aws.upload("t/core.json", DATABASE)
    inner = world.aws.upload("t/inner.json", nested(core, "Core"))
    data = world.aws.upload("t/data.json", nested(inner, "Inner"))
    world.aws.script("Data/Inner/Core/Database", seconds=60, fail="not a valid password")
    error = world.fail(template=text(nested(data, "Data")))
    assert isinstance(error, CloudError)
    assert error.message == (
        "Data/Inner/Core/Database (AWS::RDS::DBInstance) could not be created: not a valid password"
    )
    assert world.report.facts["first_cause"]["path"] == ["Data", "Inner", "Core"]


def test_credentials_that_expire_meanwhile_change_nothing() -> None:
    """The same stack, the same events."""
    world = StackWorld()
    world.aws.script("Queue", seconds=300)
    world.aws.faults.append(Fault(error="ExpiredToken", times=None, since=60, until=200))
    assert world.run(template=TWO).code == 0
    assert world.status() == "CREATE_COMPLETE"


def test_somebody_who_cancels_the_update_is_named() -> None:
    """Their token is on the way back."""
    world = StackWorld()
    world.aws.add_stack(NAME, template=ONE)
    world.aws.script("Queue", seconds=300)

    def cancel() -> None:
        world.aws.call(
            "cloudformation",
            "CancelUpdateStack",
            {"StackName": NAME, "ClientRequestToken": "Console-CancelUpdateStack-7"},
        )

    world.clock.at(60, cancel)
    error = world.fail(template=TWO)
    assert isinstance(error, CloudError)
    assert error.code == "UPDATE_ROLLBACK_COMPLETE"
    assert "was stopped and taken back" in error.message
