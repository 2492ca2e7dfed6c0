"""Action ``delete``: the stack and what is in it, by its ARN, to the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from calamari_py.steps.base import StepOutcome
from calamari_py.steps.cloudformation.actions.begin import Start, has_begun
from calamari_py.steps.cloudformation.actions.endings import only_looked, refusal
from calamari_py.steps.cloudformation.actions.operate import attempt, conclude
from calamari_py.steps.cloudformation.actions.outputs import tell_state
from calamari_py.steps.cloudformation.actions.settle import refuse_nested, settle, where
from calamari_py.steps.cloudformation.failures.ways import protection_off
from calamari_py.steps.cloudformation.following.operation import Finished
from calamari_py.steps.cloudformation.following.polling import ask_patiently
from calamari_py.steps.cloudformation.states import Phase, describe
from calamari_py.steps.cloudformation.values import Stack, StackEvent
from calamari_py.steps.cloudformation.work import Work

_OPERATION = "DeleteStack"


def delete(work: Work) -> StepOutcome:
    """Delete the stack. What ``retain`` names stays behind: AWS takes such a list only for a stack
    whose deletion has failed, and only of what it failed on. Anything else would be deleted if it
    can be, so that the template has to keep it."""
    stack = settle(work)
    if stack is None or describe(stack.status).phase is Phase.DELETED:
        return _nothing_there(work, stack)
    tell_state(work, stack)
    refuse_nested(work, stack, _OPERATION)
    _refuse_protected(work, stack)
    retain = _retained(work, stack)
    if work.spec.dry_run:
        work.report.line(f"stack '{stack.name}' ({stack.id}) would be deleted")
        return only_looked(work, stack.name, "would be deleted")
    conclude(work, _delete(work, stack, retain), "delete")
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
    work.report.line(f"there is no stack '{name}' in {where(work)}: nothing to delete")
    work.report.ending(f"{name}: not there")
    return StepOutcome(code=0, changed=False)


def _refuse_protected(work: Work, stack: Stack) -> None:
    if stack.protected:
        raise refusal(
            f"the termination protection of stack '{stack.name}' is on, so it is not deleted",
            operation=_OPERATION,
            code="TerminationProtection",
            hint="deploy it with 'termination_protection: false' first, or turn it off",
            evidence=[protection_off(work, stack)],
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

    start = Start(send=send, begun=lambda operation: has_begun(work, operation, stack))
    return attempt(work, stack, "delete", start)


def _retained(work: Work, stack: Stack) -> tuple[str, ...]:
    """What AWS has to leave behind. StackFailed where a name of ``retain`` would be deleted: it is
    not among what could not be, and the template does not keep it."""
    wanted = work.spec.retain
    if not wanted:
        return ()
    failed = _last_failures(work, stack) if stack.status == "DELETE_FAILED" else ()
    retain = tuple(name for name in failed if name in wanted)
    if others := [name for name in wanted if name not in retain]:
        _refuse_unkept(work, stack, others)
    return retain


def _refuse_unkept(work: Work, stack: Stack, names: Sequence[str]) -> None:
    asked = f"the template of stack '{stack.name}'"
    kept = ask_patiently(work, lambda: work.api.retained_by_template(stack.id), asked)
    lost = ", ".join(f"'{name}'" for name in names if kept is None or name not in kept)
    if not lost:
        return
    why = f"{asked} cannot be read" if kept is None else "the template does not keep it"
    raise refusal(
        f"the deletion of stack '{stack.name}' would not leave behind {lost}, as 'retain' asks: "
        f"{why}",
        operation=_OPERATION,
        code=stack.status,
        hint="give it 'DeletionPolicy: Retain' in the template and deploy that first; without it "
        "only what a deletion has failed on can be left behind",
    )


def _last_failures(work: Work, stack: Stack) -> tuple[str, ...]:
    """What the last deletion of the stack stumbled over."""
    shown = f"the events of stack '{stack.name}'"
    events = ask_patiently(work, lambda: _last_deletion(work, stack), shown)
    return failed_resources(reversed(events))


def _last_deletion(work: Work, stack: Stack) -> list[StackEvent]:
    """Its events, newest first."""
    found: list[StackEvent] = []
    for page in work.api.event_pages(stack.id):
        for event in page:
            if event.is_of_stack and event.status == "DELETE_IN_PROGRESS":
                return found
            found.append(event)
    return found
