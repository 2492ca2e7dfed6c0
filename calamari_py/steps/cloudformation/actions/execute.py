"""Action ``execute``: a change set that was made before, once somebody has approved it."""

from __future__ import annotations

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
from calamari_py.steps.cloudformation.actions.settings import apply_settings
from calamari_py.steps.cloudformation.actions.settle import missing, settle
from calamari_py.steps.cloudformation.changes.changes import report_changes
from calamari_py.steps.cloudformation.changes.pending import find_pending
from calamari_py.steps.cloudformation.work import Work

_OPERATION = "ExecuteChangeSet"


def execute(work: Work) -> StepOutcome:
    """Judge the pending change set anew, execute it, follow it. It is never deleted: it is not this
    run that made it."""
    stack = settle(work)
    if stack is None:
        raise missing(work, _OPERATION)
    tell_state(work, stack)
    change_set = find_pending(work, stack)
    work.report.fact("change_set", {"id": change_set.id, "name": change_set.name})
    check_keep(work, stack)
    report_changes(work.report, change_set)
    check_gate(work, change_set)
    if work.spec.dry_run:
        work.report.line(f"only looked: change set '{change_set.name}' is not executed")
        return only_looked(work, stack.name, f"would be changed, {counted(change_set)}")
    try:
        done = carry_out(work, stack, change_set)
    except CloudError as error:
        if was_overtaken(error):
            raise overtaken(work, error) from error
        raise
    publish_outputs(work, done)
    apply_settings(work, done)
    return StepOutcome(code=0, changed=True)
