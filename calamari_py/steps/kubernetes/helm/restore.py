"""What becomes of a release whose change failed, or was ended."""

from __future__ import annotations

from calamari_py.errors import CalamariError, Cancelled, TimedOut, ToolFailed
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.argv import by_hand
from calamari_py.steps.kubernetes.helm.following import follow
from calamari_py.steps.kubernetes.helm.history import Revision
from calamari_py.steps.kubernetes.helm.ours import Attempt, made_by
from calamari_py.steps.kubernetes.helm.outcome import Before, tell_objects, tell_release
from calamari_py.steps.kubernetes.helm.recover import (
    take_back_ours,
    tell_others,
    unknown,
    way_back,
)
from calamari_py.steps.kubernetes.helm.work import Work

_LOOK_SECONDS = 15.0


def after_failure(
    work: Work,
    error: ToolFailed,
    attempt: Attempt,
    deployed: Revision | None,
    before: Before,
) -> None:
    """Carry out ``on_failure`` and say what there is now. `error` is the first cause, which the
    step fails with: it is told how to go on. `deployed` is the revision that was deployed before.
    Only what the attempt made is touched. What calamari ends in here is raised."""
    try:
        revisions = work.helm.last_history(_LOOK_SECONDS)
        made = made_by(work, attempt, revisions or (), last_words=_LOOK_SECONDS)
    except CalamariError:
        revisions, made = None, None
    if revisions is None:
        unknown(work)
        return
    # Where none is ours, Helm refused before it wrote anything down.
    work.report.changed(made is not None)
    if made is None or made != revisions[-1]:
        if revisions and revisions[-1].number > attempt.after:
            tell_others(work, attempt, revisions[-1])
    elif deployed is None or work.spec.on_failure == "keep":
        _keep(work, error, revisions, deployed)
    else:
        _roll_back(work, error, made, deployed)
    if made is not None:
        _tell_what_is_there(work, before)


def leave_free(work: Work, attempt: Attempt, was: Revision | None, before: Before) -> None:
    """After an end that no rollback is begun after, a signal's, say: what Helm had no time to write
    down is taken back, for the next run shall be able to upgrade. `was` is the newest revision of
    before."""
    if not take_back_ours(work, attempt):
        return
    try:
        revisions = work.helm.last_history(_LOOK_SECONDS) or ()
        made = made_by(work, attempt, revisions, last_words=_LOOK_SECONDS)
    except CalamariError:
        return
    if not revisions:
        return
    newest = revisions[-1]
    if made is not None or attempt.back_to is None or newest.number <= attempt.after:
        work.report.changed(made is not None)
    text = (
        f"release '{work.spec.release}' is {newest.status} (revision {newest.number}); the next run"
        " can upgrade it"
    )
    tell_release(work, newest, text, tone="warn", was=was)
    if made is not None:
        _tell_what_is_there(work, before)


def _keep(
    work: Work, error: ToolFailed, revisions: tuple[Revision, ...], deployed: Revision | None
) -> None:
    """The newest revision, which failed, stays."""
    spec, made = work.spec, revisions[-1]
    name = f"release '{spec.release}'"
    if deployed is None:
        text = f"{name} is {made.status}: nothing was deployed before, and it is kept as it is"
        by, command = "remove it with", by_hand(spec, "uninstall", spec.release)
    else:
        text = f"{name} is {made.status}, and is kept as it is (on_failure: keep)"
        by = "go back with"
        command = by_hand(spec, "rollback", spec.release, str(deployed.number))
    way = way_back(revisions)
    if way is not None:
        text += f"; the next run first {way.told}"
    elif made.status == "deployed":
        text += "; to Helm it is a success, and the next run finds it deployed"
    else:
        text += "; the next upgrade goes on from there"
    tell_release(work, made, text, tone="warn", was=deployed)
    error.hint = _also(error.hint, f"{by}: {command}")


def _roll_back(work: Work, error: ToolFailed, made: Revision, deployed: Revision) -> None:
    spec = work.spec
    target = deployed.number
    attempt = Attempt(after=made.number, back_to=target)
    back = by_hand(spec, "rollback", spec.release, str(target))
    work.report.line(
        f"release '{spec.release}' goes back to revision {target}, the last that was deployed"
        " (on_failure: rollback-to-deployed)",
        tone="warn",
        event="helm_release",
        fields={"name": spec.release, "revision": made.number, "status": made.status,
                "back_to": target},
    )  # fmt: skip
    try:
        follow(
            work,
            "rollback",
            argv.rollback(spec, target),
            doing=f"roll release '{spec.release}' back to revision {target}",
        )
    except ToolFailed as failed:
        work.report.warn(failed.message, hint=f"roll it back by hand: {back}")
        error.hint = _also(error.hint, f"the rollback failed, too; roll back by hand: {back}")
        newest = _newest(work)
        tell_release(work, newest or made, "", was=deployed)
        return
    except (Stopped, TimedOut, Cancelled):
        take_back_ours(work, attempt)
        raise
    newest = _newest(work)
    if newest is None:
        unknown(work)
        return
    if made_by(work, attempt, (newest,)) is None or newest.status != "deployed":
        tell_others(work, attempt, newest)
        tell_release(work, newest, "", was=deployed)
        return
    tell_release(
        work,
        newest,
        f"release '{spec.release}' is {newest.status} again: revision {newest.number} is what"
        f" revision {target} was",
        tone="warn",
        was=deployed,
    )
    work.report.ending(f"{spec.release}: rolled back to revision {target}")


def _newest(work: Work) -> Revision | None:
    try:
        revisions = work.helm.last_history(_LOOK_SECONDS)
    except CalamariError:
        return None
    return revisions[-1] if revisions else None


def _tell_what_is_there(work: Work, before: Before) -> None:
    try:
        tell_objects(work, before, last_words=_LOOK_SECONDS)
    except CalamariError as error:
        work.report.note(f"what became of the objects is not known: {error}")


def _also(hint: str | None, more: str) -> str:
    return f"{hint}; {more}" if hint else more
