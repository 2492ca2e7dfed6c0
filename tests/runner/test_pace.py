"""A child's output in few and large pieces: nothing is lost, the order stays, the pace is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamari_py.output.base import Stream
from calamari_py.output.jsonl import JsonReporter
from calamari_py.output.text import TextReporter
from calamari_py.runner.limit import Entry
from calamari_py.runner.pace import MOST_PIECES, Pace, Paced
from tests.output.output_samples import Screen


@dataclass
class Slow:
    """What a reporter asks for, and a clock that only waiting moves."""

    output_interval: float = 1.0
    output_size: int = 8
    now: float = 0.0
    shown: list[tuple[float, Stream, bytes]] = field(default_factory=list)

    def pace(self) -> Pace:
        return Pace(self, self.show, clock=lambda: self.now, wait=self.wait)

    def show(self, stream: Stream, data: bytes) -> None:
        self.shown.append((self.now, stream, data))

    def wait(self, seconds: float) -> None:
        self.now += seconds

    @property
    def pieces(self) -> list[Entry]:
        return [(stream, data) for _, stream, data in self.shown]


def test_the_first_piece_goes_at_once() -> None:
    """After a pause nothing waits, so that a prompt is there when it is asked."""
    slow = Slow()
    pace = slow.pace()
    pace.put("stdout", b"a")
    slow.now = 1.0
    pace.put("stdout", b"b")
    assert slow.pieces == [("stdout", b"a"), ("stdout", b"b")]
    assert not pace.holding
    assert slow.now == 1.0


def test_small_writes_become_one_piece() -> None:
    """What comes too early is collected, and shown with the next that may be."""
    slow = Slow()
    pace = slow.pace()
    for char in (b"a", b"b", b"c"):
        pace.put("stdout", char)
    assert slow.pieces == [("stdout", b"a")]
    assert pace.holding
    slow.now = 1.5
    pace.put("stdout", b"d")
    assert slow.pieces == [("stdout", b"a"), ("stdout", b"bcd")]


def test_release_shows_all_that_waits() -> None:
    """Silence and the end of a stream leave nothing behind, and the pace is kept all the same."""
    slow = Slow()
    pace = slow.pace()
    for stream, data in (("stdout", b"a"), ("stdout", b"b"), ("stderr", b"c")):
        pace.put(stream, data)  # type: ignore[arg-type]
    pace.release()
    assert slow.shown == [(0.0, "stdout", b"a"), (1.0, "stdout", b"b"), (2.0, "stderr", b"c")]
    assert not pace.holding


def test_who_writes_too_much_waits() -> None:
    """More than a piece is not kept: the writer waits, and memory stays bounded."""
    slow = Slow()
    pace = slow.pace()
    pace.put("stdout", b"x" * 30)
    assert [(when, len(data)) for when, _, data in slow.shown] == [(0.0, 8), (1.0, 8), (2.0, 8)]
    assert pace.holding


def test_changing_streams_do_not_pile_up() -> None:
    """Tiny writes to both streams in turn make a few pieces wait, not all of them."""
    slow = Slow()
    pace = slow.pace()
    for _ in range(20):
        pace.put("stdout", b"o")
        pace.put("stderr", b"e")
    assert len(slow.shown) >= 40 - MOST_PIECES


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["stdout", "stderr"]), st.binary(min_size=1, max_size=40),
            st.sampled_from([0.0, 0.25, 1.0, 5.0]),
        ),
        max_size=30,
    )
)  # fmt: skip
def test_nothing_is_lost_and_the_pace_is_kept(writes: list[tuple[Stream, bytes, float]]) -> None:
    """However writes come: each byte once, in the order of both streams, no piece too early or too
    large."""
    slow = Slow()
    pace = slow.pace()
    for stream, data, after in writes:
        slow.now += after
        pace.put(stream, data)
    pace.release()
    assert _letters(slow.pieces) == _letters([(stream, data) for stream, data, _ in writes])
    times = [when for when, _, _ in slow.shown]
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(times))
    assert all(len(data) <= 8 for _, data in slow.pieces)


def _letters(entries: list[Entry]) -> list[tuple[Stream, int]]:
    return [(stream, byte) for stream, data in entries for byte in data]


@pytest.mark.parametrize(
    ("format_", "paced"),
    [pytest.param(JsonReporter, True, id="json"), pytest.param(TextReporter, False, id="text")],
)
def test_only_json_has_a_pace(format_: type, paced: bool) -> None:
    """People see what a child writes when it writes it."""
    assert isinstance(format_(Screen().options()), Paced) is paced
