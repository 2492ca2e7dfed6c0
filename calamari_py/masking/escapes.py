"""How other programs write one character of a secret: URL, JSON, XML, shell and Python escapes.

Every escape is a map from a character to a text, so the escaped secret can be found wherever it
stands inside a longer escaped text. ASCII letters and digits stand for themselves in all of them;
bytes that are no UTF-8 are lone surrogates, as the ``surrogateescape`` error handler makes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

Write = Callable[[str], str]

_SPECIAL = re.compile("[^0-9A-Za-z]")
_QUOTE_OR_CONTROL = re.compile("['\"\x00-\x08\x0b\x0c\x0e-\x1f]")
_BEYOND_ASCII = re.compile("[^\x00-\x7e]")

_UNRESERVED = "-._~"
_PERCENT_SAFE = (
    _UNRESERVED,  # RFC 3986, curl, .NET EscapeDataString
    _UNRESERVED + "/",  # Python quote
    _UNRESERVED + "!'()*",  # encodeURIComponent
    _UNRESERVED + "!'()*;/?:@&=+$,#",  # encodeURI
    _UNRESERVED + "$&+=:@",  # Go PathEscape
    _UNRESERVED + "$&+,;=",  # Go user info
    "*-._",  # HTML forms, Java URLEncoder
    "-._",  # PHP urlencode
    "",
)

_JSON_SHORT = {
    '"': '\\"',
    "\\": "\\\\",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\b": "\\b",
    "\f": "\\f",
}
_LINE_SEPARATORS = "\u2028\u2029"

_XML_BASE = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_XML_EXTRA: tuple[dict[str, str], ...] = (
    {},
    {">": ">"},
    {'"': "&quot;"},
    {'"': "&quot;", "'": "&#39;"},
    {'"': "&quot;", "'": "&#039;"},  # PHP
    {'"': "&quot;", "'": "&#x27;"},  # Python html.escape
    {'"': "&quot;", "'": "&apos;"},
    {'"': "&quot;", "\n": "&#xA;", "\r": "&#xD;", "\t": "&#x9;"},
    {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"},
    {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#09;"},  # Python ElementTree
    {'"': "&#34;", "'": "&#39;"},  # Go html/template, Jinja2
    {'"': "&#34;", "'": "&#39;", "\n": "&#xA;", "\r": "&#xD;", "\t": "&#x9;"},  # Go encoding/xml
    {'"': "&quot;", "'": "&#x27;", "`": "&#x60;", "=": "&#x3D;"},  # Handlebars
    {'"': "&quot;", "'": "&#39;", "`": "&#x60;", "=": "&#x3D;", "/": "&#x2F;"},  # Mustache
)

_BASH_BACKSLASH = " !\"$&'()*,;<>?[\\]^`{|}"
_SHELL_PLAIN = "_-.,:+/@%=\r\n\t"
_ANSI_C = {
    "\\": "\\\\",
    "'": "\\'",
    "\a": "\\a",
    "\b": "\\b",
    "\x1b": "\\E",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}
_TSV = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_YAML = {
    **{char: text for char, text in _ANSI_C.items() if char not in "'\x1b"},
    "\0": "\\0",
    "\x1b": "\\e",
    '"': '\\"',
    "\x85": "\\N",
    "\xa0": "\\_",
    "\u2028": "\\L",
    "\u2029": "\\P",
}
_GO = {char: text for char, text in _ANSI_C.items() if char not in "'\x1b"} | {'"': '\\"'}


class Escape(NamedTuple):
    """One way to write a text: what it is called, and how it writes a character."""

    kind: str
    write: Write


class Group(dict[str, tuple[str, ...]]):
    """A character and how each of some escapes writes it; worked out once a character."""

    def __init__(self, escapes: Iterable[Escape]) -> None:
        super().__init__()
        self.escapes = tuple(escapes)
        self.kinds = tuple([escape.kind for escape in self.escapes])

    def __missing__(self, char: str) -> tuple[str, ...]:
        self[char] = written = tuple([escape.write(char) for escape in self.escapes])
        return written


def escaped(text: str) -> list[tuple[str, str]]:
    """``(kind, form)`` for every escape that changes `text`, each form once."""
    found = _SPECIAL.findall(text)
    if not found:
        return []
    specials = sorted(set(found))
    # Thousands of secrets may be escaped before a step starts: for a form, all loops are C's.
    template = _SPECIAL.sub("%s", text)
    places = {char: place for place, char in enumerate(specials)}
    in_order = itemgetter(*[places[char] for char in found])
    return [(kind, template % in_order(written)) for kind, written in _writings("".join(specials))]


@lru_cache(maxsize=1024)
def _writings(specials: str) -> list[tuple[str, tuple[str, ...]]]:
    """The kinds of escapes that differ for these characters, and how each of them writes them."""
    seen = {tuple(specials)}
    writings = []
    for group in _groups_for(specials):
        rows = zip(*map(group.__getitem__, specials), strict=True)
        for kind, written in zip(group.kinds, rows, strict=True):
            if written not in seen:
                seen.add(written)
                writings.append((kind, written))
    return writings


def _groups_for(specials: str) -> Iterator[Group]:
    yield ESCAPES
    if _QUOTE_OR_CONTROL.search(specials):
        yield NESTED_ESCAPES
    if _BEYOND_ASCII.search(specials):
        yield ASCII_ESCAPES


def _bytes_of(char: str) -> bytes:
    try:
        return char.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return char.encode("utf-8", "surrogatepass")


def _percent(safe: str, *, upper: bool, space: str) -> Write:
    pattern = "%%%02X" if upper else "%%%02x"

    def write(char: str) -> str:
        if char == " ":
            return space
        if char in safe:
            return char
        return "".join([pattern % byte for byte in _bytes_of(char)])

    return write


def _json(
    *, ascii_only: bool, unicode_escaped: str = "", slash: bool = False, upper: bool = False
) -> Write:
    """`unicode_escaped` are characters written as ``\\u00XX`` though JSON does not ask for it."""
    pattern = "\\u%04X" if upper else "\\u%04x"

    def write(char: str) -> str:
        if char in unicode_escaped:
            return pattern % ord(char)
        if char in _JSON_SHORT:
            return _JSON_SHORT[char]
        if char == "/":
            return "\\/" if slash else "/"
        code = ord(char)
        if code < 0x20 or (ascii_only and 0x7F <= code <= 0xFFFF):
            return pattern % code
        if ascii_only and code > 0xFFFF:
            code -= 0x10000
            return pattern % (0xD800 + (code >> 10)) + pattern % (0xDC00 + (code & 0x3FF))
        return char

    return write


def _table(table: dict[str, str]) -> Write:
    return lambda char: table.get(char, char)


def _xml_ascii(char: str) -> str:
    if char > "\x7f":
        return f"&#{ord(char)};"
    return {**_XML_BASE, '"': "&quot;"}.get(char, char)


def _backslash(chars: str) -> Write:
    return lambda char: "\\" + char if char in chars else char


def _backslash_unless_plain(char: str) -> str:
    return char if char in _SHELL_PLAIN or char > "\x7f" else "\\" + char


def _ansi_c(*, ascii_only: bool) -> Write:
    def write(char: str) -> str:
        if char in _ANSI_C:
            return _ANSI_C[char]
        if " " <= char <= "~" or (char > "\x7f" and not ascii_only):
            return char
        return "".join([f"\\{byte:03o}" for byte in _bytes_of(char)])

    return write


def _yaml(*, ascii_only: bool) -> Write:
    """YAML in double quotes, as PyYAML writes it."""

    def write(char: str) -> str:
        if char in _YAML:
            return _YAML[char]
        plain = "\xa0" <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd"
        if " " <= char <= "~" or (plain and not ascii_only):
            return char
        code = ord(char)
        pattern = "\\x%02X" if code <= 0xFF else "\\u%04X" if code <= 0xFFFF else "\\U%08X"
        return pattern % code

    return write


def _go_quoted(char: str) -> str:
    return _GO.get(char) or repr(char)[1:-1]


def _python(spell: Write, quote: str) -> Write:
    """A Python literal, of which `quote` is the one that is escaped in it."""

    def write(char: str) -> str:
        if char in "'\"":
            return "\\" + char if char == quote else char
        return spell(char)

    return write


def _repr(quote: str = "") -> Write:
    return _python(lambda char: repr(char)[1:-1], quote)


def _bytes_repr(quote: str = "") -> Write:
    return _python(lambda char: repr(_bytes_of(char))[2:-1], quote)


def _ascii(quote: str = "") -> Write:
    """``ascii()``; without a quote ``unicode_escape``; ``repr()`` of Latin-1 bytes too."""
    return _python(lambda char: ascii(char)[1:-1], quote)


def _backslashreplace(codec: str) -> Write:
    return lambda char: char.encode(codec, "backslashreplace").decode(codec)


def _decoded_with_backslashreplace(codec: str) -> Write:
    return lambda char: _bytes_of(char).decode(codec, "backslashreplace")


def _surrogates(char: str) -> str:
    """What a Python that takes the locale for ASCII reads from its environment."""
    return _bytes_of(char).decode("ascii", "surrogateescape")


def _within(outer: Write, inner: Write) -> Write:
    """`inner`'s text, escaped once more by `outer`."""
    return lambda char: "".join([outer(part) for part in inner(char)])


_ASCII_JSON, _PLAIN_JSON = _json(ascii_only=True), _json(ascii_only=False)
_SINGLE_QUOTED, _SHLEX_QUOTED = _table({"'": "'\\''"}), _table({"'": "'\"'\"'"})


def _escapes() -> Iterator[Escape]:
    for safe in _PERCENT_SAFE:
        for upper in (True, False):
            for space in ("%20", "+"):
                yield Escape("percent", _percent(safe, upper=upper, space=space))

    slash_json = _json(ascii_only=True, slash=True)
    html_json = _json(ascii_only=False, unicode_escaped="<>&" + _LINE_SEPARATORS)
    for write in (
        _ASCII_JSON,
        _PLAIN_JSON,
        slash_json,
        html_json,
        _json(ascii_only=False, slash=True),
        _json(ascii_only=True, upper=True),
        _json(ascii_only=True, unicode_escaped="<>&"),
        _json(ascii_only=True, unicode_escaped="<>&'"),  # Windows PowerShell
        _json(ascii_only=True, unicode_escaped="<>&'\"", slash=True, upper=True),  # PHP JSON_HEX
        _json(ascii_only=True, unicode_escaped="<>&'\"+`\x7f", upper=True),  # .NET
    ):
        yield Escape("json", write)
    for outer, inner in (
        (_ASCII_JSON, _ASCII_JSON),
        (_PLAIN_JSON, _PLAIN_JSON),
        (_ASCII_JSON, _PLAIN_JSON),
        (slash_json, slash_json),
        (html_json, html_json),
    ):
        yield Escape("json in json", _within(outer, inner))

    for extra in _XML_EXTRA:
        yield Escape("xml", _table(_XML_BASE | extra))
    yield Escape("xml", _xml_ascii)

    for write in (
        _SINGLE_QUOTED,
        _SHLEX_QUOTED,
        _backslash(_BASH_BACKSLASH),
        _backslash_unless_plain,
        _backslash('\\"$`'),
        _ansi_c(ascii_only=False),
        _ansi_c(ascii_only=True),
        _within(_SINGLE_QUOTED, _PLAIN_JSON),
        _within(_SINGLE_QUOTED, _ASCII_JSON),
    ):
        yield Escape("shell", write)

    yield Escape("doubled quotes", _table({"'": "''"}))
    yield Escape("doubled quotes", _table({'"': '""'}))
    for quote in ("", "'", '"'):
        yield Escape("repr", _repr(quote))
        yield Escape("repr", _bytes_repr(quote))
    yield Escape("repr", _within(_repr(), _ASCII_JSON))


def _nested_escapes() -> Iterator[Escape]:
    yield Escape("repr", _go_quoted)
    yield Escape("shell", _table(_TSV))
    yield Escape("yaml", _yaml(ascii_only=False))
    yield Escape("shell", _within(_SHLEX_QUOTED, _ASCII_JSON))
    # The quotes of the JSON text itself make Python choose single ones for the literal.
    yield Escape("repr", _within(_repr("'"), _ASCII_JSON))
    for quote in ("", "'"):
        yield Escape("json", _within(_ASCII_JSON, _repr(quote)))
        yield Escape("repr", _within(_repr(quote), _repr()))
    yield Escape("repr", _within(_repr("'"), _repr("'")))


def _ascii_escapes() -> Iterator[Escape]:
    replaced = _backslashreplace("ascii")
    for ascii_only in (True, False):
        yield Escape("yaml", _yaml(ascii_only=ascii_only))
    for quote in ("", "'", '"'):
        yield Escape("repr", _ascii(quote))
    for write in (
        replaced,
        _backslashreplace("utf-8"),  # Python's standard error: only what is no UTF-8
        _decoded_with_backslashreplace("ascii"),
        _decoded_with_backslashreplace("utf-8"),
        _within(replaced, _PLAIN_JSON),
        _within(replaced, _surrogates),
    ):
        yield Escape("backslashreplace", write)
    for quote in ("", "'"):
        for inner in (_PLAIN_JSON, replaced, _ascii(), _ascii(quote)):
            yield Escape("repr", _within(_repr(quote), inner))
        yield Escape("repr", _within(_bytes_repr(quote), _PLAIN_JSON))
        yield Escape("repr", _within(_ascii(quote), _PLAIN_JSON))
        yield Escape("repr", _within(_ascii(quote), _backslashreplace("latin-1")))
        yield Escape("repr", _within(_ascii(quote), _surrogates))
        yield Escape("json", _within(_ASCII_JSON, _ascii(quote)))
        for outer in (_ASCII_JSON, _PLAIN_JSON):
            yield Escape("json", _within(outer, _repr(quote)))
    for inner in (replaced, _surrogates):
        yield Escape("json", _within(_ASCII_JSON, inner))
    yield Escape("shell", _within(_SHLEX_QUOTED, _PLAIN_JSON))


ESCAPES = Group(_escapes())
"""What any text may need, in the order in which forms are named."""
NESTED_ESCAPES = Group(_nested_escapes())
"""What quotes and control characters may need besides: one notation inside another."""
ASCII_ESCAPES = Group(_ascii_escapes())
"""What a text beyond printable ASCII may need besides: how Python writes it in ASCII."""
