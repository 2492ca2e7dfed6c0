"""How a line becomes text: with colour only on a terminal that wants it (no-color.org).

Rich knows how a terminal shows a tone; it is imported only when there is a terminal with colour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from calamari_py.output._lines import Line, Span, plain

_STYLES = {
    "plain": "",
    "faint": "dim",
    "strong": "bold",
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "cure": "cyan",
}


def renderer(*, terminal: bool, environ: Mapping[str, str]) -> Callable[[Line], str]:
    """What makes text of a line for a `terminal`, or for none; `environ` says what it can."""
    term = environ.get("TERM", "")
    if not terminal or environ.get("NO_COLOR") or term in {"", "dumb", "unknown"}:
        return plain
    return _colourful()


def _colourful() -> Callable[[Line], str]:
    from rich.color import ColorSystem
    from rich.style import Style

    styles = {tone: Style.parse(words) for tone, words in _STYLES.items()}

    def render(line: Line) -> str:
        *spans, last = line
        trimmed = [*spans, Span(last.text.rstrip(), last.tone)]
        return "".join(
            styles[tone].render(text, color_system=ColorSystem.STANDARD) for text, tone in trimmed
        )

    return render
