"""ClusterWork: what every action on a cluster is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calamari_py.steps.base import StepClock, StepContext, StepReport

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.tool.kubectl import Kubectl


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterWork:
    """One action on one cluster, which `kubectl` reaches."""

    context: StepContext
    kubectl: Kubectl

    @property
    def report(self) -> StepReport:
        """Where to say it."""
        return self.context.report

    @property
    def clock(self) -> StepClock:
        """The time."""
        return self.context.clock
