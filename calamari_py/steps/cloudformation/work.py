"""Work: what every action is given, and how long it may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from calamari_py.errors import TimedOut
from calamari_py.identity import duration_text
from calamari_py.steps.base import AwsCalls, StepClock, StepContext, StepReport
from calamari_py.steps.cloudformation.service.api import StackApi
from calamari_py.steps.cloudformation.spec import StackSpec

_CALL_SECONDS = 30.0
"""What one call with all its attempts may take at most."""
_LAST_WORDS = 5.0
"""What one may take when the time is over: something is taken back, or looked at once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """When the step's time is over, by the clock's monotonic seconds; `at` None is never."""

    clock: StepClock
    at: float | None
    limit: float | None

    def left(self) -> float | None:
        """Seconds."""
        return None if self.at is None else self.at - self.clock.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        left = self.left()
        return left is not None and left <= 0

    def check(self, waiting_for: str) -> None:
        """Raise TimedOut when it is over; `waiting_for` completes the sentence."""
        if self.is_over:
            limit = duration_text(int(self.limit or 0))
            raise TimedOut(f"still waiting for {waiting_for} after {limit} (timeout)")


class BoundedCalls:
    """`calls`, none of which goes on for longer than the step may, or than `patience` seconds. An
    `AwsCalls`."""

    def __init__(self, calls: AwsCalls, deadline: Deadline, patience: float) -> None:
        self.region = calls.region
        self.account = calls.account
        self.partition = calls.partition
        self.arn = calls.arn
        self.role = calls.role
        self._calls = calls
        self._deadline = deadline
        self._longest = min(patience, _CALL_SECONDS)

    def call(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        subject: str = "",
        budget: float | None = None,
    ) -> Mapping[str, Any]:
        """See `AwsCalls`."""
        seconds = self._longest if budget is None else min(budget, self._longest)
        left = self._deadline.left()
        if left is not None:
            seconds = min(seconds, max(left, _LAST_WORDS))
        return self._calls.call(service, operation, params, subject=subject, budget=seconds)


class Pace(Protocol):
    """What a spec says of asking again, in seconds."""

    @property
    def poll_interval(self) -> float:
        """Between two looks."""

    @property
    def patience(self) -> float:
        """Without any answer, until contact is lost."""


class Waiting(Protocol):
    """What every wait needs, whatever it is for: a stack's `Work`, or that of a stack set."""

    @property
    def spec(self) -> Pace:
        """How often, how long."""

    @property
    def context(self) -> StepContext:
        """What the step is given."""

    @property
    def deadline(self) -> Deadline:
        """The end of all waiting."""

    @property
    def report(self) -> StepReport:
        """Where to say it."""

    @property
    def clock(self) -> StepClock:
        """The time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One action on one stack. `token` is the client request token of everything that this run
    starts: its events carry it."""

    spec: StackSpec
    api: StackApi
    context: StepContext
    token: str
    deadline: Deadline

    @property
    def report(self) -> StepReport:
        """Where to say it."""
        return self.context.report

    @property
    def clock(self) -> StepClock:
        """The time."""
        return self.context.clock
