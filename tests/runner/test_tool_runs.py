"""The commands of a kind that reads their output, with real processes and real time."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import Cancelled
from calamari_py.masking import SecretRegistry
from calamari_py.process import (
    Command,
    Limits,
    ProcessExit,
    Pulse,
    SignalInbox,
    StopReason,
    run,
)
from calamari_py.runner.processes import Processes
from calamari_py.runner.record import RunRecord
from calamari_py.runner.tool_runs import ToolRuns
from tests.fakes import FakeRun
from tests.runner.reading import Heard


@dataclass
class Bench:
    """One execution's commands, without a corridor around them."""

    inbox: SignalInbox
    said: list[str] = field(default_factory=list)
    run: Any = run
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.record = RunRecord(
            step="x",
            registry=SecretRegistry(),
            now=lambda: datetime.now(UTC),
            started_at=datetime.now(UTC),
            step_started=True,
        )
        self.tools = ToolRuns(
            processes=Processes(
                door=self.run,
                record=self.record,
                tell=self.said.append,
                say=self.said.append,
                had_started=False,
            ),
            complete=lambda command: command,
            limits=Limits(timeout=20, grace=10),
            inbox=self.inbox,
            monotonic=lambda: self.seconds,
            listen=lambda: None,
            warn=self.said.append,
        )


def shell(script: str) -> Command:
    """A shell that is told to stop by SIGINT, as terraform is."""
    return Command(
        argv=("/bin/sh", "-c", script),
        environment={"PATH": "/usr/bin:/bin"},
        directory=Path("/"),
        stop_signal=signal.SIGINT,
        translate_signals={signal.SIGTERM: signal.SIGINT},
    )


SAVES = "trap 'echo saved; exit 1' INT; echo ready; while :; do sleep 0.01; done"
"""What has something to do when it is told to stop."""


@pytest.mark.process
def test_a_signal_is_translated_and_the_rest_is_heard() -> None:
    """What a command says on its way out still reaches its reader."""
    with SignalInbox(install=False) as inbox:
        bench = Bench(inbox)
        heard = Heard(act=lambda line: inbox.deliver(signal.SIGTERM) if line == b"ready" else None)
        ended = bench.tools.read(shell(SAVES), heard)
    assert heard.lines == [("stdout", b"ready"), ("stdout", b"saved")]
    assert (ended.code, ended.stopped, ended.signum) == (1, StopReason.SIGNAL, signal.SIGTERM)
    assert bench.tools.processes.usage.stdout == 12


@pytest.mark.process
def test_a_reader_that_fails_leaves_the_command_its_time(tmp_path: Path) -> None:
    """A defect of ours costs nobody a state: the command is asked to end, and waited for."""

    def fail(_line: bytes) -> None:
        raise ValueError("a defect")

    saved = tmp_path / "saved"
    script = f"trap 'sleep 0.1; : > {saved}; exit 1' INT; echo x; while :; do sleep 0.01; done"
    with SignalInbox(install=False) as inbox, pytest.raises(ValueError, match="a defect"):
        Bench(inbox).tools.read(shell(script), Heard(act=fail))
    assert saved.exists()


@pytest.mark.process
def test_a_reader_hears_of_every_silence() -> None:
    """As long as nothing comes it is told so, over and over."""
    with SignalInbox(install=False) as inbox:

        class Patient(Heard):
            def idle(self) -> None:
                super().idle()
                if self.silences == 2:
                    inbox.deliver(signal.SIGTERM)

        heard = Patient()
        ended = Bench(inbox).tools.read(shell("echo x; sleep 20"), heard)
    assert heard.silences >= 2
    assert ended.stopped is StopReason.SIGNAL


def test_a_pause_costs_no_time() -> None:
    """What was spent suspended, whenever, is not of the time that the commands share."""
    door = FakeRun()
    with SignalInbox(install=False) as inbox:
        bench = Bench(inbox, run=partial(door, pulse=Pulse()))
        bench.seconds, inbox.suspended = 505.0, 500.0
        bench.tools.capture(shell("exit"))
    assert [running.limits.timeout for running in door.started] == [15]


@pytest.mark.process
def test_last_words() -> None:
    """They have their own time and no ear for signals that wait; afterwards those are there."""
    with SignalInbox(install=False) as inbox, inbox.queued():
        bench = Bench(inbox, seconds=0.0)
        bench.seconds = 1000.0
        inbox.deliver(signal.SIGTERM)
        heard = bench.tools.capture(shell("echo out; echo err >&2; exit 3"), last_words=10)
        slow = bench.tools.capture(shell("echo begun; exec sleep 20"), last_words=0.05)
        with pytest.raises(Cancelled):
            inbox.raise_waiting()
    assert (heard.stdout, heard.stderr, heard.exit.code) == (b"out\n", b"err\n", 3)
    assert heard.exit.stopped is None
    assert slow.exit.stopped is StopReason.TIMEOUT


def test_an_impatient_signal_ends_last_words() -> None:
    """Who sends another signal, a second after the first one, waits for nothing any more."""
    now = 0.0

    def watching(
        command: Command, sink: Any, limits: Limits, inbox: SignalInbox, **_: Any
    ) -> ProcessExit:
        nonlocal now
        with inbox.queued(), inbox.impatient():
            outer._on_signal(signal.SIGTERM, None)
            now = 2.0
            try:
                outer._on_signal(signal.SIGINT, None)
            except Cancelled as cancelled:
                return ProcessExit(code=130, stopped=StopReason.SIGNAL, signum=cancelled.signum)
        raise AssertionError("nobody was impatient")

    with SignalInbox(install=False, clock=lambda: now) as outer:
        ended = Bench(outer, run=watching).tools.capture(shell(":"), last_words=5)
    assert ended.exit.stopped is StopReason.SIGNAL
