"""The registry of step kinds. A new kind is one file, one line here, one test."""

from __future__ import annotations

from typing import Any

from calamari_py.steps.base import StepKind
from calamari_py.steps.cloudformation.kind import CloudFormationKind
from calamari_py.steps.cloudformation.sets.kind import StackSetKind
from calamari_py.steps.kubernetes.helm.kind import HelmKind
from calamari_py.steps.kubernetes.kubectl.kind import KubectlKind
from calamari_py.steps.script import FinallySection, ScriptKind
from calamari_py.steps.terraform.kind import TerraformKind

STEP_KINDS: dict[str, StepKind] = {
    "script": ScriptKind(),
    "cloudformation": CloudFormationKind(),
    "stack_set": StackSetKind(),
    "terraform": TerraformKind(),
    "kubectl": KubectlKind(),
    "helm": HelmKind(),
}

FINALLY_SECTION: Any = str | FinallySection
"""The type of ``finally``: a script, whatever the step's kind is."""
