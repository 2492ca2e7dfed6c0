"""The summary of a run in Markdown, as GitHub shows it on the page of a job."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from calamari_py.errors import Problem
from calamari_py.masking import Masked
from calamari_py.output import ending_text, printable
from calamari_py.result import OutputVariable, StepResult

LONGEST_VALUE = 300
LONGEST_PROBLEM = 2_000
MOST_ROWS = 200
# Every sign that could be more than itself; the slash and the dot of an address are left.
_SIGNS = re.compile(r"([\\`*_{}\[\]<>()#+!|~&@$^])")


def summary_of(result: StepResult, *, mask: Callable[[str], Masked]) -> str:
    """Step, outcome, identity, outputs by name and problems; the value of a sensitive output is
    not there, and the others are masked."""
    lines = [f"### {escape(result.step)}: {escape(ending_text(result))}", ""]
    lines += _table("", "", _facts(result))
    if result.outputs:
        rows = [(name, _value(output, mask)) for name, output in result.outputs.items()]
        lines += _table("output", "value", iter(rows))
    lines += [f"- {_problem(problem)}" for problem in result.problems[:MOST_ROWS]]
    return "\n".join(["", *lines, ""])


def escape(text: str) -> str:
    """`text` on one line, as nothing but itself in Markdown."""
    return _SIGNS.sub(r"\\\1", printable(" ".join(text.split())))


def _facts(result: StepResult) -> Iterator[tuple[str, str]]:
    identity = result.identity
    yield "outcome", result.outcome.value.replace("_", " ")
    for name, text in (
        ("role", identity.arn),
        ("account", identity.account),
        ("region", identity.region),
    ):
        if text:
            yield name, escape(text)


def _table(left: str, right: str, rows: Iterator[tuple[str, str]]) -> list[str]:
    shown = [f"| {escape(name)} | {value} |" for name, value in rows]
    if len(shown) > MOST_ROWS:
        shown = [*shown[:MOST_ROWS], f"| … | and {len(shown) - MOST_ROWS} more |"]
    return [f"| {left} | {right} |", "|---|---|", *shown, ""]


def _value(output: OutputVariable, mask: Callable[[str], Masked]) -> str:
    if output.sensitive:
        return "*sensitive*"
    # Masked whole: a part of a secret would not be found. And again on one line: only there may
    # what stood on several become a secret.
    return escape(_shortened(mask(" ".join(mask(output.value).split())), LONGEST_VALUE))


def _problem(problem: Problem) -> str:
    parts = [problem.place, problem.path, problem.message]
    text = ": ".join(part for part in parts if part)
    return escape(_shortened(f"{text}; {problem.hint}" if problem.hint else text, LONGEST_PROBLEM))


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
