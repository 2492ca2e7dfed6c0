"""Action ``drift``: what was changed outside of Terraform. It is told, and no failure."""

from __future__ import annotations

from calamari_py.steps.base import StepOutcome
from calamari_py.steps.terraform.actions.planning import run_plan
from calamari_py.steps.terraform.reading.summary import report_drift
from calamari_py.steps.terraform.work import Work


def drift(work: Work) -> StepOutcome:
    """Compare the state with what is there. What the configuration would change is no drift."""
    plan = run_plan(work, refresh_only=True).plan
    report_drift(work.report, plan)
    number = len(plan.drift)
    work.report.output("DriftDetected", "true" if number else "false")
    if not number:
        return StepOutcome(code=0, changed=False)
    work.report.ending(f"drift: {number} resource{'s' if number > 1 else ''} changed outside")
    return StepOutcome(code=0, pending=True)
