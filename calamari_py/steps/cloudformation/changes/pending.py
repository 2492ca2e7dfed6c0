"""Change sets that wait for approval: which one is executed, and which are replaced."""

from __future__ import annotations

from calamari_py.errors import CalamariError, StackFailed
from calamari_py.steps.cloudformation.actions.endings import refusal
from calamari_py.steps.cloudformation.changes.ownership import (
    is_of_step,
    is_ours,
    waits_for_approval,
)
from calamari_py.steps.cloudformation.changes.prepared import insist
from calamari_py.steps.cloudformation.following.polling import ask_patiently
from calamari_py.steps.cloudformation.values import ChangeSet, Stack
from calamari_py.steps.cloudformation.work import Work

_MAKE_ONE = "make one with '--action change-set', look at it, and execute it then"


def leaves_for_approval(work: Work) -> bool:
    """Whether this run only prepares, for another one to carry out."""
    spec = work.spec
    only_looks = spec.dry_run or spec.action == "diff"
    return not only_looks and (spec.action == "change-set" or spec.change_set.approve == "manual")


def replace_older(work: Work, newest: ChangeSet) -> None:
    """Delete what this step has left for approval before `newest`: there is one answer then to what
    ``--action execute`` carries out. What cannot be deleted is a warning."""
    try:
        for one in insist(work, lambda: work.api.change_sets(newest.stack_id)):
            if _is_replaced(one, newest, work.spec.token_prefix):
                _delete(work, one)
    except CalamariError as error:
        work.report.warn(
            f"older change sets of stack '{work.spec.stack_name}' may still wait for approval: "
            f"{error.message}",
            error.hint,
        )


def find_pending(work: Work, stack: Stack) -> ChangeSet:
    """The change set to execute, with its changes: the one that the manifest names, whoever made
    it, or the only one that waits for approval. StackFailed when there is none, more than one, it
    was never meant to be approved, or it cannot be executed."""
    named = work.spec.change_set.name
    found = _named(work, stack, named) if named is not None else _only_one(work, stack)
    if found.execution != "AVAILABLE":
        raise _refused(_why_not(found, stack.name))
    pending = found.id
    return ask_patiently(work, lambda: work.api.change_set(pending), f"change set '{found.name}'")


def _is_replaced(one: ChangeSet, newest: ChangeSet, token_prefix: str) -> bool:
    if one.id == newest.id or one.execution != "AVAILABLE":
        return False
    if not waits_for_approval(one) or not is_of_step(one, token_prefix):
        return False
    return one.created is None or newest.created is None or one.created <= newest.created


def _delete(work: Work, older: ChangeSet) -> None:
    insist(work, lambda: work.api.delete_change_set(older.id))
    work.report.line(f"change set '{older.name}' of an earlier run is replaced by this one")


def _named(work: Work, stack: Stack, name: str) -> ChangeSet:
    found = ask_patiently(
        work, lambda: work.api.named_change_set(stack.id, name), f"change set '{name}'"
    )
    if found is None:
        raise _refused(f"stack '{stack.name}' has no change set '{name}'")
    if is_ours(found) and not waits_for_approval(found):
        raise _refused(
            f"change set '{name}' of stack '{stack.name}' was never left for approval: the run "
            "that made it would have executed it itself, or only looked"
        )
    return found


def _only_one(work: Work, stack: Stack) -> ChangeSet:
    known = ask_patiently(
        work, lambda: work.api.change_sets(stack.id), f"change sets of stack '{stack.name}'"
    )
    left = [one for one in known if waits_for_approval(one)]
    ready = [one for one in left if one.execution == "AVAILABLE"]
    own = [one for one in ready if is_of_step(one, work.spec.token_prefix)]
    for some in (own, ready):
        if len(some) == 1:
            return some[0]
    if ready:
        names = ", ".join(f"'{one.name}'" for one in ready)
        raise _refused(
            f"stack '{stack.name}' has more than one change set that waits for approval: {names}",
            hint="name one of them under 'change_set.name'",
        )
    if left:
        newest = max(left, key=lambda one: one.created.timestamp() if one.created else 0.0)
        raise _refused(_why_not(newest, stack.name))
    others = ", ".join(f"'{one.name}'" for one in known if not is_ours(one))
    raise _refused(
        f"stack '{stack.name}' has no change set that waits for approval",
        hint=f"{_MAKE_ONE}; to execute {others}, name it under 'change_set.name'"
        if others
        else _MAKE_ONE,
    )


def _why_not(change_set: ChangeSet, stack_name: str) -> str:
    shown = f"change set '{change_set.name}' of stack '{stack_name}'"
    if change_set.execution == "OBSOLETE":
        return f"{shown} is obsolete: the stack was changed after it was made"
    if change_set.execution == "EXECUTE_COMPLETE":
        return f"{shown} is executed already"
    if change_set.execution == "EXECUTE_IN_PROGRESS":
        return f"{shown} is being executed already"
    state = change_set.execution if change_set.status == "CREATE_COMPLETE" else change_set.status
    reason = f": {change_set.reason.rstrip('. ')}" if change_set.reason else ""
    return f"{shown} cannot be executed, it is in {state or 'no known state'}{reason}"


def _refused(message: str, *, hint: str = _MAKE_ONE) -> StackFailed:
    return refusal(message, operation="ExecuteChangeSet", code="NoChangeSet", hint=hint)
