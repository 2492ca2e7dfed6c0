"""SetWork: what every action on a stack set is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from calamari_py.errors import StackFailed
from calamari_py.steps.base import StepClock, StepContext, StepReport
from calamari_py.steps.cloudformation.actions.endings import refusal
from calamari_py.steps.cloudformation.links import stack_set_url
from calamari_py.steps.cloudformation.service.api import StackApi
from calamari_py.steps.cloudformation.sets.api import StackSetApi
from calamari_py.steps.cloudformation.sets.values import Result, SetOperation, StackSet
from calamari_py.steps.cloudformation.spec import StackSetSpec, TemplateFacts
from calamari_py.steps.cloudformation.work import Deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class SetWork:
    """One action on one stack set. A `Waiting`. `stacks` is for what has nothing to do with sets
    (templates, refusals), `facts` what the template says, where that is known.

    `begun` is what this run has changed, `seen` the operations that were there when it looked and
    its own, `told` its operations as facts.
    """

    spec: StackSetSpec
    api: StackSetApi
    stacks: StackApi
    context: StepContext
    deadline: Deadline
    facts: TemplateFacts | None = None
    begun: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)

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

    def tell_changed(self, what: str) -> None:
        """This run has changed `what`."""
        self.begun.append(what)
        self.report.changed()

    def tell_begun(self, operation_id: str) -> None:
        """An operation of this run is at work: that is what the closing line says until more is
        known."""
        self.seen.add(operation_id)
        self.tell_changed(operation_id)
        self.told[operation_id] = {
            "id": operation_id, "action": None, "status": None, "results": [],
        }  # fmt: skip
        self.report.fact("operations", list(self.told.values()))
        self.report.ending(f"{self.spec.name}: operation '{operation_id}' has begun")

    def tell_operation(self, operation: SetOperation, results: Sequence[Result]) -> None:
        """An operation as it is now, as a fact of the result and as what the closing line says."""
        self.told[operation.id] = {
            "id": operation.id,
            "action": operation.action,
            "status": operation.status,
            "results": [
                {
                    "account": result.account,
                    "region": result.region,
                    "status": result.status,
                    "reason": result.reason,
                }
                for result in results
            ],
        }
        self.report.fact("operations", list(self.told.values()))
        self.report.ending(f"{self.spec.name}: {operation.action} {operation.status}")

    def missing(self) -> StackFailed:
        """There is no such set, and there should be one."""
        return refusal(
            f"there is no {self.shown} in {self.context.aws.region}",
            operation="DescribeStackSet",
            code="StackSetNotFoundException",
            hint="a stack set lives in the region and the account that it was made in: are these "
            "the step's?",
        )
