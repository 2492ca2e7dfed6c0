"""Drain: tells a command once that the runner was killed, and reads on what it writes."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import subprocess

_SHELL = "/bin/sh"
_SCRIPT = """
read -r signum pid
read -r _
[ -z "$pid" ] || kill -"$signum" "-$pid"
cat "/proc/self/fd/$1" &
exec cat "/proc/self/fd/$2"
"""
_DEAF_TO = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGTSTP)


class Drain:
    """A tiny process beside a command that holds the reading ends `stdout` and `stderr` of its
    pipes, too. Should we be killed, it sends the command's group `signum` (None: nothing) and
    reads them to their ends.

    Without it the next word of a command that we leave behind would end it by SIGPIPE, in the midst
    of saving its state. A command that held the ends itself would hand them on to its own children,
    and hang for good with whatever it has locked as soon as a pipe is full. And PR_SET_PDEATHSIG
    comes again where one of our threads outlives the others for a moment: a second signal means "at
    once" to many tools.

    It holds nothing else of ours, and is deaf to every signal that asks politely. It stays in our
    session: then nobody takes it for a process of the command, whose output it holds (strays.py).
    Where it cannot be started (there is no /proc) there is none.
    """

    def __init__(self, stdout: int, stderr: int, *, signum: int | None) -> None:
        self._ends = (stdout, stderr)
        self._signum = signum
        self._tether: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with suppress(OSError), ExitStack() as passed:
            ends = []
            for end in self._ends:
                # Opened anew: what is set of ours (O_NONBLOCK) is not for it.
                ends.append(os.open(f"/proc/self/fd/{end}", os.O_RDONLY | os.O_CLOEXEC))
                passed.callback(os.close, ends[-1])
            tether, self._tether = os.pipe()
            passed.callback(os.close, tether)
            self._start(tether, ends)
        return self

    @property
    def tells(self) -> bool:
        """Whether it would send anything."""
        process = self._process
        return process is not None and process.poll() is None and self._signum is not None

    def watch(self, pid: int) -> None:
        """The command is `pid`, which nobody collects before this has ended."""
        if self._tether is not None and self.tells:
            with suppress(OSError):
                os.write(self._tether, f"{self._signum} {pid}\n".encode())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it: the command has ended, and we have not."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._tether is not None:
            os.close(self._tether)
        self._process = self._tether = None

    def _start(self, tether: int, ends: Sequence[int]) -> None:
        import subprocess

        # The mask is inherited, so that there is no moment in which a signal would end it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _DEAF_TO)
        try:
            self._process = subprocess.Popen(
                [_SHELL, "-c", _SCRIPT, "calamari-drain", *map(str, ends)],
                stdin=tether,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": "/usr/bin:/bin"},
                pass_fds=ends,
                # Whoever kills our process group does not mean it.
                process_group=0,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
