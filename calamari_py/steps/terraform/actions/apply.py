"""Action ``apply``: the plan that an earlier step has left, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepOutcome, StepReport
from calamari_py.steps.terraform.actions.applying import apply_planned
from calamari_py.steps.terraform.actions.hiding import read_hidden
from calamari_py.steps.terraform.actions.outputs import publish_after
from calamari_py.steps.terraform.actions.plan_files import plan_file_of, sha256_of, take
from calamari_py.steps.terraform.actions.planning import Planned, check_policy
from calamari_py.steps.terraform.actions.same_state import check_same_state
from calamari_py.steps.terraform.actions.words import only_looked
from calamari_py.steps.terraform.reading.summary import report_plan
from calamari_py.steps.terraform.spec import TerraformSpec
from calamari_py.steps.terraform.work import Work

_USELESS = ("Saved plan is stale", "Saved plan does not match the given state")
"""What no further attempt makes any better."""


def take_in(spec: TerraformSpec, copy: Path, report: StepReport) -> str:
    """Copy the plan to `copy`, which nobody else can touch, before anything else is done. Its
    SHA-256; ToolFailed when it is not the one that ``plan_sha256`` names."""
    found = take(plan_file_of(spec), copy)
    if spec.plan_sha256 is None:
        report.warn(
            f"the plan is unverified: nobody has said which one to apply (its SHA-256 is {found})",
            hint="set 'terraform.plan_sha256' to PlanSha256 of the step that made it",
        )
    elif found != spec.plan_sha256:
        raise ToolFailed(
            f"the plan file '{spec.plan_file}' is not the plan that was approved",
            evidence=(f"its SHA-256\t{found}", f"approved\t{spec.plan_sha256}"),
            hint="nothing was applied; make a plan anew, look at it, and hand on its PlanSha256",
        )
    return found


def apply(work: Work) -> StepOutcome:
    """Show the plan once more, hold it against the policy, and apply it. One that was applied is of
    no use any more and holds secrets: it is removed."""
    path, sha256 = work.files.plan, work.taken
    check_same_state(work)
    plan = read_hidden(work, path)
    report_plan(work.report, plan, verb="apply")
    check_policy(work, plan)
    planned = Planned(path=path, plan=plan, sha256=sha256, is_needed=plan.is_needed)
    if work.spec.dry_run:
        return only_looked(work, planned, "would apply")
    is_spent = False

    def once_spent(whole: bool) -> None:
        nonlocal is_spent
        is_spent = True
        _remove(work, sha256, whole=whole)

    try:
        unknown = apply_planned(work, planned, verb="apply", once_spent=once_spent)
    except ToolFailed as error:
        is_useless = any(summary in error.message for summary in _USELESS)
        error.is_final = is_spent or is_useless
        if not is_spent:
            work.report.warn(
                f"the plan '{work.spec.plan_file}' still lies there, and holds secrets",
                hint="remove it: it cannot be applied any more"
                if is_useless
                else "remove it when nobody is going to apply it",
            )
        raise
    publish_after(work, applied=True, unknown=unknown)
    return StepOutcome(code=0, changed=planned.has_changes)


def _remove(work: Work, sha256: str, *, whole: bool) -> None:
    """The file that was read, and the link that leads to it: a store of artifacts may mount one."""
    target = plan_file_of(work.spec)
    read = Path(os.path.realpath(target))
    hint = "remove it: it holds secrets, and cannot be applied again"
    try:
        if not read.exists():
            return
        if sha256_of(read) != sha256:
            work.report.warn(f"'{read}' is not the plan that was applied any more: it stays")
            return
        if read != target and read.stat().st_uid != os.geteuid():
            work.report.warn(f"the applied plan stays in '{read}', where '{target}' leads", hint)
            return
        read.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
    except (OSError, ToolFailed) as error:
        why = error.strerror if isinstance(error, OSError) else error
        work.report.warn(f"the applied plan '{read}' cannot be removed: {why}", hint)
        return
    if whole:
        work.report.note(f"the applied plan '{read}' was removed: it held secrets")
    else:
        work.report.line(
            f"the plan '{read}' was applied in part, cannot be applied again, and was removed"
        )
