"""What STS is asked for a role, and what to ask instead when only something optional was refused.

Pure: no call is made here.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from calamari_py.errors import CloudError
from calamari_py.identity import (
    MAX_CHAINED_DURATION,
    RoleRequest,
    clamp_chained,
    duration_text,
)

TAG_LIMIT = 50


def role_params(request: RoleRequest) -> dict[str, Any]:
    """`request` in STS's own names; what is not set is left out."""
    tags = {**request.tags, **sent_default_tags(request)}
    params: dict[str, Any] = {
        "RoleArn": str(request.role),
        "RoleSessionName": request.session_name,
        "DurationSeconds": request.duration,
        "ExternalId": request.external_id,
        "Policy": request.policy,
        "PolicyArns": [{"arn": arn} for arn in request.policy_arns],
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "TransitiveTagKeys": list(request.transitive_tags),
        "SourceIdentity": request.source_identity,
    }
    return {name: value for name, value in params.items() if value is not None and value != []}


def sent_default_tags(request: RoleRequest) -> Mapping[str, str]:
    """Those of calamari's own tags that go along: the step's own of the same key win (STS does not
    tell case apart), and there are 50 at most in all.
    """
    own = {key.lower() for key in request.tags}
    left = {key: value for key, value in request.default_tags.items() if key.lower() not in own}
    return dict(list(left.items())[: max(0, TAG_LIMIT - len(own))])


def parse_policy(text: str) -> Mapping[str, Any] | None:
    """A policy document as IAM gives it, percent-encoded JSON; None when it is none."""
    try:
        document = json.loads(unquote(text))
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def easier_request(request: RoleRequest, error: CloudError) -> tuple[RoleRequest, str] | None:
    """What to ask instead of `request`, and the warning that says so; None: `error` is final.

    Each thing is given up once: what is asked instead has no more of it to give up.
    """
    return _shorten(request, error) or _drop_default_tags(request, error)


def _shorten(request: RoleRequest, error: CloudError) -> tuple[RoleRequest, str] | None:
    if error.code != "ValidationError" or request.duration <= MAX_CHAINED_DURATION:
        return None
    if "role chaining" in error.message:
        shorter, warning = clamp_chained(request, chained=True)
        return (shorter, warning) if warning else None
    if "MaxSessionDuration" not in error.message:
        return None
    return dataclasses.replace(request, duration=MAX_CHAINED_DURATION), (
        f"role '{request.role}' does not allow sessions of {duration_text(request.duration)} "
        "(MaxSessionDuration); it is assumed for 1h"
    )


def _drop_default_tags(request: RoleRequest, error: CloudError) -> tuple[RoleRequest, str] | None:
    sent = sent_default_tags(request)
    if not sent:
        return None
    if error.code.startswith("PackedPolicyTooLarge"):
        why = "session policy and tags are too large together (PackedPolicyTooLarge)"
        cure = "shorten the session policy or pass fewer tags to keep them"
    elif error.code == "AccessDenied" and "sts:TagSession" in error.message:
        if request.tags:
            return None
        why = "its trust policy, or the caller's own policy, does not allow sts:TagSession"
        cure = "allow sts:TagSession to keep them"
    elif error.code == "InvalidParameterValue" and "transitive tag" in error.message:
        why = "the calling session has transitive tags of the same keys"
        cure = "pass other tags on to keep them"
    else:
        return None
    names = ", ".join(f"'{key}'" for key in sent)
    return dataclasses.replace(request, default_tags={}), (
        f"role '{request.role}' is assumed without the default tags {names}: {why}; {cure}, or set "
        "'default_tags: false' on the hop"
    )
