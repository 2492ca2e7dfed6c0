"""Every way a step can go, on pipes and on a pty, under every way to be stopped: it ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from calamari_py.process import Limits, ProcessExit, SignalInbox, StopReason, Stream
from tests.process.support import PATH, PATIENCE, comes_true, execute, python, shell

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="what is left is looked for in /proc"),
]

TIMEOUTS = (0.7, 3.0, 10.0)
"""Seconds after which a step is stopped where that is what is tried; the longer ones where it was
not yet in the state that its name says."""

GRACE, KILL_DELAY = 0.2, 0.3

BURST = {"pipe": 100_000_000, "pty": 20_000_000}
"""Bytes; the system's ptys take five seconds and more for a hundred million."""

AWAY = """
import os, signal
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        null = os.open('/dev/null', os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
        signal.pause()
    os._exit(0)
os.wait()
os.write(1, b'ready')
"""

Event = str
TRANSPORTS = ("pipe", "pty")
EVENTS: tuple[Event, ...] = ("none", "timeout", "SIGINT", "SIGTERM")


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What a step does. `code` is what it ends with by itself; a step that never does so is
    stopped for its silence where nothing else stops it. `obeys` the polite signals. `brief`: it
    has ended before anything can reach it, so that its own code is as good. `leaves`: something
    has to be ended after it when nothing stopped it.
    """

    argv: tuple[str, ...]
    code: int | None = None
    obeys: bool = True
    brief: bool = False
    leaves: bool = False
    burst: bool = False


BEHAVIOURS: Mapping[str, Behaviour] = {
    "exit": Behaviour(argv=shell("printf ready; exit 3"), code=3, brief=True),
    "signal": Behaviour(argv=shell("printf ready; kill -USR1 $$"), code=138, brief=True),
    "hang": Behaviour(argv=shell("printf ready; exec sleep 60")),
    "fork and exit": Behaviour(argv=python(AWAY), code=0, brief=True, leaves=True),
    "TERM-proof": Behaviour(
        argv=shell("trap '' INT TERM; printf ready; while :; do sleep 0.1; done"), obeys=False
    ),
    "closed stdout": Behaviour(
        argv=shell("printf ready; exec >&- 2>&-; sleep ${REST:-0.1}; exit 5"), code=5
    ),
    "grandchild with the pipe": Behaviour(
        argv=shell("sleep 60 & printf ready; exit 0"), code=0, brief=True, leaves=True
    ),
    "grandchild of another session with the pipe": Behaviour(
        argv=shell("setsid sleep 60 & printf ready; exit 0"), code=0, brief=True, leaves=True
    ),
    "burst": Behaviour(
        argv=shell("printf ready; head -c $BURST /dev/zero; exec sleep ${REST:-0}"),
        code=0,
        burst=True,
    ),
    "no newline": Behaviour(argv=shell("printf ready; exec sleep ${REST:-0}"), code=0),
    "stop and continue": Behaviour(
        argv=shell("(sleep ${REST:-0.1}; kill -CONT $$) & printf ready; kill -STOP $$; exit 6"),
        code=6,
    ),
}


class Counter:
    """An OutputSink that counts, and calls back at the first bytes."""

    def __init__(self, at_first: Callable[[], None]) -> None:
        self.count = 0
        self._at_first = at_first

    def before_feed(self, reads: Mapping[Stream, bytes]) -> None:
        """Nothing is declared."""

    def feed(self, stream: Stream, data: bytes) -> None:
        self.count += len(data)
        if self.count == len(data):
            self._at_first()

    def holding(self) -> bool:
        return False

    def idle(self) -> None:
        """Nothing is held back."""

    def close(self, stream: Stream) -> None:
        """Nothing is held back."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One way to go and to be stopped, and how that went."""

    behaviour: Behaviour
    transport: str
    event: Event
    ended: ProcessExit
    seconds: float
    count: int
    survivors: list[int]

    def problems(self) -> list[str]:
        """What is not as it should be."""
        ended, behaviour = self.ended, self.behaviour
        found = []
        if self.survivors:
            found.append(f"left running: {self.survivors}")
        if self.seconds > PATIENCE:
            found.append(f"took {self.seconds:.1f} s")
        if (stopped := self._stopped()) != (ended.stopped, ended.signum):
            found.append(f"stopped {ended.stopped} {ended.signum}, not {stopped}")
        if ended.code not in self._codes():
            found.append(f"code {ended.code}, not {self._codes()}")
        if self.event == "none" and behaviour.leaves != bool(ended.left_running):
            found.append(f"named {ended.left_running}")
        due = len("ready") + (BURST[self.transport] if behaviour.burst else 0)
        if self.event == "none" and self.count != due:
            found.append(f"{self.count} bytes")
        return found

    def _stopped(self) -> tuple[StopReason | None, int | None]:
        if self.event.startswith("SIG"):
            return StopReason.SIGNAL, signal.Signals[self.event]
        if self.event == "timeout" and not self.behaviour.brief:
            return StopReason.TIMEOUT, None
        if self.event == "none" and self.behaviour.code is None:
            return StopReason.IDLE_TIMEOUT, None
        return None, None

    def _codes(self) -> set[int | None]:
        behaviour = self.behaviour
        if self.event == "none" or behaviour.brief:
            own: set[int | None]
            own = {behaviour.code} if behaviour.code is not None else {128 + signal.SIGTERM}
            if not behaviour.obeys:
                own = {128 + signal.SIGKILL}
            if not self.event.startswith("SIG"):
                return own
            return {*own, 128 + signal.Signals[self.event]}
        if not behaviour.obeys:
            return {128 + signal.SIGKILL}
        if self.event == "timeout":
            return {128 + signal.SIGTERM}
        return {128 + signal.Signals[self.event]}


def run_cell(behaviour: Behaviour, transport: str, event: Event, mark: str) -> Cell:
    """Run `behaviour`, stop it by `event`, and look for what is left of it."""
    for timeout in TIMEOUTS:
        cell = try_cell(behaviour, transport, event, mark, timeout)
        if cell.count >= len("ready"):
            break
    return cell


def try_cell(behaviour: Behaviour, transport: str, event: Event, mark: str, timeout: float) -> Cell:
    """The same with `timeout` seconds to get ready."""
    environment = {"PATH": PATH, "MARK": mark, "BURST": str(BURST[transport])}
    if event != "none" and not behaviour.brief:
        environment["REST"] = "60"
    inbox = SignalInbox(install=False)

    def at_first() -> None:
        if event.startswith("SIG"):
            inbox.deliver(signal.Signals[event])

    limits = Limits(grace=GRACE)
    if event == "timeout":
        limits = Limits(grace=GRACE, timeout=timeout)
    elif behaviour.code is None:
        limits = Limits(grace=GRACE, idle_timeout=timeout)
    sink = Counter(at_first)
    began = time.monotonic()
    ended = execute(
        behaviour.argv,
        sink,
        limits=limits,
        inbox=inbox,
        environment=environment,
        marker="MARK",
        terminal=transport == "pty",
        kill_delay=KILL_DELAY,
    )
    seconds = time.monotonic() - began
    inbox.close()
    return Cell(
        behaviour=behaviour,
        transport=transport,
        event=event,
        ended=ended,
        seconds=seconds,
        count=sink.count,
        survivors=marked(mark),
    )


def marked(mark: str) -> list[int]:
    """The living processes that were started with `mark` in their environment."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if f"MARK={mark}".encode() in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                found.append(int(entry))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_it_ends(name: str, tmp_path: Path) -> None:
    """In bounded time, with the right outcome, all bytes of a step that ended by itself, and with
    nothing left running."""
    cells = list(product(TRANSPORTS, EVENTS))
    with ThreadPoolExecutor(len(cells)) as threads:
        runs = {
            cell: threads.submit(run_cell, BEHAVIOURS[name], *cell, f"{tmp_path}/{'-'.join(cell)}")
            for cell in cells
        }
    problems = {cell: run.result().problems() for cell, run in runs.items()}
    assert {cell: found for cell, found in problems.items() if found} == {}


def test_survivors_would_be_found(tmp_path: Path) -> None:
    """The look for what is left sees a process in any session."""
    pid = os.posix_spawn("/bin/sleep", ["sleep", "60"], {"MARK": str(tmp_path)}, setsid=True)
    try:
        assert comes_true(lambda: marked(str(tmp_path)) == [pid])
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
