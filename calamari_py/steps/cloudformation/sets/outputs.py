"""What a stack set hands on: output variables, and facts of the result."""

from __future__ import annotations

from collections.abc import Sequence

from calamari_py.steps.cloudformation.sets.values import Instance, StackSet
from calamari_py.steps.cloudformation.sets.work import SetWork

LIMIT = 200
"""Instances that become output variables, the manifest's own first."""


def publish(
    work: SetWork, found: StackSet, instances: Sequence[Instance], named: Sequence[Instance]
) -> None:
    """``StackSetId``, ``StackSetName`` and ``Instances.<account>.<region>``, the stack's ARN."""
    work.tell_set(found)
    work.report.output("StackSetId", found.id)
    work.report.output("StackSetName", found.name)
    places = {one.place for one in named}
    ordered = [*named, *(one for one in instances if one.place not in places)]
    with_stack = [one for one in ordered if one.stack_id]
    for one in with_stack[:LIMIT]:
        work.report.output(f"Instances.{one.account}.{one.region}", one.stack_id)
    if len(with_stack) > LIMIT:
        work.report.note(f"{len(with_stack) - LIMIT} more instances become no output variables")
    counts: dict[str, int] = {}
    for one in instances:
        counts[one.status] = counts.get(one.status, 0) + 1
    work.report.fact("instances", {"total": len(instances), **counts})
    work.report.ending(f"{found.name}: {summary(instances)}")


def summary(instances: Sequence[Instance]) -> str:
    """``14 of 14 instances CURRENT``."""
    current = sum(one.status == "CURRENT" for one in instances)
    plural = "" if len(instances) == 1 else "s"
    return f"{current} of {len(instances)} instance{plural} CURRENT"
