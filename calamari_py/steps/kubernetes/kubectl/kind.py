"""Step kind ``kubectl``: objects of a cluster, by kubectl itself, as the step's role.

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
from calamari_py.steps.kubernetes.sections import KubectlAction, KubectlSection

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.spec import KubectlSpec


class KubectlKind(ClusterKind):
    """Objects: applied, compared, deleted or waited for, or a script that uses kubectl itself. See
    `StepKind`."""

    name = "kubectl"
    section: Any = KubectlSection
    default_grace = 30.0
    actions: tuple[str, ...] = get_args(KubectlAction)
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

    def environment(self, spec: KubectlSpec) -> KindEnvironment:
        from calamari_py.steps.kubernetes.kubectl.environment import environment

        return environment(spec)

    def preview(self, spec: KubectlSpec) -> tuple[PlannedCommand, ...]:
        from calamari_py.steps.kubernetes.kubectl.preview import preview

        return preview(spec)

    def execute(self, spec: KubectlSpec, context: StepContext) -> StepOutcome:
        from calamari_py.steps.kubernetes.kubectl.carry_out import carry_out

        return carry_out(spec, context)
