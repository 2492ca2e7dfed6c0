"""Action ``delete``: the stack and what is in it, by its ARN, to the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from calamari_py.steps.base import StepOutcome
from calamari_py.steps.cloudformation.operate import (
    Start,
    anew,
    attempt,
    conclude,
    only_looked,
    refusal,
    was_moved,
)
from calamari_py.steps.cloudformation.operation import Finished
from calamari_py.steps.cloudformation.outputs import tell_state
from calamari_py.steps.cloudformation.settle import refuse_nested, settle
from calamari_py.steps.cloudformation.states import Phase, describe
from calamari_py.steps.cloudformation.values import Stack, StackEvent
from calamari_py.steps.cloudformation.work import Work

_OPERATION = "DeleteStack"


def delete(work: Work) -> StepOutcome:
    """Delete the stack. What cannot be deleted stays behind where ``retain`` names it: AWS takes
    such a list only for a stack whose deletion has failed."""
    stack = settle(work)
    if stack is None or describe(stack.status).phase is Phase.DELETED:
        return _nothing_there(work, stack)
    tell_state(work, stack)
    refuse_nested(work, stack, _OPERATION)
    _refuse_protected(work, stack)
    if work.spec.dry_run:
        work.report.line(f"stack '{stack.name}' ({stack.id}) would be deleted")
        return only_looked(work, stack.name, "would be deleted")
    if stack.status == "DELETE_FAILED":
        retain = _retained(work, _last_failures(work, stack))
    else:
        retain = ()
        _warn_of_retain(work, stack)
    finished = _delete(work, stack, retain)
    if finished.stack.status == "DELETE_FAILED" and not retain:
        retain = _retained(work, failed_resources(finished.events))
        if retain:
            finished = _delete(anew(work), finished.stack, retain)
    conclude(work, finished, "delete")
    if retain:
        work.report.fact("retained", list(retain))
    return StepOutcome(code=0, changed=True)


def failed_resources(events: Iterable[StackEvent]) -> tuple[str, ...]:
    """The logical ids of what could not be deleted, of the stack itself: a nested stack is one."""
    found = dict.fromkeys(
        event.logical_id
        for event in events
        if event.status == "DELETE_FAILED" and not event.is_of_stack and not event.path
    )
    return tuple(found)


def _nothing_there(work: Work, stack: Stack | None) -> StepOutcome:
    name = stack.name if stack is not None else work.spec.stack_name
    work.report.line(f"there is no stack '{name}': nothing to delete")
    work.report.ending(f"{name}: not there")
    return StepOutcome(code=0, changed=False)


def _refuse_protected(work: Work, stack: Stack) -> None:
    if stack.protected:
        raise refusal(
            f"the termination protection of stack '{stack.name}' is on, so it is not deleted",
            operation=_OPERATION,
            code="TerminationProtection",
            hint="deploy it with 'termination_protection: false' first, or: aws cloudformation "
            f"update-termination-protection --stack-name {stack.name} "
            f"--no-enable-termination-protection --region {work.context.aws.region}",
        )


def _warn_of_retain(work: Work, stack: Stack) -> None:
    if work.spec.retain:
        names = ", ".join(f"'{name}'" for name in work.spec.retain)
        work.report.warn(
            f"'retain' keeps {names} only where CloudFormation fails to delete it: the deletion of "
            f"'{stack.name}' is tried as a whole first",
            hint="what has to stay in any case needs 'DeletionPolicy: Retain' in the template",
        )


def _delete(work: Work, stack: Stack, retain: Sequence[str]) -> Finished:
    if retain:
        work.report.line(f"deleting stack '{stack.name}' but for {', '.join(retain)}")
    else:
        work.report.line(f"deleting stack '{stack.name}'")

    def send() -> None:
        work.api.delete_stack(
            stack.id, token=work.token, role_arn=work.spec.role_arn, retain=retain
        )

    start = Start(send=send, begun=lambda: was_moved(work, stack))
    return attempt(work, stack, "delete", start)


def _retained(work: Work, failed: Sequence[str]) -> tuple[str, ...]:
    """What to leave behind: all that failed, if ``retain`` names all of it. A deletion that leaves
    out a part of it would fail again."""
    wanted = set(work.spec.retain)
    return tuple(failed) if wanted and wanted.issuperset(failed) else ()


def _last_failures(work: Work, stack: Stack) -> tuple[str, ...]:
    """What the last deletion of the stack stumbled over."""
    found: list[StackEvent] = []
    for page in work.api.event_pages(stack.id):
        for event in page:
            if event.is_of_stack and event.status == "DELETE_IN_PROGRESS":
                return failed_resources(reversed(found))
            found.append(event)
    return failed_resources(reversed(found))
