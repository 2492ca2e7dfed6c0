"""What a run hands to its CI system: output values for later steps, and a summary for people.

Output values are raw: `_entries`, `_mask_commands` and `_set_variable` are the places of a run
beside ``--outputs`` that write them.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from calamari_py.errors import OutputNotWritable
from calamari_py.masking import SecretRegistry
from calamari_py.masking.forms import to_bytes
from calamari_py.output import escape_data, service_message
from calamari_py.output.base import CiCommand, CommandTaker, Reporter, ServiceMessageTaker
from calamari_py.result import OutputVariable
from calamari_py.runner.record import RunRecord
from calamari_py.runner.summary import summary_of

OUTPUT_VARIABLE = "GITHUB_OUTPUT"
SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
SUMMARY_LIMIT = 1024 * 1024
"""Bytes that GitHub takes as the summary of one step."""
SHORTEST_LINE = 8
"""A runner masks a line wherever it stands: a brace on a line of its own must not be one."""
_LOST_HINT = "later steps do not get them: see that the job's file for outputs can be written"
_UNREAD_HINT = "later steps do not get them: see that our output is read to its end"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """The files of the CI system that the run is a step of, or its messages; none unless `reporter`
    takes commands. `artifacts` is the folder that artifacts were collected in, `octopus_name` the
    step kind's word for an output in Octopus.

    `warn`, `tell` and `fail` take plain text and mask it; `fail` is told what is lost, and what to
    do about it.
    """

    record: RunRecord
    reporter: Reporter
    environ: Mapping[str, str] = field(repr=False)
    warn: Callable[[str], None]
    tell: Callable[[str], None]
    fail: Callable[[str, str | None], None]
    artifacts: Path | None = None
    octopus_name: Callable[[str], str | None] = lambda _name: None

    def outputs(self) -> None:
        """The output values, for later steps of the job. What could not be handed over is lost, so
        that a success is none."""
        reporter = self.reporter
        if isinstance(reporter, ServiceMessageTaker):
            self._send_to_octopus(reporter)
        elif isinstance(reporter, CommandTaker):
            self._write_for_github(reporter)

    def _send_to_octopus(self, reporter: ServiceMessageTaker) -> None:
        shown_by = None if reporter.hides_messages else "Octopus"
        try:
            for name, output in self._publishable(shown_by).items():
                for published in filter(None, (name, self.octopus_name(name))):
                    reporter.service_message(_set_variable(published, output))
            if self.artifacts is not None:
                for name in self.record.artifacts:
                    reporter.service_message(_create_artifact(self.artifacts / name, name))
        except OSError as error:
            why = (error.strerror or "unknown error").lower()
            self.fail(f"the outputs are not handed to Octopus: {why}", _UNREAD_HINT)
        except OutputNotWritable as error:
            text = f"the outputs are not handed to Octopus: {error.message}"
            self.fail(text, error.hint or _UNREAD_HINT)

    def _write_for_github(self, reporter: CommandTaker) -> None:
        path = self._file(OUTPUT_VARIABLE)
        if path is None or not self.record.outputs:
            return
        outputs = self._publishable(None if reporter.hides_commands else "a GitHub runner")
        names = published_names(outputs)
        for name, published in names.items():
            if name != published:
                self.tell(f"output '{name}' is called '{published}' in later steps")
        try:
            self._hide(reporter, outputs.values())
            append_to(path, _entries({names[name]: one for name, one in outputs.items()}))
        except OSError as error:
            why = (error.strerror or "unknown error").lower()
            self.fail(f"the outputs cannot be written to ${OUTPUT_VARIABLE}: {why}", _LOST_HINT)
        except OutputNotWritable as error:
            text = f"the outputs are not written to ${OUTPUT_VARIABLE}: {error.message}"
            self.fail(text, error.hint or _LOST_HINT)

    def summary(self) -> None:
        """What became of the step, in Markdown. Without it nothing is lost."""
        path = self._file(SUMMARY_VARIABLE)
        if path is None or not isinstance(self.reporter, CommandTaker):
            return
        text = summary_of(self.record.result(), mask=self.record.masked)
        try:
            append_to(path, to_bytes(text), limit=SUMMARY_LIMIT)
        except OSError as error:
            why = (error.strerror or "unknown error").lower()
            self.warn(f"the summary cannot be written to ${SUMMARY_VARIABLE}: {why}")

    def _file(self, variable: str) -> Path | None:
        path = self.environ.get(variable, "").strip()
        return Path(path) if path else None

    def _publishable(self, doubted: str | None) -> dict[str, OutputVariable]:
        """All outputs where their reader hides the sensitive ones in its log, else only the others:
        `doubted` is who may not be that reader."""
        outputs = dict(self.record.outputs)
        if doubted is None:
            return outputs
        withheld = [name for name, output in outputs.items() if output.sensitive]
        if withheld:
            listed = ", ".join(f"'{name}'" for name in withheld)
            self.warn(
                f"sensitive outputs are not handed to later steps: {listed}; it is not certain "
                f"that {doubted} reads our output and would mask them"
            )
        return {name: output for name, output in outputs.items() if not output.sensitive}

    def _hide(self, reporter: CommandTaker, outputs: Iterable[OutputVariable]) -> None:
        for output in outputs:
            if output.sensitive:
                for command in _mask_commands(output, self.record.registry):
                    reporter.command(command)


def published_names(names: Iterable[str]) -> dict[str, str]:
    """Name → the name in later steps: letters, digits, ``_`` and ``-``, no digit first, and no two
    alike, for GitHub whatever their case. A name that is good stays."""
    names = list(names)
    published = {name: name for name in names if _NAME.fullmatch(name)}
    taken: set[str] = set()
    for name in sorted(names, key=lambda name: name not in published):
        base = _NOT_IN_A_NAME.sub("_", name) or "_"
        base = base if _NAME.fullmatch(base) else f"_{base}"
        number, candidate = 1, base
        while candidate.lower() in taken:
            number += 1
            candidate = f"{base}_{number}"
        taken.add(candidate.lower())
        published[name] = candidate
    return {name: published[name] for name in names}


def _set_variable(name: str, output: OutputVariable) -> CiCommand:
    """What makes `output` a variable in Octopus, **with the value in it**; of a sensitive one
    Octopus masks the value in its log from then on."""
    sensitive = {"sensitive": "True"} if output.sensitive else {}
    return CiCommand(service_message("setVariable", name=name, value=output.value, **sensitive))


def _create_artifact(path: Path, name: str) -> CiCommand:
    """What makes Octopus fetch the file when the step has ended."""
    size = path.stat().st_size if path.is_file() else 0
    return CiCommand(service_message("createArtifact", path=str(path), name=name, length=str(size)))


def append_to(path: Path, content: bytes, *, limit: int | None = None) -> None:
    """Append to a regular file that is there, following no link; OSError when it cannot be done,
    also where the file would grow over `limit` bytes."""
    # A FIFO without a reader must not hold us up.
    flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        if limit is not None and status.st_size + len(content) > limit:
            raise OSError(errno.EFBIG, f"it would have more than {limit} bytes")
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)


def _entries(outputs: Mapping[str, OutputVariable]) -> bytes:
    """`outputs` as ``GITHUB_OUTPUT`` takes them, **sensitive values included**. The delimiter is
    random, so that no value can end itself."""
    parts = []
    for name, output in outputs.items():
        delimiter = f"calamari_{os.urandom(16).hex()}".encode()
        # An unfinished line of the step's own must not become a part of ours.
        parts += [b"\n", name.encode(), b"<<", delimiter, b"\n"]
        parts += [to_bytes(output.value), b"\n", delimiter, b"\n"]
    return b"".join(parts)


def _mask_commands(output: OutputVariable, registry: SecretRegistry) -> Iterator[CiCommand]:
    """What makes the runner mask a sensitive value in its log, **with the value in it**: a line at
    a time, as it looks at the log. What we do not mask ourselves, being too short, it must not
    either."""
    if not registry.holds_secret(output.value):
        return
    # A later step may show a part of it alone: the password of a URL.
    parts = [value.decode("utf-8", "surrogateescape") for value in registry.values_in(output.value)]
    masked = [text for value in (output.value, *parts) for text in _telling(value)]
    for text in dict.fromkeys(masked):
        yield CiCommand(b"::add-mask::" + to_bytes(escape_data(text)))


def _telling(value: str) -> list[str]:
    """The lines of `value` that are worth masking; all of it where it has one line only."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", value)]
    telling = [
        line for line in lines if len(line) >= SHORTEST_LINE and not line.startswith("-----")
    ]
    return telling if len(lines) > 1 and telling else [value.strip()]
