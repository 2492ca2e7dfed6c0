"""Actions ``plan`` and ``plan-destroy``: a plan is left for a later ``apply``."""

from __future__ import annotations

from pathlib import Path

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.terraform.actions.plan_files import leave, plan_file_of
from calamari_py.steps.terraform.actions.planning import Planned, make_plan
from calamari_py.steps.terraform.actions.words import only_looked
from calamari_py.steps.terraform.work import Work


def plan(work: Work) -> StepOutcome:
    """Leave a plan of what the configuration says. One without changes is left, too: whoever
    applies what this step made need not ask whether there is anything."""
    return _plan(work, destroy=False)


def plan_destroy(work: Work) -> StepOutcome:
    """Leave a plan that destroys all."""
    return _plan(work, destroy=True)


def _plan(work: Work, *, destroy: bool) -> StepOutcome:
    target = plan_file_of(work.spec)
    try:
        planned = make_plan(work, destroy=destroy)
    except ToolFailed:
        if target.exists() and not work.spec.dry_run:
            work.report.warn(f"no plan was left; '{target}' is that of an earlier run")
        raise
    if work.spec.dry_run:
        return only_looked(work, planned, "would leave a plan")
    _leave(work, planned, target)
    return only_looked(work, planned, "plan left", nothing="plan left")


def _leave(work: Work, planned: Planned, target: Path) -> None:
    leave(planned.path, target)
    work.report.output("PlanSha256", planned.sha256)
    work.report.line(f"plan '{target}' has the SHA-256 {planned.sha256}")
    work.report.line(
        "it holds secrets in clear, those of the state, too: keep it like a password, and remove "
        "it when nobody is going to apply it",
        tone="warn",
    )
