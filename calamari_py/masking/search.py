"""Search: the occurrences in one text that grows, whole ones and those that have begun."""

from __future__ import annotations

from collections.abc import Sequence

from calamari_py.masking.engine import Hit
from calamari_py.masking.index import NeedleIndex
from calamari_py.masking.needles import (
    REVEAL_LIMIT,
    Candidate,
    Needle,
    WrappedCandidate,
    short_line_before,
)

Occurrence = tuple[int, int, Needle, int]
"""Where the mask begins and ends, what was found, and where the match begins: a first line that is
too short to be held is no part of the mask."""


class Search:
    """What has begun in a text. Its owner keeps the text, and `shift`s what it drops of it."""

    __slots__ = ("_candidates", "_index", "_long", "_wrapped")

    def __init__(self, index: NeedleIndex) -> None:
        self._index = index
        self._candidates: list[Candidate] = []
        self._long: list[int] = []
        self._wrapped: set[tuple[int, int, Needle]] = set()

    @property
    def calm(self) -> bool:
        """Whether nothing has begun."""
        return not self._candidates and not self._long

    def look(self, data: bytes, old: int, hits: Sequence[Hit] | None = None) -> list[Occurrence]:
        """What the bytes of `data` after the first `old` ones make whole, in any order. `hits` are
        all the heads in them, also such as begin before, where they have been looked for."""
        index = self._index
        found: list[Occurrence] = []
        candidates, self._candidates, self._long = self._candidates, [], []
        self._wrapped.clear()
        for candidate in candidates:
            self._follow(candidate, data, found)
        by_head, by_inner, crowded = index.by_head, index.by_inner, index.crowded
        length, stands = len(data), data.startswith
        if hits is None:
            hits = index.scan(data, max(0, old - index.reach + 1))
        for at, head in hits:
            if crowded and head in crowded and at > length - index.reach:
                self._long.append(at)
            if old and at + len(head) <= old:
                continue
            group = by_head.get(head, ())
            for needle in (group,) if isinstance(group, Needle) else group:
                form = needle.form
                # With its own line ends, a needle of several lines stands there whole as well.
                if stands(form, at):
                    found.append((at, at + len(form), needle, at))
                elif needle.wraps:
                    self._follow(WrappedCandidate(needle, at), data, found)
                elif needle.lines is not None or at + len(form) > length:
                    self._follow(Candidate(needle, at), data, found)
            if by_inner and head in by_inner:
                self._look_around(data, at, head, found)
            if crowded and head in index.wrapped_crowds:
                self._look_in_crowd(data, at, head, found)
        return found

    def floors(self, data: bytes, start: int) -> tuple[int, int]:
        """From where `data` is held, because a secret may have begun there, and from where it is
        kept, because what comes is to be seen in its light. Tails begin at `start` or later."""
        hold = self._index.tails.begin(data, start, self._long)
        keep = hold
        for candidate in self._candidates:
            hold = min(hold, candidate.start)
            keep = min(keep, candidate.first)
        if begun := self._index.tails.wrapped(data, start):
            hold = min(hold, begun[0])
            keep = min(keep, begun[1])
        return hold, min(keep, hold)

    def cover(self, data: bytes, start: int) -> int:
        """From where `data`, printed, would show too much of something that has begun."""
        index = self._index
        cover = len(data)
        for at in index.tails.beginnings(data, start, self._long):
            if not index.may_show(data[at:]):
                cover = min(cover, at)
        for candidate in self._candidates:
            if candidate.start < cover and candidate.shows_too_much(len(data)):
                cover = candidate.start
        if (begun := index.tails.wrapped(data, start)) and len(begun[2]) > REVEAL_LIMIT:
            cover = min(cover, begun[0])
        return cover

    def forsake(self, before: int) -> None:
        """Give up what began earlier than `before`."""
        self._candidates = [one for one in self._candidates if one.first >= before]

    def shift(self, count: int) -> None:
        """The owner dropped `count` bytes at the start of the text."""
        for candidate in self._candidates:
            candidate.shift(count)
        self._long = [at - count for at in self._long]

    def _follow(self, candidate: Candidate, data: bytes, found: list[Occurrence]) -> None:
        stands = candidate.advance(data)
        if stands is None:
            self._candidates.append(candidate)
        elif stands:
            needle = candidate.needle
            if needle.wraps:
                # Two heads may have led to it.
                key = (candidate.first, candidate.end, needle)
                if key in self._wrapped:
                    return
                self._wrapped.add(key)
            found.append((candidate.start, candidate.end, needle, candidate.first))

    def _look_in_crowd(self, data: bytes, at: int, head: bytes, found: list[Occurrence]) -> None:
        """A line end may stand in what would be a longer head."""
        reach = self._index.reach
        line = data[at : at + reach]
        if len(line) == reach and b"\n" not in line and b"\r" not in line:
            return
        text = b"".join(data[at : at + 2 * reach].split())
        for needle in self._index.wrapped_crowds[head]:
            form = needle.form
            if (form.startswith(text) or text.startswith(form)) and not data.startswith(form, at):
                self._follow(WrappedCandidate(needle, at), data, found)

    def _look_around(self, data: bytes, at: int, inner: bytes, found: list[Occurrence]) -> None:
        """A second head stands here: a short first line may stand before it."""
        place = short_line_before(data, at)
        if place is None:
            return
        first, line, text = place
        for needle in self._index.by_inner[inner]:
            if needle.form.startswith(text):
                candidate = WrappedCandidate(needle, first)
                candidate.begin_in_second_line(line, at)
                self._follow(candidate, data, found)
