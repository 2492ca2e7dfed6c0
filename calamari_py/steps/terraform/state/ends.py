"""What is said after an end that may have left something: what it was at, its state, its lock."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from calamari_py.process.base import ProcessExit
from calamari_py.steps.terraform.state.locks import held, may_be_left, way_out, when_locked
from calamari_py.steps.terraform.state.looking import look_at_lock
from calamari_py.steps.terraform.state.places import is_local, leftover
from calamari_py.steps.terraform.values import Diagnostic, Followed
from calamari_py.steps.terraform.work import Work

_KILLED = 128
_SHOWN = 3
_TOOLS = ("terraform", "tofu")
_NAMED = 10
"""So many of what was left running are named; then comes a sum."""
_BROKEN_OFF = re.compile(r"two interrupts|operation cancell?ed", re.IGNORECASE)
UNSAVED = re.compile(
    r"(?:fail\w*|error|unable) (?:to )?(?:sav|persist|upload|serializ)\w*"
    r" (?:the |current |updated |new )*state\b(?! machine)"
    r"|local state file|state for recovery|errored\.tfstate",
    re.IGNORECASE,
)
"""How Terraform says that a state could not be saved."""


def is_calm(ended: ProcessExit | None, followed: Followed) -> bool:
    """Whether Terraform ended as it wants to, asked once or of itself: then it has freed its lock,
    or says that it could not. `ended` None means that nobody knows how it ended."""
    if ended is None or ended.pressed or _goes_on(ended):
        return False
    # 2 is how a plan ends that has changes; of Go programs it is how they break down.
    by_itself = ended.code in (0, 1) or (ended.code == 2 and not followed.touched)
    return by_itself and not may_be_left(followed.diagnostics) and not _says(_BROKEN_OFF, followed)


def _goes_on(ended: ProcessExit) -> bool:
    """Whether what had to be ended may have been Terraform itself, behind a wrapper. What a
    provisioner leaves running says nothing of the state."""
    left = ended.left_running
    return len(left) > _NAMED or any(process.startswith(_TOOLS) for process in left)


def is_saved(ended: ProcessExit | None, followed: Followed) -> bool:
    """Whether what was done is in the state: Terraform ended calmly and does not say otherwise."""
    return is_calm(ended, followed) and not _says(UNSAVED, followed)


def after_forced_end(
    work: Work, followed: Followed | None = None, ended: ProcessExit | None = None
) -> None:
    """Say what a command left that was told to end, was killed, or could not release its lock: what
    it was at, whether the state was saved, and whether it is locked. Where Terraform left a state
    that it could not save, `rescue` tells of that, and of the lock."""
    followed = followed or Followed()
    is_left = followed.touched > 0 and leftover(work.spec) is not None
    if followed.touched and (ended is None or ended.stopped is not None or _is_killed(ended)):
        _tell_end(work, followed, ended, is_left=is_left)
    if is_left:
        return
    # That of a local state goes with its process.
    if is_calm(ended, followed) or is_local(work.files):
        work.report.line("the state is not locked by this run any more")
    else:
        tell_lock(work, may_be_ours=followed.touched > 0)


def _tell_end(work: Work, followed: Followed, ended: ProcessExit | None, *, is_left: bool) -> None:
    at = _addresses(followed.unfinished)
    was_killed = ended is not None and _is_killed(ended)
    how = ("killed" if was_killed else "stopped") + (f" while at {at}" if at else "")
    look = f"look at {at or 'what is there'} before anything else is applied"
    if is_left:
        work.report.line(how)
    elif was_killed:
        work.report.warn(f"{how}; what it did last may be missing from the state", look)
    elif is_saved(ended, followed):
        work.report.line(f"{how}; what was done until then is saved in the state")
    else:
        work.report.warn(f"{how}; nobody can tell what of it is saved in the state", look)


def tell_lock(work: Work, *, may_be_ours: bool) -> None:
    """Say whether the state is locked; `may_be_ours` where this run had locked it."""
    seen = look_at_lock(work)
    if seen.lock is not None:
        text = held(seen.lock, work.clock.now())
        way = way_out(work, seen.lock, may_be_ours=may_be_ours)
        work.report.warn(f"the state's lock is {text}: {seen.lock.id}", way)
    elif seen.is_free:
        work.report.line("the state is not locked")
    else:
        own = "; the look at it was broken off, and may have left a lock itself"
        text = "nobody can tell whether the state is locked" + (own if seen.may_be_ours else "")
        work.report.warn(text, when_locked(work))


def _is_killed(ended: ProcessExit) -> bool:
    """Whether a signal ended it: 255, say, is a code like any other."""
    return ended.code - _KILLED in signal.valid_signals()


def _says(pattern: re.Pattern[str], followed: Followed) -> bool:
    return any(pattern.search(_text(each)) for each in followed.errors)


def _text(diagnostic: Diagnostic) -> str:
    return " ".join(f"{diagnostic.summary} {diagnostic.detail}".split())


def _addresses(unfinished: Sequence[str]) -> str:
    shown = ", ".join(unfinished[:_SHOWN])
    more = len(unfinished) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
