"""Starting an operation on a stack set and seeing it to its end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from calamari_py.errors import CalamariError, Cancelled, CloudError, Indeterminate, Temporary
from calamari_py.steps.cloudformation.following.contact import (
    LONGEST_PAUSE,
    is_passing,
    nobody_knows,
    watch_hint,
)
from calamari_py.steps.cloudformation.following.polling import ask_patiently, rest
from calamari_py.steps.cloudformation.service.refused import is_denied
from calamari_py.steps.cloudformation.sets.api import is_unknown_operation
from calamari_py.steps.cloudformation.sets.follow import follow
from calamari_py.steps.cloudformation.sets.values import Ended
from calamari_py.steps.cloudformation.sets.work import SetWork
from calamari_py.steps.cloudformation.tokens import new_token


def operate(work: SetWork, title: str, send: Callable[[str], object]) -> Ended:
    """Begin an operation and follow it, however it ends. `send` asks AWS for it with a token, as
    often as need be: the token is the operation's id.

    Raises Indeterminate when nobody can know whether it has begun, or how it ended. A CloudError of
    another type says that nothing was begun.
    """
    token = new_token(work.spec.token_prefix)
    _prove_sight(work, token, title)
    work.report.line(f"{title}: operation '{token}'")
    has_begun = partial(_is_known, work, token)
    try:
        make_sure(work, f"{title} to begin", lambda: send(token), has_begun)
    except Cancelled:
        begun = _ask(has_begun)
        if begun:
            work.tell_begun(token)
        if begun is not False:
            _let_go(work, title)
        raise
    work.tell_begun(token)
    try:
        return follow(work, token, title)
    except Cancelled:
        _let_go(work, title)
        raise


def make_sure(
    work: SetWork, waiting_for: str, send: Callable[[], object], is_done: Callable[[], bool]
) -> None:
    """Have AWS take a request, whatever its answers are. An answer that is lost says nothing, and
    neither does a refusal: what is refused may be the second of two requests, the door repeats one
    whose connection broke. `is_done` says whether what was asked for is there.

    Raises Indeterminate when nobody can know. Any other error says that AWS has not taken it.
    """
    since, pause = work.clock.monotonic(), 1.0
    is_lost = False
    while True:
        try:
            send()
        except CalamariError as error:
            failure = error
        else:
            return
        done = _ask(is_done)
        if done:
            return
        is_lost = is_lost or isinstance(failure, Temporary)
        may_pass = is_passing(failure) or (is_lost and is_busy(failure))
        silent = work.clock.monotonic() - since
        if not may_pass or silent >= work.spec.patience or work.deadline.is_over:
            break
        work.report.note(f"waiting for {waiting_for}: {failure.message}")
        rest(work, pause)
        pause = min(LONGEST_PAUSE, pause * 2)
    if done is None and (is_lost or _is_odd(failure)):
        raise unknown(work, waiting_for, failure) from failure
    if may_pass:
        work.deadline.check(waiting_for)
    raise failure


def is_busy(error: CalamariError) -> bool:
    """Whether AWS says that another operation runs on the set."""
    return isinstance(error, CloudError) and error.code.startswith("OperationInProgress")


def _is_odd(error: CalamariError) -> bool:
    """Whether an error does not say for sure that AWS has taken nothing."""
    return isinstance(error, CloudError) and not (is_passing(error) or is_denied(error))


def _prove_sight(work: SetWork, token: str, title: str) -> None:
    """What may not be looked at is not begun: nobody could tell what became of it."""
    try:
        ask_patiently(work, partial(_is_known, work, token), f"a word about {title}")
    except CloudError as error:
        # Of an operation that is not there AWS may say anything but that nobody may ask.
        if is_denied(error) or is_passing(error):
            raise


def _is_known(work: SetWork, token: str) -> bool:
    """Whether the set has the operation."""
    try:
        work.api.operation(token)
    except CloudError as error:
        if is_unknown_operation(error):
            return False
        raise
    return True


def _ask(is_done: Callable[[], bool]) -> bool | None:
    """None where AWS does not say."""
    try:
        return is_done()
    except CalamariError:
        return None


def unknown(work: SetWork, waiting_for: str, error: CalamariError) -> Indeterminate:
    """The error of a request that AWS may have taken, or not."""
    return nobody_knows(
        f"contact with AWS was lost while waiting for {waiting_for}: nobody knows whether AWS has "
        f"taken the request ({error})",
        error,
        operation="DescribeStackSetOperation",
        hint=watch_hint(work),
    )


def _let_go(work: SetWork, title: str) -> None:
    work.report.warn(f"CloudFormation goes on with {title}", watch_hint(work))
