"""OutputLimit: the beginning of a long output, and its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from calamari_py.output.base import Stream

LONGEST_TAIL = 65_536
"""Bytes of the end that are kept at most; a tenth of the limit where that is less."""

Entry = tuple[Stream, bytes]
"""Bytes of one stream; a sequence of them keeps the order between the two."""


class OutputLimit:
    """Lets `size` bytes pass, over both streams, and keeps the end of what follows.

    All bytes are masked. `reached` says whether anything is kept back, `left_out` how many bytes
    are lost between the beginning and what `end` gives.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.tail_size = min(LONGEST_TAIL, size // 10)
        self.reached = False
        self.left_out = 0
        self._left = size
        self._tail: deque[Entry] = deque()
        self._length = 0
        self._begun_late: set[Stream] = set()

    def take(self, stream: Stream, data: bytes) -> bytes:
        """What of `data` may be shown now."""
        if not self.reached:
            if len(data) <= self._left:
                self._left -= len(data)
                return data
            self.reached = True
            cut = _seam(data, self._left)
            passed, data = data[:cut], data[cut:]
        else:
            passed = b""
        self._tail.append((stream, data))
        self._length += len(data)
        self._drop()
        return passed

    def rework(self, change: Callable[[Iterable[Entry]], list[Entry]]) -> None:
        """Replace what is kept by what `change` makes of it."""
        self._tail = deque(change(self._tail))
        self._length = sum(len(data) for _, data in self._tail)

    def end(self) -> list[Entry]:
        """The end of the output, each stream from the start of a line if there is one; afterwards
        nothing is kept, and all that comes is over the limit."""
        entries = list(self._tail)
        for stream in self._begun_late:
            entries = self._from_line_start(stream, entries)
        self._tail.clear()
        self._length = 0
        self._begun_late.clear()
        return entries

    def _drop(self) -> None:
        while self._length > self.tail_size:
            stream, data = self._tail.popleft()
            excess = min(len(data), self._length - self.tail_size)
            if excess < len(data):
                self._tail.appendleft((stream, data[excess:]))
            self._begun_late.add(stream)
            self._length -= excess
            self.left_out += excess

    def _from_line_start(self, stream: Stream, entries: list[Entry]) -> list[Entry]:
        own = b"".join(data for name, data in entries if name == stream)
        start = own.find(b"\n") + 1
        if not 0 < start < len(own):
            start = _broken_start(own)
        self.left_out += start
        kept: list[Entry] = []
        for name, data in entries:
            skipped = min(start, len(data)) if name == stream else 0
            start -= skipped
            if skipped < len(data):
                kept.append((name, data[skipped:]))
        return kept


def _seam(data: bytes, at: int) -> int:
    """The place at or before `at` where no mask and no character is cut in two."""
    for cut in range(at, max(at - 3, 0), -1):
        inside_mask = data[cut - 1 : cut + 1] == b"**"
        inside_character = data[cut] & 0xC0 == 0x80
        if not inside_mask and not inside_character:
            return cut
    return max(at - 3, 0)


def _broken_start(data: bytes) -> int:
    """How many bytes at the start of `data` belong to a mask or a character that began before."""
    count = 0
    while count < min(3, len(data)) and data[count] & 0xC0 == 0x80:
        count += 1
    if not count and data[:3] != b"***":
        while data[count : count + 1] == b"*":
            count += 1
    return count
