"""The stack as it has to be before anything is done to it: nothing else at work on it."""

from __future__ import annotations

from calamari_py.errors import CloudError, StackFailed
from calamari_py.steps.cloudformation.actions.endings import refusal
from calamari_py.steps.cloudformation.actions.service_role import check_service_role
from calamari_py.steps.cloudformation.failures.ways import Way, way_out
from calamari_py.steps.cloudformation.following.others import wait_for_others
from calamari_py.steps.cloudformation.following.polling import ask_patiently
from calamari_py.steps.cloudformation.links import console_url
from calamari_py.steps.cloudformation.service.places import name_of
from calamari_py.steps.cloudformation.states import Phase, describe
from calamari_py.steps.cloudformation.values import Stack
from calamari_py.steps.cloudformation.work import Work

_DEPTH = 20


def settle(work: Work) -> Stack | None:
    """The stack once nobody works on it any longer; None when there is none."""
    name = work.spec.stack_name
    while True:
        stack = ask_patiently(work, lambda: work.api.find(name), f"stack '{name}'")
        if stack is None or describe(stack.status).phase is Phase.DELETED:
            return stack
        if describe(stack.status).is_terminal:
            check_service_role(work, stack)
            return stack
        wait_for_others(work, stack)
        work.deadline.check(f"stack '{stack.name}', which others work on")


def missing(work: Work, operation: str) -> StackFailed:
    """There is no such stack, and there should be one."""
    return refusal(
        f"there is no stack '{work.spec.stack_name}' in {where(work)}",
        operation=operation,
        code="ValidationError",
        hint="is it the right account and region? A deleted stack is found by its ARN only",
    )


def explained(work: Work, stack: Stack, operation: str, way: Way | None = None) -> StackFailed:
    """The stack's state does not allow what is asked; `way` is what can be done about it."""
    way = way or way_out(work, stack)
    status = describe(stack.status)
    said = status.said.replace("the stack", f"stack '{stack.name}'", 1)
    evidence = [f"state\t{stack.name} is {stack.status}"]
    if stack.reason:
        evidence.append(f"reason\t{stack.reason}")
    url = console_url(work.context.aws.region, work.context.aws.partition, stack.id)
    if url:
        evidence.append(f"console\t{url}")
        work.report.fact("console_url", url)
    evidence += way.rows
    return refusal(said, operation=operation, code=stack.status, hint=way.hint, evidence=evidence)


def root_of(work: Work, stack: Stack) -> str | None:
    """The name of the stack that a nested one belongs to in the end; None for one that is not
    nested. Where the way up may not be read it is as far as the way is known."""
    above, name = stack.parent_id, None
    for _ in range(_DEPTH):
        if above is None:
            break
        name = name_of(above)
        try:
            found = work.api.find(above)
        except CloudError:
            break
        above = found.parent_id if found is not None else None
    return name


def refuse_nested(work: Work, stack: Stack, operation: str) -> None:
    """StackFailed for a nested stack: its root has to be asked."""
    root = root_of(work, stack)
    if root is not None:
        raise refusal(
            f"stack '{stack.name}' is a nested stack of '{root}'",
            operation=operation,
            hint=f"write 'stack_name: {root}': its nested stacks follow it",
        )


def where(work: Work) -> str:
    """``eu-west-1 of account 111111111111``, as far as it is known."""
    account = work.context.aws.account
    return f"{work.context.aws.region} of account {account}" if account else work.context.aws.region
