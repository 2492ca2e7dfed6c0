"""Action ``delete``: what the files name is removed, and waited for."""

from __future__ import annotations

from calamari_py.steps.base import StepOutcome
from calamari_py.steps.kubernetes.applying.delete import delete_objects
from calamari_py.steps.kubernetes.applying.tell import counted
from calamari_py.steps.kubernetes.kubectl.sources import objects_for
from calamari_py.steps.kubernetes.kubectl.work import Work
from calamari_py.steps.kubernetes.objects.order import for_deletion


def delete(work: Work) -> StepOutcome:
    """Delete what is there; a rehearsal only looks."""
    objects = for_deletion(objects_for(work))
    results = delete_objects(work.kubectl, objects, work.spec, work.report)
    deleted = any(result.action in ("deleted", "deleting") for result in results)
    if not work.spec.dry_run:
        return StepOutcome(code=0, changed=deleted)
    if not deleted:
        work.report.ending("nothing to delete")
        return StepOutcome(code=0, changed=False)
    work.report.ending(f"would be: {counted(results)}")
    return StepOutcome(code=0, pending=True)
