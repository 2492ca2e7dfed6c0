"""Calls: how every command of the tool is run."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence

from calamari_py.errors import ToolFailed
from calamari_py.process.base import Command, ProcessExit
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.base import Captured, LineReader, StepContext
from calamari_py.steps.terraform.commands.environment import with_files
from calamari_py.steps.terraform.commands.files import PrivateFiles
from calamari_py.steps.terraform.following.blocks import diagnostics_of_text
from calamari_py.steps.terraform.following.diagnostics import tool_failed
from calamari_py.steps.terraform.following.sources import sources_of
from calamari_py.steps.terraform.running.deadline import Deadline
from calamari_py.steps.terraform.spec import TerraformSpec
from calamari_py.steps.terraform.values import Diagnostic

_SIGNALS: Mapping[int, int] = {
    signal.SIGTERM: signal.SIGINT,
    signal.SIGHUP: signal.SIGINT,
}
"""One SIGINT is how Terraform is asked to finish what it is at, to save its state and to free the
lock; on SIGHUP it does nothing of that."""


class Calls:
    """Runs commands in the root module's folder, with the environment of the step and of its
    private files. `deadline` is for what waits without a command."""

    def __init__(self, spec: TerraformSpec, context: StepContext, files: PrivateFiles) -> None:
        self.spec = spec
        self.files = files
        self.context = context
        self.report = context.report
        self.deadline = Deadline(context)
        self._environment = with_files(context.environment, spec, files)
        self._sources = sources_of(spec, files)

    def read(self, verb: str, argv: Sequence[str], reader: LineReader) -> ProcessExit:
        """Run `argv`, each line of which goes to `reader`. Raises Stopped."""
        ended = self.context.read(self._command(argv), reader)
        if ended.stopped is not None:
            raise Stopped(verb, ended)
        return ended

    def attempt(self, verb: str, argv: Sequence[str]) -> Captured:
        """What `argv` wrote, however it ended by itself. Raises Stopped."""
        captured = self.context.capture(self._command(argv))
        if captured.exit.stopped is not None:
            raise Stopped(verb, captured.exit)
        return captured

    def succeed(self, verb: str, argv: Sequence[str]) -> Captured:
        """What `argv` wrote. Raises Stopped, and ToolFailed with what it says went wrong."""
        captured = self.attempt(verb, argv)
        if captured.exit.code != 0:
            raise self.failed(verb, captured)
        return captured

    def failed(self, verb: str, captured: Captured, *, hint: str | None = None) -> ToolFailed:
        """The error of a command that failed, with what it wrote."""
        return tool_failed(
            verb,
            self.diagnostics_of(captured),
            exit=captured.exit,
            hint=hint,
            product=self.spec.program,
            directory=self.spec.directory,
        )

    def diagnostics_of(self, captured: Captured) -> tuple[Diagnostic, ...]:
        """The errors and warnings that a command without ``-json`` wrote."""
        found = diagnostics_of_text(captured.stdout + b"\n" + captured.stderr)
        return tuple(map(self._sources.seen, found))

    def look(self, argv: Sequence[str], *, last_words: float) -> Captured:
        """What `argv` wrote within `last_words` seconds, whatever became of the step."""
        return self.context.capture(self._command(argv), last_words=last_words)

    def _command(self, argv: Sequence[str]) -> Command:
        return Command(
            argv=tuple(argv),
            environment=self._environment,
            directory=self.spec.directory,
            stop_signal=signal.SIGINT,
            translate_signals=_SIGNALS,
            # Ended by a broken pipe, it would save no state.
            outlives_us=True,
        )
