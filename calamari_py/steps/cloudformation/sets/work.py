"""SetWork: what every action on a stack set is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from calamari_py.errors import StackFailed
from calamari_py.steps.base import StepClock, StepContext, StepReport
from calamari_py.steps.cloudformation.api import StackApi
from calamari_py.steps.cloudformation.links import stack_set_url
from calamari_py.steps.cloudformation.operate import refusal
from calamari_py.steps.cloudformation.sets.api import StackSetApi
from calamari_py.steps.cloudformation.sets.values import Ended, StackSet
from calamari_py.steps.cloudformation.spec import StackSetSpec
from calamari_py.steps.cloudformation.work import Deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class SetWork:
    """One action on one stack set. A `Waiting`. `ended` are the operations that this run has seen
    to their end; `stacks` is for what has nothing to do with sets (templates, refusals)."""

    spec: StackSetSpec
    api: StackSetApi
    stacks: StackApi
    context: StepContext
    deadline: Deadline
    ended: list[Ended] = field(default_factory=list)

    @property
    def report(self) -> StepReport:
        """Where to say it."""
        return self.context.report

    @property
    def clock(self) -> StepClock:
        """The time."""
        return self.context.clock

    @property
    def shown(self) -> str:
        """``stack set 'deployment-roles'``."""
        return f"stack set '{self.spec.name}'"

    def tell_set(self, found: StackSet) -> None:
        """The set, as facts of the result."""
        url = stack_set_url(self.context.aws.region, self.context.aws.partition, found.id)
        self.report.fact("stack_set", {"id": found.id, "name": found.name})
        self.report.fact("console_url", url or None)

    def tell_ended(self, ended: Ended) -> None:
        """An operation that has ended, as facts of the result."""
        self.ended.append(ended)
        operations: list[dict[str, Any]] = [
            {
                "id": one.operation.id,
                "action": one.operation.action,
                "status": one.operation.status,
                "results": [
                    {
                        "account": result.account,
                        "region": result.region,
                        "status": result.status,
                        "reason": result.reason,
                    }
                    for result in one.results
                ],
            }
            for one in self.ended
        ]
        self.report.fact("operations", operations)

    def missing(self) -> StackFailed:
        """There is no such set, and there should be one."""
        return refusal(
            f"there is no {self.shown} in {self.context.aws.region}",
            operation="DescribeStackSet",
            code="StackSetNotFoundException",
            hint="a stack set lives in the region and the account that it was made in: are these "
            "the step's?",
        )
