"""The engine against the naive search, for every size of head and both ways of searching."""

from __future__ import annotations

import random

import pytest

from calamari_py.masking.engine import GramEngine


def naive(heads: set[bytes], data: bytes, start: int) -> list[tuple[int, bytes]]:
    """Every place of every head, tried one by one."""
    places = range(start, len(data))
    return sorted((at, head) for at in places for head in heads if data.startswith(head, at))


@pytest.mark.parametrize("few", [0, 3, 24])
@pytest.mark.parametrize("alphabet", [b"ab", b"abcdefgh", bytes(range(256))], ids=len)
def test_finds_what_is_there(few: int, alphabet: bytes) -> None:
    """Every head is found at every place, once, whatever its length and the alignment."""
    rng = random.Random(few * 1000 + len(alphabet))
    for _ in range(25):
        sizes = rng.choices((1, 2, 3, 4, 5, 6, 7, 8, 11, 14, 15, 16, 17, 23, 32, 64), k=20)
        heads = {bytes(rng.choices(alphabet, k=size)) for size in sizes}
        parts = [rng.choice([*heads, b"", b"a", b"bcd"]) for _ in range(25)]
        data = b"".join(parts)
        engine = GramEngine(few)
        first = sorted(heads)[:5]
        engine.build(first)
        engine.build([head for head in heads if head not in first])
        start = rng.randint(0, 20)
        assert sorted(engine.scan(data, start)) == naive(heads, data, start)


@pytest.mark.parametrize("data", [b"", b"a", b"abcdefg"])
def test_short_data(data: bytes) -> None:
    """Data shorter than a word holds no long head and raises nothing."""
    engine = GramEngine(0)
    engine.build([b"0123456789abcdef", b"01234567", b"0123"])
    assert engine.scan(data, 0) == []
    assert engine.scan(data, len(data)) == []
