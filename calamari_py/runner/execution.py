"""The child's side of the corridor: its folders, environment, attempts, ``finally``, leavings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from calamari_py.delivery import DELIVERIES
from calamari_py.delivery.base import DeliveryContext
from calamari_py.environment import build_child_environment
from calamari_py.errors import (
    CalamariError,
    Cancelled,
    CommandNotExecutable,
    CommandNotFound,
    FileMissing,
    IdentityError,
    Problem,
)
from calamari_py.identity import AwsCredentials
from calamari_py.masking import SecretRegistry
from calamari_py.output import format_seconds
from calamari_py.output.base import Reporter
from calamari_py.process import (
    Command,
    Isolation,
    Limits,
    ProcessExit,
    SignalInbox,
    StopReason,
)
from calamari_py.runner.child import environment_spec
from calamari_py.runner.collect import collect_artifacts, collect_outputs
from calamari_py.runner.folders import ChildFolders
from calamari_py.runner.hiding import Hiding
from calamari_py.runner.identity import ResolvedIdentity
from calamari_py.runner.keeper import IdentityKeeper
from calamari_py.runner.outbox import Outbox
from calamari_py.runner.output import Declared, MaskedSink
from calamari_py.runner.prepare import SCRIPT, PreparedStep
from calamari_py.runner.record import RunRecord
from calamari_py.steps import STEP_KINDS
from calamari_py.steps.base import KindEnvironment, StepContext, StepKind, StepOutcome

FINALLY_TIMEOUT = 300.0
"""Seconds a ``finally`` section may take unless it says otherwise."""
RETRY_DELAY = 10.0

RunCommand = Callable[[Command, MaskedSink, Limits, SignalInbox], ProcessExit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """All that running a prepared step takes. `warn` and `note` take plain text and mask it;
    `outbox` holds what other threads have to say."""

    step: PreparedStep
    keeper: IdentityKeeper
    outbox: Outbox
    environ: Mapping[str, str]
    folders: ChildFolders
    registry: SecretRegistry
    reporter: Reporter
    record: RunRecord
    inbox: SignalInbox
    run: RunCommand
    warn: Callable[[str], None]
    note: Callable[[str], None]
    interactive: bool = False
    isolate: bool = False
    artifacts: Path | None = None
    declared: Declared = field(default_factory=Declared)
    hiding: Hiding = field(default_factory=Hiding)

    def run_all(self) -> None:
        """The step, then ``finally`` whenever the step had started, then what they left."""
        self._create_channel()
        with closing(self.hiding):
            try:
                with self.record.timed("step"):
                    self._attempts()
            except (CalamariError, Cancelled) as error:
                self.record.ended_by(error)
                raise
            finally:
                if self.record.step_started:
                    self._note_failures()
                    if self.step.finally_spec is not None:
                        with self.record.timed("finally"):
                            self._finally()
                        self._note_failures()
                    self._collect()

    def _create_channel(self) -> None:
        loaded = self.step.loaded
        variables = {name: v.text for name, v in loaded.child_variables().items()}
        for name in self.folders.channel.create(variables):
            self.warn(
                f"variable '{name}' has a name too long for a file: it is only in "
                "CALAMARI_VARIABLES_JSON"
            )
        self.note(f"variables and declarations are kept in {self.folders.memory}")

    def _attempts(self) -> None:
        """Run the step, and again where it says that it is safe to repeat."""
        kind, manifest = self.step.kind, self.step.loaded.manifest
        limits = Limits(
            timeout=manifest.timeout,
            idle_timeout=manifest.idle_timeout,
            grace=kind.default_grace if manifest.grace is None else manifest.grace,
        )
        for attempt in range(1, manifest.retry.attempts + 1):
            # A later attempt may take as long as the first one might have taken.
            needed = 0.0 if attempt == 1 else limits.timeout or 0.0
            identity = self.keeper.current(at_least=needed)
            ended, faulty = self._execute(
                kind,
                self.step.spec,
                limits,
                name=f"attempt-{attempt}",
                names={"CALAMARI_ATTEMPT": str(attempt)},
                identity=identity,
            )
            self.record.child_ended(ended)
            self._say_timeout(ended, limits)
            if faulty:
                self.record.failed_after_success("masking failed and output was withheld")
            if manifest.retry.attempts > 1:
                self.record.attempts.append({"exit_code": ended.code})
            if not self._again(ended, attempt):
                return
            self._forget_attempt()

    def _again(self, ended: StepOutcome, attempt: int) -> bool:
        """Whether another attempt is due; waits for it."""
        retry = self.step.loaded.manifest.retry
        if attempt >= retry.attempts or ended.code not in retry.on_exit_codes:
            return False
        if ended.exit is not None and ended.exit.stopped is not None:
            return False
        if self.inbox.first is not None:
            raise Cancelled(self.inbox.first)
        delay = RETRY_DELAY if retry.delay is None else float(retry.delay)
        self.warn(
            f"attempt {attempt} of {retry.attempts} ended with code {ended.code}; "
            f"the next begins in {delay:.0f} s"
        )
        # A signal meanwhile raises Cancelled.
        time.sleep(delay)
        return True

    def _forget_attempt(self) -> None:
        """What a failed attempt left is not the step's."""
        self.declared.failures.clear()
        self.declared.artifacts.clear()
        self.folders.channel.clear_outputs()

    def _note_failures(self) -> None:
        """Who called ``fail_step`` has failed, whatever the code was."""
        for text in self.declared.failures:
            self.record.failed_after_success(text)
        self.declared.failures.clear()

    def _say_timeout(self, ended: StepOutcome, limits: Limits) -> None:
        stopped = ended.exit.stopped if ended.exit else None
        if stopped is StopReason.TIMEOUT and limits.timeout is not None:
            said = f"still running after {format_seconds(limits.timeout)} (timeout)"
        elif stopped is StopReason.IDLE_TIMEOUT and limits.idle_timeout is not None:
            said = f"no output for {format_seconds(limits.idle_timeout)} (idle_timeout)"
        else:
            return
        self.warn(f"{said}: the step was ended")
        hint = "see what it was waiting for, or allow it more time in the manifest"
        self.record.problems.append(Problem(message=said, hint=hint))

    def _finally(self) -> None:
        """``finally``: its own time limit, fresh credentials; it never hides the step's end."""
        section = self.step.loaded.manifest.finally_
        timeout = getattr(section, "timeout", None)
        script = STEP_KINDS[SCRIPT]
        try:
            with self.inbox.listening():
                identity = self.keeper.renewed()
            ended, faulty = self._execute(
                script,
                self.step.finally_spec,
                Limits(
                    timeout=FINALLY_TIMEOUT if timeout is None else timeout,
                    grace=script.default_grace,
                ),
                name="finally",
                names={
                    "CALAMARI_OUTCOME": str(self.record.outcome),
                    "CALAMARI_EXIT_CODE": str(self.record.exit_code),
                },
                identity=identity,
                unread=True,
            )
        except (CalamariError, Cancelled) as error:
            if isinstance(error, Cancelled):
                self.record.cancelled_after_success(error.signum)
            self._no_success(f"'finally' did not run to its end: {error}")
            return
        stopped = ended.exit.stopped if ended.exit else None
        if stopped is StopReason.SIGNAL and ended.exit is not None:
            self.record.cancelled_after_success(ended.exit.signum or 0)
        if ended.code != 0 or stopped is not None or faulty:
            why = f"ended with code {ended.code}"
            if stopped is StopReason.TIMEOUT:
                why = "timed out"
            elif faulty:
                why = "could not be masked, and its output was withheld"
            self._no_success(f"'finally' {why}")

    def _execute(
        self,
        kind: StepKind,
        spec: Any,
        limits: Limits,
        *,
        name: str,
        names: Mapping[str, str],
        identity: ResolvedIdentity,
        unread: bool = False,
    ) -> tuple[StepOutcome, bool]:
        """One execution of `kind`: how it ended, and whether masking failed on the way. `unread`
        lets it go on when nobody reads its output."""
        sink = MaskedSink(
            registry=self.registry,
            channel=self.folders.channel,
            reporter=self.reporter,
            declared=self.declared,
            limit=self.step.loaded.manifest.output_limit,
            unread=unread,
            attend=self._say_what_waits,
        )
        had_started = self.record.step_started

        def masked_run(command: Command) -> ProcessExit:
            nonlocal had_started
            if self.interactive:
                command = replace(command, stdin="inherit")
            if self.isolate:
                hidden = self.hiding.paths(self.step.loaded, self.environ)
                command = replace(command, isolation=Isolation(hidden=hidden))
            try:
                ended = self.run(command, sink, limits, self.inbox)
            except (CommandNotFound, CommandNotExecutable, FileMissing, Cancelled):
                # Without any process so far there is nothing to clean up after.
                self.record.step_started = had_started
                raise
            had_started = True
            for process in ended.left_running:
                self.warn(f"{process} was still running after the step and was ended")
            return ended

        with self._delivered(identity, name) as credential_names:
            context = StepContext(
                environment=self._child_environment(
                    identity,
                    credential_names,
                    {**self.folders.environment(), **names},
                    kind.environment(spec),
                ),
                private=self.folders.new(name),
                run=masked_run,
                warn=self.warn,
                credentials=self._credentials,
            )
            self.record.step_started = True
            try:
                outcome = kind.execute(spec, context)
            finally:
                self._say_what_waits()
        return outcome, sink.faulty

    @contextmanager
    def _delivered(self, identity: ResolvedIdentity, name: str) -> Iterator[Mapping[str, str]]:
        """The names by which the child gets its credentials, valid until it has ended."""
        deployment = identity.deployment
        if deployment is None:
            yield {}
            return
        context = DeliveryContext(
            current=self._credentials,
            private=self.folders.new(f"{name}-credentials"),
            register=lambda value, of: self.registry.add(value, name=of),
            tell=self.outbox.warn,
            region=identity.region,
            account=deployment.principal.account if deployment.principal else None,
        )
        with DELIVERIES[self.step.delivery].open(context) as names:
            yield names

    def _credentials(self) -> AwsCredentials:
        """The step's credentials as they are valid now."""
        deployment = self.keeper.current().deployment
        if deployment is None:
            raise IdentityError(
                "the step has no credentials (account: none)", hint="name an account"
            )
        return deployment.credentials

    def _say_what_waits(self) -> None:
        self.outbox.drain(warn=self.warn, note=self.note)

    def _child_environment(
        self,
        identity: ResolvedIdentity,
        credential_names: Mapping[str, str],
        names: Mapping[str, str],
        kind: KindEnvironment,
    ) -> Mapping[str, str]:
        """The complete mapping; names that were removed are told, their values never."""
        built = build_child_environment(
            environment_spec(
                self.step,
                identity,
                environ=self.environ,
                credential_names=credential_names,
                names=names,
                kind=kind,
            )
        )
        if built.removed:
            self.note("not passed on to the step: " + ", ".join(built.removed))
        return built.values

    def _collect(self) -> None:
        """Outputs and artifacts, also of a step that failed."""
        self.record.outputs.update(
            collect_outputs(
                self.folders.channel,
                sensitive=self.declared.sensitive_outputs,
                registry=self.registry,
                lost=self._no_success,
            )
        )
        self.record.artifacts.extend(
            collect_artifacts(
                self.declared.artifacts,
                folder=self.artifacts,
                registry=self.registry,
                warn=self.warn,
                lost=self._no_success,
                is_hidden=self.hiding.holds,
            )
        )

    def _no_success(self, text: str) -> None:
        """What belongs to the step went wrong: said, and a success is none."""
        self.warn(text)
        self.record.failed_after_success(text)
