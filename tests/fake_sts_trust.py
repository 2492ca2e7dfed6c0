"""Trust policies for `fake_sts`: documents as IAM stores them, and who they let in.

Enough of IAM's language for the trust that roles have in practice: Allow and Deny, principals of
accounts, users, roles, sessions and identity providers, string conditions. A condition or an
element that is not known raises, so that no test passes because something was overlooked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

ASSUME_ROLE = "sts:AssumeRole"
TAG_SESSION = "sts:TagSession"
SET_SOURCE_IDENTITY = "sts:SetSourceIdentity"
WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"

Document = Mapping[str, Any]
Context = Mapping[str, Sequence[str]]
"""Condition keys in lower case, with the values that the request has for them."""

_ELEMENTS = {"Sid", "Effect", "Principal", "Action", "Condition"}
_OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?(String\w+?)(IfExists)?")


def trust_document(
    trust: Iterable[str], *, actions: Iterable[str] = (), external_id: str | None = None
) -> Document:
    """The policy that trusts the principals `trust`, with what `actions` adds to AssumeRole."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": list(trust)},
        "Action": [ASSUME_ROLE, *actions],
    }
    if external_id is not None:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return {"Version": "2012-10-17", "Statement": [statement]}


def federated_document(
    provider: str, conditions: Mapping[str, Mapping[str, Any]], *, actions: Iterable[str] = ()
) -> Document:
    """The policy that trusts tokens of the identity provider with the ARN `provider`."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": provider},
                "Action": [WEB_IDENTITY, *actions],
                "Condition": dict(conditions),
            }
        ],
    }


def is_allowed(
    document: Document, action: str, principals: Mapping[str, set[str]], context: Context
) -> bool:
    """Whether the document lets one who is all of `principals` (``{"AWS": {…}}``) do `action`."""
    effects = {
        statement["Effect"]
        for statement in _listed(document["Statement"])
        if _concerns(statement, action, principals, context)
    }
    return effects == {"Allow"}


def _concerns(
    statement: Document, action: str, principals: Mapping[str, set[str]], context: Context
) -> bool:
    if unknown := set(statement) - _ELEMENTS:
        raise NotImplementedError(f"policy elements {sorted(unknown)}")
    actions = [str(name).lower() for name in _listed(statement["Action"])]
    if not any(fnmatchcase(action.lower(), name) for name in actions):
        return False
    principal = statement["Principal"]
    named = {"AWS": ["*"]} if principal == "*" else principal
    if not any(
        principals.get(kind, set()) & set(_listed(names))
        or (kind == "AWS" and kind in principals and "*" in _listed(names))
        for kind, names in named.items()
    ):
        return False
    return all(
        _holds(operator, key, _listed(wanted), context)
        for operator, pairs in statement.get("Condition", {}).items()
        for key, wanted in pairs.items()
    )


def _holds(operator: str, key: str, wanted: Sequence[str], context: Context) -> bool:
    match = _OPERATOR.fullmatch(operator)
    if match is None:
        raise NotImplementedError(f"condition operator {operator}")
    quantifier, name, if_exists = match.groups()
    found = context.get(key.lower())
    if found is None:
        return bool(if_exists) or quantifier == "ForAllValues" or "Not" in name
    if quantifier == "ForAllValues":
        return all(_compares(name, value, wanted) for value in found)
    return any(_compares(name, value, wanted) for value in found)


def _compares(name: str, value: str, wanted: Sequence[str]) -> bool:
    match name:
        case "StringEquals":
            return value in wanted
        case "StringNotEquals":
            return value not in wanted
        case "StringEqualsIgnoreCase":
            return value.lower() in {text.lower() for text in wanted}
        case "StringLike":
            return any(fnmatchcase(value, text) for text in wanted)
        case "StringNotLike":
            return not any(fnmatchcase(value, text) for text in wanted)
    raise NotImplementedError(f"condition operator {name}")


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
