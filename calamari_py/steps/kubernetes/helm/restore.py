"""What becomes of a release whose change failed, or was ended."""

from __future__ import annotations

from calamari_py.errors import CalamariError, Cancelled, TimedOut, ToolFailed
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.argv import by_hand
from calamari_py.steps.kubernetes.helm.following import follow
from calamari_py.steps.kubernetes.helm.history import Revision
from calamari_py.steps.kubernetes.helm.outcome import Before, tell_objects, tell_release
from calamari_py.steps.kubernetes.helm.recover import take_back_ours
from calamari_py.steps.kubernetes.helm.work import Work

_LOOK_SECONDS = 15.0
_TAKE_BACK_SECONDS = 60.0


def after_failure(
    work: Work,
    error: ToolFailed,
    last: Revision | None,
    deployed: Revision | None,
    before: Before,
) -> None:
    """Carry out ``on_failure`` and say what there is now. `error` is the first cause, which the
    step fails with: it is told how to go on. `last` and `deployed` are the newest revision and the
    deployed one of before. What calamari ends in here is raised."""
    made = _newest(work)
    if made is None or (last is not None and made.number == last.number):
        # Helm refused before it wrote anything down.
        work.report.changed(False)
        return
    work.report.changed()
    spec = work.spec
    name = f"release '{spec.release}'"
    if deployed is None:
        tell_release(work, made, f"{name} is {made.status}: it never was deployed, and is kept as"
                     " it is; the next upgrade goes on from there", tone="warn")  # fmt: skip
        error.hint = _also(
            error.hint, "remove it with: " + by_hand(spec, "uninstall", spec.release)
        )
    elif spec.on_failure == "keep":
        tell_release(work, made, f"{name} is kept as it is (on_failure: keep)", tone="warn",
                     was=deployed)  # fmt: skip
        back = by_hand(spec, "rollback", spec.release, str(deployed.number))
        error.hint = _also(error.hint, f"go back with: {back}")
    else:
        _roll_back(work, error, made, deployed)
    _tell_what_is_there(work, before)


def after_forced_end(work: Work, last: Revision | None, before: Before) -> None:
    """A signal came, or the time was over: no rollback is begun. What Helm had no time to write
    down is taken back, for the next run shall be able to upgrade."""
    spec = work.spec
    if not take_back_ours(work, _TAKE_BACK_SECONDS):
        return
    try:
        revisions = work.helm.last_history(_LOOK_SECONDS)
    except CalamariError:
        revisions = None
    if revisions:
        newest = revisions[-1]
        is_new = last is None or newest.number != last.number
        work.report.changed(is_new)
        text = (
            f"release '{spec.release}' is {newest.status} (revision {newest.number}); the next run"
            " can upgrade it"
        )
        tell_release(work, newest, text, tone="warn", was=last)
        if is_new:
            _tell_what_is_there(work, before)


def _roll_back(work: Work, error: ToolFailed, made: Revision, deployed: Revision) -> None:
    spec = work.spec
    target = deployed.number
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
        take_back_ours(work, _TAKE_BACK_SECONDS)
        raise
    newest = _newest(work) or made
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
