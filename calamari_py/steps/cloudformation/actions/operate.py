"""Starting an operation of CloudFormation and seeing it to its end, whatever happens on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from calamari_py.errors import CalamariError, Cancelled, Indeterminate, TimedOut
from calamari_py.steps.cloudformation.actions.begin import Start, ask, begin
from calamari_py.steps.cloudformation.actions.outputs import tell_begun, tell_state, tell_unknown
from calamari_py.steps.cloudformation.failures.failure import stack_failed
from calamari_py.steps.cloudformation.following.contact import watch_hint
from calamari_py.steps.cloudformation.following.follow import follow
from calamari_py.steps.cloudformation.following.operation import (
    Finished,
    Operation,
    Verb,
    known_events,
    latest_operation,
)
from calamari_py.steps.cloudformation.states import achieved
from calamari_py.steps.cloudformation.tokens import new_token
from calamari_py.steps.cloudformation.values import Stack
from calamari_py.steps.cloudformation.work import Work

_CLEANUP = "_CLEANUP_IN_PROGRESS"
_LOOKS = 3
_BETWEEN_LOOKS = 2.0
_APART = timedelta(seconds=3)


def operate(work: Work, stack: Stack, verb: Verb, start: Start, total: int | None = None) -> Stack:
    """Begin `verb` and follow it; the stack as it is once it was reached, StackFailed if not.

    Raises Indeterminate when nobody can know whether it has begun.
    """
    finished = attempt(work, stack, verb, start, total)
    return conclude(work, finished, verb)


def attempt(
    work: Work, stack: Stack, verb: Verb, start: Start, total: int | None = None, *, place: int = 0
) -> Finished:
    """The same, however it ends. `total` and `place` are those of an `Operation`."""
    operation = Operation(
        stack_id=stack.id,
        name=stack.name,
        verb=verb,
        token=work.token,
        before=stack,
        total=total,
        place=place,
    )
    try:
        operation = replace(operation, known=known_events(work, stack.id))
        begin(work, operation, start)
    except Indeterminate:
        raise
    except CalamariError:
        start.withdraw()
        raise
    except Cancelled:
        begun = ask(start, operation)
        if begun is False:
            start.withdraw()
            raise
        if begun:
            work.report.changed()
            tell_begun(work, stack, verb)
        else:
            tell_unknown(work, operation)
        _let_go(work, operation)
        raise
    work.report.changed()
    tell_begun(work, stack, verb)
    try:
        return follow(work, operation)
    except Cancelled:
        _let_go(work, operation)
        raise
    except TimedOut:
        # Where nothing is to be cancelled the error itself says that CloudFormation goes on.
        if _wants_cancel(work, operation):
            _let_go(work, operation)
        raise


def conclude(work: Work, finished: Finished, verb: Verb) -> Stack:
    """The stack if `verb` was reached; StackFailed with the root cause if not."""
    tell_state(work, finished.stack)
    if reached(verb, finished.stack.status):
        return finished.stack
    raise stack_failed(work, finished, verb=verb)


def reached(verb: str, status: str) -> bool:
    """Whether `verb` did what was asked, though old resources may still be removed."""
    return achieved(verb, status.removesuffix(_CLEANUP))


def _let_go(work: Work, operation: Operation) -> None:
    """Nobody waits any longer. CloudFormation goes on, unless the manifest wants it to stop."""
    hint = watch_hint(work, resume=operation.handle)
    if not (_wants_cancel(work, operation) and _cancel(work, operation, hint)):
        work.report.warn(f"CloudFormation goes on with {operation.title}", hint=hint)


def _wants_cancel(work: Work, operation: Operation) -> bool:
    return work.spec.cancel_update and operation.verb == "update"


def _cancel(work: Work, operation: Operation, hint: str) -> bool:
    """Whether the update is being cancelled: only one that is under way can be, and only ours."""
    try:
        now = work.api.find(operation.stack_id)
        if now is None or now.status != "UPDATE_IN_PROGRESS":
            return False
        if not _is_ours(work, now):
            work.report.warn(
                f"{operation.title} is not cancelled: it may be somebody else's update that runs"
            )
            return False
        work.api.cancel_update(operation.stack_id, token=new_token(work.spec.token_prefix))
    except CalamariError as error:
        work.report.warn(f"{operation.title} could not be cancelled: {error}", error.hint)
        return False
    work.report.warn(
        f"{operation.title} is being cancelled (on_cancel: cancel-update): CloudFormation rolls it "
        "back",
        hint,
    )
    return True


def _is_ours(work: Work, stack: Stack) -> bool:
    """Whether the update that runs is this run's. Its first event may come a moment late; and where
    somebody else's has not come yet, the stack's own time tells of it."""
    for look in range(_LOOKS):
        if look:
            work.clock.sleep(_BETWEEN_LOOKS)
        newest = latest_operation(work, stack)
        if newest is not None and newest.token == work.token and newest.ended is None:
            began, updated = newest.began, stack.updated
            return began is None or updated is None or updated - began < _APART
    return False
