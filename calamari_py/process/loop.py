"""run(): one command, from its start until nothing of it is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from calamari_py.process.base import KILL_DELAY, Command, Limits, OutputSink, ProcessExit
from calamari_py.process.inbox import SignalInbox
from calamari_py.process.pipes import Pipes
from calamari_py.process.pulse import Pulse
from calamari_py.process.session import adopting_for, session_of
from calamari_py.process.spawn import spawn
from calamari_py.process.watch import Watch

if TYPE_CHECKING:
    from calamari_py.process.terminal import Terminal

IDLE_FLUSH = 0.025
"""Seconds that the sink may hold bytes back after the child fell silent."""


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
    tell: Callable[[str], None] = lambda _: None,
) -> ProcessExit:
    """Run `command` until it, its pipes and its session have ended.

    Raises CommandNotFound, CommandNotExecutable, FileMissing, or Cancelled for a signal that waits
    already, before there is a process; the sink was then told nothing. Otherwise both streams of
    the sink are closed at the end. What the sink raises, except BrokenPipeError, ends the process
    tree and is raised again.

    Signals wait in `inbox` meanwhile. One that comes before the end counts, also when the process
    had ended by itself: `ProcessExit.stopped` says so. A sink that waits for its reader calls
    ``pulse.beat``, so that signals and limits hold all the same; once the process is stopped and
    gone such a write has `kill_delay` more. `tell` hears, in sentences, what people should know
    while they wait.
    """
    with inbox.queued():
        inbox.raise_waiting()
        with (
            adopting_for(command) as adopts,
            _terminal_for(command) as terminal,
            spawn(command, terminal) as child,
        ):
            pipes = Pipes(
                sink, stdout=child.stdout, stderr=child.stderr, clock=clock, idle_flush=idle_flush
            )
            watch = Watch(
                child,
                session=session_of(command, child, adopts=adopts),
                terminal=terminal,
                command=command,
                pipes=pipes,
                limits=limits,
                inbox=inbox,
                clock=clock,
                kill_delay=kill_delay,
                tell=tell,
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
