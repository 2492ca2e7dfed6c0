"""What is wrong and what is odd with one section, each with its place and its cure."""

from __future__ import annotations

from calamari_py.errors import FileMissing, Findings, Problem
from calamari_py.steps.base import ParseContext


class Checks:
    """Collects them. A field is named below the section: ``workspace.name``.

    `found` are the problems, `warnings` are sentences.
    """

    def __init__(self, context: ParseContext) -> None:
        self.found = Findings()
        self.warnings: list[str] = []
        self._context = context

    def refuse(self, field: str, message: str, hint: str | None = None) -> None:
        """What cannot be carried out."""
        self.found.problems.append(self._problem(field, message, hint))

    def missing(self, field: str, message: str, hint: str | None = None) -> None:
        """A file or a folder that is not there, or is none."""
        with self.found:
            raise FileMissing([self._problem(field, message, hint)])

    def warn(self, field: str, message: str) -> None:
        """What is odd, and no error."""
        self.warnings.append(f"{self._context.path}.{field} {message}")

    def is_secret(self, field: str) -> bool:
        """Whether the text there was made from a secret."""
        return self._context.sensitive(f"{self._context.path}.{field}")

    def shown(self, field: str, text: str) -> str:
        """`text` as a message may show it."""
        return "its value" if self.is_secret(field) else f"'{text[:200]}'"

    def _problem(self, field: str, message: str, hint: str | None) -> Problem:
        return Problem(path=f"{self._context.path}.{field}", message=message, hint=hint)
