"""Terminal: a pty for one child, and the keys of our own terminal that go there."""

from __future__ import annotations

import os
import select
import signal
import termios
import tty
from contextlib import suppress
from fcntl import ioctl
from types import FrameType, TracebackType
from typing import Any, Self

from calamari_py.errors import ToolMissing
from calamari_py.process.base import Command

KEYBOARD = 0
"""The descriptor that keys are read from: our stdin."""

TYPE_AHEAD = 4096
"""Bytes of keys that wait for the child to take them, before we read no more of them."""

USUAL_SIZE = (24, 80)
"""Rows and columns where we have no terminal to ask."""

_DEADLY = (signal.SIGQUIT, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2)
"""What would end us without a word, and leave our terminal as it is."""

_OUTPUT_FLAGS = 1
"""Where termios keeps them in its list."""


class Terminal:
    """The pty of one child, as a context: `inner` is the child's side, the other one is ours.

    With `keys`, our stdin is a terminal and the child has the pty as its controlling terminal, on
    stdin too: as long as the child lives our terminal is raw, and every key goes to the child's
    line discipline, ^C, ^D, ^S and ^Z too. Our terminal gets its modes back when the child has
    ended, on every other way out, and while we are suspended.

    Without, `inner` is for writing only and no controlling terminal: whoever asks it or
    ``/dev/tty`` for a password or a key finds none, in place of one that nobody can type at. Line
    ends are left as they are written.

    `carries_stderr` is false where our stdout is a terminal and our stderr is none: then they are
    two things for the command, too. The size of our terminal is handed on, and every change of it.
    """

    def __init__(self, command: Command) -> None:
        self.keys = command.stdin == "inherit" and os.isatty(KEYBOARD)
        self.carries_stderr = os.isatty(2) or not os.isatty(1)
        self._ours = next((number for number in (0, 1, 2) if os.isatty(number)), None)
        self._modes: list[Any] | None = None
        self._leader: int | None = None
        self._released = False
        self._pending = b""
        self._previous: dict[int, Any] = {}
        try:
            self._outer, self.inner = os.openpty()
            if not self.keys:
                self._forbid_reading()
        except OSError as error:
            raise ToolMissing(
                f"no terminal for the command can be made: {(error.strerror or 'error').lower()}",
                hint="end what holds the others, or send our output into a file or a pipe",
            ) from error
        os.set_blocking(self._outer, False)

    def __enter__(self) -> Self:
        self._dress()
        self._listen(signal.SIGWINCH, self._on_resize)
        self._resize()
        if self.keys:
            # Before they change: from then on no way out may miss them.
            with suppress(termios.error):
                self._modes = termios.tcgetattr(KEYBOARD)
            self._listen(signal.SIGCONT, self._on_continue)
            for signum in _DEADLY:
                if signal.getsignal(signum) is signal.SIG_DFL:
                    self._listen(signum, self._on_deadly)
            self._make_raw()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
        self.restore()
        while self._previous:
            signum, before = self._previous.popitem()
            # None: it was not set from Python and cannot be put back.
            signal.signal(signum, signal.SIG_DFL if before is None else before)
        os.close(self._outer)

    def open_output(self) -> int:
        """A descriptor of its own to read the child's output from; nonblocking."""
        return os.dup(self._outer)

    def follow(self, leader: int) -> None:
        """The child is there: process `leader` and its group."""
        self._leader = leader

    def take(self) -> None:
        """In the child, between fork and exec: make its stdin the session's terminal."""
        if self.keys:
            ioctl(0, termios.TIOCSCTTY, 0)

    def waits(self) -> tuple[tuple[int, int], ...]:
        """What `copy_keys` needs to be told of: descriptors and poll events."""
        if not self.keys or self._released:
            return ()
        wanted = []
        if len(self._pending) < TYPE_AHEAD:
            wanted.append((KEYBOARD, select.POLLIN))
        if self._pending:
            wanted.append((self._outer, select.POLLOUT))
        return tuple(wanted)

    def copy_keys(self, ready: dict[int, int]) -> bool:
        """Pass on what was typed, and take it out of `ready`: our stdin would block if it were
        read twice. Returns False when our terminal has hung up.
        """
        typed = ready.pop(KEYBOARD, 0)
        if self._released:
            return True
        there = not typed or self._read()
        if self._pending:
            self._write()
        return there

    def restore(self) -> None:
        """Give our terminal its modes back; SIGCONT takes them away again until `release`."""
        if self._modes is not None:
            _set_modes(self._modes)

    def release(self) -> None:
        """The child has ended: keys mean what they did, and the end of the output can come, whose
        lines end as they do on a raw terminal.
        """
        if self._released:
            return
        # Before the modes: SIGCONT could come between, and make our terminal raw again.
        self._released = True
        os.close(self.inner)
        if self._modes is not None:
            modes = list(self._modes)
            modes[_OUTPUT_FLAGS] &= ~termios.OPOST
            _set_modes(modes)

    def _forbid_reading(self) -> None:
        """Have whoever waits for a key from its stdout or stderr, as pagers do, get an error."""
        with suppress(OSError):  # a terminal without a name: then they wait
            writable = os.open(os.ttyname(self.inner), os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
            os.close(self.inner)
            self.inner = writable

    def _dress(self) -> None:
        """Make the pty like our terminal: which key erases, which interrupts, UTF-8."""
        # Ours may hang up at any time; the signal that says so is as good as here.
        with suppress(termios.error):
            modes = termios.tcgetattr(self.inner if self._ours is None else self._ours)
            if not self.keys:
                modes[_OUTPUT_FLAGS] &= ~termios.OPOST
            termios.tcsetattr(self.inner, termios.TCSANOW, modes)

    def _resize(self) -> None:
        with suppress(termios.error):
            size = USUAL_SIZE if self._ours is None else termios.tcgetwinsize(self._ours)
            termios.tcsetwinsize(self._outer, size)

    def _make_raw(self) -> None:
        # TCSANOW: what was typed already is the child's, and a stopped terminal blocks nobody.
        with suppress(termios.error):
            tty.setraw(KEYBOARD, termios.TCSANOW)

    def _read(self) -> bool:
        """Keys; False when nobody will ever type any."""
        try:
            data = os.read(KEYBOARD, TYPE_AHEAD)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        self._pending += data
        if not data:
            self.keys = False
        return bool(data)

    def _write(self) -> None:
        try:
            written = os.write(self._outer, self._pending)
        except BlockingIOError:
            return
        except OSError:
            # The child's side is gone, on a system that revokes it when the session's leader ends.
            written = len(self._pending)
        self._pending = self._pending[written:]

    def _listen(self, signum: int, react: Any) -> None:
        # In another thread than the main one there are no signals to follow.
        with suppress(ValueError):
            self._previous[signum] = signal.signal(signum, react)

    def _on_resize(self, _signum: int, _frame: FrameType | None) -> None:
        self._resize()
        if self._leader is not None and not self.keys and not self._released:
            # The kernel tells those only whose controlling terminal it is.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._leader, signal.SIGWINCH)

    def _on_continue(self, _signum: int, _frame: FrameType | None) -> None:
        if not self._released:
            self._make_raw()
            self._resize()

    def _on_deadly(self, signum: int, _frame: FrameType | None) -> None:
        self.restore()
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)


def _set_modes(modes: list[Any]) -> None:
    """Set the modes of our terminal, unless somebody else has it in the foreground by now: what
    they see to is not ours, and we would be stopped for trying.
    """
    with suppress(OSError):  # no terminal of our session: nobody minds
        if os.tcgetpgrp(KEYBOARD) != os.getpgrp():
            return
    with suppress(termios.error):
        termios.tcsetattr(KEYBOARD, termios.TCSANOW, modes)
