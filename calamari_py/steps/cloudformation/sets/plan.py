"""What a deployment of a stack set has to do: looked up, and told before it is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from calamari_py.steps.cloudformation.actions.endings import refusal
from calamari_py.steps.cloudformation.following.polling import ask_patiently
from calamari_py.steps.cloudformation.sets.differences import differences, differing
from calamari_py.steps.cloudformation.sets.targets import (
    missing_targets,
    named,
    together,
    wanted_overrides,
)
from calamari_py.steps.cloudformation.sets.values import Instance, StackSet, Target
from calamari_py.steps.cloudformation.sets.work import SetWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`there` is the set, None when it has to be made; `differs` what it differs in; `update` the
    instances that get other parameters, or another try; `add` those that are missing. `named` are
    all instances that the manifest names, of `instances`."""

    there: StackSet | None
    differs: tuple[str, ...] = ()
    update: tuple[Target, ...] = ()
    add: tuple[Target, ...] = ()
    instances: tuple[Instance, ...] = ()
    named: tuple[Instance, ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        """Whether all is as the manifest says."""
        return self.there is not None and not (self.differs or self.update or self.add)


def make_plan(
    work: SetWork,
    there: StackSet | None,
    instances: Sequence[Instance],
) -> Plan:
    """Compare what is there with the manifest. Asks for the parameters of every instance that the
    manifest names: only so it is known which of them differ."""
    groups = work.spec.instances
    add = missing_targets(groups, instances)
    if there is None:
        _refuse_previous(work)
        return Plan(there=None, add=add)
    ours = named(groups, instances)
    return Plan(
        there=there,
        differs=differences(work.spec, there, work.facts),
        update=together(_to_update(work, instances)),
        add=add,
        instances=tuple(instances),
        named=ours,
    )


def say_plan(work: SetWork, plan: Plan) -> None:
    """One line for each thing to do."""
    verb = "would be" if work.spec.dry_run else "will be"
    if plan.there is None:
        work.report.line(f"{work.shown} {verb} created from {_template(work)}")
    for one in plan.differs:
        work.report.line(f"{work.shown} {verb} updated: {one}")
    if plan.differs and plan.instances:
        count = len(plan.instances)
        work.report.line(f"with it all of its {count} instance{'' if count == 1 else 's'}")
    for target in plan.update:
        work.report.line(f"instances {verb} updated: {target.shown}{_parameters(target)}")
    for target in plan.add:
        work.report.line(f"instances {verb} added: {target.shown}{_parameters(target)}")
    if plan.is_empty:
        work.report.line(f"no changes: {work.shown} is what the manifest says")


def _to_update(
    work: SetWork, instances: Sequence[Instance]
) -> Iterator[tuple[Instance, Mapping[str, str] | None]]:
    """Instances whose parameters differ, and those that the last operation failed on or never
    reached, whoever made them: the set is only what it says when it is so everywhere."""
    for number, one in enumerate(instances):
        wanted = wanted_overrides(work.spec.instances, one)
        if one.status != "CURRENT":
            if one.takes_updates:
                yield one, wanted
        elif wanted is not None:
            percent = 100 * number / len(instances)
            work.report.progress(percent, f"looking at {one.account} {one.region}")
            where = f"the parameters of {work.shown} in {one.account}, {one.region}"
            actual = ask_patiently(work, partial(work.api.overrides, one.place), where)
            if differing(wanted, actual):
                yield one, wanted


def _refuse_previous(work: SetWork) -> None:
    """A set that is not there has no values to keep."""
    kept = [f"'{one.key}'" for one in work.spec.parameters if one.value is None]
    if kept:
        raise refusal(
            f"there is no {work.shown} yet that {', '.join(kept)} could keep a value of",
            operation="CreateStackSet",
            code="UsePreviousValue",
            hint="write the value",
        )


def _template(work: SetWork) -> str:
    return work.spec.template.shown if work.spec.template else "no template"


def _parameters(target: Target) -> str:
    """Their names: a value may be a secret."""
    return f" with its own {', '.join(target.overrides)}" if target.overrides else ""
