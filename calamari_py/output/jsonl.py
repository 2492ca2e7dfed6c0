"""The json format: one event a line on stdout, nothing on stderr. Described in docs/events.md."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from threading import RLock
from typing import Any

from calamari_py.errors import TraceRow
from calamari_py.masking.secret import Masked, MaskedBytes
from calamari_py.output._passing import A_SECOND, Interval, detail_bytes
from calamari_py.output._stream import write_all
from calamari_py.output.base import (
    DetailTone,
    Failure,
    IdentityReport,
    Reporter,
    ReporterOptions,
    StepHeader,
    Stream,
)
from calamari_py.result import StepResult, dump_json, format_time

EVENTS_VERSION = 1
OUTPUT_EVENTS_A_SECOND = 100
"""More are not written: the child's output is collected meanwhile."""
OUTPUT_EVENT_SIZE = 262_144
"""Bytes of the child's output that one event holds at most, so that a line's length is bounded."""

_RESERVED = frozenset({"time", "type", "step", "text"})


def reporter(options: ReporterOptions) -> Reporter:
    """What `FORMATS` builds."""
    return JsonReporter(options)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class JsonReporter:
    """Writes for programs. Everything it is told is masked before it is encoded.

    `output_interval` seconds should lie between two calls of `output`, which then gets at most
    `output_size` bytes: each is one event.
    """

    output_interval = 1 / OUTPUT_EVENTS_A_SECOND
    output_size = OUTPUT_EVENT_SIZE - 3  # the beginning of a character may have waited

    def __init__(
        self,
        options: ReporterOptions,
        *,
        clock: Callable[[], datetime] = _utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._second = Interval(A_SECOND, monotonic, at_once=True)
        self._clock = clock
        self._step: str | None = None
        self._lock = RLock()
        self._unfinished: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        self._owed = b""

    def started(self, header: StepHeader) -> None:
        """The event ``started``; every event from here on names the step."""
        self._step = header.step
        self._emit(
            "started",
            events_version=EVENTS_VERSION,
            calamari_version=header.version,
            kind=header.kind,
            project=header.project,
            environment=header.environment,
            deployment_id=header.deployment_id,
        )

    def identity(self, report: IdentityReport) -> None:
        """The event ``identity``."""
        self._emit(
            "identity",
            launcher=report.launcher,
            launcher_arn=report.launcher_arn,
            launcher_source=report.launcher_source,
            hops=list(report.hops),
            arn=report.role,
            account=report.account,
            as_expected=report.expected,
            region=report.region,
            region_source=report.region_source,
            expires_at=format_time(report.expires_at) if report.expires_at else None,
            secrets=report.secrets,
            masking_off=report.masking_off,
        )

    def trace(self, rows: Sequence[TraceRow]) -> None:
        """The event ``trace``."""
        self._emit("trace", rows=[asdict(row) for row in rows])

    def output(self, stream: Stream, data: MaskedBytes) -> None:
        """The event ``output``. A character whose end is not there yet waits for it."""
        with self._lock:
            rest = self._unfinished[stream] + data
            while len(rest) > OUTPUT_EVENT_SIZE:
                end = OUTPUT_EVENT_SIZE - _unfinished_bytes(rest[:OUTPUT_EVENT_SIZE])
                self._emit_output(stream, rest[:end])
                rest = rest[end:]
            end = len(rest) - _unfinished_bytes(rest)
            self._unfinished[stream] = rest[end:]
            self._emit_output(stream, rest[:end])

    def _emit_output(self, stream: Stream, data: bytes) -> None:
        if not data:
            return
        try:
            self._emit("output", stream=stream, text=data.decode())
        except UnicodeDecodeError:
            self._emit("output", stream=stream, base64=b64encode(data).decode())

    def detail(
        self,
        line: Masked,
        event: str,
        fields: Mapping[str, Any],
        *,
        tone: DetailTone = "",  # noqa: ARG002  the fields say what it means
    ) -> None:
        """An event of the type `event` with `fields` and ``text``; without one, ``output``."""
        if not event:
            self.output("stdout", detail_bytes(line))
            return
        named = {name: value for name, value in fields.items() if name not in _RESERVED}
        self._emit(event, **named, text=line)

    def progress(
        self,
        percent: float | None,
        message: Masked,
        *,
        passing: bool = False,
        rows: Sequence[Masked] = (),  # noqa: ARG002
    ) -> None:
        """The event ``progress``; what is `passing` at most once a second."""
        if passing and not self._second.begins():
            return
        self._emit("progress", percent=percent, message=message)

    def note(self, message: Masked) -> None:
        """The event ``message`` of level ``note``, with ``--verbose``."""
        if self._options.verbose:
            self._emit("message", level="note", message=message)

    def highlight(self, message: Masked) -> None:
        """The event ``message`` of level ``highlight``."""
        self._emit("message", level="highlight", message=message)

    def warning(self, message: Masked, hint: Masked | None = None) -> None:
        """The event ``warning``."""
        self._emit("warning", message=message, hint=hint)

    def setback(self, message: Masked, hint: Masked | None = None) -> None:
        """The event ``warning``."""
        self.warning(message, hint)

    def failed(self, failure: Failure) -> None:
        """The event ``problem``."""
        self._emit(
            "problem",
            message=failure.message,
            hint=failure.hint,
            place=failure.place,
            exit_code=failure.exit_code,
            problems=[
                {
                    "message": problem.message,
                    "path": problem.path or None,
                    "place": problem.place or None,
                    "hint": problem.hint,
                }
                for problem in failure.problems
            ],
            trace=[asdict(row) for row in failure.trace],
            evidence=list(failure.evidence),
        )

    def finished(self, result: StepResult) -> None:
        """What is left of the output, then the event ``finished``, always the last line."""
        with self._lock:
            for stream, rest in self._unfinished.items():
                self._emit_output(stream, rest)
            self._step = result.step or self._step
            self._emit("finished", result=result.to_document())

    def _emit(self, type_: str, /, **fields: Any) -> None:
        with self._lock:
            time = format_time(self._clock())
            event = {"time": time, "type": type_, "step": self._step, **fields}
            self._write(dump_json(event) + b"\n")

    def _write(self, line: bytes) -> None:
        """Write `line`, and before it what is owed of one that a write was given up in: no reader
        gets half a line with another behind it."""
        data, before = self._owed + line, len(self._owed)
        sent = 0

        def wrote(count: int) -> None:
            nonlocal sent
            sent += count

        try:
            write_all(self._options.stdout, data, self._options.pulse, wrote)
        finally:
            # Of a line that has not begun nothing is owed: it is lost as a whole.
            self._owed = data[sent:before] if sent <= before else data[sent:]


def _unfinished_bytes(data: bytes) -> int:
    """How many bytes at the end of `data` begin a UTF-8 character and do not end it: 0 to 3."""
    for back in range(1, min(3, len(data)) + 1):
        if data[-back] & 0xC0 != 0x80:
            try:
                data[-back:].decode()
            except UnicodeDecodeError as error:
                return back if error.reason == "unexpected end of data" else 0
            return 0
    return 0
