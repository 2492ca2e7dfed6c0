"""Pipes: what the sink is told, without any process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from calamari_py.process import Stream
from calamari_py.process.pipes import Pipes
from tests.process.support import RecordingSink


class Rig:
    """Two pipes with their write ends, a sink that holds or not, and a clock to set."""

    def __init__(self) -> None:
        self.now = 100.0
        self.holds = False
        self.fails: type[BaseException] | None = None
        self.sink = RecordingSink(on_feed=self._on_feed, holds=lambda: self.holds)
        stdout, self.stdout = os.pipe()
        stderr, self.stderr = os.pipe()
        self.read_ends = {"stdout": stdout, "stderr": stderr}
        for descriptor in self.read_ends.values():
            os.set_blocking(descriptor, False)
        self.pipes = Pipes(
            self.sink, stdout=stdout, stderr=stderr, clock=lambda: self.now, idle_flush=1.0
        )
        self._writers = [self.stdout, self.stderr]

    def write(self, descriptor: int, at: float | None = None) -> None:
        """One byte comes and is read."""
        self.now = self.now if at is None else at
        os.write(descriptor, b"x")
        self.pipes.cycle(self.pipes.filenos())

    def end(self, descriptor: int) -> None:
        """The child closes a stream."""
        self._writers.remove(descriptor)
        os.close(descriptor)

    def close(self) -> None:
        """Give everything back."""
        self.pipes.close_descriptors()
        for descriptor in self._writers:
            os.close(descriptor)

    def _on_feed(self, stream: Stream, data: bytes) -> None:
        if self.fails is not None:
            raise self.fails


@pytest.fixture
def rig() -> Iterator[Rig]:
    """Pipes to write to."""
    made = Rig()
    yield made
    made.close()


def test_one_cycle(rig: Rig) -> None:
    """Both streams are read before the sink is told anything, stdout is fed first."""
    os.write(rig.stderr, b"e")
    os.write(rig.stdout, b"o")
    # Only stderr was reported: what came to stdout before it is read all the same.
    assert rig.pipes.cycle([rig.read_ends["stderr"]])
    assert rig.sink.calls == ["before_feed", "feed stdout", "feed stderr"]
    assert not rig.pipes.cycle(rig.pipes.filenos())
    assert len(rig.sink.calls) == 3


def test_idle_follows_the_last_byte(rig: Rig) -> None:
    """A stream that goes on is not idle; one that fell silent is after the flush time."""
    rig.holds = True
    for at in (100.0, 100.9, 101.8, 102.7, 103.6, 104.5):
        rig.write(rig.stdout, at)
        assert rig.pipes.idle_at() == at + 1.0


def test_idle_of_one_silent_stream(rig: Rig) -> None:
    """Held bytes of a silent stream wait four flush times at most while the other goes on."""
    rig.holds = True
    rig.write(rig.stdout, 100.0)
    for at in (100.5, 101.0, 101.5, 102.0, 102.5, 103.0, 103.5):
        rig.write(rig.stderr, at)
    assert rig.pipes.idle_at() == 104.0


def test_idle_only_while_something_is_held(rig: Rig) -> None:
    """Nothing held, nothing to let go; let go once, and again only where the sink holds on."""
    rig.write(rig.stdout)
    assert rig.pipes.idle_at() is None
    rig.holds = True
    rig.write(rig.stdout)
    rig.pipes.idle()
    assert rig.sink.calls[-2:] == ["before_feed", "idle"]
    again = rig.pipes.idle_at()
    assert again is not None
    rig.holds = False
    rig.pipes.idle()
    assert rig.pipes.idle_at() is None


def test_each_stream_is_closed_once(rig: Rig) -> None:
    """A stream is closed at its end or when it is given up, and only once."""
    rig.end(rig.stdout)
    rig.pipes.cycle(rig.pipes.filenos())
    assert (rig.sink.closed, rig.pipes.open) == (["stdout"], True)
    rig.pipes.close()
    rig.pipes.close()
    assert (rig.sink.closed, rig.pipes.open) == (["stdout", "stderr"], False)


def test_reader_of_one_stream_gone(rig: Rig) -> None:
    """Only the stream that lost its reader falls silent."""
    rig.fails = BrokenPipeError
    rig.write(rig.stdout)
    assert rig.pipes.reader_gone
    rig.fails = None
    rig.write(rig.stdout)
    rig.write(rig.stderr)
    assert rig.sink.calls.count("feed stdout") == 1
    assert rig.sink.calls.count("feed stderr") == 1


def test_muted(rig: Rig) -> None:
    """After `mute` bytes are read and thrown away, and closing is all the sink hears."""
    rig.pipes.mute()
    rig.write(rig.stdout)
    rig.end(rig.stdout)
    rig.pipes.cycle(rig.pipes.filenos())
    assert rig.sink.calls == []
    rig.pipes.close_quietly(nullcontext)
    assert rig.sink.closed == ["stdout", "stderr"]


def test_drain_takes_what_is_there(rig: Rig) -> None:
    """The last look reads without waiting, and not for ever."""
    os.write(rig.stdout, b"x" * 10_000)
    rig.pipes.drain()
    assert len(rig.sink.stdout) == 10_000
    os.write(rig.stdout, b"x" * 10_000)
    rig.pipes.drain(cycles=0)
    assert len(rig.sink.stdout) == 10_000
