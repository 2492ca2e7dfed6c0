"""Action ``watch``: what runs on the stack, or ran last, to its true outcome, whoever began it."""

from __future__ import annotations

from calamari_py.steps.base import StepOutcome
from calamari_py.steps.cloudformation.follow import follow
from calamari_py.steps.cloudformation.links import resume_command
from calamari_py.steps.cloudformation.operate import conclude, only_looked
from calamari_py.steps.cloudformation.operation import Operation, latest_operation
from calamari_py.steps.cloudformation.outputs import publish_outputs, tell_state
from calamari_py.steps.cloudformation.settle import explained, missing, way_out
from calamari_py.steps.cloudformation.states import Phase, describe
from calamari_py.steps.cloudformation.values import Stack
from calamari_py.steps.cloudformation.work import Work

_OPERATION = "DescribeStacks"


def watch(work: Work) -> StepOutcome:
    """Follow it. The outcome is that of the operation: a stack that was rolled back has failed.

    Nobody can say whether it was this step's, so `changed` is not known.
    """
    stack = work.api.find(work.spec.stack_name)
    if stack is None:
        raise missing(work, _OPERATION)
    tell_state(work, stack)
    if describe(stack.status).phase is Phase.REVIEW:
        execute = resume_command(work.context.manifest, "execute")
        raise explained(work, stack, _OPERATION, f"execute the one that is meant: {execute}")
    if work.spec.dry_run:
        work.report.line(f"stack '{stack.name}' is {stack.status}: only looked, not followed")
        return only_looked(work, stack.name, stack.status)
    operation = latest_operation(work, stack)
    if operation is None:
        return _without_events(work, stack)
    work.report.line(_who(operation))
    done = conclude(work, follow(work, operation), operation.verb)
    if describe(done.status).phase is not Phase.DELETED:
        publish_outputs(work, done)
    return StepOutcome(code=0, changed=None)


def _without_events(work: Work, stack: Stack) -> StepOutcome:
    """AWS keeps events for 90 days: the status is all that is left of what was before."""
    if not describe(stack.status).succeeded:
        raise explained(work, stack, _OPERATION, way_out(work, stack))
    work.report.line(f"nothing runs on stack '{stack.name}', and its events are gone")
    publish_outputs(work, stack)
    return StepOutcome(code=0, changed=None)


def _who(operation: Operation) -> str:
    by = f" by {operation.token}" if operation.token else ""
    began = f", begun {operation.began:%Y-%m-%d %H:%M:%S}Z" if operation.began else ""
    return f"following the {operation.verb} of stack '{operation.name}'{by}{began}"
