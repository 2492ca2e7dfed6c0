"""Others at work on a stack: who they are, and waiting until they are done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

from calamari_py.errors import CloudError, IdentityError, TimedOut
from calamari_py.identity import elapsed_text
from calamari_py.steps.cloudformation.actions.outputs import tell_state
from calamari_py.steps.cloudformation.following.contact import Contact, watch_hint
from calamari_py.steps.cloudformation.following.operation import Operation, latest_operation
from calamari_py.steps.cloudformation.states import describe
from calamari_py.steps.cloudformation.values import Stack
from calamari_py.steps.cloudformation.work import Work


def wait_for_others(work: Work, stack: Stack) -> Stack:
    """The stack once nobody works on it any longer. Says who does; bounded by the step's time."""
    tell_state(work, stack)
    operation = _at_work(work, stack)
    who = _who(operation)
    work.report.line(f"stack '{stack.name}' is {stack.status}: waiting for {who}")
    begun = work.clock.now() if operation is None else operation.began or work.clock.now()
    contact = Contact(work, None)
    while not describe(stack.status).is_terminal:
        since = elapsed_text((work.clock.now() - begun).total_seconds())
        _check_time(work, stack, f"{who} ({since}), with stack '{stack.name}' in {stack.status}")
        work.report.progress(None, f"waiting for {who}, {stack.status}, {since}")
        contact.pause()
        try:
            found = work.api.find(stack.id)
        except (CloudError, IdentityError) as error:
            contact.failed(error)
            continue
        contact.answered()
        found = found or replace(stack, status="DELETE_COMPLETE")
        if found.status != stack.status:
            tell_state(work, found)
        stack = found
    work.report.line(f"stack '{stack.name}' is {stack.status}: going on")
    return stack


def _check_time(work: Work, stack: Stack, waiting_for: str) -> None:
    try:
        work.deadline.check(waiting_for)
    except TimedOut as error:
        raise TimedOut(
            error.message,
            hint=f"nothing was begun: run again when stack '{stack.name}' is free, or give it more "
            f"time ('timeout'); {watch_hint(work)}",
        ) from None


def _at_work(work: Work, stack: Stack) -> Operation | None:
    """What runs; None when nobody can know: its events may be late, and those of the operation
    before name somebody who is done."""
    try:
        operation = latest_operation(work, stack)
    except (CloudError, IdentityError) as error:
        work.report.note(f"who works on stack '{stack.name}' is unknown: {error}")
        return None
    return None if operation is None or operation.ended is not None else operation


def _who(operation: Operation | None) -> str:
    """``'Console-UpdateStack-1b2c', at work since 09:30:12Z``."""
    if operation is None:
        return "somebody unknown"
    who = f"'{operation.token}'" if operation.token else "somebody without a request token"
    if operation.began is None:
        return who
    return f"{who}, at work since {operation.began.astimezone(UTC):%H:%M:%S}Z"
