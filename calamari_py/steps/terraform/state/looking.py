"""A look at the state's lock after a bad end: held, free, or nobody knows."""

from __future__ import annotations

from dataclasses import dataclass

from calamari_py.errors import CalamariError
from calamari_py.steps.base import Captured
from calamari_py.steps.terraform.state.locks import RELEASING, lock_fact, read_lock
from calamari_py.steps.terraform.values import Lock
from calamari_py.steps.terraform.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class LockSeen:
    """What was found: who holds it, or that it is free; where neither, nobody knows.
    `may_be_ours`: the look takes the lock itself, was ended, and may have left it."""

    lock: Lock | None = None
    is_free: bool = False
    may_be_ours: bool = False


def look_at_lock(work: Work) -> LockSeen:
    """Look now. It raises nothing; the result tells of a lock that is held."""
    try:
        seen = _judged(work.tool.probe_lock())
    except CalamariError:
        # The program is gone, say.
        return LockSeen()
    if seen.lock is not None:
        work.report.fact("lock", lock_fact(seen.lock))
    return seen


def _judged(looked: Captured) -> LockSeen:
    text = (looked.stdout + b"\n" + looked.stderr).decode(errors="replace")
    if RELEASING in " ".join(text.split()):
        return LockSeen(may_be_ours=True)
    if looked.exit.code == 0:
        return LockSeen(is_free=True)
    lock = read_lock(text)
    if lock is not None:
        return LockSeen(lock=lock)
    return LockSeen(may_be_ours=looked.exit.stopped is not None)
