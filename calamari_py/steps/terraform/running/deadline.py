"""Deadline: when the step's time is over, for what waits without a command."""

from __future__ import annotations

from calamari_py.errors import TimedOut
from calamari_py.identity import duration_text
from calamari_py.steps.base import StepContext


class Deadline:
    """The end of the step's time limit, which begins when this is made."""

    def __init__(self, context: StepContext) -> None:
        self._clock = context.clock
        self._limit = context.timeout
        self._began = self._clock.monotonic()

    def sleep(self, seconds: float, waiting_for: str) -> None:
        """Wait, but no longer than the step may take: then raise TimedOut. `waiting_for` completes
        its sentence."""
        if self._limit is None:
            self._clock.sleep(seconds)
            return
        left = self._began + self._limit - self._clock.monotonic()
        self._clock.sleep(max(0.0, min(seconds, left)))
        if seconds >= left:
            limit = duration_text(int(self._limit))
            raise TimedOut(f"still waiting for {waiting_for} after {limit} (timeout)")
