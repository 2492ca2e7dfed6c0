"""What a step that calamari carries out itself shows while it works: its lines, and where it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import BinaryIO

from calamari_py.masking.secret import Masked, MaskedBytes
from calamari_py.output._lines import Line, Span, Tone, plain
from calamari_py.output._words import encode, lines_of

A_SECOND = 1.0
A_MINUTE = 60.0
ERASE_LINE = "\r\x1b[2K"
USUAL_LINES = 24


def detail_bytes(
    line: Masked,
    encoding: str = "utf-8",
    tone: Tone = "plain",
    render: Callable[[Line], str] = plain,
) -> MaskedBytes:
    """`line` as a child would have written it. AWS's texts may hold anything: what would move the
    cursor is shown as an escape. `render` is how its `tone` looks."""
    shown = [render((Span(one, tone),)) for one in lines_of(line)]
    return MaskedBytes(encode("\n".join([*shown, ""]), encoding))


def progress_line(percent: float | None, message: str) -> Line:
    """``calamari: 50% message``, on one line."""
    share = f"{percent:.0f}% " if percent is not None else ""
    shown = " ".join(lines_of(message))
    return (Span("calamari: ", "faint"), Span(share, "strong"), Span(" ".join(shown.split())))


def shows_live_line(*, terminal: bool, environ: Mapping[str, str]) -> bool:
    """Whether a line may be rewritten in place: on a terminal that can, for who wants to see it."""
    able = environ.get("TERM", "") not in {"", "dumb", "unknown"}
    return terminal and able and not environ.get("NO_COLOR")


def table_row(text: str) -> Line:
    """A row below the live line, on one line. Its blanks are its columns."""
    return (Span(" ".join(lines_of(text)).rstrip()),)


def size_of(stream: BinaryIO, width: int) -> tuple[int, int]:
    """How many columns and lines the terminal has now; `width` and `USUAL_LINES` where nobody can
    say."""
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return width, USUAL_LINES
    return columns or width, lines or USUAL_LINES


def erase_lines(text: str) -> str:
    """What removes `text` and leaves the cursor where it began."""
    below = text.count("\n")
    return f"\r\x1b[{below}A\x1b[J" if below else ERASE_LINE


class Interval:
    """Lets one through every `seconds`: the first one at once, or only after as long."""

    def __init__(
        self, seconds: float, clock: Callable[[], float], *, at_once: bool = False
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._next: float | None = float("-inf") if at_once else None

    def begins(self) -> bool:
        """Whether this one comes through."""
        now = self._clock()
        if self._next is not None and now < self._next:
            return False
        through = self._next is not None
        self._next = now + self._seconds
        return through
