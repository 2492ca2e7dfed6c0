"""How a failure reads: the sentence, what to do, and the evidence."""

from __future__ import annotations

from collections.abc import Sequence

from calamari_py.errors import TraceRow
from calamari_py.output._lines import MARGIN, Line, Span, Tone, block, columns, hang, plain
from calamari_py.output._words import cells, lines_of, pad, printable
from calamari_py.output.base import Failure, MaskedProblem

_RESULT_TONES: dict[str, Tone] = {"broken": "bad", "absent": "faint", "not tried": "faint"}


def describe_failure(failure: Failure) -> list[str]:
    """The lines that tell `failure`, without colour: ``calamari: …``, the problems, ``hint: …``,
    the credential sources and the evidence."""
    return [plain(line) for line in failure_lines(failure)]


def failure_lines(failure: Failure, width: int | None = None) -> list[Line]:
    """The same with tones. Facts are wrapped at `width` columns, None for not at all."""
    lines = block([Span("calamari: ", "bad")], failure.message, "strong")
    lines += _problem_lines(failure.problems)
    lines += fact_lines(failure.evidence, width)
    if failure.hint:
        lines += hint_lines(failure.hint)
    lines += trace_lines(failure.trace)
    for evidence in unlabelled(failure.evidence):
        lines += block([Span(MARGIN)], evidence, "faint")
    return lines


def fact_lines(evidence: Sequence[str], width: int | None = None) -> list[Line]:
    """The lines of `evidence` that are ``label<TAB>value``: the values in one column, wrapped at
    `width` with every word whole, so that an ARN or an address can be copied."""
    facts = [line.split("\t", 1) for line in evidence if "\t" in line]
    widest = max((cells(printable(label)) for label, _ in facts), default=0)
    lines: list[Line] = []
    for label, value in facts:
        head = [Span(f"{MARGIN}{pad(printable(label), widest)}   ", "faint")]
        indent = [Span(" " * cells(head[0].text))]
        for at, part in enumerate(lines_of(value)):
            before = indent if at else head
            lines += block(before, part) if width is None else hang(before, part, width)
    return lines


def unlabelled(evidence: Sequence[str]) -> list[str]:
    """What else there is of `evidence`."""
    return [line for line in evidence if "\t" not in line]


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
