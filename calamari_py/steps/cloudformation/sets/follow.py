"""Following an operation of a stack set to its end: each result once, when it is final."""

from __future__ import annotations

from collections.abc import Iterable

from calamari_py.errors import CloudError, IdentityError, TimedOut
from calamari_py.steps.cloudformation.contact import Contact, watch_hint
from calamari_py.steps.cloudformation.event_lines import shortened
from calamari_py.steps.cloudformation.follow import LAG
from calamari_py.steps.cloudformation.polling import ask_patiently, rest
from calamari_py.steps.cloudformation.progress import elapsed_text
from calamari_py.steps.cloudformation.refused import is_denied
from calamari_py.steps.cloudformation.sets.api import is_unknown_operation
from calamari_py.steps.cloudformation.sets.values import Ended, Place, Result, SetOperation
from calamari_py.steps.cloudformation.sets.work import SetWork


def follow(work: SetWork, operation_id: str, title: str) -> Ended:
    """Show what happens until the operation has ended, and how. `title` is what it is called:
    ``the update of stack set 'x'``.

    Raises TimedOut when the step's time is over first (CloudFormation goes on), and Indeterminate
    when AWS does not answer for `patience` seconds.
    """
    ended = _Following(work, operation_id, title).to_the_end()
    work.tell_ended(ended)
    return ended


def wait_for_others(work: SetWork) -> None:
    """Until no operation runs on the set. Says which does; bounded by the step's time. Raises
    TimedOut."""
    since = work.clock.monotonic()
    said: set[str] = set()
    while True:
        there = ask_patiently(work, work.api.operations, f"the operations of {work.shown}")
        running = [one for one in there if not one.is_over]
        if not running:
            if said:
                work.report.line(f"{work.shown} is free: going on")
            return
        who = _who(running[-1])
        if running[-1].id not in said:
            said.add(running[-1].id)
            work.report.line(f"waiting for {who}, which works on {work.shown}")
        work.deadline.check(f"{who} on {work.shown}")
        work.report.progress(
            None, f"waiting for {who}, {elapsed_text(work.clock.monotonic() - since)}"
        )
        rest(work, work.spec.poll_interval)


def latest_operation(work: SetWork) -> SetOperation | None:
    """The operation that runs, or began last; None when there never was one."""
    there = ask_patiently(work, work.api.operations, f"the operations of {work.shown}")
    return next(iter(there), None)


def _who(operation: SetOperation) -> str:
    """``the update 'Console-1b2c', begun 2026-03-01 09:30:00Z``."""
    begun = f", begun {operation.created:%Y-%m-%d %H:%M:%S}Z" if operation.created else ""
    return f"the {operation.action.lower().replace('_', ' ')} '{operation.id}'{begun}"


class _Following:
    """One operation being followed."""

    def __init__(self, work: SetWork, operation_id: str, title: str) -> None:
        self._work = work
        self._id = operation_id
        self._title = title
        self._contact = Contact(work, title)
        self._since = work.clock.monotonic()
        self._results: dict[Place, Result] = {}
        self._final: dict[Place, Result] = {}
        self._is_blind = False
        self._over_since: float | None = None

    def to_the_end(self) -> Ended:
        while True:
            ended = self._look()
            if ended is not None:
                return ended
            self._check_time()
            self._show_progress()
            self._contact.pause()

    def _look(self) -> Ended | None:
        """One poll. The results are read after the status: an operation that is over has no later
        ones."""
        try:
            operation = self._work.api.operation(self._id)
            self._read()
        except CloudError as error:
            if is_unknown_operation(error) and self._is_new():
                return None
            self._contact.failed(error)
            return None
        except IdentityError as error:
            self._contact.failed(error)
            return None
        self._contact.answered()
        if not operation.is_over or self._is_late():
            return None
        rest_of_it = [one for place, one in self._results.items() if place not in self._final]
        return Ended(operation=operation, results=(*self._final.values(), *rest_of_it))

    def _read(self) -> None:
        if self._is_blind:
            return
        try:
            results = self._work.api.results(self._id)
        except CloudError as error:
            if not is_denied(error):
                raise
            self._is_blind = True
            self._work.report.warn(
                f"the results of {self._title} cannot be read: {error}; only its status as a "
                "whole is left to tell how it goes",
                error.hint,
            )
            return
        self._results = {one.place: one for one in results}
        width = max((len(one.region) for one in results), default=0)
        for one in results:
            if one.is_final and one.place not in self._final:
                self._final[one.place] = one
                show_result(self._work, one, width=width)

    def _is_late(self) -> bool:
        """Whether a result of the operation, which is over, is still to come."""
        now = self._work.clock.monotonic()
        self._over_since = now if self._over_since is None else self._over_since
        return len(self._final) < len(self._results) and now - self._over_since < LAG

    def _is_new(self) -> bool:
        return self._work.clock.monotonic() - self._since < LAG

    def _check_time(self) -> None:
        try:
            self._work.deadline.check(self._title)
        except TimedOut as error:
            raise TimedOut(
                f"{error.message}; CloudFormation goes on with it", hint=watch_hint(self._work)
            ) from None

    def _show_progress(self) -> None:
        passed = elapsed_text(self._work.clock.monotonic() - self._since)
        total, final = len(self._results), len(self._final)
        if not total:
            self._work.report.progress(None, passed)
            return
        plural = "" if total == 1 else "s"
        text = f"{final}/{total} instance{plural}, {passed}"
        self._work.report.progress(100 * final / total, text)


def show_result(work: SetWork, result: Result, *, width: int = 0) -> None:
    """``111111111111  eu-west-1  FAILED     reason``, and the event of it."""
    where = f"{result.account}  {result.region:<{width}}"
    text = f"{where}  {result.status:<9}  {shortened(result.reason)}".rstrip()
    fields = {
        "account": result.account,
        "region": result.region,
        "status": result.status,
        "reason": result.reason,
    }
    work.report.line(text, event="stack_set_result", fields=fields)


def counted(results: Iterable[Result]) -> str:
    """``2 succeeded, 1 failed, 3 cancelled``."""
    found: dict[str, int] = {}
    for one in results:
        found[one.status.lower()] = found.get(one.status.lower(), 0) + 1
    return ", ".join(f"{number} {status}" for status, number in found.items())
