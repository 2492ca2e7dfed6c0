"""Action ``watch``: what runs on the stack, or ran last, to its true outcome, whoever began it; or
one operation, ``--resume``, whatever came after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial

from calamari_py.errors import TimedOut
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.cloudformation.actions.endings import only_looked, refusal
from calamari_py.steps.cloudformation.actions.operate import conclude
from calamari_py.steps.cloudformation.actions.outputs import publish_outputs, tell_state
from calamari_py.steps.cloudformation.actions.settle import explained, missing
from calamari_py.steps.cloudformation.failures.ways import Way, command_row
from calamari_py.steps.cloudformation.following.contact import watch_hint
from calamari_py.steps.cloudformation.following.follow import LAG, follow
from calamari_py.steps.cloudformation.following.operation import (
    Finished,
    Operation,
    latest_operation,
    operation_of,
)
from calamari_py.steps.cloudformation.following.polling import ask_patiently, rest
from calamari_py.steps.cloudformation.states import Phase, describe
from calamari_py.steps.cloudformation.values import Stack
from calamari_py.steps.cloudformation.work import Work

_OPERATION = "DescribeStacks"


def watch(work: Work) -> StepOutcome:
    """Follow it. The outcome is that of the operation: a stack that was rolled back has failed.

    Nobody can say whether it was this step's, so `changed` is not known.
    """
    stack_id, _, token = (work.spec.resume or work.spec.stack_name).partition("#")
    stack = ask_patiently(work, lambda: work.api.find(stack_id), f"stack '{stack_id}'")
    if stack is None:
        raise missing(work, _OPERATION)
    tell_state(work, stack)
    if work.spec.dry_run:
        work.report.line(f"stack '{stack.name}' is {stack.status}: only looked, not followed")
        return only_looked(work, stack.name, stack.status, pending=False)
    if token:
        operation = _resumed(work, stack, token)
        return _ended(work, operation, _follow(work, operation))
    return _watch_latest(work, stack)


def _watch_latest(work: Work, stack: Stack) -> StepOutcome:
    """What runs or ran last; and what was begun while it was followed."""
    if describe(stack.status).phase is Phase.REVIEW:
        execute = command_row(work, "execute", "execute")
        way = Way(hint="execute the change set that is meant", rows=(execute,))
        raise explained(work, stack, _OPERATION, way)
    done: datetime | None = None
    while True:
        stack, operation = _latest(work, stack, done)
        if operation is None:
            return _without_events(work, stack)
        finished = _follow(work, operation)
        if not finished.superseded:
            return _ended(work, operation, finished)
        done = operation.began
        stack = _again(work, stack)


def _latest(work: Work, stack: Stack, done: datetime | None) -> tuple[Stack, Operation | None]:
    """What runs or ran last, and the stack with it; None where no event tells of it. Events come
    later than the status: while something runs they may still end with the operation before.
    `done` is when the last one began that is known to be over."""
    has_run, quiet, past = done is not None, None, done
    while True:
        look = partial(latest_operation, work, stack)
        operation = ask_patiently(work, look, f"the events of stack '{stack.name}'")
        runs = describe(stack.status).phase is Phase.IN_PROGRESS
        if operation is not None:
            is_stale = not runs and _explains(stack, operation) and not _is_past(operation, past)
            if is_stale or not _is_over(stack, operation, done):
                return stack, operation
        if runs:
            has_run, quiet = True, None
            done = operation.began if operation is not None else done
        elif operation is None and not has_run:
            return stack, None
        else:
            quiet = work.clock.monotonic() if quiet is None else quiet
            if work.clock.monotonic() - quiet >= LAG:
                return stack, None
        _wait(work, f"the events of what runs on stack '{stack.name}' ({stack.status})")
        stack = _again(work, stack)


def _is_over(stack: Stack, operation: Operation, done: datetime | None) -> bool:
    """Whether something else has begun since."""
    if _is_past(operation, done):
        return True
    if operation.ended is None:
        return False
    runs = describe(stack.status).phase is Phase.IN_PROGRESS
    return runs or (stack.updated is not None and stack.updated > operation.ended)


def _is_past(operation: Operation, done: datetime | None) -> bool:
    return done is not None and operation.began is not None and operation.began <= done


def _explains(stack: Stack, operation: Operation) -> bool:
    """Whether the stack is as this operation has left it: it was its status that was late."""
    if operation.ended is None or describe(stack.status).verb != operation.verb:
        return False
    updated = stack.updated
    return operation.verb == "create" or (updated is not None and updated <= operation.ended)


def _resumed(work: Work, stack: Stack, token: str) -> Operation:
    """The operation with `token`; StackFailed when there is none."""
    since = work.clock.monotonic()
    look = partial(operation_of, work, stack, token)
    while True:
        operation = ask_patiently(work, look, f"the events of stack '{stack.name}'")
        if operation is not None:
            return operation
        if work.clock.monotonic() - since >= LAG:
            raise refusal(
                f"no event of stack '{stack.name}' tells of an operation '{token}'",
                operation="DescribeStackEvents",
                hint="it has never begun, or it is more than 90 days ago: watch without '--resume' "
                "to see what was done last",
            )
        _wait(work, f"the events of operation '{token}' of stack '{stack.name}'")


def _wait(work: Work, waiting_for: str) -> None:
    try:
        work.deadline.check(waiting_for)
    except TimedOut as error:
        raise TimedOut(error.message, hint=watch_hint(work)) from None
    rest(work, work.spec.poll_interval)


def _again(work: Work, stack: Stack) -> Stack:
    look = partial(work.api.find, stack.id)
    there = ask_patiently(work, look, f"stack '{stack.name}'")
    there = there or replace(stack, status="DELETE_COMPLETE")
    tell_state(work, there)
    return there


def _follow(work: Work, operation: Operation) -> Finished:
    by = f" by {operation.token}" if operation.token else ""
    began = f", begun {operation.began:%Y-%m-%d %H:%M:%S}Z" if operation.began else ""
    work.report.line(f"following {operation.title}{by}{began}")
    return follow(work, operation)


def _ended(work: Work, operation: Operation, finished: Finished) -> StepOutcome:
    done = conclude(work, finished, operation.verb)
    if describe(done.status).phase is not Phase.DELETED:
        publish_outputs(work, done)
    return StepOutcome(code=0, changed=None)


def _without_events(work: Work, stack: Stack) -> StepOutcome:
    """AWS keeps events for 90 days: the status is all that is left of what was before."""
    if not describe(stack.status).succeeded:
        raise explained(work, stack, _OPERATION)
    work.report.line(f"nothing runs on stack '{stack.name}', and no event tells of what ran last")
    if describe(stack.status).phase is not Phase.DELETED:
        publish_outputs(work, stack)
    return StepOutcome(code=0, changed=None)
