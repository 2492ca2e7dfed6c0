"""The github format: everything on stdout, with the commands that a GitHub Actions runner takes.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands

The runner acts on a line that begins with ``::`` after any whitespace, and on ``##[`` anywhere in a
line. What a child writes stands between ``::stop-commands::TOKEN`` and ``::TOKEN::``, a new random
token each time; in lines of ours both are broken up by a backslash.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any, BinaryIO, Literal

from calamari_py.errors import TraceRow
from calamari_py.masking.secret import Masked, MaskedBytes
from calamari_py.output._commands import escape_data, escape_property, harmless
from calamari_py.output._failure import fact_lines, trace_lines, unlabelled
from calamari_py.output._frame import (
    closing_line,
    ending_text,
    identity_heading,
    identity_lines,
    kind_line,
    title_lines,
)
from calamari_py.output._lines import MARGIN, Line, Span, block, plain
from calamari_py.output._passing import A_MINUTE, Interval, detail_bytes
from calamari_py.output._stream import is_pipe, write_all
from calamari_py.output._words import lines_of
from calamari_py.output.base import (
    CiCommand,
    DetailTone,
    Failure,
    IdentityReport,
    MaskedProblem,
    Reporter,
    ReporterOptions,
    StepHeader,
    Stream,
)
from calamari_py.result import Outcome, StepResult

RULE_WIDTH = 84
Level = Literal["error", "warning", "notice"]
_PLACE = re.compile(r"(?P<file>.*?)(?::(?P<line>\d+)(?::(?P<col>\d+))?)?", re.DOTALL)
_LEVELS: dict[Outcome, Level] = {Outcome.CANCELLED: "warning"}


def reporter(options: ReporterOptions) -> Reporter:
    """What `FORMATS` builds."""
    return GithubReporter(options)


class GithubReporter:
    """Writes for the log and the annotations of a job; see the module's docstring."""

    def __init__(
        self, options: ReporterOptions, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._options = options
        self._minute = Interval(A_MINUTE, clock)
        self._lock = RLock()
        self._title = "calamari"
        self._stopped_by: str | None = None
        self._at_line_start = True
        self._torn = False
        self._failure_told = False
        self._setbacks: list[tuple[Masked, Masked | None]] = []
        self._told_trace: tuple[TraceRow, ...] = ()
        self._last_progress: tuple[float | None, str] | None = None

    @property
    def hides_commands(self) -> bool:
        """Whether our stdout goes to a GitHub runner, which shows no ``add-mask``."""
        # A stop of which a part was written may last: then a command is shown like any line.
        return not self._torn and is_runner(self._options.environ, self._options.stdout)

    def command(self, line: CiCommand) -> None:
        """One line for the runner alone."""
        self._write_commands(line + b"\n")

    def started(self, header: StepHeader) -> None:
        """The opening rule; annotations have the step's name as their title."""
        self._title = header.step
        if self._options.quiet:
            return
        lines = title_lines(header, RULE_WIDTH)
        if self._options.verbose:
            lines.append(kind_line(header))
        self._say(lines)

    def identity(self, report: IdentityReport) -> None:
        """Who the step runs as, in the title of a group; the rest is folded."""
        if not self._options.quiet:
            self._fold(identity_heading(report), identity_lines(report, None))

    def trace(self, rows: Sequence[TraceRow]) -> None:
        """The table of credential sources, folded."""
        self._told_trace = tuple(rows)
        self._fold("launcher sources", trace_lines(rows)[1:])

    def output(self, stream: Stream, data: MaskedBytes) -> None:  # noqa: ARG002  one log for both
        """The bytes, where no command counts."""
        if not data:
            return
        with self._lock:
            before = b""
            if self._stopped_by is None:
                self._stopped_by = os.urandom(16).hex()
                before = f"::stop-commands::{self._stopped_by}\n".encode()
            self._write(before + data)
            # A colour code after a newline stands before a command of ours and spoils it.
            self._at_line_start = data.endswith(b"\n")

    def detail(
        self,
        line: Masked,
        event: str,
        fields: Mapping[str, Any],  # noqa: ARG002
        *,
        tone: DetailTone = "",  # noqa: ARG002  there is no terminal
    ) -> None:
        """The line, where no command counts."""
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
        """``calamari: 50% message``, once for each that differs from the one before."""
        if self._options.quiet or self._last_progress == (percent, message):
            return
        if passing and not self._minute.begins():
            return
        self._last_progress = (percent, message)
        share = f"{percent:.0f}% " if percent is not None else ""
        self._say(block([Span(f"calamari: {share}")], message))

    def note(self, message: Masked) -> None:
        """A line, with ``--verbose``."""
        if self._options.verbose and not self._options.quiet:
            self._say(block([Span("calamari: ")], message))

    def highlight(self, message: Masked) -> None:
        """``::notice``."""
        self._annotate("notice", message)

    def warning(self, message: Masked, hint: Masked | None = None) -> None:
        """``::warning``."""
        self._annotate("warning", message, hint)

    def setback(self, message: Masked, hint: Masked | None = None) -> None:
        """Waits for the annotation at the end, which says it with how the step ended."""
        self._setbacks.append((message, hint))

    def failed(self, failure: Failure) -> None:
        """``::error``, one for each problem of a manifest; the evidence is open below it."""
        self._failure_told = True
        if failure.problems:
            self._say(block([Span("calamari: ")], failure.message))
            for problem in failure.problems:
                self._annotate_problem(problem)
            if failure.hint:
                self._say(block([Span(f"{MARGIN}hint: ")], failure.hint))
        else:
            facts = (plain(line).removeprefix(MARGIN) for line in fact_lines(failure.evidence))
            place = file_properties(failure.place or "", self._options.environ)
            self._annotate("error", "\n".join([failure.message, *facts]), failure.hint, place)
        lines = [] if failure.trace == self._told_trace else trace_lines(failure.trace)
        for evidence in unlabelled(failure.evidence):
            lines += block([Span(MARGIN)], evidence)
        self._say(lines)

    def finished(self, result: StepResult) -> None:
        """The closing rule; commands count again for whatever runs after us in this job."""
        succeeded = result.outcome is Outcome.SUCCEEDED
        told = self._failure_told and result.outcome is Outcome.NOT_STARTED
        if not told and not (succeeded and self._options.quiet):
            self._say([closing_line(result, RULE_WIDTH)])
        if succeeded or self._failure_told:
            self._write_commands(b"")
            for message, hint in self._setbacks:
                self._annotate("error", message, hint)
            return
        lines = [ending_text(result)]
        for problem in result.problems:
            lines += [problem.message, *([f"hint: {problem.hint}"] if problem.hint else [])]
        self._annotate(_LEVELS.get(result.outcome, "error"), "\n".join(lines))

    def _annotate_problem(self, problem: MaskedProblem) -> None:
        # The log shows an annotation's text and nothing else of it.
        where = " ".join(part for part in (problem.place, problem.path) if part)
        text = f"{where}: {problem.message}" if where else problem.message
        place = file_properties(problem.place, self._options.environ)
        self._annotate("error", text, problem.hint, place)

    def _annotate(
        self,
        level: Level,
        text: str,
        hint: str | None = None,
        place: Mapping[str, str] | None = None,
    ) -> None:
        """``::LEVEL file=…,line=…,col=…,title=…::TEXT``."""
        properties = {**(place or {}), "title": _one_line(self._title)}
        named = ",".join(f"{key}={escape_property(value)}" for key, value in properties.items())
        lines = lines_of(text)
        if hint:
            lines += [
                f"hint: {line}" if at == 0 else line for at, line in enumerate(lines_of(hint))
            ]
        data = escape_data("\n".join(lines))
        self._write_commands(f"::{level} {named}::{data}\n".encode())

    def _fold(self, title: str, lines: Sequence[Line]) -> None:
        body = "".join(f"{harmless(plain(line))}\n" for line in lines)
        head = f"::group::{escape_data(_one_line(title))}\n"
        self._write_commands(f"{head}{body}::endgroup::\n".encode())

    def _say(self, lines: Sequence[Line]) -> None:
        """Lines that are no commands, whatever is in them; so they may stand where none counts."""
        if not lines:
            return
        with self._lock:
            text = "".join(f"{harmless(plain(line))}\n" for line in lines)
            self._write(self._fresh_line() + text.encode())
            self._at_line_start = True

    def _write_commands(self, commands: bytes) -> None:
        """`commands`, whole lines, where they count."""
        with self._lock:
            before = self._fresh_line()
            if self._stopped_by is not None:
                before += f"::{self._stopped_by}::\n".encode()
            self._write(before + commands)
            self._stopped_by, self._at_line_start = None, True

    def _fresh_line(self) -> bytes:
        return b"" if self._at_line_start else b"\n"

    def _write(self, data: bytes) -> None:
        if not data:
            return
        torn, self._torn = self._torn, True
        self._at_line_start = False
        write_all(self._options.stdout, data, self._options.pulse)
        self._torn = torn


def _one_line(text: str) -> str:
    return " ".join(lines_of(text))


def file_properties(place: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The properties by which GitHub finds ``FILE:LINE:COLUMN`` in the repository; none for what is
    no file in the job's workspace."""
    match = _PLACE.fullmatch(place)
    workspace = environ.get("GITHUB_WORKSPACE", "")
    if match is None or not match["file"] or not workspace or not os.path.isfile(match["file"]):
        return {}
    file, root = Path(match["file"]).resolve(), Path(workspace).resolve()
    if not file.is_relative_to(root):
        return {}
    found = {"file": str(file.relative_to(root)), "line": match["line"], "col": match["col"]}
    return {key: value for key, value in found.items() if value}


def is_runner(environ: Mapping[str, str], stdout: BinaryIO) -> bool:
    """Whether `stdout` is read by a real GitHub runner, which acts on ``add-mask`` and does not
    show it: the job's folder and, in it, the file for outputs are there, and stdout is a pipe. A
    runner's work-alike, a terminal and a file would show the value.
    """
    if environ.get("GITHUB_ACTIONS") != "true":
        return False
    folder, file = environ.get("RUNNER_TEMP", ""), environ.get("GITHUB_OUTPUT", "")
    if not os.path.isabs(folder) or not os.path.isdir(folder) or not os.path.isfile(file):
        return False
    if not Path(file).resolve().is_relative_to(Path(folder).resolve()):
        return False
    return is_pipe(stdout)
