"""ClusterKind: what the kinds that work with a cluster have in common.

Known at every start, so nothing of what it does is loaded before it is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from calamari_py.steps.base import StepContext, StepKind

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.spec import HelmSpec, KubectlSpec


class ClusterKind(StepKind):
    """A step that reads what kubectl or helm say of a cluster that its section names."""

    default_delivery = "endpoint"
    reads_output = True
    rehearses = True
    knows_changes = True

    def secrets(self, spec: KubectlSpec | HelmSpec) -> Iterable[tuple[str, str]]:
        return spec.secrets

    def roles(self, spec: KubectlSpec | HelmSpec) -> Iterable[tuple[str, str]]:
        from calamari_py.steps.kubernetes.access.parse import roles_of

        return ((f"{self.name}.{place}", arn) for place, arn in roles_of(spec.cluster))

    def warnings(self, spec: KubectlSpec | HelmSpec) -> Iterable[str]:
        return spec.warnings

    def equip(self, spec: KubectlSpec | HelmSpec, context: StepContext) -> Mapping[str, str]:
        from calamari_py.steps.kubernetes.access.access import open_access

        access = open_access(spec.cluster, namespace=spec.namespace, context=context)
        return access.script_environment
