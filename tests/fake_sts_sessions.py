"""What a session of `fake_sts` carries: tags, source identity, session policy; AWS's words."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fake_sts_tables import Keys, Refusal, invalid

_POLICY_CHARACTERS = re.compile(r"[\t\n\r -ÿ]+")


@dataclass(frozen=True, kw_only=True)
class SessionFacts:
    """What a session has beyond its role. `packed` is the share of AWS's space, in per cent."""

    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: frozenset[str] = frozenset()
    source_identity: str | None = None
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()
    packed: int = 0


def session_facts(params: Mapping[str, str], caller: Keys | None, space: int) -> SessionFacts:
    """What the session asked for would carry, or the Refusal of what it may not.

    `space` is how many bytes policy, policy ARNs and tags may take together.
    """
    tags = _tags(params)
    transitive = _transitive(params, tags)
    if caller is not None:
        inherited = {key: caller.tags[key] for key in caller.transitive}
        _check_inheritance(tags, inherited)
        tags, transitive = {**inherited, **tags}, transitive | caller.transitive
    policy, policy_arns = _policies(params)
    return SessionFacts(
        tags=tags,
        transitive=transitive,
        source_identity=_source_identity(params, caller),
        policy=policy,
        policy_arns=policy_arns,
        packed=_packed(tags, policy, policy_arns, space),
    )


def _tags(params: Mapping[str, str]) -> dict[str, str]:
    keys = _members(params, "Tags", ".Key")
    values = _members(params, "Tags", ".Value")
    if len(keys) > 50:
        raise invalid(keys, "tags", "Member must have length less than or equal to 50")
    if len(keys) != len(values):
        raise Refusal(400, "ValidationError", "A tag needs a key and a value.")
    for key in keys:
        _check_text(key, "tags.key", 1, 128)
        if key.lower().startswith("aws:"):
            raise Refusal(
                400, "InvalidParameterValue", "System tags cannot be added/updated by requester"
            )
    for value in values:
        _check_text(value, "tags.value", 0, 256)
    if len({key.lower() for key in keys}) != len(keys):
        raise Refusal(
            400,
            "InvalidParameterValue",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        )
    return dict(zip(keys, values, strict=True))


def _check_text(text: str, place: str, shortest: int, longest: int) -> None:
    if len(text) < shortest:
        raise invalid(text, place, f"Member must have length greater than or equal to {shortest}")
    if len(text) > longest:
        raise invalid(text, place, f"Member must have length less than or equal to {longest}")
    if not all(char in "_.:/=+-@" or unicodedata.category(char)[0] in "LZN" for char in text):
        pattern = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*"
        raise invalid(text, place, f"Member must satisfy regular expression pattern: {pattern}")


def _transitive(params: Mapping[str, str], tags: Mapping[str, str]) -> frozenset[str]:
    known = {key.lower(): key for key in tags}
    asked = _members(params, "TransitiveTagKeys", "")
    if any(key.lower() not in known for key in asked):
        raise Refusal(
            400,
            "ValidationError",
            "The specified transitive tag key must be included in the requested tags.",
        )
    return frozenset(known[key.lower()] for key in asked)


def _check_inheritance(tags: Mapping[str, str], inherited: Mapping[str, str]) -> None:
    if {key.lower() for key in tags} & {key.lower() for key in inherited}:
        raise Refusal(
            400,
            "InvalidParameterValue",
            "One of the specified transitive tag keys can't be set because it conflicts with a "
            "transitive tag key from the calling session.",
        )


def _source_identity(params: Mapping[str, str], caller: Keys | None) -> str | None:
    asked = params.get("SourceIdentity")
    if asked is not None and not re.fullmatch(r"[\w+=,.@-]{2,64}", asked, re.ASCII):
        raise invalid(
            asked,
            "sourceIdentity",
            r"Member must satisfy regular expression pattern: [\w+=,.@-]*",
        )
    already = caller.source_identity if caller is not None else None
    if asked is not None and already is not None and asked != already:
        raise Refusal(
            400,
            "ValidationError",
            "The source identity is already set for this assume role session",
        )
    return asked or already


def _policies(params: Mapping[str, str]) -> tuple[str | None, tuple[str, ...]]:
    policy = params.get("Policy")
    arns = _members(params, "PolicyArns", ".arn")
    if len(arns) > 10:
        raise invalid(arns, "policyArns", "Member must have length less than or equal to 10")
    for arn in arns:
        if not re.fullmatch(r"arn:[a-z-]+:iam::(aws|\d{12}):policy/.+", arn):
            raise Refusal(400, "ValidationError", f"ARN {arn} is not valid.")
    if policy is not None:
        if len(policy) > 2048:
            raise invalid(policy, "policy", "Member must have length less than or equal to 2048")
        if not _POLICY_CHARACTERS.fullmatch(policy) or not _is_policy(policy):
            raise Refusal(400, "MalformedPolicyDocument", "Syntax errors in policy.")
    return policy, tuple(arns)


def _is_policy(text: str) -> bool:
    try:
        document = json.loads(text)
    except ValueError:
        return False
    if not isinstance(document, dict) or "Statement" not in document:
        return False
    statements: Any = document["Statement"]
    statements = statements if isinstance(statements, list) else [statements]
    return all(
        isinstance(statement, dict)
        and statement.get("Effect") in {"Allow", "Deny"}
        and ("Action" in statement or "NotAction" in statement)
        and ("Resource" in statement or "NotResource" in statement)
        and "Principal" not in statement
        for statement in statements
    )


def _packed(
    tags: Mapping[str, str], policy: str | None, policy_arns: Sequence[str], space: int
) -> int:
    texts = [*tags.keys(), *tags.values(), policy or "", *policy_arns]
    percent = -(-100 * sum(len(text.encode()) for text in texts) // space)
    if percent > 100:
        what = "session policy and tags" if policy else "session tags"
        raise Refusal(
            400,
            "PackedPolicyTooLarge",
            f"Packed size of {what} consumes {percent}% of allotted space.",
        )
    return percent


def _members(params: Mapping[str, str], name: str, part: str) -> list[str]:
    pattern = re.compile(rf"{name}\.member\.(\d+){re.escape(part)}")
    found = {int(match[1]): params[key] for key in params if (match := pattern.fullmatch(key))}
    return [found[number] for number in sorted(found)]
