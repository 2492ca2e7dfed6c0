"""The state's lock: who holds it, how it is freed, and what is said of it after a forced end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from calamari_py.errors import ToolFailed
from calamari_py.identity import duration_text
from calamari_py.process.base import ProcessExit
from calamari_py.steps.terraform.state.lines import unlock_line
from calamari_py.steps.terraform.state.places import is_local, leftover
from calamari_py.steps.terraform.values import Diagnostic, Followed, Lock
from calamari_py.steps.terraform.work import Work

ACQUIRING = "Error acquiring the state lock"
RELEASING = "Error releasing the state lock"
_OLD = timedelta(hours=1)
_KILLED = 128
_SHOWN = 3
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_BOX = re.compile(r"^[╷│╵ \t]*")
_FIELD = re.compile(r"(ID|Path|Operation|Who|Version|Created|Info):\s*(.*)")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)\S* ?(?:([+-]\d{4})\b)?")


def read_lock(text: str) -> Lock | None:
    """The lock that `text` tells of, a diagnostic's or what a command wrote; None where it names
    none. Fields that are missing or odd stay empty."""
    _before, found, told = _COLOURS.sub("", text).partition("Lock Info:")
    if not found:
        return None
    fields: dict[str, str] = {}
    for line in told.splitlines()[1:]:
        field = _FIELD.fullmatch(_BOX.sub("", line).rstrip())
        if field is None:
            break
        fields.setdefault(field[1], field[2])
    if not fields.get("ID"):
        return None
    return Lock(
        id=fields["ID"],
        who=fields.get("Who", ""),
        operation=fields.get("Operation", "").removeprefix("OperationType").lower(),
        path=fields.get("Path", ""),
        version=fields.get("Version", ""),
        created=_read_time(fields.get("Created", "")),
        info=fields.get("Info", ""),
    )


def lock_error(diagnostics: Sequence[Diagnostic]) -> Diagnostic | None:
    """The one that says that the state could not be locked."""
    return next((each for each in diagnostics if each.summary.startswith(ACQUIRING)), None)


def may_be_left(diagnostics: Sequence[Diagnostic]) -> bool:
    """Whether one says that the state's lock could not be released."""
    return any(each.summary.startswith(RELEASING) for each in diagnostics)


def lock_failed(work: Work, told: Diagnostic | str, verb: str) -> ToolFailed:
    """The failure of ``terraform <verb>``, which could not lock the state: who holds it, since
    when, for what, and what can be done about it."""
    text = told if isinstance(told, str) else f"{told.summary}\n{told.detail}"
    lock = read_lock(text)
    subject = f"{work.spec.binary_name.rpartition('/')[2]} {verb} failed"
    if lock is None:
        return ToolFailed(
            f"{subject}: the state cannot be locked",
            evidence=_as_it_is_told(text),
            hint="if somebody else is at work on it, wait and run again; if it may not be locked, "
            "see what the step's role is allowed to write",
        )
    work.report.fact("lock", _fact(lock))
    return ToolFailed(
        f"{subject}: the state's lock is {_held(lock, work.clock.now())}",
        evidence=_rows(work, lock),
        hint=_way_out(work, lock),
    )


def after_forced_end(
    work: Work, followed: Followed | None = None, ended: ProcessExit | None = None
) -> None:
    """Say what a command left that was told to end, was killed, or could not release its lock: what
    it was at, whether the state was saved, and whether it is locked. `ended` None means that it was
    told to end. Where the state could not be saved, `rescue` tells of it, and of the lock."""
    followed = followed or Followed()
    if followed.touched and leftover(work.spec) is not None:
        return
    lock = left_lock(work)
    _tell_end(work, followed, ended)
    if lock is not None:
        held = _held(lock, work.clock.now())
        way = _way_out(work, lock, is_ours=followed.touched > 0)
        work.report.warn(f"the state's lock is {held}: {lock.id}", way)
    elif may_be_left(followed.diagnostics):
        work.report.warn("the state may still be locked, and nobody says so", when_locked(work))
    else:
        work.report.line("the state is not locked, as far as can be seen")


def when_locked(work: Work) -> str:
    """What can be done about a lock that nobody knows of yet."""
    free = unlock_line(work.context.rerun(), work.spec, "LOCK_ID")
    return f"if the next run names a lock that is nobody's, put its ID into this line:\n{free}"


def left_lock(work: Work) -> Lock | None:
    """The lock that is there now, if anybody knows; the result tells of it."""
    told = work.tool.probe_lock()
    lock = None if told is None else read_lock(told.decode(errors="replace"))
    if lock is not None:
        work.report.fact("lock", _fact(lock))
    return lock


def _tell_end(work: Work, followed: Followed, ended: ProcessExit | None) -> None:
    killed = ended is not None and ended.code > _KILLED
    by_itself = ended is not None and ended.stopped is None and not killed
    if by_itself or not followed.touched:
        return
    at = _addresses(followed.unfinished)
    how = ("killed" if killed else "stopped") + (f" while at {at}" if at else "")
    if not killed:
        work.report.line(f"{how}; what was done until then is saved in the state")
        return
    work.report.warn(
        f"{how}; what it did last may be missing from the state",
        f"look at {at or 'what is there'} before anything else is applied",
    )


def _addresses(unfinished: Sequence[str]) -> str:
    shown = ", ".join(unfinished[:_SHOWN])
    more = len(unfinished) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _read_time(text: str) -> datetime | None:
    """Go's ``2026-11-22 18:13:29.815 +0000 UTC``, or ISO's form; None where it is no time."""
    found = _TIME.match(text)
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3] or '+0000'}")
    except ValueError:
        return None
    return moment.astimezone(UTC)


def _held(lock: Lock, now: datetime) -> str:
    """``held for 12m by ci@host for apply``, as far as known."""
    parts = ["held"]
    if lock.created is not None:
        parts.append(f"for {_age_text(now - lock.created)}")
    if lock.who:
        parts.append(f"by '{lock.who}'")
    if lock.operation:
        parts.append(f"for {lock.operation}")
    return " ".join(parts) if len(parts) > 1 else "held by somebody"


def _age_text(age: timedelta) -> str:
    """Rounded to what people ask for; clocks differ, so that nothing is younger than a second."""
    seconds = max(int(age.total_seconds()), 1)
    if seconds >= 2 * 86400:
        return f"{seconds // 86400} days"
    return duration_text(seconds if seconds < 60 else seconds - seconds % 60)


def _rows(work: Work, lock: Lock) -> tuple[str, ...]:
    rows = [f"lock\t{lock.id}"]
    if lock.created is not None:
        rows.append(f"since\t{lock.created:%Y-%m-%d %H:%M:%S} UTC")
    if lock.path:
        rows.append(f"state\t{lock.path}")
    if lock.version:
        rows.append(f"with\tversion {lock.version}")
    if lock.info:
        rows.append(f"it says\t{lock.info}")
    rows.append(f"waited\t{duration_text(work.spec.lock_timeout)} (lock_timeout)")
    return tuple(rows)


def _way_out(work: Work, lock: Lock, *, is_ours: bool = False) -> str:
    if is_local(work.files):
        return "the lock of a local state goes with its process: let it finish, or end it"
    age = None if lock.created is None else work.clock.now() - lock.created
    free = unlock_line(work.context.rerun(), work.spec, lock.id)
    if is_ours:
        return f"this run has left it, and nothing frees it by itself:\n{free}"
    if age is not None and age < _OLD:
        return (
            "let it finish and run again, with a longer 'lock_timeout' if it takes its time; only "
            f"if nothing is at work there any more, free the lock:\n{free}"
        )
    return f"see that nothing is at work there any more, then free the lock:\n{free}"


def _as_it_is_told(text: str) -> tuple[str, ...]:
    lines = (line.strip() for line in _COLOURS.sub("", text).splitlines())
    return tuple(f"it says\t{line}" for line in list(filter(None, lines))[:_SHOWN])


def _fact(lock: Lock) -> dict[str, str]:
    created = "" if lock.created is None else lock.created.isoformat()
    return {
        "id": lock.id,
        "who": lock.who,
        "operation": lock.operation,
        "created": created,
        "path": lock.path,
    }
