"""A plan is made and held against the policy; what is secret in it is hidden before all else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calamari_py.errors import ToolFailed
from calamari_py.process.base import ProcessExit
from calamari_py.steps.base import LineReader
from calamari_py.steps.terraform.actions.follow import follow
from calamari_py.steps.terraform.actions.hiding import hide_failed_plan, read_hidden
from calamari_py.steps.terraform.actions.plan_files import sha256_of
from calamari_py.steps.terraform.actions.undeclared import refuse_undeclared
from calamari_py.steps.terraform.actions.verdict import check_agreement
from calamari_py.steps.terraform.reading.policy import doubts, refusals
from calamari_py.steps.terraform.reading.summary import report_plan
from calamari_py.steps.terraform.values import Diagnostic, Plan
from calamari_py.steps.terraform.work import Work

CHANGES = 2
"""What ``-detailed-exitcode`` ends with where there is something to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan that lies in a private file. `is_needed` is Terraform's own word for that there is
    something to apply; `told` are the diagnostics that came with it."""

    path: Path
    plan: Plan
    sha256: str
    is_needed: bool = True
    told: tuple[Diagnostic, ...] = ()

    @property
    def has_changes(self) -> bool:
        """Whether applying it changes anything. To read data is something to do, and no change."""
        return self.is_needed and not self.plan.only_reads


def make_plan(work: Work, *, destroy: bool = False) -> Planned:
    """Plan, say what it would do, and hold it against the policy (ToolFailed when refused)."""
    planned = run_plan(work, destroy=destroy)
    report_plan(work.report, planned.plan, verb="destroy" if destroy else "plan")
    check_policy(work, planned.plan)
    return planned


def run_plan(work: Work, *, destroy: bool = False, refresh_only: bool = False) -> Planned:
    """Plan. What Terraform says went wrong quotes variables: it is told when all that is secret in
    the plan is known, and Terraform leaves one that failed, too."""
    path = work.files.plan
    made: list[tuple[str, Plan]] = []

    def run(reader: LineReader) -> ProcessExit:
        return work.tool.plan(reader, out=path, destroy=destroy, refresh_only=refresh_only)

    def hide(ended: ProcessExit | None) -> None:
        if ended is not None and ended.stopped is None and ended.code in (0, CHANGES):
            # Its hash first: what is shown is what was hashed.
            made.append((sha256_of(path), read_hidden(work, path)))
        else:
            hide_failed_plan(work, path)

    ended, followed = follow(work, "plan", run, good=(0, CHANGES), before_telling=hide)
    refuse_undeclared(work, followed)
    ((sha256, plan),) = made
    is_needed = ended.code == CHANGES
    if not refresh_only or plan.is_applyable is not None:
        check_agreement(work, plan, is_needed=is_needed)
    return Planned(
        path=path,
        plan=plan,
        sha256=sha256,
        is_needed=is_needed,
        told=followed.diagnostics,
    )


def check_policy(work: Work, plan: Plan) -> None:
    """ToolFailed where it would do what the policy forbids."""
    found = refusals(plan, work.spec.policy)
    for doubt in doubts(plan, work.spec.policy):
        work.report.warn(doubt, "correct the pattern in 'terraform.policy', or remove it")
    if not found:
        return
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    raise ToolFailed(
        f"the policy refuses this plan: {found[0]}{more}",
        hint="nothing was applied; change the configuration, or 'terraform.policy' in the manifest "
        "where this is meant",
        evidence=found[1:],
    )
