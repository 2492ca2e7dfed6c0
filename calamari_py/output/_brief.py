"""The failure of a command whose caller shows all of stderr to somebody: one line, no more.

An SDK that runs a ``credential_process`` puts its stderr into an error message.
"""

from __future__ import annotations

from calamari_py.masking.secret import Masked
from calamari_py.output._lines import Span
from calamari_py.output._words import format_count, printable
from calamari_py.output.base import Failure, Reporter, ReporterOptions
from calamari_py.output.text import TextReporter


def brief_reporter(options: ReporterOptions) -> Reporter:
    """Tells nothing but a failure, and that in one line."""
    return _BriefReporter(options)


class _BriefReporter(TextReporter):
    def highlight(self, message: Masked) -> None:
        """Not a failure."""

    def warning(self, message: Masked, hint: Masked | None = None) -> None:
        """Not a failure."""

    def failed(self, failure: Failure) -> None:
        """The sentence, the first problem with its place, and what to do."""
        text: str = failure.message
        hint: str | None = failure.hint
        if failure.problems:
            first, *others = failure.problems
            text = ": ".join(filter(None, (first.place, first.path, first.message)))
            if others:
                text += f" (and {format_count(len(others), 'other problem')})"
            hint = first.hint or hint
        if hint:
            text = f"{text}; {' '.join(hint.split())}"
        self._say([(Span("calamari: ", "bad"), Span(printable(text)))])
