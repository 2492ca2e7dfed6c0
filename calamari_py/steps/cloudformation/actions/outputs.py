"""What a stack hands on: output variables, and the facts of the result."""

from __future__ import annotations

from dataclasses import replace

from calamari_py.steps.cloudformation.actions.sensitive import sensitive_values
from calamari_py.steps.cloudformation.following.operation import Operation
from calamari_py.steps.cloudformation.values import Stack
from calamari_py.steps.cloudformation.work import Work

_STARTED = {
    "create": "CREATE_IN_PROGRESS",
    "update": "UPDATE_IN_PROGRESS",
    "delete": "DELETE_IN_PROGRESS",
    "import": "IMPORT_IN_PROGRESS",
}


def tell_begun(work: Work, stack: Stack, verb: str) -> None:
    """The state that AWS puts `stack` into as `verb` begins: whatever ends the step from now on,
    the state of before is not told as that of the end."""
    rollback = "ROLLBACK_IN_PROGRESS"
    if stack.status != "CREATE_FAILED":
        rollback = f"UPDATE_{rollback}"
    tell_state(work, replace(stack, status=_STARTED.get(verb, rollback)))


def tell_unknown(work: Work, operation: Operation) -> None:
    """Nobody knows whether it has begun, and so not what state the stack is in."""
    work.report.fact("status", None)
    work.report.ending(f"{operation.name}: nobody knows whether the {operation.verb} has begun")


def tell_state(work: Work, stack: Stack) -> None:
    """The stack and its status as facts of the result, and as what the closing line says."""
    work.report.fact("stack_id", stack.id)
    work.report.fact("stack_name", stack.name)
    work.report.fact("status", stack.status)
    work.report.ending(f"{stack.name}: {stack.status}")


def publish_outputs(work: Work, stack: Stack) -> None:
    """``StackId``, ``StackName`` and ``Outputs.<Key>`` of a stack in the state it was asked for."""
    tell_state(work, stack)
    sensitive = work.spec.sensitive_outputs
    # A text that holds a secret may stand in another output, too: all of them are known first.
    for name, value in sensitive_values(work.spec, stack):
        work.report.hide(value, name)
    work.report.output("StackId", stack.id)
    work.report.output("StackName", stack.name)
    for key, value in stack.outputs.items():
        work.report.output(f"Outputs.{key}", value, sensitive=key in sensitive)
    if missing := sorted(sensitive - stack.outputs.keys()):
        names = ", ".join(f"'{key}'" for key in missing)
        work.report.warn(
            f"'outputs.sensitive' lists {names}, which stack '{stack.name}' does not have",
            hint="correct the name: an output that is not listed is shown as it is",
        )
