"""ChildRuns: one execution of a step kind, with all that its children get and are watched by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from calamari_py.delivery import DELIVERIES
from calamari_py.delivery.base import DeliveryContext
from calamari_py.environment import build_child_environment
from calamari_py.errors import Cancelled
from calamari_py.process import Command, Isolation, Limits, ProcessExit
from calamari_py.result import Usage
from calamari_py.runner.child import environment_spec
from calamari_py.runner.hiding import Hiding
from calamari_py.runner.identity import ResolvedIdentity
from calamari_py.runner.intake import Intake
from calamari_py.runner.kind_runs import KindRuns, Ran
from calamari_py.runner.outlet import Outlet
from calamari_py.runner.output import MaskedSink
from calamari_py.runner.processes import Processes, RunCommand
from calamari_py.runner.step_report import RunReport
from calamari_py.runner.tool_runs import ToolRuns
from calamari_py.steps.base import KindEnvironment, StepContext, StepKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildRuns(KindRuns):
    """All that running children of the step takes, beside what any kind is given. With `terminal`
    the child writes to a pty, with `no_mask` its bytes are shown as they are; `by_hand` lets its
    daemons live, which somebody who works in a shell wants to keep."""

    environ: Mapping[str, str] = field(repr=False)
    run: RunCommand
    interactive: bool = False
    terminal: bool = False
    isolate: bool = False
    no_mask: bool = False
    by_hand: bool = False
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
        equip: Callable[[StepContext], Mapping[str, str]] = lambda _: {},
    ) -> Ran:
        """One execution of `kind`. `unread` lets it go on when nobody reads its output; `equip`
        gives what joins its environment, where it is shown."""
        if not kind.starts_processes:
            return self.work(kind, spec, limits, name=name, identity=identity)
        if kind.reads(spec):
            return self._read_and_told(
                kind, spec, limits, name=name, names=names, identity=identity
            )
        sink, processes = self._sink(limits, unread=unread), self._processes()

        def masked_run(command: Command) -> ProcessExit:
            sink.begin()
            return processes.run(self._completed(command), sink, limits, self.inbox)

        with self._environment(kind, spec, identity, name, names) as environment:
            context = self.context(
                identity,
                self.report(limits),
                limits,
                name=name,
                run=masked_run,
                environment=environment,
            )
            self.record.step_started = True
            try:
                more = equip(context)
                context = replace(context, environment={**context.environment, **more})
                outcome = kind.execute(spec, context)
            finally:
                # A reader that went away is noticed by the last word at the latest.
                with suppress(BrokenPipeError):
                    self.say_what_waits()
        return Ran(
            outcome=outcome,
            faulty=sink.faulty,
            refused=sink.refused,
            usage=processes.usage + Usage(**sink.bytes_read),
            last_line=sink.last_line(),
        )

    def _read_and_told(
        self,
        kind: StepKind,
        spec: Any,
        limits: Limits,
        *,
        name: str,
        names: Mapping[str, str],
        identity: ResolvedIdentity,
    ) -> Ran:
        """One execution of a kind that reads what its children write, and tells it itself."""
        report, processes = self.report(limits), self._processes()
        tools = ToolRuns(
            processes=processes,
            complete=self._watched,
            limits=limits,
            inbox=self.inbox,
            monotonic=self.pacing.monotonic,
            listen=self._listening(report),
            warn=report.warn,
        )
        with self._environment(kind, spec, identity, name, names) as environment:
            context = self.context(
                identity,
                report,
                limits,
                name=name,
                read=tools.read,
                capture=tools.capture,
                environment=environment,
            )
            try:
                ran = self.carry_out(kind, spec, replace(context, warn=report.warn), report)
            except Cancelled:
                self.record.step_started = processes.had_started
                self.record.usage += processes.usage
                raise
        return replace(
            ran,
            faulty=report.texts.faulty,
            refused=report.texts.refused,
            usage=processes.usage,
            last_line=report.last_line(),
        )

    def _processes(self) -> Processes:
        return Processes(
            door=self.run,
            record=self.record,
            tell=self._tell,
            say=self.say,
            had_started=self.record.step_started,
        )

    def _listening(self, report: RunReport) -> Callable[[], None]:
        """What is called before anything is read: what other threads have to say is said, and what
        the step's children declare is taken in."""
        intake = Intake(
            registry=self.registry,
            declared=self.declared,
            outlet=Outlet(self.reporter, self.registry, unread=True),
            withhold=report.texts.withhold,
        )

        def listen() -> None:
            report.attend()
            for declaration in self.folders.channel.take():
                intake.accept(declaration)
            for warning in self.registry.take_warnings():
                report.warn(warning)

        return listen

    @contextmanager
    def _environment(
        self,
        kind: StepKind,
        spec: Any,
        identity: ResolvedIdentity,
        name: str,
        names: Mapping[str, str],
    ) -> Iterator[Mapping[str, str]]:
        """The complete environment of the step's children, credentials among it, while they are
        valid."""
        with self._delivered(identity, name) as credential_names:
            yield self._child_environment(
                identity,
                credential_names,
                {**self.folders.environment(), **names},
                kind.environment(spec),
            )

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
            attend=self.say_what_waits,
        )

    def _completed(self, command: Command) -> Command:
        """The command with what the caller wants of one whose output is shown."""
        if self.interactive:
            command = replace(command, stdin="inherit")
        if self.terminal:
            command = replace(command, terminal=True)
        return self._watched(command)

    def _watched(self, command: Command) -> Command:
        """The command with what the caller wants of every one."""
        if not self.by_hand:
            command = replace(command, marker="CALAMARI_TEMP")
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
            current=self.credentials,
            private=self.folders.new(f"{name}-credentials"),
            register=lambda value, of: self.registry.add(value, name=of),
            tell=self.outbox.warn,
            region=identity.region,
            account=deployment.principal.account if deployment.principal else None,
        )
        with DELIVERIES[self.step.delivery].open(context) as names:
            yield names

    def _tell(self, text: str) -> None:
        """A sentence for people who wait; nothing is wrong."""
        self.reporter.highlight(self.record.masked(text))

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
