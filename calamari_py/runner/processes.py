"""Processes: how one execution of a step kind runs its commands, whoever reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from calamari_py.errors import (
    Cancelled,
    CommandNotExecutable,
    CommandNotFound,
    FileMissing,
)
from calamari_py.process import Command, Limits, OutputSink, ProcessExit, SignalInbox
from calamari_py.result import Usage
from calamari_py.runner.record import RunRecord


class RunCommand(Protocol):
    """The process door, as the runner opens it."""

    def __call__(
        self,
        command: Command,
        sink: OutputSink,
        limits: Limits,
        inbox: SignalInbox,
        *,
        tell: Callable[[str], None],
        idle_flush: float = ...,
    ) -> ProcessExit: ...


@dataclass(slots=True, kw_only=True)
class Processes:
    """Runs one command after the other, and counts what they use. `door` starts them; `tell` hears
    what people who wait should know, `say` what is odd. `had_started` says whether there ever was a
    process, of this execution or before it."""

    door: RunCommand
    record: RunRecord
    tell: Callable[[str], None]
    say: Callable[[str], None]
    had_started: bool
    usage: Usage = field(default_factory=Usage)

    def run(
        self,
        command: Command,
        sink: OutputSink,
        limits: Limits,
        inbox: SignalInbox,
        **more: float,
    ) -> ProcessExit:
        """How `command` ended."""
        try:
            ended = self.door(command, sink, limits, inbox, tell=self.tell, **more)
        except (CommandNotFound, CommandNotExecutable, FileMissing, Cancelled):
            # Without any process so far there is nothing to clean up after.
            self.record.step_started = self.had_started
            raise
        self.had_started = True
        self.usage += Usage(cpu=ended.cpu_time, peak_memory=ended.peak_memory)
        for process in ended.left_running:
            self.say(f"{process} was still running after the step and was ended")
        return ended
