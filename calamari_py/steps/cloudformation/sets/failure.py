"""A failure told from its cause: where it broke first and why, where else, what was reached."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from calamari_py.errors import CalamariError, StackFailed
from calamari_py.steps.cloudformation.failures.denials import read_denial
from calamari_py.steps.cloudformation.failures.hints import hint_of
from calamari_py.steps.cloudformation.following.event_lines import shortened
from calamari_py.steps.cloudformation.links import resume_command, stack_set_url
from calamari_py.steps.cloudformation.sets.follow import counted
from calamari_py.steps.cloudformation.sets.values import Ended, Instance, Place, Result
from calamari_py.steps.cloudformation.sets.work import SetWork

_DONE = {"CREATE": "created", "UPDATE": "updated", "DELETE": "deleted"}
_RESOURCE = re.compile(
    r"ResourceLogicalId:\s*(?P<id>[^,]+),\s*ResourceType:\s*(?P<type>[^,]+),"
    r"\s*ResourceStatusReason:\s*(?P<reason>.*)",
    re.ASCII | re.DOTALL,
)
_ROLE = re.compile(r"should have '(?P<role>[^']+)' role", re.ASCII)
_EXPLAINED = {
    "OUTDATED": "its stack is not what the set says: the last operation failed there, or never "
    "came so far; deploy again",
    "INOPERABLE": "a deletion failed there and updates pass it over: take it out of the set with "
    "'retain_stacks: true' and its name under 'instances', then delete the stack in its account",
}
_DETAILS = {
    "SKIPPED_SUSPENDED_ACCOUNT": "the account is suspended, so it was passed over",
    "FAILED_IMPORT": "its stack could not be imported; once that is repaired, deploy again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What failed (``DeployRole (AWS::IAM::Role)``, "" for the stack as a whole), and why."""

    what: str
    reason: str


def cause_of(reason: str) -> Cause:
    """The resource that a result's reason names, where it does."""
    found = _RESOURCE.search(reason)
    if found is None:
        return Cause(what="", reason=reason.rstrip(". "))
    what = f"{found['id'].strip()} ({found['type'].strip()})"
    return Cause(what=what, reason=found["reason"].strip().rstrip(". "))


def explained(instance: Instance) -> str:
    """Why an instance is not CURRENT, and what can be done: a clause."""
    known = _DETAILS.get(instance.detail) or _EXPLAINED.get(instance.status, "")
    said = f"{instance.status}: {known}" if known else instance.status
    return f"{said} ({instance.reason.rstrip('. ')})" if instance.reason else said


def set_failed(work: SetWork, ended: Ended, *, left: Sequence[str] = ()) -> StackFailed:
    """The error of an operation that did not reach everything. Facts: ``first_cause``. `left` are
    the things that were not begun because of it."""
    failed = ended.failed
    first = failed[0] if failed else None
    work.report.fact("first_cause", _fact_of(first))
    work.report.ending(f"{work.spec.name}: {ended.operation.action} {ended.operation.status}")
    rows = [f"then\t{_row(one)}" for one in failed[1:]]
    if cancelled := sum(one.status == "CANCELLED" for one in ended.results):
        rows.append(f"then\t{cancelled} instance{'' if cancelled == 1 else 's'} cancelled")
    if ended.results:
        rows.append(f"results\t{counted(ended.results)}")
    rows += [f"not begun\t{one}" for one in left]
    said = ended.operation.reason.rstrip(". ")
    operation = ended.operation
    rows.append(
        f"state\toperation {operation.id} is {operation.status}" + (f": {said}" if said else "")
    )
    if first is not None and (stack_id := _stack_id(work, first)):
        rows.append(f"look\tin account {first.account}, {first.region}: {stack_id}")
    if first is None:
        rows.append(f"watch\t{resume_command(work.context.rerun, 'watch')}")
    message, hint = _told(work, ended, first)
    return _failure(work, message, operation.status, rows, hint)


def not_current(work: SetWork, instances: Sequence[Instance]) -> StackFailed:
    """The error of instances that the manifest names and that are not what the set says, though
    every operation of this run has succeeded."""
    first, *others = instances
    work.report.ending(f"{work.spec.name}: {first.status}")
    message = (
        f"{work.shown} is not what the manifest says in account {first.account}, "
        f"{first.region}: it is {explained(first)}"
    )
    rows = [f"then\t{one.account} {one.region} {explained(one)}" for one in others]
    return _failure(work, message, first.status, rows, "see the console for its operations")


def not_there(work: SetWork, missing: Sequence[Place]) -> StackFailed:
    """The error of instances that the manifest names and that are not in the set, though every
    operation that makes instances has succeeded."""
    (account, region), *others = missing
    work.report.ending(f"{work.spec.name}: {len(missing)} missing")
    message = f"{work.shown} has no instance in account {account}, {region}"
    rows = [f"then\t{' '.join(place)}" for place in others]
    rows.append(f"add them\t{resume_command(work.context.rerun, 'deploy')}")
    hint = "an account has to be in the organisational unit that it is named with"
    if not work.spec.instances[0].organizational_units:
        hint = "a deployment adds what is missing"
    return _failure(work, message, "InstanceMissing", rows, hint)


def not_gone(work: SetWork, left: Sequence[Instance]) -> StackFailed:
    """The error of instances that are still there, though every operation of the deletion has
    succeeded."""
    first, *others = left
    work.report.ending(f"{work.spec.name}: {len(left)} not deleted")
    message = f"{work.shown} still has its instance in account {first.account}, {first.region}"
    if first.reason:
        message += f": {first.reason.rstrip('. ')}"
    rows = [f"then\t{one.account} {one.region} {one.status}" for one in others]
    rows.append(f"not begun\tthe deletion of {work.shown}")
    return _failure(work, message, first.status, rows, "see the console for its operations")


def _failure(work: SetWork, message: str, code: str, rows: list[str], hint: str) -> StackFailed:
    found = None
    # The link is a help for people, and never the reason for another failure.
    with contextlib.suppress(CalamariError):
        found = work.api.find()
    if found is not None:
        url = stack_set_url(work.context.aws.region, work.context.aws.partition, found.id)
        rows += [f"console\t{url}"] if url else []
    return StackFailed(
        message,
        service="cloudformation",
        operation="DescribeStackSetOperation",
        code=code,
        evidence=rows,
        hint=hint,
    )


def _told(work: SetWork, ended: Ended, first: Result | None) -> tuple[str, str]:
    """The sentence and the hint."""
    operation = ended.operation
    done = _DONE.get(operation.action, "changed")
    if first is None:
        return _without_result(work, ended, done), "run again for what is left"
    cause = cause_of(first.reason)
    where = f"in account {first.account}, {first.region},"
    what = f"{cause.what} of {work.shown}" if cause.what else work.shown
    denial = read_denial(cause.reason, work.stacks.decode)
    reason = denial.shorten(cause.reason) if denial else cause.reason
    message = f"{what} {where} could not be {done}"
    message += f": {reason}" if reason else ", and CloudFormation gives no reason"
    return message, denial.hint if denial else _hint(first, cause)


def _without_result(work: SetWork, ended: Ended, done: str) -> str:
    operation = ended.operation
    if operation.status == "STOPPED":
        return f"{work.shown} was not {done}: somebody has stopped the operation"
    why = operation.reason.rstrip(". ") or f"the operation is {operation.status}, with no reason"
    if operation.status == "SUCCEEDED":
        why = "the operation is over, and AWS does not say what it came to everywhere"
    return f"{work.shown} could not be {done} everywhere: {why}"


def _hint(first: Result, cause: Cause) -> str:
    role = _ROLE.search(cause.reason)
    if role is not None:
        return (
            f"make role '{role['role']}' in account {first.account}, as "
            "docs/stack-sets.md shows, or name another with 'administration_role_arn' and "
            "'execution_role_name'"
        )
    if cause.reason.startswith("the account gate"):
        return f"see the function AWSCloudFormationStackSetAccountGate in account {first.account}"
    who = f"the set's execution role in account {first.account}"
    return hint_of(cause.reason, who=who)


def _row(result: Result) -> str:
    """``222222222222 eu-west-1: DeployRole (AWS::IAM::Role): reason``."""
    cause = cause_of(result.reason)
    parts = [f"{result.account} {result.region}", cause.what, shortened(cause.reason)]
    return ": ".join(part for part in parts if part)


def _stack_id(work: SetWork, result: Result) -> str:
    """The stack whose events tell more: they are in the other account."""
    try:
        there = work.api.instances()
    except CalamariError:
        return ""
    return next((one.stack_id for one in there if one.place == result.place), "")


def _fact_of(result: Result | None) -> dict[str, str] | None:
    if result is None:
        return None
    cause = cause_of(result.reason)
    return {
        "account": result.account,
        "region": result.region,
        "resource": cause.what,
        "reason": cause.reason,
    }
