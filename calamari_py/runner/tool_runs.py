"""ToolRuns: the commands of one execution of a kind that reads what they write."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from calamari_py.errors import Cancelled, TimedOut
from calamari_py.output import format_seconds
from calamari_py.process import (
    KILL_DELAY,
    Command,
    Limits,
    ProcessExit,
    SignalInbox,
    StopReason,
)
from calamari_py.result import Usage
from calamari_py.runner.processes import Processes
from calamari_py.runner.tool_sinks import MemorySink, ReaderSink, ToldInside, ToolSink
from calamari_py.steps.base import Captured, LineReader

CAPTURE_LIMIT = 512 * 1024 * 1024
"""Bytes that a captured command may write."""
SILENCE = 0.25
"""Seconds without output after which a reader is told so."""
_TOLD = (StopReason.SIGNAL, StopReason.READER_GONE)
_LATE_HINT = "see what took so long, or allow it more time in the manifest (timeout)"


@dataclass(slots=True, kw_only=True)
class ToolRuns:
    """See `StepContext.read` and `StepContext.capture`. All commands share one time limit, that of
    `limits`, which begins now; pauses by the suspend key do not count.

    A reader may run a command while its own one goes on (`LineReader.idle`). A signal that ends the
    inner one was meant for the step: the outer one is stopped as well, as if its reader had gone.

    `processes` runs them, `complete` adds what the caller wants of every command; `listen` is
    called before each read, `warn` hears what is odd.
    """

    processes: Processes
    complete: Callable[[Command], Command]
    limits: Limits
    inbox: SignalInbox
    monotonic: Callable[[], float]
    listen: Callable[[], None]
    warn: Callable[[str], None]
    _began: float = field(init=False)
    _open: list[ToolSink] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._began = self._now()

    def read(self, command: Command, reader: LineReader) -> ProcessExit:
        """Run `command` and give `reader` its lines. What `reader` raises stops the command as a
        lost reader does, and is raised when it has ended."""
        sink = ReaderSink(reader, listen=self.listen, warn=self.warn)
        return self._run(command, sink, self._limits_left(), self.inbox, idle_flush=SILENCE)

    def capture(self, command: Command, *, last_words: float | None = None) -> Captured:
        """Run `command` and give what it wrote. CalamariError when that is too much."""
        listen = self.listen if last_words is None else _nobody
        sink = MemorySink(command.argv[0], CAPTURE_LIMIT, listen=listen)
        if last_words is None:
            ended = self._run(command, sink, self._limits_left(), self.inbox)
        else:
            ended = self._run_aside(command, sink, last_words)
        return Captured(exit=ended, stdout=sink.written("stdout"), stderr=sink.written("stderr"))

    def _run_aside(self, command: Command, sink: ToolSink, seconds: float) -> ProcessExit:
        """Run a command that outlives the step's own end, whatever signals came or come."""
        limits = Limits(timeout=seconds, grace=min(self.limits.grace, KILL_DELAY))
        with self.inbox.queued(), _Aside(self.inbox) as aside:
            return self._run(command, sink, limits, aside)

    def _run(
        self,
        command: Command,
        sink: ToolSink,
        limits: Limits,
        inbox: SignalInbox,
        **more: float,
    ) -> ProcessExit:
        command = self.complete(command)
        outer = self._open[-1] if self._open else None
        if outer is not None:
            self.processes.had_started = True
            # What it leaves behind is found by the outer one, whose marker is the same.
            command = replace(command, marker=None)
        self._open.append(sink)
        try:
            ended = self.processes.run(command, sink, limits, inbox, **more)
        except Cancelled as told:
            if outer is None or sink.has_run:
                raise
            raise ToldInside(told.signum) from None
        finally:
            self._open.pop()
        self.processes.usage += Usage(**sink.bytes_read)
        sink.raise_what_waits(stopped=ended.stopped is not None)
        if outer is not None and inbox is self.inbox and ended.stopped in _TOLD:
            outer.error = outer.error or ToldInside(ended.signum or signal.SIGPIPE)
        return ended

    def _limits_left(self) -> Limits:
        """What is left of the time limit. TimedOut where that is nothing."""
        whole = self.limits.timeout
        if whole is None:
            return self.limits
        left = self._began + whole - self._now()
        if left <= 0:
            raise TimedOut(
                f"still running after {format_seconds(whole)} (timeout)", hint=_LATE_HINT
            )
        return replace(self.limits, timeout=left)

    def _now(self) -> float:
        return self.monotonic() - self.inbox.suspended


class _Aside(SignalInbox):
    """An inbox that no signal comes to: they wait in the run's own one, `outer`. Who sends one
    more there, a second after the first, ends the command all the same."""

    def __init__(self, outer: SignalInbox) -> None:
        super().__init__(install=False)
        self._outer = outer

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Those who wait are waiting at `outer`."""
        with self._outer.impatient():
            yield


def _nobody() -> None:
    """Nobody listens to last words."""
