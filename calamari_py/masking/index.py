"""NeedleIndex: every needle of a run under its head, for one engine."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

from calamari_py.masking.engine import Engine
from calamari_py.masking.needles import Needle

HEAD = 16
LONGEST_HEAD = 512
FEW_HEADS = 64
CROWD = 8
"""More needles than this under one head get heads of twice the length."""


class NeedleIndex:
    """Needles by head, growing. `version` changes whenever needles were added.

    A head is the first 16 bytes of a needle's first line, less when that is shorter, more where
    many needles begin alike (tokens with one header), so that a hit leads to few needles.
    """

    def __init__(self, engine: Engine) -> None:
        self.version = 0
        self.reach = 0
        self._engine = engine
        self._known: set[tuple[bytes, ...]] = set()
        self._by_head: dict[bytes, list[Needle]] = {}
        self._built: set[bytes] = set()
        self._crowded: set[bytes] = set()
        self._sorted: list[bytes] = []
        self._prefixes: set[bytes] = set()
        self._lowest_limit = 0

    def add(self, forms: Iterable[bytes]) -> None:
        """Look for `forms` too."""
        touched: dict[bytes, None] = {}
        for form in forms:
            needle = Needle(form)
            if needle.segments in self._known:
                continue
            self._known.add(needle.segments)
            limit = needle.public + needle.limit
            self._lowest_limit = min(self._lowest_limit, limit) if self.version else limit
            self.version += 1
            self._place(needle, touched)
        heads = [head for head in touched if self._by_head[head] and head not in self._built]
        if heads:
            self._built.update(heads)
            self._engine.build(heads)
            self._remember_prefixes(heads)

    def scan(self, data: bytes, start: int) -> Iterable[tuple[int, bytes]]:
        """Every place at or after `start` where a head stands whole."""
        return self._engine.scan(data, start) if self.version else ()

    def needles(self, head: bytes) -> list[Needle]:
        """The needles that begin with `head`."""
        return self._by_head[head]

    def begins(self, data: bytes, start: int) -> int:
        """The first place at or after `start` from where `data` ends inside a head; its length
        when there is none."""
        return next(self._beginnings(data, start), len(data))

    def begins_too_much(self, data: bytes, start: int) -> int:
        """The same for heads of which the rest of `data` shows more than may be shown."""
        length = len(data)
        for at in self._beginnings(data, start):
            shown = length - at
            if shown > self._lowest_limit and any(
                shown > needle.public + needle.limit
                for head in self._heads_from(data[at:])
                for needle in self._by_head[head]
            ):
                return at
        return length

    def _place(self, needle: Needle, touched: dict[bytes, None]) -> None:
        head = self._head_of(needle.segments[0])
        group = self._by_head.setdefault(head, [])
        group.append(needle)
        touched[head] = None
        if len(group) > CROWD and HEAD <= len(head) < LONGEST_HEAD and head not in self._crowded:
            self._crowded.add(head)
            self._by_head[head] = []
            for member in group:
                self._place(member, touched)

    def _head_of(self, first: bytes) -> bytes:
        size = HEAD
        head = first[:size]
        while head in self._crowded:
            size *= 2
            # Few different lengths: the engine tries each of them at a hit.
            longer = first[: min(size, len(first) - len(first) % (size // 8))]
            if len(longer) <= len(head):
                break
            head = longer
        return head

    def _remember_prefixes(self, heads: list[bytes]) -> None:
        self.reach = max(self.reach, *map(len, heads))
        for size in (1, 2, 3):
            self._prefixes.update({head[:size] for head in heads if len(head) > size})
        if len(heads) < FEW_HEADS:
            for head in heads:
                insort(self._sorted, head)
        else:
            self._sorted.extend(heads)
            self._sorted.sort()

    def _beginnings(self, data: bytes, start: int) -> Iterator[int]:
        """Every place where `data` ends inside a head."""
        length = len(data)
        prefixes = self._prefixes
        for at in range(max(start, length - self.reach + 1), length):
            if data[at : at + 3] in prefixes and (
                length - at <= 3 or next(self._heads_from(data[at:]), None)
            ):
                yield at

    def _heads_from(self, prefix: bytes) -> Iterator[bytes]:
        """The heads that begin with `prefix` and are longer."""
        number = bisect_left(self._sorted, prefix)
        while number < len(self._sorted) and self._sorted[number].startswith(prefix):
            if len(self._sorted[number]) > len(prefix):
                yield self._sorted[number]
            number += 1
