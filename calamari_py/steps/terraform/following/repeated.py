"""The diagnostics of one command: each told once, however often it comes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from calamari_py.steps.base import StepReport, Tone
from calamari_py.steps.terraform.following.diagnostics import report_diagnostic
from calamari_py.steps.terraform.values import Diagnostic

_MOST = 100
_MOST_PLACES = 5
_HALTED = "execution halted"
"""What Terraform adds, more than once, when it was told to stop."""
_Key = tuple[str, str, str]
_Place = tuple[str, str, str, str]


@dataclass(slots=True)
class _Entry:
    diagnostic: Diagnostic
    repeats: int = 0
    places: list[str] = field(default_factory=list)

    def repeat(self, diagnostic: Diagnostic) -> None:
        """It came once more."""
        self.repeats += 1
        where = diagnostic.address or diagnostic.place
        if where and len(self.places) < _MOST_PLACES:
            self.places.append(where)


class Diagnostics:
    """Takes them in as they come and tells them at the end, when all that is secret in them is
    known: all but the first error, which is for the failure, as is every one of a command that does
    nothing after it (`keeps_errors`). Programs are told of those, too. Warnings that are among
    `known` are not told again. It keeps at most a hundred different ones and counts the rest."""

    def __init__(
        self,
        report: StepReport,
        *,
        known: Iterable[Diagnostic] = (),
        keeps_errors: bool = False,
    ) -> None:
        self._report = report
        self._keeps_errors = keeps_errors
        self._known = {_key(one) for one in known if one.severity == "warning"}
        self._entries: dict[_Place, _Entry] = {}
        self._beyond = 0
        self.has_errors = False

    def take(self, diagnostic: Diagnostic) -> None:
        """One more."""
        if diagnostic.summary == _HALTED and self.has_errors:
            return
        entry = self._entries.get(self._place_of(diagnostic))
        if entry is not None:
            entry.repeat(diagnostic)
            return
        is_first_error = diagnostic.severity == "error" and not self.has_errors
        if len(self._entries) >= _MOST and not is_first_error:
            self._beyond += 1
            return
        self.keep(diagnostic)

    def keep(self, diagnostic: Diagnostic) -> None:
        """It is there; whether it is told is somebody else's."""
        self._entries[self._place_of(diagnostic)] = _Entry(diagnostic)
        self.has_errors = self.has_errors or diagnostic.severity == "error"

    def finish(self, *, say_all: bool) -> tuple[Diagnostic, ...]:
        """All of them, when nothing more comes; what came more than once is summed up. `say_all`
        tells also those that were left for the failure."""
        self._tell(leaves_errors=not say_all)
        for entry in self._entries.values():
            if entry.repeats and _key(entry.diagnostic) not in self._known:
                self._report.line(_repeated(entry), tone=_tone(entry.diagnostic))
        if self._beyond:
            self._report.line(f"and {self._beyond} more errors and warnings", tone="warn")
        return tuple(entry.diagnostic for entry in self._entries.values())

    def _tell(self, *, leaves_errors: bool) -> None:
        """`leaves_errors` for the failure: it begins with the first one."""
        for entry in self._entries.values():
            is_left = leaves_errors and entry.diagnostic.severity == "error"
            if _key(entry.diagnostic) not in self._known:
                report_diagnostic(self._report, entry.diagnostic, for_programs=is_left)
            entry.diagnostic = replace(entry.diagnostic, is_told=not is_left)
            leaves_errors = leaves_errors and (self._keeps_errors or not is_left)

    def _place_of(self, diagnostic: Diagnostic) -> _Place:
        """What two that are the same have in common: of an error that the failure tells, the place,
        too."""
        is_kept = self._keeps_errors and diagnostic.severity == "error"
        place = f"{diagnostic.address} {diagnostic.place}" if is_kept else ""
        return (*_key(diagnostic), place)


def _key(diagnostic: Diagnostic) -> _Key:
    return diagnostic.severity, diagnostic.summary, diagnostic.detail


def _tone(diagnostic: Diagnostic) -> Tone:
    return "bad" if diagnostic.severity == "error" else "warn"


def _repeated(entry: _Entry) -> str:
    one = entry.diagnostic
    more = ", …" if entry.repeats > len(entry.places) else ""
    places = f" ({', '.join(entry.places)}{more})" if entry.places else ""
    return f"{one.severity.capitalize()}: {one.summary}: {entry.repeats} more{places}"
