"""Action ``rollback``: back to a revision that was deployed before."""

from __future__ import annotations

from calamari_py.errors import Cancelled, TimedOut, ToolFailed
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.kubernetes.diffing.tell import report_differences
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.argv import by_hand
from calamari_py.steps.kubernetes.helm.following import follow
from calamari_py.steps.kubernetes.helm.history import Revision, last_before
from calamari_py.steps.kubernetes.helm.ours import Attempt, made_by
from calamari_py.steps.kubernetes.helm.outcome import (
    Before,
    look_before,
    tell_objects,
    tell_release,
)
from calamari_py.steps.kubernetes.helm.planning import differences
from calamari_py.steps.kubernetes.helm.recover import wait_until_free, way_back
from calamari_py.steps.kubernetes.helm.rendered import Rendered, stored
from calamari_py.steps.kubernetes.helm.restore import leave_free
from calamari_py.steps.kubernetes.helm.rollouts import rollouts_of, wait_until_ready
from calamari_py.steps.kubernetes.helm.work import Work

_IS_TAKEN = "release: already exists"
"""What Helm says where another run made the same revision first: then it has changed nothing."""


def rollback(work: Work) -> StepOutcome:
    """Tell what changes, go back, and follow it until all is ready."""
    spec = work.spec
    revisions = work.helm.history() if spec.dry_run else wait_until_free(work)
    if not revisions:
        raise ToolFailed(
            f"there is no release '{spec.release}' in {work.access.name}",
            hint="correct 'release' or 'namespace'",
        )
    target = _target(work, revisions)
    current = revisions[-1]
    had = stored(work.helm, current, work.report, namespace=work.access.namespace)
    wanted = stored(work.helm, target, work.report, namespace=work.access.namespace)
    found = tuple(differences(had, wanted))
    report_differences(work.report, found)
    text = f"release '{spec.release}' from revision {current.number} to what {target.number} was"
    if spec.dry_run:
        is_same = all(each.kind == "none" for each in found)
        rest = ": no object would differ" if is_same else ""
        tell_release(work, current, f"would roll back {text}{rest}")
        return StepOutcome(code=0, pending=True)
    work.report.line(f"rolling back {text}")
    return _go_back(work, current, target, wanted, look_before(work, had, wanted))


def _go_back(
    work: Work, current: Revision, target: Revision, wanted: Rendered, before: Before
) -> StepOutcome:
    spec = work.spec
    rollouts = rollouts_of(work, wanted, before)
    attempt = Attempt(after=current.number, back_to=target.number)
    _refuse_changed(work, current)
    work.report.changed(None)
    try:
        follow(
            work,
            "rollback",
            argv.rollback(spec, target.number),
            objects=rollouts.objects,
            hooks=rollouts.hooks,
            doing=f"roll release '{spec.release}' back to revision {target.number}",
        )
        wait_until_ready(rollouts)
    except (ToolFailed, Stopped, TimedOut, Cancelled) as error:
        if isinstance(error, ToolFailed) and _IS_TAKEN in error.message:
            work.report.changed(False)
            raise
        leave_free(work, attempt, current, before)
        raise
    work.report.changed()
    tell_objects(work, before)
    made = _made(work, attempt)
    text = f"release '{spec.release}' is {made.status}: revision {made.number}, {made.chart}"
    tell_release(work, made, text, tone="good", was=current)
    work.report.ending(f"{spec.release}: rolled back to revision {target.number}")
    return StepOutcome(code=0, changed=True)


def _refuse_changed(work: Work, current: Revision) -> None:
    """Helm would go back beside another operation: nothing is begun once there is another one than
    what was planned from."""
    revisions = work.helm.history()
    if revisions[-1:] == (current,):
        return
    work.report.changed(False)
    raise _changed_meanwhile(work, f"revision {current.number} was to be rolled back", revisions)


def _made(work: Work, attempt: Attempt) -> Revision:
    """The revision that was made, as Helm keeps it."""
    revisions = work.helm.history()
    made = made_by(work, attempt, revisions)
    if made is None or made.status != "deployed":
        raise _changed_meanwhile(work, "it was rolled back", revisions)
    return made


def _changed_meanwhile(work: Work, doing: str, revisions: tuple[Revision, ...]) -> ToolFailed:
    now = "it is not there any more"
    if revisions:
        now = f"it is at revision {revisions[-1].number} ({revisions[-1].status})"
    return ToolFailed(
        f"another run changed release '{work.spec.release}' meanwhile: {doing}, and now {now}",
        hint=f"see: {by_hand(work.spec, 'history', work.spec.release)}",
    )


def _target(work: Work, revisions: tuple[Revision, ...]) -> Revision:
    """The revision that is named, or the last that was deployed before the one there is now."""
    spec = work.spec
    if spec.revision is not None:
        named = [each for each in revisions if each.number == spec.revision]
        if named:
            return named[0]
        raise ToolFailed(
            f"release '{spec.release}' has no revision {spec.revision}",
            hint=f"see: {by_hand(spec, 'history', spec.release)}",
        )
    way = way_back(revisions)
    if way is not None and way.act == "rollback":
        return next(each for each in revisions if each.number == way.revision)
    found = last_before(revisions)
    if found is None:
        raise ToolFailed(
            f"release '{spec.release}' has no revision before {revisions[-1].number} that was"
            " deployed",
            hint=f"see: {by_hand(spec, 'history', spec.release)}",
        )
    return found
