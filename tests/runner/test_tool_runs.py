"""The commands of a kind that reads their output, with real processes and real time."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from calamari_py.errors import Cancelled, TimedOut, ToolFailed
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
from calamari_py.steps._stopped import Stopped
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


@dataclass
class Asking(Heard):
    """A reader that does `ask` in its command's first silence."""

    ask: Callable[[], object] = lambda: None

    def idle(self) -> None:
        super().idle()
        if self.silences == 1:
            self.ask()


SAVES = "trap 'echo saved; exit 1' INT; echo ready; while :; do sleep 0.01; done"
"""What has something to do when it is told to stop."""


def saving(file: Path) -> str:
    """The same; it leaves `file` when it was given its time."""
    return f"trap 'sleep 0.1; : > {file}; exit 1' INT; echo x; while :; do sleep 0.01; done"


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
    with SignalInbox(install=False) as inbox, pytest.raises(ValueError, match="a defect"):
        Bench(inbox).tools.read(shell(saving(saved)), Heard(act=fail))
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


@pytest.mark.process
def test_a_command_inside_a_command() -> None:
    """What a reader asks in a silence is answered while its command goes on and is read on."""
    found: list[bytes] = []
    with SignalInbox(install=False) as inbox:
        bench = Bench(inbox)
        heard = Asking(ask=lambda: found.append(bench.tools.capture(shell("echo in")).stdout))
        ended = bench.tools.read(shell("echo out; sleep 0.4; echo end"), heard)
    assert found == [b"in\n"]
    assert heard.lines == [("stdout", b"out"), ("stdout", b"end")]
    assert (ended.code, ended.stopped) == (0, None)


@pytest.mark.process
@pytest.mark.parametrize("raises", [True, False], ids=["raised", "passed over"])
def test_a_signal_to_an_inner_command(raises: bool) -> None:
    """It was meant for the step: the outer command is told by its own signal and given its time,
    whatever its reader makes of it, and the step is cancelled."""
    with SignalInbox(install=False) as inbox:
        bench = Bench(inbox)

        def ask() -> None:
            timer = Timer(0.1, inbox.deliver, [signal.SIGTERM])
            timer.start()
            ended = bench.tools.capture(shell("exec sleep 20")).exit
            timer.join()
            assert ended.stopped is StopReason.SIGNAL
            if raises:
                raise Stopped("get", ended)

        heard = Asking(ask=ask)
        with pytest.raises(Stopped if raises else Cancelled) as caught:
            bench.tools.read(shell(SAVES), heard)
    # Nobody hears the rest: who was told to stop does not go on.
    assert heard.lines == [("stdout", b"ready")]
    told: Any = caught.value.exit if isinstance(caught.value, Stopped) else caught.value
    assert told.signum == signal.SIGTERM


@pytest.mark.process
def test_a_signal_between_two_inner_commands(tmp_path: Path) -> None:
    """The second one does not start, and the outer one is still asked politely."""
    saved = tmp_path / "saved"
    with SignalInbox(install=False) as inbox:
        bench = Bench(inbox)

        def ask() -> None:
            inbox.deliver(signal.SIGTERM)
            bench.tools.capture(shell("echo never"))

        with pytest.raises(Cancelled):
            bench.tools.read(shell(saving(saved)), Asking(ask=ask))
    assert saved.exists()
    assert bench.record.step_started


@pytest.mark.process
def test_the_time_limit_of_an_inner_command(tmp_path: Path) -> None:
    """It has what the outer one has left; once that is nothing both end, the outer one politely."""
    saved = tmp_path / "saved"
    inner: list[StopReason | None] = []
    with SignalInbox(install=False) as inbox:
        bench = Bench(inbox)

        def ask() -> None:
            bench.seconds = 19.9
            inner.append(bench.tools.capture(shell("exec sleep 20")).exit.stopped)
            bench.seconds = 20.0
            bench.tools.capture(shell("echo never"))

        with pytest.raises(TimedOut):
            bench.tools.read(shell(saving(saved)), Asking(ask=ask))
    assert inner == [StopReason.TIMEOUT]
    assert saved.exists()


@pytest.mark.process
def test_what_a_silence_raises(tmp_path: Path) -> None:
    """The outer command gets its own signal and its time, and the error is raised."""
    saved = tmp_path / "saved"

    def ask() -> None:
        raise ToolFailed("the rollout failed")

    with SignalInbox(install=False) as inbox, pytest.raises(ToolFailed, match="rollout failed"):
        Bench(inbox).tools.read(shell(saving(saved)), Asking(ask=ask))
    assert saved.exists()


def test_what_an_inner_command_leaves_behind() -> None:
    """It is known by the marker that all commands share: the outer one's to find, lest the inner
    one ends what is the outer one's."""
    markers: list[str | None] = []

    def door(
        command: Command, sink: Any, limits: Limits, inbox: SignalInbox, **_: Any
    ) -> ProcessExit:
        markers.append(command.marker)
        if len(markers) == 1:
            sink.idle()
        sink.close("stdout")
        return ProcessExit(code=0)

    with SignalInbox(install=False) as inbox:
        bench = Bench(inbox, run=door)
        bench.tools.complete = lambda command: replace(command, marker="CALAMARI_TEMP")
        bench.tools.read(shell(":"), Asking(ask=lambda: bench.tools.capture(shell(":"))))
    assert markers == ["CALAMARI_TEMP", None]


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
