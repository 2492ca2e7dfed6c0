"""ChildRuns: one execution of a step kind, with all that its child gets and is watched by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from calamari_py.delivery import DELIVERIES
from calamari_py.delivery.base import DeliveryContext
from calamari_py.environment import build_child_environment
from calamari_py.errors import (
    Cancelled,
    CommandNotExecutable,
    CommandNotFound,
    FileMissing,
    IdentityError,
)
from calamari_py.identity import AwsCredentials
from calamari_py.masking import Masked, SecretRegistry
from calamari_py.output.base import Reporter
from calamari_py.process import (
    Command,
    Isolation,
    Limits,
    ProcessExit,
    SignalInbox,
    StopReason,
)
from calamari_py.result import Usage
from calamari_py.runner.child import environment_spec
from calamari_py.runner.folders import ChildFolders
from calamari_py.runner.hiding import Hiding
from calamari_py.runner.identity import ResolvedIdentity
from calamari_py.runner.intake import Declared
from calamari_py.runner.keeper import IdentityKeeper
from calamari_py.runner.outbox import Outbox
from calamari_py.runner.output import MaskedSink
from calamari_py.runner.prepare import PreparedStep
from calamari_py.runner.record import RunRecord
from calamari_py.steps.base import KindEnvironment, StepContext, StepKind, StepOutcome


class RunCommand(Protocol):
    """The process door, as the runner opens it."""

    def __call__(
        self,
        command: Command,
        sink: MaskedSink,
        limits: Limits,
        inbox: SignalInbox,
        *,
        tell: Callable[[str], None],
    ) -> ProcessExit: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How one execution of a kind went. `faulty` says that output was withheld, `refused` why where
    it was for what was declared; `last_line` is what was written last."""

    outcome: StepOutcome
    faulty: bool
    refused: str | None
    usage: Usage
    last_line: Masked | None

    @property
    def stopped(self) -> StopReason | None:
        """Why calamari ended the child, if it did."""
        return self.outcome.exit.stopped if self.outcome.exit else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildRuns:
    """All that running a child of the step takes. `warn` and `note` take plain text and mask it;
    `outbox` holds what other threads have to say. With `terminal` the child writes to a pty, with
    `no_mask` its bytes are shown as they are; `by_hand` lets its daemons live, which somebody who
    works in a shell wants to keep."""

    step: PreparedStep
    keeper: IdentityKeeper
    outbox: Outbox
    environ: Mapping[str, str] = field(repr=False)
    folders: ChildFolders
    registry: SecretRegistry
    reporter: Reporter
    record: RunRecord
    inbox: SignalInbox
    run: RunCommand
    warn: Callable[[str], None]
    note: Callable[[str], None]
    interactive: bool = False
    terminal: bool = False
    isolate: bool = False
    no_mask: bool = False
    by_hand: bool = False
    declared: Declared = field(default_factory=Declared)
    hiding: Hiding = field(default_factory=Hiding)

    def execute(
        self,
        kind: StepKind,
        spec: Any,
        limits: Limits,
        *,
        name: str,
        names: Mapping[str, str],
        identity: ResolvedIdentity,
        unread: bool = False,
    ) -> Ran:
        """One execution of `kind`. `unread` lets it go on when nobody reads its output."""
        sink = self._sink(limits, unread=unread)
        usage = Usage()
        had_started = self.record.step_started

        def masked_run(command: Command) -> ProcessExit:
            nonlocal had_started, usage
            sink.begin()
            try:
                ended = self.run(
                    self._completed(command), sink, limits, self.inbox, tell=self._tell
                )
            except (CommandNotFound, CommandNotExecutable, FileMissing, Cancelled):
                # Without any process so far there is nothing to clean up after.
                self.record.step_started = had_started
                raise
            had_started = True
            usage += Usage(cpu=ended.cpu_time, peak_memory=ended.peak_memory)
            for process in ended.left_running:
                self.say(f"{process} was still running after the step and was ended")
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
                # A reader that went away is noticed by the last word at the latest.
                with suppress(BrokenPipeError):
                    self._say_what_waits()
        read = Usage(stdout=sink.bytes_read["stdout"], stderr=sink.bytes_read["stderr"])
        return Ran(
            outcome=outcome,
            faulty=sink.faulty,
            refused=sink.refused,
            usage=usage + read,
            last_line=sink.last_line(),
        )

    def say(self, text: str) -> None:
        """A warning once the child has ended: that nobody reads it must not cost what follows."""
        try:
            self.warn(text)
        except BrokenPipeError:
            self.record.reader_gone()

    def _sink(self, limits: Limits, *, unread: bool) -> MaskedSink:
        manifest = self.step.loaded.manifest
        return MaskedSink(
            registry=self.registry,
            channel=self.folders.channel,
            reporter=self.reporter,
            declared=self.declared,
            limit=manifest.output_limit,
            limits=limits,
            unread=unread,
            service_messages=manifest.service_messages,
            no_mask=self.no_mask,
            attend=self._say_what_waits,
        )

    def _completed(self, command: Command) -> Command:
        """The command with what the caller wants of every one."""
        if not self.by_hand:
            command = replace(command, marker="CALAMARI_TEMP")
        if self.interactive:
            command = replace(command, stdin="inherit")
        if self.terminal:
            command = replace(command, terminal=True)
        if self.isolate:
            hidden = self.hiding.paths(self.step.loaded, self.environ)
            command = replace(command, isolation=Isolation(hidden=hidden))
        return command

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

    def _tell(self, text: str) -> None:
        """A sentence for people who wait; nothing is wrong."""
        self.reporter.highlight(self.record.masked(text))

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
        if built.removed and not self.record.step_started:
            self.note("not passed on to the step: " + ", ".join(built.removed))
        return built.values
