"""The events of one operation, as they come: complete, in order and each of them once.

CloudFormation lists a stack's events newest first, in pages, those of all operations that it ever
had; those of a nested stack are listed with that stack only. An operation is what lies between the
first event with its token and the first end of the stack after it: another token in between is
somebody who cancels it, what comes after it is somebody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Protocol

from calamari_py.errors import CloudError
from calamari_py.steps.cloudformation.following.contact import is_passing
from calamari_py.steps.cloudformation.states import describe
from calamari_py.steps.cloudformation.values import STACK_TYPE, StackEvent

REMEMBERED = 1_000
"""Ids of events that are remembered of one stack: several pages of them."""
_INTERVENTIONS = frozenset({
    "ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "IMPORT_ROLLBACK_IN_PROGRESS",
    "DELETE_IN_PROGRESS",
})  # fmt: skip
Key = tuple[str, datetime, str]


@dataclass(slots=True, kw_only=True)
class _Source:
    """One stack whose events are read. `is_last` says that one more look is enough."""

    stack_id: str
    path: tuple[str, ...]
    seen: dict[Key, None] = field(default_factory=dict)
    is_active: bool = True
    is_last: bool = False
    is_refused: bool = False

    def remember(self, events: Iterable[StackEvent]) -> None:
        """The oldest first."""
        for event in events:
            self.seen[key_of(event)] = None
        while len(self.seen) > REMEMBERED:
            del self.seen[next(iter(self.seen))]


class EventSource(Protocol):
    """What events come from: `StackApi`."""

    def event_pages(
        self, stack_id: str, *, path: tuple[str, ...] = ()
    ) -> Iterator[tuple[StackEvent, ...]]:
        """The stack's events, newest first; a page is asked for when it is taken."""


class EventFeed:
    """The events of one operation on the stack `stack_id` and the stacks nested in it.

    `token` is the operation's, None where nobody knows it; `known` are ids of events that were
    there before it, `began` a time that is not after its first event. `now` gives AWS's time,
    `warn` takes a sentence.
    """

    def __init__(
        self,
        source: EventSource,
        stack_id: str,
        *,
        token: str | None,
        known: frozenset[str],
        began: datetime | None,
        now: Callable[[], datetime],
        warn: Callable[[str], None],
    ) -> None:
        self._source = source
        self._now = now
        self._token = token
        self._known = known
        self._warn = warn
        self._root = _Source(stack_id=stack_id, path=())
        self._nested: dict[str, _Source] = {}
        self._pending: list[StackEvent] = []
        self._young: list[StackEvent] = []
        self._joined: set[str | None] = set()
        self._began = began
        self._has_tokens = False
        self.started: StackEvent | None = None
        """The operation's first event."""
        self.status: StackEvent | None = None
        """The last event of the stack itself."""
        self.ended: StackEvent | None = None
        """The one that ends the operation; a new one of the same token takes it back."""
        self.successor: StackEvent | None = None
        """The first event of an operation that came after this one."""

    def read(self, *, everything: bool = False) -> tuple[StackEvent, ...]:
        """What is new, the oldest first; with `everything` of nested stacks that have ended, too.
        Raises what the calls raise; nothing is lost then: what was read already comes with the next
        answer. So does what is younger than the look at the stack itself, which may have more to
        tell of that time."""
        self._take(self._root)
        looked = self._now()
        for source in self._nested.values():
            source.is_active = source.is_active or (everything and not source.is_refused)
        # Events of a nested stack may tell of stacks that are nested deeper.
        read: set[str] = set()
        while due := [
            source
            for source in self._nested.values()
            if source.is_active and source.stack_id not in read
        ]:
            for source in due:
                read.add(source.stack_id)
                self._take_nested(source)
        # Times decide across stacks, and within one the order that AWS gives.
        ready = [event for event in self._pending if everything or event.time <= looked]
        young = [event for event in self._pending if not everything and event.time > looked]
        events = in_order((*self._young, *ready))
        self._pending, self._young = [], young
        return events

    def _take_nested(self, source: _Source) -> None:
        try:
            self._take(source)
        except CloudError as error:
            if is_passing(error):
                raise
            source.is_active, source.is_refused = False, True
            self._warn(
                f"the events of nested stack '{'/'.join(source.path)}' cannot be read: "
                f"{error.message}"
            )
        else:
            source.is_active = not source.is_last

    def _take(self, source: _Source) -> None:
        """Read what is new of one stack. All of it, or nothing."""
        fresh: dict[Key, StackEvent] = {}
        for page in self._source.event_pages(source.stack_id, path=source.path):
            is_far_enough = False
            for event in page:
                key = key_of(event)
                if event.id in self._known or key in source.seen or self._is_too_old(event):
                    is_far_enough = True
                else:
                    fresh.setdefault(key, event)
            # To the end of the page: an event that came late stands below newer ones.
            if is_far_enough:
                break
        oldest_first = tuple(reversed(fresh.values()))
        source.remember(oldest_first)
        if not source.path:
            self._has_tokens |= any(event.token == self._token for event in oldest_first)
        for event in oldest_first:
            if self._accept(event):
                self._pending.append(event)
                self._look_below(event)

    def _is_too_old(self, event: StackEvent) -> bool:
        since = self._began
        if event.path and self.started is not None:
            since = self.started.time
        return since is not None and event.time < since

    def _accept(self, event: StackEvent) -> bool:
        """Whether it belongs to the operation; keeps what it says of its stack."""
        if event.path:
            return self.ended is None or event.time <= self.ended.time
        if event.status == "REVIEW_IN_PROGRESS":
            return False
        if self.ended is not None and self._is_successor(event):
            self.successor = self.successor or event
            return False
        if not self._is_own(event) and not self._is_intervention(event):
            return False
        self.started = self.started or event
        if event.is_of_stack and (self.status is None or _goes_on(self.status, event)):
            self.status = event
            self.ended = event if describe(event.status).is_terminal else None
        return True

    def _is_successor(self, event: StackEvent) -> bool:
        """Whether it comes after the end; one without a token is judged by its time."""
        assert self.ended is not None
        if self.successor is not None or not self._is_own(event):
            return True
        if event.token is not None and event.token == self._token:
            return False
        return event.time > self.ended.time or (
            event.is_of_stack and not describe(event.status).is_terminal
        )

    def _is_own(self, event: StackEvent) -> bool:
        if self._token is None or event.token == self._token or event.token in self._joined:
            return True
        # Not everything that answers like CloudFormation hands the token on.
        return event.token is None and not self._has_tokens

    def _is_intervention(self, event: StackEvent) -> bool:
        """Whether somebody else turns the operation back: the rest of it has their token."""
        if self.started is None or not event.is_of_stack or event.status not in _INTERVENTIONS:
            return False
        self._joined.add(event.token)
        who = f"'{event.token}'" if event.token else "somebody else"
        self._warn(f"{who} intervenes: the stack is {event.status}")
        return True

    def _look_below(self, event: StackEvent) -> None:
        """A resource that is a stack has events of its own, until its own stack says it has
        ended."""
        if not _is_of_nested(event) or not event.physical_id.startswith("arn:"):
            return
        source = self._nested.get(event.physical_id)
        if source is None:
            source = _Source(stack_id=event.physical_id, path=(*event.path, event.logical_id))
            self._nested[event.physical_id] = source
        source.is_active = True
        source.is_last = not event.status.endswith("_IN_PROGRESS")


def key_of(event: StackEvent) -> Key:
    """What an event is known by. Its id alone is not enough: the events of a hook share one."""
    return event.id, event.time, event.hook_status


def in_order(events: Iterable[StackEvent]) -> tuple[StackEvent, ...]:
    """By time, whenever they came. In one moment a stack first begins, then what is in it has its
    events as they came, then the stack turns back, or ends; what happens inside of a nested stack
    comes before its end as the parent tells it."""
    ordered: list[StackEvent] = []
    for _, group in groupby(sorted(events, key=_time_of), key=_time_of):
        moment = tuple(group)
        ordered.extend(_one_moment(moment) if len(moment) > 1 else moment)
    return tuple(ordered)


def _one_moment(events: Sequence[StackEvent]) -> Sequence[StackEvent]:
    by_path: dict[tuple[str, ...], list[StackEvent]] = {}
    for event in sorted(events, key=_part_of):
        by_path.setdefault(event.path, []).append(event)
    told: list[StackEvent] = []

    def tell(place: tuple[str, ...]) -> None:
        """All at `place` and below."""
        here = by_path.pop(place, [])
        for event in here:
            if _part_of(event) >= _TURNS:
                continue
            if _is_of_nested(event) and not event.status.endswith("_IN_PROGRESS"):
                tell((*event.path, event.logical_id))
            told.append(event)
        for path in sorted((path for path in by_path if path[: len(place)] == place), key=len):
            tell(path)
        told.extend(event for event in here if _part_of(event) >= _TURNS)

    tell(())
    return told


_TURNS = 2


def _part_of(event: StackEvent) -> int:
    """Where an event belongs among those of its stack in one moment."""
    if not event.is_of_stack:
        return 1
    status = describe(event.status)
    if status.is_terminal:
        return _TURNS + 1
    is_asked_for = event.reason.strip().casefold() == "user initiated"
    turns = "ROLLBACK" in event.status or status.is_cleanup
    return _TURNS if turns and not is_asked_for else 0


def _goes_on(status: StackEvent, event: StackEvent) -> bool:
    """Whether `event` comes after `status`, the last one known: in one moment ends come last."""
    return (event.time, _part_of(event)) >= (status.time, _part_of(status))


def _time_of(event: StackEvent) -> datetime:
    return event.time


def _is_of_nested(event: StackEvent) -> bool:
    """Whether it tells of a resource that is a stack."""
    return event.resource_type == STACK_TYPE and not event.is_of_stack
