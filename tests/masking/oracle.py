"""The whole-input definition of masking, written naively and apart from the matcher.

Nothing here is shared with `calamari_py.masking`: every position is tried for every form, a byte
at a time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

WHITESPACE = b" \t\n\r\v\f"
GAP = None
Token = int | None


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


def attempt(form: bytes, data: bytes, start: int) -> Attempt | None:
    """What stands of `form` at `start`."""
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


@dataclass
class View:
    """What is known when exactly `data` has come."""

    whole: list[tuple[int, int]] = field(default_factory=list)
    opened: int = 0
    too_much: int = 0

    @classmethod
    def of(cls, data: bytes, forms: list[bytes]) -> View:
        """All whole occurrences; where the first open one begins, and the first one that shows
        too much."""
        view = cls(opened=len(data), too_much=len(data))
        for start in range(len(data)):
            for form in forms:
                found = attempt(form, data, start)
                if found is None:
                    continue
                if found.whole:
                    view.whole.append((start, found.end))
                    continue
                view.opened = min(view.opened, start)
                if found.secret_shown > limit_of(form):
                    view.too_much = min(view.too_much, start)
        return view

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


def render(data: bytes, covered: list[bool]) -> bytes:
    """`data` with each run of covered bytes as one token."""
    out = bytearray()
    for number, byte in enumerate(data):
        if not covered[number]:
            out.append(byte)
        elif number == 0 or not covered[number - 1]:
            out += b"***"
    return bytes(out)


def mask(data: bytes, forms: list[bytes]) -> bytes:
    """The definition."""
    return render(data, View.of(data, forms).covered(len(data), end_of_input=True))


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
        for start in range(len(self.data)):
            for form in self.forms:
                found = attempt(form, self.data, start)
                if found and found.whole:
                    shown = self.fate[start : found.end].count(False) - limit_of(form)
                    worst = max(worst, shown)
        return worst

    def _settle(self, view: View, until: int, *, end_of_input: bool) -> None:
        covered = view.covered(len(self.data), end_of_input=end_of_input)
        self.fate += covered[len(self.fate) : until]
