"""Reporter: what every output format promises.

A reporter is told what happens, in masked values only, and decides how it looks. It writes to the
two binary streams it was made with and to nothing else. It never raises for what it is told;
a reader that went away raises BrokenPipeError, which the runner handles. It may be called from
several threads: a refresh of the credentials can have something to say while the child writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Literal, NewType, Protocol, runtime_checkable

from calamari_py.errors import TraceRow
from calamari_py.masking.secret import Masked, MaskedBytes
from calamari_py.output._stream import no_pulse
from calamari_py.result import StepResult

Stream = Literal["stdout", "stderr"]

DetailTone = Literal["", "good", "warn", "bad"]
"""What a line of a step is like; "" is like any other."""

CiCommand = NewType("CiCommand", bytes)
"""One line that a CI system acts on and does not show; it may hold a secret. Only
`calamari_py.runner.publish` makes one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReporterOptions:
    """How to write. `terminal` says whether our own text (stderr) is read on a terminal;
    `width` is its columns; `environ` is for colour conventions (NO_COLOR, TERM); `encoding` is
    what our own text on stderr is written in, the child's bytes are never re-encoded. `pulse` is
    called while a write waits for its reader."""

    stdout: BinaryIO
    stderr: BinaryIO
    terminal: bool
    width: int
    environ: Mapping[str, str] = field(repr=False)
    quiet: bool = False
    verbose: bool = False
    encoding: str = "utf-8"
    pulse: Callable[[], None] = no_pulse


@dataclass(frozen=True, slots=True, kw_only=True)
class StepHeader:
    """What is known from the manifest alone."""

    step: Masked
    kind: str
    version: str
    project: Masked | None = None
    environment: Masked | None = None
    deployment_id: Masked | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityReport:
    """Who the step runs as. `launcher` is an ARN, or ``SOURCE, access key AKIA…`` where the source
    gave none; None when there is no launcher. `hops` are the ARNs of all role sessions on the way,
    `role` being the last of them; None when the launcher itself runs the step.
    `expected` is true when ``expect`` names the account, None when it does not.
    `region_source` says where the region came from (``manifest``, ``AWS_REGION``, …).
    `seconds_left` counts from now; `renewed` says that the credentials are renewed before they run
    out; `masking_off` that the step's output is shown as it is (``--no-mask``)."""

    launcher: Masked | None
    launcher_arn: Masked | None
    launcher_source: Masked | None
    hops: tuple[Masked, ...]
    role: Masked | None
    account: Masked | None
    expected: bool | None
    region: Masked | None
    region_source: str | None
    expires_at: datetime | None
    seconds_left: float | None
    secrets: int
    renewed: bool = False
    masking_off: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedProblem:
    """A manifest problem, masked; as `calamari_py.errors.Problem`."""

    message: Masked
    path: Masked
    place: Masked
    hint: Masked | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why calamari itself stopped the run: one sentence, what to do, and the evidence. `place` is
    the ``file:line`` that the sentence is about, where somebody knows."""

    message: Masked
    hint: Masked | None = None
    place: Masked | None = None
    problems: tuple[MaskedProblem, ...] = ()
    trace: tuple[TraceRow, ...] = ()
    evidence: tuple[Masked, ...] = ()
    exit_code: int = 70


class Reporter(Protocol):
    """What a format implements; see the module's docstring for the promises."""

    def started(self, header: StepHeader) -> None:
        """The manifest is valid; nothing was asked yet."""

    def identity(self, report: IdentityReport) -> None:
        """The credentials are there and as expected; the child comes next."""

    def trace(self, rows: Sequence[TraceRow]) -> None:
        """The credential sources that were looked at (``--trace-credentials``). Masked already."""

    def output(self, stream: Stream, data: MaskedBytes) -> None:
        """Bytes of the child, to be shown at once and unchanged."""

    def detail(
        self, line: Masked, event: str, fields: Mapping[str, Any], *, tone: DetailTone = ""
    ) -> None:
        """One line of a step that calamari carries out itself, shown where a child's would be. For
        programs it is an event of the type `event` with `fields`, JSON values that are masked
        already; with an empty `event` it is output like any other. An event without a `line` is
        for programs alone. `tone` is for a terminal."""

    def progress(
        self,
        percent: float | None,
        message: Masked,
        *,
        passing: bool = False,
        rows: Sequence[Masked] = (),
    ) -> None:
        """How far a step says it is; `percent` is 0 to 100, None where it does not say. What is
        `passing` is replaced by the next one: it is for those who watch, not for a log. `rows` are
        a table below it, for a terminal that rewrites what is passing."""

    def note(self, message: Masked) -> None:
        """A line for those who asked for ``--verbose``."""

    def highlight(self, message: Masked) -> None:
        """A line that the step wants to be seen."""

    def warning(self, message: Masked, hint: Masked | None = None) -> None:
        """Something that may be wrong, and what to do about it; the run goes on."""

    def setback(self, message: Masked, hint: Masked | None = None) -> None:
        """Something that keeps the step from having succeeded; it stands in the result that
        `finished` is given, too."""

    def failed(self, failure: Failure) -> None:
        """calamari itself stops the run. `finished` still follows."""

    def finished(self, result: StepResult) -> None:
        """The last call of every run."""


@runtime_checkable
class CommandTaker(Protocol):
    """A reporter whose reader is a CI system that acts on lines; the run's outputs and summary go
    to that system's files, too."""

    @property
    def hides_commands(self) -> bool:
        """Whether it is certain that who reads the commands shows none of them."""

    def command(self, line: CiCommand) -> None:
        """Write one line, without its end, where commands count."""


@runtime_checkable
class ServiceMessageTaker(Protocol):
    """A reporter whose reader is Octopus Deploy: the run's outputs and artifacts go to it in lines,
    too."""

    @property
    def hides_messages(self) -> bool:
        """Whether it is certain that who reads the messages shows none of them."""

    def service_message(self, line: CiCommand) -> None:
        """Write one message, without a line end."""
