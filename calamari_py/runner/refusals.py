"""Why STS refused a hop, and what the person at the keyboard can do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from calamari_py.aws import AwsPort
from calamari_py.credentials.base import Diagnose
from calamari_py.errors import CloudError, RoleNotAssumable, TraceRow
from calamari_py.identity import (
    AssumedRole,
    AwsCredentials,
    LauncherCredentials,
    Principal,
    RoleRequest,
)

_TAGGING = "sts:TagSession"
_SOURCE_IDENTITY = "sts:SetSourceIdentity"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedHop:
    """The hop that was refused. `caller` is the ARN of who asked, None where it is not known;
    `before` are the hops that had been made."""

    request: RoleRequest
    credentials: AwsCredentials
    caller: str | None
    launcher: LauncherCredentials
    before: tuple[AssumedRole, ...]


def refused_hop(
    error: CloudError,
    hop: RefusedHop,
    aws: AwsPort,
    *,
    trace: tuple[TraceRow, ...],
    diagnose: Diagnose | None,
) -> RoleNotAssumable:
    """The error for a hop that AWS answered with `error`: who asked for what, and what to look at.

    Where the role lies in the caller's own account its trust policy is read, when that is allowed,
    else `diagnose` is asked; with None nobody looks any further.
    """
    who = hop.caller or ask_who(hop.credentials, aws)
    evidence = [error.message, *error.evidence]
    if error.code == "AccessDenied" and diagnose is not None:
        evidence += _trust(hop, who, aws, diagnose)
    ids = (*(assumed.request_id for assumed in hop.before), error.request_id)
    return RoleNotAssumable(
        f"cannot assume role '{hop.request.role}' as '{who}' ({error.code})",
        role_arn=str(hop.request.role),
        reached=[assumed.principal.arn for assumed in hop.before],
        request_ids=[one for one in ids if one],
        hint=_hint(error, hop),
        trace=trace,
        evidence=tuple(evidence),
    )


def ask_who(credentials: AwsCredentials, aws: AwsPort) -> str:
    """The ARN behind `credentials`, or their access key id when AWS does not say."""
    try:
        return aws.caller_identity(credentials).arn
    except CloudError:
        return f"access key {credentials.access_key_id}"


def _trust(hop: RefusedHop, who: str, aws: AwsPort, diagnose: Diagnose) -> tuple[str, ...]:
    """What the role's real trust policy says of the caller; nothing when nobody may read it."""
    request = hop.request

    def explain(document: Mapping[str, Any]) -> tuple[str, ...]:
        # Imported here: only a refusal needs it.
        from calamari_py.trust import explain_assume_role

        return explain_assume_role(
            document,
            role=request.role,
            caller_arn=who,
            external_id=request.external_id,
            tags=bool(request.tags or hop.launcher.has_session_tags),
            source_identity=request.source_identity is not None,
        )

    try:
        # iam:GetRole sees the roles of its own account only.
        if Principal.parse(who).account == request.role.account:
            differences = explain(aws.trust_policy(hop.credentials, request.role))
            return (f"trust policy of '{request.role}':", *differences)
    except (ValueError, CloudError):
        pass
    return diagnose(aws, request.role, explain)


def _hint(error: CloudError, hop: RefusedHop) -> str | None:
    """What to look at, in the words of the two roles; else what the call's own error says."""
    tagged = _TAGGING in error.message or error.code.startswith("PackedPolicyTooLarge")
    if tagged and hop.launcher.has_session_tags:
        return _pod_identity_hint(hop)
    if error.code != "AccessDenied":
        return error.hint
    if _TAGGING in error.message:
        return (
            f"the trust policy of '{hop.request.role.name}' must allow {_TAGGING} beside "
            "sts:AssumeRole, or leave out assume_role.tags"
        )
    if _SOURCE_IDENTITY in error.message:
        return (
            f"the trust policy of '{hop.request.role.name}' must allow {_SOURCE_IDENTITY} beside "
            "sts:AssumeRole, or leave out assume_role.source_identity"
        )
    caller = "previous role" if hop.before else "launcher"
    external = (
        "it may also ask for an external id (external_id) or for tags"
        if hop.request.external_id is None
        else "its condition on sts:ExternalId may not match external_id"
    )
    return (
        f"either the {caller} lacks sts:AssumeRole on this ARN, or the role's trust policy does "
        f"not name the {caller};\n{external}. With a profile that may read the role compare them:\n"
        "calamari whoami MANIFEST --trust-profile PROFILE"
    )


def _pod_identity_hint(hop: RefusedHop) -> str:
    """EKS Pod Identity tags its sessions, transitively: every role after them has to allow it."""
    return (
        "the launcher's session carries the tags of EKS Pod Identity, which go on to every role; "
        f'let the trust policy of \'{hop.request.role.name}\' say "Action": ["sts:AssumeRole", '
        f'"{_TAGGING}"], or switch the tags off:\n'
        "aws eks update-pod-identity-association --disable-session-tags …"
    )
