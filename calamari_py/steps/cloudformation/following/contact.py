"""Contact with AWS while something goes on there: when to ask again, and when it is lost for
good."""

from __future__ import annotations

from calamari_py.errors import CalamariError, CloudError, IdentityError, Indeterminate, Temporary
from calamari_py.identity import duration_text
from calamari_py.steps.cloudformation.links import resume_command
from calamari_py.steps.cloudformation.service.refused import is_denied
from calamari_py.steps.cloudformation.work import Waiting

LONGEST_PAUSE = 30.0
"""Seconds between two tries while there is no answer."""
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})


def is_passing(error: CalamariError) -> bool:
    """Whether the next try may do better: throttled, unreachable, or without valid credentials for
    now."""
    if isinstance(error, IdentityError):
        return not error.is_lasting
    if isinstance(error, Temporary):
        return True
    return isinstance(error, CloudError) and error.code in _EXPIRED


def is_final(error: CalamariError) -> bool:
    """Whether asking again cannot help: AWS may not be asked, or says that there is no such thing.
    Any other refusal may be an odd answer that stays alone."""
    if is_passing(error):
        return False
    if not isinstance(error, CloudError):
        return True
    is_missing = error.code.endswith(("NotFound", "NotFoundException"))
    return is_denied(error) or error.code == "ValidationError" or is_missing


def nobody_knows(
    message: str, error: CalamariError, *, operation: str, hint: str | None
) -> Indeterminate:
    """The end of a step that `error` keeps from seeing what became of its work; `operation` is the
    call that was missed, where `error` names none."""
    cloud = error if isinstance(error, CloudError) else None
    return Indeterminate(
        message,
        service="cloudformation",
        operation=cloud.operation if cloud else operation,
        code=cloud.code if cloud else "LostContact",
        hint=hint,
    )


class Contact:
    """How long AWS has not answered. `doing` completes "while AWS goes on with …"; None where
    nothing of this run goes on, so that nobody is left in doubt when contact is lost. `resume` is
    what a later run may go on with."""

    def __init__(self, work: Waiting, doing: str | None, *, resume: str = "") -> None:
        self._work = work
        self._resume = resume
        self._doing = doing
        self._heard = work.clock.monotonic()
        self._failures = 0

    def answered(self) -> None:
        """AWS has answered."""
        if self._failures:
            self._work.report.note(f"AWS answers again after {self._failures} failed tries")
        self._heard = self._work.clock.monotonic()
        self._failures = 0

    def failed(self, error: CalamariError) -> None:
        """AWS has not. Raises Indeterminate when that will not change, or has lasted too long; the
        error itself where there is nothing to be in doubt about."""
        self._failures += 1
        silent = self._work.clock.monotonic() - self._heard
        if is_final(error) or silent >= self._work.spec.patience:
            if self._doing is None:
                raise error
            raise self.lost(error) from error
        if self._failures == 1:
            self._work.report.warn(f"no answer for now: {error}; CloudFormation goes on meanwhile")

    def lost(self, error: CalamariError) -> Indeterminate:
        """The error of a contact that is lost for good."""
        silent = round(self._work.clock.monotonic() - self._heard)
        since = f" for {duration_text(silent)}" if silent >= 1 else ""
        cloud = error if isinstance(error, CloudError) else None
        # What can be said of a call that may be made again is not true of the whole step.
        before = None if isinstance(error, Temporary) else error.hint
        return Indeterminate(
            f"contact with AWS is lost{since} while it goes on with {self._doing}: {error}",
            service=cloud.service if cloud else "cloudformation",
            operation=cloud.operation if cloud else "DescribeStackEvents",
            code=cloud.code if cloud else "LostContact",
            hint=watch_hint(self._work, before, resume=self._resume),
        )

    def pause(self) -> None:
        """Wait until it is time for the next try: longer after each failure in a row."""
        seconds = self._work.spec.poll_interval
        if self._failures:
            seconds = min(LONGEST_PAUSE, seconds * 2**self._failures)
        # Many runs that begin together shall not ask together.
        seconds *= 0.8 + 0.4 * self._work.clock.jitter()
        left = self._work.deadline.left()
        if left is not None:
            seconds = min(seconds, max(0.0, left))
        if self._failures:
            silent = self._work.clock.monotonic() - self._heard
            seconds = min(seconds, max(0.0, self._work.spec.patience - silent))
        self._work.clock.sleep(seconds)


def watch_hint(work: Waiting, before: str | None = None, *, resume: str = "") -> str:
    """How to see what becomes of it: of the operation `resume` alone, if there is one."""
    command = resume_command(work.context.rerun, "watch", resume)
    return f"{before}; then: {command}" if before else f"see what becomes of it: {command}"
