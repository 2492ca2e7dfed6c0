"""A plan is made, or read, with all that is secret in it hidden before a word of it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calamari_py.errors import ToolFailed
from calamari_py.process.base import ProcessExit
from calamari_py.steps.base import LineReader
from calamari_py.steps.terraform.actions.follow import follow
from calamari_py.steps.terraform.actions.plan_files import sha256_of
from calamari_py.steps.terraform.reading.plan import read_plan
from calamari_py.steps.terraform.reading.policy import refusals
from calamari_py.steps.terraform.reading.sensitive import hide_all, sensitive_values
from calamari_py.steps.terraform.reading.summary import report_plan
from calamari_py.steps.terraform.values import Diagnostic, Plan
from calamari_py.steps.terraform.work import Work

CHANGES = 2
"""What ``-detailed-exitcode`` ends with where there is something to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan that lies in a private file. `has_changes` is Terraform's own word; `told` are the
    diagnostics that came with it."""

    path: Path
    plan: Plan
    sha256: str
    has_changes: bool
    told: tuple[Diagnostic, ...] = ()


def make_plan(work: Work, *, destroy: bool = False) -> Planned:
    """Plan, say what it would do, and hold it against the policy (ToolFailed when refused)."""
    path = work.files.plan

    def run(reader: LineReader) -> ProcessExit:
        return work.tool.plan(reader, out=path, destroy=destroy)

    ended, followed = follow(work, "plan", run, good=(0, CHANGES))
    sha256 = sha256_of(path)
    plan = read_hidden(work, path)
    report_plan(work.report, plan, verb="destroy" if destroy else "plan")
    check_policy(work, plan)
    return Planned(
        path=path,
        plan=plan,
        sha256=sha256,
        has_changes=ended.code == CHANGES,
        told=followed.diagnostics,
    )


def read_hidden(work: Work, path: Path) -> Plan:
    """The plan in `path`; whatever is sensitive in it is masked from now on."""
    document = work.tool.show_plan(path)
    hide_all(work.report, sensitive_values(document))
    return read_plan(document)


def check_policy(work: Work, plan: Plan) -> None:
    """ToolFailed where it would do what the policy forbids."""
    found = refusals(plan, work.spec.policy)
    if not found:
        return
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    raise ToolFailed(
        f"the policy refuses this plan: {found[0]}{more}",
        hint="nothing was applied; change the configuration, or 'terraform.policy' in the manifest "
        "where this is meant",
        evidence=found if more else (),
    )
