"""Action ``script``: a script that finds the context of its kubectl set."""

from __future__ import annotations

from calamari_py.steps._script import ScriptSpec, run_script
from calamari_py.steps.base import StepContext, StepOutcome
from calamari_py.steps.kubernetes.access.access import Access


def script(spec: ScriptSpec, access: Access, context: StepContext) -> StepOutcome:
    """Run it. What it changes is its own affair."""
    return run_script(spec, context, names=access.script_environment)
