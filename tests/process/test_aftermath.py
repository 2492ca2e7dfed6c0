"""Aftermath: who is named, of many that come and go while they are being ended."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import cast

from calamari_py.process.aftermath import NAMED, SETTLE, Aftermath
from calamari_py.process.base import Command
from calamari_py.process.pipes import Pipes
from calamari_py.process.session import Member, Session
from calamari_py.process.stop import Stop

KILL_DELAY = 5.0


class Closed:
    """Pipes at their end."""

    open = False


class Crowd(Session):
    """`names`, where each look meets another passer-by; all of them end by SIGKILL."""

    def __init__(self, *names: str, passing: bool = False) -> None:
        super().__init__(100)
        self.names = names
        self.passing = passing
        self.looks = 0

    def members(self) -> tuple[Member, ...]:
        self.looks += 1
        found = [Member(pid=100 + at, group=1, name=name) for at, name in enumerate(self.names)]
        if self.passing and self.names:
            found.append(Member(pid=1000 + self.looks, group=1, name="passer-by"))
        return tuple(found)

    def with_holdings(self, member: Member) -> Member:
        return member

    def signal(self, signum: int, *, polite: bool = False) -> None:
        if signum == signal.SIGKILL:
            self.names = ()


def left_of(session: Session) -> tuple[str, ...]:
    """Who is named when a second of looks has passed after each signal."""
    command = Command(argv=("/x",), environment={}, directory=Path("/"))
    stop = Stop(command, session, grace=0.0, kill_delay=KILL_DELAY)
    aftermath = Aftermath(session, cast("Pipes", Closed()), stop)
    aftermath.begin(0.0, patience=0.0)
    now = 0.0
    while not aftermath.over(now):
        now = aftermath.due(now)
        assert now < SETTLE + 2 * KILL_DELAY
    return aftermath.left


def test_who_comes_and_goes_between_two_signals_is_not_named() -> None:
    """A shell that is deaf to SIGTERM and starts a program each second is one process, and two
    programs lived when a signal was sent."""
    names = [name.split()[0] for name in left_of(Crowd("sh", passing=True))]
    assert names == ["sh", "passer-by", "passer-by"]


def test_a_crowd_is_counted() -> None:
    """The first ones are named, the rest is a number."""
    *named, rest = left_of(Crowd(*(["sleep"] * 300)))
    assert named == [f"sleep (pid {100 + at})" for at in range(NAMED)]
    assert rest == f"a rest of {300 - NAMED} processes"
