"""Errors and warnings: as Terraform tells them, as people read them, as the failure of a step."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calamari_py.errors import ToolFailed
from calamari_py.process.base import ProcessExit
from calamari_py.steps.base import StepReport
from calamari_py.steps.terraform.following.events import text_of
from calamari_py.steps.terraform.following.hints import hint_of
from calamari_py.steps.terraform.reading.written import mapping
from calamari_py.steps.terraform.values import Diagnostic

_MOST_ROWS = 5
_SIGNALLED = 128
_SAVED = "what was done until then is in the state: correct the cause, plan and apply the rest"


def read_diagnostic(body: Mapping[str, Any]) -> Diagnostic:
    """The ``diagnostic`` of a message. Whatever is missing is empty."""
    place, code = mapping(body.get("range")), mapping(body.get("snippet"))
    source = text_of(code, "code").rstrip("\n")
    return Diagnostic(
        severity="warning" if body.get("severity") == "warning" else "error",
        summary=text_of(body, "summary").strip(),
        detail=text_of(body, "detail").strip("\n"),
        address=text_of(body, "address"),
        file=text_of(place, "filename"),
        line=_whole(mapping(place.get("start")).get("line")),
        context=text_of(code, "context"),
        snippet=tuple(source.split("\n")) if source else (),
        snippet_line=_whole(code.get("start_line")),
        highlight=_highlight(source, code),
        values=tuple(_values(code.get("values"))),
    )


def report_diagnostic(
    report: StepReport, diagnostic: Diagnostic, *, for_programs: bool = False
) -> None:
    """A few lines that belong together; for programs the event ``terraform_diagnostic``, which is
    all with `for_programs`."""
    hint = hint_of(diagnostic)
    report.line(
        "" if for_programs else "\n".join(_lines(diagnostic, hint)),
        event="terraform_diagnostic",
        fields={
            "severity": diagnostic.severity,
            "summary": diagnostic.summary,
            "detail": diagnostic.detail,
            "address": diagnostic.address or None,
            "file": diagnostic.file or None,
            "line": diagnostic.line,
            "context": diagnostic.context or None,
            "snippet": list(diagnostic.snippet),
            "snippet_line": diagnostic.snippet_line,
            "values": list(diagnostic.values),
            "hint": hint,
        },
        tone="bad" if diagnostic.severity == "error" else "warn",
    )


def tool_failed(
    verb: str,
    diagnostics: Sequence[Diagnostic],
    *,
    exit: ProcessExit | None,  # noqa: A002  how everybody calls it
    hint: str | None = None,
    product: str = "terraform",
    is_saved: bool = False,
    directory: Path | None = None,
) -> ToolFailed:
    """The error of a command (`verb`: ``plan``) that failed: its first cause, where that is, and
    what else went wrong. `exit` is how it ended, None where it does not matter; `is_saved` says
    that what was done until then is in the state; `directory` is the root module's, from which
    files are named."""
    errors = [each for each in diagnostics if each.severity == "error"]
    ended = _killed_by(exit)
    if not errors:
        return ToolFailed(
            f"{product} {verb} {_unexplained(exit, ended)}",
            hint=hint or _cure_of_end(ended),
        )
    first = errors[0]
    place = f" ({first.place})" if first.place else ""
    summary = " ".join(first.summary.split()).rstrip(".") or "it gives no reason"
    rows = [*_evidence(first), *_others(errors[1:])]
    if ended:
        rows.append(f"ended\tit was {_said_of(ended)}")
    return ToolFailed(
        f"{product} {verb} failed: {summary}{place}",
        hint=hint or hint_of(first) or (_SAVED if is_saved else None),
        evidence=rows,
        file=_file(first, directory),
        line=first.line if directory is not None else None,
    )


def _lines(diagnostic: Diagnostic, hint: str | None) -> Iterator[str]:
    yield f"{diagnostic.severity.capitalize()}: {diagnostic.summary or 'no reason given'}"
    for part in (_where(diagnostic), *_source(diagnostic), *diagnostic.values):
        if part:
            yield f"  {part}"
    for line in diagnostic.detail.split("\n") if diagnostic.detail else ():
        yield f"  {line}".rstrip()
    if hint:
        yield f"  hint: {hint}"


def _where(diagnostic: Diagnostic) -> str:
    """``terraform_data.a, main.tf:3, in resource "terraform_data" "a"``."""
    context = f"in {diagnostic.context}" if diagnostic.context else ""
    return ", ".join(part for part in (diagnostic.address, diagnostic.place, context) if part)


def _source(diagnostic: Diagnostic) -> Iterator[str]:
    """The source lines with their numbers, and a marker under the first that it is about."""
    if not diagnostic.snippet:
        return
    first = diagnostic.snippet_line or diagnostic.line or 1
    width = len(str(first + len(diagnostic.snippet) - 1))
    begin, end = diagnostic.highlight or (0, 0)
    at, marked = 0, end <= begin
    for number, line in enumerate(diagnostic.snippet, first):
        # A tab is as wide as the terminal likes: the marker would stand anywhere.
        yield f"{number:>{width}}: {line.replace(chr(9), '    ')}"
        left, right = begin - at, min(end - at, len(line))
        if not marked and 0 <= left < len(line):
            marked = True
            before = "".join("    " if char == "\t" else " " for char in line[:left])
            yield f"{' ' * width}  {before}{'^' * max(1, right - left)}"
        at += len(line) + 1


def _evidence(first: Diagnostic) -> Iterator[str]:
    where = _where(first)
    if where and where != first.place:
        yield f"where\t{where}"
    source = list(_source(first))
    if source:
        yield "source\t" + "\n".join(source)
    if first.values:
        yield "values\t" + "\n".join(first.values)
    if first.detail:
        yield f"because\t{_dense(first.detail)}"


def _others(errors: Sequence[Diagnostic]) -> Iterator[str]:
    told = [error for error in errors if error.is_told]
    rest = [error for error in errors if not error.is_told]
    for error in rest[:_MOST_ROWS]:
        place = f" ({error.place})" if error.place else ""
        said = f"{error.summary}{place}\n{error.detail}"
        yield f"then\t{_dense(said)}"
    if len(rest) > _MOST_ROWS:
        yield f"then\t{_more(len(rest) - _MOST_ROWS)}"
    if told:
        yield f"then\t{_more(len(told))}, told above"


def _dense(text: str) -> str:
    """Without blank lines: a row of evidence is one block."""
    return "\n".join(line for line in text.split("\n") if line.strip())


def _more(number: int) -> str:
    return f"{number} more error{'' if number == 1 else 's'}"


def _unexplained(exit: ProcessExit | None, ended: str) -> str:  # noqa: A002
    if ended:
        return f"was {_said_of(ended)}"
    code = f" with exit code {exit.code}" if exit is not None else ""
    return f"failed{code} and gave no reason"


def _said_of(ended: str) -> str:
    return "killed by SIGKILL (out of memory?)" if ended == "SIGKILL" else f"ended by {ended}"


def _killed_by(exit: ProcessExit | None) -> str:  # noqa: A002
    """``SIGKILL``, "" where no signal ended it."""
    if exit is None or exit.stopped is not None:
        return ""
    number = exit.code - _SIGNALLED if exit.code > _SIGNALLED else -exit.code
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def _cure_of_end(ended: str) -> str:
    if ended == "SIGKILL":
        return (
            "somebody killed it, or the machine ran out of memory: look at the kernel's log, and "
            "give it more memory or a smaller 'parallelism'"
        )
    if ended:
        return "look at what was written before; run again when it is clear who sent the signal"
    return "run again with 'log_level: debug' and --artifacts, which keep Terraform's own log"


def _file(diagnostic: Diagnostic, directory: Path | None) -> str:
    """Where that is on this machine; "" where it is no line of a file."""
    if diagnostic.line is None or directory is None:
        return ""
    return os.path.normpath(directory / diagnostic.file)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _highlight(source: str, code: Mapping[str, Any]) -> tuple[int, int] | None:
    """Terraform counts bytes."""
    begin, end = (_whole(code.get(f"highlight_{name}_offset")) for name in ("start", "end"))
    if begin is None or end is None or not 0 <= begin < end:
        return None
    raw = source.encode()
    before, marked = raw[:begin].decode("utf-8", "ignore"), raw[begin:end].decode("utf-8", "ignore")
    return (len(before), len(before) + len(marked)) if marked else None


def _values(values: Any) -> Iterable[str]:
    for value in values if isinstance(values, list) else ():
        named = mapping(value)
        said = " ".join((text_of(named, "traversal"), text_of(named, "statement"))).strip()
        if said:
            yield said
