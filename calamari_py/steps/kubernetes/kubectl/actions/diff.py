"""Action ``diff``, and a rehearsed ``apply``: what would be changed, as the server sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from calamari_py.steps.base import StepOutcome
from calamari_py.steps.kubernetes.applying.preview import dry_run
from calamari_py.steps.kubernetes.diffing.difference import Difference
from calamari_py.steps.kubernetes.diffing.tell import report_differences
from calamari_py.steps.kubernetes.kubectl.sources import objects_for
from calamari_py.steps.kubernetes.kubectl.work import Work
from calamari_py.steps.kubernetes.values import KubeObject


def diff(work: Work) -> StepOutcome:
    """Show what an ``apply`` would change."""
    return look(work, objects_for(work))


def look(work: Work, objects: Sequence[KubeObject]) -> StepOutcome:
    """Show what applying `objects` would change. That nothing was changed is not that there was
    nothing to change: `changed` is unknown then."""
    differences = dry_run(work.kubectl, objects, work.spec, work.report)
    report_differences(work.report, differences)
    if all(each.kind == "none" for each in differences):
        work.report.ending("nothing to change")
        return StepOutcome(code=0, changed=False)
    work.report.ending(f"would change: {counted(differences)}")
    return StepOutcome(code=0, pending=True)


def counted(differences: Sequence[Difference]) -> str:
    """``2 to create, 1 to change``."""
    number = Counter[str](each.kind for each in differences)
    words = {"create": "to create", "change": "to change", "delete": "to delete",
             "unknown": "not known"}  # fmt: skip
    return ", ".join(f"{number[kind]} {text}" for kind, text in words.items() if number[kind])
