"""What an upgrade would change, told before anything is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.kubernetes.diffing.difference import Difference, compare
from calamari_py.steps.kubernetes.diffing.tell import one_line, report_differences
from calamari_py.steps.kubernetes.helm.history import Revision, last_deployed
from calamari_py.steps.kubernetes.helm.outcome import Before, look_before, tell_release
from calamari_py.steps.kubernetes.helm.recover import way_back
from calamari_py.steps.kubernetes.helm.rendered import (
    Rendered,
    identity,
    is_kept,
    render,
    stored,
)
from calamari_py.steps.kubernetes.helm.work import Work
from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef, ObjectResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An upgrade that can be carried out. `deployed` and `had` are what there is now, None where
    nothing ever was deployed; `last` is the newest revision, whatever became of it; `before` is how
    the objects are."""

    chart: Path
    wanted: Rendered
    before: Before
    last: Revision | None = None
    deployed: Revision | None = None
    had: Rendered | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def is_needed(self) -> bool:
        """Whether anything is different from what is deployed, or is not there, or that is not what
        came last."""
        if self.had is None or self.last != self.deployed or self.before.missing:
            return True
        return not self.had.says_the_same(self.wanted)


def plan(
    work: Work,
    chart: Path,
    revisions: tuple[Revision, ...],
    *,
    made: Sequence[ObjectResult] = (),
    foreseen: Sequence[Difference] = (),
) -> Planned:
    """Render the chart as the upgrade will, hold it against what is deployed, and tell. The step
    has `made` what it needs, or is `foreseen` to."""
    refuse_pending(work, revisions)
    is_first = not revisions or revisions[-1].status == "uninstalled"
    number = revisions[-1].number + 1 if revisions else 1
    wanted = render(work.helm, chart, work.report, is_first=is_first, revision=number)
    deployed = None if is_first else last_deployed(revisions)
    had = None
    if deployed is not None:
        had = stored(work.helm, deployed, work.report, namespace=wanted.namespace)
    before = replace(look_before(work, had, wanted), made=tuple(made))
    found = (*foreseen, *differences(had, wanted, before.missing))
    report_differences(work.report, found)
    return Planned(
        chart=chart,
        wanted=wanted,
        before=before,
        last=revisions[-1] if revisions else None,
        deployed=deployed,
        had=had,
        differences=found,
    )


def refuse_pending(work: Work, revisions: tuple[Revision, ...]) -> None:
    """Nothing is done with a release that is in the middle of something."""
    way = way_back(revisions)
    if way is not None:
        name, status = work.spec.release, revisions[-1].status
        raise ToolFailed(
            f"release '{name}' is {status} (revision {revisions[-1].number}): somebody is at work"
            " on it, or died over it",
            hint="action: upgrade takes it back first; so does by hand: " + way.by_hand(work.spec),
        )


def differences(
    had: Rendered | None, wanted: Rendered, missing: Collection[ObjectRef] = ()
) -> Iterable[Difference]:
    """What becomes of each object: those that are wanted in their order, then those that go.
    `missing` are not there, whatever the release had."""
    before = _by_identity(had.objects if had else (), wanted.namespace)
    after = _by_identity(wanted.objects, wanted.namespace)
    for key, each in after.items():
        old = before.get(key)
        if old is not None and each.ref in missing:
            gone = compare(each.ref, None, each.body)
            yield replace(gone, note="is missing in the cluster")
            continue
        yield compare(each.ref, old.body if old else None, each.body)
    for key, each in before.items():
        if key in after:
            continue
        gone = compare(each.ref, each.body, None)
        if is_kept(each.body):
            gone = replace(gone, kind="none", lines=(), note="is kept in the cluster (helm.sh/"
                           "resource-policy)")  # fmt: skip
        yield gone


def only_looked(work: Work, planned: Planned, would: str) -> StepOutcome:
    """The outcome of an upgrade that is not carried out."""
    was = planned.deployed
    if not planned.is_needed:
        tell_release(work, was, f"release '{work.spec.release}' is as it should be")
        return StepOutcome(code=0, changed=False)
    text = f"{would} release '{work.spec.release}': {summed_up(planned)}"
    tell_release(work, was, text) if was else work.report.line(text)
    work.report.ending(f"{would}: {summed_up(planned)}")
    return StepOutcome(code=0, pending=True)


def summed_up(planned: Planned) -> str:
    """``2 to create, 1 to change``."""
    told = one_line(planned.differences)
    return told if told != "none" else "the same objects, from another chart or other values"


def _by_identity(
    objects: Iterable[KubeObject], namespace: str
) -> dict[tuple[str, str, str, str], KubeObject]:
    """By what they are whatever version of their type a chart names."""
    return {identity(each.ref, namespace): each for each in objects}
