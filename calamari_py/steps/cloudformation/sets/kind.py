"""Step kind ``stack_set``: one template in many accounts and regions, as the step's role.

Known at every start, so nothing of what it does is loaded before it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from calamari_py.steps.base import ParseContext, StepContext, StepKind, StepOutcome
from calamari_py.steps.cloudformation.sections import SetAction, StackSetSection

if TYPE_CHECKING:
    from calamari_py.steps.cloudformation.sets.work import SetWork
    from calamari_py.steps.cloudformation.spec import StackSetSpec


class StackSetKind(StepKind):
    """One stack set: deployed, deleted or watched. See `StepKind`."""

    name = "stack_set"
    section: Any = StackSetSection
    default_delivery = "endpoint"
    default_timeout = 3600.0
    starts_processes = False
    actions: tuple[str, ...] = get_args(SetAction)
    rehearses = True
    knows_changes = True

    def parse(self, section: StackSetSection, context: ParseContext) -> StackSetSpec:
        from calamari_py.steps.cloudformation.parsing.parse import parse_stack_set

        return parse_stack_set(section, context)

    def secrets(self, spec: StackSetSpec) -> Iterable[tuple[str, str]]:
        from calamari_py.steps.cloudformation.parsing.parse import secrets_of

        return secrets_of(spec)

    def roles(self, spec: StackSetSpec) -> Iterable[tuple[str, str]]:
        arn = spec.section.administration_role_arn
        if arn is not None:
            yield f"{self.name}.administration_role_arn", arn

    def warnings(self, spec: StackSetSpec) -> Iterable[str]:
        return spec.warnings

    def intentions(self, spec: StackSetSpec) -> tuple[str, ...]:
        from calamari_py.steps.cloudformation.sets.intentions import intentions

        return intentions(spec)

    def execute(self, spec: StackSetSpec, context: StepContext) -> StepOutcome:
        from calamari_py.steps.cloudformation.service.api import StackApi
        from calamari_py.steps.cloudformation.sets.api import StackSetApi
        from calamari_py.steps.cloudformation.sets.learn import learn
        from calamari_py.steps.cloudformation.sets.work import SetWork
        from calamari_py.steps.cloudformation.work import BoundedCalls, Deadline

        limit = context.timeout
        ends = None if limit is None else context.clock.monotonic() + limit
        deadline = Deadline(clock=context.clock, at=ends, limit=limit)
        calls = BoundedCalls(context.aws, deadline, spec.patience)
        delegated = spec.section.call_as == "delegated-admin"
        work = SetWork(
            spec=spec,
            api=StackSetApi(calls, spec.name, delegated=delegated),
            stacks=StackApi(calls),
            context=context,
            deadline=deadline,
        )
        context.report.fact("action", spec.action)
        return _act(spec.action)(replace(work, facts=learn(work)))


def _act(action: SetAction) -> Callable[[SetWork], StepOutcome]:
    match action:
        case "delete":
            from calamari_py.steps.cloudformation.sets.delete import delete

            return delete
        case "watch":
            from calamari_py.steps.cloudformation.sets.watch import watch

            return watch
        case _:
            from calamari_py.steps.cloudformation.sets.deploy import deploy

            return deploy
