"""Making a change set, and waiting until it can be judged."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace

from calamari_py.errors import CalamariError, CloudError, StackFailed
from calamari_py.steps.cloudformation.actions.endings import refusal
from calamari_py.steps.cloudformation.changes.ownership import is_ours
from calamari_py.steps.cloudformation.changes.pending import leaves_for_approval
from calamari_py.steps.cloudformation.changes.prepared import Prepared, discard, discard_unseen
from calamari_py.steps.cloudformation.failures.causes import reason_alone
from calamari_py.steps.cloudformation.failures.denials import read_denial
from calamari_py.steps.cloudformation.failures.hints import hint_of
from calamari_py.steps.cloudformation.following.contact import is_passing
from calamari_py.steps.cloudformation.following.polling import ask_patiently, rest
from calamari_py.steps.cloudformation.service import refused
from calamari_py.steps.cloudformation.service.exports import similar_to_missing
from calamari_py.steps.cloudformation.service.places import OUR_PREFIX, name_of
from calamari_py.steps.cloudformation.service.template_upload import uploaded
from calamari_py.steps.cloudformation.spec import StackSpec
from calamari_py.steps.cloudformation.states import ChangeSetKind, Phase, describe
from calamari_py.steps.cloudformation.tokens import new_token
from calamari_py.steps.cloudformation.values import ChangeSet, Stack
from calamari_py.steps.cloudformation.work import Work

_OPERATION = "CreateChangeSet"
_TRIES = 10
_FIRST_PAUSE = 1.0
_NESTED = re.compile(r"Nested change set (arn:\S+:changeSet/\S+) was not successfully created")


def prepare(work: Work, stack: Stack | None) -> Prepared:
    """Make a change set of the spec and wait until AWS has made it.

    Raises StackFailed with AWS's reason when it could not be made, CloudError when it was refused,
    Temporary when contact is lost (nothing runs then), TimedOut, Cancelled. Whatever is raised,
    nothing of this run is left behind, or a warning says what.
    """
    kind = _kind_for(work.spec, stack)
    is_gone = stack is None or describe(stack.status).phase is Phase.DELETED
    name = _name_for(work.spec)
    asked = Prepared(
        change_set=ChangeSet(id="", name=name, stack_id="", status="", execution=""),
        is_new=stack is None or describe(stack.status).phase in (Phase.DELETED, Phase.REVIEW),
        made_stack=is_gone,
    )
    prepared = replace(asked, change_set=_create(work, asked, kind))
    try:
        return _await(work, prepared)
    except BaseException:
        discard(work, prepared)
        raise


def _name_for(spec: StackSpec) -> str:
    """The manifest's own name is for what is to be executed: one that waits for approval under it
    outlives a look at the changes."""
    only_looks = spec.dry_run or spec.action == "diff"
    named = None if only_looks else spec.change_set.name
    return named or f"{OUR_PREFIX}{secrets.token_hex(6)}"


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
        raise refusal(
            f"no change set can be made for stack '{stack.name}' in {stack.status}: {status.said}",
            operation=_OPERATION,
            code=stack.status,
        )
    if spec.template is None and "CREATE" in allowed:
        raise refusal(
            f"stack '{spec.stack_name}' does not exist yet, and there is no template to make it of",
            operation=_OPERATION,
            hint="give a 'template'",
        )
    return wanted


def _create(work: Work, asked: Prepared, kind: ChangeSetKind) -> ChangeSet:
    """The change set, which AWS has begun to make."""
    name = asked.change_set.name
    shown = f"change set '{name}' of stack '{work.spec.stack_name}'"
    url = _uploaded(work, f"the template of {shown}")
    token = new_token(work.spec.token_prefix)
    lost = False

    def create() -> tuple[str, str]:
        nonlocal lost
        try:
            return work.api.create_change_set(
                work.spec,
                name=name,
                kind=kind,
                template_url=url,
                token=token,
                for_approval=leaves_for_approval(work),
            )
        except BaseException as error:
            lost = lost or not isinstance(error, CloudError) or is_passing(error)
            raise

    try:
        for _ in range(_TRIES):
            try:
                made, stack_id = ask_patiently(work, create, shown)
            except CloudError as error:
                if error.code == "InsufficientCapabilitiesException":
                    error.hint = "add the capability that AWS names under 'capabilities'"
                if error.code != "AlreadyExistsException":
                    raise
            else:
                return replace(asked.change_set, id=made, stack_id=stack_id)
            _make_room(work, name)
    except BaseException:
        discard_unseen(work, asked, token, lost=lost)
        raise
    raise refusal(
        f"{shown} is still being deleted",
        operation=_OPERATION,
        code="AlreadyExistsException",
        hint="run the step again in a while",
    )


def _uploaded(work: Work, shown: str) -> str | None:
    spec = work.spec

    def upload() -> str | None:
        return uploaded(
            work.api, spec.template, bucket=spec.artifact_bucket, prefix=spec.artifact_prefix
        )

    return ask_patiently(work, upload, shown)


def _make_room(work: Work, name: str) -> None:
    """Delete the change set that has the name, if it is one of ours."""
    spec = work.spec
    shown = f"change set '{name}'"
    old = ask_patiently(work, lambda: work.api.named_change_set(spec.stack_name, name), shown)
    if old is None:
        return
    if not is_ours(old):
        raise refusal(
            f"{shown} of stack '{spec.stack_name}' exists already, and calamari did not make it",
            operation=_OPERATION,
            code="AlreadyExistsException",
            hint="give another 'change_set.name' or none, or delete that change set",
        )
    if not old.status.startswith("DELETE_"):
        work.report.note(f"{shown} is an older one of ours and is replaced")
        ask_patiently(work, lambda: work.api.delete_change_set(old.id), shown)
    rest(work, _FIRST_PAUSE)


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
            raise _not_made(work, now)
        if now.status.startswith("DELETE_"):
            raise refusal(
                f"{shown} was deleted by somebody else", operation=_OPERATION, code=now.status
            )
        work.deadline.check(shown)
        work.report.progress(None, f"waiting for change set '{made.name}'")
        rest(work, pause)
        pause = min(pause * 1.5, work.spec.poll_interval)


def _not_made(work: Work, change_set: ChangeSet) -> StackFailed:
    """AWS's reason, and what can be done about it."""
    reason = reason_alone(_reason_of(work, change_set))
    denial = read_denial(reason, work.api.decode)
    hint = hint_of(reason, who="the step's role") + similar_to_missing(work.context.aws, reason)
    said = reason
    if denial is not None:
        hint, said = denial.hint, denial.shorten(reason)
    said = " ".join(said.split()).rstrip(". ") or "AWS gives no reason"
    return refusal(
        f"no change set of stack '{work.spec.stack_name}' could be made: {said}",
        operation=_OPERATION,
        code="FAILED",
        hint=hint,
        evidence=[f"denied\t{denial.sentence}"] if denial is not None and denial.decoded else (),
    )


def _reason_of(work: Work, change_set: ChangeSet) -> str:
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
    return reason
