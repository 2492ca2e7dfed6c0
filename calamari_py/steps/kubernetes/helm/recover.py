"""A release that somebody died over is taken back to where it was, before anything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from calamari_py.errors import CalamariError, Cancelled, TimedOut, ToolFailed
from calamari_py.identity import elapsed_text
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.argv import by_hand
from calamari_py.steps.kubernetes.helm.following import follow
from calamari_py.steps.kubernetes.helm.history import Revision, last_deployed
from calamari_py.steps.kubernetes.helm.holder import Holder, is_alive, read_holder
from calamari_py.steps.kubernetes.helm.ours import Attempt, labels_of, made_by
from calamari_py.steps.kubernetes.helm.work import Work
from calamari_py.steps.kubernetes.spec import HelmSpec

_POLL = 5.0
TAKE_BACK_SECONDS = 60.0
"""What taking back may take once the step is over."""
_MARGIN = 60.0
"""Seconds that a run of ours may take beside its operation's own limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """What is done about a pending revision: a rollback to `revision`, or an uninstall, which may
    be one that somebody began (`finishes`)."""

    act: Literal["rollback", "uninstall"]
    revision: int = 0
    was_deployed: bool = True
    finishes: bool = False

    def words(self, spec: HelmSpec) -> tuple[str, ...]:
        """The command; a rollback waits for nothing, what follows does."""
        if self.act == "rollback":
            return argv.rollback(spec, self.revision, waits=False)
        return argv.uninstall(spec, keep_history=self.finishes and spec.keep_history)

    @property
    def told(self) -> str:
        """``takes it back to revision 1``."""
        if self.act == "rollback":
            return f"takes it back to revision {self.revision}"
        return "ends its uninstall" if self.finishes else "uninstalls it"

    def by_hand(self, spec: HelmSpec) -> str:
        """The same as a hint names it."""
        more = (str(self.revision),) if self.act == "rollback" else ()
        return by_hand(spec, self.act, spec.release, *more)


def way_back(revisions: Sequence[Revision]) -> WayBack | None:
    """What takes the last revision out of the way; None where it is not pending. Pure.

    A first install that nobody ever saw deployed is removed. Otherwise it goes to the last one that
    was deployed; where none ever was, to the last that came to an end at all.
    """
    if not revisions or not revisions[-1].is_pending:
        return None
    last = revisions[-1]
    if last.status == "uninstalling":
        return WayBack(act="uninstall", finishes=True)
    target = last_deployed(revisions)
    if target is None and last.status != "pending-install":
        ended = [each for each in revisions if each.status == "failed"]
        target = ended[-1] if ended else None
    if target is None:
        return WayBack(act="uninstall")
    return WayBack(act="rollback", revision=target.number, was_deployed=target.was_deployed)


def wait_until_free(work: Work) -> tuple[Revision, ...]:
    """The history, once nobody is at work on the release any more: what is pending in it is dead.
    Raises ToolFailed where somebody goes on."""
    revisions = work.helm.history()
    while way_back(revisions) is not None and not _is_free(work, revisions[-1]):
        revisions = work.helm.history()
    return revisions


def recover(work: Work) -> tuple[Revision, ...]:
    """The history, in which nothing is pending any more. Raises ToolFailed where somebody else is
    at work on the release."""
    revisions = wait_until_free(work)
    way = way_back(revisions)
    if way is None:
        return revisions
    _take_back(work, revisions[-1], way)
    after = work.helm.history()
    if way_back(after) is not None:
        raise ToolFailed(
            f"release '{work.spec.release}' was taken back, and is {after[-1].status}",
            hint="somebody else is at work on it; see: "
            + by_hand(work.spec, "history", work.spec.release),
        )
    return after


def take_back_ours(work: Work, attempt: Attempt) -> bool:
    """After an end of ours, however that came: what the attempt has left pending is taken back, or
    it is said how; what another run is at is left alone. Whether nothing is pending. It raises
    nothing."""
    spec, seconds = work.spec, TAKE_BACK_SECONDS
    try:
        revisions = work.helm.last_history(seconds)
        way = way_back(revisions) if revisions else None
        if revisions is not None and way is None:
            return True
        if revisions is None or way is None:
            unknown(work)
            return False
        last = revisions[-1]
        if made_by(work, attempt, revisions, last_words=seconds) != last:
            tell_others(work, attempt, last)
            return False
        work.report.line(_told(spec, last, way), tone="warn")
        done = work.helm.look(way.words(spec), seconds).exit.code == 0
    except CalamariError:
        unknown(work)
        return False
    if not done:
        work.report.warn(
            f"release '{spec.release}' is left {last.status}; the next run takes it back",
            hint=f"or by hand: {way.by_hand(spec)}",
        )
    return done


def tell_others(work: Work, attempt: Attempt, newest: Revision) -> None:
    """The newest revision is another run's, or may be: whatever became of ours, that is left
    alone."""
    whose = "is not ours" if attempt.back_to is None else "may be theirs"
    work.report.line(
        f"another run is at work on release '{work.spec.release}': revision {newest.number}"
        f" ({newest.status}) {whose}, and is left alone",
        tone="warn",
    )


def unknown(work: Work) -> None:
    """Nobody answers any more."""
    work.report.warn(
        f"nobody knows what became of release '{work.spec.release}'",
        hint=f"look: {by_hand(work.spec, 'history', work.spec.release)}",
    )


def _is_free(work: Work, last: Revision) -> bool:
    """Whether nobody is at work on the pending revision any more. False after a while of waiting,
    in which it may have come to its end."""
    holder = _holder(work, last)
    alive = is_alive(holder) if holder is not None else None
    if alive is False:
        return True
    needed = work.spec.recover_after
    if holder is not None:
        needed = max(needed, holder.limit + _MARGIN)
    left = needed - _age(work, last)
    if left <= 0 and alive is None:
        return True
    if left <= 0 and holder is not None:
        raise ToolFailed(
            f"another run works on release '{work.spec.release}' (process {holder.pid} on this"
            " machine)",
            hint="wait for it, or end it, and run the step again",
        )
    _wait(work, last, left)
    return False


def _wait(work: Work, last: Revision, left: float) -> None:
    key = f"{work.spec.release} {last.number}"
    if work.context.kept.get("waits for") != key:
        work.context.kept["waits for"] = key
        work.report.line(
            f"release '{work.spec.release}' is {last.status} (revision {last.number}): somebody may"
            f" be at work on it, and it is waited for, {elapsed_text(left)} at most",
            tone="warn",
        )
    work.report.progress(None, f"{last.status}, {elapsed_text(left)} left")
    work.clock.sleep(min(_POLL, left))


def _age(work: Work, last: Revision) -> float:
    """Seconds since somebody began it. Where nobody says when, or by a clock that is ahead, it
    began when it was first seen."""
    key, now = f"first seen {last.number}", work.clock.monotonic()
    seen = now - float(work.context.kept.setdefault(key, str(now)))
    if last.updated is None:
        return seen
    return max(seen, (work.clock.now() - last.updated).total_seconds())


def _holder(work: Work, last: Revision) -> Holder | None:
    """Whose it is, as far as the labels of Helm's own record say."""
    for label in labels_of(work, [last.number]).get(last.number, ()):
        holder = read_holder(label, last.number)
        if holder is not None:
            return holder
    return None


def _take_back(work: Work, last: Revision, way: WayBack) -> None:
    spec = work.spec
    work.report.line(_told(spec, last, way), tone="warn", event="helm_release", fields={
        "release": spec.release, "revision": last.number, "status": last.status,
        "recovery": way.act, "to": way.revision or None,
    })  # fmt: skip
    work.report.changed(None)
    doing = f"take back release '{spec.release}', which is {last.status}"
    try:
        follow(work, way.act, way.words(spec), doing=doing)
    except (Stopped, TimedOut, Cancelled):
        take_back_ours(work, Attempt(after=last.number, back_to=way.revision or None))
        raise
    work.report.changed()
    work.report.fact("recovered", {
        "revision": last.number, "status": last.status, "by": way.act, "to": way.revision or None,
    })  # fmt: skip


def _told(spec: HelmSpec, last: Revision, way: WayBack) -> str:
    text = f"release '{spec.release}' is {last.status} (revision {last.number})"
    if way.act == "rollback":
        which = "the last that was deployed" if way.was_deployed else "the last that ended"
        return f"{text}: it goes back to revision {way.revision}, {which}"
    if last.status == "uninstalling":
        return f"{text}: the uninstall is finished first"
    return f"{text} and was never deployed: what is there of it is uninstalled first"
