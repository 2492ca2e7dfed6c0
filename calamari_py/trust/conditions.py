"""What the Condition of a statement wants, against what is known: met, refused or not judged.

Source of the rules: AWS's documentation of condition operators. Whatever is not known here, an
operator, a key, a policy variable, is said to be not judged: it is never taken for met.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from calamari_py.trust.patterns import is_arn_like, is_like

TEXT_LIMIT = 200
"""Characters of a text of others that one line shows."""
_SHOWN_VALUES = 3
_TELLING_PREFIX = 4

_OPERATOR = re.compile(
    r"(?:(ForAnyValue|ForAllValues):)?(String|Arn)(Not)?(Equals|Like|EqualsIgnoreCase)(IfExists)?"
)
_GITHUB_SUBJECT = re.compile(r"(repo:[^:]+):(environment|ref|pull_request)\b")
_GITHUB_FORMS = {
    "environment": "the subject of a job with an environment ends in ':environment:NAME'",
    "pull_request": "the subject of a run for a pull request ends in ':pull_request'",
    "ref": "the subject of a job without an environment ends in ':ref:REF'",
}


class Found(NamedTuple):
    """What is known of a condition key. No `values`: the key is absent.

    `judged` is False where nobody here knows, `doubtful` is True where STS may not have the key.
    `note` explains an absence. `private` values are not shown.
    """

    values: tuple[str, ...] = ()
    judged: bool = True
    doubtful: bool = False
    note: str = ""
    private: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why something does not match, and what could not be judged; both empty: it matches.

    `near` says that a refusal looks like a slip of the pen: the statement means who asked.
    """

    refusals: list[str] = field(default_factory=list)
    unjudged: list[str] = field(default_factory=list)
    near: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`lookup` knows the condition keys, `owner` is whose they are (``the token``)."""

    owner: str
    lookup: Callable[[str], Found]


class _Operator(NamedTuple):
    name: str
    quantifier: str | None
    negated: bool
    if_exists: bool
    fits: Callable[[str, str], bool]


def plain(text: object) -> str:
    """A text of others, fit for one line of a log."""
    shown = str(text)[: TEXT_LIMIT + 1]
    shown = "".join(char if char.isprintable() else "?" for char in shown)
    return shown if len(shown) <= TEXT_LIMIT else f"{shown[:TEXT_LIMIT]}…"


def texts(value: object) -> tuple[str, ...]:
    """A value of a policy or a claim, which may be one or a list, as texts."""
    items = value if isinstance(value, list | tuple) else (value,)
    return tuple(str(item).lower() if isinstance(item, bool) else str(item)
                 for item in items if isinstance(item, str | int | float))  # fmt: skip


def listed(values: tuple[str, ...]) -> str:
    """``'a' or 'b'``, the first few."""
    shown = [f"'{plain(value)}'" for value in values[:_SHOWN_VALUES]]
    if len(values) > _SHOWN_VALUES:
        shown.append(f"{len(values) - _SHOWN_VALUES} more")
    return " or ".join(shown) or "nothing"


def judge_condition(block: object, facts: Facts) -> Verdict:
    """The verdict on a statement's Condition: every part of it has to be met."""
    verdict = Verdict()
    if not block:
        return verdict
    for operator, keys in block.items() if isinstance(block, Mapping) else (("", None),):
        if not isinstance(keys, Mapping):
            verdict.unjudged.append(f"{plain(operator) or 'its Condition'}, which cannot be read")
            continue
        for key, wanted in keys.items():
            _judge(str(operator), str(key), texts(wanted), facts, verdict)
    return verdict


def _judge(name: str, key: str, wanted: tuple[str, ...], facts: Facts, verdict: Verdict) -> None:
    found = facts.lookup(key)
    operator = _parse(name)
    here = f"{plain(name)} on '{plain(key)}'"
    if name == "Null" and found.judged and not found.doubtful and wanted in {("true",), ("false",)}:
        _judge_null(key, wanted == ("true",), found, facts, verdict)
    elif operator is None or not found.judged or any("${" in text for text in wanted):
        verdict.unjudged.append(here)
    elif len(found.values) > 1 and operator.quantifier is None:
        verdict.unjudged.append(f"{here}, of which {facts.owner} has several values")
    elif found.doubtful and (operator.negated or _is_met(operator, wanted, found.values)):
        verdict.unjudged.append(f"{here}: {found.note}")
    elif not _is_met(operator, wanted, found.values):
        verdict.refusals.append(_refusal(operator, key, wanted, found, facts.owner))


def _judge_null(
    key: str, must_be_absent: bool, found: Found, facts: Facts, verdict: Verdict
) -> None:
    if must_be_absent and found.values:
        verdict.refusals.append(f"'{plain(key)}' must not be there, and {facts.owner} has it")
    elif not must_be_absent and not found.values:
        verdict.refusals.append(
            f"'{plain(key)}' must be there, and {facts.owner} does not have it{found.note}"
        )


def _parse(name: str) -> _Operator | None:
    match = _OPERATOR.fullmatch(name)
    if match is None:
        return None
    quantifier, family, negated, kind, if_exists = match.groups()
    fits: Callable[[str, str], bool]
    if family == "Arn":
        if kind == "EqualsIgnoreCase":
            return None
        fits = is_arn_like
    elif kind == "EqualsIgnoreCase":
        fits = _equals_ignore_case
    else:
        fits = is_like if kind == "Like" else str.__eq__
    return _Operator(name, quantifier, bool(negated), bool(if_exists), fits)


def _equals_ignore_case(text: str, wanted: str) -> bool:
    return text.casefold() == wanted.casefold()


def _is_met(operator: _Operator, wanted: tuple[str, ...], values: tuple[str, ...]) -> bool:
    if not values:
        if operator.if_exists or operator.quantifier == "ForAllValues":
            return True
        return operator.negated and operator.quantifier is None
    each = [any(operator.fits(value, text) for text in wanted) != operator.negated
            for value in values]  # fmt: skip
    return any(each) if operator.quantifier == "ForAnyValue" else all(each)


def _refusal(
    operator: _Operator, key: str, wanted: tuple[str, ...], found: Found, owner: str
) -> str:
    where = f"'{plain(key)}'"
    if found.private:
        return _private_refusal(where, found)
    must = "must not be" if operator.negated else "must be"
    start = f"{where} {must} {listed(wanted)} ({operator.name})"
    if not found.values:
        return f"{start}, and {owner} does not have it{found.note}"
    end = f"{start}, and {owner} has {listed(found.values)}"
    why = "" if operator.negated else _difference(operator, wanted, found.values)
    return f"{end}: {why}" if why else end


def _private_refusal(where: str, found: Found) -> str:
    if found.values:
        return f"{where} must be another value than the one given"
    return f"{where} must be there{found.note}"


def _difference(operator: _Operator, wanted: tuple[str, ...], values: tuple[str, ...]) -> str:
    """What makes the nearest of `wanted` and `values` differ, "" when they have little alike."""
    pairs = [(value, text) for value in values for text in wanted]
    for explain in (_case, _slash_or_space, _wildcard, _missing_star, _github_form, _prefix):
        for value, text in pairs:
            if why := explain(operator, value, text):
                return why
    return ""


def _case(operator: _Operator, value: str, wanted: str) -> str:
    same = operator.fits(value.casefold(), wanted.casefold())
    return "they differ in letter case only" if same else ""


def _slash_or_space(_operator: _Operator, value: str, wanted: str) -> str:
    if value.strip() == wanted.strip():
        return "they differ in white space only"
    same = value.rstrip("/") == wanted.rstrip("/")
    return "they differ in a slash at the end only" if same else ""


def _wildcard(operator: _Operator, value: str, wanted: str) -> str:
    if "Like" in operator.name or operator.name.startswith("Arn"):
        return ""
    if is_like(value, wanted):
        return f"'*' and '?' are ordinary characters in {operator.name}, StringLike has wildcards"
    if is_like(value.casefold(), wanted.casefold()):
        return f"{operator.name} has no wildcards, and letter case differs, too"
    return ""


def _missing_star(_operator: _Operator, value: str, wanted: str) -> str:
    rest = value[len(wanted) :]
    if not wanted or not value.startswith(wanted) or rest[:1] not in {":", "/"}:
        return ""
    # Not `*` at once: 'repo:org/app*' would let 'repo:org/app-of-others' in.
    return f"it is the beginning only; StringLike with '{plain(wanted)}{rest[0]}*' would match"


def _github_form(_operator: _Operator, value: str, wanted: str) -> str:
    found, asked = _GITHUB_SUBJECT.match(value), _GITHUB_SUBJECT.match(wanted)
    if not found or not asked or found[2] == asked[2]:
        return ""
    return _GITHUB_FORMS[found[2]]


def _prefix(_operator: _Operator, value: str, wanted: str) -> str:
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(value, wanted, strict=False))
    head = "".join(char for char, _ in pairs)
    return f"they part after '{plain(head)}'" if len(head) >= _TELLING_PREFIX else ""
