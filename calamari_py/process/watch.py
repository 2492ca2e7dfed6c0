"""Watch: one loop over one child's pipes, signals, limits and end."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from calamari_py.errors import Cancelled
from calamari_py.process.aftermath import AFTER_KILL, GLANCE, Aftermath
from calamari_py.process.base import Command, Limits, ProcessExit, StopReason
from calamari_py.process.inbox import SignalInbox, has_job_control
from calamari_py.process.pipes import Pipes
from calamari_py.process.pulse import give_reader_up
from calamari_py.process.session import Session
from calamari_py.process.spawn import Child
from calamari_py.process.stop import Stop

if TYPE_CHECKING:
    from calamari_py.process.terminal import Terminal

TENDING = 1.0
"""Seconds between two looks for ended orphans, of whose end nothing tells us."""


class Watch:
    """The state of one run. Times are seconds of the clock without the time spent suspended."""

    def __init__(
        self,
        child: Child,
        *,
        session: Session,
        terminal: Terminal | None,
        command: Command,
        pipes: Pipes,
        limits: Limits,
        inbox: SignalInbox,
        clock: Callable[[], float],
        kill_delay: float,
        tell: Callable[[str], None],
    ) -> None:
        self._child = child
        self._terminal = terminal
        self._pipes = pipes
        self._limits = limits
        self._inbox = inbox
        self._clock = clock
        self._kill_delay = kill_delay
        self._tell = tell
        self._session = session
        self._stop = Stop(command, session, grace=limits.grace, kill_delay=kill_delay)
        self._aftermath = Aftermath(session, pipes, self._stop)
        self._suspended = 0.0
        self._started = self._last_output = self._now()
        self._ready = {inbox.fileno(): select.POLLIN}
        self._code: int | None = None
        self._duration = 0.0
        self._stuck_since: float | None = None
        self._tended = self._busy_since = self._started

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
                self._stop.forced = True
                if isinstance(error, Cancelled) and self._stop.reason is None:
                    self._stop.reason, self._stop.signum = StopReason.SIGNAL, error.signum
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
            self._busy_since = self._now()
            self._say()
            self._wait()
            self._stuck_since, self._busy_since = None, self._now()
            if self._pipes.cycle(self._ready):
                self._last_output = self._now()
            idle_at = self._pipes.idle_at()
            if idle_at is not None and self._clock() >= idle_at:
                self._pipes.idle()
        self._say()

    def beat(self) -> None:
        """Watch on while the sink waits for its reader. Raises BrokenPipeError when the process is
        stopped and gone, and the reader has still not read for as long as a kill takes.
        """
        self._ready = self._poll(0)
        now = self._now()
        if any(self._ready.get(pipe, 0) & select.POLLIN for pipe in self._pipes.filenos()):
            # What we cannot read now is no silence of the child, nor is it read to its end.
            self._last_output = now
            if self._code is not None and not self._stop.wanted:
                self._aftermath.postpone(now - self._busy_since)
        self._busy_since = now
        self._over()
        if not self._stop.wanted or (self._code is None and self._stop.topped is None):
            return
        if self._stuck_since is None:
            self._stuck_since = now
        if now >= self._stuck_since + self._kill_delay:
            give_reader_up()

    def _end_tree(self) -> None:
        """Stop everything by the last two rungs, without any courtesy."""
        if self._code is None and self._stop.topped is None:
            self._stop.last_rungs(self._now())
        self._aftermath.hurry(self._now())
        self.loop()

    def result(self) -> ProcessExit:
        """How it ended."""
        code = 128 + signal.SIGKILL if self._code is None else self._code
        return ProcessExit(
            code=code,
            stopped=self._stop.reason,
            signum=self._stop.signum,
            pressed=self._stop.pressed,
            left_running=self._aftermath.left,
            duration=self._duration,
            cpu_time=self._child.usage.cpu_time,
            peak_memory=self._child.usage.peak_memory,
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
            return self._aftermath.over(now)
        if now >= self._tended + TENDING:
            self._tended = now
            self._session.tend()
        self._check_limits(now)
        self._stop.climb(now)
        return self._hopeless(now)

    def _look(self, now: float) -> None:
        """Notice that the leader has ended."""
        if self._child.exit_fd is not None and self._child.exit_fd not in self._ready:
            return
        self._code = self._child.poll()
        if self._code is not None:
            self._duration = now - self._started
            self._stop.leader_ended()
            self._aftermath.begin(now, patience=self._kill_delay)
            if self._terminal is not None:
                self._terminal.release()

    def _obey(self, now: float) -> None:
        if self._inbox.fileno() in self._ready:
            self._take_signals(now)

    def _take_signals(self, now: float) -> None:
        """Any signal ends the wait for what the leader left behind."""
        while (signum := self._inbox.take()) is not None:
            if signum == signal.SIGTSTP:
                self._suspend()
                continue
            if self._code is not None:
                self._aftermath.hurry(now)
            self._stop.hear(signum, now, alive=self._code is None)

    def _check_limits(self, now: float) -> None:
        if self._stop.wanted:
            return
        if self._pipes.reader_gone:
            self._stop.because(StopReason.READER_GONE, now)
        elif self._reached(now, self._limits.timeout, self._started):
            self._stop.because(StopReason.TIMEOUT, now)
        elif self._reached(now, self._limits.idle_timeout, self._last_output):
            self._stop.because(StopReason.IDLE_TIMEOUT, now)

    @staticmethod
    def _reached(now: float, limit: float | None, since: float) -> bool:
        return limit is not None and now >= since + limit

    def _say(self) -> None:
        """Tell what waits to be told; never from within a write of the sink (`beat`)."""
        while self._stop.sentences and not self._stop.forced:
            # Nobody hears it: that ends no process, nor the watch over it.
            with suppress(BrokenPipeError):
                self._tell(self._stop.sentences.popleft())

    def _hopeless(self, now: float) -> bool:
        """A killed leader that does not end hangs in the system; waiting longer is no use."""
        topped = self._stop.topped
        if topped is None or now < topped + max(self._kill_delay, AFTER_KILL):
            return False
        self._duration = now - self._started
        self._aftermath.remember(self._session.members())
        return True

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
        spent = self._clock() - began
        self._suspended += spent
        self._inbox.suspended += spent

    def _wait(self) -> None:
        """Sleep until a pipe, a signal, the child's end or a deadline; sets what is ready."""
        deadline = self._now() if self._pipes.waiting else self._deadline()
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
        moments = [self._stop.due()]
        idle_at = self._pipes.idle_at()
        if idle_at is not None:
            moments.append(idle_at - self._suspended)
        if self._code is not None:
            moments.append(self._aftermath.due(self._now()))
        else:
            moments += self._leader_deadlines()
        return min((moment for moment in moments if moment is not None), default=None)

    def _leader_deadlines(self) -> list[float]:
        """When to look again while the leader lives."""
        moments = []
        if self._child.exit_fd is None:
            moments.append(self._now() + GLANCE)
        if self._session.has_strays:
            moments.append(self._tended + TENDING)
        if self._stop.topped is not None:
            moments.append(self._stop.topped + max(self._kill_delay, AFTER_KILL))
        if self._stop.reason is None:
            if self._limits.timeout is not None:
                moments.append(self._started + self._limits.timeout)
            if self._limits.idle_timeout is not None:
                moments.append(self._last_output + self._limits.idle_timeout)
        return moments
