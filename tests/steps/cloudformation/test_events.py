"""The feed of one operation's events, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from calamari_py.errors import CloudError, Temporary
from calamari_py.steps.cloudformation.following.events import REMEMBERED, EventFeed, in_order
from calamari_py.steps.cloudformation.values import StackEvent
from tests.steps.cloudformation.told import (
    START,
    TOKEN,
    PagedEvents,
    arn_of,
    below,
    resource,
    stack,
)

OTHER = "Console-UpdateStack-0b9d"


class Feed:
    """A feed of `source`; `read` gives the shown ids and statuses."""

    def __init__(
        self,
        source: PagedEvents,
        *,
        token: str | None = TOKEN,
        known: Sequence[StackEvent] = (),
        began: datetime | None = None,
        now: Callable[[], datetime] = lambda: START + timedelta(days=1),
    ) -> None:
        self.warnings: list[str] = []
        self.feed = EventFeed(
            source,
            arn_of(),
            token=token,
            known=frozenset(event.id for event in known),
            began=began,
            now=now,
            warn=self.warnings.append,
        )

    def read(self, **more: Any) -> list[str]:
        return [f"{event.shown_id} {event.status}" for event in self.feed.read(**more)]


@pytest.fixture
def source() -> PagedEvents:
    return PagedEvents()


def _denied() -> CloudError:
    return CloudError(
        "the step's role is not allowed 'cloudformation:DescribeStackEvents'",
        service="cloudformation",
        operation="DescribeStackEvents",
        code="AccessDenied",
    )


def _throttled() -> Temporary:
    return Temporary("later", service="cloudformation", operation="X", code="Throttling")


# ---- complete, in order, once


def test_events_come_oldest_first_and_once(source: PagedEvents) -> None:
    """AWS gives the newest first, and all of them every time."""
    feed = Feed(source)
    source.add(stack("CREATE_IN_PROGRESS"), resource("A", "CREATE_IN_PROGRESS", at=1))
    assert feed.read() == ["my-app CREATE_IN_PROGRESS", "A CREATE_IN_PROGRESS"]
    source.add(resource("A", "CREATE_COMPLETE", at=2))
    assert feed.read() == ["A CREATE_COMPLETE"]
    assert feed.read() == []


@pytest.mark.parametrize("page_size", [1, 7, 100])
def test_events_of_600_resources_are_complete_in_order_and_once(page_size: int) -> None:
    """However many pages they fill, and however they come between the polls."""
    source = PagedEvents(page_size=page_size)
    told = [stack("CREATE_IN_PROGRESS")]
    for number in range(600):
        told += [
            resource(f"T{number}", status, at=1 + number // 50)
            for status in ("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE")
        ]
    told.append(stack("CREATE_COMPLETE", at=99))
    feed = Feed(source)
    seen: list[StackEvent] = []
    for begin in range(0, len(told), 333):
        source.add(*told[begin : begin + 333])
        seen += feed.feed.read()
    assert [event.id for event in seen] == [event.id for event in told]


def test_pages_are_only_read_until_what_is_known(source: PagedEvents) -> None:
    """A long history is not read again with every poll."""
    source.page_size = 10
    source.add(
        stack("CREATE_IN_PROGRESS"), *(resource(f"T{n}", "CREATE_COMPLETE") for n in range(95))
    )
    feed = Feed(source)
    feed.read()
    source.pages = 0
    source.add(resource("New", "CREATE_COMPLETE"))
    assert feed.read() == ["New CREATE_COMPLETE"]
    assert source.pages == 1


def test_an_event_that_comes_late_is_not_lost(source: PagedEvents) -> None:
    """It stands below newer ones that are known already."""
    first, late, last = (resource(name, "CREATE_COMPLETE", at=n) for n, name in enumerate("ABC"))
    feed = Feed(source)
    source.told[arn_of()] = [first, last]
    feed.read()
    source.told[arn_of()] = [first, late, last]
    assert feed.read() == ["B CREATE_COMPLETE"]


@pytest.mark.parametrize("late", [0, 1, 2], ids=["start", "cause", "turn"])
def test_events_of_one_moment_are_in_order_however_they_come(
    source: PagedEvents, late: int
) -> None:
    """First the stack begins, then a resource fails, then the stack turns back."""
    reason = "The following resource(s) failed to create: [A]. "
    told = [
        stack("CREATE_IN_PROGRESS", "User Initiated"),
        resource("A", "CREATE_FAILED", "why"),
        stack("ROLLBACK_IN_PROGRESS", reason),
    ]
    feed = Feed(source)
    source.told[arn_of()] = [event for event in told if event is not told[late]]
    seen = list(feed.feed.read())
    source.told[arn_of()] = told
    seen += feed.feed.read()
    assert list(in_order(seen)) == told
    assert list(in_order(reversed(seen))) == told


def test_an_end_is_not_taken_back_by_what_was_before_it_in_the_same_moment(
    source: PagedEvents,
) -> None:
    """The end comes first, then the event of the same millisecond that precedes it."""
    feed = Feed(source)
    end = stack("UPDATE_COMPLETE")
    source.add(stack("UPDATE_IN_PROGRESS", at=-1), end)
    feed.read()
    source.told[arn_of()].insert(1, stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"))
    feed.read()
    assert feed.feed.ended == end


def test_what_is_younger_than_the_look_at_the_stack_waits_for_the_next(
    source: PagedEvents,
) -> None:
    """A nested stack is read a moment later than its parent, which may have more to tell of that
    moment: lines come in the order of time."""
    seconds = [10, 20]
    feed = Feed(source, now=lambda: START + timedelta(seconds=seconds.pop(0)))
    source.add(
        stack("CREATE_IN_PROGRESS"),
        below("Data", "CREATE_IN_PROGRESS", at=1),
        resource("Data/Early", "CREATE_COMPLETE", at=9),
        resource("Data/Young", "CREATE_COMPLETE", at=12),
    )
    assert "Data/Young CREATE_COMPLETE" not in feed.read()
    source.add(resource("Late", "CREATE_COMPLETE", at=11))
    assert feed.read() == ["Late CREATE_COMPLETE", "Data/Young CREATE_COMPLETE"]


def test_at_the_end_nothing_is_kept_back(source: PagedEvents) -> None:
    """There may be no next look."""
    feed = Feed(source, now=lambda: START)
    source.add(stack("CREATE_IN_PROGRESS"), stack("CREATE_COMPLETE", at=5))
    assert len(feed.read(everything=True)) == 2
    assert feed.read() == []


def test_an_event_that_stands_on_two_pages_comes_once(source: PagedEvents) -> None:
    """Pages shift while they are read."""
    one = resource("A", "CREATE_COMPLETE")
    source.add(one, one, stack("CREATE_COMPLETE"))
    assert Feed(source).read() == ["A CREATE_COMPLETE", "my-app CREATE_COMPLETE"]


def test_both_events_of_a_hook_come_though_they_have_one_id(source: PagedEvents) -> None:
    """AWS names the events of one call of a hook alike."""
    source.add(
        resource("A", "CREATE_IN_PROGRESS", id="A-1", hook="H", hook_status="HOOK_IN_PROGRESS"),
        resource("A", "CREATE_IN_PROGRESS", id="A-1", hook="H", hook_status="HOOK_COMPLETE_FAILED"),
    )
    assert len(Feed(source).read()) == 2


def test_memory_of_ids_is_bounded(source: PagedEvents) -> None:
    """Only the newest are remembered, and nothing comes twice for all that."""
    source.add(*(resource(f"T{n}", "CREATE_COMPLETE", at=n) for n in range(3 * REMEMBERED)))
    feed = Feed(source)
    assert len(feed.read()) == 3 * REMEMBERED
    assert len(feed.feed._root.seen) == REMEMBERED
    assert feed.read() == []


def test_what_was_read_before_a_failure_is_not_lost(source: PagedEvents) -> None:
    """The root's events are kept until those of the nested stack can be read, too."""
    source.add(below("Data", "CREATE_IN_PROGRESS"), resource("Data/A", "CREATE_COMPLETE", at=1))
    source.errors[arn_of(("Data",))] = [_throttled()]
    feed = Feed(source)
    with pytest.raises(Temporary):
        feed.read()
    assert feed.read() == ["Data CREATE_IN_PROGRESS", "Data/A CREATE_COMPLETE"]


def test_a_failure_between_two_pages_loses_nothing(source: PagedEvents) -> None:
    """A stack's news are taken as a whole or not at all."""
    source.page_size = 2
    source.add(*(resource(f"T{n}", "CREATE_COMPLETE", at=n) for n in range(6)))
    feed = Feed(source)
    pages = source.event_pages

    def broken(stack_id: str, *, path: tuple[str, ...] = ()) -> Any:
        for number, page in enumerate(pages(stack_id, path=path)):
            if number == 1:
                raise _throttled()
            yield page

    source.event_pages = broken  # type: ignore[method-assign]
    with pytest.raises(Temporary):
        feed.read()
    source.event_pages = pages  # type: ignore[method-assign]
    assert len(feed.read()) == 6


# ---- exactly this operation


def test_what_was_there_before_is_left_out(source: PagedEvents) -> None:
    """Known ids end the reading, also those of events without a token."""
    old = [stack("CREATE_IN_PROGRESS", token=None), stack("CREATE_COMPLETE", token=None)]
    source.add(*old, stack("UPDATE_IN_PROGRESS", at=60))
    feed = Feed(source, known=old)
    assert feed.read() == ["my-app UPDATE_IN_PROGRESS"]
    assert feed.feed.started is not None
    assert feed.feed.started.status == "UPDATE_IN_PROGRESS"


def test_another_token_is_somebody_elses_operation(source: PagedEvents) -> None:
    """One that slipped in before ours does not end ours."""
    source.add(
        stack("UPDATE_IN_PROGRESS", token=OTHER),
        resource("A", "UPDATE_FAILED", token=OTHER),
        stack("UPDATE_ROLLBACK_IN_PROGRESS", token=OTHER),
        stack("UPDATE_ROLLBACK_COMPLETE", token=OTHER, at=5),
        stack("UPDATE_IN_PROGRESS", at=6),
    )
    feed = Feed(source)
    assert feed.read() == ["my-app UPDATE_IN_PROGRESS"]
    assert feed.feed.ended is None


def test_without_tokens_what_is_new_belongs_to_the_operation(source: PagedEvents) -> None:
    """Not everything that answers like CloudFormation hands the token on."""
    old = stack("CREATE_COMPLETE", token=None)
    source.add(old, stack("UPDATE_IN_PROGRESS", token=None, at=9))
    source.add(stack("UPDATE_COMPLETE", token=None, at=10))
    feed = Feed(source, known=[old])
    assert feed.read() == ["my-app UPDATE_IN_PROGRESS", "my-app UPDATE_COMPLETE"]
    assert feed.feed.ended is not None


def test_without_tokens_what_is_older_than_the_beginning_does_not(source: PagedEvents) -> None:
    """Times that AWS gave are compared with each other."""
    source.add(stack("CREATE_COMPLETE", token=None), stack("UPDATE_IN_PROGRESS", token=None, at=9))
    feed = Feed(source, token=None, began=START + timedelta(seconds=9))
    assert feed.read() == ["my-app UPDATE_IN_PROGRESS"]


def test_events_without_a_token_are_not_ours_where_ours_have_one(source: PagedEvents) -> None:
    """Somebody without a token was just before us."""
    source.add(stack("UPDATE_COMPLETE", token=None), stack("UPDATE_IN_PROGRESS", at=1))
    assert Feed(source).read() == ["my-app UPDATE_IN_PROGRESS"]


def test_a_change_set_that_makes_the_stack_is_not_the_operation(source: PagedEvents) -> None:
    """REVIEW_IN_PROGRESS comes before anything is executed, and without a token."""
    source.add(stack("REVIEW_IN_PROGRESS", token=None), stack("CREATE_IN_PROGRESS", at=5))
    assert Feed(source).read() == ["my-app CREATE_IN_PROGRESS"]


@pytest.mark.parametrize("token", ["Console-CancelUpdateStack-1", None])
def test_who_cancels_the_operation_ends_it(source: PagedEvents, token: str | None) -> None:
    """The way back has another token, and is the end of this operation all the same."""
    source.add(
        stack("UPDATE_IN_PROGRESS"),
        stack("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated", token=token, at=1),
        resource("A", "UPDATE_COMPLETE", token=token, at=2),
        stack("UPDATE_ROLLBACK_COMPLETE", token=token, at=3),
    )
    feed = Feed(source)
    assert feed.read()[1:] == [
        "my-app UPDATE_ROLLBACK_IN_PROGRESS",
        "A UPDATE_COMPLETE",
        "my-app UPDATE_ROLLBACK_COMPLETE",
    ]
    assert feed.feed.ended is not None
    assert len(feed.warnings) == 1
    assert (token or "somebody else") in feed.warnings[0]


@pytest.mark.parametrize("token", [OTHER, None])
def test_what_comes_after_the_end_is_somebody_elses(source: PagedEvents, token: str | None) -> None:
    """The next operation is neither shown nor does it change how this one ended."""
    source.add(stack("UPDATE_IN_PROGRESS"), stack("UPDATE_COMPLETE", at=5))
    source.add(
        stack("DELETE_IN_PROGRESS", token=token, at=6),
        resource("A", "DELETE_COMPLETE", token=token, at=7),
        stack("DELETE_COMPLETE", token=token, at=8),
    )
    feed = Feed(source)
    assert feed.read() == ["my-app UPDATE_IN_PROGRESS", "my-app UPDATE_COMPLETE"]
    assert feed.feed.ended is not None
    assert feed.feed.ended.status == "UPDATE_COMPLETE"
    assert feed.feed.successor is not None


def test_the_same_operation_may_go_on_after_what_looked_like_its_end(source: PagedEvents) -> None:
    """A stack that could not be created is deleted in the same operation where that was asked."""
    feed = Feed(source)
    source.add(stack("CREATE_IN_PROGRESS"), stack("CREATE_FAILED", at=5))
    feed.read()
    assert feed.feed.ended is not None
    source.add(stack("DELETE_IN_PROGRESS", at=6))
    feed.read()
    assert feed.feed.ended is None


def test_a_late_beginning_does_not_take_back_the_end(source: PagedEvents) -> None:
    """What counts is when it happened, not when it came."""
    first, last = stack("UPDATE_IN_PROGRESS"), stack("UPDATE_COMPLETE", at=5)
    feed = Feed(source)
    source.told[arn_of()] = [last]
    feed.read()
    source.told[arn_of()] = [first, last]
    feed.read()
    assert feed.feed.ended is last


# ---- nested stacks


def test_nested_stacks_are_found_in_their_parents_events(source: PagedEvents) -> None:
    """Three deep, in one read, in order of time, with their places."""
    source.add(
        stack("CREATE_IN_PROGRESS"),
        below("Data", "CREATE_IN_PROGRESS", at=1),
        stack("CREATE_IN_PROGRESS", path=("Data",), at=1),
        below("Data/Inner", "CREATE_IN_PROGRESS", at=2),
        below("Data/Inner/Core", "CREATE_IN_PROGRESS", at=3),
        resource("Data/Inner/Core/Database", "CREATE_FAILED", at=4),
        resource("Queue", "CREATE_COMPLETE", at=3.5),
    )
    assert Feed(source).read() == [
        "my-app CREATE_IN_PROGRESS",
        "Data CREATE_IN_PROGRESS",
        "Data/my-app-Data-1X CREATE_IN_PROGRESS",
        "Data/Inner CREATE_IN_PROGRESS",
        "Data/Inner/Core CREATE_IN_PROGRESS",
        "Queue CREATE_COMPLETE",
        "Data/Inner/Core/Database CREATE_FAILED",
    ]


def test_within_one_moment_a_nested_stack_fails_before_its_parent_says_so(
    source: PagedEvents,
) -> None:
    """Times alone would put the parent's word for it first, and the cause last."""
    source.add(
        below("Data", "CREATE_IN_PROGRESS"),
        resource("Data/A", "CREATE_FAILED", at=5),
        stack("ROLLBACK_IN_PROGRESS", path=("Data",), at=5),
        resource("Queue", "CREATE_COMPLETE", at=5),
        below("Data", "CREATE_FAILED", at=5),
        stack("ROLLBACK_IN_PROGRESS", at=5),
    )
    assert Feed(source).read()[1:] == [
        "Queue CREATE_COMPLETE",
        "Data/A CREATE_FAILED",
        "Data/my-app-Data-1X ROLLBACK_IN_PROGRESS",
        "Data CREATE_FAILED",
        "my-app ROLLBACK_IN_PROGRESS",
    ]


def test_a_nested_stack_without_an_arn_yet_waits(source: PagedEvents) -> None:
    """The first event of a new nested stack does not know its ARN."""
    feed = Feed(source)
    source.add(below("Data", "CREATE_IN_PROGRESS", physical_id=""))
    feed.read()
    assert source.asked == [arn_of()]
    source.add(below("Data", "CREATE_IN_PROGRESS", at=1))
    feed.read()
    assert source.asked[1:] == [arn_of(), arn_of(("Data",))]


def test_a_nested_stack_is_read_once_more_when_it_has_ended(source: PagedEvents) -> None:
    """And no longer after that, until it is asked to do something again."""
    feed = Feed(source)
    source.add(below("Data", "CREATE_IN_PROGRESS"))
    feed.read()
    source.add(resource("Data/A", "CREATE_COMPLETE", at=1), below("Data", "CREATE_COMPLETE", at=2))
    assert feed.read() == ["Data/A CREATE_COMPLETE", "Data CREATE_COMPLETE"]
    source.asked.clear()
    feed.read()
    assert source.asked == [arn_of()]
    source.add(below("Data", "DELETE_IN_PROGRESS", at=3))
    source.add(resource("Data/A", "DELETE_COMPLETE", at=4))
    assert feed.read() == ["Data DELETE_IN_PROGRESS", "Data/A DELETE_COMPLETE"]


def test_the_last_look_is_at_everything(source: PagedEvents) -> None:
    """What a nested stack told too late comes with the drain."""
    feed = Feed(source)
    source.add(below("Data", "CREATE_FAILED"))
    feed.read()
    source.add(resource("Data/A", "CREATE_FAILED", at=-0.0))
    assert feed.read() == []
    assert feed.read(everything=True) == ["Data/A CREATE_FAILED"]


def test_of_a_nested_stack_only_this_operation_counts(source: PagedEvents) -> None:
    """It has a history of its own; its events need not have our token."""
    source.add(
        resource("Data/A", "CREATE_FAILED", at=-500, token=OTHER),
        stack("UPDATE_IN_PROGRESS", at=0),
        below("Data", "UPDATE_IN_PROGRESS", at=1),
        resource("Data/A", "UPDATE_COMPLETE", at=2, token=None),
        stack("UPDATE_COMPLETE", at=3),
        resource("Data/A", "DELETE_COMPLETE", at=9, token=OTHER),
    )
    assert Feed(source).read() == [
        "my-app UPDATE_IN_PROGRESS",
        "Data UPDATE_IN_PROGRESS",
        "Data/A UPDATE_COMPLETE",
        "my-app UPDATE_COMPLETE",
    ]


def test_a_nested_stack_that_may_not_be_read_is_said_once(source: PagedEvents) -> None:
    """The others are still followed."""
    source.add(below("Data", "CREATE_IN_PROGRESS"), below("Web", "CREATE_IN_PROGRESS"))
    source.add(resource("Web/A", "CREATE_COMPLETE", at=1))
    source.errors[arn_of(("Data",))] = [_denied() for _ in range(9)]
    feed = Feed(source)
    assert feed.read()[-1] == "Web/A CREATE_COMPLETE"
    feed.read(everything=True)
    assert len(feed.warnings) == 1
    assert "'Data'" in feed.warnings[0]
