"""The state's lock: who holds it, and how it is freed."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from calamari_py.errors import ToolFailed
from calamari_py.identity import duration_text
from calamari_py.steps.terraform.following.blocks import uncoloured
from calamari_py.steps.terraform.state.lines import unlock_line
from calamari_py.steps.terraform.state.places import is_local
from calamari_py.steps.terraform.values import Diagnostic, Lock
from calamari_py.steps.terraform.work import Work

_ACQUIRING = "Error acquiring the state lock"
RELEASING = "Error releasing the state lock"
_OLD = timedelta(hours=1)
_SHOWN = 3
_BOX = re.compile(r"^[╷│╵ \t]*")
_FIELD = re.compile(r"(ID|Path|Operation|Who|Version|Created|Info):\s*(.*)")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)\S* ?(?:([+-]\d{4})\b)?")


def read_lock(text: str) -> Lock | None:
    """The lock that `text` tells of, a diagnostic's or what a command wrote; None where it names
    none. Fields that are missing or odd stay empty."""
    _before, found, told = uncoloured(text).partition("Lock Info:")
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
    return next((each for each in diagnostics if each.summary.startswith(_ACQUIRING)), None)


def may_be_left(diagnostics: Sequence[Diagnostic]) -> bool:
    """Whether one says that the state's lock could not be released."""
    return any(each.summary.startswith(RELEASING) for each in diagnostics)


def lock_failed(work: Work, told: Diagnostic, verb: str) -> ToolFailed:
    """The failure of ``terraform <verb>``, which could not lock the state: who holds it, since
    when, for what, and what can be done about it."""
    text = f"{told.summary}\n{told.detail}"
    lock = read_lock(text)
    subject = f"{work.spec.program} {verb} failed"
    if lock is None:
        return ToolFailed(
            f"{subject}: the state cannot be locked",
            evidence=_as_it_is_told(text),
            hint="if somebody else is at work on it, wait and run again; if it may not be locked, "
            "see what the step's role is allowed to write",
        )
    work.report.fact("lock", lock_fact(lock))
    return ToolFailed(
        f"{subject}: the state's lock is {held(lock, work.clock.now())}",
        evidence=_rows(work, lock),
        hint=way_out(work, lock),
    )


def when_locked(work: Work) -> str:
    """What can be done about a lock that nobody knows of yet."""
    free = unlock_line(work.context.rerun(), work.spec, "LOCK_ID")
    return f"if the next run names a lock that is nobody's, put its ID into this line:\n{free}"


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


def held(lock: Lock, now: datetime) -> str:
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


def way_out(work: Work, lock: Lock, *, may_be_ours: bool = False) -> str:
    """What can be done about `lock`; `may_be_ours` where this run may have left it."""
    if is_local(work.files):
        return "the lock of a local state goes with its process: let it finish, or end it"
    age = None if lock.created is None else work.clock.now() - lock.created
    free = unlock_line(work.context.rerun(), work.spec, lock.id)
    if may_be_ours and lock.who.rpartition("@")[2] == os.uname().nodename:
        return (
            "this run has left it, unless another one on this machine has just taken it; nothing "
            f"frees it by itself:\n{free}"
        )
    if age is not None and age < _OLD:
        return (
            "let it finish and run again, with a longer 'lock_timeout' if it takes its time; only "
            f"if nothing is at work there any more, free the lock:\n{free}"
        )
    return f"see that nothing is at work there any more, then free the lock:\n{free}"


def _as_it_is_told(text: str) -> tuple[str, ...]:
    lines = (line.strip() for line in uncoloured(text).splitlines())
    return tuple(f"it says\t{line}" for line in list(filter(None, lines))[:_SHOWN])


def lock_fact(lock: Lock) -> dict[str, str]:
    """What the result tells of it."""
    created = "" if lock.created is None else lock.created.isoformat()
    return {
        "id": lock.id,
        "who": lock.who,
        "operation": lock.operation,
        "created": created,
        "path": lock.path,
    }
