"""Action ``rollout-status``: objects are waited for, and nothing is changed."""

from __future__ import annotations

from calamari_py.steps.base import StepOutcome
from calamari_py.steps.kubernetes.kubectl.sources import objects_for, resource_refs
from calamari_py.steps.kubernetes.kubectl.work import Work
from calamari_py.steps.kubernetes.rollout.follow import Rollout
from calamari_py.steps.kubernetes.spec import WaitSpec


def rollout_status(work: Work) -> StepOutcome:
    """Wait until what `resources` name, or else what the files hold, is ready."""
    spec = work.spec
    refs = resource_refs(work) if spec.resources else [each.ref for each in objects_for(work)]
    rollout = Rollout(
        work.kubectl,
        refs,
        spec.wait or WaitSpec(),
        report=work.report,
        clock=work.clock,
        anything_changed=False,
    )
    rollout.wait_until_ready()
    return StepOutcome(code=0, changed=False)
