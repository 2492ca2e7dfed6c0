"""The whole-input definition of masking, written naively and apart from the matcher.

Nothing here is shared with `calamari_py.masking`: every position is tried for every form, a byte
at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

WHITESPACE = b" \t\n\r\v\f"
GAP = None
Token = int | None
WRAPPED = 60
LONGEST_HIDDEN = 65_536


class Wrapped(bytes):
    """A form that an encoder may have wrapped."""


def tokens_of(form: bytes) -> list[Token]:
    """The bytes of a form; GAP where whitespace that holds a line end stands in it."""
    tokens: list[Token] = []
    for piece in re.split(rb"(\s*[\r\n]\s*)", form.strip()):
        if piece.strip():
            tokens.extend(piece)
        elif piece:
            tokens.append(GAP)
    return tokens


def armour_length(form: bytes) -> int:
    """How many bytes of PEM armour a form begins with."""
    found = re.match(rb"-----(BEGIN|END) [A-Z0-9 ]+-----", form)
    return len(found[0]) if found else 0


@dataclass
class Attempt:
    """One form tried at one place: whole, or open (the data ends inside it)."""

    end: int
    whole: bool
    secret_shown: int = 0
    """Bytes there that are neither PEM armour nor the line end after it."""
    cover: int = -1
    """Where the mask begins, if not where the form does."""


def attempt_wrapped(form: bytes, data: bytes, start: int) -> Attempt | None:
    """The same for a form in which line ends may stand, 60 bytes or more of it between two. A
    first line of 3 bytes or less is shown."""
    at = cover = start
    column, first_line = 0, True
    for number, byte in enumerate(form):
        if number and at < len(data) and data[at] in b"\r\n":
            if not first_line and column < WRAPPED:
                return None
            gap = len(data[at:]) - len(data[at:].lstrip(WHITESPACE))
            if gap > 256:
                return None
            at += gap
            if number <= 3:
                cover = at
            column, first_line = 0, False
        if at == len(data):
            return Attempt(at, False, number, cover)
        if data[at] != byte:
            return None
        at += 1
        column += 1
    return Attempt(at, True, cover=cover)


def attempt(form: bytes, data: bytes, start: int) -> Attempt | None:
    """What stands of `form` at `start`."""
    if isinstance(form, Wrapped):
        return attempt_wrapped(form, data, start)
    tokens = tokens_of(form)
    armour = armour_length(form)
    at = start
    public_end = start
    for number, token in enumerate(tokens):
        public = number < armour or (number == armour and token is GAP)
        if at == len(data):
            return Attempt(at, False, at - (public_end if armour else start))
        if token is GAP:
            run = at
            while run < len(data) and data[run] in WHITESPACE:
                run += 1
            if not 1 <= run - at <= 256:
                return None
            at = run
            if at == len(data):
                shown = 0 if public and armour else at - (public_end if armour else start)
                return Attempt(at, False, shown)
        elif data[at] != token:
            return None
        else:
            at += 1
        if public:
            public_end = at
    return Attempt(at, True)


def limit_of(form: bytes) -> int:
    """How many bytes of an unfinished `form` may be shown."""
    return min(3, len(tokens_of(form)) // 4)


def places_of_text(data: bytes) -> list[int]:
    """Where the bytes stand that a terminal shows: those of no escape sequence."""
    places = []
    at = 0
    while at < len(data):
        if data[at] != 0x1B:
            places.append(at)
            at += 1
            continue
        at += 1
        kind = data[at : at + 1]
        if kind == b"[":
            at = skip(data, at + 1, range(0x20, 0x40), 128)
            at = skip(data, at, range(0x40, 0x7F), 1)
        elif kind and kind in b"]PX^_":
            at = skip(data, at + 1, range(0x20, 0x100), 4096)
            at = skip(data, at, range(7, 8), 1)
        else:
            at = skip(data, at, range(0x20, 0x30), 3)
            at = skip(data, at, range(0x30, 0x7F), 1)
    return places


def skip(data: bytes, at: int, allowed: range, most: int) -> int:
    """The place after at most so many of the allowed bytes."""
    end = at
    while end < len(data) and end - at < most and data[end] in allowed:
        end += 1
    return end


@dataclass
class View:
    """What is known when exactly `data` has come."""

    whole: list[tuple[int, int]] = field(default_factory=list)
    opened: int = 0
    too_much: int = 0

    @classmethod
    def of(cls, data: bytes, forms: list[bytes], *, ansi: bool = True) -> View:
        """All whole occurrences; where the first open one begins, and the first one that shows
        too much. In the data as they are, and in what of them is text."""
        view = cls(opened=len(data), too_much=len(data))
        view._add(data, forms, list(range(len(data))), len(data))
        if ansi and 0x1B in data:
            places = places_of_text(data)
            view._add(bytes(data[at] for at in places), forms, places, len(data))
        return view

    def _add(self, text: bytes, forms: list[bytes], places: list[int], length: int) -> None:
        for start, form, found in attempts(text, forms):
            end = places[found.end - 1] + 1 if found.whole else length
            if end - places[start] - (found.end - start) > LONGEST_HIDDEN:
                continue
            cover = start if found.cover < 0 else found.cover
            if cover == len(text):
                continue
            if found.whole:
                self.whole.append((places[cover], end))
                continue
            self.opened = min(self.opened, places[cover])
            if found.secret_shown > limit_of(form):
                self.too_much = min(self.too_much, places[cover])

    def covered(self, length: int, *, end_of_input: bool) -> list[bool]:
        """Byte by byte, whether it is part of an occurrence."""
        fate = [False] * length
        for start, end in self.whole:
            fate[start:end] = [True] * (end - start)
        if end_of_input:
            fate[self.too_much :] = [True] * (length - self.too_much)
        return fate

    def decided(self, written: int) -> int:
        """Everything before this can be shown or masked for good; `written` bytes already are."""
        at = max(self.opened, written)
        for start, end in sorted(self.whole):
            if start <= at:
                at = max(at, end)
        return at


def attempts(text: bytes, forms: list[bytes]) -> Iterator[tuple[int, bytes, Attempt]]:
    """Every form at every place, where anything of it stands."""
    for form in forms:
        for start in range(len(text)):
            if text[start] == form[0] and (found := attempt(form, text, start)):
                yield start, form, found


def render(data: bytes, covered: list[bool]) -> bytes:
    """`data` with each run of covered bytes as one token."""
    out = bytearray()
    for number, byte in enumerate(data):
        if not covered[number]:
            out.append(byte)
        elif number == 0 or not covered[number - 1]:
            out += b"***"
    return bytes(out)


def mask(data: bytes, forms: list[bytes], *, ansi: bool = True) -> bytes:
    """The definition."""
    return render(data, View.of(data, forms, ansi=ansi).covered(len(data), end_of_input=True))


class Follower:
    """The fate of every byte of a stream that falls silent now and then."""

    def __init__(self, forms: list[bytes]) -> None:
        self.forms = forms
        self.data = b""
        self.fate: list[bool] = []

    def feed(self, data: bytes) -> None:
        """More bytes came."""
        self.data += data
        view = View.of(self.data, self.forms)
        self._settle(view, view.decided(len(self.fate)), end_of_input=False)

    def idle(self) -> None:
        """Nothing came for a while, or nothing will come any more."""
        self._settle(View.of(self.data, self.forms), len(self.data), end_of_input=True)

    @property
    def held(self) -> int:
        """Bytes without a fate."""
        return len(self.data) - len(self.fate)

    @property
    def output(self) -> bytes:
        """What must have been written so far."""
        return render(self.data[: len(self.fate)], self.fate)

    def most_shown(self) -> int:
        """By how many bytes the worst occurrence was shown beyond its limit; 0 or less is well."""
        worst = -1
        places = places_of_text(self.data)
        text = bytes(self.data[at] for at in places)
        for start, form, found in attempts(text, self.forms):
            if found.whole:
                inside = [at for at in places[start : found.end] if self.data[at] not in WHITESPACE]
                shown = sum(not self.fate[at] for at in inside) - limit_of(form)
                worst = max(worst, shown)
        return worst

    def _settle(self, view: View, until: int, *, end_of_input: bool) -> None:
        covered = view.covered(len(self.data), end_of_input=end_of_input)
        self.fate += covered[len(self.fate) : until]
