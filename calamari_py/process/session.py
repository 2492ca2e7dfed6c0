"""Who is left of a process's session and of those that left it, and signals to all of them."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace

from calamari_py.process.base import Command
from calamari_py.process.holdings import holdings
from calamari_py.process.proc import Entry, entries, entry_of, other_end_of
from calamari_py.process.spawn import Child
from calamari_py.process.strays import Strays


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One living process. `group` is its process group, `holds` clauses on what it keeps."""

    pid: int
    group: int
    name: str
    holds: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} ({', '.join((f'pid {self.pid}', *self.holds))})"


class Session:
    """The session that the process `leader` leads, whose number stays taken until it is reaped, and
    what left it as far as `strays` finds that. `outputs` as in Strays.
    """

    def __init__(
        self, leader: int, *, strays: Strays | None = None, outputs: frozenset[str] = frozenset()
    ) -> None:
        self.leader = leader
        self._strays = strays
        self._outputs = outputs

    @property
    def has_strays(self) -> bool:
        """Whether what left the session is looked for."""
        return self._strays is not None

    def members(self) -> tuple[Member, ...]:
        """Every living process, ordered by pid.

        Off Linux the leader's group stands for all of them, as one member.
        """
        if sys.platform == "linux":
            return tuple(
                Member(pid=entry.pid, group=entry.group, name=entry.name)
                for entry in sorted(self._entries(), key=lambda entry: entry.pid)
            )
        try:
            os.killpg(self.leader, 0)
        except OSError:
            return ()
        return (Member(pid=self.leader, group=self.leader, name="process group"),)

    def with_holdings(self, member: Member) -> Member:
        """`member`, and what it holds, as far as the system says."""
        return replace(member, holds=holdings(member.pid, self._outputs))

    def tend(self) -> None:
        """Collect orphans that have ended: a command that makes many must not run out of pids."""
        if self._strays is not None and self._strays.uncollected():
            self._strays.among(entries())

    def signal(self, signum: int, *, polite: bool = False) -> None:
        """Send `signum` once to every process, then SIGCONT so that stopped ones see it. A polite
        one is left to those who look after processes in sessions of their own.
        """
        sent: set[int] = set()
        # Before the leader may end: whom it leaves is known then, and who came meanwhile is found.
        self.members()
        self._signal_group(self.leader, signum, sent)
        for entry in self._entries():
            if not polite or self._strays is None or entry.session in self._strays.reached:
                self._signal_group(entry.group, signum, sent)

    def _entries(self) -> tuple[Entry, ...]:
        if sys.platform != "linux":
            return ()
        if self._strays is not None:
            return self._strays.among(entries())
        return tuple(
            entry for entry in entries() if entry.session == self.leader and not entry.ended
        )

    def _signal_group(self, group: int, signum: int, sent: set[int]) -> None:
        # 0 would be our own group, which is how one outside of our namespace is called.
        if group in sent or group <= 1:
            return
        sent.add(group)
        # A group may end at any time, and one that became another user refuses.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signum)
            if signum not in {signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT}:
                os.killpg(group, signal.SIGCONT)


def adopting_for(command: Command) -> AbstractContextManager[bool]:
    """Adopt orphans for as long as `command` runs, if it wants them."""
    wanted = command.marker in command.environment and command.isolation is None
    if not wanted or sys.platform != "linux":
        return nullcontext(False)
    from calamari_py.process.adoption import adopting

    return adopting()


def session_of(command: Command, child: Child, *, adopts: bool) -> Session:
    """The session of `child`, which runs `command`."""
    if sys.platform != "linux":
        return Session(child.pid)
    pipes = (child.stdout, child.stderr)
    ends = (None if pipe is None else other_end_of(pipe) for pipe in pipes)
    outputs = frozenset(end for end in ends if end is not None)
    if not adopts and child.keeper is None:
        return Session(child.pid, outputs=outputs)
    marker = None
    if adopts and command.marker is not None:
        marker = f"{command.marker}={command.environment[command.marker]}"
    # Not reaped yet: it can be seen, also when it has ended already.
    leader = entry_of(child.pid)
    strays = Strays(
        child.pid,
        began=None if leader is None else leader.started,
        marker=None if marker is None else marker.encode("utf-8", "surrogateescape"),
        outputs=outputs,
        usage=child.usage,
        keeper=child.keeper,
    )
    return Session(child.pid, strays=strays, outputs=outputs)
