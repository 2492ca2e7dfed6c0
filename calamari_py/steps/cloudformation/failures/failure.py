"""A failure told from its cause: what broke first and why, what followed, where the stack stands
now, what can be done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from calamari_py.errors import StackFailed
from calamari_py.steps.cloudformation.failures.causes import find_causes, reason_alone
from calamari_py.steps.cloudformation.failures.denials import Denial, read_denial
from calamari_py.steps.cloudformation.failures.hints import hint_for
from calamari_py.steps.cloudformation.failures.ways import Way, command_row, stuck_rollback
from calamari_py.steps.cloudformation.following.operation import NOUNS, Finished, Verb
from calamari_py.steps.cloudformation.links import console_url, decode_command
from calamari_py.steps.cloudformation.service.exports import missing_export, similar_exports
from calamari_py.steps.cloudformation.states import Phase, describe
from calamari_py.steps.cloudformation.values import Stack, StackEvent
from calamari_py.steps.cloudformation.work import Work

_DONE: dict[Verb, str] = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "rollback": "rolled back",
    "import": "imported into",
}
_OPERATIONS: dict[Verb, str] = {"delete": "DeleteStack", "rollback": "ContinueUpdateRollback"}
_WORDS = {"CREATE": "created", "UPDATE": "updated", "DELETE": "deleted", "IMPORT": "imported"}
_BY_PEOPLE = frozenset({"", "user initiated"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """A cause as people read it: `reason` in one line, with what an encoded message says in its
    place; `denial` is what it tells of a permission."""

    event: StackEvent
    reason: str
    denial: Denial | None

    @property
    def fact(self) -> dict[str, object]:
        """JSON values."""
        event = self.event
        return {
            "logical_id": event.logical_id,
            "resource_type": event.resource_type,
            "stack": event.stack_name,
            "path": list(event.path),
            "status": event.status,
            "reason": self.reason,
        }


class _Reader:
    """Reads causes. Whoever may not decode one message may decode none: asked once."""

    def __init__(self, work: Work) -> None:
        self._api = work.api
        self._may_decode = True

    def read(self, event: StackEvent) -> _Told:
        denial = read_denial(event.reason, self._decode)
        reason = reason_alone(event.reason)
        return _Told(
            event=event, reason=denial.shorten(reason) if denial else reason, denial=denial
        )

    def _decode(self, message: str) -> str | None:
        text = self._api.decode(message) if self._may_decode else None
        self._may_decode = text is not None
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Story:
    """What went wrong, as `Causes` has it."""

    first: _Told | None
    others: tuple[_Told, ...]
    cancelled: int
    rollback: _Told | None


def stack_failed(work: Work, finished: Finished, *, verb: Verb) -> StackFailed:
    """The error of an operation that did not do what was asked. Its facts are kept in the result:
    ``first_cause`` (None where no event tells it), ``other_causes``, ``rollback_cause``,
    ``denied``, ``followers``, ``status``, ``console_url``."""
    stack, story = finished.stack, _story(work, finished)
    url = console_url(work.context.aws.region, work.context.aws.partition, stack.id)
    _tell_facts(work, stack, story, url)
    way = _way(work, stack, story, verb)
    return StackFailed(
        _message(story.first, verb) if story.first else _unexplained(stack, verb),
        service="cloudformation",
        operation=_OPERATIONS.get(verb, "ExecuteChangeSet"),
        code=stack.status,
        evidence=(*_evidence(stack, story, url, verb), *way.rows),
        hint=way.hint,
    )


def _story(work: Work, finished: Finished) -> _Story:
    causes, read = find_causes(finished.events), _Reader(work).read
    return _Story(
        first=read(causes.first) if causes.first else None,
        others=tuple(read(event) for event in causes.others),
        cancelled=causes.cancelled,
        rollback=read(causes.rollback) if causes.rollback else None,
    )


def _tell_facts(work: Work, stack: Stack, story: _Story, url: str) -> None:
    first, rollback = story.first, story.rollback
    denial = first.denial if first is not None else None
    work.report.fact("first_cause", first.fact if first is not None else None)
    work.report.fact("other_causes", [told.fact for told in story.others])
    work.report.fact("rollback_cause", rollback.fact if rollback is not None else None)
    work.report.fact("denied", denial.fact if denial is not None and denial.action else None)
    work.report.fact("followers", story.cancelled)
    work.report.fact("status", stack.status)
    work.report.fact("console_url", url or None)


def _message(told: _Told, verb: Verb) -> str:
    event = told.event
    if event.is_of_stack and told.reason.casefold() in _BY_PEOPLE:
        who = f" by '{event.token}'" if event.token else ""
        return f"the {NOUNS[verb]} of stack '{event.stack_name}' was stopped and taken back{who}"
    what = _what_failed(event, verb)
    return (
        f"{what}: {told.reason}" if told.reason else f"{what}, and CloudFormation gives no reason"
    )


def _what_failed(event: StackEvent, verb: Verb) -> str:
    """``Data/Database (AWS::RDS::DBInstance) could not be created``."""
    if not event.is_of_stack:
        return f"{event.shown_id} ({event.resource_type}) could not be {_word_of(event.status)}"
    if event.path:
        return f"nested stack {'/'.join(event.path)} could not be {_word_of(event.status)}"
    return f"stack '{event.stack_name}' could not be {_DONE[verb]}"


def _word_of(status: str) -> str:
    if status.startswith("ROLLBACK"):
        return "created"
    return _WORDS.get(status.partition("_")[0], "changed")


def _unexplained(stack: Stack, verb: Verb) -> str:
    reason = reason_alone(stack.reason)
    said = f"stack '{stack.name}' could not be {_DONE[verb]}"
    return f"{said}: {reason}" if reason else f"{said}: it is {stack.status}, and no event says why"


def _evidence(stack: Stack, story: _Story, url: str, verb: Verb) -> Iterator[str]:
    first, rollback = story.first, story.rollback
    if first is not None and first.event.path:
        yield f"stack\t{first.event.stack_name}"
    denial = first.denial if first is not None else None
    if denial is not None and denial.decoded:
        yield f"denied\t{denial.sentence}"
    if denial is not None and not denial.action:
        yield f"decode\t{decode_command(denial.encoded)}"
    for told in story.others:
        yield f"then\t{_what_failed(told.event, verb)}: {told.reason}"
    if story.cancelled:
        plural = "" if story.cancelled == 1 else "s"
        yield f"then\t{story.cancelled} resource{plural} cancelled"
    if rollback is not None:
        event = rollback.event
        name = event.shown_id if not event.is_of_stack else event.stack_name
        yield f"then\tthe rollback failed on {name} ({event.resource_type}): {rollback.reason}"
    yield f"state\t{stack.name} is {stack.status}: {_state_of(stack)}"
    if url:
        yield f"console\t{url}"


def _state_of(stack: Stack) -> str:
    said = describe(stack.status).said
    return said.replace("the stack", "it", 1) if said.startswith("the stack") else said


def _way(work: Work, stack: Stack, story: _Story, verb: Verb) -> Way:
    """What to do about the cause, then about the stack."""
    cause = _cure(work, stack, story.first)
    match describe(stack.status).phase:
        case Phase.ROLLBACK_STUCK if stack.status == "UPDATE_ROLLBACK_FAILED":
            way = stuck_rollback(work, stack)
            return Way(hint=f"{way.hint}; then {cause}", rows=way.rows)
        case Phase.NEVER_CREATED:
            return Way(
                hint=f"{cause}; the stack that is left has to be deleted before the next try, or "
                "write 'on_failed_create: delete'",
                rows=(command_row(work, "delete it", "delete"),),
            )
        case Phase.DELETE_STUCK if verb == "delete":
            names = ", ".join(_failed_names(story))
            leave = f", or leave it where it is with 'retain: [{names}]'" if names else ""
            return Way(
                hint=f"{cause}{leave}, and delete again",
                rows=(command_row(work, "delete again", "delete"),),
            )
        case Phase.FAILED_STEADY:
            return Way(
                hint=f"{cause}; then run again with 'on_failure: keep', or go back",
                rows=(command_row(work, "go back", "rollback"),),
            )
        case _:
            return Way(hint=cause)


def _cure(work: Work, stack: Stack, first: _Told | None) -> str:
    if first is None:
        return "look at the stack's events in the console"
    role_arn = stack.role_arn or work.spec.role_arn
    cure = hint_for(first.event, first.denial, role_arn=role_arn)
    missing = missing_export(first.event.reason)
    similar = similar_exports(work.context.aws, missing) if missing else ()
    return f"{cure}; similar ones: {', '.join(similar)}" if similar else cure


def _failed_names(story: _Story) -> list[str]:
    """Resources of the stack itself that could not be deleted: what ``retain`` may name."""
    failed = [told.event for told in (story.first, *story.others) if told is not None]
    names = [event.path[0] if event.path else event.logical_id for event in failed]
    stacks = {event.logical_id for event in failed if event.is_of_stack and not event.path}
    return [name for name in dict.fromkeys(names) if name not in stacks]
