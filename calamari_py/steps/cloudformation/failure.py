"""A failure told from its cause: what broke first and why, what followed, where the stack stands
now, what can be done."""

from __future__ import annotations

from calamari_py.errors import StackFailed
from calamari_py.steps.cloudformation.causes import Causes, find_causes, reason_alone
from calamari_py.steps.cloudformation.denials import Denial, read_denial
from calamari_py.steps.cloudformation.exports import missing_export, similar_exports
from calamari_py.steps.cloudformation.hints import hint_for
from calamari_py.steps.cloudformation.links import (
    console_url,
    continue_rollback_command,
    resume_command,
)
from calamari_py.steps.cloudformation.operation import Finished
from calamari_py.steps.cloudformation.states import Phase, describe
from calamari_py.steps.cloudformation.values import Stack, StackEvent
from calamari_py.steps.cloudformation.work import Work

_DONE = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "rollback": "rolled back",
    "import": "imported into",
}
_OPERATIONS = {"delete": "DeleteStack", "rollback": "ContinueUpdateRollback"}
_WORDS = {"CREATE": "created", "UPDATE": "updated", "DELETE": "deleted", "IMPORT": "imported"}
_BY_PEOPLE = frozenset({"", "user initiated"})


def stack_failed(work: Work, finished: Finished, *, verb: str) -> StackFailed:
    """The error of an operation that did not do what was asked. Its facts are kept in the result:
    ``first_cause`` (None where no event tells it), ``followers``, ``status``, ``console_url``."""
    stack, causes = finished.stack, find_causes(finished.events)
    first = causes.first
    denial = read_denial(first.reason, work.api.decode) if first else None
    message = _message(first, verb, denial) if first else _unexplained(stack, verb)
    url = console_url(work.context.aws.region, work.context.aws.partition, stack.id)
    work.report.fact("first_cause", _fact_of(first))
    work.report.fact("followers", causes.cancelled)
    work.report.fact("status", stack.status)
    work.report.fact("console_url", url or None)
    return StackFailed(
        message,
        service="cloudformation",
        operation=_OPERATIONS.get(verb, "ExecuteChangeSet"),
        code=stack.status,
        evidence=_evidence(stack, causes, denial, url, verb),
        hint=_hint(work, stack, causes, denial, verb),
    )


def _message(event: StackEvent, verb: str, denial: Denial | None) -> str:
    reason = reason_alone(event.reason)
    if event.is_of_stack and reason.casefold() in _BY_PEOPLE:
        who = f" by '{event.token}'" if event.token else ""
        return f"the {verb} of stack '{event.stack_name}' was stopped and taken back{who}"
    if denial is not None:
        reason = denial.shorten(reason)
    what = _what_failed(event, verb)
    return f"{what}: {reason}" if reason else f"{what}, and CloudFormation gives no reason"


def _what_failed(event: StackEvent, verb: str) -> str:
    """``Database (AWS::RDS::DBInstance) in nested stack my-app-Data-1X could not be created``."""
    if event.is_of_stack:
        nested = "nested " if event.path else ""
        done = _word_of(event.status) if event.path else _DONE.get(verb, verb)
        return f"{nested}stack '{event.stack_name}' could not be {done}"
    where = f" in nested stack {event.stack_name}" if event.path else ""
    done = _word_of(event.status)
    return f"{event.logical_id} ({event.resource_type}){where} could not be {done}"


def _word_of(status: str) -> str:
    if status.startswith("ROLLBACK"):
        return "created"
    return _WORDS.get(status.partition("_")[0], "changed")


def _unexplained(stack: Stack, verb: str) -> str:
    reason = reason_alone(stack.reason)
    said = f"stack '{stack.name}' could not be {_DONE.get(verb, verb)}"
    return f"{said}: {reason}" if reason else f"{said}: it is {stack.status}, and no event says why"


def _evidence(
    stack: Stack, causes: Causes, denial: Denial | None, url: str, verb: str
) -> tuple[str, ...]:
    rows: list[str] = []
    if denial is not None and denial.decoded:
        rows.append(f"denied\t{denial.sentence}")
    rows += [
        f"then\t{_what_failed(event, verb)}: {reason_alone(event.reason)}"
        for event in causes.others
    ]
    if causes.cancelled:
        plural = "" if causes.cancelled == 1 else "s"
        rows.append(f"then\t{causes.cancelled} resource{plural} cancelled")
    if causes.rollback is not None:
        event = causes.rollback
        name = event.shown_id if not event.is_of_stack else event.stack_name
        rows.append(
            f"then\tthe rollback failed on {name} ({event.resource_type}): "
            f"{reason_alone(event.reason)}"
        )
    rows.append(f"state\t{stack.name} is {stack.status}: {_state_of(stack)}")
    if url:
        rows.append(f"console\t{url}")
    return tuple(rows)


def _state_of(stack: Stack) -> str:
    said = describe(stack.status).said
    return said.replace("the stack", "it", 1) if said.startswith("the stack") else said


def _hint(work: Work, stack: Stack, causes: Causes, denial: Denial | None, verb: str) -> str:
    """What to do about the cause, then about the stack."""
    first = causes.first
    cause = "look at the stack's events in the console"
    if first is not None:
        cause = hint_for(first, denial, role_arn=stack.role_arn or work.spec.role_arn)
        missing = missing_export(first.reason)
        similar = similar_exports(work.context.aws, missing) if missing else ()
        if similar:
            cause = f"{cause}; similar ones: {', '.join(similar)}"
    again = resume_command(work.context.manifest, "delete")
    match describe(stack.status).phase:
        case Phase.ROLLBACK_STUCK if stack.status == "UPDATE_ROLLBACK_FAILED":
            return f"{_continue_hint(work, stack, causes)}; then {cause}"
        case Phase.NEVER_CREATED:
            return (
                f"{cause}; the stack that is left has to be deleted before the next try: {again}, "
                "or write 'on_failed_create: delete'"
            )
        case Phase.DELETE_STUCK if verb == "delete":
            names = ", ".join(_failed_names(causes))
            leave = f", or leave it where it is with 'retain: [{names}]'" if names else ""
            return f"{cause}{leave}, and delete again: {again}"
        case Phase.FAILED_STEADY:
            back = resume_command(work.context.manifest, "rollback")
            return f"{cause}; then run again with 'on_failure: keep', or go back: {back}"
        case _:
            return cause


def _continue_hint(work: Work, stack: Stack, causes: Causes) -> str:
    ours = resume_command(work.context.manifest, "rollback")
    role_arn = stack.role_arn or work.spec.role_arn
    theirs = continue_rollback_command(
        stack.name, work.context.aws.region, role_arn=role_arn, skip=work.spec.skip
    )
    on = causes.rollback or causes.first
    what = f"'{on.shown_id}'" if on is not None else "what the rollback stumbled over"
    return (
        f"do not delete the stack: repair {what} and continue the rollback: {ours}, or: {theirs} "
        "('skip' names resources to be left as they are)"
    )


def _failed_names(causes: Causes) -> list[str]:
    """Resources of the stack itself that could not be deleted: what ``retain`` may name."""
    failed = [event for event in (causes.first, *causes.others) if event is not None]
    names = [event.path[0] if event.path else event.logical_id for event in failed]
    stacks = {event.logical_id for event in failed if event.is_of_stack and not event.path}
    return [name for name in dict.fromkeys(names) if name not in stacks]


def _fact_of(event: StackEvent | None) -> dict[str, object] | None:
    if event is None:
        return None
    return {
        "logical_id": event.logical_id,
        "resource_type": event.resource_type,
        "stack": event.stack_name,
        "path": list(event.path),
        "status": event.status,
        "reason": event.reason,
    }
