"""The stack set as it is before anything is done to it, and what there is to say of it."""

from __future__ import annotations

from collections.abc import Sequence

from calamari_py.steps.cloudformation.actions.endings import refusal
from calamari_py.steps.cloudformation.following.polling import ask_patiently
from calamari_py.steps.cloudformation.sets.failure import explained
from calamari_py.steps.cloudformation.sets.follow import wait_for_others
from calamari_py.steps.cloudformation.sets.values import Instance, StackSet
from calamari_py.steps.cloudformation.sets.work import SetWork

_SHOWN = 20
"""Instances that are named one by one; a set may have thousands."""


def settle(work: SetWork) -> StackSet | None:
    """The set once no operation runs on it; None when there is none."""
    found = find(work)
    if found is None:
        return None
    wait_for_others(work)
    found = find(work)
    if found is not None:
        work.tell_set(found)
    return found


def find(work: SetWork) -> StackSet | None:
    """The set, asked for patiently."""
    return ask_patiently(work, work.api.find, work.shown)


def instances_of(work: SetWork) -> tuple[Instance, ...]:
    """All of its instances, asked for patiently."""
    return ask_patiently(work, work.api.instances, f"the instances of {work.shown}")


def refuse_other_model(work: SetWork, there: StackSet) -> None:
    """StackFailed when the set has the other permission model: AWS keeps it for good."""
    model = "service-managed" if there.managed else "self-managed"
    wanted = work.spec.section.permission_model
    if model != wanted:
        raise refusal(
            f"{work.shown} is {model}, and the manifest says {wanted}",
            operation="UpdateStackSet",
            code="PermissionModel",
            hint=f"write 'permission_model: {model}', or take another name for a new set",
        )


def warn_of_drift(work: SetWork, instances: Sequence[Instance]) -> None:
    """Stacks that somebody has changed past CloudFormation."""
    drifted = [one for one in instances if one.drift == "DRIFTED"]
    if drifted:
        work.report.warn(
            f"{len(drifted)} of {len(instances)} instances of {work.shown} had drifted when they "
            f"were last looked at: {listed(drifted)}",
            "changes that were made past CloudFormation may be overwritten, or be in the way",
        )


def warn_of_behind(work: SetWork, instances: Sequence[Instance]) -> None:
    """Instances that are not what the set says."""
    behind = [one for one in instances if one.status != "CURRENT"]
    for one in behind[:_SHOWN]:
        work.report.warn(f"{work.shown} in account {one.account}, {one.region} is {explained(one)}")
    if len(behind) > _SHOWN:
        work.report.warn(f"{len(behind) - _SHOWN} more instances of {work.shown} are not CURRENT")


def say_others(work: SetWork, instances: Sequence[Instance], named: Sequence[Instance]) -> None:
    """How many instances the manifest leaves alone."""
    places = {one.place for one in named}
    others = [one for one in instances if one.place not in places]
    if others:
        work.report.line(
            f"{len(others)} of {len(instances)} instances are not named by the manifest and stay: "
            f"{listed(others)}"
        )


def listed(instances: Sequence[Instance]) -> str:
    """``111111111111 us-east-1, …``: the first of them."""
    shown = [f"{one.account} {one.region}" for one in instances[:_SHOWN]]
    more = len(instances) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
