"""Action ``deploy``: the set as the manifest says, then its instances, each operation to its end.

::

    look ── no set ──▶ create it ─────────────────────────┐
     └──── there ────▶ differs? update it everywhere ─────┤
                       parameters differ? update those ───┴─▶ add what is missing ─▶ look again
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from calamari_py.errors import CloudError
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.cloudformation.operate import new_token, only_looked
from calamari_py.steps.cloudformation.parse import check_against, secrets_of
from calamari_py.steps.cloudformation.polling import ask_patiently
from calamari_py.steps.cloudformation.sets import requests
from calamari_py.steps.cloudformation.sets.failure import not_current, set_failed
from calamari_py.steps.cloudformation.sets.look import (
    find,
    instances_of,
    refuse_other_model,
    say_others,
    settle,
    warn_of_behind,
    warn_of_drift,
)
from calamari_py.steps.cloudformation.sets.operate import operate
from calamari_py.steps.cloudformation.sets.outputs import publish, summary
from calamari_py.steps.cloudformation.sets.plan import Plan, make_plan, say_plan
from calamari_py.steps.cloudformation.sets.targets import named
from calamari_py.steps.cloudformation.sets.values import Ended, Instance, StackSet, Target
from calamari_py.steps.cloudformation.sets.work import SetWork
from calamari_py.steps.cloudformation.spec import TemplateFacts
from calamari_py.steps.cloudformation.template_upload import uploaded

_TRIES = 3
_OVERTAKEN = ("StaleRequest", "NameAlreadyExists", "CreatedButModified")


def deploy(work: SetWork) -> StepOutcome:
    """Bring the set and the instances that the manifest names to what it says. Instances that it
    does not name get the set's update like all others, and are never removed."""
    facts = _facts(work)
    for left in reversed(range(_TRIES)):
        try:
            return _try(work, facts)
        except CloudError as error:
            if not left or not error.code.startswith(_OVERTAKEN):
                raise
            work.report.line(f"somebody else was faster ({error}): looking at the set again")
    raise AssertionError


def _try(work: SetWork, facts: TemplateFacts | None) -> StepOutcome:
    there = settle(work)
    instances: tuple[Instance, ...] = ()
    if there is not None:
        refuse_other_model(work, there)
        instances = instances_of(work)
    plan = make_plan(work, there, instances, facts)
    warn_of_drift(work, plan.instances)
    say_plan(work, plan)
    say_others(work, plan.instances, plan.named)
    if work.spec.dry_run:
        warn_of_behind(work, plan.instances)
        if plan.is_empty:
            return only_looked(work, work.spec.name, f"no changes, {summary(plan.instances)}")
        return only_looked(work, work.spec.name, "would be changed")
    _carry_out(work, plan, facts)
    _conclude(work)
    return StepOutcome(code=0, changed=not plan.is_empty)


def _facts(work: SetWork) -> TemplateFacts | None:
    """What the template says. Of one in S3 only AWS knows; then it is checked only now."""
    template = work.spec.template
    if template is None or template.facts is not None:
        return template.facts if template else None
    facts = ask_patiently(
        work, lambda: work.stacks.template_facts(template), f"template '{template.shown}'"
    )
    if facts is not None:
        for name, value in secrets_of(work.spec, facts):
            work.report.hide(value, name)
        check_against(work.spec, facts)
    return facts


def _carry_out(work: SetWork, plan: Plan, facts: TemplateFacts | None) -> None:
    """Do what is planned, and stop where an operation fails: StackFailed. Only where instances are
    to get other parameters right after an update of the whole set, those they have may be why that
    fails: then whatever it did not reach gets another try with them."""
    if plan.there is None:
        _create(work)
    elif plan.differs:
        ended = _update(work, plan.there, plan.instances)
        if not ended.has_succeeded:
            if not plan.update:
                left = [f"the creation of instances in {one.shown}" for one in plan.add]
                raise set_failed(work, ended, left=left)
            work.report.warn(
                "the update of the set has failed in places, where the parameters that instances "
                "have may be why: they get theirs now, and another try with them"
            )
            plan = make_plan(work, plan.there, instances_of(work), facts)
    _one_by_one(work, plan)


def _one_by_one(work: SetWork, plan: Plan) -> None:
    api = work.api
    steps: list[tuple[str, Target, Callable[..., str]]] = [
        *(("update of instances in", one, api.update_instances) for one in plan.update),
        *(("creation of instances in", one, api.create_instances) for one in plan.add),
    ]
    for number, (what, target, begin) in enumerate(steps):
        preferences = requests.preferences(work.spec.operation, target.regions)

        def send(token: str) -> str:
            return begin(target, preferences=preferences, token=token)  # noqa: B023

        ended = operate(work, f"the {what} {target.shown}", send)
        if not ended.has_succeeded:
            left = [f"the {other} {one.shown}" for other, one, _ in steps[number + 1 :]]
            raise set_failed(work, ended, left=left)


def _create(work: SetWork) -> None:
    params = requests.create(work.spec, url=_url(work))
    token = new_token(work.spec.token_prefix)
    ask_patiently(work, lambda: work.api.create(params, token=token), f"{work.shown} to be made")
    work.report.changed()
    work.report.line(f"{work.shown} is created")
    there = find(work)
    if there is not None:
        work.tell_set(there)


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


def _conclude(work: SetWork) -> None:
    """What AWS says now, whatever the operations came to: every instance that the manifest names is
    there and current."""
    there = find(work)
    if there is None:
        raise work.missing()
    instances = instances_of(work)
    ours = named(work.spec.instances, instances)
    publish(work, there, instances, ours)
    behind = [one for one in ours if one.status != "CURRENT" and not one.is_passed_over]
    if behind:
        raise not_current(work, behind)
    warn_of_behind(work, instances)
