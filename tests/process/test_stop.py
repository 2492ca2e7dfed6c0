"""What people are told while a process is being stopped, and how its end is timed."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from calamari_py.process import Command, Limits, SignalInbox, StopReason
from calamari_py.process.session import Member, Session
from calamari_py.process.stop import CALM, Stop
from tests.process.support import PATIENCE, Once, RecordingSink, execute, python
from tests.process.test_stopping import STUBBORN

INT, TERM, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGKILL


class FakeSession(Session):
    """Members that end by the signals they are not deaf to."""

    def __init__(self, *names: str, deaf_to: tuple[int, ...] = (INT, TERM)) -> None:
        super().__init__(100)
        self.names = names
        self.deaf_to = deaf_to
        self.sent: list[tuple[int, bool]] = []

    def members(self) -> tuple[Member, ...]:
        return tuple(
            Member(pid=100 + number, group=100, name=name) for number, name in enumerate(self.names)
        )

    def signal(self, signum: int, *, polite: bool = False) -> None:
        self.sent.append((signum, polite))
        if signum not in self.deaf_to:
            self.names = ()


def stop_of(session: Session, translate: dict[int, int] | None = None) -> Stop:
    """A stop with 30 s and 5 s between its rungs."""
    command = Command(
        argv=("/x",), environment={}, directory=Path("/"), translate_signals=translate
    )
    return Stop(command, session, grace=30.0, kill_delay=5.0)


def advance(stop: Stop, until: float) -> None:
    """Climb at every moment the stop asks for, up to `until`."""
    while (due := stop.due()) is not None and due <= until:
        stop.climb(due)


PASSED_ON = "SIGINT passed on to the step, which has 30 s to end; another signal shortens that"
GAVE_UP_INT = "sh (pid 100) did not end within 30 s of SIGINT, SIGTERM now"
GAVE_UP_TERM = "sh (pid 100) did not end within 5 s of SIGTERM, SIGKILL now"


@pytest.mark.parametrize(
    ("deaf_to", "told"),
    [
        pytest.param((), [PASSED_ON], id="what ends a little later"),
        pytest.param((INT,), [PASSED_ON, GAVE_UP_INT], id="deaf to the polite one"),
        pytest.param((INT, TERM), [PASSED_ON, GAVE_UP_INT, GAVE_UP_TERM], id="deaf to both"),
    ],
)
def test_a_cancel_is_explained(deaf_to: tuple[int, ...], told: list[str]) -> None:
    """One sentence when the wait begins, and one for each signal that was not enough."""
    session = FakeSession("sh", deaf_to=deaf_to)
    stop = stop_of(session)
    stop.hear(INT, 0.0, alive=True)
    advance(stop, 100.0)
    assert list(stop.sentences) == told
    assert session.sent == [(INT, True), (TERM, False), (KILL, False)]
    assert (stop.reason, stop.signum) == (StopReason.SIGNAL, INT)


@pytest.mark.parametrize(
    ("until", "ended_at", "pressed"),
    [
        pytest.param(0.0, None, False, id="asked once"),
        pytest.param(30.0, None, True, id="not by the first signal"),
        pytest.param(100.0, 1.0, False, id="what it leaves is for others"),
    ],
)
def test_more_than_one_signal_is_told(until: float, ended_at: float | None, pressed: bool) -> None:
    """A program that was sent a second one may not have finished what it was at."""
    stop = stop_of(FakeSession("sh"))
    stop.hear(INT, 0.0, alive=True)
    stop.climb(0.0)
    if ended_at is not None:
        stop.leader_ended()
        stop.last_rungs(ended_at)
    advance(stop, until)
    assert stop.pressed is pressed


def test_nothing_is_said_of_what_ends_at_once() -> None:
    """A leader that obeys gives no reason to talk."""
    stop = stop_of(FakeSession("sh"))
    stop.hear(INT, 0.0, alive=True)
    advance(stop, CALM / 2)
    stop.leader_ended()
    advance(stop, 100.0)
    assert list(stop.sentences) == []


@pytest.mark.parametrize(
    ("signals", "told"),
    [
        pytest.param(
            [INT, INT],
            ["SIGINT again: not waiting any longer for sh (pid 100), SIGTERM now"],
            id="the same again",
        ),
        pytest.param(
            [INT, TERM],
            ["SIGTERM: not waiting any longer for sh (pid 100), SIGTERM now"],
            id="another one",
        ),
        pytest.param(
            [INT, INT, INT],
            [
                "SIGINT again: not waiting any longer for sh (pid 100), SIGTERM now",
                "SIGINT again: not waiting any longer for sh (pid 100), SIGKILL now",
            ],
            id="three times",
        ),
        pytest.param(
            [INT, INT, INT, INT],
            [
                "SIGINT again: not waiting any longer for sh (pid 100), SIGTERM now",
                "SIGINT again: not waiting any longer for sh (pid 100), SIGKILL now",
            ],
            id="more than there are rungs",
        ),
    ],
)
def test_another_signal_shortens_the_wait(signals: list[int], told: list[str]) -> None:
    """And says so, for whom and with what."""
    stop = stop_of(FakeSession("sh"))
    for now, signum in enumerate(signals):
        stop.hear(signum, now / 10, alive=True)
        stop.climb(now / 10)
    assert list(stop.sentences) == told


def test_a_translated_signal_is_named() -> None:
    """A kind that gets another signal than we were sent says which."""
    stop = stop_of(FakeSession("sh"), {TERM: INT})
    stop.hear(TERM, 0.0, alive=True)
    advance(stop, 1.0)
    assert stop.sentences[0].startswith("SIGTERM passed on to the step as SIGINT, which has 30 s")


def test_many_processes_are_counted() -> None:
    """A sentence stays one."""
    stop = stop_of(FakeSession("a", "b", "c", "d", "e", "f"))
    stop.because(StopReason.TIMEOUT, 0.0)
    advance(stop, 30.0)
    (sentence,) = stop.sentences
    assert sentence.startswith("a (pid 100), b (pid 101), c (pid 102), d (pid 103) and 2 more did")


@pytest.mark.process
@pytest.mark.parametrize("deaf", [False, True], ids=["heard", "its reader is gone"])
def test_told_while_it_lasts(deaf: bool) -> None:
    """The sentences come as it happens; a listener that is gone changes nothing else."""
    inbox = SignalInbox(install=False)
    told: list[str] = []

    def tell(sentence: str) -> None:
        told.append(sentence)
        if len(told) == 1:
            inbox.deliver(TERM)
        if deaf:
            raise BrokenPipeError

    sink = RecordingSink(on_feed=Once(b"ready", lambda: inbox.deliver(INT)))
    limits = Limits(timeout=PATIENCE, grace=PATIENCE)
    ended = execute(python(STUBBORN), sink, limits=limits, inbox=inbox, kill_delay=0.1, tell=tell)
    inbox.close()
    assert (ended.code, ended.stopped, ended.signum) == (137, StopReason.SIGNAL, INT)
    assert [sentence.split()[0] for sentence in told] == ["SIGINT", "SIGTERM:", told[2].split()[0]]
    # How long it really was; the exact figure is the sentences' own, above.
    assert re.search(r"did not end within [\d.]+ s of SIGTERM, SIGKILL now$", told[2])
