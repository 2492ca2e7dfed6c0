"""The octopus format: everything on stdout, with the service messages that Octopus Deploy takes.

https://octopus.com/docs/deployments/custom-scripts/logging-messages-in-scripts

A level holds until the next one, so that each line of ours that has one is followed by
``stdout-default``. In what a child writes, and in our own text, the marker is broken up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import RLock
from typing import Any, Literal

from calamari_py.errors import TraceRow
from calamari_py.masking.secret import Masked, MaskedBytes
from calamari_py.output._commands import service_message
from calamari_py.output._failure import failure_lines, hint_lines, trace_lines
from calamari_py.output._frame import (
    closing_line,
    ending_text,
    identity_lines,
    kind_line,
    title_lines,
)
from calamari_py.output._lines import Line, Span, block, plain, rule
from calamari_py.output._passing import A_MINUTE, A_SECOND, Interval, detail_bytes, progress_line
from calamari_py.output._service_messages import MarkerBreaker
from calamari_py.output._stream import is_pipe, write_all
from calamari_py.output._words import lines_of
from calamari_py.output.base import (
    CiCommand,
    DetailTone,
    Failure,
    IdentityReport,
    Reporter,
    ReporterOptions,
    StepHeader,
    Stream,
)
from calamari_py.result import Outcome, StepResult

RULE_WIDTH = 84
Level = Literal["default", "verbose", "highlight", "warning", "error"]
_LEVELS: dict[Outcome, Level] = {Outcome.SUCCEEDED: "default", Outcome.CANCELLED: "warning"}
_BROKEN_UP = Masked("the step's output holds service messages of Octopus: they do not count")
_BROKEN_UP_HINT = Masked(
    "only a script's are taken, with 'service_messages: true' in its manifest: see docs/scripts.md"
)


def reporter(options: ReporterOptions) -> Reporter:
    """What `FORMATS` builds."""
    return OctopusReporter(options)


class OctopusReporter:
    """Writes for the task log of Octopus Deploy; see the module's docstring."""

    def __init__(
        self, options: ReporterOptions, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._options = options
        self._lock = RLock()
        self._breaker = MarkerBreaker()
        self._second = Interval(A_SECOND, clock, at_once=True)
        self._minute = Interval(A_MINUTE, clock)
        self._at_line_start = True
        self._warned = False
        self._failure_told = False
        self._result_message: Masked | None = None
        self._told_trace: tuple[TraceRow, ...] = ()
        self._last_progress: tuple[float | None, str] | None = None

    @property
    def hides_messages(self) -> bool:
        """Whether our stdout goes to Octopus, which shows no message: it is a pipe, and we run
        below a Tentacle, a worker or an agent."""
        return bool(self._options.environ.get("TentacleHome")) and is_pipe(self._options.stdout)

    def service_message(self, line: CiCommand) -> None:
        """One message for Octopus alone."""
        self._send(line)

    def started(self, header: StepHeader) -> None:
        """The opening rule."""
        if self._options.quiet:
            return
        lines = title_lines(header, RULE_WIDTH)
        if self._options.verbose:
            lines.append(kind_line(header))
        self._say(lines)

    def identity(self, report: IdentityReport) -> None:
        """Who the step runs as, and the rule under it."""
        if not self._options.quiet:
            self._say([*identity_lines(report, None), rule([], RULE_WIDTH)])

    def trace(self, rows: Sequence[TraceRow]) -> None:
        """The table of credential sources."""
        self._told_trace = tuple(rows)
        self._say(trace_lines(rows))

    def output(self, stream: Stream, data: MaskedBytes) -> None:  # noqa: ARG002  one log for both
        """The bytes, with no message in them."""
        if not data:
            return
        with self._lock:
            self._write(self._breaker.text(data))
            self._at_line_start = data.endswith(b"\n")
            if self._breaker.found and self._at_line_start:
                self._warn_of_messages()

    def _warn_of_messages(self) -> None:
        if not self._warned:
            self._warned = True
            self.warning(_BROKEN_UP, _BROKEN_UP_HINT)

    def detail(
        self,
        line: Masked,
        event: str,
        fields: Mapping[str, Any],  # noqa: ARG002
        *,
        tone: DetailTone = "",  # noqa: ARG002  there is no terminal
    ) -> None:
        """The line, with no message in it."""
        if event and not line:
            return
        self.output("stdout", detail_bytes(line))

    def progress(
        self,
        percent: float | None,
        message: Masked,
        *,
        passing: bool = False,
        rows: Sequence[Masked] = (),  # noqa: ARG002
    ) -> None:
        """``progress``, which Octopus shows at the step. What has no percentage is a line: of what
        is `passing` one a minute, and a message a second."""
        if self._options.quiet or self._last_progress == (percent, message):
            return
        if passing and not (self._second if percent is not None else self._minute).begins():
            return
        self._last_progress = (percent, message)
        if percent is None:
            self._say([progress_line(None, message)])
        else:
            share = f"{min(max(percent, 0), 100):.0f}"
            shown = " ".join(lines_of(message))
            self._send(service_message("progress", percentage=share, message=shown))

    def note(self, message: Masked) -> None:
        """A line of the verbose log, with ``--verbose``."""
        if self._options.verbose and not self._options.quiet:
            self._say(block([Span("calamari: ")], message), "verbose")

    def highlight(self, message: Masked) -> None:
        """A line that Octopus shows above the log."""
        self._say(block([Span("calamari: ")], message), "highlight")

    def warning(self, message: Masked, hint: Masked | None = None) -> None:
        """A line of level warning, and under it what to do."""
        lines = block([Span("calamari: warning: ")], message)
        self._say([*lines, *(hint_lines(hint) if hint else ())], "warning")

    def setback(self, message: Masked, hint: Masked | None = None) -> None:
        """A line of level error; the first is what the step's result says."""
        self._result_message = self._result_message or message
        lines = block([Span("calamari: ")], message)
        self._say([*lines, *(hint_lines(hint) if hint else ())], "error")

    def failed(self, failure: Failure) -> None:
        """The sentence, what to do, and the evidence, of level error."""
        self._failure_told = True
        self._result_message = failure.message
        if failure.trace == self._told_trace:
            failure = replace(failure, trace=())
        self._say(failure_lines(failure), "error")

    def finished(self, result: StepResult) -> None:
        """The closing rule, and ``resultMessage`` for a step that has not succeeded: Octopus shows
        it as the step's result; that it failed, the exit code says."""
        if self._breaker.found:
            self._warn_of_messages()
        succeeded = result.outcome is Outcome.SUCCEEDED
        told = self._failure_told and result.outcome is Outcome.NOT_STARTED
        if not told and not (succeeded and self._options.quiet):
            self._say([closing_line(result, RULE_WIDTH)], _LEVELS.get(result.outcome, "error"))
        if not succeeded:
            message = self._result_message or Masked(ending_text(result))
            self._send(service_message("resultMessage", message="\n".join(lines_of(message))))

    def _say(self, lines: Sequence[Line], level: Level = "default") -> None:
        if not lines:
            return
        text = "".join(f"{plain(line)}\n" for line in lines).encode()
        with self._lock:
            if level == "default":
                self._write(self._fresh_line() + self._breaker.text(text))
            else:
                before = self._before_message() + _line(f"stdout-{level}")
                told = self._breaker.text(text)
                after = self._breaker.before_message() + _line("stdout-default")
                self._write(before + told + after)
            self._at_line_start = True

    def _send(self, message: bytes) -> None:
        with self._lock:
            self._write(self._before_message() + message + b"\n")
            self._at_line_start = True

    def _before_message(self) -> bytes:
        return self._fresh_line() + self._breaker.before_message()

    def _fresh_line(self) -> bytes:
        return b"" if self._at_line_start else b"\n"

    def _write(self, data: bytes) -> None:
        self._at_line_start = False
        write_all(self._options.stdout, data, self._options.pulse)


def _line(name: str) -> bytes:
    return service_message(name) + b"\n"
