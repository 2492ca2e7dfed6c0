"""Action ``rollout-status``: objects are waited for, and nothing is changed."""

from __future__ import annotations

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.kubernetes.access.failures import ApiFailure
from calamari_py.steps.kubernetes.applying.tell import named
from calamari_py.steps.kubernetes.kubectl.sources import objects_for, resource_refs
from calamari_py.steps.kubernetes.kubectl.work import Work
from calamari_py.steps.kubernetes.rollout.follow import Rollout
from calamari_py.steps.kubernetes.spec import WaitSpec
from calamari_py.steps.kubernetes.values import ObjectRef

_MOST_ROWS = 10


def rollout_status(work: Work) -> StepOutcome:
    """Wait until what `resources` name, or else what the files hold, is ready."""
    spec = work.spec
    refs = resource_refs(work) if spec.resources else _file_refs(work)
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


def _file_refs(work: Work) -> list[ObjectRef]:
    """What the files name. ToolFailed for one that is not there: of most kinds nothing else is to
    be seen."""
    refs = [each.ref for each in objects_for(work)]
    refused: dict[ObjectRef, ApiFailure] = {}
    found = work.kubectl.get_objects(refs, doing="look at the objects", refused=refused)
    missing = [ref for ref in refs if ref.name and ref not in found and ref not in refused]
    if missing:
        raise ToolFailed(
            f"{len(missing)} of {len(refs)} objects are not there"
            if len(missing) > 1
            else f"'{named(missing[0])}' is not there",
            hint="apply them first, or correct 'namespace'",
            evidence=[str(ref) for ref in missing[:_MOST_ROWS]],
        )
    if refused:
        work.report.note(f"{len(refused)} of {len(refs)} objects may not be looked at")
    return refs
