"""Step kind ``cloudformation``: a stack, through the CloudFormation API, as the step's role.

Known at every start, so nothing of what it does is loaded before it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from calamari_py.steps.base import ParseContext, StepContext, StepKind, StepOutcome
from calamari_py.steps.cloudformation.sections import Action, CloudFormationSection

if TYPE_CHECKING:
    from calamari_py.steps.cloudformation.spec import StackSpec
    from calamari_py.steps.cloudformation.work import Work


class CloudFormationKind(StepKind):
    """One stack: deployed, shown, deleted, rolled back or watched. See `StepKind`."""

    name = "cloudformation"
    section: Any = CloudFormationSection
    default_delivery = "endpoint"
    default_timeout = 3600.0
    starts_processes = False
    actions: tuple[str, ...] = get_args(Action)
    rehearses = True
    resumes = True
    knows_changes = True

    def parse(self, section: CloudFormationSection, context: ParseContext) -> StackSpec:
        from calamari_py.steps.cloudformation.parsing.parse import parse_stack

        return parse_stack(section, context)

    def secrets(self, spec: StackSpec) -> Iterable[tuple[str, str]]:
        from calamari_py.steps.cloudformation.parsing.parse import secrets_of

        return secrets_of(spec)

    def roles(self, spec: StackSpec) -> Iterable[tuple[str, str]]:
        if spec.role_arn is not None:
            yield f"{self.name}.role_arn", spec.role_arn

    def warnings(self, spec: StackSpec) -> Iterable[str]:
        return spec.warnings

    def octopus_name(self, name: str) -> str | None:
        if name == "StackId":
            return "AwsOutputs[StackId]"
        if name.startswith("Outputs."):
            return f"AwsOutputs[{name.removeprefix('Outputs.')}]"
        return None

    def intentions(self, spec: StackSpec) -> tuple[str, ...]:
        from calamari_py.steps.cloudformation.parsing.intentions import intentions

        return intentions(spec)

    def execute(self, spec: StackSpec, context: StepContext) -> StepOutcome:
        from calamari_py.steps.cloudformation.actions.learn import learn
        from calamari_py.steps.cloudformation.actions.sensitive import HiddenOutputs
        from calamari_py.steps.cloudformation.parsing.guards import check_home
        from calamari_py.steps.cloudformation.service.api import StackApi
        from calamari_py.steps.cloudformation.tokens import new_token
        from calamari_py.steps.cloudformation.work import BoundedCalls, Deadline, Work

        check_home(spec, context.aws)
        limit = context.timeout
        ends = None if limit is None else context.clock.monotonic() + limit
        deadline = Deadline(clock=context.clock, at=ends, limit=limit)
        context = replace(context, aws=BoundedCalls(context.aws, deadline, spec.patience))
        work = Work(
            spec=spec,
            api=StackApi(context.aws, seen=HiddenOutputs(spec, context.report)),
            context=context,
            token=new_token(spec.token_prefix),
            deadline=deadline,
        )
        context.report.fact("action", spec.action)
        learn(work)
        return _act(spec.action)(work)


def _act(action: Action) -> Callable[[Work], StepOutcome]:
    match action:
        case "delete":
            from calamari_py.steps.cloudformation.actions.delete import delete

            return delete
        case "rollback":
            from calamari_py.steps.cloudformation.actions.rollback import roll_back

            return roll_back
        case "watch":
            from calamari_py.steps.cloudformation.actions.watch import watch

            return watch
        case "execute":
            from calamari_py.steps.cloudformation.actions.execute import execute

            return execute
        case _:
            from calamari_py.steps.cloudformation.actions.deploy import deploy

            return deploy
