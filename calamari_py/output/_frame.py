"""The lines around a child's output: who runs, and how it ended."""

from __future__ import annotations

import signal

from calamari_py.output._lines import MARGIN, Line, Span, Tone, plain, rule
from calamari_py.output._words import (
    cells,
    format_count,
    format_seconds,
    format_validity,
    printable,
)
from calamari_py.output.base import IdentityReport, StepHeader
from calamari_py.result import Outcome, StepResult

_LABEL = 11
_GAP = "   "
_SOON = 300.0
"""Credentials that live no longer than five minutes are shown with emphasis."""
_ENDINGS: dict[Outcome, tuple[str, Tone]] = {
    Outcome.SUCCEEDED: ("succeeded in", "good"),
    Outcome.FAILED: ("failed in", "bad"),
    Outcome.CANCELLED: ("cancelled after", "warn"),
    Outcome.TIMED_OUT: ("timed out after", "bad"),
    Outcome.INDETERMINATE: ("outcome unknown after", "warn"),
    Outcome.NOT_STARTED: ("not started in", "bad"),
}


def title_lines(header: StepHeader, width: int) -> list[Line]:
    """``─ deploy-network ──────── payments · dev · deployments-4711``, or two lines."""
    about = [header.project, header.environment, header.deployment_id]
    right = " · ".join(printable(part) for part in about if part)
    name = Span(printable(header.step), "strong")
    about_it = Span(right, "faint")
    one = rule([name], width, right=about_it if right else None)
    if right and not _fits(one, width):
        return [rule([name], width), (Span(MARGIN), about_it)]
    return [one]


def kind_line(header: StepHeader) -> Line:
    """What carries the step out, for those who asked for more."""
    return _row("kind", Span(printable(header.kind)), Span(f"calamari {header.version}", "faint"))


def identity_lines(report: IdentityReport, width: int | None) -> list[Line]:
    """Launcher, role, account, masking. What is wider than `width` (None: nothing is) goes to a
    line of its own, so that an ARN begins where the others do."""
    lines: list[Line] = []
    if report.launcher:
        launcher = Span(printable(report.launcher))
        source = Span(printable(report.launcher_source or ""), "faint")
        one = _row("launcher", launcher, *([source] if source.text else []))
        if source.text and not _fits(one, width):
            lines += [_row("launcher", launcher), _row("source", source)]
        else:
            lines.append(one)
    lines += [_row("through", Span(printable(h))) for h in report.hops if h != report.role]
    lines.append(_role_line(report))
    lines += _account_lines(report, width)
    lines.append(_row("masking", _masking(report)))
    return lines


def _masking(report: IdentityReport) -> Span:
    if report.masking_off:
        return Span("off (--no-mask)", "warn")
    return Span(format_count(report.secrets, "secret") if report.secrets else "no secrets")


def identity_heading(report: IdentityReport) -> str:
    """The same in one line, for what is folded: ``as ARN · account … · region``."""
    if report.role:
        who = f"as {printable(report.role)}"
    elif report.launcher:
        who = f"as the launcher {printable(report.launcher)}"
    else:
        who = "without credentials"
    parts = [who]
    if report.account:
        parts.append(f"account {printable(report.account)}")
    if report.region:
        parts.append(printable(report.region))
    if report.masking_off:
        parts.append("masking off (--no-mask)")
    return " · ".join(parts)


def _role_line(report: IdentityReport) -> Line:
    if report.role:
        return _row("role", Span(printable(report.role), "strong"))
    if report.launcher:
        return _row("role", Span("none: the step runs as the launcher", "warn"))
    return _row("role", Span("none: the step gets no credentials"))


def _account_lines(report: IdentityReport, width: int | None) -> list[Line]:
    """One line with everything where it fits, else one line each."""
    facts: list[tuple[str, Span]] = []
    if report.account:
        expected = " (as expected)" if report.expected else ""
        facts.append(("account", Span(f"{printable(report.account)}{expected}")))
    if report.region:
        source = f" ({printable(report.region_source)})" if report.region_source else ""
        facts.append(("region", Span(f"{printable(report.region)}{source}")))
    if report.seconds_left is not None:
        soon = report.seconds_left <= _SOON and not report.renewed
        tone: Tone = "warn" if soon else "plain"
        renewed = ", renewed" if report.renewed else ""
        facts.append(("valid for", Span(f"{format_validity(report.seconds_left)}{renewed}", tone)))
    if not facts:
        return []
    (label, value), *others = facts
    spans = [value]
    for name, span in others:
        spans += [Span(f"{_GAP}{name} ", "faint"), span]
    one = (caption(label), *spans)
    return [one] if _fits(one, width) else [(caption(name), span) for name, span in facts]


def caption(text: str) -> Span:
    """What stands before a fact; the facts of all lines begin in one column."""
    return Span(f"{MARGIN}{text:<{_LABEL}}", "faint")


def _row(label: str, *values: Span) -> Line:
    spans = [caption(label)]
    for index, value in enumerate(values):
        spans += [Span(_GAP)] * (index > 0) + [value]
    return tuple(spans)


def _fits(line: Line, width: int | None) -> bool:
    return width is None or cells(plain(line)) <= width


def ending_text(result: StepResult) -> str:
    """``failed in 12.4s, my-stack: ROLLBACK_COMPLETE, exit code 1``; of a success the code only
    where it is not 0, and in the middle what the step itself says of its end."""
    text, _ = _ending(result)
    if result.ending:
        text += f", {printable(result.ending)}"
    return f"{text}, {_exit_text(result)}" if _tells_code(result) else text


def _tells_code(result: StepResult) -> bool:
    return result.outcome is not Outcome.SUCCEEDED or result.exit_code != 0


def _ending(result: StepResult) -> tuple[str, Tone]:
    words, tone = _ENDINGS[result.outcome]
    total = result.durations.get("total", (result.ended_at - result.started_at).total_seconds())
    return f"{words} {format_seconds(total)}", tone


def closing_line(result: StepResult, width: int) -> Line:
    """``─ succeeded in 12.4s ── outputs: A, B ─────``."""
    text, tone = _ending(result)
    parts = [Span(text, tone)]
    if result.ending:
        parts.append(Span(printable(result.ending)))
    if _tells_code(result):
        parts.append(Span(_exit_text(result)))
    if result.changed is False and result.outcome is Outcome.SUCCEEDED:
        parts.append(Span("no changes"))
    if len(result.attempts) > 1:
        parts.append(Span(format_count(len(result.attempts), "attempt")))
    if result.artifacts:
        parts.append(Span(format_count(len(result.artifacts), "artifact")))
    if result.outputs:
        used = cells(plain(rule([*parts, Span("")], 0)))
        parts.append(Span(_outputs_text(result, width - used)))
    return rule(parts, width)


def _outputs_text(result: StepResult, room: int) -> str:
    names = [printable(name) for name in result.outputs]
    text = f"outputs: {', '.join(names)}"
    return text if cells(text) <= room else format_count(len(names), "output")


def _exit_text(result: StepResult) -> str:
    """``exit code 137 (SIGKILL)``: the name where a signal is what the number means; a success has
    no other than 0 but for its changes (``--detailed-exitcode``)."""
    text = f"exit code {result.exit_code}"
    if result.outcome is Outcome.SUCCEEDED and result.exit_code != 0:
        return f"{text} (changes)"
    if result.exit_code > 128:
        try:
            return f"{text} ({signal.Signals(result.exit_code - 128).name})"
        except ValueError:
            return text
    return text
