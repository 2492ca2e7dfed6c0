"""What can be done about a stack that takes no deployment: in a few words, and ready to paste."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from calamari_py.errors import CalamariError
from calamari_py.steps.cloudformation.failures.causes import reason_alone
from calamari_py.steps.cloudformation.following.polling import ask_patiently
from calamari_py.steps.cloudformation.links import continue_rollback_command, resume_command
from calamari_py.steps.cloudformation.states import Phase, describe
from calamari_py.steps.cloudformation.values import STACK_TYPE, Stack, StackEvent
from calamari_py.steps.cloudformation.work import Work

_DEPTH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """`hint` says what to do, `rows` are evidence (``label<TAB>value``): each command has one."""

    hint: str
    rows: tuple[str, ...] = ()


def way_out(work: Work, stack: Stack) -> Way:
    """What can be done about a stack in its state."""
    match describe(stack.status).phase:
        case Phase.FAILED_STEADY:
            return Way(
                hint="correct the cause and say 'on_failure: keep', or go back",
                rows=(command_row(work, "go back", "rollback"),),
            )
        case Phase.NEVER_CREATED:
            return Way(hint="delete it", rows=(command_row(work, "delete it", "delete"),))
        case Phase.DELETE_STUCK:
            return Way(
                hint="delete it; 'retain' leaves out what cannot be deleted",
                rows=(command_row(work, "delete it", "delete"),),
            )
        case Phase.ROLLBACK_STUCK if stack.status == "UPDATE_ROLLBACK_FAILED":
            return stuck_rollback(work, stack)
        case _:
            return Way(hint="see the console for what it needs; nothing was done to it")


def command_row(work: Work, label: str, action: str) -> str:
    """The command that runs this step for `action`, as evidence."""
    return f"{label}\t{resume_command(work.context.rerun, action)}"


def protection_off(work: Work, stack: Stack) -> str:
    """The command that turns the termination protection off, as evidence."""
    words = ["aws", "cloudformation", "update-termination-protection", "--stack-name", stack.name]
    words += ["--no-enable-termination-protection", "--region", work.context.aws.region]
    return f"turn it off\t{shlex.join(words)}"


def stuck_rollback(work: Work, stack: Stack) -> Way:
    """How the rollback of a stack in UPDATE_ROLLBACK_FAILED is brought to its end: what it stumbled
    over, and the commands that go on with it, or without that."""
    failed = _failures(work, stack)
    skip = work.spec.skip or tuple(_skippable(event, stack) for event in failed)
    rows = [
        f"failed\t{event.shown_id} ({event.resource_type}): {reason_alone(event.reason)}"
        for event in failed
    ]
    rows.append(command_row(work, "continue", "rollback"))
    rows.append(f"or\t{_continue(work, stack, ())}")
    if skip:
        rows.append(f"skip\t{_continue(work, stack, skip)}")
    what = ", ".join(f"'{event.shown_id}'" for event in failed) or "what the rollback stumbled over"
    return Way(
        hint=f"do not delete the stack: repair {what} and continue the rollback; 'skip' names "
        "resources that are to be left as they are",
        rows=tuple(rows),
    )


def _continue(work: Work, stack: Stack, skip: tuple[str, ...]) -> str:
    role_arn = stack.role_arn or work.spec.role_arn
    return continue_rollback_command(
        stack.name, work.context.aws.region, role_arn=role_arn, skip=skip
    )


def _skippable(event: StackEvent, stack: Stack) -> str:
    """As ContinueUpdateRollback has it: a nested stack's resource with the name of that stack."""
    if event.stack_id == stack.id:
        return event.logical_id
    return f"{event.stack_name}.{event.logical_id}"


def _failures(work: Work, stack: Stack) -> tuple[StackEvent, ...]:
    """The resources that the last rollback could not bring back, each with its reason; none where
    the events cannot be read."""
    try:
        return ask_patiently(
            work,
            lambda: tuple(_failed_in(work, stack.id, ())),
            f"the events of stack '{stack.name}'",
        )
    except CalamariError as error:
        work.report.note(f"what the rollback stumbled over is unknown: {error}")
        return ()


def _failed_in(work: Work, stack_id: str, path: tuple[str, ...]) -> Iterator[StackEvent]:
    seen: set[str] = set()
    for event in _last_rollback(work, stack_id, path):
        if event.status != "UPDATE_FAILED" or event.is_of_stack or event.logical_id in seen:
            continue
        seen.add(event.logical_id)
        is_nested = event.resource_type == STACK_TYPE and event.physical_id
        if is_nested and len(path) < _DEPTH:
            yield from _failed_in(work, event.physical_id, (*path, event.logical_id))
        else:
            yield event


def _last_rollback(work: Work, stack_id: str, path: tuple[str, ...]) -> Iterator[StackEvent]:
    """The events of a stack since its last rollback began or was continued, newest first."""
    for page in work.api.event_pages(stack_id, path=path):
        for event in page:
            if event.is_of_stack and event.status == "UPDATE_ROLLBACK_IN_PROGRESS":
                return
            yield event
