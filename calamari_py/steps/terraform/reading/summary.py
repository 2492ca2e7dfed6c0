"""A plan, or drift, as people read it, and as events. Names only, never a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from calamari_py.steps.base import StepReport, Tone
from calamari_py.steps.terraform.values import Change, ChangeKind, OutputChange, Plan

_COUNTED: tuple[ChangeKind, ...] = (
    "create",
    "update",
    "replace",
    "destroy",
    "import",
    "move",
    "forget",
)
_MARKS = {
    "create": "+",
    "update": "~",
    "replace": "-/+",
    "destroy": "-",
    "read": "<=",
    "import": "i",
    "move": ">",
    "forget": "x",
}
_TONES: dict[str, Tone] = {
    "create": "good",
    "update": "warn",
    "replace": "bad",
    "destroy": "bad",
    "import": "good",
    "forget": "warn",
}
_OUTPUT_MARKS = {"create": "+", "update": "~", "delete": "-"}
_LOST = ("destroy", "replace", "forget")
_MOST_LINES = 200
"""Where there are more changes, they are told by module and type, and only what is lost by name."""
_MOST_KEPT = 1000
"""How many addresses the result holds."""
_DRIFT_WORDS = {"destroy": "is gone", "create": "is new", "replace": "was replaced"}


def counts(plan: Plan) -> dict[str, int]:
    """How many of each kind. What is imported or moved, and changed as well, counts as what is
    changed: each object once."""
    kinds = Counter(change.kind for change in plan.changes)
    return {kind: kinds[kind] for kind in _COUNTED}


def one_line(plan: Plan) -> str:
    """``3 to create, 1 to replace``."""
    if found := _sum_of(plan.changes):
        return found
    if plan.outputs:
        return "only outputs change"
    return "nothing to change, data to read" if plan.changes else "no changes"


def report_plan(report: StepReport, plan: Plan, *, verb: str) -> None:
    """The plan under the word `verb`: how many of each kind, each change by module, the outputs."""
    report.line(f"{verb}  {one_line(plan)}")
    modules = _by_module(plan.changes)
    folds = len(plan.changes) > _MOST_LINES
    for module, changes in modules.items():
        indent = "  "
        if len(modules) > 1:
            report.line(f"  {module or 'root module'}  {_sum_of(changes) or 'to read'}")
            indent = "    "
        _report_changes(report, changes, indent, folds=folds)
    if folds:
        report.line("  all names are in 'details.plan' of --result, and events of --format json")
    _report_outputs(report, plan.outputs)
    for sentence in _remarks(plan):
        report.line(f"  {sentence}", tone="warn")
    report.fact("changes", counts(plan))
    report.fact("plan", _addresses(plan.changes))


def report_drift(report: StepReport, plan: Plan) -> None:
    """What was changed outside of Terraform since it last looked."""
    number = len(plan.drift)
    report.fact("drift", _addresses(plan.drift))
    if not number:
        report.line("drift  none")
        return
    what = "1 resource was" if number == 1 else f"{number} resources were"
    report.line(f"drift  {what} changed outside of Terraform", tone="warn")
    shown = plan.drift[:_MOST_LINES]
    width = max(len(change.address) for change in shown)
    for change in shown:
        said = "; ".join(change.reasons) or _DRIFT_WORDS.get(change.kind) or _attributes(change)
        text = f"  {_MARKS[change.kind]:<3} {change.address:<{width}}  {said}".rstrip()
        report.line(text, event="terraform_drift", fields=_fields(change), tone="warn")
    if number > _MOST_LINES:
        report.line(f"  and {number - _MOST_LINES} more", tone="warn")
    for change in plan.drift[_MOST_LINES:]:
        report.line("", event="terraform_drift", fields=_fields(change))


def _addresses(changes: Sequence[Change]) -> list[dict[str, str]]:
    return [{"address": one.address, "change": one.kind} for one in changes[:_MOST_KEPT]]


def _sum_of(changes: Sequence[Change]) -> str:
    found = counts(Plan(changes=tuple(changes)))
    return ", ".join(f"{number} to {kind}" for kind, number in found.items() if number)


def _by_module(changes: Iterable[Change]) -> dict[str, list[Change]]:
    """The root module first, the others by name."""
    found: dict[str, list[Change]] = {}
    for change in changes:
        found.setdefault(change.module, []).append(change)
    return {module: found[module] for module in sorted(found)}


def _report_changes(
    report: StepReport, changes: Sequence[Change], indent: str, *, folds: bool
) -> None:
    """One line for each; with `folds` what is not lost has one for each type."""
    folded = [change for change in changes if folds and change.kind not in _LOST]
    shown = [change for change in changes if not folds or change.kind in _LOST]
    groups = Counter((change.kind, change.type) for change in folded)
    for (kind, resource_type), number in groups.items():
        text = f"{indent}{_MARKS[kind]:<3} {number} x {resource_type}"
        report.line(text, tone=_TONES.get(kind, ""))
    for change in folded:
        report.line("", event="terraform_change", fields=_fields(change))
    width = max((len(change.address) for change in shown), default=0)
    for change in shown:
        text = f"{indent}{_mark(change):<3} {change.address:<{width}}  {_said(change)}".rstrip()
        tone = _TONES.get(change.kind, "")
        report.line(text, event="terraform_change", fields=_fields(change), tone=tone)


def _report_outputs(report: StepReport, outputs: Sequence[OutputChange]) -> None:
    if not outputs:
        return
    report.line("  outputs")
    for output in outputs:
        mark = _OUTPUT_MARKS.get(output.action, "~")
        report.line(f"    {mark:<3} {output.name}{' (sensitive)' if output.sensitive else ''}")


def _remarks(plan: Plan) -> Iterator[str]:
    if plan.is_errored:
        yield "this plan is not whole: making it ended in an error"
    if plan.deferred:
        named = ", ".join(plan.deferred[:5]) + (" …" if len(plan.deferred) > 5 else "")
        yield f"{len(plan.deferred)} more to plan after this one is applied: {named}"
    elif not plan.is_complete and not plan.is_errored:
        yield "only the targets were planned"


def _mark(change: Change) -> str:
    first = change.actions[:1]
    return "+/-" if change.kind == "replace" and first == ("create",) else _MARKS[change.kind]


def _said(change: Change) -> str:
    return "; ".join(_clauses(change))


def _clauses(change: Change) -> Iterator[str]:
    if change.deposed:
        yield "a deposed object"
    if change.imported:
        yield "imported"
    if change.previous:
        yield f"was {change.previous}"
    if change.kind == "forget":
        yield "forgotten: it stays, unmanaged"
    because = "; ".join(change.reasons)
    if change.kind == "replace":
        yield f"replaced: {because}" if because else "replaced"
    elif because:
        yield because
    if attributes := _attributes(change):
        yield attributes


def _attributes(change: Change) -> str:
    named = ", ".join(change.attributes)
    return f"{named} and {change.more_attributes} more" if change.more_attributes else named


def _fields(change: Change) -> dict[str, Any]:
    return {
        "address": change.address,
        "change": change.kind,
        "actions": list(change.actions),
        "resource_type": change.type,
        "module": change.module,
        "previous": change.previous,
        "because": list(change.reasons),
        "replaced_by": list(change.replaced_by),
        "attributes": list(change.attributes),
        "more_attributes": change.more_attributes,
        "deposed": change.deposed,
        "imported": change.imported,
    }
