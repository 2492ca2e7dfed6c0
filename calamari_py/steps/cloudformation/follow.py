"""Following an operation to its truth: the stack's own last event, and what the stack says then.

Neither is believed alone. Right after the start the stack still has the status of the operation
before; and events come later than what they tell of.
"""

from __future__ import annotations

from dataclasses import replace

from calamari_py.errors import CloudError, IdentityError, Indeterminate, TimedOut
from calamari_py.steps.cloudformation.causes import left_behind
from calamari_py.steps.cloudformation.contact import Contact, watch_hint
from calamari_py.steps.cloudformation.event_lines import EventLines
from calamari_py.steps.cloudformation.events import EventFeed, in_order
from calamari_py.steps.cloudformation.operation import (
    Finished,
    Operation,
    Verb,
    known_events,
    latest_operation,
)
from calamari_py.steps.cloudformation.progress import Progress, elapsed_text
from calamari_py.steps.cloudformation.refused import is_denied
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
    "wait_for_others",
]

LAG = 60.0
"""Seconds for which event and stack may contradict each other, or the last event be missing."""
_DRAINS = 3
"""How often the events are read again after the last one, while that brings more."""


def follow(work: Work, operation: Operation) -> Finished:
    """Show what happens until the operation has ended, and how.

    Raises TimedOut when the step's time is over first (CloudFormation goes on), and Indeterminate
    when AWS does not answer for `spec.patience` seconds, or nobody can know how it ended.
    """
    return _Following(work, operation).to_the_end()


def wait_for_others(work: Work, stack: Stack) -> Stack:
    """The stack once nobody works on it any longer. Says who does; bounded by the step's time."""
    since = work.clock.monotonic()
    who = _who(work, stack)
    work.report.line(f"stack '{stack.name}' is {stack.status}: waiting for {who}")
    contact = Contact(work, None)
    while not describe(stack.status).is_terminal:
        work.deadline.check(f"{who}, with stack '{stack.name}' in {stack.status}")
        waited = elapsed_text(work.clock.monotonic() - since)
        work.report.progress(None, f"waiting for {who}, {stack.status}, {waited}")
        contact.pause()
        try:
            found = work.api.find(stack.id)
        except (CloudError, IdentityError) as error:
            contact.failed(error)
            continue
        contact.answered()
        stack = found or replace(stack, status="DELETE_COMPLETE")
    work.report.line(f"stack '{stack.name}' is {stack.status}: going on")
    return stack


def _who(work: Work, stack: Stack) -> str:
    """``'Console-UpdateStack-1b2c', at work for 3m20s``."""
    try:
        operation = latest_operation(work, stack)
    except (CloudError, IdentityError) as error:
        work.report.note(f"who works on stack '{stack.name}' is unknown: {error}")
        operation = None
    if operation is None:
        return "somebody unknown"
    who = f"'{operation.token}'" if operation.token else "somebody without a request token"
    if operation.began is None:
        return who
    return (
        f"{who}, at work for {elapsed_text((work.clock.now() - operation.began).total_seconds())}"
    )


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
            warn=work.report.warn,
        )
        self._contact = Contact(work, operation.title)
        self._lines = EventLines(work.report)
        self._progress = Progress(operation.total)
        self._events: list[StackEvent] = []
        self._since = work.clock.monotonic()
        self._stack: Stack | None = None
        self._is_blind = False
        self._was_seen_running = False
        self._contradicted: float | None = None
        self._drains = 0

    def to_the_end(self) -> Finished:
        while True:
            finished = self._look()
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
                has_more = self._read(everything=True)
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
        name, stack_id = self._operation.name, self._operation.stack_id
        return Stack(id=stack_id, name=name, status="DELETE_COMPLETE")

    def _conclude(self, stack: Stack, has_more: bool) -> Finished | None:
        ended = self._feed.ended
        if ended is None:
            return self._conclude_without_end(stack)
        if self._feed.successor is not None:
            self._work.report.warn(
                f"another operation on stack '{stack.name}' has begun since "
                f"({self._feed.successor.status})"
            )
            return self._finish(replace(stack, status=ended.status, reason=ended.reason))
        if stack.status == ended.status:
            self._drains += 1
            if has_more and self._drains < _DRAINS:
                return None
            return self._finish(stack)
        if self._is_contradicted_for(LAG):
            raise self._doubt(
                f"its last event says {ended.status}, and the stack is {stack.status}"
            )
        return None

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

    def _is_certain(self, stack: Stack) -> bool:
        """Whether the stack's status is this operation's, and not that of one before."""
        if self._was_seen_running or self._feed.started is not None:
            return True
        if self._operation.verb == "create":
            return True
        if self._operation.verb == "delete":
            return stack.status == "DELETE_COMPLETE"
        began, updated = self._operation.began, stack.updated
        return began is not None and updated is not None and updated > began

    def _is_contradicted_for(self, seconds: float) -> bool:
        now = self._work.clock.monotonic()
        if self._contradicted is None:
            self._contradicted = now
        return now - self._contradicted >= seconds

    def _finish(self, stack: Stack) -> Finished:
        return Finished(stack=stack, events=in_order(self._events))

    def _doubt(self, said: str) -> Indeterminate:
        return Indeterminate(
            f"nobody can tell how {self._operation.title} ended: {said}",
            service="cloudformation",
            operation="DescribeStacks",
            code="Contradiction",
            hint=watch_hint(self._work),
        )

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
            raise TimedOut(f"{error.message}{goes_on}", hint=watch_hint(self._work)) from None
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
        if stack is None:
            return None
        self._work.report.warn(
            f"the time is over, and CloudFormation still removes what stack '{stack.name}' no "
            "longer needs: the outcome is decided",
            watch_hint(self._work),
        )
        return self._finish(stack)

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
