"""Starting an operation of CloudFormation and seeing it to its end, whatever happens on the way."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from calamari_py.errors import (
    CalamariError,
    Cancelled,
    CloudError,
    IdentityError,
    Indeterminate,
    StackFailed,
    Temporary,
    TimedOut,
)
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.cloudformation.contact import LONGEST_PAUSE, watch_hint
from calamari_py.steps.cloudformation.failure import stack_failed
from calamari_py.steps.cloudformation.follow import follow
from calamari_py.steps.cloudformation.operation import Finished, Operation, Verb, known_events
from calamari_py.steps.cloudformation.outputs import tell_state
from calamari_py.steps.cloudformation.states import achieved
from calamari_py.steps.cloudformation.values import Stack
from calamari_py.steps.cloudformation.work import Waiting, Work

_CLEANUP = "_CLEANUP_IN_PROGRESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How an operation is begun. `send` asks AWS for it, as often as need be: the request token
    makes one of many. `begun` says whether AWS has taken it, None where nobody can know, and
    `withdraw` takes back what was prepared for an operation that has not begun."""

    send: Callable[[], None]
    begun: Callable[[], bool]
    withdraw: Callable[[], None] = lambda: None


def new_token(prefix: str) -> str:
    """A client request token that nobody has used."""
    return f"{prefix}-{secrets.token_hex(6)}"


def anew(work: Work) -> Work:
    """The same with another token: to AWS a second operation with the first one's would be the
    first one."""
    return replace(work, token=new_token(work.spec.token_prefix))


def operate(work: Work, stack: Stack, verb: Verb, start: Start, total: int | None = None) -> Stack:
    """Begin `verb` and follow it; the stack as it is once it was reached, StackFailed if not.

    Raises Indeterminate when nobody can know whether it has begun.
    """
    finished = attempt(work, stack, verb, start, total)
    return conclude(work, finished, verb)


def attempt(
    work: Work, stack: Stack, verb: Verb, start: Start, total: int | None = None
) -> Finished:
    """The same, however it ends."""
    try:
        operation = Operation(
            stack_id=stack.id,
            name=stack.name,
            verb=verb,
            token=work.token,
            known=known_events(work, stack.id),
            began=None,
            total=total,
        )
        _begin(work, operation, start)
    except Indeterminate:
        raise
    except CalamariError:
        start.withdraw()
        raise
    except Cancelled:
        if _ask(start.begun) is False:
            start.withdraw()
        else:
            _let_go(work, stack, verb)
        raise
    work.report.changed()
    try:
        return follow(work, operation)
    except Cancelled:
        _let_go(work, stack, verb)
        raise
    except TimedOut:
        # Its own hint says how to go on.
        _cancel(work, stack, verb)
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


def only_looked(work: Waiting, name: str, would: str) -> StepOutcome:
    """The outcome of a rehearsal. Nothing was changed, but it is not that there was nothing to
    change: `changed` is unknown."""
    work.report.ending(f"{name}: {would}")
    return StepOutcome(code=0, changed=None)


def was_moved(work: Work, stack: Stack) -> bool:
    """Whether the stack is no longer in the state it was in."""
    there = work.api.find(stack.id)
    return there is None or there.status != stack.status


def refusal(
    message: str,
    *,
    operation: str,
    code: str = "",
    hint: str | None = None,
    evidence: Sequence[str] = (),
) -> StackFailed:
    """A step that ends because of what its stack is, not of what AWS answered."""
    return StackFailed(
        message,
        service="cloudformation",
        operation=operation,
        code=code,
        hint=hint,
        evidence=evidence,
    )


def _begin(work: Work, operation: Operation, start: Start) -> None:
    """Have AWS begin it. An answer that is lost says nothing: it may have begun all the same."""
    lost: Temporary | None = None
    since, pause = work.clock.monotonic(), work.spec.poll_interval
    known: bool | None = None
    while True:
        try:
            start.send()
        except Temporary as error:
            lost = error
        except CloudError:
            # The one before it may have been taken: this one is refused because of that.
            if lost is None or _ask(start.begun) is not True:
                raise
            return
        else:
            return
        known = _ask(start.begun)
        if known:
            return
        if work.clock.monotonic() - since >= work.spec.patience or _is_over(work):
            break
        work.clock.sleep(pause * (0.5 + work.clock.jitter()))
        pause = min(LONGEST_PAUSE, pause * 2)
    if known is False:
        work.deadline.check(f"AWS to begin the {operation.verb} of stack '{operation.name}'")
        raise lost
    raise Indeterminate(
        f"contact with AWS was lost while the {operation.verb} of stack '{operation.name}' was "
        f"started: nobody knows whether it has begun",
        service=lost.service,
        operation=lost.operation,
        code=lost.code,
        hint=watch_hint(work),
    ) from None


def _is_over(work: Work) -> bool:
    left = work.deadline.left()
    return left is not None and left <= 0


def _ask(begun: Callable[[], bool]) -> bool | None:
    try:
        return begun()
    except (CloudError, IdentityError):
        return None


def _let_go(work: Work, stack: Stack, verb: Verb) -> None:
    """Nobody waits any longer. CloudFormation goes on, unless the manifest wants it to stop."""
    if not _cancel(work, stack, verb):
        work.report.warn(
            f"CloudFormation goes on with the {verb} of stack '{stack.name}'", hint=watch_hint(work)
        )


def _cancel(work: Work, stack: Stack, verb: Verb) -> bool:
    """Whether the update is being cancelled: wanted, and only one that is under way can be."""
    if not work.spec.cancel_update or verb != "update":
        return False
    try:
        now = work.api.find(stack.id)
        if now is None or now.status != "UPDATE_IN_PROGRESS":
            return False
        work.api.cancel_update(stack.id, token=new_token(work.spec.token_prefix))
    except CalamariError as error:
        work.report.warn(
            f"the update of stack '{stack.name}' could not be cancelled: {error}", error.hint
        )
        return False
    work.report.warn(
        f"the update of stack '{stack.name}' is being cancelled (on_cancel: cancel-update): "
        "CloudFormation rolls it back",
        hint=watch_hint(work),
    )
    return True
