"""What AWS refuses of ``sts:AssumeRole``: pure rules, in AWS's words.

moto lets anybody assume any role, existing or not, for any time under any name. A sandbox that
says yes where AWS says no teaches wrong things, so these rules are asked before moto is.

Sources: the STS service model for the limits, IAM's policy evaluation logic for trust. Of a
statement's conditions only ``sts:ExternalId`` is evaluated, and a caller's own permission policies
are not, as moto does not evaluate them for other services either. What a session hands on to the
next one (transitive tags, source identity) is not known, for moto forgets it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from calamari_py.identity import (
    MAX_CHAINED_DURATION,
    MAX_DURATION,
    MIN_DURATION,
    SESSION_NAME_LIMIT,
    RoleArn,
)

ASSUME_ROLE = "sts:AssumeRole"
TAG_SESSION = "sts:TagSession"
SET_SOURCE_IDENTITY = "sts:SetSourceIdentity"
TAG_LIMIT = 50
_TAG_KEY = re.compile(r"Tags\.member\.\d+\.Key")
_SESSION_NAME = re.compile(r"[\w+=,.@-]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An STS error: AWS's code, AWS's text, the HTTP status."""

    code: str
    message: str
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who signed a request. `role_arn` is the role of a session, None for a user."""

    arn: str
    account: str
    role_arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What the answer depends on of an existing role; `longest` in seconds."""

    trust_policy: str
    longest: int


UNSIGNED = Refusal(
    code="MissingAuthenticationToken",
    message="Request is missing Authentication Token",
    status=403,
)
UNKNOWN_TOKEN = Refusal(
    code="InvalidClientTokenId",
    message="The security token included in the request is invalid.",
    status=403,
)


def input_refusal(form: Mapping[str, str]) -> Refusal | None:
    """What is wrong with the request's own values, whoever asks."""
    return (
        _role_arn_refusal(form.get("RoleArn", ""))
        or _session_name_refusal(form.get("RoleSessionName", ""))
        or _duration_refusal(form.get("DurationSeconds", str(MIN_DURATION)))
        or _policy_refusal(form.get("Policy"))
        or _tag_refusal(form)
    )


def _role_arn_refusal(arn: str) -> Refusal | None:
    try:
        RoleArn.parse(arn)
    except ValueError:
        return _invalid(f"{arn} is invalid")
    return None


def _session_name_refusal(name: str) -> Refusal | None:
    if len(name) < 2:
        return _constraint(name, "roleSessionName", "have length greater than or equal to 2")
    if len(name) > SESSION_NAME_LIMIT:
        return _constraint(name, "roleSessionName", "have length less than or equal to 64")
    if not _SESSION_NAME.fullmatch(name):
        rule = f"satisfy regular expression pattern: {_SESSION_NAME.pattern}"
        return _constraint(name, "roleSessionName", rule)
    return None


def _duration_refusal(duration: str) -> Refusal | None:
    if not re.fullmatch(r"\d{1,9}", duration, re.ASCII) or int(duration) < MIN_DURATION:
        return _constraint(
            duration, "durationSeconds", f"have value greater than or equal to {MIN_DURATION}"
        )
    if int(duration) > MAX_DURATION:
        return _constraint(
            duration, "durationSeconds", f"have value less than or equal to {MAX_DURATION}"
        )
    return None


def _policy_refusal(policy: str | None) -> Refusal | None:
    try:
        is_document = policy is None or isinstance(json.loads(policy), dict)
    except ValueError:
        is_document = False
    if is_document:
        return None
    return Refusal(code="MalformedPolicyDocument", message="Syntax errors in policy.", status=400)


def _tag_refusal(form: Mapping[str, str]) -> Refusal | None:
    keys = [value.lower() for name, value in form.items() if _TAG_KEY.fullmatch(name)]
    if len(keys) > TAG_LIMIT:
        return _constraint(str(len(keys)), "tags", f"have length less than or equal to {TAG_LIMIT}")
    if len(set(keys)) != len(keys):
        text = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        return Refusal(code="InvalidParameterValue", message=text, status=400)
    return None


def _asked_actions(form: Mapping[str, str]) -> list[str]:
    """What the role's trust policy has to allow for the request."""
    actions = [ASSUME_ROLE]
    if any(_TAG_KEY.fullmatch(name) for name in form):
        actions.append(TAG_SESSION)
    if "SourceIdentity" in form:
        actions.append(SET_SOURCE_IDENTITY)
    return actions


def access_refusal(form: Mapping[str, str], caller: Caller, role: Role | None) -> Refusal | None:
    """Why `caller` may not have what the valid request asks for. `role` None: it does not exist."""
    external_id = form.get("ExternalId")
    for action in _asked_actions(form):
        if role is None or not trusts(role.trust_policy, caller, external_id, action):
            return Refusal(
                code="AccessDenied",
                message=f"User: {caller.arn} is not authorized to perform: {action} on resource: "
                + form["RoleArn"],
                status=403,
            )
    assert role is not None
    duration = int(form.get("DurationSeconds", "0"))
    if caller.role_arn is not None and duration > MAX_CHAINED_DURATION:
        return _invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining"
        )
    if duration > role.longest:
        return _invalid(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    return None


def trusts(
    trust_policy: str, caller: Caller, external_id: str | None, action: str = ASSUME_ROLE
) -> bool:
    """Whether the policy document allows `caller` the `action`; a Deny that matches wins."""
    effects = {
        statement.get("Effect")
        for statement in _listed(json.loads(trust_policy).get("Statement"))
        if _concerns(statement, caller, external_id, action)
    }
    return effects == {"Allow"}


def _concerns(
    statement: Mapping[str, Any], caller: Caller, external_id: str | None, action: str
) -> bool:
    actions = _listed(statement.get("Action"))
    if not any(fnmatchcase(action.lower(), name.lower()) for name in actions):
        return False
    principal = statement.get("Principal", {})
    named = ["*"] if principal == "*" else _listed(principal.get("AWS"))
    is_named = {
        "*",
        caller.arn,
        caller.role_arn,
        caller.account,
        f"arn:{caller.arn.split(':')[1]}:iam::{caller.account}:root",
    }
    if not is_named.intersection(named):
        return False
    wanted = statement.get("Condition", {}).get("StringEquals", {}).get("sts:ExternalId")
    return wanted is None or external_id in _listed(wanted)


def _listed(value: Any) -> list[Any]:
    """A policy element, which may be written alone or as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _constraint(value: str, field: str, rule: str) -> Refusal:
    return _invalid(
        f"1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: "
        f"Member must {rule}"
    )


def _invalid(message: str) -> Refusal:
    return Refusal(code="ValidationError", message=message, status=400)
