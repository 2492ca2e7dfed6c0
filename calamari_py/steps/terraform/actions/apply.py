"""Action ``apply``: the plan that an earlier step has left, and nothing else."""

from __future__ import annotations

from pathlib import Path

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepOutcome, StepReport
from calamari_py.steps.terraform.actions.applying import apply_planned
from calamari_py.steps.terraform.actions.outputs import publish_after
from calamari_py.steps.terraform.actions.plan_files import plan_file_of, sha256_of, take
from calamari_py.steps.terraform.actions.planning import Planned, check_policy, read_hidden
from calamari_py.steps.terraform.actions.words import only_looked
from calamari_py.steps.terraform.reading.summary import report_plan
from calamari_py.steps.terraform.spec import TerraformSpec
from calamari_py.steps.terraform.work import Work


def take_in(spec: TerraformSpec, copy: Path, report: StepReport) -> None:
    """Copy the plan to `copy`, which nobody else can touch, before anything else is done.
    ToolFailed when it is not the one that ``plan_sha256`` names."""
    found = take(plan_file_of(spec), copy)
    if spec.plan_sha256 is None:
        report.warn(
            f"the plan is unverified: nobody has said which one to apply (its SHA-256 is {found})",
            hint="set 'terraform.plan_sha256' to PlanSha256 of the step that made it",
        )
    elif found != spec.plan_sha256:
        raise ToolFailed(
            f"the plan file '{spec.plan_file}' is not the plan that was approved: its SHA-256 is "
            f"{found}, and 'plan_sha256' is {spec.plan_sha256}",
            hint="nothing was applied; make a plan anew, look at it, and hand on its PlanSha256",
        )


def apply(work: Work) -> StepOutcome:
    """Show the plan once more, hold it against the policy, and apply it. One that was applied is of
    no use any more and holds secrets: it is removed."""
    path = work.files.plan
    sha256 = sha256_of(path)
    plan = read_hidden(work, path)
    report_plan(work.report, plan, verb="apply")
    check_policy(work, plan)
    planned = Planned(path=path, plan=plan, sha256=sha256, has_changes=plan.has_changes)
    if work.spec.dry_run:
        return only_looked(work, planned, "would apply")
    apply_planned(work, planned, verb="apply")
    _remove(work)
    publish_after(work, applied=True)
    return StepOutcome(code=0, changed=planned.has_changes)


def _remove(work: Work) -> None:
    target = plan_file_of(work.spec)
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        work.report.warn(
            f"the applied plan '{target}' cannot be removed: {error.strerror}",
            hint="remove it: it holds secrets, and cannot be applied again",
        )
    else:
        work.report.note(f"the applied plan '{target}' was removed: it held secrets")
