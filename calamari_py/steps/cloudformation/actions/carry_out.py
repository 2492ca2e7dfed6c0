"""Carrying out a change set, once it is judged: shared by ``deploy`` and ``execute``."""

from __future__ import annotations

import re
from collections.abc import Callable

from calamari_py.errors import CloudError, Indeterminate, StackFailed
from calamari_py.steps.cloudformation.actions.begin import Start, told_by_events
from calamari_py.steps.cloudformation.actions.endings import refusal
from calamari_py.steps.cloudformation.actions.operate import attempt, conclude, reached
from calamari_py.steps.cloudformation.actions.settle import explained
from calamari_py.steps.cloudformation.changes.changes import (
    counted_refusals,
    counts,
    named_refusals,
    refusals,
)
from calamari_py.steps.cloudformation.following.operation import Operation, Verb
from calamari_py.steps.cloudformation.links import resume_command
from calamari_py.steps.cloudformation.service.refused import is_missing_change_set
from calamari_py.steps.cloudformation.states import Phase, describe
from calamari_py.steps.cloudformation.values import ChangeSet, Stack
from calamari_py.steps.cloudformation.work import Work

_OVERTAKEN = frozenset({
    "InvalidChangeSetStatus", "InvalidChangeSetStatusException",
    "ChangeSetNotFound", "ChangeSetNotFoundException",
})  # fmt: skip
_MOVED = re.compile(
    r" is in [A-Z_]+ state|already exists and cannot be created again|Stack \[\S+\] does not exist"
)
"""What AWS says of a stack that is no longer what it was a moment ago."""


def check_gate(work: Work, change_set: ChangeSet) -> None:
    """StackFailed that lists everything which ``change_set.refuse`` does not allow."""
    refused = refusals(change_set, work.spec.change_set.refuse)
    if not refused:
        return
    work.report.fact("refused", [one.sentence for one in refused])
    raise refusal(
        f"refused by 'change_set.refuse': {counted_refusals(refused)}",
        operation="ExecuteChangeSet",
        code="ChangeRefused",
        evidence=[f"refused\t{named_refusals(refused)}"],
        hint="nothing was executed; change the template, or shorten 'change_set.refuse' for once",
    )


def check_keep(work: Work, stack: Stack) -> None:
    """StackFailed for what failed and was kept, unless it is to be kept again: AWS wants that."""
    if describe(stack.status).needs_keep and not work.spec.keep_on_failure:
        raise explained(work, stack, "ExecuteChangeSet")


def carry_out(
    work: Work,
    stack: Stack,
    change_set: ChangeSet,
    *,
    withdraw: Callable[[], object] = lambda: None,
) -> Stack:
    """Execute `change_set` and follow it to its truth; the stack as it is then.

    `withdraw` takes back what this run has made for it when nothing was begun.
    """
    verb: Verb = "create" if describe(stack.status).phase is Phase.REVIEW else "update"
    if any(change.action == "Import" for change in change_set.changes):
        verb = "import"

    def send() -> None:
        work.api.execute(change_set.id, token=work.token, keep=work.spec.keep_on_failure)

    def begun(operation: Operation) -> bool | None:
        try:
            state = work.api.change_set_state(change_set.id)
        except CloudError as error:
            if not is_missing_change_set(error):
                raise
            # AWS keeps the one that it carries out: somebody has deleted this, or the stack.
            return bool(told_by_events(work, operation))
        if not state.execution.startswith("EXECUTE_"):
            return False
        # Somebody else may have executed it.
        return told_by_events(work, operation)

    start = Start(send=send, begun=begun, withdraw=withdraw)
    total = None if change_set.unread else len(change_set.changes) or None
    place = max((len(change.shown_id) for change in change_set.changes), default=0)
    finished = attempt(work, stack, verb, start, total, place=place)
    if work.spec.keep_on_failure and not reached(verb, finished.stack.status):
        _tell_kept(work, finished.stack)
    return conclude(work, finished, verb)


def was_overtaken(error: CloudError) -> bool:
    """Whether AWS refuses because somebody else did something to the stack in between. What comes
    after our own operation has begun is never that: it is Indeterminate, or the stack's failure."""
    if isinstance(error, Indeterminate | StackFailed):
        return False
    if error.code in _OVERTAKEN:
        return True
    return error.code == "ValidationError" and _MOVED.search(error.message) is not None


def overtaken(work: Work, error: CloudError) -> StackFailed:
    """Somebody else is faster all the time."""
    return refusal(
        f"somebody else changed stack '{work.spec.stack_name}' meanwhile: {error}",
        operation=error.operation,
        code=error.code,
        hint="have one deployment of a stack at a time, and run this one again",
    )


def counted(change_set: ChangeSet) -> str:
    """``2 added, 1 modified``."""
    said = [f"{number} {name}" for name, number in counts(change_set).items() if number]
    return ", ".join(said) or "no resource changes"


def _tell_kept(work: Work, stack: Stack) -> None:
    roll_back = resume_command(work.context.rerun, "rollback")
    if describe(stack.status).needs_keep:
        work.report.line(
            f"what was done to stack '{stack.name}' is kept (on_failure: keep): correct the cause "
            f"and deploy again, or go back: {roll_back}"
        )
