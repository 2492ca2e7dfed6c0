"""What kubectl and a step's own script get beside what every child gets."""

from __future__ import annotations

from dataclasses import replace

from calamari_py.steps._script import script_environment
from calamari_py.steps.base import KindEnvironment
from calamari_py.steps.kubernetes.access.environment import kind_environment
from calamari_py.steps.kubernetes.spec import KubectlSpec


def environment(spec: KubectlSpec) -> KindEnvironment:
    """Nothing of the caller's that decides which cluster is meant. A script has what every script
    has; its context comes when it is run. Pure."""
    found = kind_environment(is_read=spec.script is None)
    if spec.script is None:
        return found
    of_script = script_environment()
    return replace(found, names={**of_script.names, **found.names}, prepend=dict(of_script.prepend))
