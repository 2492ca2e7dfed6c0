"""Work: what every action is given."""

from __future__ import annotations

from dataclasses import dataclass

from calamari_py.steps.kubernetes.spec import KubectlSpec
from calamari_py.steps.kubernetes.work import ClusterWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(ClusterWork):
    """One action on objects."""

    spec: KubectlSpec
