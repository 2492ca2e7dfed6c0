"""One plan file is applied: that very one."""

from __future__ import annotations

from calamari_py.errors import ToolFailed
from calamari_py.process.base import ProcessExit
from calamari_py.steps.base import LineReader
from calamari_py.steps.terraform.actions.follow import follow
from calamari_py.steps.terraform.actions.plan_files import sha256_of
from calamari_py.steps.terraform.actions.planning import Planned
from calamari_py.steps.terraform.actions.words import done
from calamari_py.steps.terraform.running.version import can_repeat_variables
from calamari_py.steps.terraform.state.errored import rescue
from calamari_py.steps.terraform.values import Plan
from calamari_py.steps.terraform.work import Work


def apply_planned(work: Work, planned: Planned, *, verb: str) -> None:
    """Apply it and say what was done. Whatever ends it early, a state that Terraform could not save
    is looked for. `verb` is ``apply`` or ``destroy``."""
    if sha256_of(planned.path) != planned.sha256:
        raise ToolFailed("the plan was changed after it was made and is not applied")
    repeat = can_repeat_variables(work.version)

    def run(reader: LineReader) -> ProcessExit:
        return work.tool.apply(reader, planned.path, with_variables=repeat)

    try:
        follow(work, verb, run, total=_steps(planned.plan), known=planned.told)
    except BaseException:
        # A defect of ours is no reason to lose it.
        rescue(work)
        raise
    if not planned.has_changes:
        work.report.ending("applied")
        return
    work.report.changed()
    work.report.ending(f"applied: {done(planned.plan)}")


def _steps(plan: Plan) -> int:
    """How many resources it will begin something on."""
    kinds = ("create", "update", "replace", "destroy")
    return sum(change.kind in kinds for change in plan.changes)
