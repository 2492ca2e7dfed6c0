"""How a failure reads: the sentence, what to do, and the evidence."""

from __future__ import annotations

from collections.abc import Sequence

from calamari_py.errors import TraceRow
from calamari_py.output._lines import MARGIN, Line, Span, Tone, block, columns, plain
from calamari_py.output._words import cells, printable
from calamari_py.output.base import Failure, MaskedProblem

_RESULT_TONES: dict[str, Tone] = {"broken": "bad", "absent": "faint", "not tried": "faint"}


def describe_failure(failure: Failure) -> list[str]:
    """The lines that tell `failure`, without colour: ``calamari: …``, the problems, ``hint: …``,
    the credential sources and the evidence."""
    return [plain(line) for line in failure_lines(failure)]


def failure_lines(failure: Failure) -> list[Line]:
    """The same with tones."""
    lines = block([Span("calamari: ", "bad")], failure.message, "strong")
    lines += _problem_lines(failure.problems)
    if failure.hint:
        lines += hint_lines(failure.hint)
    lines += trace_lines(failure.trace)
    for evidence in failure.evidence:
        lines += block([Span(MARGIN)], evidence, "faint")
    return lines


def hint_lines(hint: str, margin: str = MARGIN) -> list[Line]:
    """What to do about what stands before."""
    return block([Span(margin), Span("hint: ", "cure")], hint)


def _problem_lines(problems: Sequence[MaskedProblem]) -> list[Line]:
    if not problems:
        return []
    # The third column is never empty: with it, the first two are always the filled ones.
    rows = columns([[printable(p.place), printable(p.path), "."] for p in problems])
    lines: list[Line] = []
    for problem, (*heads, _) in zip(problems, rows, strict=True):
        prefix = [Span(MARGIN), *(Span(f"{head}   ", "faint") for head in heads)]
        lines += block(prefix, problem.message)
        if problem.hint:
            lines += hint_lines(problem.hint, " " * sum(cells(span.text) for span in prefix))
    return lines


def trace_lines(rows: Sequence[TraceRow]) -> list[Line]:
    """The credential sources that were looked at, one row each; nothing when there are none."""
    if not rows:
        return []
    cell_rows = columns([[row.source, row.result, _evidence(row)] for row in rows])
    lines: list[Line] = [(Span(f"{MARGIN}launcher sources", "faint"),)]
    for row, (source, result, *evidence) in zip(rows, cell_rows, strict=True):
        tone: Tone = "strong" if row.used else _RESULT_TONES.get(row.result, "plain")
        spans = [Span(f"{MARGIN * 2}{source}   "), Span(result, tone)]
        if any(evidence):
            spans.append(Span(f"   {evidence[0]}", "plain"))
        if row.used:
            spans.append(Span("   ← used", "good"))
        lines.append(tuple(spans))
    return lines


def _evidence(row: TraceRow) -> str:
    why = printable(row.why)
    if row.milliseconds is None or f"{row.milliseconds} ms" in why:
        return why
    took = f"{row.milliseconds} ms"
    return f"{why}, {took}" if why else took
