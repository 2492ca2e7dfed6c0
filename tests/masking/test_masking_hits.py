"""How many occurrences of each secret were found."""

from __future__ import annotations

import random

import pytest

from calamari_py.masking.stream import MaskStream
from tests.masking.oracle import Wrapped
from tests.masking.streams import bytewise, cut, index_of

FORM = Wrapped(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/" * 2)


@pytest.mark.parametrize(
    ("forms", "data", "hits"),
    [
        pytest.param([b"abcd"], b"nothing", {}, id="none"),
        pytest.param([b"abcd"], b"abcd abcd", {"0": 2}, id="two"),
        pytest.param([b"abcd"], b"abcdabcd", {"0": 2}, id="touching"),
        pytest.param([b"abab"], b"ababab", {"0": 2}, id="overlapping"),
        pytest.param([b"abcd", b"cdef"], b"abcdef", {"0": 1, "1": 1}, id="of-two-secrets"),
        pytest.param([b"abcd"], b"ab\x1b[mcd abcd", {"0": 2}, id="in-colour"),
        pytest.param([b"abcd"], b"\x1b[1mabcd\x1b[m", {"0": 1}, id="seen-by-both-views"),
        pytest.param([b"abcd"], b"abc", {}, id="unfinished"),
        pytest.param([b"abcd", b"abcd"], b"abcd", {"0": 1, "1": 1}, id="one-value-two-names"),
        pytest.param(
            [FORM], FORM[:10] + b"\n" + FORM[10:90] + b"\n" + FORM[90:], {"0": 1}, id="wrapped"
        ),
        pytest.param([FORM], FORM[:2] + b"\x1b[m\n" + FORM[2:], {"0": 1}, id="wrapped-in-colour"),
        pytest.param([b"ab\ncd"], b"ab\r\n cd", {"0": 1}, id="lines"),
    ],
)
def test_hits(forms: list[bytes], data: bytes, hits: dict[str, int]) -> None:
    """Each occurrence counts once for each secret it belongs to, however the data are cut."""
    rng = random.Random(5)
    for chunks in ([data], bytewise(data), *(cut(data, rng) for _ in range(20))):
        index = index_of(forms)
        stream = MaskStream(index)
        for chunk in chunks:
            stream.feed(chunk)
        stream.flush()
        assert index.hits == hits


def test_what_is_looked_at_again_counts_once() -> None:
    """A secret that comes while others wait does not count those twice, and counts itself."""
    index = index_of([b"abcdefgh-and-more", b"cdef"])
    stream = MaskStream(index)
    stream.feed(b"abcdefgh")
    assert index.hits == {"1": 1}
    index.add([("late", "literal", b"efgh")])
    stream.feed(b"-")
    assert index.hits == {"1": 1, "late": 1}


def test_only_streams_count() -> None:
    """Texts of ours, which are masked again and again, are not counted."""
    index = index_of([b"abcd"])
    assert MaskStream(index).occurrences(b"abcd") == b"***"
    assert MaskStream(index).holds_match(b"abcd")
    assert index.hits == {}
    assert MaskStream(index).whole(b"abcd") == b"***"
    assert index.hits == {"0": 1}
