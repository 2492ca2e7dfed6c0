"""Lines of our own text: spans with a tone. The plain text is complete, a tone only emphasises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from calamari_py.output._words import cells, lines_of, pad, printable

Tone = Literal["plain", "faint", "strong", "good", "bad", "warn", "cure"]


class Span(NamedTuple):
    """A piece of a line."""

    text: str
    tone: Tone = "plain"


Line = tuple[Span, ...]
MARGIN = "  "


def plain(line: Line) -> str:
    """The text of `line` alone."""
    return "".join(span.text for span in line).rstrip()


def clip(line: Line, width: int) -> Line:
    """As much of `line` as there is room for in `width` columns."""
    clipped: list[Span] = []
    for span in line:
        text = ""
        for char in span.text:
            width -= cells(char)
            if width < 0:
                return (*clipped, Span(text, span.tone))
            text += char
        clipped.append(Span(text, span.tone))
    return tuple(clipped)


def block(prefix: Sequence[Span], text: str, tone: Tone = "plain") -> list[Line]:
    """`text` behind `prefix`; its further lines begin in the same column."""
    first, *others = lines_of(text)
    indent = Span(" " * sum(cells(span.text) for span in prefix))
    return [(*prefix, Span(first, tone)), *((indent, Span(other, tone)) for other in others)]


def hang(head: Sequence[Span], text: str, width: int, tone: Tone = "plain") -> list[Line]:
    """`text` behind `head`, wrapped at `width` columns; what does not fit begins in the same
    column. Words stay whole: people paste them."""
    import textwrap  # for pages alone: a run's own lines are not wrapped

    indent = sum(cells(span.text) for span in head)
    lines = textwrap.wrap(
        printable(text).rstrip() or "-",
        width=max(width - indent, 20),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [
        (*((Span(" " * indent),) if index else head), Span(line, tone))
        for index, line in enumerate(lines)
    ]


def rule(parts: Sequence[Span], width: int, *, right: Span | None = None) -> Line:
    """``─ part ── part ─────``, filled to `width`; `right` stands behind the filling.

    What is longer than `width` stays whole: a terminal wraps it, people paste it.
    """
    spans: list[Span] = []
    for index, part in enumerate(parts):
        spans += [Span("─ " if index == 0 else "── ", "faint"), part, Span(" ", "faint")]
    tail = [Span(" "), right] if right else []
    used = sum(cells(span.text) for span in [*spans, *tail])
    filling = Span("─" * max(width - used, 2), "faint")
    return (*spans, filling, *tail)


def columns(rows: Sequence[Sequence[str]], *, widest: int = 48) -> list[list[str]]:
    """`rows` with every column but the last filled to one width; an empty column vanishes.

    A cell longer than `widest` stays whole and does not widen the others.
    """
    used = [index for index in range(len(rows[0])) if any(row[index] for row in rows)]
    widths = {
        index: max((cells(row[index]) for row in rows if cells(row[index]) <= widest), default=0)
        for index in used[:-1]
    }
    return [[pad(row[index], widths.get(index, 0)) for index in used] for row in rows]
