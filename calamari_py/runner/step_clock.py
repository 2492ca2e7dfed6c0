"""The clock of a kind that works itself: AWS's time, and a wait that leaves nothing unsaid."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """How time passes: `monotonic` in seconds, `sleep` waits for seconds, `jitter` is a number from
    0 to 1."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


class RunClock:
    """See `calamari_py.steps.base.StepClock`. `now` is UTC by AWS's clock; `attend` is called
    around a wait, for what other threads have to say."""

    def __init__(
        self, pacing: Pacing, *, now: Callable[[], datetime], attend: Callable[[], None]
    ) -> None:
        self._pacing = pacing
        self._now = now
        self._attend = attend

    def now(self) -> datetime:
        """UTC by AWS's clock."""
        return self._now()

    def monotonic(self) -> float:
        """Seconds of a clock that nobody sets."""
        return self._pacing.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait; a signal ends it with Cancelled."""
        self._attend()
        if seconds > 0:
            self._pacing.sleep(seconds)
        self._attend()

    def jitter(self) -> float:
        """A number from 0 to 1."""
        return self._pacing.jitter()
