"""The child's side of the corridor: its folders, environment, attempts, ``finally``, leavings."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from calamari_py.errors import CalamariError, Cancelled, ToolFailed
from calamari_py.manifest.types import Retry
from calamari_py.masking import Masked
from calamari_py.output import format_seconds
from calamari_py.process import Limits, StopReason
from calamari_py.result import Attempt, Outcome
from calamari_py.runner.child_runs import ChildRuns
from calamari_py.runner.collect import collect_artifacts, collect_outputs, register_sensitive
from calamari_py.runner.kind_runs import Ran
from calamari_py.runner.record import Setback
from calamari_py.runner.specs import SCRIPT
from calamari_py.runner.unmasked import unmasked_secrets
from calamari_py.steps import STEP_KINDS
from calamari_py.steps.base import StepContext

FINALLY_TIMEOUT = 300.0
"""Seconds a ``finally`` section may take unless it says otherwise."""
RETRY_DELAY = 10.0
_LEFT_HINT = "what it cleans up may still be there"
_NO_CHANGE = "the step changed nothing, and --fail-on-no-change says that it has to"
_NO_CHANGE_HINT = "see whether it was given what was meant; without the option this is a success"
_OUTPUTS_HINT = "correct what the step writes to the file $CALAMARI_OUTPUT"
_ARTIFACTS_HINT = "declare a regular file that is there when the step ends, and that may be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution(ChildRuns):
    """A prepared step from its first attempt to what it leaves. With `fail_on_no_change` a success
    that changed nothing is none; with `detailed_exitcode` one with changes has a code of its
    own."""

    fail_on_no_change: bool = False
    detailed_exitcode: bool = False

    def run_all(self) -> None:
        """The step, then ``finally`` whenever the step had started, then what they left."""
        self.record.masking_off = self.no_mask
        self.record.unmasked = unmasked_secrets(self.step.loaded.variables, self.registry)
        self._create_channel()
        with closing(self.hiding):
            try:
                with self.record.timed("step"):
                    self._attempts()
                self._judge_changes()
            except (CalamariError, Cancelled) as error:
                self.record.ended_by(error)
                raise
            finally:
                if self.record.step_started:
                    self._forget_signals()
                    self._note_failures()
                    register_sensitive(
                        self.folders.channel,
                        sensitive=self.declared.sensitive_outputs,
                        registry=self.registry,
                    )
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
            timeout=self.step.timeout,
            idle_timeout=manifest.idle_timeout,
            grace=kind.default_grace if manifest.grace is None else manifest.grace,
        )
        for number in range(1, manifest.retry.attempts + 1):
            # A later attempt may take as long as the first one might have taken.
            needed = 0.0 if number == 1 or not kind.starts_processes else limits.timeout or 0.0
            identity = self.keeper.current(at_least=needed)
            began, clock = self.record.now(), time.monotonic()
            noted = len(self.record.problems)
            ran = self.execute(
                kind,
                self.step.spec,
                limits,
                name=f"attempt-{number}",
                names={"CALAMARI_ATTEMPT": str(number)},
                identity=identity,
            )
            self._note_end(ran, limits)
            if manifest.retry.attempts > 1:
                self._note_attempt(ran, began, time.monotonic() - clock)
            if not self._again(ran, number):
                if ran.error is not None:
                    raise ran.error
                return
            self._forget_attempt()
            del self.record.problems[noted:]

    def _note_end(self, ran: Ran, limits: Limits) -> None:
        self.record.usage += ran.usage
        if ran.error is not None:
            self.record.ended_by(ran.error)
        else:
            self.record.child_ended(ran.outcome)
        if ran.error is None and (said := _overdue(ran, limits)) is not None:
            hint = "see what it was waiting for, or allow it more time in the manifest"
            setback = self.record.note_setback(said, hint)
            ended = Masked(f"{setback.message}: the step was ended")
            self._tell_setback(replace(setback, message=ended))
        if ran.faulty:
            self._tell_setback(self.record.output_withheld(ran.refused))

    def _note_attempt(self, ran: Ran, began: datetime, duration: float) -> None:
        failed = self.record.outcome is Outcome.SUCCEEDED and self.declared.failures
        self.record.attempts.append(
            Attempt(
                exit_code=ran.outcome.code,
                outcome=Outcome.FAILED if failed else self.record.outcome,
                stopped=ran.stopped.value if ran.stopped else None,
                started_at=began,
                ended_at=self.record.now(),
                duration=duration,
                usage=ran.usage,
            )
        )

    def _again(self, ran: Ran, number: int) -> bool:
        """Whether another attempt is due; waits for it."""
        retry, code = self.step.loaded.manifest.retry, ran.outcome.code
        if number >= retry.attempts or code not in retry.on_exit_codes:
            return False
        if ran.stopped is not None or ran.faulty:
            return False
        if isinstance(ran.error, ToolFailed) and ran.error.is_final:
            self.warn(f"attempt {number} of {retry.attempts} was the last: no other can succeed")
            return False
        if self.inbox.first is not None:
            raise Cancelled(self.inbox.first)
        delay, why = retry_delay(retry), f" ({ran.error})" if ran.error else ""
        self.warn(
            f"attempt {number} of {retry.attempts} ended with code {code}{why}; "
            f"the next begins in {delay:.0f} s"
        )
        # A signal meanwhile raises Cancelled.
        self.pacing.sleep(delay)
        return True

    def _forget_attempt(self) -> None:
        """What a failed attempt left is not the step's."""
        self.declared.failures.clear()
        self.declared.artifacts.clear()
        self.declared.outputs.clear()
        self.record.forget_attempt()
        self.folders.channel.clear_outputs()

    def _judge_changes(self) -> None:
        """``--fail-on-no-change`` and ``--detailed-exitcode``, before `finally` is told how the
        step ended."""
        record = self.record
        if record.outcome is not Outcome.SUCCEEDED or self.declared.failures:
            return
        if self.fail_on_no_change and record.changed is False:
            self._no_success(_NO_CHANGE, _NO_CHANGE_HINT)
        elif self.detailed_exitcode and (record.changed or record.pending):
            record.has_changes()

    def _forget_signals(self) -> None:
        """Those that came while a kind that tells what it does was on its way out were meant for
        it."""
        if not self.step.kind.starts_processes or self.step.reads:
            while self.inbox.take() is not None:
                pass

    def _note_failures(self) -> None:
        """Who called ``fail_step`` has failed, whatever the code was."""
        for text in self.declared.failures:
            self.record.failed_after_success(text)
        self.declared.failures.clear()

    def _finally(self) -> None:
        """``finally``: its own time limit, fresh credentials; it never hides the step's end."""
        section = self.step.loaded.manifest.finally_
        timeout = getattr(section, "timeout", None)
        script = STEP_KINDS[SCRIPT]
        try:
            with self.inbox.listening():
                identity = self.keeper.renewed()
            limits = Limits(
                timeout=FINALLY_TIMEOUT if timeout is None else timeout,
                grace=script.default_grace,
            )
            ran = self.execute(
                script,
                self.step.finally_spec,
                limits,
                name="finally",
                names={
                    "CALAMARI_OUTCOME": str(self.record.outcome),
                    "CALAMARI_EXIT_CODE": str(self.record.exit_code),
                },
                identity=identity,
                unread=True,
                equip=self._equipped,
            )
        except (CalamariError, Cancelled) as error:
            if isinstance(error, Cancelled):
                self.record.cancelled_after_success(error.signum)
            hint = error.hint if isinstance(error, CalamariError) else None
            self._no_success(f"'finally' did not run to its end: {error}", hint or _LEFT_HINT)
            return
        ended = ran.outcome
        if ran.stopped is StopReason.SIGNAL and ended.exit is not None:
            self.record.cancelled_after_success(ended.exit.signum or 0)
        if ended.code != 0 or ran.stopped is not None or ran.faulty:
            why, hint = f"ended with code {ended.code}", f"see what it wrote; {_LEFT_HINT}"
            if (said := _overdue(ran, limits)) is not None:
                why = f"timed out: {said}"
                hint = f"allow it more time ('timeout' under 'finally'); {_LEFT_HINT}"
            elif ran.faulty:
                self._tell_setback(self.record.output_withheld(ran.refused))
                why = "could not be masked, and its output was withheld"
            self._no_success(f"'finally' {why}", hint)

    def _equipped(self, context: StepContext) -> Mapping[str, str]:
        """What the step's kind has for ``finally``. Without it that runs all the same: what it
        cleans up may be elsewhere."""
        try:
            with self.inbox.listening():
                return self.step.kind.equip(self.step.spec, context)
        except CalamariError as error:
            self.say(f"'finally' runs without what a '{self.step.kind.name}' step sets: {error}")
            return {}

    def _collect(self) -> None:
        """Outputs and artifacts, also of a step that failed."""
        self.record.outputs.update(
            collect_outputs(
                self.folders.channel,
                in_band=self.declared.outputs,
                sensitive=self.declared.sensitive_outputs,
                registry=self.registry,
                lost=partial(self._no_success, hint=_OUTPUTS_HINT),
            )
        )
        self.record.artifacts.extend(
            collect_artifacts(
                self.declared.artifacts,
                folder=self.artifacts,
                registry=self.registry,
                warn=self.say,
                lost=partial(self._no_success, hint=_ARTIFACTS_HINT),
                is_hidden=self.hiding.holds,
            )
        )

    def _no_success(self, text: str, hint: str) -> None:
        """What belongs to the step went wrong: said, and a success is none."""
        self._tell_setback(self.record.failed_after_success(text, hint))

    def _tell_setback(self, setback: Setback) -> None:
        try:
            self.reporter.setback(setback.message, setback.hint)
        except BrokenPipeError:
            self.record.reader_gone()


def retry_delay(retry: Retry) -> float:
    """Seconds between two attempts."""
    return RETRY_DELAY if retry.delay is None else float(retry.delay)


def _overdue(ran: Ran, limits: Limits) -> str | None:
    """Which limit ended it, and what it had said last; None where none did."""
    quoted = f'"{ran.last_line}"' if ran.last_line else ""
    if ran.stopped is StopReason.TIMEOUT and limits.timeout is not None:
        said = f"still running after {format_seconds(limits.timeout)} (timeout)"
        return f"{said}; the last output was {quoted}" if quoted else said
    if ran.stopped is StopReason.IDLE_TIMEOUT and limits.idle_timeout is not None:
        said = f"no output for {format_seconds(limits.idle_timeout)} (idle_timeout)"
        return f"{said} after {quoted}" if quoted else said
    return None
