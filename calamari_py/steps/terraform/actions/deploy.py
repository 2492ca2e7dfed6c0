"""Actions ``deploy`` and ``destroy``: plan, hold it against the policy, apply that very plan."""

from __future__ import annotations

from calamari_py.steps.base import StepOutcome
from calamari_py.steps.terraform.actions.applying import apply_planned
from calamari_py.steps.terraform.actions.outputs import publish_after
from calamari_py.steps.terraform.actions.planning import make_plan
from calamari_py.steps.terraform.actions.words import only_looked
from calamari_py.steps.terraform.work import Work


def deploy(work: Work) -> StepOutcome:
    """Bring about what the configuration says. Its outputs are published though nothing changed."""
    planned = make_plan(work)
    if work.spec.dry_run:
        return only_looked(work, planned, "would apply")
    unknown = apply_planned(work, planned, verb="apply") if planned.is_needed else None
    publish_after(work, applied=planned.is_needed, unknown=unknown)
    return StepOutcome(code=0, changed=planned.has_changes)


def destroy(work: Work) -> StepOutcome:
    """Destroy all that is in the state (of `targets`, where there are some)."""
    planned = make_plan(work, destroy=True)
    if work.spec.dry_run:
        return only_looked(work, planned, "would destroy")
    if planned.is_needed:
        apply_planned(work, planned, verb="destroy")
    return StepOutcome(code=0, changed=planned.has_changes)
