"""capture(): a short command of our own, run to its end, and what it wrote."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from calamari_py.process.base import Command, Limits, StopReason
from calamari_py.process.collector import Collector
from calamari_py.process.inbox import SignalInbox
from calamari_py.process.loop import run

_KILL_DELAY = 1.0
"""Seconds from SIGTERM to SIGKILL: somebody waits for the answer, and nothing is lost."""

_GLANCE = 0.2
"""Seconds of one wait for a thread. A signal that comes just before Python waits does not end the
wait: without another look it would be heard when the command has ended by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """How a command ended and what it wrote, which may be secret and is in no repr.

    `code` is as in `ProcessExit`; when `timed_out` it is that of a command that was stopped.
    """

    code: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    timed_out: bool


def capture(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: Path,
    timeout: float,
    limit: int = 1_000_000,
) -> Captured:
    """Run `argv` in a session of its own, with an empty stdin, and collect what it writes.

    `argv[0]` is an absolute path and `environment` is complete. After `timeout` seconds the whole
    session is ended, by SIGTERM and a second later SIGKILL; as soon as stdout and stderr together
    hold more than `limit` bytes as well. What the command leaves running in its session is ended.
    May be called from any thread; an exception that a signal raises here ends the command first.

    Raises CommandNotFound, CommandNotExecutable, FileMissing, or CalamariError for too much output.
    """
    from concurrent.futures import ThreadPoolExecutor, wait

    command = Command(argv=tuple(argv), environment=environment, directory=directory)
    sink = Collector(command.argv[0], limit)
    limits = Limits(timeout=timeout, grace=0.0)
    # Python raises what a signal raises in the main thread, between any two lines. Another thread
    # starts and watches the process, so that none is ever lost between its start and its watch.
    with (
        SignalInbox(install=False) as inbox,
        inbox.queued(),
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="capture") as thread,
    ):
        # The start of a thread can be interrupted too, and then nobody would wait for it.
        thread.submit(int).result()
        try:
            watched = thread.submit(run, command, sink, limits, inbox, kill_delay=_KILL_DELAY)
            while not watched.done():
                wait((watched,), _GLANCE)
            ended = watched.result()
        except BaseException:
            inbox.deliver(signal.SIGTERM)
            raise
    return Captured(
        code=ended.code,
        stdout=bytes(sink.written["stdout"]),
        stderr=bytes(sink.written["stderr"]),
        timed_out=ended.stopped is StopReason.TIMEOUT,
    )
