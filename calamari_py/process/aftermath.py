"""Aftermath: what happens once the leader has ended, until nothing of the command is left."""

from __future__ import annotations

import signal

from calamari_py.process.pipes import Pipes
from calamari_py.process.session import Member, Session
from calamari_py.process.stop import Stop

SETTLE = 0.1
"""Seconds that what is left has to end by itself: a `tee` sees its end of file at the same moment
as we do."""

AFTER_KILL = 1.0
"""Seconds that killed processes have to disappear; those of another user do not."""

GLANCE = 0.02
"""Seconds between two looks at what cannot be waited for."""

NAMED = 10
"""How many processes that had to be ended are named; the others are counted."""


class Aftermath:
    """First the pipes are read on for a while, then what is left is ended, and named in `left`."""

    def __init__(self, session: Session, pipes: Pipes, stop: Stop) -> None:
        self._session = session
        self._pipes = pipes
        self._stop = stop
        self._drain_until = 0.0
        self._settle_until: float | None = None
        self._left: dict[int, Member] = {}

    @property
    def left(self) -> tuple[str, ...]:
        """The processes that had to be ended; many of them end in a sum."""
        named = [str(member) for member in self._left.values()][:NAMED]
        if len(self._left) > NAMED:
            named.append(f"a rest of {len(self._left) - NAMED} processes")
        return tuple(named)

    def begin(self, now: float, *, patience: float) -> None:
        """The leader has ended: pipes that somebody still holds are read for `patience` seconds."""
        self._drain_until = max(self._drain_until, now + patience)
        # Who lives now is known from now on, also when it ends before the pipes do.
        self._session.members()

    def postpone(self, seconds: float) -> None:
        """For so long there was something to read and we could not."""
        self._drain_until += seconds

    def hurry(self, now: float) -> None:
        """Wait for nobody any longer."""
        self._drain_until = self._settle_until = now

    def over(self, now: float) -> bool:
        """Do what is due; True when all is done."""
        if self._pipes.open and now < self._drain_until:
            return False
        members = self._session.members()
        if not members:
            return True
        if not self._stop.climbing:
            if self._settle_until is None:
                self._settle_until = now if self._pipes.open else now + SETTLE
            if now < self._settle_until:
                return False
            self._stop.last_rungs(now)
        # What comes and goes between two signals ends by itself.
        due = self._stop.due()
        if self._stop.topped is not None or (due is not None and now >= due):
            self.remember(members)
        self._stop.climb(now)
        if self._stop.topped is None:
            return False
        self._session.signal(signal.SIGKILL)
        return now >= self._stop.topped + AFTER_KILL

    def due(self, now: float) -> float:
        """When to look again."""
        sweeping = not self._pipes.open or now >= self._drain_until
        return now + GLANCE if sweeping else self._drain_until

    def remember(self, members: tuple[Member, ...]) -> None:
        """Name `members`, and what they hold as long as they live."""
        for member in members:
            if member.pid not in self._left:
                named = len(self._left) < NAMED
                self._left[member.pid] = self._session.with_holdings(member) if named else member
