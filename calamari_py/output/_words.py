"""How words, times and characters look in our own text."""

from __future__ import annotations

import re
from unicodedata import combining, east_asian_width

# What would move the cursor, colour the screen or turn the reading direction is shown as an escape,
# and so is what nobody sees: commands are found in spite of it.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
# ``##vso[…]``, ``##teamcity[…]``, ``##[…]``, and what GitHub reads at the start of a line.
_MARKER = re.compile(r"##(\w*)\[")
_COMMAND = re.compile(r"\A(\s*)::(?=.*::)", re.DOTALL)
_PLAIN_CHARACTERS = str.maketrans(
    {
        "─": "-",
        "·": "|",
        "←": "<-",
        "→": "->",
        "…": "...",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    }
)


def format_seconds(seconds: float) -> str:
    """A duration as people say it: ``12.4s``, ``3m41s``, ``59m``, ``1h30m``."""
    tenths = round(max(seconds, 0.0) * 10)
    if tenths < 600:
        return f"{tenths / 10:.1f}s"
    whole = round(max(seconds, 0.0))
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes}m{rest:02d}s" if rest else f"{minutes}m"
    return _format_hours(round(whole / 60))


def format_validity(seconds: float) -> str:
    """How long credentials still live, rounded down: ``59m``, ``1h``, ``45s``."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m"
    return _format_hours(whole // 60)


def _format_hours(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{hours}h{rest:02d}m" if rest else f"{hours}h"


def format_count(number: int, noun: str) -> str:
    """``1 secret``, ``3 secrets``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def printable(text: str) -> str:
    """`text` on one line, with every control character shown as its escape, and without a command
    that the server around us would carry out: a backslash breaks it up."""
    return _COMMAND.sub(r"\1\\::", _MARKER.sub(r"##\1\\[", _UNPRINTABLE.sub(_escape, text)))


def _escape(match: re.Match[str]) -> str:
    number = ord(match[0])
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    if number > 0xFFFF:
        return f"\\U{number:08x}"
    return {"\n": "\\n", "\r": "\\r"}.get(
        match[0], f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
    )


def lines_of(text: str) -> list[str]:
    """The lines of a message, each printable; never empty."""
    return [printable(line) for line in re.split(r"\r\n|\n|\r", text.rstrip("\r\n"))]


def cells(text: str) -> int:
    """How many columns a terminal needs for `text`."""
    if text.isascii():
        return len(text)
    return sum(
        0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text
    )


def pad(text: str, width: int) -> str:
    """`text` filled with spaces to `width` columns; a longer one stays whole."""
    return text + " " * (width - cells(text))


def encode(text: str, encoding: str) -> bytes:
    """`text` for a terminal: where `encoding` has no ``─``, plain characters stand in."""
    try:
        return text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        plain = text.translate(_PLAIN_CHARACTERS)
    try:
        return plain.encode(encoding, "backslashreplace")
    except LookupError:
        return plain.encode("ascii", "backslashreplace")
