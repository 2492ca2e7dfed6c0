"""How a line becomes text: with colour only on a terminal that wants it (no-color.org), or where
it is asked for (force-color.org).

Rich knows how a terminal shows a tone; it is imported only when there is a terminal with colour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from calamari_py.output._lines import Line, Span, plain

_FORCING = ("FORCE_COLOR", "CLICOLOR_FORCE")
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
    """What makes text of a line for a `terminal`, or for none; `environ` says what it can, and
    whether colour is wanted where there is no terminal, as in the log of a CI job."""
    if environ.get("NO_COLOR"):
        return plain
    if any(environ.get(name, "") not in {"", "0", "false"} for name in _FORCING):
        return _colourful()
    if not terminal or environ.get("TERM", "") in {"", "dumb", "unknown"}:
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
