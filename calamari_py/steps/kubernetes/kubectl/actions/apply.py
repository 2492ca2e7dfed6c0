"""Action ``apply``: what the files say is made so, and waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calamari_py.steps.base import StepOutcome
from calamari_py.steps.kubernetes.applying.apply import apply_objects, is_changed
from calamari_py.steps.kubernetes.applying.namespace import ensure_namespace, namespace_ref
from calamari_py.steps.kubernetes.kubectl.actions.diff import look
from calamari_py.steps.kubernetes.kubectl.sources import objects_for
from calamari_py.steps.kubernetes.kubectl.work import Work
from calamari_py.steps.kubernetes.rollout.baseline import baseline_of
from calamari_py.steps.kubernetes.rollout.follow import Rollout
from calamari_py.steps.kubernetes.rollout.rules.jobs import removes_itself
from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef, ObjectResult


def apply(work: Work) -> StepOutcome:
    """Apply, and wait until all is ready as long as the spec waits; a rehearsal only looks."""
    spec, report = work.spec, work.report
    objects = objects_for(work)
    if spec.dry_run:
        return look(work, objects)
    made = _make_namespace(work, objects)
    before: dict[ObjectRef, Mapping[str, Any]] = {}
    results = apply_objects(work.kubectl, objects, spec, report, before=before, already=made)
    changed = is_changed((*made, *results))
    if spec.wait is not None:
        followed = _followed(objects, results)
        rollout = Rollout(
            work.kubectl,
            [*followed],
            spec.wait,
            report=report,
            clock=work.clock,
            baseline=baseline_of(before),
            anything_changed=is_changed(results) is not False,
            fleeting=[ref for ref, each in followed.items() if removes_itself(each.body)],
        )
        rollout.wait_until_ready()
    return StepOutcome(code=0, changed=changed)


def _make_namespace(work: Work, objects: Sequence[KubeObject]) -> tuple[ObjectResult, ...]:
    """The step's namespace where it had to be made. One that is in the files is made by them."""
    name = work.spec.namespace
    if not name or any(each.ref == namespace_ref(name) for each in objects):
        return ()
    create = work.spec.create_namespace
    made = ensure_namespace(work.kubectl, name, create=create, report=work.report)
    return () if made is None else (made,)


def _followed(
    objects: Sequence[KubeObject], results: Sequence[ObjectResult]
) -> dict[ObjectRef, KubeObject]:
    """What is to be ready: what the server named by that name, the rest as the files name it, as
    the baseline does."""
    pairs = zip(objects, results, strict=False)
    return {each.ref if each.ref.name else result.ref: each for each, result in pairs}
