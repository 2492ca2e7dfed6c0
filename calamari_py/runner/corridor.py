"""The corridor, read top to bottom: manifest, identity, late variables, child, result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from calamari_py import manifest
from calamari_py.aws import AwsSettings
from calamari_py.errors import (
    CalamariError,
    Cancelled,
    OutputNotWritable,
    PolicyRefused,
    Problem,
    UsageError,
)
from calamari_py.manifest import LoadedManifest
from calamari_py.manifest.types import StepManifest
from calamari_py.output.base import Reporter
from calamari_py.process import SignalInbox
from calamari_py.result import StepResult
from calamari_py.runner.adhoc import ad_hoc_step
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
from calamari_py.runner.late import fetch_late
from calamari_py.runner.options import Doors, RunOptions, SandboxPort, with_sandbox
from calamari_py.runner.outbox import Outbox
from calamari_py.runner.prepare import PreparedStep, complete_step, placed, prepare_step
from calamari_py.runner.publish import Publication
from calamari_py.runner.record import RunRecord, masked_trace
from calamari_py.runner.region import region_of
from calamari_py.runner.report import forecast, identity_report, step_header, step_identity
from calamari_py.runner.rerun import rerun_of
from calamari_py.runner.targets import ResultFiles
from calamari_py.runner.trail import Trail
from calamari_py.runner.unmasked import unmasked_warnings
from calamari_py.runner.wishes import check_change_options, check_process_options

if TYPE_CHECKING:
    from calamari_py.policy import OperatorPolicy


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
        self.policy: OperatorPolicy | None = None
        self.trail = Trail(None, mask=record.masked, now=doors.now)
        self.files = ResultFiles(options)
        self.octopus_name: Callable[[str], str | None] = lambda _name: None
        self.stopped = False

    def walk(self) -> None:
        """From the manifest to the end of the child."""
        self.files.check()
        with self.opened(), ExitStack() as stack:
            step = self.prepare()
            self.check_isolation()
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
        if self.options.policy is not None:
            from calamari_py.policy import load_policy

            self.policy = load_policy(self.options.policy)
        if self.options.audit_log is not None:
            from calamari_py.audit import AuditLog

            log = AuditLog(self.options.audit_log)
            self.trail = Trail(log, mask=self.record.masked, now=self.doors.now)
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
        failure = self.record.stopped_by(error)
        if failure is not None:
            self._tell(self.reporter.failed, failure)

    def finish(self) -> StepResult:
        """The outputs, the result files and the last event, on every way out."""
        publication = Publication(
            record=self.record,
            reporter=self.reporter,
            environ=self.options.environ,
            warn=self._complain,
            tell=self._highlight,
            fail=self._fail,
            artifacts=self.options.artifacts,
            octopus_name=self.octopus_name,
        )
        publication.outputs()
        self.files.write(self.record, fail=self._fail)
        publication.summary()
        result = self.record.result()
        if not self._tell(self.reporter.finished, result):
            # What the files say and the exit code must not differ.
            self.files.write(self.record, fail=self._fail)
            result = self.record.result()
        return result

    def _tell(self, say: Callable[[Any], None], what: Any) -> bool:
        """Say one of the last words; whether it arrived. The result is owed all the same."""
        try:
            say(what)
        except BrokenPipeError:
            self.record.reader_gone()
        except OutputNotWritable as error:
            # Nobody can be told but the reader of the result file.
            self.record.failed_after_success(error.message)
        else:
            return True
        return False

    def _complain(self, text: str) -> None:
        self._tell(self.warn, text)

    def _fail(self, text: str, hint: str | None) -> None:
        setback = self.record.failed_after_success(text, hint)
        self._tell(lambda told: self.reporter.setback(told.message, told.hint), setback)

    def _highlight(self, text: str) -> None:
        self._tell(self.reporter.highlight, self.record.masked(text))

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
        self.check_options(step)
        if self.options.isolate:
            refuse_hidden(step.loaded, self.environ)
        if self.policy is not None:
            step = self.allowed(step, self.policy)
        self.check_no_mask(step.loaded.manifest)
        step = self.with_command(step)
        odd = self.registry.take_warnings() if warn_of_secrets else ()
        for warning in (*step.loaded.warnings, *step.warnings, *odd):
            self.warn(warning)
        for note in step.notes:
            self.note(note)
        return step

    def check_options(self, step: PreparedStep) -> None:
        """UsageError for what the step's kind has no use for. A command in its place is a process,
        whatever the step is."""
        options = self.options
        if options.command is not None:
            return
        asked = {
            "--interactive": options.interactive,
            "--isolate": options.isolate,
            "--pty on": options.terminal_asked,
            "--no-mask": options.no_mask,
        }
        check_process_options(step.kind, asked, reads=step.reads)
        asked_of_changes = {
            "--fail-on-no-change": options.fail_on_no_change,
            "--detailed-exitcode": options.detailed_exitcode,
        }
        check_change_options(step.kind, asked_of_changes, knows=step.knows_changes)

    def check_isolation(self) -> None:
        """What keeps this machine from isolating anything, once it is known that it would have
        to."""
        if self.options.isolate:
            from calamari_py.process.isolate import require_isolation

            require_isolation()

    def check_no_mask(self, step: StepManifest) -> None:
        """``--no-mask`` is refused where the manifest does not allow it, and said where it does."""
        if not self.options.no_mask:
            return
        if not step.allow_no_mask:
            raise UsageError(
                f"--no-mask is refused: the manifest of '{step.name}' does not allow it",
                hint="run without --no-mask; a manifest allows it with 'allow_no_mask: true'",
            )
        self.warn("--no-mask: the output of the step is shown as it is, with every secret in it")

    def with_command(self, step: PreparedStep) -> PreparedStep:
        """The step, with the caller's command in its place where there is one."""
        if self.options.command is None:
            return step
        return ad_hoc_step(step, self.options.command, environ=self.environ)

    def allowed(self, step: PreparedStep, policy: OperatorPolicy) -> PreparedStep:
        """The step within the operator's policy; PolicyRefused for what lies outside."""
        region, _ = self.region(step.loaded)
        endpoints = {
            name: url
            for name, url in self.environ.items()
            if name.startswith("AWS_ENDPOINT_URL") and self.sandbox is None
        }
        problems = policy.check(
            step.loaded.manifest,
            step.requests,
            region=region,
            endpoints=endpoints,
            environ=self.environ,
        )
        self.refuse([*problems, *self.roles_refused(step, policy)], step.loaded)
        return replace(step, requests=policy.restrict(step.requests))

    def roles_refused(self, step: PreparedStep, policy: OperatorPolicy) -> list[Problem]:
        """What `policy` says of the roles that the step's kind hands to AWS, as far as they are
        known."""
        if step.spec is None:
            return []
        roles = step.kind.roles(step.spec)
        return policy.check_roles(role for role in roles if role[0] not in step.loaded.late_paths)

    def check_role(self, loaded: LoadedManifest, path: str, arn: str) -> None:
        """PolicyRefused for a role that only AWS knew of, and that lies outside."""
        if self.policy is not None:
            self.refuse(self.policy.check_roles([(path, arn)]), loaded)

    def refuse(self, problems: Sequence[Problem], loaded: LoadedManifest) -> None:
        """PolicyRefused, noted and with its places, where there are `problems`."""
        if not problems:
            return
        refused = PolicyRefused(problems)
        self.trail.refused(refused)
        with placed(loaded):
            raise refused

    def region(self, loaded: LoadedManifest) -> tuple[str | None, str | None]:
        """The region and where it came from, as far as it is known before the launcher is."""
        return region_of(loaded.manifest, self.environ, sandbox=self.sandbox is not None)

    def settings(self, region: str | None) -> AwsSettings:
        """How AWS is reached."""
        return AwsSettings.from_environ(
            self.environ, region=region, allow_http=self.options.allow_http_endpoint
        )

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
        settings = self.settings(region)
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
            check_region=self.check_region,
            needs_region=not step.kind.starts_processes,
            launcher=launcher,
            name_launcher=self.options.trace_credentials,
        )

    def check_region(self, region: str) -> None:
        """A region that only the launcher's source knew is held against the policy, too."""
        if self.policy is not None and (problems := self.policy.check_region(region)):
            raise PolicyRefused(problems, subject=self.options.manifest)

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
            if self.policy is not None:
                self.refuse(self.roles_refused(step, self.policy), step.loaded)
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
            check_role=partial(self.check_role, step.loaded),
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
