"""Making a change set, waiting until it can be judged, and cleaning up after it."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace

from calamari_py.errors import CalamariError, CloudError, StackFailed
from calamari_py.steps.cloudformation import refused
from calamari_py.steps.cloudformation.contact import is_passing
from calamari_py.steps.cloudformation.places import (
    MADE_BY,
    OUR_PREFIX,
    name_of,
)
from calamari_py.steps.cloudformation.polling import ask_patiently, rest
from calamari_py.steps.cloudformation.requests import description
from calamari_py.steps.cloudformation.spec import StackSpec
from calamari_py.steps.cloudformation.states import ChangeSetKind, Phase, describe
from calamari_py.steps.cloudformation.template_upload import uploaded
from calamari_py.steps.cloudformation.values import ChangeSet, Stack
from calamari_py.steps.cloudformation.work import Work

_TRIES = 10
_FIRST_PAUSE = 1.0
_MAKE_ONE = "make one with '--action change-set', look at it, and execute it then"
_NESTED = re.compile(r"Nested change set (arn:\S+:changeSet/\S+) was not successfully created")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A change set of this run that can be judged. `is_new`: the stack does not exist yet;
    `made_stack`: this run made the empty stack (REVIEW_IN_PROGRESS) that holds it; `no_changes`:
    there is nothing to do, and the change set cannot be executed."""

    change_set: ChangeSet
    is_new: bool
    made_stack: bool
    no_changes: bool = False


def prepare(work: Work, stack: Stack | None) -> Prepared:
    """Make a change set of the spec and wait until AWS has made it.

    Raises StackFailed with AWS's reason when it could not be made, CloudError when it was refused,
    Temporary when contact is lost (nothing runs then), TimedOut, Cancelled. Whatever is raised,
    nothing of this run is left behind.
    """
    kind = _kind_for(work.spec, stack)
    name = work.spec.change_set.name or f"{OUR_PREFIX}{secrets.token_hex(6)}"
    token = f"{work.spec.token_prefix}-{secrets.token_hex(6)}"
    is_new = stack is None or describe(stack.status).phase in (Phase.DELETED, Phase.REVIEW)
    made_stack = stack is None or describe(stack.status).phase is Phase.DELETED
    try:
        made = _create(work, name, kind, token)
    except BaseException as error:
        if not _is_answer(error):
            _discard_unseen(work, name, token, is_new=is_new, made_stack=made_stack)
        raise
    prepared = Prepared(change_set=made, is_new=is_new, made_stack=made_stack)
    try:
        return _await(work, prepared)
    except BaseException:
        discard(work, prepared)
        raise


def discard(work: Work, prepared: Prepared) -> None:
    """Delete the change set, and the empty stack if this run made it and nobody else uses it.
    What cannot be cleaned up is a warning."""
    change_set = prepared.change_set
    shown = f"change set '{change_set.name}' of stack '{name_of(change_set.stack_id)}'"
    try:
        work.api.delete_change_set(change_set.id)
    except CalamariError as error:
        work.report.warn(f"{shown} could not be deleted: {error.message}", error.hint)
        return
    if not prepared.made_stack:
        return
    try:
        _delete_empty_stack(work, change_set)
    except CalamariError as error:
        shown = f"empty stack '{name_of(change_set.stack_id)}'"
        work.report.warn(f"{shown} could not be deleted: {error.message}", error.hint)


def find_pending(work: Work, stack: Stack) -> ChangeSet:
    """The change set to execute, with its changes: the one that the manifest names, or the only one
    of ours. StackFailed when there is none, more than one, or it cannot be executed."""
    named = work.spec.change_set.name
    if named is not None:
        found = ask_patiently(
            work, lambda: work.api.named_change_set(stack.id, named), f"change set '{named}'"
        )
        if found is None:
            raise _failed(f"stack '{stack.name}' has no change set '{named}'", hint=_MAKE_ONE)
    else:
        found = _only_one_of_ours(work, stack)
    if found.execution != "AVAILABLE":
        raise _failed(_why_not(found, stack.name), hint=_MAKE_ONE)
    pending = found.id
    return ask_patiently(work, lambda: work.api.change_set(pending), f"change set '{found.name}'")


def _only_one_of_ours(work: Work, stack: Stack) -> ChangeSet:
    known = ask_patiently(
        work, lambda: work.api.change_sets(stack.id), f"change sets of stack '{stack.name}'"
    )
    ours = [one for one in known if one.name.startswith(OUR_PREFIX)]
    ready = [one for one in ours if one.execution == "AVAILABLE"]
    if len(ready) == 1:
        return ready[0]
    if len(ready) > 1:
        names = ", ".join(f"'{one.name}'" for one in ready)
        raise _failed(
            f"stack '{stack.name}' has more than one change set that could be executed: {names}",
            hint="name one of them under 'change_set.name'",
        )
    if ours:
        newest = max(ours, key=lambda one: one.created.timestamp() if one.created else 0.0)
        raise _failed(_why_not(newest, stack.name), hint=_MAKE_ONE)
    others = ", ".join(f"'{one.name}'" for one in known)
    hint = f"{_MAKE_ONE}; to execute {others}, name it under 'change_set.name'"
    raise _failed(
        f"stack '{stack.name}' has no change set that calamari made",
        hint=hint if others else _MAKE_ONE,
    )


def _why_not(change_set: ChangeSet, stack_name: str) -> str:
    shown = f"change set '{change_set.name}' of stack '{stack_name}'"
    if change_set.execution == "OBSOLETE":
        return f"{shown} is obsolete: the stack was changed after it was made"
    if change_set.execution == "EXECUTE_COMPLETE":
        return f"{shown} is executed already"
    if change_set.execution == "EXECUTE_IN_PROGRESS":
        return f"{shown} is being executed already"
    state = change_set.execution if change_set.status == "CREATE_COMPLETE" else change_set.status
    reason = f": {change_set.reason.rstrip('. ')}" if change_set.reason else ""
    return f"{shown} cannot be executed, it is in {state or 'no known state'}{reason}"


def _kind_for(spec: StackSpec, stack: Stack | None) -> ChangeSetKind:
    allowed: frozenset[ChangeSetKind]
    if stack is None or describe(stack.status).phase is Phase.DELETED:
        allowed = frozenset({"CREATE", "IMPORT"})
    else:
        allowed = describe(stack.status).change_sets
    wanted: ChangeSetKind = (
        "IMPORT" if spec.imports else "CREATE" if "CREATE" in allowed else "UPDATE"
    )
    if stack is not None and wanted not in allowed:
        status = describe(stack.status)
        raise _failed(
            f"no change set can be made for stack '{stack.name}' in {stack.status}: {status.said}",
            code=stack.status,
        )
    if spec.template is None and "CREATE" in allowed:
        raise _failed(
            f"stack '{spec.stack_name}' does not exist yet, and there is no template to make it of",
            hint="give a 'template'",
        )
    return wanted


def _create(work: Work, name: str, kind: ChangeSetKind, token: str) -> ChangeSet:
    shown = f"change set '{name}' of stack '{work.spec.stack_name}'"
    spec = work.spec

    def upload() -> str | None:
        return uploaded(
            work.api, spec.template, bucket=spec.artifact_bucket, prefix=spec.artifact_prefix
        )

    url = ask_patiently(work, upload, f"the template of {shown}")

    def create() -> tuple[str, str]:
        return work.api.create_change_set(
            work.spec, name=name, kind=kind, template_url=url, token=token
        )

    for _ in range(_TRIES):
        try:
            made, stack_id = ask_patiently(work, create, shown)
        except CloudError as error:
            if error.code == "InsufficientCapabilitiesException":
                error.hint = "add the capability that AWS names under 'capabilities'"
            if error.code != "AlreadyExistsException":
                raise
        else:
            return ChangeSet(id=made, name=name, stack_id=stack_id, status="", execution="")
        _make_room(work, name)
    raise _failed(f"{shown} is still being deleted", hint="run the step again in a while")


def _make_room(work: Work, name: str) -> None:
    """Delete the change set that has the name, if it is one of ours."""
    spec = work.spec
    shown = f"change set '{name}'"
    old = ask_patiently(work, lambda: work.api.named_change_set(spec.stack_name, name), shown)
    if old is None:
        return
    if not is_ours(old):
        raise _failed(
            f"{shown} of stack '{spec.stack_name}' exists already, and calamari did not make it",
            code="AlreadyExistsException",
            hint="give another 'change_set.name' or none, or delete that change set",
        )
    if not old.status.startswith("DELETE_"):
        work.report.note(f"{shown} is an older one of ours and is replaced")
        work.api.delete_change_set(old.id)
    rest(work, _FIRST_PAUSE)


def is_ours(change_set: ChangeSet) -> bool:
    """Whether calamari made it, by its name or by what it says of itself."""
    return change_set.name.startswith(OUR_PREFIX) or change_set.description.startswith(MADE_BY)


def _await(work: Work, prepared: Prepared) -> Prepared:
    """Wait until the change set is made, then read it."""
    made = prepared.change_set
    shown = f"change set '{made.name}' of stack '{work.spec.stack_name}'"
    pause = min(_FIRST_PAUSE, work.spec.poll_interval)
    while True:
        now = ask_patiently(work, lambda: work.api.change_set_state(made.id), shown)
        if now.status == "CREATE_COMPLETE":
            whole = ask_patiently(work, lambda: work.api.change_set(made.id), shown)
            return replace(prepared, change_set=whole)
        if now.status == "FAILED":
            if refused.says_no_change(now.reason):
                return replace(prepared, change_set=now, no_changes=True)
            raise _failed(_why_failed(work, now), code="FAILED")
        if now.status.startswith("DELETE_"):
            raise _failed(f"{shown} was deleted by somebody else", code=now.status)
        work.deadline.check(shown)
        work.report.progress(None, f"waiting for change set '{made.name}'")
        rest(work, pause)
        pause = min(pause * 1.5, work.spec.poll_interval)


def _why_failed(work: Work, change_set: ChangeSet) -> str:
    """AWS's reason; that of the nested change set where the outer one only points to it."""
    reason = change_set.reason
    for _ in range(_TRIES):
        inner = _NESTED.search(reason)
        if inner is None:
            break
        try:
            told = work.api.change_set_state(inner[1])
        except CalamariError:
            break
        if not told.reason:
            break
        reason = f"{told.reason.rstrip('. ')} (nested stack '{name_of(told.stack_id)}')"
    reason = reason.rstrip(". ") or "AWS gives no reason"
    return f"no change set of stack '{work.spec.stack_name}' could be made: {reason}"


def _is_answer(error: BaseException) -> bool:
    """Whether AWS has said no: there is nothing then to clean up."""
    return isinstance(error, CloudError) and not is_passing(error)


def _discard_unseen(work: Work, name: str, token: str, *, is_new: bool, made_stack: bool) -> None:
    """Clean up after a request that nobody heard the answer to."""
    stack = work.spec.stack_name
    try:
        found = work.api.named_change_set(stack, name)
    except CalamariError as error:
        work.report.warn(
            f"change set '{name}' of stack '{stack}' may have been left behind: {error.message}"
        )
        return
    if found is not None and found.description == description(token):
        discard(work, Prepared(change_set=found, is_new=is_new, made_stack=made_stack))


def _delete_empty_stack(work: Work, ours: ChangeSet) -> None:
    """Delete the stack if nothing but a change set was ever in it. Its ARN names this very stack:
    one that was made later under the same name has another."""
    for _ in range(_TRIES):
        stack = work.api.find(ours.stack_id)
        if stack is None or describe(stack.status).phase is not Phase.REVIEW:
            return
        left = work.api.change_sets(ours.stack_id)
        if any(one.id != ours.id for one in left):
            return
        if not left:
            token = f"{work.spec.token_prefix}-{secrets.token_hex(6)}"
            work.api.delete_stack(ours.stack_id, token=token, role_arn=None)
            return
        # One with nested change sets goes by and by.
        rest(work, _FIRST_PAUSE)
    shown = f"empty stack '{name_of(ours.stack_id)}'"
    work.report.warn(f"{shown} is left behind: its change set is still being deleted")


def _failed(message: str, *, code: str = "NoChangeSet", hint: str | None = None) -> StackFailed:
    return StackFailed(
        message, service="cloudformation", operation="CreateChangeSet", code=code, hint=hint
    )
