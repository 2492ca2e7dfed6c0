"""What a stack hands on: output variables, and the facts of the result."""

from __future__ import annotations

from calamari_py.steps.cloudformation.values import Stack
from calamari_py.steps.cloudformation.work import Work


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
    for key in sorted(sensitive & stack.outputs.keys()):
        work.report.hide(stack.outputs[key], f"stack output {key}")
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
