"""Step kind ``kubectl``: objects of a cluster, by kubectl itself, as the step's role.

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
from calamari_py.steps.kubernetes.sections import KubectlAction, KubectlSection

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.spec import KubectlSpec


class KubectlKind(StepKind):
    """Objects: applied, compared, deleted or waited for, or a script that uses kubectl itself. See
    `StepKind`."""

    name = "kubectl"
    section: Any = KubectlSection
    default_delivery = "endpoint"
    default_grace = 30.0
    reads_output = True
    actions: tuple[str, ...] = get_args(KubectlAction)
    rehearses = True
    knows_changes = True
    argument_fields: tuple[str, ...] = (
        "binary", "cluster.eks", "namespace", "kustomize", "resources",
        "selector", "condition", "field_manager", "prune.applyset",
        "script.file", "script.shell", "script.args",
    )  # fmt: skip

    def parse(self, section: KubectlSection, context: ParseContext) -> KubectlSpec:
        from calamari_py.steps.kubernetes.kubectl.parse import parse_kubectl

        return parse_kubectl(section, context)

    def reads(self, spec: KubectlSpec | None) -> bool:
        """All but a script, which is shown as it comes."""
        return spec is not None and spec.script is None

    def secrets(self, spec: KubectlSpec) -> Iterable[tuple[str, str]]:
        return spec.secrets

    def roles(self, spec: KubectlSpec) -> Iterable[tuple[str, str]]:
        from calamari_py.steps.kubernetes.access.parse import roles_of

        return ((f"{self.name}.{place}", arn) for place, arn in roles_of(spec.cluster))

    def warnings(self, spec: KubectlSpec) -> Iterable[str]:
        return spec.warnings

    def environment(self, spec: KubectlSpec) -> KindEnvironment:
        from calamari_py.steps.kubernetes.kubectl.environment import environment

        return environment(spec)

    def equip(self, spec: KubectlSpec, context: StepContext) -> Mapping[str, str]:
        from calamari_py.steps.kubernetes.access.access import open_access

        access = open_access(spec.cluster, namespace=spec.namespace, context=context)
        return access.script_environment

    def preview(self, spec: KubectlSpec) -> tuple[PlannedCommand, ...]:
        from calamari_py.steps.kubernetes.kubectl.preview import preview

        return preview(spec)

    def execute(self, spec: KubectlSpec, context: StepContext) -> StepOutcome:
        from calamari_py.steps.kubernetes.kubectl.carry_out import carry_out

        return carry_out(spec, context)
