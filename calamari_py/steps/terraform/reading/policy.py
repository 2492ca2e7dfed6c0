"""What the manifest's ``policy`` says to a plan.

A pattern is an address in which ``*`` and ``?`` alone are special. It errs on the safe side: it
holds in whatever module it is met, with or without instance keys, for all that is in the module or
of the type that it names, and for what a resource was called before it moved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from unicodedata import normalize

from calamari_py.steps.terraform.spec import PlanPolicy
from calamari_py.steps.terraform.values import Change, Plan

_NAMED = 20
_KEY = r'(?:\[(?:"(?:[^"\\]|\\.)*"|[^"\]]*)\])?'
_MODULES = rf"(?:module\.[^.\[]+{_KEY}\.)*"
_WOULD_BE = {
    "destroy": "destroyed",
    "replace": "replaced",
    "forget": "forgotten (it stays, and nobody looks after it)",
}


def refusals(plan: Plan, policy: PlanPolicy) -> tuple[str, ...]:
    """What the policy does not allow of the plan, a sentence each; () when it allows all."""
    return tuple(_refusals(plan, policy))


def doubts(plan: Plan, policy: PlanPolicy) -> tuple[str, ...]:
    """What the policy allows and its author may not have meant, a sentence each."""
    return (*_uncovered(plan, policy), *_unmet(plan, policy))


def covers(pattern: str, change: Change) -> bool:
    """Whether `pattern` means the resource of `change`, where it is or where it was."""
    addresses = (change.address, change.previous)
    return any(_fits(pattern, each) for each in addresses if each)


def _uncovered(plan: Plan, policy: PlanPolicy) -> Iterator[str]:
    """Protected resources that move to where nothing protects them any more."""
    for rule, patterns in _rules(policy):
        for change in plan.changes:
            if change.previous is None or any(_fits(each, change.address) for each in patterns):
                continue
            pattern = next((each for each in patterns if _fits(each, change.previous)), None)
            if pattern is not None:
                yield (
                    f"'{change.previous}', which '{rule}' names ('{pattern}'), is now "
                    f"'{change.address}', which it does not"
                )


def _unmet(plan: Plan, policy: PlanPolicy) -> Iterator[str]:
    """Patterns that mean one thing, which is not there. With targets nobody can tell."""
    if not plan.is_complete or not plan.addresses:
        return
    known = [*plan.addresses, *(change.previous for change in plan.changes if change.previous)]
    for rule, patterns in _rules(policy):
        for pattern in patterns:
            if not set("*?") & set(pattern) and not any(_fits(pattern, each) for each in known):
                yield f"'{rule}' names '{pattern}', and there is nothing of that name"


def _rules(policy: PlanPolicy) -> tuple[tuple[str, Sequence[str]], ...]:
    return (("protect", policy.protect), ("refuse_replace", policy.refuse_replace))


def _fits(pattern: str, address: str) -> bool:
    return _expression(pattern).fullmatch(normalize("NFC", address)) is not None


def _refusals(plan: Plan, policy: PlanPolicy) -> Iterator[str]:
    for change in plan.changes:
        if change.kind in _WOULD_BE:
            yield from _refused(change, "protect", policy.protect)
        if change.kind == "replace":
            yield from _refused(change, "refuse_replace", policy.refuse_replace)
    lost = [change for change in plan.changes if change.kind in ("destroy", "replace")]
    if policy.max_destroy is not None and len(lost) > policy.max_destroy:
        yield _too_many(lost, policy.max_destroy)


def _refused(change: Change, rule: str, patterns: Sequence[str]) -> Iterator[str]:
    """A sentence by the first pattern that covers the change."""
    for pattern in patterns:
        if covers(pattern, change):
            by = "" if pattern == change.address else f" ('{pattern}')"
            yield _sentence(change, f"'{rule}' forbids{by}")
            return


def _sentence(change: Change, why: str) -> str:
    what = f"a deposed object of '{change.address}'" if change.deposed else f"'{change.address}'"
    was = f", before '{change.previous}'," if change.previous else ""
    because = f": {'; '.join(change.reasons)}" if change.reasons else ""
    return f"{what}{was} would be {_WOULD_BE[change.kind]}, which {why}{because}"


def _too_many(lost: Sequence[Change], limit: int) -> str:
    named = ", ".join(change.address for change in lost[:_NAMED])
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    count = f"{len(lost)} resource{'' if len(lost) == 1 else 's'}"
    return f"{count} would be destroyed or replaced, and 'max_destroy' is {limit}: {named}{more}"


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    special = {"*": ".*", "?": ".", ".": rf"{_KEY}\."}
    written = normalize("NFC", pattern)
    meant = "".join(special.get(letter) or re.escape(letter) for letter in written)
    return re.compile(rf"{_MODULES}{meant}{_KEY}(?:\..*)?", re.DOTALL)
