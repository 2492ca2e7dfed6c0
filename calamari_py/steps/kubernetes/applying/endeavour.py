"""Endeavour: what one apply, one delete and one dry run work with."""

from __future__ import annotations

from collections.abc import Sequence

from calamari_py.steps.base import StepReport
from calamari_py.steps.kubernetes.applying.applyset import parents_of
from calamari_py.steps.kubernetes.applying.lines import Warnings
from calamari_py.steps.kubernetes.spec import KubectlSpec
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl
from calamari_py.steps.kubernetes.values import KubeObject


class Endeavour:
    """Something that is done with all objects of a step."""

    def __init__(
        self,
        kubectl: Kubectl,
        objects: Sequence[KubeObject],
        spec: KubectlSpec,
        report: StepReport,
    ) -> None:
        self._kubectl = kubectl
        self._objects = tuple(objects)
        self._spec = spec
        self._report = report
        self._warnings = Warnings(report)
        self._parents = parents_of(spec, self._objects, kubectl.access.namespace)
