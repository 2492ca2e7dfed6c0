"""A stack that was never created, out of the way: the only deletion that a deployment may do."""

from __future__ import annotations

from collections.abc import Callable

from calamari_py.steps.cloudformation.actions.begin import Start, has_begun
from calamari_py.steps.cloudformation.actions.endings import refusal
from calamari_py.steps.cloudformation.actions.operate import attempt, operate
from calamari_py.steps.cloudformation.failures.ways import protection_off
from calamari_py.steps.cloudformation.following.polling import ask_patiently
from calamari_py.steps.cloudformation.states import Phase, describe
from calamari_py.steps.cloudformation.tokens import anew
from calamari_py.steps.cloudformation.values import Stack, StackEvent
from calamari_py.steps.cloudformation.work import Work

_OPERATION = "DeleteStack"
_LIVED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
_BIRTH = frozenset({"CREATE_IN_PROGRESS", "REVIEW_IN_PROGRESS"})
_GOING = frozenset({"ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"})
_LOOK = "look at it, and delete it yourself if that is what you want"


def remove_failed(work: Work, stack: Stack) -> None:
    """Delete a stack whose creation failed, by its ARN, and see it gone.

    All its events have to prove that it never lived: StackFailed when they tell of a success, or do
    not reach back to its beginning (AWS keeps them for 90 days). Somebody may correct a stack in
    CREATE_FAILED at any moment, so that one is rolled back first: AWS refuses that for a stack that
    is whole. What is rolled back can only be deleted.
    """
    prove_never_lived(work, stack)
    work.report.line(
        f"deleting stack '{stack.name}', which was never created ({stack.status}): "
        "'on_failed_create: delete'"
    )
    if stack.status == "CREATE_FAILED":
        stack = _roll_back(anew(work), stack)
    if describe(stack.status).phase is not Phase.DELETED:
        _delete(anew(work), stack)


def prove_never_lived(work: Work, stack: Stack) -> None:
    """StackFailed unless all its events prove that it never was created. Changes nothing."""
    if describe(stack.status).phase is not Phase.NEVER_CREATED and stack.status != "CREATE_FAILED":
        raise refusal(
            f"stack '{stack.name}' is {stack.status}, which is no failed creation",
            operation=_OPERATION,
            code=stack.status,
            hint="somebody else works on it: run the step again when they are done",
        )
    if stack.protected:
        raise refusal(
            f"stack '{stack.name}' was never created, but its termination protection is on",
            operation=_OPERATION,
            code="TerminationProtection",
            hint="turn it off, if the stack may go",
            evidence=[protection_off(work, stack)],
        )
    ask_patiently(
        work, lambda: _prove_by_events(work, stack), f"the events of stack '{stack.name}'"
    )


def _prove_by_events(work: Work, stack: Stack) -> None:
    born = False
    for page in work.api.event_pages(stack.id):
        for event in page:
            if not _is_own(event, stack):
                continue
            if event.status in _LIVED:
                raise refusal(
                    f"stack '{stack.name}' has been {event.status} before "
                    f"({event.time:%Y-%m-%d %H:%M}Z): a deployment deletes nothing that ever lived",
                    operation=_OPERATION,
                    code=stack.status,
                    hint=_LOOK,
                )
            born = born or event.status in _BIRTH
    if not born:
        raise refusal(
            f"the events of stack '{stack.name}' do not reach back to its creation, so nobody can "
            "prove that it never lived",
            operation=_OPERATION,
            code=stack.status,
            hint=_LOOK,
        )


def _roll_back(work: Work, stack: Stack) -> Stack:
    """The stack after that, whether or not all could be removed: AWS may delete it at once."""

    def call() -> None:
        work.api.roll_back(stack.id, token=work.token, role_arn=work.spec.role_arn)

    return attempt(work, stack, "rollback", _start(work, stack, call)).stack


def _delete(work: Work, stack: Stack) -> None:
    def call() -> None:
        work.api.delete_stack(stack.id, token=work.token, role_arn=work.spec.role_arn)

    operate(work, stack, "delete", _start(work, stack, call))


def _start(work: Work, stack: Stack, call: Callable[[], None]) -> Start:
    """`call` is made for a stack only that is still what it was, and proves anew that it never
    lived: since the last look, or while AWS was silent, somebody may have repaired it."""

    def send() -> None:
        now = work.api.find(stack.id)
        if now is None or describe(now.status).phase is Phase.DELETED or now.status in _GOING:
            return
        if now.status != stack.status:
            raise refusal(
                f"stack '{stack.name}' was {stack.status} and is {now.status}: somebody else works "
                "on it",
                operation=_OPERATION,
                code=now.status,
                hint="run the step again when they are done",
            )
        prove_never_lived(work, now)
        call()

    return Start(send=send, begun=lambda operation: has_begun(work, operation, stack))


def _is_own(event: StackEvent, stack: Stack) -> bool:
    return event.is_of_stack and event.stack_id == stack.id
