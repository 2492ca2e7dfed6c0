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


@dataclass(slots=True)
class _Entry:
    diagnostic: Diagnostic
    repeats: int = 0
    places: list[str] = field(default_factory=list)


class Diagnostics:
    """Takes them in as they come and tells them, all but the first error: that one is for the
    failure. Warnings that are among `known` are not told again. It keeps at most a hundred
    different ones and counts the rest."""

    def __init__(self, report: StepReport, *, known: Iterable[Diagnostic] = ()) -> None:
        self._report = report
        self._known = {_key(one) for one in known if one.severity == "warning"}
        self._entries: dict[_Key, _Entry] = {}
        self._beyond = 0
        self.has_errors = False

    def take(self, diagnostic: Diagnostic) -> None:
        """One more."""
        if diagnostic.summary == _HALTED and self.has_errors:
            return
        entry = self._entries.get(_key(diagnostic))
        if entry is not None:
            entry.repeats += 1
            where = diagnostic.address or diagnostic.place
            if where and len(entry.places) < _MOST_PLACES:
                entry.places.append(where)
            return
        is_first_error = diagnostic.severity == "error" and not self.has_errors
        if len(self._entries) >= _MOST and not is_first_error:
            self._beyond += 1
            return
        if not is_first_error and _key(diagnostic) not in self._known:
            report_diagnostic(self._report, diagnostic)
        self.keep(replace(diagnostic, is_told=not is_first_error))

    def keep(self, diagnostic: Diagnostic) -> None:
        """It is there; whether it is told is somebody else's."""
        self._entries[_key(diagnostic)] = _Entry(diagnostic)
        self.has_errors = self.has_errors or diagnostic.severity == "error"

    def finish(self, *, say_all: bool) -> tuple[Diagnostic, ...]:
        """All of them, when nothing more comes; what came more than once is summed up."""
        if say_all:
            self._tell_the_rest()
        for key, entry in self._entries.items():
            if entry.repeats and key not in self._known:
                self._report.line(_repeated(entry), tone=_tone(entry.diagnostic))
        if self._beyond:
            self._report.line(f"and {self._beyond} more errors and warnings", tone="warn")
        return tuple(entry.diagnostic for entry in self._entries.values())

    def _tell_the_rest(self) -> None:
        for entry in self._entries.values():
            if not entry.diagnostic.is_told:
                report_diagnostic(self._report, entry.diagnostic)
                entry.diagnostic = replace(entry.diagnostic, is_told=True)


def _key(diagnostic: Diagnostic) -> _Key:
    return diagnostic.severity, diagnostic.summary, diagnostic.detail


def _tone(diagnostic: Diagnostic) -> Tone:
    return "bad" if diagnostic.severity == "error" else "warn"


def _repeated(entry: _Entry) -> str:
    one = entry.diagnostic
    more = ", …" if entry.repeats > len(entry.places) else ""
    places = f" ({', '.join(entry.places)}{more})" if entry.places else ""
    return f"{one.severity.capitalize()}: {one.summary}: {entry.repeats} more{places}"
