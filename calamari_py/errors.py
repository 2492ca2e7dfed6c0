"""Every error calamari raises, and the exit code each one means.

::

    CalamariError(message, *, hint=None)                      70
    ├─ UsageError                                             2
    ├─ ManifestError(problems)                                65
    │  ├─ FileMissing                                         66
    │  └─ PolicyRefused                                       77
    ├─ IdentityError (carries the trace)                      77
    │  ├─ LauncherNotFound
    │  ├─ SourceBroken
    │  │  └─ PartialCredentials
    │  ├─ RoleNotAssumable
    │  └─ ExpectationNotMet
    ├─ ToolMissing                                            69
    ├─ CommandNotExecutable                                   126
    ├─ CommandNotFound                                        127
    ├─ CloudError(service, operation, code, request_id)       1
    │  ├─ Temporary                                           75
    │  ├─ Indeterminate                                       76
    │  └─ StackFailed                                         1
    ├─ ToolFailed                                             1
    ├─ TimedOut                                               124
    ├─ OutputNotWritable                                      1
    └─ InternalError                                          70
    Cancelled(signal), no Exception                           128 + signal

``str(error)`` is one sentence without a full stop: lower-case start, names in quotes.
``error.hint`` is what the user can do next. A child's failure is a value, never one of these.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

EX_OK = 0
EX_FAILED = 1
EX_USAGE = 2
EX_MANIFEST = 65
EX_FILE_MISSING = 66
EX_UNAVAILABLE = 69
EX_INTERNAL = 70
EX_TEMPORARY = 75
EX_INDETERMINATE = 76
EX_IDENTITY = 77
EX_TIMED_OUT = 124
EX_NOT_EXECUTABLE = 126
EX_NOT_FOUND = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One defect of a manifest or a variable file, with its place.

    `path` is the YAML path (``expect.account``); `line` and `column` count from 1.
    """

    message: str
    path: str = ""
    file: str = ""
    line: int | None = None
    column: int | None = None
    hint: str | None = None

    @property
    def place(self) -> str:
        """``file:line:column``, as far as known."""
        parts = [self.file]
        if self.line is not None:
            parts.append(str(self.line))
            if self.column is not None:
                parts.append(str(self.column))
        return ":".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRow:
    """What happened to one credential source: the evidence in every identity failure.

    `result` is ``absent``, ``found``, ``broken`` or ``not tried``, and ``present`` or ``unknown``
    where nobody was asked; `milliseconds` is None when nothing was asked; `why` says in a few words
    what decided it, never a secret.
    """

    source: str
    present: bool
    tried: bool
    result: str
    why: str = ""
    milliseconds: int | None = None
    used: bool = False


class CalamariError(Exception):
    """The base of every error that calamari raises on purpose."""

    exit_code: ClassVar[int] = EX_INTERNAL

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(CalamariError):
    """The command line is wrong."""

    exit_code = EX_USAGE


class ManifestError(CalamariError):
    """The manifest or its variables are invalid; all problems at once."""

    exit_code = EX_MANIFEST

    def __init__(
        self, problems: Sequence[Problem], *, subject: str = "manifest", hint: str | None = None
    ) -> None:
        count = f"{len(problems)} problem" + ("" if len(problems) == 1 else "s")
        super().__init__(f"{count} in {subject}", hint=hint)
        self.problems = tuple(problems)
        self.subject = subject


class FileMissing(ManifestError):
    """A file that was named is not there, or is no file that can be read."""

    exit_code = EX_FILE_MISSING


class PolicyRefused(ManifestError):
    """The manifest asks for what the operator's policy does not allow; nothing was called."""

    exit_code = EX_IDENTITY


class Findings:
    """Problems of several checks, to be told as one. As a context it takes in a ManifestError."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._missing: list[Problem] = []

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, ManifestError):
            return False
        self.problems.extend(error.problems)
        if isinstance(error, FileMissing):
            self._missing.extend(error.problems)
        return True

    def without(self, paths: Collection[str]) -> Findings:
        """The same but for the problems at `paths`."""
        rest = Findings()
        rest.problems = [problem for problem in self.problems if problem.path not in paths]
        rest._missing = [problem for problem in self._missing if problem.path not in paths]
        return rest

    def raise_if_any(
        self, error_of: Callable[[Sequence[Problem]], ManifestError] = ManifestError
    ) -> None:
        """The error of all; FileMissing when nothing else is wrong than that files are missing."""
        if not self.problems:
            return
        error = error_of(self.problems)
        if len(self._missing) == len(self.problems):
            raise FileMissing(error.problems, subject=error.subject)
        raise error


class IdentityError(CalamariError):
    """The step cannot have the identity its manifest names; the step does not start.

    `is_lasting` says that another try while the step runs is no cure."""

    exit_code = EX_IDENTITY

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        trace: Sequence[TraceRow] = (),
        evidence: Sequence[str] = (),
        is_lasting: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.is_lasting = is_lasting
        self.trace = tuple(trace)
        self.evidence = tuple(evidence)


class LauncherNotFound(IdentityError):
    """Every credential source is absent."""


class SourceBroken(IdentityError):
    """A credential source is there and does not work: never passed over in silence."""


class PartialCredentials(SourceBroken):
    """Half a key pair."""


class RoleNotAssumable(IdentityError):
    """STS refused a hop. `role_arn` is the role, `reached` the ARNs of the sessions before it and
    `request_ids` STS's ids of the whole way."""

    def __init__(
        self,
        message: str,
        *,
        role_arn: str = "",
        reached: Sequence[str] = (),
        request_ids: Sequence[str] = (),
        hint: str | None = None,
        trace: Sequence[TraceRow] = (),
        evidence: Sequence[str] = (),
    ) -> None:
        super().__init__(message, hint=hint, trace=trace, evidence=evidence)
        self.role_arn = role_arn
        self.reached = tuple(reached)
        self.request_ids = tuple(request_ids)


class ExpectationNotMet(IdentityError):
    """The final credentials are not what ``expect`` says."""


class ToolMissing(CalamariError):
    """A program, an extra or a service that the step needs is not installed."""

    exit_code = EX_UNAVAILABLE


class CommandNotExecutable(CalamariError):
    """The interpreter or argv[0] was found and cannot be executed."""

    exit_code = EX_NOT_EXECUTABLE


class CommandNotFound(CalamariError):
    """The interpreter or argv[0] does not exist."""

    exit_code = EX_NOT_FOUND


class CloudError(CalamariError):
    """AWS answered with an error. `code` is AWS's own word for it (``AccessDenied``), `encoded` an
    authorization failure message that only ``sts:DecodeAuthorizationMessage`` can read."""

    exit_code = EX_FAILED

    def __init__(
        self,
        message: str,
        *,
        service: str,
        operation: str,
        code: str,
        request_id: str | None = None,
        status: int | None = None,
        evidence: Sequence[str] = (),
        hint: str | None = None,
        trace: Sequence[TraceRow] = (),
        encoded: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.trace = tuple(trace)
        self.encoded = encoded
        self.service = service
        self.operation = operation
        self.code = code
        self.request_id = request_id
        self.status = status
        self.evidence = tuple(evidence)


class Temporary(CloudError):
    """Throttled or unreachable for the whole budget; safe to run again."""

    exit_code = EX_TEMPORARY


class Indeterminate(CloudError):
    """Contact was lost while AWS goes on."""

    exit_code = EX_INDETERMINATE


class StackFailed(CloudError):
    """A stack did not reach the state it was asked to."""

    exit_code = EX_FAILED


class ToolFailed(CalamariError):
    """A tool that a step works with did not do what it was asked, or was not let do it. `evidence`
    are lines for people. `file` (an absolute path, where there is such) and `line` (from 1) are
    where the tool says that it lies, for programs: the message says so, too. One that `is_final`
    would come at each further attempt."""

    exit_code = EX_FAILED

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        evidence: Sequence[str] = (),
        file: str = "",
        line: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.evidence = tuple(evidence)
        self.file = file
        self.line = line
        self.is_final = False

    @property
    def place(self) -> str:
        """``file:line``, as far as known."""
        return Problem(message="", file=self.file, line=self.line).place if self.file else ""


class TimedOut(CalamariError):
    """A step that calamari carries out itself took longer than its manifest allows."""

    exit_code = EX_TIMED_OUT


class Cancelled(BaseException):
    """A signal told calamari to stop; the exit code is 128 plus its number.

    No `Exception`: it is raised inside libraries, which must not make an error of their own of it
    and try again.
    """

    def __init__(self, signum: int) -> None:
        self.message = f"cancelled by {signal.Signals(signum).name}"
        super().__init__(self.message)
        self.signum = signum


class OutputNotWritable(CalamariError):
    """Our own stdout or stderr takes no more, a full disk for example."""

    exit_code = EX_FAILED


class InternalError(CalamariError):
    """A defect in calamari."""

    exit_code = EX_INTERNAL


def exit_code_of(error: CalamariError | Cancelled) -> int:
    """The exit code that `error` means for the whole run."""
    if isinstance(error, Cancelled):
        return 128 + error.signum
    return error.exit_code
