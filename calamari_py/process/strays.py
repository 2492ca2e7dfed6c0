"""Strays: processes of a command that left its session (``setsid``, a daemon's double fork).

On Linux they are found among all processes, and only those count that are proven to be of the
command, because this process may be one in which much else goes on: it may have children of its
own, and while a command runs it also adopts the orphans of those.

While its parents live a process is known by its line of parents. An orphan comes to us (see
`adopting`), and then counts when it began after the command and not in our own session, and

- it was seen in that line before, or is of the session of one that was, as long as that session
  lasts: its number is used again, or
- it was started with the command's marker, a variable whose value no other command has, or
- it executed a program and holds the command's output open.

What descends from one that counts, counts. A daemon that sheds all of this before anybody looked
is left alone: better one that lives on than a stranger ended. What has ended gives no such proof,
and counts for nothing; it is collected all the same when it cannot be a child that somebody else in
this process waits for, which is in our session, leads its own, or began before the command.

Under `keeper`, the process outside of an isolated command's PID namespace, there is nothing but the
namespace's pid 1, and under that nothing but the command.

A stray whose parents live may be looked after by one of them (`sudo`, `script`, another runner),
which passes a signal on; heard twice it would mean "at once" to many tools. So `reached` says which
sessions a polite signal goes to.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from calamari_py.process.proc import Entry, descriptors_of, environment_of
from calamari_py.process.usage import Usage


class Strays:
    """Those of the command that `leader` leads, which started at `began` (as in Entry; None: not
    seen, and no orphan counts). `marker` is its ``NAME=value``; without one no orphan counts.
    `outputs` is what its pipes are called under ``/proc/PID/fd``. What the collected ones used is
    added to `usage`.
    """

    def __init__(
        self,
        leader: int,
        *,
        began: int | None,
        marker: bytes | None,
        outputs: frozenset[str],
        usage: Usage,
        keeper: int | None = None,
    ) -> None:
        self.reached = frozenset({leader})
        self._leader = leader
        self._marker = marker
        self._outputs = outputs
        self._usage = usage
        self._keeper = keeper
        self._seen: set[tuple[int, int]] = set()
        # The number of a session, and when its leader started, which had ended where it says None.
        self._sessions: dict[int, int | None] = {}
        self._began = began

    def among(self, entries: Iterable[Entry]) -> tuple[Entry, ...]:
        """The living processes of the command, in its session or not; collects ended orphans."""
        everything = {entry.pid: entry for entry in entries}
        self._forget_sessions(everything)
        children: dict[int, list[Entry]] = {}
        for entry in everything.values():
            children.setdefault(entry.parent, []).append(entry)
        orphans = self._kept(children)
        orphans += [entry for entry in children.get(os.getpid(), ()) if self._is_ours(entry)]
        self.reached = frozenset({self._leader, *(orphan.session for orphan in orphans)})
        waiting = [entry for entry in everything.values() if entry.session == self._leader]
        waiting += orphans
        found: dict[int, Entry] = {}
        while waiting:
            entry = waiting.pop()
            if entry.pid not in found:
                found[entry.pid] = entry
                waiting += children.get(entry.pid, ())
        for entry in found.values():
            self._seen.add((entry.pid, entry.started))
            if entry.session not in self._sessions:
                self._sessions[entry.session] = _started(entry.session, everything)
        self._collect_unknown(everything)
        return tuple(entry for entry in found.values() if not self._collected(entry))

    def uncollected(self) -> bool:
        """Whether some child of this process has ended, ours to collect or not."""
        try:
            peek = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_ALL, 0, peek) is not None
        except ChildProcessError:
            return False

    def _forget_sessions(self, everything: dict[int, Entry]) -> None:
        """Forget those that are over: their numbers may be anybody's by now."""
        lasting = {entry.session for entry in everything.values()}
        self._sessions = {
            number: started
            for number, started in self._sessions.items()
            if number in lasting and _started(number, everything) in {None, started}
        }

    def _kept(self, children: dict[int, list[Entry]]) -> list[Entry]:
        if self._keeper is None:
            return []
        return [
            entry
            for first in children.get(self._keeper, ())
            for entry in children.get(first.pid, ())
        ]

    def _is_ours(self, entry: Entry) -> bool:
        """Whether a child of this process is an orphan of the command."""
        if self._marker is None or self._began is None or entry.started < self._began:
            return False
        if entry.session == os.getsid(0):
            return False
        if (entry.pid, entry.started) in self._seen or entry.session in self._sessions:
            return True
        if entry.ended:
            return False
        if self._marker in environment_of(entry.pid):
            return True
        # Between fork and exec a child of ours, for another command, has all our pipes open.
        return not entry.forked and not self._outputs.isdisjoint(descriptors_of(entry.pid).values())

    def _collect_unknown(self, everything: dict[int, Entry]) -> None:
        """Collect ended orphans that nobody knows, and nobody in this process waits for."""
        us, here = os.getpid(), os.getsid(0)
        for entry in everything.values():
            if entry.parent != us or not entry.ended or self._marker is None:
                continue
            if self._began is None or entry.started < self._began:
                continue
            if entry.session in {here, entry.pid, self._leader}:
                continue
            leader = everything.get(entry.session)
            # Of another command of ours, which accounts for it.
            if leader is None or leader.parent != us:
                with suppress(ChildProcessError):
                    os.waitpid(entry.pid, os.WNOHANG)

    def _collected(self, entry: Entry) -> bool:
        """Whether the process has ended; an orphan, not the leader, is then collected."""
        if entry.ended and entry.parent == os.getpid() and entry.pid != self._leader:
            try:
                pid, _, used = os.wait4(entry.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else collects whatever ends
                return True
            if pid:
                self._usage.add(used)
        return entry.ended


def _started(pid: int, everything: dict[int, Entry]) -> int | None:
    """When a process started; None when it is gone."""
    return everything[pid].started if pid in everything else None
