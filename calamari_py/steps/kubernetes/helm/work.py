"""Work: what every action is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calamari_py.steps.base import StepClock, StepContext, StepReport
from calamari_py.steps.kubernetes.helm.files import HelmFiles
from calamari_py.steps.kubernetes.helm.tool import Helm
from calamari_py.steps.kubernetes.spec import HelmSpec

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.access.access import Access
    from calamari_py.steps.kubernetes.tool.kubectl import Kubectl


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One action on one release of a cluster that is reached."""

    spec: HelmSpec
    context: StepContext
    helm: Helm
    kubectl: Kubectl
    access: Access
    files: HelmFiles

    @property
    def report(self) -> StepReport:
        """Where to say it."""
        return self.context.report

    @property
    def clock(self) -> StepClock:
        """The time."""
        return self.context.clock
