"""Engine: finds the heads of needles. `GramEngine` is the one that needs no dependency.

Few heads of a size class are looked for one by one. Many are looked for all at once: the data is
read as an array of words (8 or 4 bytes) and compared with a set that holds, for each head, its
words at as many offsets as one word has bytes. One of them is read wherever the head stands, so the
cost does not depend on how many heads there are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, Protocol

Hit = tuple[int, bytes]
"""Where a head stands, counted from the start of the data, and the head."""

FEW = 24
"""Measured: so many `bytes.find` cost as much as one pass over the words."""
FEW_WORDS = 8
MANY_WORDS = 256


class Engine(Protocol):
    """What the masker asks of a search engine. It may raise: the masker then withholds."""

    def build(self, heads: Sequence[bytes]) -> None:
        """Look for `heads` too, from the next `scan` on. None is empty, none was given before."""

    def scan(self, data: bytes, start: int) -> Iterable[Hit]:
        """Every place at or after `start` where a head stands whole, in any order, each once."""


class GramEngine:
    """Standard library only; some 150 MB/s for few heads and for thousands alike."""

    def __init__(self, few: int = FEW) -> None:
        self._long = _Grams(width=8, code="Q", phases=1, few=few)
        self._short = _Grams(width=4, code="I", phases=1, few=few)
        self._tiny = _Grams(width=4, code="I", phases=4, few=few)
        self._least: list[bytes] = []

    def build(self, heads: Sequence[bytes]) -> None:
        """See `Engine`."""
        self._least += [head for head in heads if len(head) < 4]
        self._tiny.add([head for head in heads if 4 <= len(head) < 7])
        self._short.add([head for head in heads if 7 <= len(head) < 15])
        self._long.add([head for head in heads if len(head) >= 15])

    def scan(self, data: bytes, start: int) -> list[Hit]:
        """See `Engine`."""
        hits: list[Hit] = []
        _find(self._least, data, start, hits)
        for grams in (self._long, self._short, self._tiny):
            grams.scan(data, start, hits)
        return hits


def _find(heads: Iterable[bytes], data: bytes, start: int, hits: list[Hit]) -> None:
    for head in heads:
        at = data.find(head, start)
        while at >= 0:
            hits.append((at, head))
            at = data.find(head, at + 1)


class _Grams:
    """One size class: heads that all hold a whole word at one of the places where words are read.

    The words of a head are its last ones, because heads that begin alike differ there: with
    `offsets` words of `width` bytes, its last ``width + offsets - 1`` bytes: its tail.
    """

    def __init__(self, *, width: int, code: Literal["Q", "I"], phases: int, few: int) -> None:
        self._width = width
        self._code: Literal["Q", "I"] = code
        self._phases = phases
        self._offsets = width // phases
        self._size = width + self._offsets - 1
        self._few = few
        self._heads: set[bytes] = set()
        self._lengths: list[int] = []
        self._tails: set[bytes] = set()
        self._words: set[int] = set()

    def add(self, heads: Sequence[bytes]) -> None:
        before = len(self._heads)
        self._heads.update(heads)
        if len(self._heads) > self._few:
            entering = heads if before > self._few else list(self._heads)
            self._enter(entering)
            self._lengths = sorted({*self._lengths, *map(len, entering)})

    def _enter(self, heads: Iterable[bytes]) -> None:
        # All words at one offset are read at once, from the tails laid side by side.
        tails = {head[-self._size :] for head in heads} - self._tails
        self._tails |= tails
        record = -(-self._size // self._width) * self._width
        padding = bytes(record - self._size)
        laid = b"".join([tail + padding for tail in tails]) + bytes(self._width)
        for offset in range(self._offsets):
            words = memoryview(laid)[offset : offset + len(tails) * record].cast(self._code)
            self._words.update(words[:: record // self._width])

    def scan(self, data: bytes, start: int, hits: list[Hit]) -> None:
        if len(self._heads) <= self._few:
            _find(self._heads, data, start, hits)
            return
        for phase in range(self._phases):
            self._scan_words(data, start + phase, start, hits)

    def _scan_words(self, data: bytes, first: int, start: int, hits: list[Hit]) -> None:
        width, size = self._width, self._size
        count = (len(data) - first) // width
        if count <= 0:
            return
        words = memoryview(data)[first : first + count * width].cast(self._code)
        for word_end in self._word_ends(data, first, words):
            for end in range(word_end, min(word_end + self._offsets, len(data) + 1)):
                if end - start >= size and data[end - size : end] in self._tails:
                    self._try_lengths(data, start, end, hits)

    def _try_lengths(self, data: bytes, start: int, end: int, hits: list[Hit]) -> None:
        for length in self._lengths:
            at = end - length
            if at < start:
                break
            if (head := data[at:end]) in self._heads:
                hits.append((at, head))

    def _word_ends(self, data: bytes, first: int, words: memoryview) -> Iterator[int]:
        """Where the words that belong to a head end."""
        width = self._width
        known = self._words.intersection(words)
        if len(known) > FEW_WORDS or len(words) < MANY_WORDS:
            for number, word in enumerate(words, 1):
                if word in known:
                    yield first + number * width
            return
        for word in known:
            sought = word.to_bytes(width, sys.byteorder)
            at = data.find(sought, first)
            while at >= 0:
                if (at - first) % width == 0:
                    yield at + width
                at = data.find(sought, at + 1)
