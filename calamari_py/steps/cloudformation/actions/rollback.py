"""Action ``rollback``: a stack that failed half-way, back to where it was."""

from __future__ import annotations

from collections.abc import Callable

from calamari_py.steps.base import StepOutcome
from calamari_py.steps.cloudformation.actions.begin import Start, has_begun
from calamari_py.steps.cloudformation.actions.endings import only_looked
from calamari_py.steps.cloudformation.actions.operate import conclude, operate
from calamari_py.steps.cloudformation.actions.outputs import publish_outputs, tell_state
from calamari_py.steps.cloudformation.actions.settle import (
    explained,
    missing,
    refuse_nested,
    settle,
)
from calamari_py.steps.cloudformation.following.follow import follow
from calamari_py.steps.cloudformation.following.operation import latest_operation
from calamari_py.steps.cloudformation.following.polling import ask_patiently
from calamari_py.steps.cloudformation.states import Phase, describe
from calamari_py.steps.cloudformation.values import Stack
from calamari_py.steps.cloudformation.work import Work

_CONTINUE = "ContinueUpdateRollback"
_ROLL_BACK = "RollbackStack"


def roll_back(work: Work) -> StepOutcome:
    """Bring the stack back to its last steady state, or say that there is nothing to do."""
    name = work.spec.stack_name
    stack = ask_patiently(work, lambda: work.api.find(name), f"stack '{name}'")
    if stack is not None and _is_rolling_back(stack):
        joined = _join(work, stack)
        if joined is not None:
            return joined
    stack = settle(work)
    if stack is None:
        raise missing(work, _ROLL_BACK)
    tell_state(work, stack)
    match describe(stack.status).phase:
        case Phase.ROLLBACK_STUCK if stack.status == "UPDATE_ROLLBACK_FAILED":
            return _continue(work, stack)
        case Phase.FAILED_STEADY:
            return _roll_back(work, stack)
        case Phase.STEADY | Phase.REVIEW:
            return _nothing_to_do(work, stack)
        case Phase.NEVER_CREATED if stack.status == "ROLLBACK_COMPLETE":
            return _nothing_to_do(work, stack)
        case _:
            raise explained(work, stack, _ROLL_BACK)


def _continue(work: Work, stack: Stack) -> StepOutcome:
    skip = work.spec.skip
    refuse_nested(work, stack, _CONTINUE)
    if work.spec.dry_run:
        return _rehearsed(work, stack, f"the rollback of stack '{stack.name}' would be continued")
    but = f", without {', '.join(skip)}" if skip else ""
    work.report.line(f"continuing the rollback of stack '{stack.name}'{but}")

    def send() -> None:
        work.api.continue_rollback(
            stack.id, token=work.token, role_arn=work.spec.role_arn, skip=skip
        )

    return _finish(work, stack, send)


def _roll_back(work: Work, stack: Stack) -> StepOutcome:
    refuse_nested(work, stack, _ROLL_BACK)
    if work.spec.dry_run:
        return _rehearsed(work, stack, f"stack '{stack.name}' would be rolled back")
    work.report.line(f"rolling back stack '{stack.name}'")

    def send() -> None:
        work.api.roll_back(stack.id, token=work.token, role_arn=work.spec.role_arn)

    return _finish(work, stack, send)


def _finish(work: Work, stack: Stack, send: Callable[[], None]) -> StepOutcome:
    start = Start(send=send, begun=lambda operation: has_begun(work, operation, stack))
    done = operate(work, stack, "rollback", start)
    if describe(done.status).phase is not Phase.DELETED:
        publish_outputs(work, done)
    return StepOutcome(code=0, changed=True)


def _join(work: Work, stack: Stack) -> StepOutcome | None:
    """A rollback that runs already is the one that is wanted. None when it is over by now."""
    tell_state(work, stack)
    if work.spec.dry_run:
        text = f"stack '{stack.name}' is being rolled back already"
        return _rehearsed(work, stack, text, pending=False)
    asked = f"the events of stack '{stack.name}'"
    operation = ask_patiently(work, lambda: latest_operation(work, stack), asked)
    if operation is None or operation.ended is not None:
        # Its events are late: it is waited for like anybody's.
        return None
    work.report.line(f"stack '{stack.name}' is being rolled back already: following it")
    done = conclude(work, follow(work, operation), "rollback")
    publish_outputs(work, done)
    return StepOutcome(code=0, changed=True)


def _is_rolling_back(stack: Stack) -> bool:
    return "ROLLBACK" in stack.status and not describe(stack.status).is_terminal


def _nothing_to_do(work: Work, stack: Stack) -> StepOutcome:
    work.report.line(f"stack '{stack.name}' is {stack.status}: nothing to roll back")
    publish_outputs(work, stack)
    return StepOutcome(code=0, changed=False)


def _rehearsed(work: Work, stack: Stack, text: str, *, pending: bool = True) -> StepOutcome:
    work.report.line(text)
    return only_looked(work, stack.name, f"{stack.status}, only looked", pending=pending)
