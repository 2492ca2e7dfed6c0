"""Which role `fake_sts` gives to whom, and what it refuses, in AWS's own words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.fake_sts_sessions import SessionFacts, session_facts
from tests.fake_sts_tables import Keys, Log, Provider, Refusal, Role, Token, invalid
from tests.fake_sts_trust import ASSUME_ROLE, SET_SOURCE_IDENTITY, TAG_SESSION, is_allowed

__all__ = ["Keys", "Log", "Provider", "Refusal", "Role", "Token", "assume_role", "check_shape"]

_SESSION_NAME = re.compile(r"[\w+=,.@-]*", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:\/-]*", re.ASCII)


def assume_role(
    caller: Keys, roles: Mapping[str, Role], params: Mapping[str, str], space: int
) -> SessionFacts:
    """What the session that `caller` asks for will carry, or a Refusal."""
    check_shape(params)
    facts = session_facts(params, caller, space)
    role = roles.get(params["RoleArn"])
    wanted = [ASSUME_ROLE]
    # What a session inherits has to be allowed by the next role as well.
    wanted += [TAG_SESSION] if facts.tags else []
    wanted += [SET_SOURCE_IDENTITY] if facts.source_identity else []
    for action in wanted:
        if role is None or not _trusts(role, action, caller, params, facts):
            raise Refusal(
                403,
                "AccessDenied",
                f"User: {caller.arn} is not authorized to perform: {action} on resource: "
                + params["RoleArn"],
            )
    assert role is not None
    duration = int(params.get("DurationSeconds", 3600))
    if caller.role_arn is not None and duration > 3600:
        raise Refusal(
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining",
        )
    check_max_duration(role, duration)
    return facts


def _trusts(
    role: Role, action: str, caller: Keys, params: Mapping[str, str], facts: SessionFacts
) -> bool:
    principals = {
        caller.arn,
        caller.account,
        f"arn:{caller.partition}:iam::{caller.account}:root",
        *([caller.role_arn] if caller.role_arn else []),
    }
    context = {f"aws:requesttag/{key}".lower(): [value] for key, value in facts.tags.items()}
    context["aws:tagkeys"] = list(facts.tags)
    context["sts:transitivetagkeys"] = list(facts.transitive)
    context["aws:principalarn"] = [caller.role_arn or caller.arn]
    context["sts:rolesessionname"] = [params["RoleSessionName"]]
    if "ExternalId" in params:
        context["sts:externalid"] = [params["ExternalId"]]
    if facts.source_identity:
        context["sts:sourceidentity"] = [facts.source_identity]
    return is_allowed(role.document, action, {"AWS": principals}, context)


def check_max_duration(role: Role, duration: int) -> None:
    """Refuse a session that is longer than the role allows."""
    if duration > role.max_session_duration:
        raise Refusal(
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )


def check_shape(params: Mapping[str, str]) -> None:
    """Refuse what the service model does not allow, whoever asks."""
    name = params.get("RoleSessionName", "")
    if not _SESSION_NAME.fullmatch(name):
        raise invalid(
            name,
            "roleSessionName",
            r"Member must satisfy regular expression pattern: [\w+=,.@-]*",
        )
    if len(name) < 2:
        raise invalid(name, "roleSessionName", "Member must have length greater than or equal to 2")
    if len(name) > 64:
        raise invalid(name, "roleSessionName", "Member must have length less than or equal to 64")
    arn = params.get("RoleArn", "")
    if not re.fullmatch(r"arn:[a-z-]+:iam::\d{12}:role/.+", arn):
        raise Refusal(400, "ValidationError", f"{arn} is invalid")
    duration = int(params.get("DurationSeconds", 3600))
    if duration < 900:
        raise invalid(
            duration, "durationSeconds", "Member must have value greater than or equal to 900"
        )
    if duration > 43200:
        raise invalid(
            duration, "durationSeconds", "Member must have value less than or equal to 43200"
        )
    external_id = params.get("ExternalId", "ok")
    if not _EXTERNAL_ID.fullmatch(external_id) or not 2 <= len(external_id) <= 1224:
        raise invalid(
            external_id,
            "externalId",
            r"Member must satisfy regular expression pattern: [\w+=,.@:\/-]*",
        )
