"""Following an operation to its truth: the stack's own last event, and what the stack says then.

Neither is believed alone. Right after the start the stack still has the status of the operation
before; and events come later than what they tell of.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from calamari_py.errors import CloudError, IdentityError, Indeterminate, TimedOut
from calamari_py.steps.cloudformation.actions.outputs import tell_state
from calamari_py.steps.cloudformation.failures.causes import left_behind, unseen_failures
from calamari_py.steps.cloudformation.following.contact import Contact, watch_hint
from calamari_py.steps.cloudformation.following.event_lines import EventLines
from calamari_py.steps.cloudformation.following.events import EventFeed, in_order
from calamari_py.steps.cloudformation.following.operation import (
    Finished,
    Operation,
    Verb,
    known_events,
    latest_operation,
)
from calamari_py.steps.cloudformation.following.progress import Progress
from calamari_py.steps.cloudformation.service.refused import is_denied
from calamari_py.steps.cloudformation.states import Phase, describe
from calamari_py.steps.cloudformation.values import Stack, StackEvent
from calamari_py.steps.cloudformation.work import Work

__all__ = [
    "Finished",
    "Operation",
    "Verb",
    "follow",
    "known_events",
    "latest_operation",
]

LAG = 60.0
"""Seconds for which event and stack may contradict each other, or the last event be missing."""
_NOTED = timedelta(seconds=5)
"""An update may be noted with the stack so long before its first event."""
_DRAINS = 3
"""How often the events are read again after the last one, while that brings more."""


def follow(work: Work, operation: Operation) -> Finished:
    """Show what happens until the operation has ended, and how.

    Raises TimedOut when the step's time is over first (CloudFormation goes on), and Indeterminate
    when AWS does not answer for `spec.patience` seconds, or nobody can know how it ended.
    """
    return _Following(work, operation).to_the_end()


class _Following:
    """One operation being followed."""

    def __init__(self, work: Work, operation: Operation) -> None:
        self._work = work
        self._operation = operation
        self._feed = EventFeed(
            work.api,
            operation.stack_id,
            token=operation.token,
            known=operation.known,
            began=operation.began,
            now=work.clock.now,
            warn=work.report.warn,
        )
        self._contact = Contact(work, operation.title, resume=operation.handle)
        self._lines = EventLines(work.report, place=operation.place)
        self._progress = Progress(operation.total)
        self._events: list[StackEvent] = []
        self._since = work.clock.monotonic()
        self._stack: Stack | None = None
        self._told = ""
        self._is_blind = False
        self._was_seen_running = False
        self._contradicted: float | None = None
        self._ended: float | None = None
        self._drains = 0

    def to_the_end(self) -> Finished:
        if self._operation.token is not None:
            self._work.report.fact("token", self._operation.token)
        while True:
            finished = self._look()
            self._tell_status()
            if finished is None:
                finished = self._check_time()
            if finished is not None:
                self._tell_left_behind(finished)
                return finished
            self._show_progress()
            self._contact.pause()

    def _look(self) -> Finished | None:
        """One poll. None when there is nothing to conclude from it."""
        try:
            has_more = self._read(everything=False)
            if self._feed.ended is not None:
                # Whatever was late has to be there before the stack is asked.
                has_more = self._read(everything=True) or has_more
            elif has_more and not self._is_blind:
                self._contact.answered()
                self._contradicted = None
                return None
            stack = self._work.api.find(self._operation.stack_id)
        except (CloudError, IdentityError) as error:
            self._contact.failed(error)
            return None
        self._contact.answered()
        self._stack = stack or self._gone()
        return self._conclude(self._stack, has_more) if self._stack is not None else None

    def _read(self, *, everything: bool) -> bool:
        """Show what is new; whether there was anything."""
        if self._is_blind:
            return False
        try:
            fresh = self._feed.read(everything=everything)
        except CloudError as error:
            if not is_denied(error):
                raise
            self._is_blind = True
            self._work.report.warn(
                f"the events of stack '{self._operation.name}' cannot be read: {error}; "
                "only its status is left to tell what happens",
                error.hint,
            )
            return False
        for event in fresh:
            self._events.append(event)
            self._progress.count(event)
            self._lines.show(event)
        return bool(fresh)

    def _gone(self) -> Stack | None:
        """What it means that AWS has no such stack: nothing, but for one that is deleted."""
        if self._operation.verb != "delete":
            return None
        return self._stack_in("DELETE_COMPLETE")

    def _stack_in(self, status: str) -> Stack:
        """All that is known of the stack without asking for it."""
        return Stack(id=self._operation.stack_id, name=self._operation.name, status=status)

    def _tell_status(self) -> None:
        """The last status that was seen: whatever ends the step, that is what it tells. The events
        know it first."""
        status = self._feed.status.status if self._feed.status is not None else ""
        if not status and self._stack is not None and not self._is_of_before(self._stack):
            status = self._stack.status
        if status not in ("", self._told):
            self._told = status
            tell_state(self._work, self._stack_in(status))

    def _conclude(self, stack: Stack, has_more: bool) -> Finished | None:
        ended = self._feed.ended
        if ended is None:
            return self._conclude_without_end(stack)
        if self._feed.successor is not None or _is_later(stack.updated, ended.time):
            return self._superseded(stack, ended)
        if stack.status == ended.status and not self._has_old_outputs(stack):
            self._drains += 1
            if has_more and self._drains < _DRAINS:
                return None
            return None if self._misses_causes() else self._finish(stack)
        is_late = self._is_of_before(stack) or not describe(stack.status).is_terminal
        if self._is_contradicted_for(self._work.spec.patience if is_late else LAG):
            raise self._doubt(
                f"its last event says {ended.status}, and the stack is {stack.status}"
            )
        return None

    def _superseded(self, stack: Stack, ended: StackEvent) -> Finished:
        """The end of this operation, though another one has begun since."""
        successor = self._feed.successor
        text = f"another operation on stack '{stack.name}' has begun since"
        text += f" ({successor.status})" if successor is not None else ""
        outputs = stack.outputs
        if _is_later(stack.updated, ended.time) or self._is_of_before(stack):
            outputs = {}
            text += ": the outputs are no longer this one's, and left out"
        self._work.report.warn(text)
        stack = replace(stack, status=ended.status, reason=ended.reason, outputs=outputs)
        return self._finish(stack, superseded=True)

    def _conclude_without_end(self, stack: Stack) -> Finished | None:
        """The last event has not come: it is late, or the stack has not begun to change."""
        status = describe(stack.status)
        if not status.is_terminal or status.phase is Phase.REVIEW:
            self._was_seen_running |= status.phase is Phase.IN_PROGRESS
            self._contradicted = None
            return None
        if not self._is_certain(stack):
            if self._is_contradicted_for(self._work.spec.patience):
                raise self._doubt(f"nothing of it is to be seen, and the stack is {stack.status}")
            return None
        if not self._is_contradicted_for(0 if self._is_blind else LAG):
            return None
        if not self._is_blind:
            self._work.report.warn(f"the last event of {self._operation.title} has not come")
        return self._finish(stack)

    def _is_of_before(self, stack: Stack) -> bool:
        """Whether this is the stack as it was before the operation: AWS may show it for long."""
        before, began = self._operation.before, self._operation.began
        updated = stack.updated or stack.created
        if before is not None:
            known = before.updated or before.created
            is_older = updated is not None and known is not None and updated < known
            return is_older or (stack.status == before.status and updated == known)
        if self._operation.verb not in ("update", "import") or began is None:
            return False
        if stack.updated is None:
            return describe(stack.status).verb == "create"
        return stack.updated < began - _NOTED

    def _has_old_outputs(self, stack: Stack) -> bool:
        """Whether outputs of before would be taken for those of an update that has succeeded."""
        is_update = self._operation.verb in ("update", "import")
        if not is_update or not describe(stack.status).succeeded:
            return False
        # Not everything that answers like CloudFormation says when a stack was updated.
        return stack.updated is not None and self._is_of_before(stack)

    def _is_certain(self, stack: Stack) -> bool:
        """Whether the stack's status is this operation's, and not that of one before."""
        if self._operation.verb == "delete" and stack.status == "DELETE_COMPLETE":
            return True
        if self._is_of_before(stack):
            return False
        if self._was_seen_running or self._feed.started is not None:
            return True
        if self._operation.verb == "create" or self._operation.before is not None:
            return True
        began, updated = self._operation.began, stack.updated
        return began is not None and _is_later(updated, began)

    def _misses_causes(self) -> bool:
        """Whether the stack names resources that failed and whose events are still to come."""
        now = self._work.clock.monotonic()
        self._ended = now if self._ended is None else self._ended
        return bool(unseen_failures(self._events)) and now - self._ended < LAG

    def _is_contradicted_for(self, seconds: float) -> bool:
        now = self._work.clock.monotonic()
        if self._contradicted is None:
            self._contradicted = now
        return now - self._contradicted >= seconds

    def _finish(self, stack: Stack, *, superseded: bool = False) -> Finished:
        return Finished(stack=stack, events=in_order(self._events), superseded=superseded)

    def _doubt(self, said: str) -> Indeterminate:
        return Indeterminate(
            f"nobody can tell how {self._operation.title} ended: {said}",
            service="cloudformation",
            operation="DescribeStacks",
            code="Contradiction",
            hint=self._watch_hint(),
        )

    def _watch_hint(self) -> str:
        return watch_hint(self._work, resume=self._operation.handle)

    def _check_time(self) -> Finished | None:
        """TimedOut when the time is over; but an outcome that is decided is no longer waited
        for."""
        try:
            self._work.deadline.check(self._operation.title)
        except TimedOut as error:
            if (decided := self._decided()) is not None:
                return decided
            is_cancelled = self._work.spec.cancel_update and self._operation.verb == "update"
            goes_on = "" if is_cancelled else "; CloudFormation goes on with it"
            raise TimedOut(f"{error.message}{goes_on}", hint=self._watch_hint()) from None
        return None

    def _decided(self) -> Finished | None:
        """The end, when only what is left over is still being removed."""
        event = self._feed.status
        is_cleanup = event is not None and describe(event.status).is_cleanup
        if not is_cleanup and not (self._is_blind and self._stack_cleans_up()):
            return None
        try:
            stack = self._work.api.find(self._operation.stack_id)
        except (CloudError, IdentityError):
            stack = self._stack
        if event is not None and is_cleanup:
            stack = self._as_told(stack, event)
        if stack is None:
            return None
        self._work.report.warn(
            f"the time is over, and CloudFormation still removes what stack '{stack.name}' no "
            "longer needs: the outcome is decided",
            self._watch_hint(),
        )
        return self._finish(stack)

    def _as_told(self, stack: Stack | None, event: StackEvent) -> Stack:
        """The stack as its last event tells of it, whatever AWS still shows."""
        ends = (event.status, event.status.replace("_CLEANUP_IN_PROGRESS", ""))
        if stack is not None and stack.status in ends and not self._is_of_before(stack):
            return stack
        self._work.report.warn(
            f"AWS still shows stack '{self._operation.name}' as it was: its outputs are not known"
        )
        return self._stack_in(event.status)

    def _stack_cleans_up(self) -> bool:
        return self._stack is not None and describe(self._stack.status).is_cleanup

    def _show_progress(self) -> None:
        started = self._feed.started
        if started is None:
            seconds = self._work.clock.monotonic() - self._since
        else:
            seconds = (self._work.clock.now() - started.time).total_seconds()
        self._work.report.progress(*self._progress.shown(seconds))

    def _tell_left_behind(self, finished: Finished) -> None:
        for event in left_behind(finished.events):
            self._work.report.warn(
                f"'{event.shown_id}' ({event.resource_type}, {event.physical_id}) is no longer "
                f"needed and could not be removed: {event.reason}",
                "it stays, outside of the stack: remove it by hand",
            )


def _is_later(time: datetime | None, than: datetime) -> bool:
    return time is not None and time > than
