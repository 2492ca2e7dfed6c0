"""Who is left of a process's session, and signals to all of them."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass

_GONE = b"ZX"
"""States in which a process has ended and only waits to be collected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One living process of a session. `group` is its process group."""

    pid: int
    group: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


class Session:
    """The session that the process `leader` leads. Its number stays taken until it is reaped."""

    def __init__(self, leader: int) -> None:
        self.leader = leader

    def members(self) -> tuple[Member, ...]:
        """Every living process of the session, ordered by pid.

        Off Linux the leader's group stands for all of them, as one member.
        """
        if sys.platform == "linux":
            return tuple(sorted(_scan(self.leader), key=lambda member: member.pid))
        try:
            os.killpg(self.leader, 0)
        except OSError:
            return ()
        return (Member(pid=self.leader, group=self.leader, name="process group"),)

    def signal(self, signum: int) -> None:
        """Send `signum` once to every process, then SIGCONT so that stopped ones see it."""
        sent: set[int] = set()
        self._signal_group(self.leader, signum, sent)
        for member in self.members():
            self._signal_group(member.group, signum, sent)

    def _signal_group(self, group: int, signum: int, sent: set[int]) -> None:
        if group in sent:
            return
        sent.add(group)
        # A group may end at any time, and one that became another user refuses.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signum)
            if signum not in {signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT}:
                os.killpg(group, signal.SIGCONT)


def _scan(session: int) -> list[Member]:
    found = []
    number = str(session).encode()
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = _read(f"/proc/{entry}/stat")
        except OSError:
            continue
        # proc(5): pid (name) state ppid pgrp session …; the name may hold spaces and brackets.
        head, _, tail = stat.rpartition(b")")
        fields = tail.split(None, 4)
        if len(fields) < 4 or fields[3] != number or fields[0] in _GONE:
            continue
        found.append(
            Member(pid=int(entry), group=int(fields[2]), name=_printable(head.partition(b"(")[2]))
        )
    return found


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 1024)
    finally:
        os.close(descriptor)


def _printable(name: bytes) -> str:
    text = name.decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
