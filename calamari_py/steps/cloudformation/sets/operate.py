"""Starting an operation on a stack set and seeing it to its end."""

from __future__ import annotations

from collections.abc import Callable

from calamari_py.errors import (
    CalamariError,
    Cancelled,
    CloudError,
    Indeterminate,
)
from calamari_py.steps.cloudformation.contact import LONGEST_PAUSE, is_passing, watch_hint
from calamari_py.steps.cloudformation.operate import new_token
from calamari_py.steps.cloudformation.polling import rest
from calamari_py.steps.cloudformation.sets.api import is_unknown_operation
from calamari_py.steps.cloudformation.sets.follow import follow, wait_for_others
from calamari_py.steps.cloudformation.sets.values import Ended
from calamari_py.steps.cloudformation.sets.work import SetWork


def operate(work: SetWork, title: str, send: Callable[[str], str]) -> Ended:
    """Begin an operation and follow it, however it ends. `send` asks AWS for it with a token, as
    often as need be, and gives the operation's id.

    Raises Indeterminate when nobody can know whether it has begun.
    """
    token = new_token(work.spec.token_prefix)
    work.report.line(f"{title}: operation '{token}'")
    try:
        operation_id = _begin(work, token, title, send)
    except Cancelled:
        if _has_begun(work, token) is not False:
            _let_go(work, title)
        raise
    work.report.changed()
    try:
        return follow(work, operation_id, title)
    except Cancelled:
        _let_go(work, title)
        raise


def _begin(work: SetWork, token: str, title: str, send: Callable[[str], str]) -> str:
    """Have AWS begin it. An answer that is lost says nothing: it may have begun all the same."""
    since: float | None = None
    pause = 1.0
    while True:
        try:
            return send(token)
        except CalamariError as error:
            code = error.code if isinstance(error, CloudError) else ""
            if code.startswith("OperationIdAlreadyExists"):
                return token
            if code.startswith("OperationInProgress"):
                _give_way(work, title)
                continue
            if not is_passing(error):
                # The one before it may have been taken: this one is refused because of that.
                if since is not None and _has_begun(work, token):
                    return token
                raise
            now = work.clock.monotonic()
            since = now if since is None else since
            begun = _has_begun(work, token)
            if begun:
                return token
            if now - since >= work.spec.patience or _is_over(work):
                raise _never_heard(work, title, error, begun) from error
            work.report.note(f"{title} has not begun yet: {error.message}")
        rest(work, pause)
        pause = min(LONGEST_PAUSE, pause * 2)


def _give_way(work: SetWork, title: str) -> None:
    """One operation at a time: somebody else was faster."""
    work.deadline.check(f"{work.shown} to be free for {title}")
    rest(work, work.spec.poll_interval)
    wait_for_others(work)


def _has_begun(work: SetWork, token: str) -> bool | None:
    """Whether AWS knows the operation; None where it does not say."""
    try:
        work.api.operation(token)
    except CloudError as error:
        return False if is_unknown_operation(error) else None
    except CalamariError:
        return None
    return True


def _never_heard(
    work: SetWork, title: str, error: CalamariError, begun: bool | None
) -> CalamariError:
    if begun is False:
        return error
    cloud = error if isinstance(error, CloudError) else None
    return Indeterminate(
        f"contact with AWS was lost at the start of {title}: nobody knows whether it has begun",
        service="cloudformation",
        operation=cloud.operation if cloud else "DescribeStackSetOperation",
        code=cloud.code if cloud else "LostContact",
        hint=watch_hint(work, error.hint),
    )


def _is_over(work: SetWork) -> bool:
    left = work.deadline.left()
    return left is not None and left <= 0


def _let_go(work: SetWork, title: str) -> None:
    work.report.warn(f"CloudFormation goes on with {title}", watch_hint(work))
