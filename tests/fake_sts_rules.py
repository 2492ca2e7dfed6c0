"""What `fake_sts` grants and what it refuses, in AWS's own words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_SESSION_NAME = re.compile(r"[\w+=,.@-]*", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:\/-]*", re.ASCII)


class Refusal(Exception):
    """An AWS error: HTTP status, code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, kw_only=True)
class Keys:
    """A key set that the server knows and whose it is. `role_arn` only for a role session."""

    access_key_id: str
    secret_access_key: str
    arn: str
    session_token: str | None = None
    role_arn: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Role:
    """A role and its trust policy."""

    arn: str
    trust: tuple[str, ...] = ()
    external_id: str | None = None
    max_session_duration: int = 3600


@dataclass(frozen=True, kw_only=True)
class Token:
    """A web identity token: the roles that trust it and whose it is."""

    roles: tuple[str, ...]
    subject: str
    expired: bool = False


@dataclass(frozen=True, kw_only=True)
class Log:
    """One request as it came in. `params` are the raw Query fields or the JSON document."""

    action: str
    params: dict[str, Any]
    access_key_id: str | None
    host: str
    headers: dict[str, str]


def assume_role(caller: Keys, roles: Mapping[str, Role], params: Mapping[str, str]) -> Role:
    """The role that `caller` may assume as asked, or a Refusal."""
    _check_shape(params)
    _check_tags(params)
    arn = params["RoleArn"]
    role = roles.get(arn)
    external_id = params.get("ExternalId")
    if (
        role is None
        or not any(_names(principal, caller) for principal in role.trust)
        or (role.external_id is not None and external_id != role.external_id)
    ):
        raise Refusal(
            403,
            "AccessDenied",
            f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}",
        )
    duration = int(params.get("DurationSeconds", 3600))
    if caller.role_arn is not None and duration > 3600:
        raise Refusal(
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining",
        )
    _check_max_duration(role, duration)
    return role


def web_identity(
    tokens: Mapping[str, Token], roles: Mapping[str, Role], params: Mapping[str, str]
) -> Token:
    """The token's entry when it may have the role, or a Refusal."""
    _check_shape(params)
    token = tokens.get(params.get("WebIdentityToken", ""))
    if token is None:
        raise Refusal(
            400,
            "InvalidIdentityToken",
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an "
            "Access Token)",
        )
    if token.expired:
        raise Refusal(
            400,
            "ExpiredTokenException",
            "Token expired: current date/time 1700000600 must be before the expiration date/time "
            "1700000000",
        )
    role = roles.get(params["RoleArn"])
    if role is None or role.arn not in token.roles:
        raise Refusal(
            403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"
        )
    _check_max_duration(role, int(params.get("DurationSeconds", 3600)))
    return token


def _names(principal: str, caller: Keys) -> bool:
    account = caller.arn.split(":")[4]
    partition = caller.arn.split(":")[1]
    return principal in {
        "*",
        account,
        f"arn:{partition}:iam::{account}:root",
        caller.arn,
        caller.role_arn,
    }


def _check_max_duration(role: Role, duration: int) -> None:
    if duration > role.max_session_duration:
        raise Refusal(
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )


def _check_shape(params: Mapping[str, str]) -> None:
    name = params.get("RoleSessionName", "")
    if not _SESSION_NAME.fullmatch(name):
        raise _invalid(
            name,
            "roleSessionName",
            r"Member must satisfy regular expression pattern: [\w+=,.@-]*",
        )
    if len(name) < 2:
        raise _invalid(
            name, "roleSessionName", "Member must have length greater than or equal to 2"
        )
    if len(name) > 64:
        raise _invalid(name, "roleSessionName", "Member must have length less than or equal to 64")
    arn = params.get("RoleArn", "")
    if not re.fullmatch(r"arn:[a-z-]+:iam::\d{12}:role/.+", arn):
        raise Refusal(400, "ValidationError", f"{arn} is invalid")
    duration = int(params.get("DurationSeconds", 3600))
    if duration < 900:
        raise _invalid(
            duration, "durationSeconds", "Member must have value greater than or equal to 900"
        )
    if duration > 43200:
        raise _invalid(
            duration, "durationSeconds", "Member must have value less than or equal to 43200"
        )
    external_id = params.get("ExternalId", "ok")
    if not _EXTERNAL_ID.fullmatch(external_id) or not 2 <= len(external_id) <= 1224:
        raise _invalid(
            external_id,
            "externalId",
            r"Member must satisfy regular expression pattern: [\w+=,.@:\/-]*",
        )
    if "Policy" in params:
        try:
            json.loads(params["Policy"])
        except ValueError:
            raise Refusal(400, "MalformedPolicyDocument", "Syntax errors in policy.") from None


def _invalid(value: object, field: str, constraint: str) -> Refusal:
    return Refusal(
        400,
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: "
        f"{constraint}",
    )


def _check_tags(params: Mapping[str, str]) -> None:
    keys = [
        value for name, value in params.items() if re.fullmatch(r"Tags\.member\.\d+\.Key", name)
    ]
    if len({key.lower() for key in keys}) != len(keys):
        raise Refusal(
            400,
            "InvalidParameterValue",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        )
    for name, value in params.items():
        if name.startswith("TransitiveTagKeys.member.") and value not in keys:
            raise Refusal(
                400,
                "ValidationError",
                "The specified transitive tag key must be included in the requested tags.",
            )
