"""Whose a pending operation is: a label on the revision names the run that began it.

The label belongs to one revision: Helm hands the labels of a release on to the next one, whoever
makes that.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from calamari_py.process.proc import entry_of

LABEL = "calamari-run"
_VALUE = re.compile(
    r"r(?P<revision>\d+)-(?P<place>[0-9a-f]{12})-(?P<pid>\d+)-(?P<started>\d+)"
    r"-(?P<limit>\d+)s-(?P<token>[0-9a-f]{10})",
    re.ASCII,
)
_PROC = Path("/proc")
_NOWHERE = "0" * 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One run at one release. `place` is the machine since its start, the container and the user;
    `limit` are the seconds that the operation itself may take; `token` is on the command line of
    its helm."""

    revision: int
    place: str
    pid: int
    started: int
    limit: int
    token: str

    @property
    def label(self) -> str:
        """What Helm keeps: 63 characters at most."""
        return f"r{self.revision}-{self.place}-{self.pid}-{self.started}-{self.limit}s-{self.token}"


def ourselves(revision: int, *, limit: float, proc: Path = _PROC) -> Holder:
    """This run, which is about to make the revision. Where the system does not say who that is, it
    is one of another place: the token tells this run its own in any case."""
    entry = entry_of(os.getpid())
    return Holder(
        revision=revision,
        place=_place(proc) or _NOWHERE,
        pid=os.getpid(),
        started=entry.started if entry is not None else 0,
        limit=math.ceil(limit),
        token=secrets.token_hex(5),
    )


def read_holder(label: str, revision: int) -> Holder | None:
    """Who holds the revision, None where its label is none of ours, or that of another one."""
    found = _VALUE.fullmatch(label)
    if found is None or int(found["revision"]) != revision:
        return None
    return Holder(
        revision=revision,
        place=found["place"],
        pid=int(found["pid"]),
        started=int(found["started"]),
        limit=int(found["limit"]),
        token=found["token"],
    )


def is_alive(holder: Holder, *, proc: Path = _PROC) -> bool | None:
    """Whether that run, or its helm alone, is still at work. None where only another machine, or
    another user, could say."""
    if holder.place != _place(proc):
        return None
    # An earlier attempt of this very run is over, whatever became of its helm.
    entry = entry_of(holder.pid) if holder.pid != os.getpid() else None
    if entry is not None and entry.started == holder.started and not entry.ended:
        return True
    token = holder.token.encode()
    return any(token in _read(each / "cmdline") for each in proc.iterdir() if each.name.isdigit())


def _place(proc: Path) -> str:
    """Which machine, since when, which PID namespace, which user. "" where nobody can say."""
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text()
        namespace = os.readlink(proc / "self/ns/pid")
    except OSError:
        return ""
    return hashlib.sha256(f"{boot}\n{namespace}\n{os.geteuid()}".encode()).hexdigest()[:12]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it ended meanwhile
