"""StepResult: the full record of one run, the document it becomes, and the file that holds it.

The document is described in docs/result.md; docs/result-schema.json is its JSON Schema.
"""

from __future__ import annotations

import enum
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from calamari_py.errors import CalamariError, Problem, UsageError
from calamari_py.files import replace_private
from calamari_py.masking.secret import Masked

SCHEMA_VERSION = 1

# Terminals act on C1 controls, and many readers take U+2028 for the end of a line: escaped in JSON,
# one document is one line for everybody.
_RISKY = re.compile("[\x7f-\x9f\u2028\u2029]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Outcome(enum.StrEnum):
    """How a step ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    INDETERMINATE = "indeterminate"
    NOT_STARTED = "not_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputVariable:
    """A value that a step published. A sensitive one never reaches the result document.

    The value is left out of ``repr``, because it may be sensitive.
    """

    value: str = field(repr=False)
    sensitive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepIdentity:
    """The identity of a run, as far as it was reached; ARNs and times, never a secret."""

    launcher_arn: str | None = None
    hops: tuple[str, ...] = ()
    arn: str | None = None
    account: str | None = None
    region: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a step took: `cpu` seconds, `peak_memory` bytes of its largest process (None where
    nobody knows), and the bytes it wrote to each stream, as they were read."""

    cpu: float | None = None
    peak_memory: int | None = None
    stdout: int = 0
    stderr: int = 0

    def __add__(self, other: Usage) -> Usage:
        """One after the other: the largest memory, and the sum of everything else."""
        cpus = [each for each in (self.cpu, other.cpu) if each is not None]
        peaks = [each for each in (self.peak_memory, other.peak_memory) if each is not None]
        return Usage(
            cpu=sum(cpus) if cpus else None,
            peak_memory=max(peaks, default=None),
            stdout=self.stdout + other.stdout,
            stderr=self.stderr + other.stderr,
        )

    def to_document(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "cpu": None if self.cpu is None else round(self.cpu, 3),
            "peak_memory": self.peak_memory,
            "stdout": self.stdout,
            "stderr": self.stderr,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt of a step that may be repeated. `exit_code` is the child's own; `stopped` says
    why calamari ended it (``timeout``, ``idle_timeout``, ``signal``, ``reader_gone``)."""

    exit_code: int
    outcome: Outcome
    stopped: str | None
    started_at: datetime
    ended_at: datetime
    duration: float
    usage: Usage

    def to_document(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "exit_code": self.exit_code,
            "outcome": self.outcome.value,
            "stopped": self.stopped,
            "started_at": format_time(self.started_at),
            "ended_at": format_time(self.ended_at),
            "duration": round(self.duration, 3),
            "usage": self.usage.to_document(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskingRecord:
    """What masking did, by the names of the secrets (masked): how often each was found, and why
    others were not looked for. `off` is ``--no-mask``."""

    off: bool = False
    hits: Mapping[str, int] = field(default_factory=dict)
    unmasked: Mapping[str, str] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """JSON values."""
        return {"off": self.off, "hits": dict(self.hits), "unmasked": dict(self.unmasked)}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What a run left. All texts are masked before they get here.

    `durations` are seconds a phase (``identity``, ``step``, ``finally``, ``total``).
    `exit_origin` is ``child`` or ``calamari``. `changed` is None where nobody can know; `pending`
    says that something to change was found and only looked at. `usage` is
    that of the step in all its attempts, without ``finally``. `ending` is what a kind that works
    itself says of how it ended (``my-stack: UPDATE_COMPLETE``), for people; `details` are its
    facts, JSON values.
    """

    step: Masked
    outcome: Outcome
    exit_code: int
    exit_origin: str
    started_at: datetime
    ended_at: datetime
    changed: bool | None = None
    pending: bool = False
    identity: StepIdentity = field(default_factory=StepIdentity)
    outputs: Mapping[str, OutputVariable] = field(default_factory=dict)
    artifacts: tuple[str, ...] = ()
    durations: Mapping[str, float] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    usage: Usage = field(default_factory=Usage)
    masking: MaskingRecord = field(default_factory=MaskingRecord)
    attempts: tuple[Attempt, ...] = ()
    ending: Masked | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """The result document: JSON values only, times in UTC, no value of a sensitive output.

        ``attempts`` is there only when ``retry`` was used, ``details`` only where there are any,
        ``pending`` only where it is true.
        """
        document: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "step": self.step,
            "outcome": self.outcome.value,
            "exit_code": self.exit_code,
            "exit_origin": self.exit_origin,
            "changed": self.changed,
            "identity": _identity_document(self.identity),
            "outputs": {
                name: {
                    "value": None if output.sensitive else output.value,
                    "sensitive": output.sensitive,
                }
                for name, output in self.outputs.items()
            },
            "artifacts": list(self.artifacts),
            "durations": {phase: round(seconds, 3) for phase, seconds in self.durations.items()},
            "problems": [
                {
                    "message": problem.message,
                    "hint": problem.hint,
                    "place": problem.place or None,
                }
                for problem in self.problems
            ],
            "usage": self.usage.to_document(),
            "masking": self.masking.to_document(),
            "started_at": format_time(self.started_at),
            "ended_at": format_time(self.ended_at),
        }
        if self.pending:
            document["pending"] = True
        if self.attempts:
            document["attempts"] = [attempt.to_document() for attempt in self.attempts]
        if self.details:
            document["details"] = dict(self.details)
        return document


def _identity_document(identity: StepIdentity) -> dict[str, Any]:
    return {
        "launcher_arn": identity.launcher_arn,
        "hops": list(identity.hops),
        "arn": identity.arn,
        "account": identity.account,
        "region": identity.region,
        "expires_at": format_time(identity.expires_at) if identity.expires_at else None,
    }


def format_time(moment: datetime) -> str:
    """`moment`, which knows its zone, as ``2026-03-01T09:30:00.125Z``."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def dump_json(document: Any, *, indent: int | None = None) -> bytes:
    """`document` as UTF-8 JSON without a newline at the end.

    Half characters (bytes of a file name that were no UTF-8) become U+FFFD, because many readers
    refuse a document that holds one.
    """
    import json  # only a run that writes a document pays for it

    separators = (",", ":") if indent is None else None
    text = json.dumps(document, ensure_ascii=False, indent=indent, separators=separators)
    if not text.isascii() or "\x7f" in text:  # a log of ASCII alone need not be searched
        text = _RISKY.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
        text = _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
    return text.encode()


def check_result_target(path: Path, *, option: str = "--result") -> None:
    """Refuse a `path` that no document can be put at, before anything runs.

    Raises UsageError for a folder, a link, a FIFO, a device, and a parent that is no writable
    folder. `option` is how the user named the file.
    """
    folder = path.parent
    if not folder.is_dir():
        raise UsageError(
            f"the folder '{folder}' of {option} '{path}' does not exist",
            hint=f"create it first: mkdir -p '{folder}'",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            f"the folder '{folder}' of {option} '{path}' is not writable",
            hint=f"name a file in a folder that the user of this process may write to for {option}",
        )
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(
            f"{option} '{path}' cannot be used: {error.strerror}",
            hint=f"name another file for {option}",
        ) from error
    _refuse_special(path, mode, option)


def _refuse_special(path: Path, mode: int, option: str) -> None:
    """The file is replaced as a whole, so whoever reads a FIFO or follows a link gets nothing."""
    if stat.S_ISREG(mode):
        return
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
    }
    what = kinds.get(stat.S_IFMT(mode), "a device")
    raise UsageError(
        f"{option} '{path}' is {what}, not a file",
        hint=f"name a regular file, or one that does not exist yet, for {option}",
    )


def write_result(path: Path, document: Mapping[str, Any]) -> None:
    """Write the result document to `path`: whole or not at all, mode 0600.

    Raises UsageError where `check_result_target` would, CalamariError when the disk refuses.
    """
    _write_atomically(path, dump_json(document, indent=2) + b"\n", option="--result")


def write_outputs(path: Path, outputs: Mapping[str, OutputVariable]) -> None:
    """Write all `outputs`, **sensitive values included**, to `path`: whole or not at all, 0600.

    This is the one file of a run that may hold a secret: ``--outputs``, for the orchestrator alone.
    The document is a mapping of name to ``{"value", "sensitive"}``. Errors as `write_result`.
    """
    document = {
        name: {"value": output.value, "sensitive": output.sensitive}
        for name, output in outputs.items()
    }
    _write_atomically(path, dump_json(document, indent=2) + b"\n", option="--outputs")


def _write_atomically(path: Path, content: bytes, *, option: str) -> None:
    check_result_target(path, option=option)
    try:
        replace_private(path, lambda file: file.write(content))
    except OSError as error:
        raise CalamariError(
            f"cannot write {option} '{path}': {error.strerror}",
            hint="make room, or name a file on another file system; the step is not affected",
        ) from error
