"""SignalInbox: the signals sent to calamari itself, as exceptions or as a queue."""

from __future__ import annotations

import enum
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

from calamari_py.errors import Cancelled

STOP_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
"""What tells calamari to stop."""

ECHO = 0.3
"""Seconds in which the same signal counts once: a terminal and a wrapper both pass ^C on."""

UNANSWERED = 1.0
"""Seconds after which a queued signal that nobody took counts as unanswered."""


class _Mode(enum.Enum):
    ONCE = enum.auto()
    QUEUED = enum.auto()
    LISTENING = enum.auto()


class SignalInbox:
    """SIGHUP, SIGINT and SIGTERM while calamari runs; SIGTSTP for job control.

    The first stop signal raises Cancelled in the main thread, which ends a blocking call; within
    `queued` it waits for `take` instead, and `fileno` becomes readable. Once a signal was raised
    or taken the run unwinds, and whatever comes later only waits: an exception in the middle of
    clearing up would leave secrets behind. `listening` is for blocking calls on that way. Of the
    contexts the innermost counts.

    The same signal again within 0.3 s is an echo and counts nowhere. `first` is the first stop
    signal ever received: whoever catches an exception that a library made out of a Cancelled can
    see from it what really happened. `suspended` are the seconds of all pauses by the suspend key.

    With ``install=False``, and in other threads than the main one, no handler is set and `deliver`
    is the only way in. At the end everything is as before. Not so with ``last=True``, for whoever
    exits after the block with a code that is settled: the stop signals that had handlers are
    ignored then, without a gap, or one would replace the code while the interpreter ends.
    """

    def __init__(
        self,
        *,
        install: bool = True,
        last: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.first: int | None = None
        self.suspended = 0.0
        self._install = install
        self._for_good = last
        self._clock = clock
        self._mode = _Mode.ONCE
        self._unwinding = False
        self._impatient = False
        self._last: tuple[int, float] | None = None
        self._queue: deque[tuple[int, float]] = deque()
        self._previous: dict[int, Any] = {}
        self._previous_wakeup: int | None = None
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def __enter__(self) -> Self:
        try:
            if self._install and current_thread() is main_thread():
                self._set_handlers()
        except BaseException:
            self._put_back()
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._for_good:
            for signum in {*STOP_SIGNALS} & {*self._previous}:
                signal.signal(signum, signal.SIG_IGN)
                del self._previous[signum]
        self._put_back()
        self.close()

    def close(self) -> None:
        """Give the pipe back; leaving the ``with`` block does it."""
        if self._reader >= 0:
            os.close(self._reader)
            os.close(self._writer)
            self._reader = self._writer = -1

    def fileno(self) -> int:
        """A descriptor that is readable while signals wait."""
        return self._reader

    def deliver(self, signum: int) -> None:
        """Receive `signum`: raises Cancelled where the class says so, else only records it."""
        self._receive(signum)

    @contextmanager
    def queued(self) -> Iterator[None]:
        """Until the end of the block signals wait for `take`. May be nested."""
        before, self._mode = self._mode, _Mode.QUEUED
        try:
            yield
        finally:
            self._mode = before

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within the block a new signal raises Cancelled, also while the run unwinds; one that
        waits already raises at once. For calls that block: no signal is left unheard for long.
        """
        before, self._mode = self._mode, _Mode.LISTENING
        try:
            self.raise_waiting()
            yield
        finally:
            self._mode = before

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Within the block a signal that meets one unanswered for a second raises Cancelled even
        inside `queued`: whatever blocks there will not end by itself. May be nested.
        """
        before, self._impatient = self._impatient, True
        try:
            yield
        finally:
            # What a raise took away stays away.
            self._impatient = before and self._impatient

    def settle(self) -> None:
        """What ends the run is decided: a signal from here on only waits."""
        self._unwinding = True

    def raise_waiting(self) -> None:
        """Raise Cancelled for the oldest stop signal that waits, and forget the others."""
        waiting = None
        while (signum := self.take()) is not None:
            if signum == signal.SIGTSTP:
                self._suspend()
            elif waiting is None:
                waiting = signum
        if waiting is not None:
            self._raise(waiting)

    def take(self) -> int | None:
        """The oldest signal that waits, or None. SIGTSTP comes this way too."""
        with suppress(BlockingIOError):
            os.read(self._reader, 512)
        if not self._queue:
            return None
        signum, _ = self._queue.popleft()
        if signum != signal.SIGTSTP:
            self._unwinding = True
        if self._queue:
            self._wake()
        return signum

    def _receive(self, signum: int) -> bool:
        """As `deliver`; whether the signal counted."""
        if signum == signal.SIGTSTP:
            if self._mode is _Mode.QUEUED:
                self._record(signum)
            else:
                self._suspend()
            return False
        now = self._clock()
        if self._last is not None and self._last[0] == signum and now - self._last[1] < ECHO:
            return False
        self._last = (signum, now)
        if self.first is None:
            self.first = signum
        unheard = self._mode is _Mode.ONCE and not self._unwinding
        if unheard or self._mode is _Mode.LISTENING:
            self._raise(signum)
        self._record(signum)
        return True

    def _suspend(self) -> None:
        """Stop until a shell continues us; nothing happens when none would."""
        if has_job_control():
            began = self._clock()
            os.kill(os.getpid(), signal.SIGSTOP)
            self.suspended += self._clock() - began

    def _raise(self, signum: int) -> NoReturn:
        # A raise takes the permission for the next one away, because it may hit the very line that
        # ends the block which gave it.
        self._unwinding, self._impatient = True, False
        if self._mode is _Mode.LISTENING:
            self._mode = _Mode.ONCE
        raise Cancelled(signum)

    def _record(self, signum: int) -> None:
        self._queue.append((signum, self._clock()))
        self._wake()

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._writer, b"\0")

    def _put_back(self) -> None:
        if self._previous_wakeup is not None:
            signal.set_wakeup_fd(self._previous_wakeup)
            self._previous_wakeup = None
        while self._previous:
            signum, handler = self._previous.popitem()
            # None: the handler was not set from Python and cannot be put back.
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)

    def _set_handlers(self) -> None:
        for signum in STOP_SIGNALS:
            previous = signal.getsignal(signum)
            # nohup and a shell's background jobs say so on purpose.
            if previous is signal.SIG_IGN and signum != signal.SIGTERM:
                continue
            self._previous[signum] = signal.signal(signum, self._on_signal)
        if signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            self._previous[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._on_signal)
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            # Under an inherited "ignore" the system drops the exit codes of our children.
            self._previous[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # The handler alone is not enough: a signal between the interpreter's last look and the
        # system call would not end the wait.
        self._previous_wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        unanswered = bool(self._queue) and self._clock() - self._queue[0][1] > UNANSWERED
        if self._receive(signum) and unanswered and self._impatient:
            self._raise(self._queue[0][0])


def has_job_control() -> bool:
    """Whether a shell would continue us if we stopped: we are in the foreground of a terminal, and
    our parent is of the same session.
    """
    parent = os.getppid()
    try:
        if parent == 0 or os.getsid(parent) != os.getsid(0):
            return False
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
