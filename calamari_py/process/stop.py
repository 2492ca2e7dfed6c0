"""Stop: why and how one process is being stopped, and the sentences that people hear of it."""

from __future__ import annotations

import signal
from collections import deque

from calamari_py.process.base import Command, StopReason
from calamari_py.process.ladder import Ladder
from calamari_py.process.session import Member, Session

CALM = 0.5
"""Seconds in which a process that was asked to end may do so before anything is said."""

_NAMED = 4
"""How many processes a sentence names."""


class Stop:
    """The way down, from the first signal or limit to the last process.

    `reason` and `signum` are as in ProcessExit. `forced`: our own failure ends the process, and
    nobody is told anything. `pressed`: the leader was sent more than one signal. `topped` is when
    SIGKILL was sent. `sentences` wait for who tells them.
    """

    def __init__(
        self, command: Command, session: Session, *, grace: float, kill_delay: float
    ) -> None:
        self.reason: StopReason | None = None
        self.signum: int | None = None
        self.forced = False
        self.pressed = False
        self.topped: float | None = None
        self.sentences: deque[str] = deque()
        self._command = command
        self._session = session
        self._grace = grace
        self._kill_delay = kill_delay
        self._ladder: Ladder | None = None
        self._leads = True
        self._asked = False
        self._sent: tuple[int, float] | None = None
        self._polite = False
        self._announcement: tuple[float, str] | None = None
        self._hurried_by: int | None = None

    @property
    def wanted(self) -> bool:
        """Whether the process shall end."""
        return self.reason is not None or self.forced

    @property
    def climbing(self) -> bool:
        """Whether signals are being sent."""
        return self._ladder is not None

    def due(self) -> float | None:
        """When `climb` has something to do next."""
        moments = [self._ladder.due if self._ladder is not None else None]
        if self._announcement is not None:
            moments.append(self._announcement[0])
        return min((moment for moment in moments if moment is not None), default=None)

    def because(self, reason: StopReason, now: float) -> None:
        """Begin, for any reason but a signal."""
        self.reason = reason
        self._begin(self._command.stop_signal or signal.SIGTERM, now)

    def hear(self, signum: int, now: float, *, alive: bool) -> None:
        """We were sent `signum`: the first signal begins the stop, another one shortens the wait.
        `alive`: the leader has not ended.
        """
        first = not self.wanted
        if first:
            self.reason, self.signum = StopReason.SIGNAL, signum
        if first and alive:
            passed = (self._command.translate_signals or {}).get(signum, signum)
            self._begin(passed, now)
            name, passed_name = _name(signum), _name(passed)
            as_what = "" if passed == signum else f" as {passed_name}"
            sentence = (
                f"{name} passed on to the step{as_what}, which has {_seconds(self._grace)} to end; "
                "another signal shortens that"
            )
            self._announcement = (now + CALM, sentence)
        elif self._ladder is not None and self._ladder.due is not None:
            self._hurried_by = signum
            self._ladder.hurry(now)

    def last_rungs(self, now: float) -> None:
        """End what there is, without any courtesy."""
        self._ladder = Ladder.last_rungs(now, kill_delay=self._kill_delay)
        self._sent, self._polite = None, False

    def leader_ended(self) -> None:
        """What is left has a chance to end by itself."""
        self._ladder = self._sent = self._announcement = self._hurried_by = self.topped = None
        self._leads = False

    def climb(self, now: float) -> None:
        """Send what is due."""
        if self._announcement is not None and now >= self._announcement[0]:
            self.sentences.append(self._announcement[1])
            self._announcement = None
        if self._ladder is None:
            return
        while (signum := self._ladder.step(now)) is not None:
            if self._sent is not None:
                self._account_for(signum, self._sent, now)
            self._session.signal(signum, polite=self._polite)
            self._sent, self._polite = (signum, now), False
            if self._leads:
                self.pressed, self._asked = self._asked, True
        if self._ladder.due is None and self.topped is None:
            self.topped = now

    def _begin(self, signum: int, now: float) -> None:
        self._ladder = Ladder.polite(signum, now, grace=self._grace, kill_delay=self._kill_delay)
        self._polite = True

    def _account_for(self, signum: int, sent: tuple[int, float], now: float) -> None:
        """Say that the signal before was not enough, and for whom."""
        self._announcement = None
        hurried_by, self._hurried_by = self._hurried_by, None
        members = self._session.members()
        if not members:
            return
        names = _names(members)
        if hurried_by is not None:
            again = " again" if hurried_by == self.signum else ""
            sentence = f"{_name(hurried_by)}{again}: not waiting any longer for {names}"
        else:
            waited = _seconds(now - sent[1])
            sentence = f"{names} did not end within {waited} of {_name(sent[0])}"
        self.sentences.append(f"{sentence}, {_name(signum)} now")


def _names(members: tuple[Member, ...]) -> str:
    """``sh (pid 7), cat (pid 8) and sleep (pid 9)``."""
    named = [str(member) for member in members[:_NAMED]]
    if len(members) > _NAMED:
        named.append(f"{len(members) - _NAMED} more")
    return " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))


def _name(signum: int) -> str:
    return signal.Signals(signum).name


def _seconds(number: float) -> str:
    return f"{round(number, 1):g} s"
