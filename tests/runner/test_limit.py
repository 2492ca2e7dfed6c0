"""``output_limit``: the beginning of a long output, and its end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamari_py.output.base import Stream
from calamari_py.runner.limit import LONGEST_TAIL, Entry, OutputLimit


def through(size: int, *entries: Entry) -> tuple[bytes, list[Entry], int]:
    """What is shown at once, what at the end, and how much is left out."""
    limit = OutputLimit(size)
    shown = b"".join(limit.take(stream, data) for stream, data in entries)
    return shown, limit.end(), limit.left_out


@pytest.mark.parametrize(
    ("size", "data", "shown", "tail", "left_out"),
    [
        pytest.param(30, b"x" * 30, b"x" * 30, b"", 0, id="just fits"),
        pytest.param(30, b"x" * 31, b"x" * 30, b"x", 0, id="the end is all of it"),
        pytest.param(30, b"x" * 30 + b"1234567", b"x" * 30, b"567", 4, id="no line"),
        pytest.param(30, b"x" * 30 + b"a\nbcd\nef", b"x" * 30, b"ef", 6, id="from a line's start"),
        pytest.param(30, b"x" * 30 + b"a\nbcd\n", b"x" * 30, b"cd\n", 3, id="one long line"),
        pytest.param(0, b"abc", b"", b"", 3, id="nothing"),
        pytest.param(5, b"abcdefgh", b"abcde", b"", 3, id="no room for an end"),
        pytest.param(30, b"x" * 29 + b"***" + b"y" * 9, b"x" * 29, b"yyy", 9, id="first of a mask"),
        pytest.param(30, b"x" * 28 + b"***" + b"y" * 9, b"x" * 28, b"yyy", 9, id="second of it"),
        pytest.param(30, b"x" * 27 + b"***" + b"y" * 9, b"x" * 27 + b"***", b"yyy", 6, id="fits"),
        pytest.param(30, b"x" * 40 + b"***y", b"x" * 30, b"y", 13, id="the end begins in a mask"),
        pytest.param(30, b"x" * 40 + b"***", b"x" * 30, b"***", 10, id="the end is a mask"),
        pytest.param(30, b"x" * 29 + "€".encode() + b"y" * 9, b"x" * 29, b"yyy", 9, id="character"),
        pytest.param(30, b"x" * 40 + "€€".encode(), b"x" * 30, "€".encode(), 13,
                     id="whole characters"),
        pytest.param(40, b"x" * 50 + "a€".encode(), b"x" * 40, "a€".encode(), 10, id="all fits"),
        pytest.param(40, b"x" * 50 + "€€".encode(), b"x" * 40, "€".encode(), 13,
                     id="the end begins in a character"),
    ],
)  # fmt: skip
def test_where_an_output_is_cut(
    size: int, data: bytes, shown: bytes, tail: bytes, left_out: int
) -> None:
    """No mask and no character is cut in two, and the end begins with a line where it can."""
    first, last, lost = through(size, ("stdout", data))
    assert (first, b"".join(data for _, data in last), lost) == (shown, tail, left_out)


def test_both_streams_share_the_limit_and_keep_their_order() -> None:
    """The end is that of both, as they came."""
    shown, tail, left_out = through(
        50, ("stdout", b"a" * 30), ("stderr", b"b" * 30), ("stdout", b"12"), ("stderr", b"34"),
        ("stdout", b"5"),
    )  # fmt: skip
    assert shown == b"a" * 30 + b"b" * 20
    assert tail == [("stdout", b"12"), ("stderr", b"34"), ("stdout", b"5")]
    assert left_out == 10


@pytest.mark.parametrize(
    ("size", "kept"),
    [
        pytest.param(1_000, 100, id="a tenth"),
        pytest.param(100_000_000, LONGEST_TAIL, id="64 KiB at most"),
    ],
)
def test_how_much_of_the_end_is_kept(size: int, kept: int) -> None:
    """Memory is bounded whatever comes."""
    limit = OutputLimit(size)
    assert limit.tail_size == kept
    limit.take("stdout", b"x" * size)
    for _ in range(40):
        limit.take("stdout", b"y" * 4_000)
        assert sum(len(data) for _, data in limit._tail) <= kept
    assert sum(len(data) for _, data in limit.end()) == kept
    assert limit.left_out == 40 * 4_000 - kept


@given(
    st.integers(0, 60),
    st.lists(
        st.tuples(
            st.sampled_from(["stdout", "stderr"]),
            st.one_of(st.binary(max_size=30), st.text("*a\n€", max_size=12).map(str.encode)),
        ),
        max_size=12,
    ),
)
def test_every_byte_is_shown_or_counted(size: int, writes: list[tuple[Stream, bytes]]) -> None:
    """The beginning, the end and what is left out are together what was written; the end of each
    stream is the end of what it wrote."""
    shown, tail, left_out = through(size, *writes)
    kept = sum(len(data) for _, data in tail)
    assert len(shown) + kept + left_out == sum(len(data) for _, data in writes)
    assert len(shown) <= size
    assert kept <= size // 10
    for stream in ("stdout", "stderr"):
        written = b"".join(data for name, data in writes if name == stream)
        assert written.endswith(b"".join(data for name, data in tail if name == stream))
