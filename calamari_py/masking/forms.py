"""The forms of a secret: the ways in which it may stand in output.

`literals` are the value itself and its lines, `encoded` what other programs make of it. Both give
bytes; how line ends in them match is the matter of `calamari_py.masking.needles`.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Iterator

from calamari_py.masking.escapes import escaped

LONGEST_UNMASKED = 3
"""Values up to this many bytes would mask half of any output: they are not masked by default."""
LONGEST_LITERAL_ONLY = 5
LARGEST_WITH_ALL_FORMS = 16_384
"""Bytes of a value beyond which a hundred notations of it would cost seconds and gigabytes: what is
larger is a file, which programs print as it is, by line, in base64 or in hex."""
FORM_FLOOR = 8
"""No derived form is shorter than this, unless the secret itself is."""
SHORTEST_LINE = 8
SHORTEST_EDGE_LINE = 4
COMMON_WORDS = frozenset((b"true", b"false", b"yes", b"no", b"null", b"none"))

_LINE = re.compile(rb"[^\r\n]+")
_ARMOUR = re.compile(rb"-----(?:BEGIN|END) [A-Z0-9 ]+-----")
_ALIGNMENTS = ((b"", 0, 0), (b"\0", 2, 8), (b"\0\0", 3, 16))
"""What stands before the secret, its characters that are not the secret's, and its bits."""
_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")


def to_bytes(text: str) -> bytes:
    """`text` as UTF-8; bytes that were kept as surrogates become themselves again."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def lines_of(value: bytes) -> list[bytes]:
    """The lines of `value` without the whitespace around them, blank ones left out."""
    return [line for line in (found[0].strip() for found in _LINE.finditer(value)) if line]


def public_prefix(segment: bytes) -> int:
    """How many bytes at the start of `segment` are PEM armour, which everybody knows."""
    found = _ARMOUR.match(segment)
    return found.end() if found else 0


def core_of(value: bytes) -> bytes:
    """`value` without surrounding whitespace and without short first and last lines.

    A brace on a line of its own says nothing; what is left must be long enough to mean something.
    """
    trimmed = value.strip()
    if b"\n" not in trimmed and b"\r" not in trimmed:
        return trimmed
    spans = []
    for found in _LINE.finditer(trimmed):
        if line := found[0].strip():
            start = found.start() + found[0].index(line)
            spans.append((start, start + len(line)))
    while spans and spans[0][1] - spans[0][0] < SHORTEST_EDGE_LINE:
        del spans[0]
    while spans and spans[-1][1] - spans[-1][0] < SHORTEST_EDGE_LINE:
        del spans[-1]
    core = trimmed[spans[0][0] : spans[-1][1]] if spans else b""
    return core if len(core) >= min(FORM_FLOOR, len(trimmed)) else trimmed


def own_lines(value: bytes) -> list[bytes]:
    """The lines of a multi-line `value` that are masked wherever they stand."""
    if b"\n" not in value and b"\r" not in value:
        return []
    lines = lines_of(value)
    if len(lines) < 2:
        return []
    return [line for line in lines if len(line) >= SHORTEST_LINE and not _ARMOUR.fullmatch(line)]


def literals(value: bytes) -> Iterator[tuple[str, bytes]]:
    """``(kind, bytes)`` of `value` as it is: whole, and line by line."""
    core = core_of(value)
    yield "literal", core
    for line in own_lines(value):
        yield "line", line
    if core.isascii():
        return
    text = core.decode("utf-8", "surrogateescape")
    for spelling in _unicode_spellings(text):
        yield "unicode", to_bytes(spelling)
    if any("\ud800" <= char <= "\udfff" for char in text):
        yield "unicode", text.encode("utf-8", "surrogatepass")


def encoded(value: bytes) -> list[tuple[str, bytes]]:
    """``(kind, bytes)`` of every derived form of `value` that is long enough to be masked."""
    floor = min(FORM_FLOOR, len(value.strip()))
    return [each for each in _all_encoded(core_of(value)) if len(each[1]) >= floor]


def _all_encoded(core: bytes) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    if len(core) > LARGEST_WITH_ALL_FORMS:
        _base64("base64", core, found)
        lower = core.hex()
        return [*found, ("hex", lower.encode()), ("hex", lower.upper().encode())]
    for data in _newline_styles(core):
        text = data.decode("utf-8", "surrogateescape")
        _base64("base64", data, found)
        _base64("base64 of UTF-16", text.encode("utf-16-le", "surrogatepass"), found)
        lower = data.hex()
        found += (("hex", lower.encode()), ("hex", lower.upper().encode()))
        for spelling in (text, *(() if text.isascii() else _unicode_spellings(text))):
            found += [(kind, to_bytes(form)) for kind, form in escaped(spelling)]
    return found


def _newline_styles(core: bytes) -> tuple[bytes, ...]:
    """`core`, and with other line ends, which encodings turn into other characters."""
    if b"\n" not in core and b"\r" not in core:
        return (core,)
    unix = core.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return tuple(dict.fromkeys((core, unix, unix.replace(b"\n", b"\r\n"))))


def _unicode_spellings(text: str) -> list[str]:
    from unicodedata import normalize

    return [
        spelling
        for spelling in (normalize("NFC", text), normalize("NFD", text))
        if spelling != text
    ]


def _base64(kind: str, data: bytes, found: list[tuple[str, bytes]]) -> None:
    """Enter the characters that depend on `data` alone, for the three places it may start at.

    What stands before or after it, a line end or padding then does not matter.
    """
    for padding, begin, bits in _ALIGNMENTS:
        whole = b2a_base64(padding + data + b"\0\0", newline=False)
        exact = whole[begin : (bits + 8 * len(data)) // 6]
        found.append((kind, exact))
        if b"+" in exact or b"/" in exact:
            found.append((f"{kind}url", exact.translate(_TO_URLSAFE)))
