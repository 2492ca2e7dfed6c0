"""An operation of CloudFormation on one stack: what tells it from the one before, and its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Literal

from calamari_py.steps.cloudformation.following.polling import ask_patiently
from calamari_py.steps.cloudformation.states import describe
from calamari_py.steps.cloudformation.values import Stack, StackEvent
from calamari_py.steps.cloudformation.work import Work

Verb = Literal["create", "update", "delete", "rollback", "import"]

NOUNS: dict[Verb, str] = {
    "create": "creation",
    "update": "update",
    "delete": "deletion",
    "rollback": "rollback",
    "import": "import",
}
_VERBS: dict[str, Verb] = {str(verb): verb for verb in NOUNS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Something that CloudFormation does to one stack.

    `token` is its client request token, None where nobody knows it. `known` are ids of events that
    were there before it, `before` is the stack as it was then, None where nobody looked. `began` is
    a time of AWS's that is not after its first event, `ended` that of its last one, None where it
    has not come; `total` how many resources it is about, `place` the length of the longest
    name among them, 0 where nobody knows.
    """

    stack_id: str
    name: str
    verb: Verb
    token: str | None
    known: frozenset[str] = frozenset()
    before: Stack | None = None
    began: datetime | None = None
    ended: datetime | None = None
    total: int | None = None
    place: int = 0

    @property
    def title(self) -> str:
        """``the update of stack 'my-app'``."""
        return f"the {NOUNS[self.verb]} of stack '{self.name}'"

    @property
    def handle(self) -> str:
        """What ``--resume`` takes; "" where no token tells the operation from others."""
        return handle_of(self.stack_id, self.token) if self.token else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How an operation ended: the stack as it is after it, and the operation's events, nested
    stacks included, in order. `superseded` says that another operation has begun since; the
    outputs of the stack are nobody's then, and left out."""

    stack: Stack
    events: tuple[StackEvent, ...]
    superseded: bool = False


def handle_of(stack_id: str, token: str) -> str:
    """``<stack ARN>#<token>``."""
    return f"{stack_id}#{token}"


def known_events(work: Work, stack_id: str) -> frozenset[str]:
    """Ids of the newest events that the stack has now, before an operation is begun: enough to find
    where it begins. Raises CloudError where the events may not be read."""
    page = ask_patiently(
        work, lambda: next(iter(work.api.event_pages(stack_id)), ()), "the events of the stack"
    )
    return frozenset(event.id for event in page)


def latest_operation(work: Work, stack: Stack) -> Operation | None:
    """The operation that runs, or ran last, as the stack's own events tell it; None when there
    never was one, as in REVIEW_IN_PROGRESS. Events may be late: see `Operation.ended`."""
    first, last, earlier = None, None, None
    for event in _own_events(work, stack):
        if event.status == "REVIEW_IN_PROGRESS":
            break
        if describe(event.status).is_terminal:
            if last is not None or first is not None:
                earlier = event
                break
            last = event
        else:
            first = event
    return _operation(stack, first, last, earlier)


def operation_of(work: Work, stack: Stack, token: str) -> Operation | None:
    """The operation with this token, whatever came after it; None when no event tells of it."""
    opening, earlier = None, None
    for event in chain.from_iterable(work.api.event_pages(stack.id)):
        if not event.is_of_stack:
            continue
        if event.token == token:
            opening = event
        elif opening is not None and describe(event.status).is_terminal:
            earlier = event
            break
    return _operation(stack, opening, None, earlier)


def _operation(
    stack: Stack, first: StackEvent | None, last: StackEvent | None, earlier: StackEvent | None
) -> Operation | None:
    opening = first or last
    if opening is None:
        return None
    return Operation(
        stack_id=stack.id,
        name=stack.name,
        verb=_verb_of(opening, earlier),
        token=opening.token,
        began=opening.time,
        ended=last.time if last is not None else None,
    )


def _own_events(work: Work, stack: Stack) -> list[StackEvent]:
    """Those of the stack as a whole, newest first, as far back as its last operation goes."""
    found: list[StackEvent] = []
    ends = 0
    for page in work.api.event_pages(stack.id):
        own = [event for event in page if event.is_of_stack]
        found.extend(own)
        ends += sum(describe(event.status).is_terminal for event in own)
        if ends > 1:
            break
    return found


def _verb_of(opening: StackEvent, earlier: StackEvent | None) -> Verb:
    """What was asked for. An operation begins with going back where one before it has failed, or
    somebody wants it; else the event that began it is late, and what goes back has failed."""
    is_wanted = opening.reason.strip().casefold() == "user initiated"
    is_wanted = is_wanted or (earlier is not None and earlier.is_failure)
    if "ROLLBACK" in opening.status and is_wanted:
        return "rollback"
    return _VERBS.get(describe(opening.status).verb, "update")
