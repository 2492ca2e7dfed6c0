"""Needles: forms as they are searched for, and candidates: needles that have begun to match."""

from __future__ import annotations

import re

from calamari_py.masking.forms import lines_of, public_prefix

LONGEST_GAP = 256
"""So many whitespace bytes at most stand for one line end."""
REVEAL_LIMIT = 3
WRAPPED = 60
"""Encoders wrap at so many columns or more; a shorter form is not wrapped."""
INNER = 16
"""Where the second head of a wrapped form begins. A first line that is shorter than this is
followed by one that holds the second head whole."""
HELD_PIECE = 4
"""A first line of fewer bytes is shown: every line that ends like a form begins would wait."""

_WRAPPED_KINDS = ("base64", "hex")
_LINE_END = re.compile(rb"[\r\n]")


class Needle:
    """One form. `lines` are its lines when it has several; whitespace stands between them.

    `wraps`: it is also found with line ends in it that an encoder put there. `names` are those of
    the secrets it belongs to, `added` is the version of the index it came with.
    """

    __slots__ = ("added", "form", "lines", "names", "wraps")

    def __init__(self, form: bytes, name: str, added: int) -> None:
        self.lines: tuple[bytes, ...] | None = None
        if b"\n" in form or b"\r" in form:
            lines = tuple(lines_of(form))
            form = b"\n".join(lines)
            self.lines = lines if len(lines) > 1 else None
        self.form = form
        self.names: str | tuple[str, ...] = name
        self.added = added
        self.wraps = False

    @property
    def first(self) -> bytes:
        """The first line."""
        return self.lines[0] if self.lines else self.form

    @property
    def limit(self) -> int:
        """How many bytes of an unfinished match may be shown, beyond the public ones."""
        return min(REVEAL_LIMIT, len(self.form) // 4)

    @property
    def public(self) -> int:
        """How many bytes it begins with are PEM armour, which everybody knows."""
        return public_prefix(self.first)

    def belongs_to(self, name: str) -> None:
        """It is a form of the secret `name` too."""
        if isinstance(self.names, str):
            if self.names != name:
                self.names = (self.names, name)
        elif name not in self.names:
            self.names += (name,)


def may_wrap(kind: str, form: bytes) -> bool:
    """Whether an encoder may have put line ends into this form."""
    return len(form) >= WRAPPED and kind.startswith(_WRAPPED_KINDS) and not _LINE_END.search(form)


class Candidate:
    """A place where a needle may stand. Offsets count from the start of the owner's buffer.

    `start` is where the mask begins, `first` where the match does. `end` is the next byte to look
    at; `advance` goes on from there when more bytes have come.
    """

    __slots__ = ("_gap", "_line", "_lines", "_offset", "_second", "end", "first", "needle", "start")

    def __init__(self, needle: Needle, start: int) -> None:
        self.needle = needle
        self.start = self.first = self.end = start
        self._lines = needle.lines or (needle.form,)
        self._line = 0
        self._offset = 0
        self._gap = 0
        self._second: int | None = None

    def shift(self, count: int) -> None:
        """The owner dropped `count` bytes at the start of its buffer."""
        self.start -= count
        self.first -= count
        self.end -= count
        if self._second is not None:
            self._second -= count

    def advance(self, data: bytes) -> bool | None:
        """Whether the needle stands here; None when `data` ends before that is clear."""
        lines = self._lines
        while True:
            line = lines[self._line]
            rest = data[self.end : self.end + len(line) - self._offset]
            if not line.startswith(rest, self._offset):
                return False
            self.end += len(rest)
            self._offset += len(rest)
            if self._offset < len(line):
                return None
            if self._line == len(lines) - 1:
                return True
            if (passed := self._pass_gap(data)) is not True:
                return passed
            self._line += 1
            self._offset = 0
            if self._line == 1:
                self._second = self.end

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
        self._gap = 0
        return True

    def shows_too_much(self, end: int) -> bool:
        """Whether the bytes up to `end`, printed, would show more of the secret than allowed."""
        needle = self.needle
        public_end = self.start + needle.public
        if needle.lines and needle.public == len(needle.first):
            public_end = end if self._second is None else self._second
        return end - public_end > needle.limit


class WrappedCandidate(Candidate):
    """A candidate for a form that an encoder may have wrapped.

    A gap stands anywhere in it that begins with a line end; between two of them stand at least
    `WRAPPED` bytes of the form. What it begins with has been compared: its head.
    """

    __slots__ = ("_broken", "_column", "_in_gap")

    def __init__(self, needle: Needle, start: int) -> None:
        super().__init__(needle, start)
        self._broken = False
        self._column = 0
        self._in_gap = False

    def begin_in_second_line(self, line: int, end: int) -> None:
        """The first `INNER` bytes stand up to `end`, with one line end: before `line`."""
        self._column = end - line
        if INNER - self._column < HELD_PIECE:
            self.start = line
        self.end = end
        self._offset = INNER
        self._broken = True

    def advance(self, data: bytes) -> bool | None:
        """See `Candidate`."""
        form = self.needle.form
        while True:
            if self._in_gap:
                if (passed := self._pass_gap(data)) is not True:
                    return passed
                self._in_gap = False
            rest = data[self.end : self.end + len(form) - self._offset]
            if form.startswith(rest, self._offset):
                self._step(len(rest))
                return True if self._offset == len(form) else None
            line_end = _LINE_END.search(rest)
            if line_end is None or not form.startswith(rest[: line_end.start()], self._offset):
                return False
            self._step(line_end.start())
            if self._broken and self._column < WRAPPED:
                return False
            self._broken = self._in_gap = True
            self._column = 0

    def _step(self, count: int) -> None:
        self.end += count
        self._offset += count
        self._column += count


def gap_before(data: bytes, line: int) -> int:
    """How many whitespace bytes stand before `line`, when they begin with a line end and are no
    more than stand for one; else 0."""
    window = data[max(0, line - LONGEST_GAP - 1) : line]
    text = len(window.rstrip())
    gap = len(window) - text
    return gap if 0 < gap <= LONGEST_GAP and window[text] in b"\r\n" else 0


def short_line_before(data: bytes, inner: int) -> tuple[int, int, bytes] | None:
    """Where the first `INNER` bytes of a wrapped form begin when its second head stands at `inner`
    and a line end in them; where the line after it begins; and those bytes."""
    before = data[max(0, inner - INNER) : inner]
    column = len(before.split()[-1]) if before and not before[-1:].isspace() else 0
    line = inner - column
    if not 0 < column < INNER or not (gap := gap_before(data, line)):
        return None
    first = line - gap - INNER + column
    return (first, line, data[first : line - gap] + data[line:inner]) if first >= 0 else None
