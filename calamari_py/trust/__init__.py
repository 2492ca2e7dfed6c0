"""Why a role's trust policy refuses: the difference between what it wants and who asked.

Pure: who calls has the policy (``iam:GetRole``) and the claims or the caller's ARN. Both are texts
of others; what becomes of them is bounded and printable. Nothing here decides anything: STS does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from calamari_py.identity import Principal, RoleArn
from calamari_py.trust.conditions import (
    Facts,
    Found,
    Verdict,
    judge_condition,
    listed,
    plain,
    texts,
)
from calamari_py.trust.patterns import is_like
from calamari_py.trust.principals import judge_caller, judge_provider

__all__ = [
    "allowing_condition",
    "explain_assume_role",
    "explain_web_identity",
    "trust_statement_for",
]

LINE_LIMIT = 40
"""Lines of one explanation."""
_ASSUME = "sts:AssumeRole"
_ASSUME_WITH_TOKEN = "sts:AssumeRoleWithWebIdentity"  # noqa: S105 - an action
_TAG = "sts:TagSession"
_SOURCE_IDENTITY = "sts:SetSourceIdentity"
_TAGS_CLAIM = "https://aws.amazon.com/tags"
_SOURCE_CLAIM = "https://aws.amazon.com/source_identity"
_PASSED_ON = frozenset({"aud", "oaud", "sub", "amr", "email"})
"""Claims that STS makes condition keys of for every issuer."""
_CONDITION_LIMIT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """May whoever `facts` are about do `action`, and the `further` actions, each with its reason?

    `principal` judges the principal of a statement; `otherwise` is said when the policy allows it.
    """

    action: str
    further: tuple[tuple[str, str], ...]
    principal: Callable[[Mapping[str, object]], Verdict]
    facts: Facts
    otherwise: str


def explain_web_identity(
    document: Mapping[str, Any], *, role: RoleArn, claims: Mapping[str, Any]
) -> tuple[str, ...]:
    """Why the trust policy `document` of `role` does not let a token with `claims` in: one line a
    reason, statement by statement; what could not be judged is said."""
    issuer = _issuer(claims)
    if not issuer:
        return ("the token has no issuer that could be compared with the trust policy",)
    further = [(_TAG, "the token carries session tags")] if _TAGS_CLAIM in claims else []
    if _SOURCE_CLAIM in claims:
        further.append((_SOURCE_IDENTITY, "the token carries a source identity"))
    question = _Question(
        action=_ASSUME_WITH_TOKEN,
        further=tuple(further),
        principal=lambda statement: judge_provider(statement, issuer=issuer, role=role),
        facts=Facts(owner="the token", lookup=lambda key: _claim_behind(key, issuer, claims)),
        otherwise="the trust policy allows this token: it may have been changed a moment ago, or a "
        "policy of the organization denies it",
    )
    return _explain(document, question)


def explain_assume_role(
    document: Mapping[str, Any],
    *,
    role: RoleArn,
    caller_arn: str,
    external_id: str | None,
    tags: bool,
    source_identity: bool,
) -> tuple[str, ...]:
    """The same for `caller_arn` that assumes `role` with these parameters. `tags` says that the
    session has any, its own or ones that came down the chain; so does `source_identity`."""
    further = [(_TAG, "the session carries tags")] if tags else []
    if source_identity:
        further.append((_SOURCE_IDENTITY, "the session carries a source identity"))

    def lookup(key: str) -> Found:
        match key.lower():
            case "sts:externalid":
                given = (external_id,) if external_id is not None else ()
                return Found(given, private=True, note=", and no external_id is given")
            case "sts:sourceidentity" if not source_identity:
                return Found(note=": set source_identity")
            case "aws:principalaccount":
                return _account_of(caller_arn)
            case name if name.startswith("aws:requesttag/") and not tags:
                return Found(note=": set it under tags")
            case _:
                return Found(judged=False)

    question = _Question(
        action=_ASSUME,
        further=tuple(further),
        principal=lambda statement: judge_caller(statement, caller_arn=caller_arn),
        facts=Facts(owner="the caller", lookup=lookup),
        otherwise="the trust policy allows this caller: its own policy must allow "
        f"{_ASSUME} on '{role}', and no permissions boundary, session policy or policy of the "
        "organization may deny it",
    )
    return _explain(document, question)


def allowing_condition(claims: Mapping[str, Any]) -> str:
    """The ``Condition`` of a trust policy, as JSON lines, that lets in tokens with the `aud` and
    `sub` of `claims`; "" for claims without issuer or subject (it would let in everybody's), and
    for ones too long to be shown whole."""
    issuer = _issuer(claims)
    wanted = {f"{issuer}:{name}": values[0] if len(values) == 1 else list(values)
              for name in ("aud", "sub")
              if (values := _claim_behind(f"{issuer}:{name}", issuer, claims).values)}  # fmt: skip
    text = f'"Condition": {json.dumps({"StringEquals": wanted}, indent=2)}'
    return text if issuer and f"{issuer}:sub" in wanted and len(text) <= _CONDITION_LIMIT else ""


def trust_statement_for(
    caller_arn: str,
    *,
    external_id: str | None = None,
    tags: bool = False,
    source_identity: bool = False,
) -> str:
    """A trust policy's statement, as JSON lines, that lets `caller_arn` in.

    The ARN of a session does not tell the path of its role: who has one adds it. ValueError for
    what is no ARN.
    """
    caller = Principal.parse(caller_arn)
    arn = caller.arn
    if caller.role is not None:
        arn = f"arn:{caller.partition}:iam::{caller.account}:role/{caller.role}"
    actions = [_ASSUME, *([_TAG] if tags else []), *([_SOURCE_IDENTITY] if source_identity else [])]
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": actions}
    if external_id is not None:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return json.dumps(statement, indent=2)


def _issuer(claims: Mapping[str, Any]) -> str:
    issuer = claims.get("iss")
    return issuer.removeprefix("https://") if isinstance(issuer, str) else ""


def _claim_behind(key: str, issuer: str, claims: Mapping[str, Any]) -> Found:
    """What a token says of the condition key `key`."""
    prefix, _, claim = key.rpartition(":")
    if prefix.casefold() != issuer.casefold():
        if "." not in prefix:
            return Found(judged=False)
        note = f": it is a key of another issuer, this token's is '{plain(issuer)}:{plain(claim)}'"
        return Found(note=note)
    source = {"aud": "azp" if claims.get("azp") else "aud", "oaud": "aud"}.get(claim, claim)
    values = texts(claims.get(source, ()))
    if values and prefix != issuer:
        return Found(values, doubtful=True, note="the key is in another letter case")
    if values and claim not in _PASSED_ON:
        return Found(values, doubtful=True, note="STS may not pass this claim on")
    return Found(values)


def _account_of(arn: str) -> Found:
    try:
        return Found((Principal.parse(arn).account,))
    except ValueError:
        return Found(judged=False)


def _explain(document: Mapping[str, Any], question: _Question) -> tuple[str, ...]:
    statements = _statements(document)
    lines: list[str] = []
    allowed = objected = False
    for label, statement in statements:
        effect = statement.get("Effect")
        if effect == "Deny":
            denials = _denials(label, statement, question)
            objected = objected or bool(denials)
            lines += denials
            continue
        if effect != "Allow":
            lines.append(f"{label}: its Effect is '{plain(effect)}', not 'Allow'")
            continue
        verdict = _verdict(statement, question.action, question)
        if verdict.refusals:
            lines += [f"{label}: {reason}" for reason in verdict.refusals]
        elif verdict.unjudged:
            lines.append(f"{label} may match; not judged: {', '.join(verdict.unjudged)}")
        else:
            lines.append(f"{label} matches")
            allowed = True
    missing = _missing(statements, question)
    if not any(statement.get("Effect") == "Allow" for _, statement in statements):
        lines.append("the trust policy has no statement that allows anything")
    elif allowed and not missing and not objected:
        lines.append(question.otherwise)
    return _bounded([*lines, *missing])


def _statements(document: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The statements that can be read, each with what lines call it."""
    found = document.get("Statement")
    every = found if isinstance(found, list) else [found]
    return [
        (f"statement {number}" + (f" '{plain(item['Sid'])}'" if item.get("Sid") else ""), item)
        for number, item in enumerate(every, start=1)
        if isinstance(item, Mapping)
    ]


def _verdict(statement: Mapping[str, Any], action: str, question: _Question) -> Verdict:
    """Whether `statement` is about `action` by who asked. Where it is about others, what it wants
    of them is nobody's business; a slip in the name hides nothing else."""
    principal = question.principal(statement)
    actions = [] if _names(statement, action) else [_actions_text(statement, action)]
    if principal.refusals and not principal.near:
        return Verdict(principal.refusals + actions)
    condition = judge_condition(statement.get("Condition"), question.facts)
    return Verdict(
        principal.refusals + actions + condition.refusals,
        principal.unjudged + condition.unjudged,
    )


def _names(statement: Mapping[str, Any], action: str) -> bool:
    key = "NotAction" if "NotAction" in statement else "Action"
    named = any(is_like(action.lower(), text.lower()) for text in texts(statement.get(key, ())))
    return named != (key == "NotAction")


def _actions_text(statement: Mapping[str, Any], action: str) -> str:
    if "NotAction" in statement:
        return f"its NotAction leaves out {action}"
    return f"its Action is {listed(texts(statement.get('Action', ())))}, not {action}"


def _denials(label: str, statement: Mapping[str, Any], question: _Question) -> list[str]:
    """What a Deny does to who asked; one that does not apply is not worth a line."""
    lines = []
    for action in (question.action, *(action for action, _ in question.further)):
        verdict = _verdict(statement, action, question)
        if not verdict.refusals and verdict.unjudged:
            lines.append(f"{label} may deny {action}; not judged: {', '.join(verdict.unjudged)}")
        elif not verdict.refusals:
            lines.append(f"{label} denies {action} to {question.facts.owner}")
    return lines


def _missing(statements: list[tuple[str, Mapping[str, Any]]], question: _Question) -> list[str]:
    """Actions that the session needs besides, and no statement about who asked allows."""
    own = [statement for _, statement in statements
           if statement.get("Effect") == "Allow"
           and not question.principal(statement).refusals]  # fmt: skip
    return [
        f"no statement allows {action}, and {why}: add it to the Action beside {question.action}"
        for action, why in question.further
        if own and not any(_names(statement, action) for statement in own)
    ]


def _bounded(lines: list[str]) -> tuple[str, ...]:
    if len(lines) <= LINE_LIMIT:
        return tuple(lines)
    return (*lines[:LINE_LIMIT], f"… and {len(lines) - LINE_LIMIT} lines more")
