"""run(): one child watched by one loop, from its start until nothing of it is left."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Self

from calamari_py.errors import Cancelled
from calamari_py.process.base import (
    KILL_DELAY,
    Command,
    Limits,
    OutputSink,
    ProcessExit,
    StopReason,
)
from calamari_py.process.inbox import SignalInbox, has_job_control
from calamari_py.process.ladder import Ladder
from calamari_py.process.pipes import Pipes
from calamari_py.process.pulse import Pulse, give_reader_up
from calamari_py.process.session import Member, Session
from calamari_py.process.spawn import Child, spawn

if TYPE_CHECKING:
    from calamari_py.process.terminal import Terminal

IDLE_FLUSH = 0.025
"""Seconds that the sink may hold bytes back after the child fell silent."""

SETTLE = 0.1
"""Seconds that what is left of a session has to end by itself: a `tee` sees its end of file at
the same moment as we do."""

AFTER_KILL = 1.0
"""Seconds that killed processes have to disappear; those of another user do not."""

GLANCE = 0.02
"""Seconds between two looks at what cannot be waited for."""


def run(
    command: Command,
    sink: OutputSink,
    limits: Limits,
    inbox: SignalInbox,
    *,
    clock: Callable[[], float] = time.monotonic,
    idle_flush: float = IDLE_FLUSH,
    kill_delay: float = KILL_DELAY,
    pulse: Pulse | None = None,
) -> ProcessExit:
    """Run `command` until it, its pipes and its session have ended.

    Raises CommandNotFound, CommandNotExecutable, FileMissing, or Cancelled for a signal that waits
    already, before there is a process; the sink was then told nothing. Otherwise both streams of
    the sink are closed at the end. What the sink raises, except BrokenPipeError, ends the process
    tree and is raised again.

    Signals wait in `inbox` meanwhile. One that comes before the end counts, also when the process
    had ended by itself: `ProcessExit.stopped` says so. A sink that waits for its reader calls
    ``pulse.beat``, so that signals and limits hold all the same; once the process is stopped and
    gone such a write has `kill_delay` more.
    """
    with inbox.queued():
        inbox.raise_waiting()
        with _terminal_for(command) as terminal, spawn(command, terminal) as child:
            pipes = Pipes(
                sink, stdout=child.stdout, stderr=child.stderr, clock=clock, idle_flush=idle_flush
            )
            watch = _Watch(
                child,
                terminal=terminal,
                command=command,
                pipes=pipes,
                limits=limits,
                inbox=inbox,
                clock=clock,
                kill_delay=kill_delay,
            )
            with (pulse or Pulse()).watched(watch.beat), watch, inbox.impatient():
                watch.loop()
                pipes.drain()
                pipes.close()
    return watch.result()


def _terminal_for(command: Command) -> AbstractContextManager[Terminal | None]:
    if not command.terminal:
        return nullcontext()
    from calamari_py.process.terminal import Terminal

    return Terminal(command)


class _Watch:
    """The state of one run. Times are seconds of the clock without the time spent suspended."""

    def __init__(
        self,
        child: Child,
        *,
        terminal: Terminal | None,
        command: Command,
        pipes: Pipes,
        limits: Limits,
        inbox: SignalInbox,
        clock: Callable[[], float],
        kill_delay: float,
    ) -> None:
        self._child = child
        self._terminal = terminal
        self._command = command
        self._pipes = pipes
        self._limits = limits
        self._inbox = inbox
        self._clock = clock
        self._kill_delay = kill_delay
        self._session = Session(child.pid)
        self._suspended = 0.0
        self._started = self._last_output = self._now()
        self._ready = {inbox.fileno(): select.POLLIN}
        self._code: int | None = None
        self._duration = 0.0
        self._stopped: StopReason | None = None
        self._signum: int | None = None
        self._broken = False
        self._stuck_since: float | None = None
        self._ladder: Ladder | None = None
        self._topped: float | None = None
        self._drain_until = 0.0
        self._settle_until: float | None = None
        self._left: dict[int, Member] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """The end of it all; a Cancelled that the inbox raised is how the process was stopped."""
        try:
            if error is not None:
                self._broken = True
                if isinstance(error, Cancelled) and self._stopped is None:
                    self._stopped, self._signum = StopReason.SIGNAL, error.signum
                self._pipes.mute()
                self._end_tree()
        finally:
            # Nothing else could end a write of these that blocks.
            self._pipes.close_quietly(self._inbox.impatient)
        if error is None:
            self._take_signals(self._now())
        return isinstance(error, Cancelled)

    def loop(self) -> None:
        """Read, obey, stop, sweep: returns when nothing is left to wait for."""
        while not self._over():
            self._wait()
            self._stuck_since = None
            if self._pipes.cycle(self._ready):
                self._last_output = self._now()
            idle_at = self._pipes.idle_at()
            if idle_at is not None and self._clock() >= idle_at:
                self._pipes.idle()

    def beat(self) -> None:
        """Watch on while the sink waits for its reader. Raises BrokenPipeError when the process is
        stopped and gone, and the reader has still not read for as long as a kill takes.
        """
        self._ready = self._poll(0)
        now = self._now()
        if any(self._ready.get(pipe, 0) & select.POLLIN for pipe in self._pipes.filenos()):
            # What we cannot read now is no silence of the child.
            self._last_output = now
        self._over()
        if self._stopped is None and not self._broken:
            return
        if self._code is None and self._topped is None:
            return
        if self._stuck_since is None:
            self._stuck_since = now
        if now >= self._stuck_since + self._kill_delay:
            give_reader_up()

    def _end_tree(self) -> None:
        """Stop everything by the last two rungs, without any courtesy."""
        if self._code is None and self._topped is None:
            self._ladder = Ladder.last_rungs(self._now(), kill_delay=self._kill_delay)
        self._drain_until = self._now()
        self.loop()

    def result(self) -> ProcessExit:
        """How it ended."""
        code = 128 + signal.SIGKILL if self._code is None else self._code
        return ProcessExit(
            code=code,
            stopped=self._stopped,
            signum=self._signum,
            left_running=tuple(str(member) for member in self._left.values()),
            duration=self._duration,
        )

    def _now(self) -> float:
        return self._clock() - self._suspended

    def _over(self) -> bool:
        now = self._now()
        if self._terminal is not None and not self._terminal.copy_keys(self._ready):
            self._inbox.deliver(signal.SIGHUP)
        self._obey(now)
        if self._code is None:
            self._look(now)
        if self._code is not None:
            return self._swept(now)
        self._check_limits(now)
        self._climb(now)
        return self._hopeless(now)

    def _look(self, now: float) -> None:
        """Notice that the leader has ended."""
        if self._child.exit_fd is not None and self._child.exit_fd not in self._ready:
            return
        self._code = self._child.poll()
        if self._code is not None:
            self._duration = now - self._started
            self._ladder = self._topped = None
            self._drain_until = max(self._drain_until, now + self._kill_delay)
            if self._terminal is not None:
                self._terminal.release()

    def _obey(self, now: float) -> None:
        if self._inbox.fileno() in self._ready:
            self._take_signals(now)

    def _take_signals(self, now: float) -> None:
        """The first signal begins the stop, another one shortens the wait."""
        while (signum := self._inbox.take()) is not None:
            if signum == signal.SIGTSTP:
                self._suspend()
                continue
            first = self._stopped is None and not self._broken
            if first:
                self._stopped, self._signum = StopReason.SIGNAL, signum
            if first and self._code is None:
                translated = (self._command.translate_signals or {}).get(signum, signum)
                self._climb_politely(translated, now)
            else:
                self._hurry(now)

    def _hurry(self, now: float) -> None:
        if self._code is not None:
            self._drain_until = self._settle_until = now
        if self._ladder is not None:
            self._ladder.hurry(now)

    def _check_limits(self, now: float) -> None:
        if self._stopped is not None or self._broken:
            return
        signum = self._command.stop_signal or signal.SIGTERM
        if self._pipes.reader_gone:
            self._stop(StopReason.READER_GONE, signum, now)
        elif self._reached(now, self._limits.timeout, self._started):
            self._stop(StopReason.TIMEOUT, signum, now)
        elif self._reached(now, self._limits.idle_timeout, self._last_output):
            self._stop(StopReason.IDLE_TIMEOUT, signum, now)

    @staticmethod
    def _reached(now: float, limit: float | None, since: float) -> bool:
        return limit is not None and now >= since + limit

    def _stop(self, reason: StopReason, signum: int, now: float) -> None:
        self._stopped = reason
        self._climb_politely(signum, now)

    def _climb_politely(self, signum: int, now: float) -> None:
        self._ladder = Ladder.polite(
            signum, now, grace=self._limits.grace, kill_delay=self._kill_delay
        )

    def _climb(self, now: float) -> None:
        if self._ladder is None:
            return
        while (signum := self._ladder.step(now)) is not None:
            self._session.signal(signum)
        if self._ladder.due is None and self._topped is None:
            self._topped = now

    def _hopeless(self, now: float) -> bool:
        """A killed leader that does not end hangs in the system; waiting longer is no use."""
        if self._topped is None or now < self._topped + max(self._kill_delay, AFTER_KILL):
            return False
        self._duration = now - self._started
        self._remember()
        return True

    def _swept(self, now: float) -> bool:
        """After the leader: read on for a while, then end what is left. True when all is done."""
        if self._pipes.open and now < self._drain_until:
            return False
        if not self._session.members():
            return True
        if self._ladder is None:
            if self._settle_until is None:
                self._settle_until = now if self._pipes.open else now + SETTLE
            if now < self._settle_until:
                return False
            self._ladder = Ladder.last_rungs(now, kill_delay=self._kill_delay)
        self._remember()
        self._climb(now)
        if self._topped is None:
            return False
        self._session.signal(signal.SIGKILL)
        return now >= self._topped + AFTER_KILL

    def _remember(self) -> None:
        for member in self._session.members():
            self._left.setdefault(member.pid, member)

    def _suspend(self) -> None:
        """Pass the suspend key on: the child first, then ourselves until a shell continues us."""
        if not has_job_control():
            return
        began = self._clock()
        if self._terminal is not None and self._terminal.keys:
            # To continue everything would continue jobs that its user stopped on purpose.
            self._terminal.restore()
            os.kill(os.getpid(), signal.SIGSTOP)
        else:
            # SIGTSTP itself has no effect on a session without a terminal.
            self._session.signal(signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGSTOP)
            self._session.signal(signal.SIGCONT)
        self._suspended += self._clock() - began

    def _wait(self) -> None:
        """Sleep until a pipe, a signal, the child's end or a deadline; sets what is ready."""
        deadline = self._deadline()
        self._ready = self._poll(
            None if deadline is None else max(0.0, deadline - self._now()) * 1000
        )

    def _poll(self, timeout: float | None) -> dict[int, int]:
        """What is ready within `timeout` milliseconds: descriptors and their events."""
        waiting = select.poll()
        for descriptor in (*self._pipes.filenos(), self._inbox.fileno()):
            waiting.register(descriptor, select.POLLIN)
        if self._code is None and self._child.exit_fd is not None:
            waiting.register(self._child.exit_fd, select.POLLIN)
        if self._terminal is not None:
            for descriptor, events in self._terminal.waits():
                waiting.register(descriptor, events)
        return dict(waiting.poll(timeout))

    def _deadline(self) -> float | None:
        moments = [self._ladder.due] if self._ladder is not None else []
        idle_at = self._pipes.idle_at()
        if idle_at is not None:
            moments.append(idle_at - self._suspended)
        if self._code is not None:
            sweeping = not self._pipes.open or self._now() >= self._drain_until
            moments.append(self._now() + GLANCE if sweeping else self._drain_until)
        else:
            if self._child.exit_fd is None:
                moments.append(self._now() + GLANCE)
            if self._topped is not None:
                moments.append(self._topped + max(self._kill_delay, AFTER_KILL))
            if self._stopped is None:
                if self._limits.timeout is not None:
                    moments.append(self._started + self._limits.timeout)
                if self._limits.idle_timeout is not None:
                    moments.append(self._last_output + self._limits.idle_timeout)
        return min((moment for moment in moments if moment is not None), default=None)
