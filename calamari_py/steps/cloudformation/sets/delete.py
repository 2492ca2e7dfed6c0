"""Action ``delete``: the instances that the manifest names, then the set once it is empty."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from calamari_py.errors import CloudError
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.cloudformation.actions.endings import only_looked, refusal
from calamari_py.steps.cloudformation.following.follow import LAG
from calamari_py.steps.cloudformation.following.polling import rest
from calamari_py.steps.cloudformation.sets import requests
from calamari_py.steps.cloudformation.sets.again import look_again
from calamari_py.steps.cloudformation.sets.failure import not_gone, set_failed
from calamari_py.steps.cloudformation.sets.look import (
    instances_of,
    listed,
    refuse_other_model,
    settle,
)
from calamari_py.steps.cloudformation.sets.operate import is_busy, make_sure, operate
from calamari_py.steps.cloudformation.sets.targets import named, together
from calamari_py.steps.cloudformation.sets.values import Instance, Target
from calamari_py.steps.cloudformation.sets.work import SetWork


def delete(work: SetWork) -> StepOutcome:
    """Take the instances that the manifest names out of the set, and delete it once it is empty: it
    stays while it has others. An instance that is not named is never deleted."""
    return look_again(work, partial(_try, work), also=("StackSetNotFound",))


def _try(work: SetWork) -> StepOutcome:
    there = settle(work)
    if there is None:
        return _not_there(work)
    if work.spec.instances:
        refuse_other_model(work, there)
    instances = instances_of(work)
    going = named(work.spec.instances, instances)
    if instances and not work.spec.instances:
        raise _unnamed(work, instances)
    targets = together((one, {}) for one in going)
    staying = len(instances) - len(going)
    _say(work, targets, staying)
    if work.spec.dry_run:
        what = "would lose instances" if staying else "would be deleted"
        return only_looked(work, work.spec.name, what)
    for number, target in enumerate(targets):
        _take_out(work, target, targets[number + 1 :])
    others = _others(work, going)
    if others:
        return _kept(work, len(others))
    _remove(work)
    work.report.ending(f"{work.spec.name}: deleted")
    return StepOutcome(code=0, changed=True)


def _not_there(work: SetWork) -> StepOutcome:
    """Nothing is left to do; this run may have done a part of it."""
    if work.begun:
        work.report.line(f"{work.shown} is gone")
        work.report.ending(f"{work.spec.name}: deleted")
    else:
        aws = work.context.aws
        account = f" of account {aws.account}" if aws.account else ""
        work.report.line(f"there is no {work.shown} in {aws.region}{account}: nothing to delete")
        work.report.ending(f"{work.spec.name}: not there")
    return StepOutcome(code=0, changed=bool(work.begun))


def _unnamed(work: SetWork, instances: Sequence[Instance]) -> CloudError:
    """A manifest that names no instances says nothing of the stacks in other accounts."""
    return refusal(
        f"{work.shown} has {len(instances)} instance{'' if len(instances) == 1 else 's'}, and the "
        "manifest names none of them: nothing was deleted",
        operation="DeleteStackInstances",
        code="InstancesNotNamed",
        evidence=[f"instances\t{listed(instances)}"],
        hint="write those that are to be deleted under 'instances': their stacks go with them, "
        "unless 'retain_stacks' is true",
    )


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

    def send(token: str) -> None:
        work.api.delete_instances(target, retain=retain, preferences=preferences, token=token)

    ended = operate(work, f"the deletion of instances in {target.shown}", send)
    if not ended.has_succeeded:
        left = [f"the deletion of instances in {one.shown}" for one in later]
        raise set_failed(work, ended, left=[*left, f"the deletion of {work.shown}"])


def _others(work: SetWork, going: Sequence[Instance]) -> list[Instance]:
    """The instances that stay, once the others are gone: that may come to be known a little late.
    StackFailed when they are still there after that."""
    since = work.clock.monotonic()
    places = {one.place for one in going}
    while True:
        instances = instances_of(work)
        left = [one for one in instances if one.place in places]
        if not left:
            return [one for one in instances if one.place not in places]
        if work.clock.monotonic() - since >= LAG:
            raise not_gone(work, left)
        work.deadline.check(f"the instances of {work.shown} to be gone")
        rest(work, work.spec.poll_interval)


def _kept(work: SetWork, staying: int) -> StepOutcome:
    if not work.begun:
        work.report.line(f"{work.shown} has none of the instances that the manifest names")
    plural = "" if staying == 1 else "s"
    work.report.line(f"{work.shown} stays: it has {staying} other instance{plural}")
    work.report.ending(f"{work.spec.name}: {staying} instance{plural} left")
    return StepOutcome(code=0, changed=bool(work.begun))


def _remove(work: SetWork) -> None:
    """Delete the empty set. That it is empty may come to be known a little late."""
    since = work.clock.monotonic()
    while True:
        try:
            make_sure(work, f"{work.shown} to be deleted", work.api.delete, partial(_is_gone, work))
        except CloudError as error:
            is_early = is_busy(error) or error.code.startswith("StackSetNotEmpty")
            if not is_early or work.clock.monotonic() - since >= LAG:
                raise
        else:
            work.tell_changed(work.spec.name)
            return
        work.deadline.check(f"{work.shown} to be empty")
        rest(work, work.spec.poll_interval)


def _is_gone(work: SetWork) -> bool:
    return work.api.find() is None
