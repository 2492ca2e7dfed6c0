"""KindRuns: what any kind is given, and one execution of a kind that tells what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from calamari_py.errors import (
    EX_FAILED,
    EX_OK,
    CalamariError,
    Cancelled,
    IdentityError,
    InternalError,
    TimedOut,
    exit_code_of,
)
from calamari_py.identity import AwsCredentials, partition_of
from calamari_py.masking import Masked, SecretRegistry
from calamari_py.output.base import Reporter
from calamari_py.process import Command, Limits, ProcessExit, SignalInbox, StopReason
from calamari_py.result import Usage
from calamari_py.runner.folders import ChildFolders
from calamari_py.runner.identity import ResolvedIdentity
from calamari_py.runner.intake import Declared
from calamari_py.runner.keeper import IdentityKeeper
from calamari_py.runner.outbox import Outbox
from calamari_py.runner.prepared import PreparedStep, placed
from calamari_py.runner.record import RunRecord
from calamari_py.runner.step_aws import StepAws
from calamari_py.runner.step_clock import Pacing, RunClock
from calamari_py.runner.step_report import RunReport
from calamari_py.steps.base import (
    Capture,
    Captured,
    LineReader,
    Rerun,
    StepContext,
    StepKind,
    StepOutcome,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How one execution of a kind went. `faulty` says that output was withheld, `refused` why where
    it was for what was declared; `last_line` is what was written last. `error` is what a kind that
    tells what it does itself ended with."""

    outcome: StepOutcome
    faulty: bool = False
    refused: str | None = None
    usage: Usage = field(default_factory=Usage)
    last_line: Masked | None = None
    error: CalamariError | None = None

    @property
    def stopped(self) -> StopReason | None:
        """Why calamari ended it, if it did."""
        if isinstance(self.error, TimedOut):
            return StopReason.TIMEOUT
        return self.outcome.exit.stopped if self.outcome.exit else None


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRuns:
    """All that running a kind of step takes, whether it has a child or works itself. `warn` and
    `note` take plain text and mask it; `outbox` holds what other threads have to say. `pacing` is
    how time passes for whoever waits without a child, `rerun` how a hint runs the step once more,
    `check_role` holds a role against the operator's policy, `artifacts` is where to put them, and
    `kept` what the kind itself remembers."""

    step: PreparedStep
    keeper: IdentityKeeper
    outbox: Outbox
    folders: ChildFolders
    registry: SecretRegistry
    reporter: Reporter
    record: RunRecord
    inbox: SignalInbox
    warn: Callable[[str], None]
    note: Callable[[str], None]
    pacing: Pacing = field(default_factory=Pacing)
    rerun: Callable[[], Rerun] = Rerun
    check_role: Callable[[str, str], None] = lambda _place, _arn: None
    declared: Declared = field(default_factory=Declared)
    artifacts: Path | None = None
    kept: dict[str, str] = field(default_factory=dict, repr=False)

    def work(
        self, kind: StepKind, spec: Any, limits: Limits, *, name: str, identity: ResolvedIdentity
    ) -> Ran:
        """One execution of a kind that works itself."""
        report = self.report(limits)
        context = replace(self.context(identity, report, limits, name=name), warn=report.warn)
        return self.carry_out(kind, spec, context, report)

    def carry_out(self, kind: StepKind, spec: Any, context: StepContext, report: RunReport) -> Ran:
        """One execution of a kind that tells what it does. An error of its own is a way to end,
        unless nothing was ever started; Cancelled passes through, and is what counts once a signal
        came that ended no process."""
        self.record.step_started = True
        self.record.in_progress()
        try:
            with placed(self.step.loaded):
                outcome = kind.execute(spec, context)
        except CalamariError as error:
            if not self.record.step_started:
                raise
            if self.inbox.first is not None:
                self.say(f"{error}, after the signal to stop")
                raise Cancelled(self.inbox.first) from error
            return Ran(outcome=StepOutcome(code=exit_code_of(error)), error=error)
        finally:
            report.close()
            # A reader that went away is noticed by the last word at the latest.
            with suppress(BrokenPipeError):
                self.say_what_waits()
        was_stopped = outcome.exit is not None and outcome.exit.stopped is not None
        if self.inbox.first is not None and not was_stopped:
            raise Cancelled(self.inbox.first)
        if report.failed and outcome.code == EX_OK:
            outcome = replace(outcome, code=EX_FAILED)
        return Ran(outcome=outcome)

    def report(self, limits: Limits) -> RunReport:
        """What a kind says goes here."""
        return RunReport(
            reporter=self.reporter,
            record=self.record,
            declared=self.declared,
            attend=self.say_what_waits,
            artifacts=self.artifacts,
            timeout=limits.timeout,
            monotonic=self.pacing.monotonic,
        )

    def context(
        self,
        identity: ResolvedIdentity,
        report: RunReport,
        limits: Limits,
        *,
        name: str,
        run: Callable[[Command], ProcessExit] | None = None,
        read: Callable[[Command, LineReader], ProcessExit] | None = None,
        capture: Capture | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> StepContext:
        """What a kind is given; without `environment` for one that starts no process. The doors
        that are not named here are closed to it."""
        principal = identity.deployment.principal if identity.deployment else None
        region = identity.region or ""
        return StepContext(
            environment=environment or {},
            private=self.folders.new(name),
            temp=self.folders.new_temp(name),
            kept=self.kept,
            run=run or _no_run,
            read=read or _no_read,
            capture=capture or _no_capture,
            warn=self.warn,
            credentials=self.credentials,
            aws=StepAws(
                identity.aws,
                current=self.credentials,
                renewed=self._renewed,
                # Said with the next word: an answer must not be lost to a reader that went away.
                warn=self.outbox.warn,
                region=region,
                account=principal.account if principal else None,
                partition=principal.partition if principal else partition_of(region),
                arn=principal.arn if principal else None,
                role=str(self.step.requests[-1].role) if self.step.requests else None,
            ),
            report=report,
            clock=RunClock(
                self.pacing,
                now=lambda: identity.by_aws_clock(self.record.now()),
                attend=report.attend,
            ),
            timeout=limits.timeout,
            rerun=self.rerun,
            check_role=self.check_role,
        )

    def say(self, text: str) -> None:
        """A warning once the child has ended: that nobody reads it must not cost what follows."""
        try:
            self.warn(text)
        except BrokenPipeError:
            self.record.reader_gone()

    def credentials(self) -> AwsCredentials:
        """The step's credentials as they are valid now."""
        return _credentials_of(self.keeper.current())

    def _renewed(self) -> AwsCredentials:
        """The step's credentials, obtained just now."""
        return _credentials_of(self.keeper.renewed())

    def say_what_waits(self) -> None:
        """Say what other threads have left."""
        self.outbox.drain(warn=self.warn, note=self.note)


def _credentials_of(identity: ResolvedIdentity) -> AwsCredentials:
    if identity.deployment is None:
        message = "the step has no credentials (account: none)"
        raise IdentityError(message, hint="name an account", is_lasting=True)
    return identity.deployment.credentials


def _no_run(command: Command) -> NoReturn:
    raise InternalError(f"a kind that starts no process would run '{command.argv[0]}'")


def _no_read(command: Command, _reader: LineReader) -> NoReturn:
    raise InternalError(f"a kind that reads no output would read '{command.argv[0]}'")


def _no_capture(command: Command, *, last_words: float | None = None) -> Captured:  # noqa: ARG001
    raise InternalError(f"a kind that reads no output would capture '{command.argv[0]}'")
