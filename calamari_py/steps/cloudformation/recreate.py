"""A stack that was never created, out of the way: the only deletion that a deployment may do."""

from __future__ import annotations

from calamari_py.steps.cloudformation.operate import Start, anew, operate, refusal, was_moved
from calamari_py.steps.cloudformation.states import Phase, describe
from calamari_py.steps.cloudformation.values import Stack, StackEvent
from calamari_py.steps.cloudformation.work import Work

_OPERATION = "DeleteStack"
_LIVED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
_BIRTH = frozenset({"CREATE_IN_PROGRESS", "REVIEW_IN_PROGRESS"})


def remove_failed(work: Work, stack: Stack) -> None:
    """Delete a stack whose creation failed, by its ARN, and see it gone.

    All its events have to prove that it never lived: StackFailed when they tell of a success, or do
    not reach back to its beginning (AWS keeps them for 90 days).
    """
    prove_never_lived(work, stack)
    work.report.line(
        f"deleting stack '{stack.name}', which was never created ({stack.status}): "
        "'on_failed_create: delete'"
    )
    work = anew(work)

    def send() -> None:
        work.api.delete_stack(stack.id, token=work.token, role_arn=work.spec.role_arn)

    operate(work, stack, "delete", Start(send=send, begun=lambda: was_moved(work, stack)))


def prove_never_lived(work: Work, stack: Stack) -> None:
    """StackFailed unless all its events prove that it never was created. Changes nothing."""
    if describe(stack.status).phase not in (Phase.NEVER_CREATED, Phase.FAILED_STEADY):
        raise refusal(
            f"stack '{stack.name}' is {stack.status}, which is no failed creation",
            operation=_OPERATION,
            code=stack.status,
        )
    if stack.protected:
        raise refusal(
            f"stack '{stack.name}' was never created, but its termination protection is on",
            operation=_OPERATION,
            code="TerminationProtection",
            hint=f"aws cloudformation update-termination-protection --stack-name {stack.name} "
            f"--no-enable-termination-protection --region {work.context.aws.region}",
        )
    born = False
    for page in work.api.event_pages(stack.id):
        for event in page:
            if _is_own(event, stack) and event.status in _LIVED:
                raise refusal(
                    f"stack '{stack.name}' has been {event.status} before "
                    f"({event.time:%Y-%m-%d %H:%M}Z): a deployment deletes nothing that ever lived",
                    operation=_OPERATION,
                    code=stack.status,
                    hint="look at it, and delete it yourself if that is what you want",
                )
            born = born or (_is_own(event, stack) and event.status in _BIRTH)
    if not born:
        raise refusal(
            f"the events of stack '{stack.name}' do not reach back to its creation, so nobody can "
            "prove that it never lived",
            operation=_OPERATION,
            code=stack.status,
            hint="look at it, and delete it yourself if that is what you want",
        )


def _is_own(event: StackEvent, stack: Stack) -> bool:
    return event.is_of_stack and event.stack_id == stack.id
