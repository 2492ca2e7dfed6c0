"""MaskStream: one stream of bytes without its secrets, however it is cut into chunks.

The bytes are looked at twice: as they are, and as a terminal shows them (`PlainView`). What either
view finds is masked. The buffer begins where the earliest unfinished candidate does. All offsets
count from there:

    0 ........ _shown ........ len(_data)
    context    held back

What is before `_shown` has left, as it is or as a mask, and stays only so that what comes after it
is recognised. `_covered` is where the last mask ends; what touches it needs no second one.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence

from calamari_py.masking.ansi import ESC, PlainView
from calamari_py.masking.engine import Hit
from calamari_py.masking.index import NeedleIndex
from calamari_py.masking.search import Occurrence, Search
from calamari_py.masking.secret import MASK

_MASK = MASK.encode()
_FEW = 8
_LARGE = 4096
"""So many bytes are not copied to stand behind what is held; no tail is as long."""
_MANY = 1000

Span = tuple[int, int]
"""Start and end of what is masked."""


class MaskStream:
    """The state of one stream. It may raise; `calamari_py.masking.masker` then withholds."""

    __slots__ = (
        "_calm", "_counting", "_covered", "_data", "_found", "_index", "_plain", "_search",
        "_shown", "_version",
    )  # fmt: skip

    def __init__(self, index: NeedleIndex) -> None:
        self._index = index
        self._version = index.version
        self._data = b""
        self._search = Search(index)
        self._plain = PlainView(index) if index.ansi_aware else None
        self._found: list[Span] = []
        self._shown = 0
        self._covered = -1
        self._counting = True
        self._calm = True

    @property
    def held(self) -> int:
        """How many bytes have not left yet, neither as they are nor as a mask."""
        return len(self._data) - self._shown

    @property
    def waiting(self) -> bytes:
        """The bytes that are held, as they came."""
        return self._data[self._shown :]

    def begun_anew(self) -> MaskStream:
        """A stream for the same secrets that got nothing yet."""
        return MaskStream(self._index)

    def feed(self, data: bytes) -> bytes:
        """What can be said of the stream now that `data` has come."""
        hits: Sequence[Hit] | None = None
        end: int | None = 0
        seen = False
        if self._calm and self._version == self._index.version:
            plain = self._plain
            if plain and ESC in data:
                end = plain.passes(data, held=bool(self._data))
            if end is not None:
                hits = self._hits(data)
                if not hits:
                    if plain and end:
                        plain.passed(len(self._data) + end)
                    return self._pass_on(data)
                if plain and end and not self._index.over_line_ends(hits):
                    plain.passed(len(self._data) + end)
                    seen = True
        old = len(self._data)
        self._data = self._data + data if old else data
        self._look(old, hits, seen=seen)
        hold, keep = self._floors()
        return self._release(hold, keep)

    def _hits(self, data: bytes) -> Sequence[Hit]:
        """The heads in what is held and `data` together, while nothing has begun."""
        index, held = self._index, self._data
        if not held:
            return index.scan(data, 0)
        if len(data) < _LARGE:
            return index.scan(held + data, 0)
        old = len(held)
        hits = [hit for hit in index.scan(held + data[: index.reach], 0) if hit[0] < old]
        hits += [(at + old, head) for at, head in index.scan(data, 0)]
        return hits

    def _pass_on(self, data: bytes) -> bytes:
        """`data` after what is held, when there is no head in them: all but what ends in one."""
        held, shown = self._data, self._shown
        if held and len(data) < _LARGE:
            data, held = held + data, b""
        length, tails = len(data), self._index.tails
        hold = keep = tails.begin(data, 0, ())
        if begun := tails.wrapped(data, 0):
            hold = min(hold, begun[0])
            keep = min(hold, begun[1])
        if held:
            given = b"".join((held[shown:], memoryview(data)[:hold]))
            shown = hold
        else:
            given = data[shown:hold] if shown or hold < length else data
            shown = max(shown, hold)
        self._data = data[keep:] if keep < length else b""
        self._shown = shown - keep
        if count := len(held) + keep:
            self._covered -= count
            if self._plain:
                self._plain.shift(count)
        return given

    def whole(self, data: bytes) -> bytes:
        """What `feed` and `flush` give for `data`; for a stream that got nothing yet."""
        self._data = data
        self._look(0)
        return self._give_all()

    def occurrences(self, data: bytes) -> bytes:
        """`data` with every whole occurrence masked, for a stream that got nothing yet: what
        begins like a secret at its end is no secret that was cut off. None is counted."""
        self._counting = False
        self._data = data
        self._look(0)
        return self._release(len(data), len(data))

    def flush(self) -> bytes:
        """All that is held: what shows too much of an unfinished secret as a mask."""
        if self._version != self._index.version:
            self._look(len(self._data))
        return self._give_all()

    def holds_match(self, data: bytes) -> bool:
        """Whether a secret stands whole in `data`; for a stream that got nothing yet."""
        self._counting = False
        self._data = data
        self._look(0)
        return bool(self._found)

    def _look(self, old: int, hits: Sequence[Hit] | None = None, *, seen: bool = False) -> None:
        """Find what the bytes after the first `old` ones finish or begin; `hits` are the heads in
        all of the data, where they are known. `seen`: no sequence hides anything."""
        index, data, plain = self._index, self._data, self._plain
        counted, since = 0, self._version
        found: list[Occurrence] = []
        if since != index.version:
            # New secrets: what is held has never been compared with them.
            self._version = index.version
            if plain:
                found = plain.look_again()
            self._search = Search(index)
            self._found = []
            counted, looked = old, 0
        else:
            looked = old
        found += self._search.look(data, looked, hits)
        if plain and not seen and old < len(data):
            found += plain.look(data, old)
        if found:
            self._note(found, counted, since)

    def _note(self, found: list[Occurrence], counted: int, since: int) -> None:
        """Enter what was found; count it, unless it ends in the first `counted` bytes and was
        found there by the needles there were at version `since`."""
        if self._counting:
            self._index.count([one[2] for one in found if one[1] > counted or one[2].added > since])
        spans = [(start, end) for start, end, _, _ in found]
        if len(spans) < _FEW:
            for span in spans:
                insort(self._found, span)
            return
        self._found += spans
        self._found.sort()
        if len(self._found) > _MANY:
            self._found = _runs(self._found)

    def _floors(self) -> Span:
        """From where bytes are held back, and from where they are kept."""
        data = self._data
        hold, keep = self._search.floors(data, 0)
        if self._plain:
            hold = min(hold, self._plain.floor(data))
        return hold, min(hold, keep)

    def _give_all(self) -> bytes:
        data = self._data
        cover = self._search.cover(data, 0)
        if self._plain:
            cover = min(cover, self._plain.cover(data))
        if cover < len(data):
            self._found.append((cover, len(data)))
            self._found.sort()
        return self._release(len(data), self._floors()[1])

    def _release(self, decided: int, keep: int) -> bytes:
        """The bytes before `decided` that have not left, masked; then forget those before `keep`.

        A mask that begins there, or where the written part ends, is written at once, to its end.
        """
        data, at = self._data, self._shown
        parts: list[bytes] = []
        if self._found:
            at = self._mask_runs(decided, parts)
        if at < decided:
            parts.append(data[at:decided])
            at = decided
        self._shown = at
        if keep:
            self._forget(keep)
        self._calm = (
            not self._found
            and self._search.calm
            and (self._plain is None or not self._plain.active)
        )
        return b"".join(parts)

    def _mask_runs(self, decided: int, parts: list[bytes]) -> int:
        """Write the runs that begin before `decided`; where the written part then ends."""
        data, at, covered = self._data, self._shown, self._covered
        taken = 0
        for start, end in self._found:
            if start > decided and start > at:
                break
            taken += 1
            if end <= at:
                continue
            begin = start if start > at else at  # noqa: FURB136 - this is the hot path
            if begin > covered:
                parts.append(data[at:begin])
                parts.append(_MASK)
            at = covered = end
        del self._found[:taken]
        self._covered = covered
        return at

    def _forget(self, count: int) -> None:
        """Drop the first `count` bytes of the buffer."""
        self._data = self._data[count:]
        self._shown -= count
        self._covered -= count
        if self._found:
            self._found = [(start - count, end - count) for start, end in self._found]
        self._search.shift(count)
        if self._plain:
            self._plain.shift(count)


def _runs(spans: list[Span]) -> list[Span]:
    """`spans` in order; those that overlap or touch as one, to keep the list short."""
    spans.sort()
    runs: list[Span] = []
    last_start, last_end = spans[0]
    for start, end in spans:
        if start > last_end:
            runs.append((last_start, last_end))
            last_start, last_end = start, end
        elif end > last_end:
            last_end = end
    runs.append((last_start, last_end))
    return runs
