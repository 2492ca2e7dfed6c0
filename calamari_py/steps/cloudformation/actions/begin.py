"""Beginning an operation of CloudFormation: whether AWS has taken it, whatever its answers were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from calamari_py.errors import CalamariError, CloudError, Indeterminate, StackFailed, Temporary
from calamari_py.steps.cloudformation.actions.outputs import tell_unknown
from calamari_py.steps.cloudformation.following.contact import (
    LONGEST_PAUSE,
    is_passing,
    nobody_knows,
    watch_hint,
)
from calamari_py.steps.cloudformation.following.operation import Operation
from calamari_py.steps.cloudformation.service.refused import is_denied
from calamari_py.steps.cloudformation.states import Phase, describe
from calamari_py.steps.cloudformation.values import Stack
from calamari_py.steps.cloudformation.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How an operation is begun. `send` asks AWS for it, as often as need be: the request token
    makes one of many. `begun` says whether AWS has taken it, None where nobody can know yet, and
    `withdraw` takes back what was prepared for an operation that has not begun."""

    send: Callable[[], None]
    begun: Callable[[Operation], bool | None]
    withdraw: Callable[[], object] = lambda: None


def begin(work: Work, operation: Operation, start: Start) -> None:
    """Have AWS begin it. An answer that is lost says nothing, and neither does a refusal: what is
    refused may be the second of two requests, the door repeats one whose connection broke.

    Raises Indeterminate when nobody can know. Any other error says that nothing was begun.
    """
    is_doubtful = False
    since, pause = work.clock.monotonic(), work.spec.poll_interval
    while True:
        try:
            start.send()
        except CalamariError as error:
            failure = error
        else:
            return
        begun = ask(start, operation)
        if begun:
            return
        is_doubtful = is_doubtful or _may_have_begun(failure)
        is_no = begun is False or not is_doubtful
        if is_no and not is_passing(failure):
            raise failure
        if work.clock.monotonic() - since >= work.spec.patience or work.deadline.is_over:
            break
        work.clock.sleep(pause * (0.5 + work.clock.jitter()))
        pause = min(LONGEST_PAUSE, pause * 2)
    if begun is False:
        work.deadline.check(f"AWS to begin {operation.title}")
    if is_no:
        raise failure
    raise _unknown(work, operation, failure) from failure


def ask(start: Start, operation: Operation) -> bool | None:
    """Whether it has begun; None where nobody can know."""
    try:
        return start.begun(operation)
    except CalamariError:
        return None


def has_begun(work: Work, operation: Operation, before: Stack) -> bool | None:
    """The same from what the stack tells, which was `before`: its events, or that its status is
    what it was."""
    told = told_by_events(work, operation)
    if told is None:
        there = work.api.find(operation.stack_id)
        if there is not None and there.status == before.status:
            return False
    return told


def told_by_events(work: Work, operation: Operation) -> bool | None:
    """An event with the operation's token says yes, one of somebody else's beginning no; None as
    long as neither has come."""
    page = next(iter(work.api.event_pages(operation.stack_id)), ())
    if any(event.token == operation.token for event in page):
        return True
    others = any(
        event.is_of_stack
        and event.id not in operation.known
        and describe(event.status).phase is Phase.IN_PROGRESS
        for event in page
    )
    return False if others else None


def _may_have_begun(failure: CalamariError) -> bool:
    """Whether AWS may have taken the request all the same."""
    if isinstance(failure, Temporary):
        return True
    if not isinstance(failure, CloudError) or isinstance(failure, StackFailed):
        return False
    return not is_passing(failure) and not is_denied(failure)


def _unknown(work: Work, operation: Operation, failure: CalamariError) -> Indeterminate:
    tell_unknown(work, operation)
    return nobody_knows(
        f"contact with AWS was lost while {operation.title} was started: nobody knows whether it "
        f"has begun ({failure})",
        failure,
        operation="DescribeStacks",
        hint=watch_hint(work, resume=operation.handle),
    )
