"""An operation of CloudFormation on one stack: what tells it from the one before, and its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from calamari_py.steps.cloudformation.states import describe
from calamari_py.steps.cloudformation.values import Stack, StackEvent
from calamari_py.steps.cloudformation.work import Work

Verb = Literal["create", "update", "delete", "rollback", "import"]

_FIRST_STATUS: dict[str, Verb] = {
    "CREATE_IN_PROGRESS": "create",
    "UPDATE_IN_PROGRESS": "update",
    "DELETE_IN_PROGRESS": "delete",
    "IMPORT_IN_PROGRESS": "import",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Something that CloudFormation does to one stack.

    `token` is its client request token, None where nobody knows it. `known` are ids of events that
    were there before it, `began` a time of AWS's that is not after its first event, `total` how
    many resources it is about.
    """

    stack_id: str
    name: str
    verb: Verb
    token: str | None
    known: frozenset[str] = frozenset()
    began: datetime | None = None
    total: int | None = None

    @property
    def title(self) -> str:
        """``the update of stack 'my-app'``."""
        return f"the {self.verb} of stack '{self.name}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How an operation ended: the stack as it is after it, and the operation's events, nested
    stacks included, in order."""

    stack: Stack
    events: tuple[StackEvent, ...]


def known_events(work: Work, stack_id: str) -> frozenset[str]:
    """Ids of the newest events that the stack has now, before an operation is begun: enough to find
    where it begins. Raises CloudError where the events may not be read."""
    page = next(iter(work.api.event_pages(stack_id)), ())
    return frozenset(event.id for event in page)


def latest_operation(work: Work, stack: Stack) -> Operation | None:
    """The operation that runs, or ran last, as the stack's own events tell it; None when there
    never was one, as in REVIEW_IN_PROGRESS."""
    first, last = None, None
    for event in _own_events(work, stack):
        if event.status == "REVIEW_IN_PROGRESS":
            break
        if describe(event.status).is_terminal:
            if last is not None or first is not None:
                break
            last = event
        else:
            first = event
    opening = first or last
    if opening is None:
        return None
    return Operation(
        stack_id=stack.id,
        name=stack.name,
        verb=_verb_of(opening.status),
        token=opening.token,
        began=opening.time,
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


def _verb_of(status: str) -> Verb:
    if "ROLLBACK" in status:
        return "rollback"
    return _FIRST_STATUS.get(f"{status.partition('_')[0]}_IN_PROGRESS", "update")
