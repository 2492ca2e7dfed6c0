"""Action ``deploy``: the set as the manifest says, then its instances, each operation to its end.

::

    look ── no set ──▶ create it ─────────────────────────┐
     └──── there ────▶ differs? update it everywhere ─────┤
                       parameters differ? update those ───┴─▶ add what is missing ─▶ look again
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from calamari_py.errors import CalamariError, Temporary
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.cloudformation.actions.endings import only_looked
from calamari_py.steps.cloudformation.following.polling import ask_patiently
from calamari_py.steps.cloudformation.service.template_upload import uploaded
from calamari_py.steps.cloudformation.sets import requests
from calamari_py.steps.cloudformation.sets.again import look_again
from calamari_py.steps.cloudformation.sets.conclude import conclude
from calamari_py.steps.cloudformation.sets.failure import set_failed
from calamari_py.steps.cloudformation.sets.look import (
    find,
    instances_of,
    refuse_other_model,
    say_others,
    settle,
    warn_of_behind,
    warn_of_drift,
)
from calamari_py.steps.cloudformation.sets.operate import operate, unknown
from calamari_py.steps.cloudformation.sets.outputs import summary
from calamari_py.steps.cloudformation.sets.plan import Plan, make_plan, say_plan
from calamari_py.steps.cloudformation.sets.values import Ended, Instance, StackSet, Target
from calamari_py.steps.cloudformation.sets.work import SetWork
from calamari_py.steps.cloudformation.tokens import new_token


def deploy(work: SetWork) -> StepOutcome:
    """Bring the set and the instances that the manifest names to what it says. Instances that it
    does not name get the set's update like all others, and are never removed."""
    return look_again(work, partial(_try, work))


def _try(work: SetWork) -> StepOutcome:
    there = settle(work)
    instances: tuple[Instance, ...] = ()
    if there is not None:
        refuse_other_model(work, there)
        instances = instances_of(work)
    plan = make_plan(work, there, instances)
    warn_of_drift(work, plan.instances)
    say_plan(work, plan)
    say_others(work, plan.instances, plan.named)
    if work.spec.dry_run:
        warn_of_behind(work, plan.instances)
        if plan.is_empty:
            would = f"no changes, {summary(plan.instances)}"
            return only_looked(work, work.spec.name, would, pending=False)
        return only_looked(work, work.spec.name, "would be changed")
    _carry_out(work, plan)
    conclude(work)
    return StepOutcome(code=0, changed=bool(work.begun))


def _carry_out(work: SetWork, plan: Plan) -> None:
    """Do what is planned, and stop where an operation fails: StackFailed. Only where instances are
    to get other parameters right after an update of the whole set, those they have may be why that
    fails: then whatever it did not reach gets another try with them."""
    if plan.there is None:
        _create(work)
    elif plan.differs:
        ended = _update(work, plan.there, plan.instances)
        if not ended.has_succeeded:
            # One that somebody has stopped is not gone on with in another way.
            if not plan.update or ended.operation.status == "STOPPED":
                left = [f"the {what} {one.shown}" for what, one, _ in _steps(work, plan)]
                raise set_failed(work, ended, left=left)
            work.report.warn(
                "the update of the set has failed in places, where the parameters that instances "
                "have may be why: they get theirs now, and another try with them"
            )
            plan = make_plan(work, plan.there, instances_of(work))
    _one_by_one(work, plan)


def _steps(work: SetWork, plan: Plan) -> list[tuple[str, Target, Callable[..., None]]]:
    api = work.api
    return [
        *(("update of instances in", one, api.update_instances) for one in plan.update),
        *(("creation of instances in", one, api.create_instances) for one in plan.add),
    ]


def _one_by_one(work: SetWork, plan: Plan) -> None:
    steps = _steps(work, plan)
    for number, (what, target, begin) in enumerate(steps):
        preferences = requests.preferences(work.spec.operation, target.regions)

        send = partial(_send, begin, target, preferences)
        ended = operate(work, f"the {what} {target.shown}", send)
        if not ended.has_succeeded:
            left = [f"the {other} {one.shown}" for other, one, _ in steps[number + 1 :]]
            raise set_failed(work, ended, left=left)


def _send(
    begin: Callable[..., None], target: Target, preferences: dict[str, Any], token: str
) -> None:
    begin(target, preferences=preferences, token=token)


def _create(work: SetWork) -> None:
    """Make the set. One that AWS has made though its answer was lost has the name that the next
    request asks for: then the set is looked at again, as if somebody else had made it."""
    params = requests.create(work.spec, url=_url(work))
    token = new_token(work.spec.token_prefix)
    title = f"{work.shown} to be made"
    lost: list[Temporary] = []

    def send() -> None:
        try:
            work.api.create(params, token=token)
        except Temporary as error:
            lost.append(error)
            raise

    try:
        ask_patiently(work, send, title)
    except CalamariError as error:
        if lost:
            _say_doubt(work, title, error)
        raise
    work.tell_changed(work.spec.name)
    work.report.line(f"{work.shown} is created")
    there = find(work)
    if there is not None:
        work.tell_set(there)
    # What may not be looked at is not begun.
    instances_of(work)


def _say_doubt(work: SetWork, title: str, error: CalamariError) -> None:
    """An answer was lost before `error`. Raises Indeterminate when nobody can know what it was."""
    try:
        there = work.api.find()
    except CalamariError:
        raise unknown(work, title, error) from error
    if there is not None:
        work.tell_set(there)
        work.tell_changed(work.spec.name)


def _update(work: SetWork, there: StackSet, instances: Sequence[Instance]) -> Ended:
    params = requests.update(work.spec, there, url=_url(work))
    regions = sorted({one.region for one in instances})
    preferences = requests.preferences(work.spec.operation, regions)
    return operate(
        work,
        f"the update of {work.shown}",
        lambda token: work.api.update(params, preferences=preferences, token=token),
    )


def _url(work: SetWork) -> str | None:
    """Where CloudFormation finds the template; None when it goes along with the request."""
    spec, section = work.spec, work.spec.section

    def upload() -> str | None:
        return uploaded(
            work.stacks,
            spec.template,
            bucket=section.artifact_bucket,
            prefix=section.artifact_prefix,
        )

    return ask_patiently(work, upload, f"the template of {work.shown}")
