"""A release that somebody died over is taken back to where it was, before anything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from calamari_py.errors import CalamariError, ToolFailed
from calamari_py.identity import elapsed_text
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.argv import by_hand
from calamari_py.steps.kubernetes.helm.history import Revision, last_deployed
from calamari_py.steps.kubernetes.helm.holder import LABEL, Holder, is_alive, read_holder
from calamari_py.steps.kubernetes.helm.work import Work
from calamari_py.steps.kubernetes.spec import HelmSpec

_POLL = 5.0
_MARGIN = 60.0
"""Seconds that a run of ours may take beside its operation's own limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """What is done about a pending revision: a rollback to `revision`, or an uninstall."""

    act: Literal["rollback", "uninstall"]
    revision: int = 0
    was_deployed: bool = True

    def words(self, spec: HelmSpec) -> tuple[str, ...]:
        """The command; a rollback waits for nothing, what follows does."""
        if self.act == "rollback":
            return argv.rollback(spec, self.revision, waits=False)
        return argv.uninstall(spec, keep_history=False)

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
        return WayBack(act="uninstall")
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


def take_back_ours(work: Work, seconds: float) -> bool:
    """After an end of ours, however that came: what we have left pending is taken back within that
    time, or it is said how. Whether nothing is pending. It raises nothing."""
    spec = work.spec
    try:
        revisions = work.helm.last_history(seconds)
        way = way_back(revisions) if revisions else None
        if revisions is None:
            work.report.warn(
                f"nobody knows what became of release '{spec.release}'",
                hint=f"look: {by_hand(spec, 'history', spec.release)}",
            )
            return False
        if way is None:
            return True
        last = revisions[-1]
        work.report.line(_told(spec, last, way), tone="warn")
        done = work.helm.look(way.words(spec), seconds).exit.code == 0
    except CalamariError:
        return False
    if not done:
        work.report.warn(
            f"release '{spec.release}' is left {last.status}; the next run takes it back",
            hint=f"or by hand: {way.by_hand(spec)}",
        )
    return done


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
    """Seconds since somebody began it. What is said to begin in the future begins now."""
    if last.updated is None:
        first = work.context.kept.setdefault(
            f"first seen {last.number}", str(work.clock.monotonic())
        )
        return work.clock.monotonic() - float(first)
    return (work.clock.now() - last.updated).total_seconds()


def _holder(work: Work, last: Revision) -> Holder | None:
    """Whose it is, as far as the labels of Helm's own record say, in whichever form it keeps it."""
    selector = f"owner=helm,name={work.spec.release},version={last.number}"
    path = f"{{.items[*].metadata.labels.{LABEL}}}"
    asked = work.kubectl.capture("get", "secrets,configmaps", f"--selector={selector}",
                                 f"--output=jsonpath={path}")  # fmt: skip
    for label in asked.stdout.decode("utf-8", "replace").split():
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
    work.helm.succeed(way.act, way.words(spec), doing=doing)
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
