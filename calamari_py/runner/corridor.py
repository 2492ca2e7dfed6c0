"""The corridor, read top to bottom: manifest, identity, late variables, child, result."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from calamari_py import __version__, manifest
from calamari_py.aws import AwsSettings
from calamari_py.errors import (
    CalamariError,
    Cancelled,
    Findings,
    InternalError,
    OutputNotWritable,
    UsageError,
)
from calamari_py.manifest import LoadedManifest
from calamari_py.masking import SecretRegistry
from calamari_py.output.base import IdentityReport, Reporter, StepHeader
from calamari_py.process import SignalInbox
from calamari_py.result import (
    StepIdentity,
    StepResult,
    check_result_target,
    write_outputs,
    write_result,
)
from calamari_py.runner.collect import prepare_artifacts_folder
from calamari_py.runner.defect import save_defect
from calamari_py.runner.execution import ChildFolders, Execution, open_folders
from calamari_py.runner.identity import (
    IdentityInputs,
    ResolvedIdentity,
    assume,
    find_launcher,
)
from calamari_py.runner.late import fetch_late
from calamari_py.runner.options import Doors, RunOptions, SandboxPort, region_of, with_sandbox
from calamari_py.runner.prepare import PreparedStep, complete_step, prepare_step
from calamari_py.runner.record import RunRecord, masked_trace


def run_step(options: RunOptions, reporter: Reporter, doors: Doors | None = None) -> StepResult:
    """Run one step. Never raises for what can go wrong in a run: the result says it."""
    doors = doors or Doors()
    registry = SecretRegistry(short_secrets=options.short_secrets)
    record = RunRecord(
        step=options.manifest, registry=registry, now=doors.now, started_at=doors.now()
    )
    with SignalInbox(install=doors.install_signals) as inbox, doors.pulse.heeding(inbox):
        corridor = _Corridor(options, reporter, doors, record, inbox)
        try:
            corridor.walk()
        except (CalamariError, Cancelled) as error:
            # A signal now has nothing left to stop, and must not cost the result.
            with inbox.queued():
                corridor.stop(_cancelled_instead(error, record, inbox))
        except BrokenPipeError:
            record.reader_gone()
        except Exception as error:  # noqa: BLE001  the edge of a run: its result is still owed
            with inbox.queued():
                corridor.stop(_cancelled_instead(_defect(error, registry), record, inbox))
        with inbox.queued():
            return corridor.finish()


def _cancelled_instead(
    error: CalamariError | Cancelled, record: RunRecord, inbox: SignalInbox
) -> CalamariError | Cancelled:
    """A signal that came before the step started is why it did not, whatever failed then."""
    if inbox.first is not None and not record.step_started:
        return Cancelled(inbox.first)
    return error


def _defect(error: Exception, registry: SecretRegistry) -> InternalError:
    """A defect of ours: the traceback, masked and without locals, goes to a private file."""
    lines = traceback.format_exception(error)
    if not len(registry):
        # Nothing could be masked yet, and messages may quote what was being read.
        lines = [*traceback.format_tb(error.__traceback__), type(error).__name__]
    text = registry.mask_text("".join(lines))
    return InternalError(f"a defect in calamari ({type(error).__name__})", hint=save_defect(text))


class _Corridor:
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
        self.refused_targets: set[Path] = set()

    def walk(self) -> None:
        """From the manifest to the end of the child."""
        self.check_targets()
        with ExitStack() as stack:
            if self.doors.open_sandbox is not None:
                self.sandbox = stack.enter_context(self.doors.open_sandbox())
                self.environ = with_sandbox(self.environ, self.sandbox)
            step = self.prepare()
            self.announce(step.loaded)
            folders = stack.enter_context(open_folders(self.environ, self.inbox, warn=self.warn))
            inputs = self.identity_inputs(step)
            identity = self.identify(step, inputs)
            if step.loaded.late:
                step = self.fetch_late(step, identity)
            self.report_identity(step.loaded, identity)
            self.stop_if_told()
            self.execute(step, identity, inputs, folders)

    def stop_if_told(self) -> None:
        """A signal that had to wait is a reason not to start."""
        if self.inbox.first is not None:
            raise Cancelled(self.inbox.first)

    def stop(self, error: CalamariError | Cancelled) -> None:
        """calamari itself ends the run, and says why."""
        failure = self.record.stopped_by(error)
        if failure is not None:
            self._tell(self.reporter.failed, failure)

    def finish(self) -> StepResult:
        """The result files and the last event, on every way out."""
        self._write_files()
        result = self.record.result()
        if not self._tell(self.reporter.finished, result):
            # What the files say and the exit code must not differ.
            self._write_files()
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

    def _write_files(self) -> None:
        """``--outputs`` and ``--result``; each is tried, whatever became of the other."""
        options, record = self.options, self.record
        writers: list[tuple[Path | None, Callable[[Path], None]]] = [
            (options.outputs, lambda path: write_outputs(path, record.outputs)),
            (options.result, lambda path: write_result(path, record.result().to_document())),
        ]
        for path, write in writers:
            if path is None or path in self.refused_targets:
                continue
            try:
                write(path)
            except CalamariError as error:
                text = f"{error.message}; {error.hint}" if error.hint else error.message
                record.failed_after_success(error.message)
                self._tell(self.warn, text)

    # --- stages, in order -----------------------------------------------------------------------

    def check_targets(self) -> None:
        """A result that could not be written is known before anything runs."""
        used = {os.path.realpath(self.options.cwd / self.options.manifest): "the manifest"}
        for option, target in (
            ("--result", self.options.result),
            ("--outputs", self.options.outputs),
        ):
            if target is None:
                continue
            self.refused_targets.add(target)
            check_result_target(target, option=option)
            other = used.setdefault(os.path.realpath(target), option)
            if other != option:
                raise UsageError(
                    f"{option} names the same file as {other}", hint="give each a file of its own"
                )
            self.refused_targets.discard(target)
        if self.options.artifacts is not None:
            prepare_artifacts_folder(self.options.artifacts)

    def prepare(self) -> PreparedStep:
        """The manifest and its spec; every secret is in the registry before the first line."""
        source = manifest.read_source(
            self.options.manifest, stdin=self.options.stdin, cwd=self.options.cwd
        )
        step = prepare_step(
            source,
            environ=self.environ,
            cwd=self.options.cwd,
            overrides=self.options.overrides,
            registry=self.registry,
        )
        self.record.step = step.loaded.manifest.name
        for warning in (*step.loaded.warnings, *self.registry.take_warnings()):
            self.warn(warning)
        for note in step.notes:
            self.note(note)
        return step

    def announce(self, loaded: LoadedManifest) -> None:
        """The first event of a valid step."""
        step, mask = loaded.manifest, self.record.masked
        self.reporter.started(
            StepHeader(
                step=mask(step.name),
                kind=step.kind,
                version=__version__,
                project=mask(step.project) if step.project else None,
                environment=mask(step.environment) if step.environment else None,
                deployment_id=mask(step.deployment_id) if step.deployment_id else None,
            )
        )

    def identity_inputs(self, step: PreparedStep) -> IdentityInputs:
        """Everything that decides who the step runs as."""
        loaded = step.loaded
        region, source = region_of(loaded, self.environ, sandbox=self.sandbox is not None)
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
            make_aws=lambda settings, credential_source: self.doors.make_aws(
                settings, self.registry, self.environ, credential_source=credential_source
            ),
            settings=settings,
            region_source=source,
            warn=self.warn,
            tell=lambda text: self.reporter.highlight(self.record.masked(text)),
            now=self.doors.now,
            launcher=launcher,
            name_launcher=self.options.trace_credentials,
        )

    def identify(self, step: PreparedStep, inputs: IdentityInputs) -> ResolvedIdentity:
        """The launcher, the hops and the guard; the result knows how far it came."""
        with self.record.timed("identity"), _placed(step.loaded):
            identity = find_launcher(inputs)
            self.note_identity(identity)
            identity = assume(identity, inputs)
        self.note_identity(identity)
        if self.options.trace_credentials:
            self.reporter.trace(masked_trace(identity.trace, self.registry))
        return identity

    def note_identity(self, identity: ResolvedIdentity) -> None:
        """What the result says of the identity, as far as it is known."""
        mask, launcher, deployment = self.record.masked, identity.launcher, identity.deployment
        principal = deployment.principal if deployment else None
        # A session name may be made from a secret, and the result file is read by others.
        self.record.identity = StepIdentity(
            launcher_arn=mask(launcher.arn) if launcher and launcher.arn else None,
            hops=tuple(mask(hop.principal.arn) for hop in deployment.hops) if deployment else (),
            arn=mask(principal.arn) if principal else None,
            account=mask(principal.account) if principal else None,
            region=identity.region,
            expires_at=deployment.credentials.expires_at if deployment else None,
        )

    def fetch_late(self, step: PreparedStep, identity: ResolvedIdentity) -> PreparedStep:
        """Variables read with the step's own credentials, registered before they are used."""
        assert identity.deployment is not None, "the manifest refuses late variables without AWS"
        with self.record.timed("variables"), _placed(step.loaded):
            credentials = identity.deployment.credentials
            values = fetch_late(
                step.loaded.late, identity.aws, credentials, self.registry, trace=identity.trace
            )
            step = complete_step(step, values, environ=self.environ, registry=self.registry)
        for warning in self.registry.take_warnings():
            self.warn(warning)
        return step

    def report_identity(self, loaded: LoadedManifest, identity: ResolvedIdentity) -> None:
        """The header: the last thing before the child."""
        mask, launcher, known = self.record.masked, identity.launcher, self.record.identity
        expect, expires_at = loaded.manifest.expect, known.expires_at
        who = None
        if launcher is not None:
            who = launcher.arn or f"access key {launcher.credentials.access_key_id}"
        self.reporter.identity(
            IdentityReport(
                launcher=mask(who) if who else None,
                launcher_arn=mask(known.launcher_arn) if known.launcher_arn else None,
                launcher_source=mask(launcher.description) if launcher else None,
                hops=tuple(mask(arn) for arn in known.hops),
                role=mask(known.arn) if known.arn else None,
                account=mask(known.account) if known.account else None,
                expected=True if expect is not None and expect.account is not None else None,
                region=mask(identity.region) if identity.region else None,
                region_source=identity.region_source,
                expires_at=expires_at,
                seconds_left=(expires_at - self.doors.now()).total_seconds()
                if expires_at
                else None,
                secrets=len(self.registry),
            )
        )

    def execute(
        self,
        step: PreparedStep,
        identity: ResolvedIdentity,
        inputs: IdentityInputs,
        folders: ChildFolders,
    ) -> None:
        """The child, ``finally``, and what they leave."""

        def renew() -> ResolvedIdentity:
            # What there was to warn of has been said.
            return assume(identity, replace(inputs, warn=self.note))

        Execution(
            step=step,
            identity=identity,
            renew=renew,
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
            artifacts=self.options.artifacts,
        ).run_all()

    # --- our own words --------------------------------------------------------------------------

    def warn(self, text: str) -> None:
        """A warning, masked."""
        self.reporter.warning(self.record.masked(text))

    def note(self, text: str) -> None:
        """A line for ``--verbose``, masked."""
        self.reporter.note(self.record.masked(text))


@contextmanager
def _placed(loaded: LoadedManifest) -> Iterator[None]:
    """A manifest's problem that only shows later still names its file and line."""
    found = Findings()
    with found:
        yield
    found.raise_if_any(loaded.error)
