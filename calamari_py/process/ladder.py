"""The stop ladder: which signal is due when. Pure; times are seconds of the caller's clock."""

from __future__ import annotations

import signal
from collections import deque


class Ladder:
    """Rungs of (seconds after the rung before, signal), climbed as time goes by."""

    def __init__(self, rungs: tuple[tuple[float, int], ...], now: float) -> None:
        self._rungs = deque(rungs)
        self._due = now + rungs[0][0]

    @classmethod
    def polite(cls, signum: int, now: float, *, grace: float, kill_delay: float) -> Ladder:
        """`signum` at once, SIGTERM after `grace`, SIGKILL `kill_delay` later."""
        rungs = ((0.0, signum), (grace, signal.SIGTERM), (kill_delay, signal.SIGKILL))
        return cls(rungs, now)

    @classmethod
    def last_rungs(cls, now: float, *, kill_delay: float) -> Ladder:
        """SIGTERM at once, SIGKILL `kill_delay` later."""
        return cls(((0.0, signal.SIGTERM), (kill_delay, signal.SIGKILL)), now)

    @property
    def due(self) -> float | None:
        """When the next rung is reached; None on top."""
        return self._due if self._rungs else None

    def step(self, now: float) -> int | None:
        """The signal that is due, once; None while there is none."""
        if not self._rungs or now < self._due:
            return None
        _, signum = self._rungs.popleft()
        if self._rungs:
            self._due = now + self._rungs[0][0]
        return signum

    def hurry(self, now: float) -> None:
        """Make the next rung due now."""
        self._due = min(self._due, now)
