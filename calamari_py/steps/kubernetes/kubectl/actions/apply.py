"""Action ``apply``: what the files say is made so, and waited for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from calamari_py.steps.base import StepOutcome
from calamari_py.steps.kubernetes.applying.apply import apply_objects
from calamari_py.steps.kubernetes.applying.namespace import ensure_namespace, namespace_ref
from calamari_py.steps.kubernetes.kubectl.actions.diff import look
from calamari_py.steps.kubernetes.kubectl.sources import objects_for
from calamari_py.steps.kubernetes.kubectl.work import Work
from calamari_py.steps.kubernetes.rollout.follow import Rollout, take_baseline
from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef, ObjectResult

_CHANGES = ("created", "configured", "pruned")


def apply(work: Work) -> StepOutcome:
    """Apply, and wait until all is ready as long as the spec waits; a rehearsal only looks."""
    spec, report = work.spec, work.report
    objects = objects_for(work)
    if spec.dry_run:
        return look(work, objects)
    made = _make_namespace(work, objects)
    baseline = None
    if spec.wait is not None:
        baseline = take_baseline(work.kubectl, [each.ref for each in objects])
    results = apply_objects(work.kubectl, objects, spec, report)
    is_changed = any(result.action in _CHANGES for result in results)
    report.ending(f"applied: {counted(results)}")
    if spec.wait is not None:
        rollout = Rollout(
            work.kubectl,
            _followed(objects, results),
            spec.wait,
            report=report,
            clock=work.clock,
            baseline=baseline,
            anything_changed=is_changed,
        )
        rollout.wait_until_ready()
    return StepOutcome(code=0, changed=is_changed or made)


def counted(results: Sequence[ObjectResult]) -> str:
    """``2 created, 1 unchanged``."""
    number = Counter(result.action for result in results)
    return ", ".join(f"{count} {action}" for action, count in number.items())


def _make_namespace(work: Work, objects: Sequence[KubeObject]) -> bool:
    """Whether the step's namespace had to be made. One that is in the files is made by them."""
    name = work.spec.namespace
    if not name or any(each.ref == namespace_ref(name) for each in objects):
        return False
    create = work.spec.create_namespace
    return ensure_namespace(work.kubectl, name, create=create, report=work.report) is not None


def _followed(objects: Sequence[KubeObject], results: Sequence[ObjectResult]) -> list[ObjectRef]:
    """What is to be ready: what the server named by that name, the rest as the files name it, as
    the baseline does."""
    pairs = zip(objects, results, strict=False)
    return [each.ref if each.ref.name else result.ref for each, result in pairs]
