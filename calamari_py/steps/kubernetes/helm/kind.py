"""Step kind ``helm``: one release, by Helm itself, as the step's role.

Known at every start, so nothing of what it does is loaded before it is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from calamari_py.steps.base import (
    KindEnvironment,
    ParseContext,
    PlannedCommand,
    StepContext,
    StepOutcome,
)
from calamari_py.steps.kubernetes.cluster_kind import ClusterKind
from calamari_py.steps.kubernetes.sections import HelmAction, HelmSection

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.spec import HelmSpec


class HelmKind(ClusterKind):
    """One release: upgraded, compared, rolled back, removed, tested or only shown. See
    `StepKind`."""

    name = "helm"
    section: Any = HelmSection
    default_grace = 60.0
    actions: tuple[str, ...] = get_args(HelmAction)
    argument_fields: tuple[str, ...] = (
        "namespace", "cluster.eks", "release", "chart", "version", "binary", "kubectl",
    )  # fmt: skip

    def parse(self, section: HelmSection, context: ParseContext) -> HelmSpec:
        from calamari_py.steps.kubernetes.helm.parse import parse_helm

        return parse_helm(section, context)

    def environment(self, spec: HelmSpec) -> KindEnvironment:
        from calamari_py.steps.kubernetes.helm.environment import environment

        return environment(spec)

    def preview(self, spec: HelmSpec) -> tuple[PlannedCommand, ...]:
        from calamari_py.steps.kubernetes.helm.preview import preview

        return preview(spec)

    def execute(self, spec: HelmSpec, context: StepContext) -> StepOutcome:
        from calamari_py.steps.kubernetes.helm.carry_out import carry_out

        return carry_out(spec, context)
