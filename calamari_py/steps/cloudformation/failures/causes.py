"""What went wrong first: the root cause among the events of one operation.

CloudFormation tells of one broken resource many times over: its siblings are cancelled, its stack
says that it failed, the stack above says that an embedded stack failed. The cause is the earliest
failure that repeats no other. The wordings are those that CloudFormation writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from calamari_py.steps.cloudformation.values import STACK_TYPE, StackEvent

_CANCELLED = re.compile(r"\s*resource\s+(\w+\s+)?(was\s+|is\s+)?cancell?ed\b", re.IGNORECASE)
_LIST = re.compile(
    r"(?<!\s)\s*(the following resource\(s\) failed\b[^:]*:?|"
    r"validation failed for following resources:)"
    r"\s*(\[[^\]]*\])?\s*[.,\s]*",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"the following resource\(s\) failed\b[^:\[]{0,100}:?\s*\[(?P<names>[^\]]*)\]", re.IGNORECASE
)
_HOOKS = re.compile(r"\s*the following hook\(s\) failed\b", re.IGNORECASE)
_BY_USER = re.compile(r"(?<![\s.])[\s.]*\brollback requested by user\b[\s.]*$", re.IGNORECASE)
_GOES_BACK = frozenset({
    "ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "IMPORT_ROLLBACK_IN_PROGRESS",
})  # fmt: skip
_CLEANS_UP = "_CLEANUP_IN_PROGRESS"
_NOTHING_SAID = frozenset({"", "user initiated"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Causes:
    """What went wrong in one operation.

    `first` is the root cause, None where no event tells one; `others` are the further failures that
    have a cause of their own, in order; `cancelled` how many resources were given up because of
    them; `rollback` what went wrong first while the stack went back.
    """

    first: StackEvent | None = None
    others: tuple[StackEvent, ...] = ()
    cancelled: int = 0
    rollback: StackEvent | None = None


def find_causes(events: Iterable[StackEvent]) -> Causes:
    """The causes among `events`, which are those of one operation, nested stacks included, in
    order. Pure."""
    told = tuple(events)
    opening = next((event for event in told if event.is_of_stack and not event.path), None)
    forward, back = _split(told, opening)
    hooks = _hook_reasons(told)
    causes, backward = _causes(forward, hooks), _causes(back, hooks)
    if opening is not None and opening.status in _GOES_BACK:
        # The operation is a rollback itself: what failed in it is its cause.
        causes, backward = backward, ()
    return Causes(
        first=causes[0] if causes else None,
        others=causes[1:],
        cancelled=len(
            {(event.stack_id, event.logical_id) for event in told if is_cancelled(event)}
        ),
        rollback=backward[0] if backward else None,
    )


def left_behind(events: Iterable[StackEvent]) -> tuple[StackEvent, ...]:
    """What was no longer needed and could not be removed: it stays, and belongs to no stack any
    more. The last word on each counts: CloudFormation tries several times. Pure."""
    cleaning: set[tuple[str, ...]] = set()
    last: dict[tuple[str, str, str], StackEvent] = {}
    for event in events:
        if event.is_of_stack and event.status.endswith(_CLEANS_UP):
            cleaning.add(event.path)
        elif _is_below(event.path, cleaning) and event.resource_type != STACK_TYPE:
            last[event.stack_id, event.logical_id, event.physical_id] = event
    return tuple(event for event in last.values() if event.status == "DELETE_FAILED")


def unseen_failures(events: Sequence[StackEvent]) -> frozenset[tuple[str, str]]:
    """Resources, by stack and logical id, that a stack says have failed and that no event tells of:
    it is still to come. Pure."""
    seen = {(event.stack_id, event.logical_id) for event in events if event.is_failure}
    named = {
        (event.stack_id, name.strip())
        for event in events
        if event.is_of_stack and (found := _FAILED.search(event.reason)) is not None
        for name in found["names"].split(",")
    }
    return frozenset(named - seen)


def is_cancelled(event: StackEvent) -> bool:
    """Whether a resource was given up because another one failed."""
    return event.is_failure and _CANCELLED.match(event.reason) is not None


def reason_alone(reason: str) -> str:
    """`reason` in one line, without what CloudFormation adds to every one that leads to a
    rollback."""
    line = " ".join(reason.split())
    return _BY_USER.sub("", line).strip() or line


def _split(
    events: Sequence[StackEvent], opening: StackEvent | None
) -> tuple[tuple[StackEvent, ...], tuple[StackEvent, ...]]:
    """What happened on the way forward and what failed on the way back, without the event that
    opens the operation. What goes wrong while only what is left over is removed changes no outcome:
    it is in neither.

    A nested stack goes back before its parent does, and everything does below a stack that does.
    The event that begins it gives the reason for it, and belongs to the way forward.
    """
    forward: list[StackEvent] = []
    back: list[StackEvent] = []
    going_back: set[tuple[str, ...]] = set()
    cleaning: set[tuple[str, ...]] = set()
    for event in events:
        is_back = _is_below(event.path, going_back)
        if event.is_of_stack and event.status.endswith(_CLEANS_UP):
            cleaning.add(event.path)
        elif _turns_back(event) and (event is not opening or event.status in _GOES_BACK):
            going_back.add(event.path)
            cleaning.discard(event.path)
        if event is opening or _is_below(event.path, cleaning):
            continue
        if not is_back:
            forward.append(event)
        elif event.is_failure:
            back.append(event)
    return tuple(forward), tuple(back)


def _turns_back(event: StackEvent) -> bool:
    """Whether a stack gives up what it was asked to do; a new one may be deleted for it."""
    if not event.is_of_stack:
        return False
    return event.status in _GOES_BACK or (event.status == "DELETE_IN_PROGRESS" and not event.path)


def _is_below(path: tuple[str, ...], places: set[tuple[str, ...]]) -> bool:
    return any(path[:depth] in places for depth in range(len(path) + 1))


def _causes(
    events: Sequence[StackEvent], hooks: Mapping[tuple[str, str], str]
) -> tuple[StackEvent, ...]:
    """The causes among `events`, the first one first; else the best that there is."""
    told_below = {
        event.path[:depth]
        for event in events
        if _is_cause(event) or is_cancelled(event)
        for depth in range(1, len(event.path) + 1)
    }
    causes: dict[tuple[str, str], StackEvent] = {}
    weak: list[StackEvent] = []
    for event in events:
        if event.hook or is_cancelled(event) or not (event.is_failure or _turns_back(event)):
            continue
        is_follower = (
            event.resource_type == STACK_TYPE
            and not event.is_of_stack
            and (*event.path, event.logical_id) in told_below
        )
        if _is_cause(event) and not is_follower:
            causes.setdefault((event.stack_id, event.logical_id), _with_hook(event, hooks))
        elif event.reason.strip() or not event.is_of_stack:
            weak.append(event)
    return tuple(causes.values()) or tuple(weak[:1])


def _is_cause(event: StackEvent) -> bool:
    """Whether the event, by itself, tells of a failure and why; what it is a stack's to say is more
    than which of its resources failed."""
    if event.hook or is_cancelled(event) or not (event.is_failure or _turns_back(event)):
        return False
    said = event.reason.strip()
    if event.is_of_stack:
        said = _BY_USER.sub("", _LIST.sub("", said, count=1)).strip()
    return said.casefold() not in _NOTHING_SAID


def _hook_reasons(events: Iterable[StackEvent]) -> dict[tuple[str, str], str]:
    """What failed hooks said, by resource."""
    return {
        (event.stack_id, event.logical_id): event.hook_reason
        for event in events
        if event.hook_status.endswith("FAILED") and event.hook_reason
    }


def _with_hook(event: StackEvent, hooks: Mapping[tuple[str, str], str]) -> StackEvent:
    """`event` with the reason of the hook that it only names."""
    said = hooks.get((event.stack_id, event.logical_id), "")
    if not said or not _HOOKS.match(event.reason) or said in event.reason:
        return event
    return replace(event, reason=f"{event.reason.rstrip(' .')}: {said}")
