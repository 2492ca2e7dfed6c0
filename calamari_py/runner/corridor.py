"""The corridor, read top to bottom: manifest, identity, late variables, child, result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from calamari_py import manifest
from calamari_py.aws import AwsSettings
from calamari_py.errors import CalamariError, Cancelled
from calamari_py.manifest import LoadedManifest
from calamari_py.output.base import Reporter
from calamari_py.process import SignalInbox
from calamari_py.result import StepResult
from calamari_py.runner.adhoc import ad_hoc_step
from calamari_py.runner.asked import check_isolation, check_no_mask, check_options
from calamari_py.runner.execution import Execution
from calamari_py.runner.folders import ChildFolders, open_folders
from calamari_py.runner.hiding import refuse_hidden
from calamari_py.runner.identity import (
    IdentityInputs,
    ResolvedIdentity,
    assume,
    find_launcher,
)
from calamari_py.runner.keeper import IdentityKeeper
from calamari_py.runner.last_words import LastWords
from calamari_py.runner.late import fetch_late
from calamari_py.runner.options import Doors, RunOptions, SandboxPort, with_sandbox
from calamari_py.runner.outbox import Outbox
from calamari_py.runner.policing import Policing
from calamari_py.runner.prepare import complete_step, prepare_step
from calamari_py.runner.prepared import PreparedStep, placed
from calamari_py.runner.record import RunRecord, masked_trace
from calamari_py.runner.region import region_of
from calamari_py.runner.report import forecast, identity_report, step_header, step_identity
from calamari_py.runner.rerun import rerun_of
from calamari_py.runner.targets import ResultFiles
from calamari_py.runner.trail import Trail
from calamari_py.runner.unmasked import unmasked_warnings


class Corridor:
    """One run on its way. Every stage is done before the next begins."""

    def __init__(
        self,
        options: RunOptions,
        reporter: Reporter,
        doors: Doors,
        record: RunRecord,
        inbox: SignalInbox,
    ) -> None:
        self.options = options
        self.reporter = reporter
        self.doors = doors
        self.record = record
        self.registry = record.registry
        self.inbox = inbox
        self.environ = options.environ
        self.sandbox: SandboxPort | None = None
        self.trail = Trail(None, mask=record.masked, now=doors.now)
        self.policing = Policing(None, self.trail)
        self.files = ResultFiles(options)
        self.last_words = LastWords(options, record=record, reporter=reporter, files=self.files)
        self.octopus_name: Callable[[str], str | None] = lambda _name: None
        self.stopped = False

    def walk(self) -> None:
        """From the manifest to the end of the child."""
        self.files.check()
        with self.opened(), ExitStack() as stack:
            step = self.prepare()
            check_isolation(self.options)
            self.announce(step.loaded)
            folders = stack.enter_context(open_folders(self.environ, self.inbox, warn=self.warn))
            inputs = self.identity_inputs(step)
            identity = self.identify(step, inputs)
            if step.loaded.late:
                step = self.fetch_late(step, identity)
            self.warn_of_unmasked(step.loaded)
            self.report_identity(step, identity)
            self.stop_if_told()
            self.execute(step, identity, inputs, folders)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """What the operator asks for, and the embedded AWS: there for all the stages."""
        policy = None
        if self.options.policy is not None:
            from calamari_py.policy import load_policy

            policy = load_policy(self.options.policy)
        if self.options.audit_log is not None:
            from calamari_py.audit import AuditLog

            log = AuditLog(self.options.audit_log)
            self.trail = Trail(log, mask=self.record.masked, now=self.doors.now)
        self.policing = Policing(policy, self.trail)
        with ExitStack() as stack:
            if self.doors.open_sandbox is not None:
                self.sandbox = stack.enter_context(self.doors.open_sandbox())
                self.environ = with_sandbox(self.environ, self.sandbox)
            yield

    def stop_if_told(self) -> None:
        """A signal that had to wait is a reason not to start."""
        if self.inbox.first is not None:
            raise Cancelled(self.inbox.first)

    def stop(self, error: CalamariError | Cancelled) -> None:
        """calamari itself ends the run, and says why."""
        self.stopped = True
        self.last_words.stopped_by(error)

    def finish(self) -> StepResult:
        """The outputs, the result files and the last event, on every way out."""
        return self.last_words.finish(self.octopus_name)

    # --- stages, in order -----------------------------------------------------------------------

    def prepare(self, *, tools_required: bool = True, warn_of_secrets: bool = True) -> PreparedStep:
        """The manifest and its spec; every secret is in the registry before the first line, and
        what the operator's policy does not allow is refused. `warn_of_secrets` says what is odd
        about them."""
        source = manifest.read_source(
            self.options.manifest, stdin=self.options.stdin, cwd=self.options.cwd
        )
        step = prepare_step(
            source,
            environ=self.environ,
            cwd=self.options.cwd,
            overrides=self.options.overrides,
            registry=self.registry,
            tools_required=tools_required,
            by_hand=self.options.by_hand or self.options.command is not None,
            wishes=self.options.wishes,
        )
        self.record.step = step.loaded.manifest.name
        self.octopus_name = step.kind.octopus_name
        self.trail.of_step(step.loaded.manifest)
        check_options(self.options, step)
        if self.options.isolate:
            refuse_hidden(step.loaded, self.environ)
        step = self.within_policy(step)
        if warning := check_no_mask(self.options, step.loaded.manifest):
            self.warn(warning)
        step = self.with_command(step)
        odd = self.registry.take_warnings() if warn_of_secrets else ()
        for warning in (*step.loaded.warnings, *step.warnings, *odd):
            self.warn(warning)
        for note in step.notes:
            self.note(note)
        return step

    def with_command(self, step: PreparedStep) -> PreparedStep:
        """The step, with the caller's command in its place where there is one."""
        if self.options.command is None:
            return step
        return ad_hoc_step(step, self.options.command, environ=self.environ)

    def within_policy(self, step: PreparedStep) -> PreparedStep:
        """The step within the operator's policy; PolicyRefused for what lies outside."""
        region, _ = self.region(step.loaded)
        endpoints = {
            name: url
            for name, url in self.environ.items()
            if name.startswith("AWS_ENDPOINT_URL") and self.sandbox is None
        }
        return self.policing.restricted(
            step, region=region, endpoints=endpoints, environ=self.environ
        )

    def region(self, loaded: LoadedManifest) -> tuple[str | None, str | None]:
        """The region and where it came from, as far as it is known before the launcher is."""
        return region_of(loaded.manifest, self.environ, sandbox=self.sandbox is not None)

    def warn_of_unmasked(self, loaded: LoadedManifest) -> None:
        """What the manifest leaves unmasked, once all that could hide it is known."""
        for warning in unmasked_warnings(loaded.variables, self.registry):
            self.warn(warning)

    def announce(self, loaded: LoadedManifest) -> None:
        """The first event of a valid step."""
        self.reporter.started(step_header(loaded.manifest, self.record.masked))

    def identity_inputs(self, step: PreparedStep) -> IdentityInputs:
        """Everything that decides who the step runs as."""
        loaded = step.loaded
        region, source = self.region(loaded)
        settings = AwsSettings.from_environ(
            self.environ, region=region, allow_http=self.options.allow_http_endpoint
        )
        for warning in settings.warnings:
            self.warn(warning)
        launcher = None
        if self.sandbox is not None:
            launcher = self.sandbox.launcher
            self.warn("sandbox: its launcher role replaces what 'account' says")
        return IdentityInputs(
            manifest=loaded.manifest,
            requests=step.requests,
            environ=self.environ,
            registry=self.registry,
            make_aws=partial(self.doors.make_aws, registry=self.registry, environ=self.environ),
            settings=settings,
            region_source=source,
            warn=self.warn,
            tell=lambda text: self.reporter.highlight(self.record.masked(text)),
            now=self.doors.now,
            check_region=partial(self.policing.check_region, subject=self.options.manifest),
            needs_region=not step.kind.starts_processes,
            launcher=launcher,
            name_launcher=self.options.trace_credentials,
        )

    def identify(self, step: PreparedStep, inputs: IdentityInputs) -> ResolvedIdentity:
        """The launcher, the hops and the guard; the result knows how far it came."""
        identity = None
        try:
            with self.record.timed("identity"), placed(step.loaded):
                identity = find_launcher(inputs)
                self.record.identity = step_identity(identity, self.record.masked)
                self.trail.launcher(identity)
                if self.options.trace_credentials:
                    self.reporter.trace(masked_trace(identity.trace, self.registry))
                identity = assume(identity, inputs)
        except CalamariError as error:
            self.trail.refused(error, identity)
            raise
        self.record.identity = step_identity(identity, self.record.masked)
        self.trail.assumed(identity)
        for warning in identity.aws.take_warnings():
            self.warn(warning)
        return identity

    def fetch_late(self, step: PreparedStep, identity: ResolvedIdentity) -> PreparedStep:
        """Variables read with the step's own credentials, registered before they are used."""
        with self.record.timed("variables"), placed(step.loaded):
            values = fetch_late(step.loaded.late, identity, self.registry)
            said = step.warnings
            step = complete_step(step, values, environ=self.environ, registry=self.registry)
            self.policing.check_roles(step)
            step = self.with_command(step)
            if self.options.isolate:
                refuse_hidden(step.loaded, self.environ)
        news = [warning for warning in step.warnings if warning not in said]
        for warning in (*news, *self.registry.take_warnings()):
            self.warn(warning)
        return step

    def report_identity(self, step: PreparedStep, identity: ResolvedIdentity) -> None:
        """The header: the last thing before the child; and whether its credentials will do."""
        now = identity.by_aws_clock(self.doors.now())
        self.reporter.identity(
            identity_report(
                step,
                identity,
                now=now,
                secrets=len(self.registry),
                masking_off=self.options.no_mask,
                mask=self.record.masked,
            )
        )
        if foreseen := forecast(step, identity, now=now):
            self.warn(foreseen)

    def execute(
        self,
        step: PreparedStep,
        identity: ResolvedIdentity,
        inputs: IdentityInputs,
        folders: ChildFolders,
    ) -> None:
        """The child, ``finally``, and what they leave."""
        outbox = Outbox()
        keeper = IdentityKeeper(identity, inputs, outbox=outbox, trail=self.trail)
        Execution(
            step=step,
            keeper=keeper,
            outbox=outbox,
            environ=self.environ,
            folders=folders,
            registry=self.registry,
            reporter=self.reporter,
            record=self.record,
            inbox=self.inbox,
            run=partial(self.doors.run, pulse=self.doors.pulse),
            warn=self.warn,
            note=self.note,
            interactive=self.options.interactive,
            terminal=self.options.terminal,
            isolate=self.options.isolate,
            no_mask=self.options.no_mask,
            by_hand=self.options.command is not None,
            artifacts=self.options.artifacts,
            pacing=self.doors.pacing,
            rerun=partial(
                rerun_of,
                self.options,
                step.loaded,
                self.registry,
                sandbox=self.sandbox is not None,
            ),
            check_role=partial(self.policing.check_role, step.loaded),
            fail_on_no_change=self.options.fail_on_no_change,
            detailed_exitcode=self.options.detailed_exitcode,
        ).run_all()

    # --- our own words --------------------------------------------------------------------------

    def warn(self, text: str) -> None:
        """A warning, masked."""
        self.reporter.warning(self.record.masked(text))

    def note(self, text: str) -> None:
        """A line for ``--verbose``, masked."""
        self.reporter.note(self.record.masked(text))
