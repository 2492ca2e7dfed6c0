"""The text format: a child's output as it is, our own text around it on stderr."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import RLock
from typing import Any

from calamari_py.errors import TraceRow
from calamari_py.masking.secret import Masked, MaskedBytes
from calamari_py.output._colour import renderer
from calamari_py.output._failure import failure_lines, hint_lines, trace_lines
from calamari_py.output._frame import (
    closing_line,
    identity_heading,
    identity_lines,
    kind_line,
    title_lines,
)
from calamari_py.output._groups import groups_of
from calamari_py.output._lines import Line, Span, block, clip, plain, rule
from calamari_py.output._passing import (
    A_MINUTE,
    Interval,
    detail_bytes,
    erase_lines,
    progress_line,
    shows_live_line,
    size_of,
    table_row,
)
from calamari_py.output._stream import is_raw, same_place, write_all
from calamari_py.output._words import encode
from calamari_py.output.base import (
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
_INVISIBLE_END = re.compile(rb"(?:\x1b\[[0-9;?]*[A-Za-z])+\Z")
_RESET = "\x1b[0m"


def reporter(options: ReporterOptions) -> Reporter:
    """What `FORMATS` builds."""
    return TextReporter(options)


class TextReporter:
    """Writes for people. The child's bytes pass untouched."""

    def __init__(
        self, options: ReporterOptions, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._options = options
        self._minute = Interval(A_MINUTE, clock)
        self._columns = options.width if options.terminal and options.width > 0 else None
        self._width = min(self._columns or RULE_WIDTH, RULE_WIDTH)
        self._render = renderer(terminal=options.terminal, environ=options.environ)
        self._groups = groups_of(options.environ)
        self._shared = same_place(options.stdout, options.stderr)
        self._lock = RLock()
        self._at_line_start = True
        self._child_styled = False
        self._failure_told = False
        self._told_trace: tuple[TraceRow, ...] = ()
        self._last_progress: tuple[float | None, str] | None = None
        self._rewrites = shows_live_line(terminal=options.terminal, environ=options.environ)
        self._live = ""

    def started(self, header: StepHeader) -> None:
        """The opening rule."""
        if self._options.quiet:
            return
        lines = title_lines(header, self._width)
        if self._options.verbose:
            lines.append(kind_line(header))
        self._say(lines)

    def identity(self, report: IdentityReport) -> None:
        """Who the step runs as, and the rule under it."""
        if not self._options.quiet:
            lines = [*identity_lines(report, self._columns), rule([], self._width)]
            self._say(self._groups.fold(identity_heading(report), lines))

    def trace(self, rows: Sequence[TraceRow]) -> None:
        """The table of credential sources, also when quiet: it was asked for."""
        self._told_trace = tuple(rows)
        self._say(trace_lines(rows))

    def output(self, stream: Stream, data: MaskedBytes) -> None:
        """The bytes, on the stream of the same name."""
        with self._lock:
            self._wipe()
            write_all(getattr(self._options, stream), data, self._options.pulse)
            if stream == "stderr" or self._shared:
                self._follow(data)

    def _follow(self, data: bytes) -> None:
        """Note where the cursor is left: colour codes after a newline do not move it."""
        self._child_styled = self._child_styled or b"\x1b" in data
        if visible := _INVISIBLE_END.sub(b"", data):
            self._at_line_start = visible.endswith(b"\n")

    def detail(
        self,
        line: Masked,
        event: str,
        fields: Mapping[str, Any],  # noqa: ARG002
        *,
        tone: DetailTone = "",
    ) -> None:
        """The line, on stdout; with its tone where that is our own terminal, too."""
        if event and not line:
            return
        render = self._render if self._shared else plain
        data = detail_bytes(line, self._options.encoding, tone or "plain", render)
        with self._lock:
            self._wipe()
            write_all(self._options.stdout, data, self._options.pulse)
            self._at_line_start = self._at_line_start or self._shared

    def progress(
        self,
        percent: float | None,
        message: Masked,
        *,
        passing: bool = False,
        rows: Sequence[Masked] = (),
    ) -> None:
        """``calamari: 50% message``, once for each that differs from the one before."""
        if self._options.quiet:
            return
        if passing:
            self._pass([progress_line(percent, message), *map(table_row, rows)])
        elif self._last_progress != (percent, message):
            self._last_progress = (percent, message)
            share = f"{percent:.0f}% " if percent is not None else ""
            self._say(block([Span("calamari: ", "faint"), Span(share, "strong")], message))

    def _pass(self, lines: Sequence[Line]) -> None:
        """The live lines, or once a minute the first as one that stays: a log that is silent looks
        dead."""
        with self._lock:
            if self._rewrites:
                self._draw(lines)
            elif self._minute.begins():
                self._say(lines[:1])

    def _draw(self, lines: Sequence[Line]) -> None:
        # In the last column a terminal may wrap, and then only half of the line would be erased.
        columns, height = size_of(self._options.stderr, self._options.width)
        fitting = [clip(line, max(columns - 1, 1)) for line in lines[: max(height - 1, 1)]]
        end = "\r\n" if is_raw(self._options.stderr) else "\n"
        text = end.join(self._render(line) for line in fitting)
        if text == self._live:
            return
        before = "" if self._at_line_start else "\n"
        if self._child_styled:
            before = _RESET + before
        erase = erase_lines(self._live)
        self._at_line_start, self._child_styled, self._live = True, False, text
        self._write_own(before + erase + text)

    def _wipe(self) -> None:
        """Remove the live lines."""
        if self._live:
            erase, self._live = erase_lines(self._live), ""
            self._write_own(erase)

    def _write_own(self, text: str) -> None:
        encoded = encode(text, self._options.encoding)
        write_all(self._options.stderr, encoded, self._options.pulse)

    def note(self, message: Masked) -> None:
        """A faint line, with ``--verbose``."""
        if self._options.verbose and not self._options.quiet:
            self._say(block([Span("calamari: ", "faint")], message, "faint"))

    def highlight(self, message: Masked) -> None:
        """A strong line; it is the step's own, so it stays when quiet."""
        self._say(block([Span("calamari: ", "faint")], message, "strong"))

    def warning(self, message: Masked, hint: Masked | None = None) -> None:
        """``calamari: warning: …``, and under it what to do."""
        lines = block([Span("calamari: ", "faint"), Span("warning: ", "warn")], message)
        self._say([*lines, *(hint_lines(hint) if hint else ())])

    def setback(self, message: Masked, hint: Masked | None = None) -> None:
        """As a warning: how the step ended says the closing rule."""
        self.warning(message, hint)

    def failed(self, failure: Failure) -> None:
        """The sentence, what to do, and the evidence; a trace that was shown is not repeated."""
        self._failure_told = True
        if failure.trace == self._told_trace:
            failure = replace(failure, trace=())
        self._say([*failure_lines(failure, self._columns), *self._groups.unfold()])

    def finished(self, result: StepResult) -> None:
        """The closing rule. A step that never started ends in its failure, which says all."""
        with self._lock:
            self._wipe()
        if self._options.quiet and result.outcome is Outcome.SUCCEEDED:
            return
        if result.outcome is Outcome.NOT_STARTED and self._failure_told:
            return
        lines = [closing_line(result, self._width)]
        if result.outcome is not Outcome.SUCCEEDED:
            lines += self._groups.unfold()
        self._say(lines)

    def _say(self, lines: Sequence[Line]) -> None:
        """Our own lines, beginning on a fresh one. stdout never gets a byte that is ours."""
        if not lines:
            return
        with self._lock:
            self._wipe()
            text = "".join(f"{self._render(line)}\n" for line in lines)
            if self._child_styled and self._render is not plain:
                text = _RESET + text
            if not self._at_line_start:
                text = "\n" + text
            if self._options.terminal and is_raw(self._options.stderr):
                text = text.replace("\n", "\r\n")
            self._at_line_start, self._child_styled = True, False
            self._write_own(text)
