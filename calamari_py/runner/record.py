"""RunRecord: the facts of one run as they come in, and the StepResult they make at any moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from calamari_py.errors import (
    EX_FAILED,
    EX_INTERNAL,
    EX_OK,
    EX_TIMED_OUT,
    CalamariError,
    Cancelled,
    CloudError,
    IdentityError,
    Indeterminate,
    ManifestError,
    Problem,
    TimedOut,
    ToolFailed,
    TraceRow,
    exit_code_of,
)
from calamari_py.masking import Masked, SecretRegistry
from calamari_py.output.base import Failure, MaskedProblem
from calamari_py.process import StopReason
from calamari_py.result import (
    Attempt,
    MaskingRecord,
    Outcome,
    OutputVariable,
    StepIdentity,
    StepResult,
    Usage,
)
from calamari_py.runner.masked import mask_fields
from calamari_py.steps.base import StepOutcome

EX_CHANGES = 2
"""What ``--detailed-exitcode`` makes of a success with changes: as ``terraform plan`` does."""

READER_GONE_CODE = 141
"""128 + SIGPIPE: nobody reads our output any more."""

_REFUSED_HINT = "correct how the step declares what is to be masked: see docs/scripts.md"
_FAULT_HINT = "see what the step did before it is run again, and report this with its warnings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setback:
    """What keeps a step from having succeeded, and what to do next; masked."""

    message: Masked
    hint: Masked | None = None


@dataclass(slots=True, kw_only=True)
class RunRecord:
    """What is known of a run. `step` is the manifest's source until its name is known; `unmasked`
    are the secrets that its output shows, by name, with the reason. `ending` and `details` are a
    kind's own words, masked only in the result: what was no secret then may be one by now."""

    step: str
    registry: SecretRegistry
    now: Callable[[], datetime]
    started_at: datetime
    identity: StepIdentity = field(default_factory=StepIdentity)
    outcome: Outcome = Outcome.NOT_STARTED
    exit_code: int = EX_FAILED
    exit_origin: str = "calamari"
    changed: bool | None = None
    pending: bool = False
    outputs: dict[str, OutputVariable] = field(default_factory=dict)
    artifacts: list[str] = field(default_factory=list)
    durations: dict[str, float] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    masking_off: bool = False
    unmasked: Mapping[str, str] = field(default_factory=dict)
    step_started: bool = False
    ending: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    _in_doubt: bool = False

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the seconds of the block to `durations`."""
        start = time.monotonic()
        try:
            yield
        finally:
            spent = time.monotonic() - start
            self.durations[phase] = round(self.durations.get(phase, 0.0) + spent, 3)

    def in_progress(self) -> None:
        """A kind that works itself begins: should it end as nobody foresaw, it has failed."""
        self._set(Outcome.FAILED, EX_INTERNAL, "calamari")

    def child_ended(self, ended: StepOutcome) -> None:
        """The step's own end: the child's code, unless calamari was told to stop it. Of one that
        was stopped counts what it had said of changes before."""
        stopped = ended.exit.stopped if ended.exit else None
        if stopped is None or ended.changed is not None:
            self.note_changed(ended.changed)
        self.pending = ended.pending
        if stopped in {StopReason.TIMEOUT, StopReason.IDLE_TIMEOUT}:
            self._set(Outcome.TIMED_OUT, EX_TIMED_OUT, "calamari")
        elif stopped is StopReason.SIGNAL:
            assert ended.exit is not None
            self._set(Outcome.CANCELLED, 128 + (ended.exit.signum or 0), "calamari")
        elif stopped is StopReason.READER_GONE:
            self._set(Outcome.CANCELLED, READER_GONE_CODE, "calamari")
        else:
            succeeded = ended.code == EX_OK
            origin = "child" if ended.exit else "calamari"
            self._set(Outcome.SUCCEEDED if succeeded else Outcome.FAILED, ended.code, origin)

    def note_changed(self, done: bool | None) -> None:
        """Whether something was changed, as far as it is known by now. What an attempt has changed
        stays changed, whatever the next one finds; nor can that one say that nothing was changed
        where nobody knows of an earlier one."""
        if not self.changed:
            self.changed = None if self._in_doubt and done is False else done

    def forget_attempt(self) -> None:
        """Another attempt comes: what the last one said of its end is not the step's."""
        self._in_doubt |= self.changed is None
        self.details.clear()
        self.ending = None

    def has_changes(self) -> None:
        """``--detailed-exitcode``: a success that changed something, or found something to
        change."""
        self._set(Outcome.SUCCEEDED, EX_CHANGES, "calamari")

    def note_setback(self, message: str, hint: str | None = None) -> Setback:
        """What went wrong, for the result; returns it masked, to be told."""
        return self._noted(
            Setback(message=self.masked(message), hint=self.masked(hint) if hint else None)
        )

    def failed_after_success(self, message: str, hint: str | None = None) -> Setback:
        """Something of ours failed after the child had succeeded; never replaces a failure. As
        `note_setback`."""
        self._no_success()
        return self.note_setback(message, hint)

    def output_withheld(self, refused: str | None) -> Setback:
        """Output of the step could not be masked: `refused` is what it declared and nobody could
        read, None where masking itself failed. As `note_setback`."""
        self._no_success()
        if refused is not None:
            return self.note_setback(f"output was withheld: {refused}", _REFUSED_HINT)
        # Ours to the last word: where masking is broken nothing else would come through.
        message = Masked("masking failed and output was withheld")
        return self._noted(Setback(message=message, hint=Masked(_FAULT_HINT)))

    def reader_gone(self) -> None:
        """Nobody reads our output any more: the run ends like a command whose pipe was closed.
        What had gone wrong before stays what it was."""
        if self.outcome in {Outcome.SUCCEEDED, Outcome.NOT_STARTED}:
            self._set(Outcome.CANCELLED, READER_GONE_CODE, "calamari")

    def cancelled_after_success(self, signum: int) -> None:
        """A signal ended what follows the step; never replaces a failure."""
        if self.outcome is Outcome.SUCCEEDED:
            self._set(Outcome.CANCELLED, 128 + signum, "calamari")

    def ended_by(self, error: CalamariError | Cancelled) -> None:
        """calamari itself ends the run: what that means for its outcome."""
        if isinstance(error, Cancelled):
            outcome = Outcome.CANCELLED
        elif isinstance(error, Indeterminate):
            outcome = Outcome.INDETERMINATE
        elif isinstance(error, TimedOut):
            outcome = Outcome.TIMED_OUT
        else:
            outcome = Outcome.FAILED if self.step_started else Outcome.NOT_STARTED
        self._set(outcome, exit_code_of(error), "calamari")

    def stopped_by(self, error: CalamariError | Cancelled) -> Failure | None:
        """The same at the end of the run; what to tell, None for a cancel (it explains itself)."""
        self.ended_by(error)
        if isinstance(error, Cancelled):
            return None
        failure = failure_of(error, self.registry)
        if failure.problems:
            self.problems.extend(
                Problem(message=p.message, path=p.path, file=p.place, hint=p.hint)
                for p in failure.problems
            )
        else:
            self.problems.append(
                Problem(message=failure.message, file=failure.place or "", hint=failure.hint)
            )
        return failure

    def result(self) -> StepResult:
        """The record as it stands."""
        ended_at = self.now()
        total = (ended_at - self.started_at).total_seconds()
        return StepResult(
            step=self.masked(self.step),
            outcome=self.outcome,
            exit_code=self.exit_code,
            exit_origin=self.exit_origin,
            started_at=self.started_at,
            ended_at=ended_at,
            changed=self.changed,
            pending=self.pending,
            identity=self.identity,
            outputs=dict(self.outputs),
            artifacts=tuple(self.artifacts),
            durations={**self.durations, "total": round(total, 3)},
            problems=tuple(self.problems),
            usage=self.usage,
            masking=self._masking(),
            attempts=tuple(self.attempts),
            ending=self.masked(self.ending) if self.ending else None,
            details=mask_fields(self.details, self.masked),
        )

    def _masking(self) -> MaskingRecord:
        """Names may hold a secret; those that look the same when masked count together."""
        hits: dict[str, int] = {}
        for name, count in self.registry.hits.items():
            shown = str(self.masked(name))
            hits[shown] = hits.get(shown, 0) + count
        unmasked = {**self.registry.skipped, **self.unmasked}
        return MaskingRecord(
            off=self.masking_off,
            hits=hits,
            unmasked={self.masked(name): self.masked(why) for name, why in unmasked.items()},
        )

    def masked(self, text: str) -> Masked:
        """`text` with every secret masked."""
        return self.registry.mask_text(text)

    def _noted(self, setback: Setback) -> Setback:
        self.problems.append(Problem(message=setback.message, hint=setback.hint))
        return setback

    def _no_success(self) -> None:
        if self.outcome is Outcome.SUCCEEDED:
            self._set(Outcome.FAILED, EX_FAILED, "calamari")

    def _set(self, outcome: Outcome, code: int, origin: str) -> None:
        self.outcome, self.exit_code, self.exit_origin = outcome, code, origin


def failure_of(error: CalamariError, registry: SecretRegistry) -> Failure:
    """`error` as a reporter is told of it, masked."""
    mask = registry.mask_text
    problems = error.problems if isinstance(error, ManifestError) else ()
    trace = error.trace if isinstance(error, (IdentityError, CloudError)) else ()
    evidence = getattr(error, "evidence", ())
    place = error.place if isinstance(error, ToolFailed) else ""
    return Failure(
        message=mask(error.message),
        hint=mask(error.hint) if error.hint else None,
        place=mask(place) if place else None,
        problems=tuple(
            MaskedProblem(
                message=mask(problem.message),
                path=mask(problem.path),
                place=mask(problem.place),
                hint=mask(problem.hint) if problem.hint else None,
            )
            for problem in problems
        ),
        trace=masked_trace(trace, registry),
        evidence=tuple(mask(line) for line in evidence),
        exit_code=exit_code_of(error),
    )


def masked_trace(rows: tuple[TraceRow, ...], registry: SecretRegistry) -> tuple[TraceRow, ...]:
    """The trace with every text masked."""
    return tuple(
        TraceRow(
            source=row.source,
            present=row.present,
            tried=row.tried,
            result=row.result,
            why=registry.mask_text(row.why),
            milliseconds=row.milliseconds,
            used=row.used,
        )
        for row in rows
    )
