"""PlainView: a stream as a terminal shows it, without escape sequences, searched a second time.

A sequence is what a terminal takes in without showing it, from an ESC on:

- ``ESC [``, up to 128 of the bytes from space to ``?``, and one from ``@`` to ``~`` (CSI);
- ``ESC`` and one of ``] P X ^ _``, up to 4096 bytes that are no control characters, and BEL (OSC
  and its kin; where ``ESC \\`` ends it, that is a sequence of its own);
- ``ESC``, up to 3 bytes from space to ``/``, and one from ``0`` to ``~``.

One that is broken off ends before the first byte that cannot belong to it, and what there is of it
is not shown either. So each byte is text or not as soon as it is there, whatever follows, and a
sequence that is cut by the end of a chunk makes nothing wait.

An occurrence that holds more than `LONGEST_HIDDEN` bytes of sequences is none.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from itertools import accumulate

from calamari_py.masking.index import NeedleIndex
from calamari_py.masking.needles import INNER, LONGEST_GAP
from calamari_py.masking.search import Occurrence, Search

ESC = b"\x1b"
LONGEST_HIDDEN = 65_536
_MOST_WAITING = 64
_LONGEST_BEGINNING = 2 * INNER + LONGEST_GAP
"""Bytes of a wrapped form that has begun and whose second head is not whole, and of its gap."""

_AFTER_ESC = rb"(?>\[[ -?]{0,128}+[@-~]?+|[\]PX^_][^\x00-\x1f]{0,4096}+\x07?+|[ -/]{0,3}+[0-~]?+)"
_SEQUENCE = re.compile(rb"(\x1b%s)" % _AFTER_ESC)
_UNFINISHED = re.compile(rb"\x1b(?:\[[ -?]{0,128}|[\]PX^_][^\x00-\x1f]{0,4096}|[ -/]{0,3})")


def without_sequences(data: bytes) -> bytes:
    """`data` as a terminal shows it."""
    return _SEQUENCE.sub(b"", data)


class PlainView:
    """The second view of one stream, as long as there are sequences in what is looked at.

    Offsets of its own text count from the start of `_text`, those of the stream from the start of
    the owner's buffer; `_base` and `_raw_base` are how many bytes were dropped before each.
    """

    def __init__(self, index: NeedleIndex) -> None:
        self._index = index
        self._search = Search(index)
        self.active = False
        self._text = b""
        self._base = 0
        self._raw_base = 0
        self._sequence = b""
        self._places: list[int] = []
        """Where each run of text begins, in all of the text so far."""
        self._raw_places: list[int] = []
        """The same places in all of the stream."""
        self._last = (0, 0)
        """Those of the last run."""
        self._waiting: list[tuple[int, int, list[bytes]]] = []
        """Pieces whose runs are not entered yet: mostly nobody asks."""
        self._alphabet = b""
        self._inside = _SEQUENCE

    def passes(self, data: bytes, *, held: bool) -> int | None:
        """Where the last sequence in `data` ends, if no secret can hold one of them unless a head
        stands in `data` as it is; None when that is not clear. For a view that is not active, and
        `data` with a sequence; `held` says whether something before it may have begun.

        Between two bytes that stand in forms, a secret may go on behind a sequence. Elsewhere it
        can at a line end only, and all of its lines are there without a sequence in them.
        """
        if self._alphabet != self._index.alphabet:
            self._alphabet = self._index.alphabet
            within = b"[%s]" % re.escape(self._alphabet)
            sequences = rb"%s(?:\x1b%s){0,8}+" % (_AFTER_ESC, _AFTER_ESC)
            # It begins with ESC itself: places where none stands are then skipped fast.
            # More sequences in a row than this are not clear, but they are not looked at twice.
            after = b"[\x1b" + within[1:]
            self._inside = re.compile(rb"\x1b(?<=%s\x1b)%s(?=%s)" % (within, sequences, after))
        if (held and data.startswith(ESC)) or self._inside.search(data):
            return None
        last = _SEQUENCE.match(data, data.rindex(ESC))
        if last is None:
            return None
        rest = data[last.end() : last.end() + _LONGEST_BEGINNING + 1]
        # The first line of a wrapped form may stand before it.
        if len(rest) <= _LONGEST_BEGINNING and len(rest.split(None, 1)) < 2:
            return None
        return last.end()

    def passed(self, end: int) -> None:
        """The last sequence ends at `end` of the owner's buffer; nothing of them is looked at."""
        self._last = (0, self._raw_base + end)

    def look(self, data: bytes, old: int) -> list[Occurrence]:
        """Occurrences that hold sequences, in offsets of `data`: what its bytes after the first
        `old` ones make whole. Also when nothing of this view is left from before."""
        if not self.active:
            if data.find(ESC, old) < 0:
                return []
            self._awake(data, old)
            known = 0
        else:
            known = len(self._text)
        self._take(data[old:], self._raw_base + old)
        found = self._search.look(self._text, known)
        return self._hiding(found) if found else []

    def look_again(self) -> list[Occurrence]:
        """The same for all that is kept, when there are new needles."""
        self._search = Search(self._index)
        found = self._search.look(self._text, 0) if self.active else []
        return self._hiding(found)

    def floor(self, data: bytes) -> int:
        """From where the owner holds its bytes back; all before it is forgotten here."""
        if not self.active:
            return len(data)
        least = self._least()
        if least:
            self._search.forsake(least)
        hold, keep = self._search.floors(self._text, least)
        held = self._raw(hold) if hold < len(self._text) else len(data)
        self._text = self._text[keep:]
        self._base += keep
        self._search.shift(keep)
        if self._base >= self._last[0] and not self._sequence:
            self.active = False
        return held

    def cover(self, data: bytes) -> int:
        """From where `data`, printed, would show too much of something that has begun."""
        if not self.active:
            return len(data)
        cover = self._search.cover(self._text, self._least())
        return self._raw(cover) if cover < len(self._text) else len(data)

    def shift(self, count: int) -> None:
        """The owner dropped `count` bytes at the start of its buffer."""
        self._raw_base += count

    def _awake(self, data: bytes, old: int) -> None:
        """Begin with what the owner kept since the last sequence: all of it is text."""
        start = max(0, self._last[1] - self._raw_base)
        self.active = True
        self._search = Search(self._index)
        self._text = data[start:old]
        self._base = 0
        self._sequence = b""
        self._waiting = []
        self._places, self._raw_places = [0], [self._raw_base + start]

    def _take(self, chunk: bytes, raw: int) -> None:
        """Add the text of `chunk`, which stands at `raw` in the stream."""
        if not self._sequence and ESC not in chunk:
            self._text += chunk
            return
        pieces = _SEQUENCE.split(self._sequence + chunk)
        start = self._base + len(self._text), raw - len(self._sequence)
        self._text += b"".join(pieces[::2])
        last = len(pieces[-1])
        self._last = (self._base + len(self._text) - last, raw + len(chunk) - last)
        self._sequence = b""
        if not last and _UNFINISHED.fullmatch(pieces[-2]):
            self._sequence = pieces[-2]
            del pieces[-2:]
        self._waiting.append((*start, pieces))
        if len(self._waiting) > _MOST_WAITING:
            self._enter_places()

    def _enter_places(self) -> None:
        for place, raw, pieces in self._waiting:
            raws = list(accumulate(map(len, pieces), initial=raw))
            self._raw_places += raws[:-1:2]
            self._places += list(accumulate(map(len, pieces[::2]), initial=place))[:-1]
        self._waiting = []
        gone = bisect_right(self._places, self._base) - 1
        if gone > 0:
            del self._places[:gone]
            del self._raw_places[:gone]

    def _raw(self, at: int) -> int:
        """Where the byte at `at` of the text stands in the owner's buffer."""
        place, raw = self._last
        at += self._base
        if at < place:
            self._enter_places()
            run = bisect_right(self._places, at) - 1
            place, raw = self._places[run], self._raw_places[run]
        return at - place + raw - self._raw_base

    def _hiding(self, found: list[Occurrence]) -> list[Occurrence]:
        """Those with sequences in them, as they stand in the stream."""
        hiding = []
        for start, end, needle, first in found:
            raw_first, raw_end = self._raw(first), self._raw(end - 1) + 1
            if 0 < (raw_end - raw_first) - (end - first) <= LONGEST_HIDDEN:
                hiding.append((self._raw(start), raw_end, needle, raw_first))
        return hiding

    def _least(self) -> int:
        """Where the text begins after which no more than `LONGEST_HIDDEN` bytes are hidden."""
        hidden = self._last[1] - self._last[0]
        if hidden - (self._raw_places[0] - self._places[0]) <= LONGEST_HIDDEN:
            return 0
        self._enter_places()
        shifts = [raw - at for at, raw in zip(self._places, self._raw_places, strict=True)]
        run = bisect_left(shifts, hidden - LONGEST_HIDDEN)
        if run == len(shifts):
            return len(self._text)
        return max(0, self._places[run] - self._base)
