"""Actions ``deploy``, ``change-set`` and ``diff``: look, prepare, judge, carry out.

::

    look ── nobody's, or in review ──▶ change set CREATE ─┐
     │ ├─── whole ───────────────────▶ change set UPDATE ─┤─▶ diff ─▶ gate ─▶ execute ─▶ follow
     │ ├─── others at work ──▶ wait, look again           │           (or stop here)
     │ ├─── never created ───▶ explain, or delete and create anew
     │ └─── stuck ───────────▶ explain                    │
     └────────── somebody was faster, look again ◀────────┘
"""

from __future__ import annotations

import shlex
from contextlib import ExitStack

from calamari_py.errors import CloudError
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.cloudformation.actions.carry_out import (
    carry_out,
    check_gate,
    check_keep,
    counted,
    overtaken,
    was_overtaken,
)
from calamari_py.steps.cloudformation.actions.endings import only_looked
from calamari_py.steps.cloudformation.actions.outputs import publish_outputs, tell_state
from calamari_py.steps.cloudformation.actions.recreate import prove_never_lived, remove_failed
from calamari_py.steps.cloudformation.actions.settings import apply_settings
from calamari_py.steps.cloudformation.actions.settle import explained, missing, root_of, settle
from calamari_py.steps.cloudformation.changes.change_sets import prepare
from calamari_py.steps.cloudformation.changes.changes import report_changes
from calamari_py.steps.cloudformation.changes.pending import leaves_for_approval, replace_older
from calamari_py.steps.cloudformation.changes.prepared import Prepared, discard
from calamari_py.steps.cloudformation.failures.ways import Way, command_row
from calamari_py.steps.cloudformation.following.others import wait_for_others
from calamari_py.steps.cloudformation.following.polling import ask_patiently, rest
from calamari_py.steps.cloudformation.links import resume_command
from calamari_py.steps.cloudformation.states import Phase, describe
from calamari_py.steps.cloudformation.tokens import anew
from calamari_py.steps.cloudformation.values import ChangeSet, Stack
from calamari_py.steps.cloudformation.work import Work

_TRIES = 3
_OPERATION = "CreateChangeSet"


def deploy(work: Work) -> StepOutcome:
    """Bring the stack to what the template says, or stop where the manifest wants to look first."""
    before: object = ()
    for left in reversed(range(_TRIES)):
        stack = None
        try:
            stack = _ready(work)
            return _try(work, stack)
        except CloudError as error:
            now = stack and (stack.id, stack.status, stack.updated)
            if not was_overtaken(error) or (not left and now == before):
                raise
            if not left:
                raise overtaken(work, error) from error
            work.report.line(f"somebody else was faster ({error}): looking at the stack again")
            before = now
        work.deadline.check(f"stack '{work.spec.stack_name}', which others work on")
        rest(work, work.spec.poll_interval)
        work = anew(work)
    raise AssertionError


def _try(work: Work, stack: Stack | None) -> StepOutcome:
    if stack is not None and _recreates(work, stack):
        return _would_recreate(work, stack)
    prepared = prepare(work, stack)
    change_set = prepared.change_set
    with ExitStack() as undo:
        undo.callback(discard, work, prepared)
        work.report.fact("change_set", {"id": change_set.id, "name": change_set.name})
        if prepared.no_changes:
            undo.close()
            return _unchanged(work, change_set)
        report_changes(work.report, change_set)
        check_gate(work, change_set)
        if _only_looks(work):
            undo.pop_all()
            return _rehearsed(work, change_set, is_gone=discard(work, prepared))
        if leaves_for_approval(work):
            undo.pop_all()
            return _left_for_approval(work, prepared)
        there = stack
        if there is None or there.id != change_set.stack_id:
            # Not there at the first look, or made anew since.
            there = _look_again(work, change_set, "ExecuteChangeSet")
        # From here on it is taken back only where it has not begun.
        undo.pop_all()
    done = carry_out(work, there, change_set, withdraw=lambda: discard(work, prepared))
    publish_outputs(work, done)
    apply_settings(work, done)
    return StepOutcome(code=0, changed=True)


def _ready(work: Work) -> Stack | None:
    """The stack as a change set can be made for it. One that was never created is only returned
    where nothing may be changed."""
    stack = settle(work)
    if stack is None:
        return None
    tell_state(work, stack)
    status = describe(stack.status)
    if _recreates(work, stack):
        if _only_looks(work):
            prove_never_lived(work, stack)
            return stack
        remove_failed(work, stack)
        return _ready(work)
    if status.phase is Phase.NEVER_CREATED:
        raise explained(work, stack, _OPERATION, _never_created(work))
    if status.needs_keep and work.spec.action == "deploy":
        check_keep(work, stack)
    if status.phase in (Phase.ROLLBACK_STUCK, Phase.DELETE_STUCK, Phase.UNKNOWN):
        raise explained(work, stack, _OPERATION)
    _warn_of_oddities(work, stack)
    return None if status.phase is Phase.DELETED else stack


def _recreates(work: Work, stack: Stack) -> bool:
    """Whether the manifest wants a creation that failed to be out of the way."""
    spec = work.spec
    if not spec.recreate_failed or spec.action not in ("deploy", "diff"):
        return False
    if spec.change_set.approve == "manual" and not _only_looks(work):
        return False
    return describe(stack.status).phase is Phase.NEVER_CREATED or (
        stack.status == "CREATE_FAILED" and not spec.keep_on_failure
    )


def _never_created(work: Work) -> Way:
    hint = "delete it, or say 'on_failed_create: delete'"
    if work.spec.recreate_failed:
        hint = "delete it; a deployment with automatic approval would"
    return Way(hint=hint, rows=(command_row(work, "delete it", "delete"),))


def _warn_of_oddities(work: Work, stack: Stack) -> None:
    if stack.drift == "DRIFTED":
        since = f" at {stack.drift_checked:%Y-%m-%d %H:%M}Z" if stack.drift_checked else ""
        work.report.warn(
            f"stack '{stack.name}' had drifted when it was last looked at{since}: changes that "
            "were made past CloudFormation may be overwritten, or be in the way"
        )
    root = root_of(work, stack)
    if root is not None:
        work.report.warn(
            f"stack '{stack.name}' is a nested stack of '{root}': a deployment of that one "
            "will undo what is done here",
            hint=f"write 'stack_name: {root}'",
        )


def _only_looks(work: Work) -> bool:
    return work.spec.dry_run or work.spec.action == "diff"


def _would_recreate(work: Work, stack: Stack) -> StepOutcome:
    work.report.line(
        f"stack '{stack.name}' was never created ({stack.status}): a deployment would delete it "
        "and create it anew"
    )
    return only_looked(work, stack.name, "would be deleted and created anew")


def _look_again(work: Work, change_set: ChangeSet, operation: str) -> Stack:
    """The very stack that the change set is for, as it is now."""
    shown = f"stack '{work.spec.stack_name}'"
    stack = ask_patiently(work, lambda: work.api.find(change_set.stack_id), shown)
    if stack is None or describe(stack.status).phase is Phase.DELETED:
        raise missing(work, operation)
    return stack


def _unchanged(work: Work, change_set: ChangeSet) -> StepOutcome:
    """The stack is what the template says; what it has beside the template may still differ."""
    stack = _look_again(work, change_set, _OPERATION)
    if not describe(stack.status).is_terminal:
        stack = wait_for_others(work, stack)
    if describe(stack.status).phase is not Phase.STEADY:
        raise explained(work, stack, _OPERATION)
    work.report.line(f"no changes: stack '{stack.name}' is what the template says")
    publishes_only = _only_looks(work) or work.spec.action == "change-set"
    publish_outputs(work, stack)
    changed = False if publishes_only else apply_settings(work, stack)
    return StepOutcome(code=0, changed=changed)


def _rehearsed(work: Work, change_set: ChangeSet, *, is_gone: bool) -> StepOutcome:
    dropped = "the change set is dropped, " if is_gone else ""
    work.report.line(f"only looked: {dropped}nothing was changed")
    return only_looked(work, work.spec.stack_name, f"would be changed, {counted(change_set)}")


def _left_for_approval(work: Work, prepared: Prepared) -> StepOutcome:
    change_set = prepared.change_set
    replace_older(work, change_set)
    work.report.fact("stack_id", change_set.stack_id)
    work.report.fact("stack_name", work.spec.stack_name)
    work.report.output("ChangeSetName", change_set.name)
    work.report.output("ChangeSetId", change_set.id)
    work.report.output("StackId", change_set.stack_id)
    region = work.context.aws.region
    drop = ["aws", "cloudformation", "delete-change-set", "--region", region]
    drop += ["--change-set-name", change_set.id]
    work.report.line(f"change set '{change_set.name}' waits for approval")
    work.report.line(f"carry it out:  {resume_command(work.context.rerun, 'execute')}")
    work.report.line(f"drop it:       {shlex.join(drop)}")
    if prepared.is_new:
        delete = resume_command(work.context.rerun, "delete")
        work.report.line(f"drop it with the empty stack that holds it:  {delete}")
    would = f"change set {change_set.name} waits for approval"
    return only_looked(work, work.spec.stack_name, would)
