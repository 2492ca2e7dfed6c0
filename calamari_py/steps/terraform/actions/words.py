"""How an action ends, in the words of the closing line."""

from __future__ import annotations

from calamari_py.steps.base import StepOutcome
from calamari_py.steps.terraform.actions.planning import Planned
from calamari_py.steps.terraform.reading.summary import counts, one_line
from calamari_py.steps.terraform.values import Plan
from calamari_py.steps.terraform.work import Work

_DONE = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "destroy": "destroyed",
    "import": "imported",
    "move": "moved",
    "forget": "forgotten",
}


def done(plan: Plan, verb: str) -> str:
    """``applied: 3 created, 1 updated``; where all is destroyed, ``destroyed 2``."""
    found = {kind: number for kind, number in counts(plan).items() if number}
    if verb == "destroy" and found.keys() == {"destroy"}:
        return f"destroyed {found['destroy']}"
    told = ", ".join(f"{number} {_DONE[kind]}" for kind, number in found.items())
    only = "only outputs changed" if plan.outputs or not plan.drift else "the state was refreshed"
    return f"applied: {told or only}"


def only_looked(work: Work, planned: Planned, would: str, *, nothing: str = "") -> StepOutcome:
    """The outcome of a plan that is not applied. That nothing was changed is not that there was
    nothing to change: `changed` is unknown then. Where it is known the closing line says it by
    itself, and `nothing` beside."""
    if not planned.has_changes:
        if nothing:
            work.report.ending(nothing)
        return StepOutcome(code=0, changed=False)
    work.report.ending(f"{would}: {one_line(planned.plan)}")
    return StepOutcome(code=0, pending=True)
