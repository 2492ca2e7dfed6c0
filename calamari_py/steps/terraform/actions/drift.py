"""Action ``drift``: what was changed outside of Terraform. It is told, and no failure."""

from __future__ import annotations

from calamari_py.process.base import ProcessExit
from calamari_py.steps.base import LineReader, StepOutcome
from calamari_py.steps.terraform.actions.follow import follow
from calamari_py.steps.terraform.actions.planning import CHANGES, read_hidden
from calamari_py.steps.terraform.reading.summary import report_drift
from calamari_py.steps.terraform.work import Work


def drift(work: Work) -> StepOutcome:
    """Compare the state with what is there. What the configuration would change is no drift."""
    path = work.files.plan

    def run(reader: LineReader) -> ProcessExit:
        return work.tool.plan(reader, out=path, refresh_only=True)

    follow(work, "plan", run, good=(0, CHANGES))
    plan = read_hidden(work, path)
    report_drift(work.report, plan)
    number = len(plan.drift)
    work.report.output("DriftDetected", "true" if number else "false")
    if not number:
        work.report.ending("no drift")
        return StepOutcome(code=0, changed=False)
    work.report.ending(f"drift: {number} resource{'s' if number > 1 else ''} changed outside")
    return StepOutcome(code=0, pending=True)
