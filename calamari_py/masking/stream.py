"""MaskStream: one stream of bytes without its secrets, however it is cut into chunks.

The buffer begins where the earliest unfinished candidate does. All offsets count from there:

    0 ........ _shown ........ len(_data)
    context    held back

What is before `_shown` has left, as it is or as a mask, and stays only so that what comes after it
is recognised. `_covered` is where the last mask ends; what touches it needs no second one.
"""

from __future__ import annotations

from bisect import insort

from calamari_py.masking.index import NeedleIndex
from calamari_py.masking.needles import Candidate
from calamari_py.masking.secret import MASK

_MASK = MASK.encode()
FEW = 8

Span = tuple[int, int]
"""Start and end of an occurrence."""


class MaskStream:
    """The state of one stream. It may raise; `calamari_py.masking.masker` then withholds."""

    __slots__ = ("_candidates", "_covered", "_data", "_found", "_index", "_shown", "_version")

    def __init__(self, index: NeedleIndex) -> None:
        self._index = index
        self._version = index.version
        self._data = b""
        self._candidates: list[Candidate] = []
        self._found: list[Span] = []
        self._shown = 0
        self._covered = -1

    @property
    def held(self) -> int:
        """How many bytes have not left yet, neither as they are nor as a mask."""
        return len(self._data) - self._shown

    def feed(self, data: bytes) -> bytes:
        """What can be said of the stream now that `data` has come."""
        old = len(self._data)
        self._data = self._data + data if old else data
        self._search(old)
        floor = self._floor()
        return self._release(floor, floor)

    def whole(self, data: bytes) -> bytes:
        """What `feed` and `flush` give for `data`; for a stream that got nothing yet."""
        self._data = data
        self._search(0)
        return self._give_all(len(data))

    def occurrences(self, data: bytes) -> bytes:
        """`data` with every whole occurrence masked, for a stream that got nothing yet: what
        begins like a secret at its end is no secret that was cut off."""
        self._data = data
        self._search(0)
        return self._release(len(data), len(data))

    def flush(self) -> bytes:
        """All that is held: what shows too much of an unfinished secret as a mask."""
        if self._version != self._index.version:
            self._search(len(self._data))
        return self._give_all(self._floor())

    def holds_match(self, data: bytes) -> bool:
        """Whether a secret stands whole in `data`; for a stream that got nothing yet."""
        self._data = data
        self._search(0)
        return bool(self._found)

    def _give_all(self, floor: int) -> bytes:
        length = len(self._data)
        cover = self._index.begins_too_much(self._data, 0)
        for candidate in self._candidates:
            if candidate.start < cover and candidate.shows_too_much(length):
                cover = candidate.start
        if cover < length:
            self._note([(cover, length)])
        return self._release(length, floor)

    def _search(self, old: int) -> None:
        """Find what the bytes after the first `old` ones finish or begin."""
        index, data = self._index, self._data
        candidates = self._candidates
        if self._version != index.version:
            # New secrets: what is held has never been compared with them.
            self._version = index.version
            old = 0
            candidates = []
            self._found = []
        self._candidates = []
        found: list[Span] = []
        for candidate in candidates:
            self._follow(candidate, found)
        for at, head in index.scan(data, max(0, old - index.reach + 1)):
            if at + len(head) <= old:
                continue
            for needle in index.needles(head):
                if len(needle.segments) == 1 and at + needle.length <= len(data):
                    if data.startswith(needle.segments[0], at):
                        _append(found, at, at + needle.length)
                else:
                    self._follow(Candidate(needle, at), found)
        self._note(found)

    def _follow(self, candidate: Candidate, found: list[Span]) -> None:
        stands = candidate.advance(self._data)
        if stands:
            _append(found, candidate.start, candidate.end)
        elif stands is None:
            self._candidates.append(candidate)

    def _note(self, found: list[Span]) -> None:
        """Enter what was found, in order. Thousands may already wait for an unfinished secret."""
        if len(found) > FEW:
            self._found += found
            self._found.sort()
        else:
            for span in found:
                insort(self._found, span)

    def _floor(self) -> int:
        """The earliest place where a secret may have begun that is not whole yet."""
        floor = self._index.begins(self._data, 0)
        for candidate in self._candidates:
            floor = min(floor, candidate.start)
        return floor

    def _release(self, decided: int, floor: int) -> bytes:
        """The bytes before `decided` that have not left, masked; then forget those before `floor`.

        A mask that begins there, or where the written part ends, is written at once, to its end.
        """
        data, at, covered = self._data, self._shown, self._covered
        parts: list[bytes] = []
        taken = 0
        for start, end in self._found:
            if start > max(decided, at):
                break
            taken += 1
            if end <= at:
                continue
            if max(start, at) > covered:
                parts += (data[at : max(start, at)], _MASK)
            at = covered = end
        del self._found[:taken]
        if at < decided:
            parts.append(data[at:decided])
            at = decided
        self._shown, self._covered = at, covered
        if floor:
            self._forget(floor)
        return b"".join(parts)

    def _forget(self, count: int) -> None:
        """Drop the first `count` bytes of the buffer."""
        self._data = self._data[count:]
        self._shown -= count
        self._covered -= count
        self._found = [(start - count, end - count) for start, end in self._found]
        for candidate in self._candidates:
            candidate.shift(count)


def _append(found: list[Span], start: int, end: int) -> None:
    """Enter a span; into the last one where it overlaps or touches that, to keep the list short."""
    if found and found[-1][0] <= start <= found[-1][1]:
        found[-1] = (found[-1][0], max(end, found[-1][1]))
    else:
        found.append((start, end))
