"""What is looked at while Helm is at work, and until all is ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calamari_py.steps.kubernetes.helm.outcome import Before
from calamari_py.steps.kubernetes.helm.rendered import Rendered
from calamari_py.steps.kubernetes.helm.work import Work

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.rollout.follow import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollouts:
    """Those of the objects and of the hooks; None where nothing is waited for."""

    objects: Rollout | None = None
    hooks: Rollout | None = None


def rollouts_of(
    work: Work, wanted: Rendered, before: Before, *, anything_changed: bool = True
) -> Rollouts:
    """The rollouts of a revision that is to be. Made before it is begun."""
    from calamari_py.steps.kubernetes.rollout.baseline import baseline_of
    from calamari_py.steps.kubernetes.rollout.follow import Rollout
    from calamari_py.steps.kubernetes.rollout.rules.jobs import removes_itself

    wait = work.spec.wait
    if wait is None:
        return Rollouts()
    objects = Rollout(
        work.kubectl,
        wanted.refs,
        wait,
        report=work.report,
        clock=work.clock,
        baseline=baseline_of(before.bodies),
        anything_changed=anything_changed,
        fleeting=[each.ref for each in wanted.objects if removes_itself(each.body)],
    )
    hooks = [each.ref for each in wanted.hooks] if work.spec.hooks else []
    if not hooks:
        return Rollouts(objects=objects)
    return Rollouts(
        objects=objects,
        hooks=Rollout(work.kubectl, hooks, wait, report=work.report, clock=work.clock),
    )


def wait_until_ready(rollouts: Rollouts) -> None:
    """Once Helm has ended well: its hooks took time of their own, and to stay ready takes some."""
    if rollouts.objects is not None:
        rollouts.objects.begin()
        rollouts.objects.wait_until_ready()
