"""What an upgrade would change, told before anything is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.kubernetes.diffing.difference import Difference, compare
from calamari_py.steps.kubernetes.diffing.tell import one_line, report_differences
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.history import Revision, last_deployed
from calamari_py.steps.kubernetes.helm.outcome import tell_release
from calamari_py.steps.kubernetes.helm.recover import way_back
from calamari_py.steps.kubernetes.helm.rendered import Rendered, annotation, render, stored
from calamari_py.steps.kubernetes.helm.work import Work
from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef

_POLICY = "helm.sh/resource-policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An upgrade that can be carried out. `deployed` and `had` are what there is now, None where
    nothing ever was deployed; `last` is the newest revision, whatever became of it."""

    chart: Path
    wanted: Rendered
    last: Revision | None = None
    deployed: Revision | None = None
    had: Rendered | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def is_needed(self) -> bool:
        """Whether anything is different from what is deployed, or that is not what came last."""
        if self.had is None or self.last != self.deployed:
            return True
        return not self.had.says_the_same(self.wanted)


def plan(work: Work, chart: Path, revisions: tuple[Revision, ...]) -> Planned:
    """Render the chart as the upgrade will, hold it against what is deployed, and tell."""
    refuse_pending(work, revisions)
    spec = work.spec
    wanted = render(work.helm, argv.dry_run(spec, work.files, chart), work.report)
    deployed = last_deployed(revisions)
    if revisions and revisions[-1].status == "uninstalled":
        deployed = None
    had = None
    if deployed is not None:
        had = stored(work.helm, deployed, work.report, namespace=wanted.namespace)
    found = tuple(differences(had, wanted))
    report_differences(work.report, found)
    return Planned(
        chart=chart,
        wanted=wanted,
        last=revisions[-1] if revisions else None,
        deployed=deployed,
        had=had,
        differences=found,
    )


def refuse_pending(work: Work, revisions: tuple[Revision, ...]) -> None:
    """Helm compares nothing with a release that is in the middle of something."""
    way = way_back(revisions)
    if way is not None:
        name, status = work.spec.release, revisions[-1].status
        raise ToolFailed(
            f"release '{name}' is {status} (revision {revisions[-1].number}), and nothing can be"
            " compared with it",
            hint="action: upgrade takes it back first; so does by hand: " + way.by_hand(work.spec),
        )


def differences(had: Rendered | None, wanted: Rendered) -> Iterable[Difference]:
    """What becomes of each object: those that are wanted in their order, then those that go."""
    before = _by_identity(had.objects if had else (), wanted.namespace)
    after = _by_identity(wanted.objects, wanted.namespace)
    for key, each in after.items():
        old = before.get(key)
        yield compare(each.ref, old.body if old else None, each.body)
    for key, each in before.items():
        if key in after:
            continue
        gone = compare(each.ref, each.body, None)
        if annotation(each.body, _POLICY) == "keep":
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
    return {_identity(each.ref, namespace): each for each in objects}


def _identity(ref: ObjectRef, namespace: str) -> tuple[str, str, str, str]:
    return ref.group, ref.kind, ref.namespace or namespace, ref.name
