"""Action ``delete``: the set's instances, all or those that are named, then the set itself."""

from __future__ import annotations

from collections.abc import Sequence

from calamari_py.errors import CloudError
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.cloudformation.follow import LAG
from calamari_py.steps.cloudformation.operate import only_looked
from calamari_py.steps.cloudformation.polling import ask_patiently, rest
from calamari_py.steps.cloudformation.sets import requests
from calamari_py.steps.cloudformation.sets.failure import set_failed
from calamari_py.steps.cloudformation.sets.follow import wait_for_others
from calamari_py.steps.cloudformation.sets.look import instances_of, refuse_other_model, settle
from calamari_py.steps.cloudformation.sets.operate import operate
from calamari_py.steps.cloudformation.sets.targets import named, together
from calamari_py.steps.cloudformation.sets.values import Instance, Place, Target
from calamari_py.steps.cloudformation.sets.work import SetWork

_BUSY = ("OperationInProgress", "StackSetNotEmpty")


def delete(work: SetWork) -> StepOutcome:
    """Take the instances out of the set, and delete it once it is empty. With ``instances`` only
    those go, and the set stays while it has others."""
    there = settle(work)
    if there is None:
        work.report.line(f"there is no {work.shown}: nothing to delete")
        work.report.ending(f"{work.spec.name}: not there")
        return StepOutcome(code=0, changed=False)
    if work.spec.instances:
        refuse_other_model(work, there)
    instances = instances_of(work)
    going = named(work.spec.instances, instances) if work.spec.instances else instances
    targets = together((one, {}) for one in going)
    staying = len(instances) - len(going)
    _say(work, targets, staying)
    if work.spec.dry_run:
        what = "would lose instances" if staying else "would be deleted"
        return only_looked(work, work.spec.name, what)
    for number, target in enumerate(targets):
        _take_out(work, target, targets[number + 1 :])
    if staying:
        return _kept(work, staying, changed=bool(targets))
    _remove(work, {one.place for one in going})
    work.report.ending(f"{work.spec.name}: deleted")
    return StepOutcome(code=0, changed=True)


def _say(work: SetWork, targets: Sequence[Target], staying: int) -> None:
    verb = "would be" if work.spec.dry_run else "will be"
    fate = "stay where they are" if work.spec.section.retain_stacks else "are deleted"
    for target in targets:
        work.report.line(
            f"instances {verb} taken out of {work.shown}: {target.shown}; their stacks {fate}"
        )
    if not staying:
        work.report.line(f"{work.shown} {verb} deleted{' then' if targets else ''}")


def _take_out(work: SetWork, target: Target, later: Sequence[Target]) -> None:
    preferences = requests.preferences(work.spec.operation, target.regions)
    retain = work.spec.section.retain_stacks

    def send(token: str) -> str:
        return work.api.delete_instances(
            target, retain=retain, preferences=preferences, token=token
        )

    ended = operate(work, f"the deletion of instances in {target.shown}", send)
    if not ended.has_succeeded:
        left = [f"the deletion of instances in {one.shown}" for one in later]
        raise set_failed(work, ended, left=[*left, f"the deletion of {work.shown}"])


def _kept(work: SetWork, staying: int, *, changed: bool) -> StepOutcome:
    if not changed:
        work.report.line(f"{work.shown} has none of the instances that the manifest names")
    plural = "" if staying == 1 else "s"
    work.report.line(f"{work.shown} stays: it has {staying} other instance{plural}")
    work.report.ending(f"{work.spec.name}: {staying} instance{plural} left")
    return StepOutcome(code=0, changed=changed)


def _remove(work: SetWork, gone: set[Place]) -> None:
    """Delete the empty set. That it is empty may come to be known a little late."""
    since = work.clock.monotonic()
    while True:
        try:
            ask_patiently(work, work.api.delete, f"{work.shown} to be deleted")
        except CloudError as error:
            if not error.code.startswith(_BUSY):
                raise
            if work.clock.monotonic() - since >= LAG or _others(work, gone):
                raise
        else:
            work.report.changed()
            return
        work.deadline.check(f"{work.shown} to be empty")
        rest(work, work.spec.poll_interval)
        wait_for_others(work)


def _others(work: SetWork, gone: set[Place]) -> list[Instance]:
    """Instances that somebody has added meanwhile."""
    return [one for one in instances_of(work) if one.place not in gone]
