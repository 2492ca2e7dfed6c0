"""Report: the problems of one load, collected to be told all at once."""

from __future__ import annotations

from collections.abc import Iterable

from calamari_py.errors import FileMissing, ManifestError, Problem
from calamari_py.manifest.nodes import Place

SUGGESTION_LIMIT = 50
"""How many unknown words get a "did you mean"."""


class Report:
    """Collects problems. `subject` is the manifest's name."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.problems: list[Problem] = []
        self._files = {subject: 0}
        self._paths: set[str] = set()
        self._missing: list[Problem] = []
        self._suggestions = SUGGESTION_LIMIT

    def add(
        self,
        place: Place,
        path: str,
        message: str,
        hint: str | None = None,
        *,
        missing: bool = False,
    ) -> None:
        """One problem; `missing` says that it is a file that is not there."""
        problem = place.problem(message, path, hint)
        self.problems.append(problem)
        self._paths.add(path)
        if missing:
            self._missing.append(problem)

    def has(self, path: str) -> bool:
        """Whether there is a problem at `path` already."""
        return path in self._paths

    def suggest(self, word: str, known: Iterable[str]) -> str | None:
        """The known word that `word` most likely was meant to be.

        People rarely get the first letter wrong, so another one has to be nearer.
        """
        if self._suggestions <= 0:
            return None
        from difflib import get_close_matches

        self._suggestions -= 1
        every = list(known)
        alike = [candidate for candidate in every if candidate[:1] == word[:1]]
        found = get_close_matches(word, alike, n=1, cutoff=0.6) or get_close_matches(
            word, every, n=1, cutoff=0.7
        )
        return found[0] if found else None

    def raise_if_any(self) -> None:
        """Raise `error`, if there are any problems."""
        if self.problems:
            raise self.error()

    def error(self) -> ManifestError:
        """All problems in the order of the files and their lines.

        FileMissing when nothing else is wrong than that files are not there.
        """
        for problem in self.problems:
            self._files.setdefault(problem.file, len(self._files))
        ordered = sorted(
            self.problems, key=lambda p: (self._files[p.file], p.line or 0, p.column or 0)
        )
        kind = FileMissing if len(self._missing) == len(self.problems) else ManifestError
        return kind(ordered, subject=self.subject)
