"""Action ``output``: the outputs of the state as it is."""

from __future__ import annotations

from calamari_py.steps.base import StepOutcome
from calamari_py.steps.terraform.actions.outputs import publish
from calamari_py.steps.terraform.work import Work


def output(work: Work) -> StepOutcome:
    """Publish them; nothing is planned, and no lock is taken."""
    if not publish(work):
        work.report.line("no outputs")
    return StepOutcome(code=0, changed=False)
