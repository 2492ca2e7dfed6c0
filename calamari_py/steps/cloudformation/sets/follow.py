"""Following an operation of a stack set to its end: each result once, when it is final."""

from __future__ import annotations

from collections.abc import Iterable

from calamari_py.errors import CalamariError, CloudError, IdentityError, TimedOut
from calamari_py.identity import elapsed_text
from calamari_py.steps.cloudformation.following.contact import Contact, watch_hint
from calamari_py.steps.cloudformation.following.event_lines import shortened
from calamari_py.steps.cloudformation.following.follow import LAG
from calamari_py.steps.cloudformation.following.polling import ask_patiently, rest
from calamari_py.steps.cloudformation.service.refused import is_denied
from calamari_py.steps.cloudformation.sets.api import is_missing, is_unknown_operation
from calamari_py.steps.cloudformation.sets.values import Ended, Place, Result, SetOperation
from calamari_py.steps.cloudformation.sets.work import SetWork


def follow(work: SetWork, operation_id: str, title: str) -> Ended:
    """Show what happens until the operation has ended, and how. `title` is what it is called:
    ``the update of stack set 'x'``.

    Raises TimedOut when the step's time is over first (CloudFormation goes on), Indeterminate
    when AWS does not answer for `patience` seconds, and AWS's own error when the set is gone.
    """
    return _Following(work, operation_id, title).to_the_end()


def wait_for_others(work: SetWork) -> None:
    """Until no operation runs on the set. Says which does; bounded by the step's time. Raises
    TimedOut."""
    since = work.clock.monotonic()
    said: set[str] = set()
    while True:
        there = operations_of(work)
        running = [one for one in there if not one.is_over]
        if not running:
            work.seen.update(one.id for one in there)
            if said:
                work.report.line(f"{work.shown} is free: going on")
            return
        who = _who(running[-1])
        if running[-1].id not in said:
            said.add(running[-1].id)
            work.report.line(f"waiting for {who}, which works on {work.shown}")
        _check_others(work, who)
        work.report.progress(
            None, f"waiting for {who}, {elapsed_text(work.clock.monotonic() - since)}"
        )
        rest(work, work.spec.poll_interval)


def latest_operation(work: SetWork) -> SetOperation | None:
    """The operation that runs, or began last; None when there never was one."""
    return next(iter(operations_of(work)), None)


def operations_of(work: SetWork) -> tuple[SetOperation, ...]:
    """Its last operations, the newest first, asked for patiently."""
    return ask_patiently(work, work.api.operations, f"the operations of {work.shown}")


def _check_others(work: SetWork, who: str) -> None:
    try:
        work.deadline.check(f"{who} on {work.shown}")
    except TimedOut as error:
        raise TimedOut(error.message, hint=watch_hint(work)) from None


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
        self._told: object = None
        self._is_blind = False
        self._has_warned = False
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
            if is_missing(error) and self._is_gone():
                raise
            self._contact.failed(error)
            return None
        except IdentityError as error:
            self._contact.failed(error)
            return None
        self._contact.answered()
        ended = Ended(operation=operation, results=self._so_far())
        if self._told != ended:
            self._told = ended
            self._work.tell_operation(operation, ended.results)
        return None if not operation.is_over or self._is_late(ended) else ended

    def _so_far(self) -> tuple[Result, ...]:
        """Final ones first, in the order in which they became so. What is not final counts for
        nothing where nobody may read how it went on."""
        final = tuple(self._final.values())
        if self._is_blind:
            return final
        return final + tuple(one for one in self._results.values() if one.place not in self._final)

    def _is_gone(self) -> bool:
        try:
            return self._work.api.find() is None
        except CalamariError:
            return False

    def _read(self) -> None:
        try:
            results = self._work.api.results(self._id)
        except CloudError as error:
            if not is_denied(error):
                raise
            self._is_blind = True
            if not self._has_warned:
                self._has_warned = True
                self._work.report.warn(
                    f"the results of {self._title} cannot be read: {error}; only its status as a "
                    "whole is left to tell how it goes",
                    error.hint,
                )
            return
        self._is_blind = False
        self._results = {one.place: one for one in results}
        width = max((len(one.region) for one in results), default=0)
        for one in results:
            if one.is_final and one.place not in self._final:
                self._final[one.place] = one
                show_result(self._work, one, width=width)

    def _is_late(self, ended: Ended) -> bool:
        """Whether a result of the operation, which is over, is still to come."""
        now = self._work.clock.monotonic()
        self._over_since = now if self._over_since is None else self._over_since
        is_all = len(self._final) == len(ended.results)
        is_told = ended.failed or ended.operation.reason or ended.operation.status != "FAILED"
        is_whole = self._is_blind or (is_all and is_told)
        return not is_whole and now - self._over_since < LAG

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
