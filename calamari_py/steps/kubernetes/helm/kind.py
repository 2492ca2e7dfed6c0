"""Step kind ``helm``: one release, by Helm itself, as the step's role.

Known at every start, so nothing of what it does is loaded before it is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, get_args

from calamari_py.steps.base import (
    KindEnvironment,
    ParseContext,
    PlannedCommand,
    StepContext,
    StepKind,
    StepOutcome,
)
from calamari_py.steps.kubernetes.sections import HelmAction, HelmSection

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.spec import HelmSpec


class HelmKind(StepKind):
    """One release: upgraded, compared, rolled back, removed, tested or only shown. See
    `StepKind`."""

    name = "helm"
    section: Any = HelmSection
    default_delivery = "endpoint"
    default_grace = 60.0
    reads_output = True
    actions: tuple[str, ...] = get_args(HelmAction)
    rehearses = True
    knows_changes = True
    argument_fields: tuple[str, ...] = (
        "namespace", "cluster.eks", "release", "chart", "version", "binary", "kubectl",
    )  # fmt: skip

    def parse(self, section: HelmSection, context: ParseContext) -> HelmSpec:
        from calamari_py.steps.kubernetes.helm.parse import parse_helm

        return parse_helm(section, context)

    def secrets(self, spec: HelmSpec) -> Iterable[tuple[str, str]]:
        return spec.secrets

    def roles(self, spec: HelmSpec) -> Iterable[tuple[str, str]]:
        from calamari_py.steps.kubernetes.access.parse import roles_of

        return ((f"{self.name}.{place}", arn) for place, arn in roles_of(spec.cluster))

    def warnings(self, spec: HelmSpec) -> Iterable[str]:
        return spec.warnings

    def environment(self, spec: HelmSpec) -> KindEnvironment:
        from calamari_py.steps.kubernetes.helm.environment import environment

        return environment(spec)

    def equip(self, spec: HelmSpec, context: StepContext) -> Mapping[str, str]:
        from calamari_py.steps.kubernetes.access.access import open_access

        access = open_access(spec.cluster, namespace=spec.namespace, context=context)
        return access.script_environment

    def preview(self, spec: HelmSpec) -> tuple[PlannedCommand, ...]:
        from calamari_py.steps.kubernetes.helm.preview import preview

        return preview(spec)

    def execute(self, spec: HelmSpec, context: StepContext) -> StepOutcome:
        from calamari_py.steps.kubernetes.helm.carry_out import carry_out

        return carry_out(spec, context)
