"""Needles: forms as they are searched for, and candidates: needles that have begun to match."""

from __future__ import annotations

from calamari_py.masking.forms import lines_of, public_prefix

LONGEST_GAP = 256
"""So many whitespace bytes at most stand for one line end of a secret."""
REVEAL_LIMIT = 3


class Needle:
    """One form: its lines (`segments`); whitespace stands between them.

    `length` counts each line end as one byte. `limit` is how many bytes of an unfinished match
    may be shown, beyond the `public` ones (PEM armour) that it begins with.
    """

    __slots__ = ("length", "limit", "public", "segments")

    def __init__(self, form: bytes) -> None:
        self.segments = tuple(lines_of(form)) if b"\n" in form or b"\r" in form else (form,)
        self.length = sum(map(len, self.segments)) + len(self.segments) - 1
        self.limit = min(REVEAL_LIMIT, self.length // 4)
        self.public = public_prefix(self.segments[0])


class Candidate:
    """A place where a needle may stand. Offsets count from the start of the owner's buffer.

    `end` is the next byte to look at; `advance` goes on from there when more bytes have come.
    """

    __slots__ = ("_gap", "_offset", "_second", "_segment", "end", "needle", "start")

    def __init__(self, needle: Needle, start: int) -> None:
        self.needle = needle
        self.start = start
        self.end = start
        self._segment = 0
        self._offset = 0
        self._gap = 0
        self._second: int | None = None

    def shift(self, count: int) -> None:
        """The owner dropped `count` bytes at the start of its buffer."""
        self.start -= count
        self.end -= count
        if self._second is not None:
            self._second -= count

    def advance(self, data: bytes) -> bool | None:
        """Whether the needle stands here; None when `data` ends before that is clear."""
        segments = self.needle.segments
        while True:
            segment = segments[self._segment]
            rest = data[self.end : self.end + len(segment) - self._offset]
            if not segment.startswith(rest, self._offset):
                return False
            self.end += len(rest)
            self._offset += len(rest)
            if self._offset < len(segment):
                return None
            if self._segment == len(segments) - 1:
                return True
            if (passed := self._pass_gap(data)) is not True:
                return passed

    def _pass_gap(self, data: bytes) -> bool | None:
        """Step over the whitespace that stands for a line end, all of it."""
        window = data[self.end : self.end + LONGEST_GAP + 1 - self._gap]
        run = len(window) - len(window.lstrip())
        self.end += run
        self._gap += run
        if self._gap > LONGEST_GAP:
            return False
        if self.end == len(data):
            return None
        if not self._gap:
            return False
        self._segment += 1
        self._offset = self._gap = 0
        if self._segment == 1:
            self._second = self.end
        return True

    def shows_too_much(self, end: int) -> bool:
        """Whether the bytes up to `end`, printed, would show more of the secret than allowed."""
        needle = self.needle
        public_end = self.start + needle.public
        if needle.public and needle.public == len(needle.segments[0]) and len(needle.segments) > 1:
            public_end = end if self._second is None else self._second
        return end - public_end > needle.limit
