"""Work: what every action is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calamari_py.steps.kubernetes.helm.files import HelmFiles
from calamari_py.steps.kubernetes.helm.tool import Helm
from calamari_py.steps.kubernetes.spec import HelmSpec
from calamari_py.steps.kubernetes.work import ClusterWork

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.access.access import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(ClusterWork):
    """One action on one release."""

    spec: HelmSpec
    helm: Helm
    access: Access
    files: HelmFiles
