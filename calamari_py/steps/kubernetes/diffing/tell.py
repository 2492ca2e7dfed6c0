"""Differences as people read them, and as events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from calamari_py.steps.base import StepReport, Tone
from calamari_py.steps.kubernetes.diffing.difference import Difference, DifferenceKind

_MARKS: dict[DifferenceKind, str] = {
    "create": "+", "change": "~", "delete": "-", "unknown": "?", "none": " ",
}  # fmt: skip
_TONES: dict[DifferenceKind, Tone] = {
    "create": "good", "change": "warn", "delete": "bad", "unknown": "warn",
}  # fmt: skip
_LINE_TONES: dict[str, Tone] = {"+": "good", "-": "bad", "~": "warn"}
MOST_LINES = 2000
"""Lines of all objects together. What comes behind them is told by name."""


def counts(differences: Sequence[Difference]) -> dict[str, int]:
    """How many of each kind."""
    kinds = Counter(each.kind for each in differences)
    return {kind: kinds[kind] for kind in _MARKS}


def one_line(differences: Sequence[Difference]) -> str:
    """``2 to create, 1 to change, 5 unchanged``."""
    found = counts(differences)
    parts = [f"{found[kind]} to {kind}" for kind in ("create", "change", "delete") if found[kind]]
    if found["unknown"]:
        parts.append(f"{found['unknown']} unknown")
    if not parts:
        return "none"
    return ", ".join([*parts, f"{found['none']} unchanged"] if found["none"] else parts)


def report_differences(report: StepReport, differences: Sequence[Difference]) -> None:
    """How many differ, and each with its lines. What does not differ is an event alone."""
    report.fact("differences", counts(differences))
    report.line(f"differences  {one_line(differences)}")
    left = MOST_LINES
    for each in differences:
        if each.kind == "none":
            report.line("", event="kube_difference", fields=each.fields())
            continue
        note = f"  {each.note}" if each.note else ""
        report.line(
            f"{_MARKS[each.kind]} {each.ref}{note}",
            event="kube_difference",
            fields=each.fields(),
            tone=_TONES[each.kind],
        )
        for line in each.lines[: max(left, 0)]:
            report.line(f"    {line}", tone=_LINE_TONES.get(line[:1], ""))
        left -= len(each.lines)
    if left < 0:
        report.line(f"{-left:,} more lines are not shown", tone="warn")
