"""Tails: where the data ends inside a head, so that what follows may make a secret of it."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence

from calamari_py.masking.needles import HELD_PIECE, INNER, gap_before

HEAD = 16
"""How long a head is where few needles begin alike."""
FEW_HEADS = 64
PREFIX = 3
_FIRST_BYTES = tuple(slice(at, at + PREFIX) for at in range(2 * INNER))
"""For each place where something may have begun."""

Beginning = tuple[int, int, bytes]
"""Where what has begun starts to be held, where it starts to be kept as context, and its bytes
without the line end in it."""


class Tails:
    """The heads in order, and the first bytes of each: a tail is looked up, not searched."""

    def __init__(self) -> None:
        self._heads: list[bytes] = []
        self._prefixes: set[bytes] = set()
        self._alphabet = b""
        """Every byte that stands in a head."""
        self._wrapped: list[bytes] = []
        self._wrapped_prefixes: set[bytes] = set()

    def add(self, heads: list[bytes], wrapped: list[bytes]) -> None:
        """Remember new heads, and new forms that an encoder may wrap."""
        self._alphabet = bytes({*self._alphabet, *b"".join(heads)})
        for size in range(1, PREFIX + 1):
            self._prefixes.update({head[:size] for head in heads if len(head) > size})
            self._wrapped_prefixes.update({form[:size] for form in wrapped})
        _enter(self._heads, heads)
        _enter(self._wrapped, wrapped)

    def begin(self, data: bytes, start: int, long: Sequence[int]) -> int:
        """The first place at or after `start` where `data` ends inside a head; its length when
        there is none. `long` are the places of those heads' first 16 bytes that are longer."""
        for at in sorted(long) if long else ():
            if at >= start and _next(self._heads, data[at:]):
                return at
        length = len(data)
        tail = data[max(start, length - HEAD + 1) :]
        tail = tail[len(tail.rstrip(self._alphabet)) :]
        for at in _places(tail, self._prefixes):
            if len(tail) - at <= PREFIX or _next(self._heads, tail[at:]):
                return length - len(tail) + at
        return length

    def beginnings(self, data: bytes, start: int, long: Sequence[int]) -> Iterator[int]:
        """Every such place, in order."""
        at = self.begin(data, start, long)
        while at < len(data):
            yield at
            at = self.begin(data, at + 1, long)

    def heads_from(self, prefix: bytes) -> Iterator[bytes]:
        """The heads that begin with `prefix` and are longer."""
        number = bisect_right(self._heads, prefix)
        while number < len(self._heads) and self._heads[number].startswith(prefix):
            yield self._heads[number]
            number += 1

    def wrapped(self, data: bytes, start: int) -> Beginning | None:
        """The wrapped form whose first, short line stands whole and after which `data` ends, in
        the line end or before the second head is whole. The one that begins first, at or after
        `start`: the others are held, kept and hidden with it."""
        if not self._wrapped:
            return None
        tail = data[1 - 2 * INNER :]
        if b"\n" not in tail and b"\r" not in tail and not tail[:1].isspace():
            return None
        if not (line := _last_line(data)):
            return None
        gap = gap_before(data, line)
        before = data[max(start, line - gap - INNER + 1) : line - gap]
        if not gap or not before:
            return None
        rest = data[line:]
        piece = before.split()[-1][len(rest) + 1 - 2 * INNER :]
        text = piece + rest
        for at in _places(text, self._wrapped_prefixes):
            if at < len(piece) and _next(self._wrapped, text[at:]):
                size = len(piece) - at
                first = line - gap - size
                return (first if size >= HELD_PIECE else line), first, text[at:]
        return None


def _last_line(data: bytes) -> int:
    """Where the last line begins, its indentation left out; 0 when it is too long to matter."""
    tail = data[1 - 2 * INNER :]
    if tail[-1:].isspace():
        return len(data)
    words = tail.split()
    return len(data) - len(words[-1]) if words and len(words[-1]) < len(tail) else 0


def _places(tail: bytes, prefixes: set[bytes]) -> list[int]:
    """Where in `tail` one of `prefixes` stands."""
    firsts = map(tail.__getitem__, _FIRST_BYTES[: len(tail)])
    return [at for at, first in enumerate(firsts) if first in prefixes]


def _enter(known: list[bytes], new: list[bytes]) -> None:
    if len(new) < FEW_HEADS:
        for one in new:
            insort(known, one)
    else:
        known.extend(new)
        known.sort()


def _next(known: list[bytes], prefix: bytes) -> bool:
    """Whether one of `known`, which are sorted, begins with `prefix` and is longer."""
    number = bisect_right(known, prefix)
    return number < len(known) and known[number].startswith(prefix)
