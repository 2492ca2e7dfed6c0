"""Time that nobody waits for: it jumps, or runs many times as fast as the real one."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
FOR_EVER = timedelta(days=3)
"""A test that waits longer than this waits for something that never happens."""

Happening = Callable[[], object]


class _Agenda:
    """What happens when: `at` counts seconds from the clock's start, `after` from now."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start
        self._due: list[tuple[float, int, Happening]] = []
        self._count = 0

    def at(self, seconds: float, function: Happening) -> None:
        """Call `function` when `seconds` have passed since the start."""
        self._count += 1
        heapq.heappush(self._due, (seconds, self._count, function))

    def after(self, seconds: float, function: Happening) -> None:
        """Call `function` in `seconds` from now."""
        self.at(self.monotonic() + seconds, function)

    def monotonic(self) -> float:
        """Seconds since the start."""
        raise NotImplementedError

    def now(self) -> datetime:
        """UTC."""
        return self.start + timedelta(seconds=self.monotonic())

    def catch_up(self) -> None:
        """Let everything happen that is due."""
        raise NotImplementedError


class JumpingClock(_Agenda):
    """Implements ``steps.base.StepClock``: `sleep` jumps, and what is due meanwhile happens at its
    time, in order. What a happening raises (Cancelled) comes out of `sleep`.

    `slept` are the lengths of all waits.
    """

    def __init__(self, start: datetime = START, *, jitter: float = 0.5) -> None:
        super().__init__(start)
        self.slept: list[float] = []
        self._seconds = 0.0
        self._jitter = jitter

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self._seconds

    def sleep(self, seconds: float) -> None:
        """Jump."""
        assert seconds >= 0, f"a wait of {seconds} s"
        self.slept.append(seconds)
        self._jump_to(self._seconds + seconds)

    def advance(self, seconds: float) -> None:
        """Jump, without anybody having waited."""
        self._jump_to(self._seconds + seconds)

    def jitter(self) -> float:
        """Always the same."""
        return self._jitter

    def catch_up(self) -> None:
        """Nothing to do: what is due has happened."""

    def settle(self) -> None:
        """Jump until nothing is left that could happen."""
        while self._due:
            self._jump_to(max(self._due[0][0], self._seconds))

    def _jump_to(self, target: float) -> None:
        assert target < FOR_EVER.total_seconds(), "waits for ever"
        while self._due and self._due[0][0] <= target:
            seconds, _, function = heapq.heappop(self._due)
            self._seconds = max(self._seconds, seconds)
            function()
        self._seconds = max(self._seconds, target)


class RunningClock(_Agenda):
    """Real time, `speed` times as fast: for a model that another process talks to."""

    def __init__(self, start: datetime | None = None, *, speed: float = 200.0) -> None:
        super().__init__(start or datetime.now(UTC))
        self.speed = speed
        self._began = time.monotonic()
        self._happening: float | None = None

    def monotonic(self) -> float:
        """Seconds since the start; while something happens, those when it was due."""
        if self._happening is not None:
            return self._happening
        return (time.monotonic() - self._began) * self.speed

    def catch_up(self) -> None:
        """Let everything happen that is due, each at its own time."""
        now = self.monotonic()
        while self._due and self._due[0][0] <= now:
            self._happening, _, function = heapq.heappop(self._due)
            try:
                function()
            finally:
                self._happening = None
