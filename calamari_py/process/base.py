"""Values of the process door: what to run, how to watch it, and how it ended."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

Stream = Literal["stdout", "stderr"]
KILL_DELAY = 5.0
"""Seconds between SIGTERM and SIGKILL, and how long pipes held by a grandchild are read for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """Have a command see no process but its own, and nothing below the absolute paths `hidden`: a
    file there is empty and a folder has nothing in it, both read-only. Paths that do not exist are
    passed over. A file that is a link is hidden where it leads to now: of one that others replace
    (a mounted token), hide the folder. When we are killed ourselves, the command has `kill_delay`
    seconds from SIGTERM to SIGKILL.
    """

    hidden: tuple[Path, ...] = ()
    kill_delay: float = KILL_DELAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One process to start. `environment` is complete: nothing is inherited beside it.

    `argv[0]` is an absolute path. `stdin` is ``null`` or ``inherit``. `stop_signal` is what the
    first rung of the stop ladder sends when a timeout began it (None: SIGTERM), and
    `translate_signals` maps a signal we were sent to the one the group gets. An interactive shell
    ignores SIGTERM: SIGHUP is how it is told.

    With `terminal` stdout and stderr are one pty, read as ``stdout``; where our stdout is a
    terminal and our stderr is none, stderr stays a pipe. Where stdin is inherited and a terminal,
    stdin is the pty too: keys go there, and it is the session's controlling terminal. A stdin that
    is no terminal is handed over as it is. Where nobody can type, the variables that name a pager
    name none.

    `marker` is the name of a variable in `environment` whose value no other command has. With it,
    on Linux, processes that left the command's session are its own too: signalled, ended and named
    like the others (strays.py says what counts). None: they are let be.

    With `outlives_us` and without a terminal the command ends as it is told to also when we are
    killed, and not by SIGPIPE (drain.py): it gets once what SIGTERM is translated to, and its
    output is read on.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    directory: Path
    stdin: Literal["null", "inherit"] = "null"
    terminal: bool = False
    stop_signal: int | None = None
    translate_signals: Mapping[int, int] | None = None
    isolation: Isolation | None = None
    marker: str | None = None
    outlives_us: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds; None means no limit. `grace` runs from the polite signal to SIGTERM."""

    timeout: float | None = None
    idle_timeout: float | None = None
    grace: float = 30.0


class StopReason(enum.StrEnum):
    """Why calamari ended a process."""

    TIMEOUT = "timeout"
    IDLE_TIMEOUT = "idle_timeout"
    SIGNAL = "signal"
    READER_GONE = "reader_gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessExit:
    """How a process ended.

    `code` is the child's own (128 + N when signal N killed it). `stopped` says why calamari ended
    it, None when it ended by itself; `signum` is the signal calamari was sent, when that was why.
    `pressed` says that it was sent more than the first signal: another one of ours, a second of our
    caller's, or SIGKILL.
    `left_running` names processes of the command that had to be ended after the leader, and on
    Linux says what they held: ``sleep (pid 7, holds the step's output, listens on port 8080)``;
    of more than ten the last entry is a sum.
    `duration` is in seconds. `cpu_time` (seconds, user and system) and `peak_memory` (bytes, of
    the largest process) are the child's and its descendants', as far as they were collected; None
    where the system does not say. The peak is never less than what we held ourselves (usage.py).
    """

    code: int
    stopped: StopReason | None = None
    signum: int | None = None
    pressed: bool = False
    left_running: tuple[str, ...] = ()
    duration: float = 0.0
    cpu_time: float | None = None
    peak_memory: int | None = None


class OutputSink(Protocol):
    """Where the loop puts what it reads. The loop calls `before_feed` with bytes as soon as it has
    read them, then `feed` for each such read, a stream's reads in their order; bytes of stderr may
    be announced one cycle before they are fed. `before_feed` also comes, without bytes, before
    `idle` and `close`, which let held bytes go. A stream whose reader went away is announced and
    not fed.

    A method that raises BrokenPipeError says that its reader went away: the process is stopped.
    Whatever else it raises ends the process too, and is raised again.
    """

    def before_feed(self, reads: Mapping[Stream, bytes]) -> None:
        """Take in declarations: whatever a child wrote before the bytes that follow, and what it
        declares in those, `reads`, themselves."""

    def feed(self, stream: Stream, data: bytes) -> None:
        """Bytes as they were read, never empty."""

    def holding(self) -> bool:
        """Whether bytes are held back that `idle` would release."""

    def idle(self) -> None:
        """Nothing came for 25 ms (or what `run` was told) while `holding`; comes again as long as
        that is so."""

    def close(self, stream: Stream) -> None:
        """The stream ended or is given up; called exactly once for each."""
