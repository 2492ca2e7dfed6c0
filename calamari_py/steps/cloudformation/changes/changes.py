"""A change set for people and for programs, and what a manifest's ``refuse`` says to it.

Names of properties only, never a value: change sets hold parameters in clear.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from calamari_py.steps.base import StepReport, Tone
from calamari_py.steps.cloudformation.service.places import name_of
from calamari_py.steps.cloudformation.values import STACK_TYPE, Change, ChangeSet

_MARKS = {
    "added": "+",
    "modified": "~",
    "replaced": "±",
    "conditional": "?",
    "removed": "-",
    "imported": "i",
    "unknown": "?",
}
_ALWAYS_COUNTED = ("added", "modified", "replaced", "removed")
_COUNTED_AS = {
    "imported": "imported",
    "conditional": "perhaps replaced",
    "unknown": "not known before it is executed",
}
_NAMED = 20
_TONES: dict[str, Tone] = {
    "added": "good",
    "removed": "bad",
    "replaced": "warn",
    "conditional": "warn",
    "unknown": "warn",
}
_KEPT = {"Retain": "is kept (Retain)", "Snapshot": "is deleted, a snapshot is kept"}
_OLD = {
    "ReplaceAndDelete": "the old one is deleted",
    "ReplaceAndRetain": "the old one is kept (Retain)",
    "ReplaceAndSnapshot": "the old one is deleted, a snapshot is kept",
}


def kind_of(change: Change) -> str:
    """``added``, ``modified``, ``replaced``, ``conditional`` (AWS does not know yet whether it is
    replaced), ``removed``, ``imported`` or ``unknown``."""
    if change.action in ("Modify", "SyncWithActual"):
        return {"True": "replaced", "Conditional": "conditional"}.get(
            change.replacement, "modified"
        )
    return {"Add": "added", "Remove": "removed", "Import": "imported"}.get(change.action, "unknown")


def counts(change_set: ChangeSet) -> dict[str, int]:
    """How many of each kind. A nested stack that only changes inside counts by what is in it."""
    found = dict.fromkeys(_MARKS, 0)
    for change in change_set.changes:
        if not _only_holds_others(change, change_set):
            found[kind_of(change)] += 1
    return found


def report_changes(report: StepReport, change_set: ChangeSet) -> None:
    """The diff: a header, a line for each change in AWS's order, how many."""
    name = name_of(change_set.stack_id)
    report.line(f"changes to {name} (change set {change_set.name})")
    rows = [_row(change, change_set) for change in change_set.changes]
    ids = max((len(row[0]) for row in rows), default=0)
    types = max((len(change.resource_type) for change in change_set.changes), default=0)
    for change, (shown, said) in zip(change_set.changes, rows, strict=True):
        text = f"  {shown:<{ids}}  {change.resource_type:<{types}}  {said}".rstrip()
        fields = _fields(change, change_set, said)
        tone = _TONES.get(kind_of(change), "")
        report.line(text, event="stack_change", fields=fields, tone=tone)
    total = counts(change_set)
    report.line(f"  {_footer(total, change_set)}")
    report.fact("changes", total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One resource that ``refuse`` speaks against. `what` happens to it is a word to count by;
    `sentence` is all of it."""

    resource: str
    what: str
    sentence: str


def refusals(change_set: ChangeSet, refuse: Sequence[str]) -> tuple[Refusal, ...]:
    """What ``refuse`` (``replace``, ``delete``) does not allow of the change set, in AWS's order;
    () when it allows all. What is not known is refused."""
    if not refuse:
        return ()
    found: list[Refusal] = []
    for change in change_set.changes:
        reason = _refusal(change, change_set, refuse)
        if reason is not None:
            what, sentence = reason
            found.append(Refusal(resource=change.shown_id, what=what, sentence=sentence))
    return tuple(found)


def counted_refusals(refused: Sequence[Refusal]) -> str:
    """``27 replaced, 1 deleted``."""
    numbers = Counter(one.what for one in refused)
    return ", ".join(f"{number} {what}" for what, number in numbers.items())


def named_refusals(refused: Sequence[Refusal]) -> str:
    """``Database, Data/Queue and 8 more``."""
    names = ", ".join(one.resource for one in refused[:_NAMED])
    more = len(refused) - _NAMED
    return f"{names} and {more} more" if more > 0 else names


def _refusal(
    change: Change, change_set: ChangeSet, refuse: Sequence[str]
) -> tuple[str, str] | None:
    """What happens and the sentence, None where that is allowed."""
    kind = kind_of(change)
    who = f"'{change.shown_id}' ({change.resource_type})"
    if kind == "unknown":
        return "not known", f"what happens to {who} is not known before it is executed"
    if kind in ("replaced", "conditional") and _counts_as_replacement(change, refuse):
        return _COUNTED_AS.get(kind, kind), f"{who} {_replacement(change)}"
    if kind == "removed":
        removal = _refused_removal(change, who, refuse)
        return ("deleted", removal) if removal is not None else None
    # A nested stack that is new has nothing to lose.
    if kind != "added" and change.shown_id in change_set.unread:
        return "not known", f"what changes inside {who} is not known"
    return None


def _refused_removal(change: Change, who: str, refuse: Sequence[str]) -> str | None:
    if "delete" not in refuse or change.policy == "Retain":
        return None
    inside = " with all that is in it" if change.resource_type == STACK_TYPE else ""
    snapshot = ", only a snapshot is kept" if change.policy == "Snapshot" else ""
    return f"{who} is deleted{inside}{snapshot}"


def _counts_as_replacement(change: Change, refuse: Sequence[str]) -> bool:
    """To replace a resource is to delete the old one, unless that is kept."""
    return "replace" in refuse or ("delete" in refuse and change.policy != "ReplaceAndRetain")


def _replacement(change: Change) -> str:
    word = "is replaced" if change.replacement == "True" else "may be replaced"
    old = f", {_OLD[change.policy]}" if change.policy in _OLD else ""
    because = "; ".join(_reasons(change))
    return f"{word}{old}" + (f": {because}" if because else "")


def _row(change: Change, change_set: ChangeSet) -> tuple[str, str]:
    """The mark and the name, moved in below the nested stack; what happens."""
    indent = "  " * len(change.path)
    return f"{indent}{_MARKS[kind_of(change)]} {change.logical_id}", _said(change, change_set)


def _said(change: Change, change_set: ChangeSet) -> str:
    parts = list(_sentence(change))
    if change.shown_id in change_set.unread:
        parts.append("what changes inside is not known")
    return "; ".join(part for part in parts if part)


def _sentence(change: Change) -> Iterator[str]:
    kind = kind_of(change)
    if kind == "removed":
        what = "the stack and all in it" if change.resource_type == STACK_TYPE else ""
        yield f"removed, {what or 'the resource'} {_KEPT.get(change.policy, 'is deleted')}"
    elif kind in ("replaced", "conditional"):
        yield _replacement(change).removeprefix("is ")
    elif kind == "imported":
        yield f"imported, it is '{change.physical_id}'" if change.physical_id else "imported"
    elif kind == "unknown":
        yield "not known before it is executed"
    else:
        yield "; ".join(_reasons(change))


def _reasons(change: Change) -> tuple[str, ...]:
    """Of a replacement what makes it one; else all, or the scope where AWS says no more."""
    decisive = tuple(clause for clause in change.because if "recreation" in clause)
    if kind_of(change) in ("replaced", "conditional") and decisive:
        return decisive
    if change.because or change.action == "Add":
        return change.because
    return (f"{', '.join(change.scope)} changed",) if change.scope else ()


def _only_holds_others(change: Change, change_set: ChangeSet) -> bool:
    return (
        change.resource_type == STACK_TYPE
        and kind_of(change) == "modified"
        and change.nested is not None
        and change.shown_id not in change_set.unread
    )


def _footer(total: dict[str, int], change_set: ChangeSet) -> str:
    if not change_set.changes:
        return "no resource changes: only outputs, tags or other settings of the stack do"
    parts = [f"{total[kind]} {kind}" for kind in _ALWAYS_COUNTED]
    parts += [f"{total[kind]} {word}" for kind, word in _COUNTED_AS.items() if total[kind]]
    return ", ".join(parts)


def _fields(change: Change, change_set: ChangeSet, said: str) -> dict[str, Any]:
    return {
        "stack": name_of(change_set.stack_id),
        "change": kind_of(change),
        "logical_id": change.logical_id,
        "physical_id": change.physical_id,
        "resource_type": change.resource_type,
        "action": change.action,
        "replacement": change.replacement,
        "policy": change.policy,
        "scope": list(change.scope),
        "because": list(change.because),
        "path": list(change.path),
        "text": said,
    }
