"""Web identity tokens for `fake_sts`: what of their claims it believes, in AWS's words.

Signatures are not checked: who can write a token can write a signature too, in a test. All else is
as at AWS: the issuer must be an identity provider of the role's account, the audience registered
there, the token not expired, and the role's trust policy must allow its claims.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.fake_sts_rules import check_max_duration, check_shape
from tests.fake_sts_tables import Provider, Refusal, Role, Token
from tests.fake_sts_trust import WEB_IDENTITY, is_allowed

_DENIED = "Not authorized to perform sts:AssumeRoleWithWebIdentity"


def make_token(**claims: Any) -> str:
    """A JWT with `claims`; its signature is nobody's."""
    parts = ({"alg": "RS256", "kid": "fake", "typ": "JWT"}, claims)
    head, body = (_encode(json.dumps(part).encode()) for part in parts)
    return f"{head}.{body}.{_encode(b'signed by nobody, for a test')}"


def web_identity(
    params: Mapping[str, str],
    *,
    tokens: Mapping[str, Token],
    providers: Mapping[str, Provider],
    roles: Mapping[str, Role],
    now: datetime,
) -> str:
    """The subject of the token when it may have the role, or a Refusal."""
    check_shape(params)
    text = params.get("WebIdentityToken", "")
    role = roles.get(params["RoleArn"])
    if text in tokens:
        subject = _known(tokens[text], role)
    else:
        subject = _claimed(text, params["RoleArn"], role, providers, now)
    assert role is not None
    check_max_duration(role, int(params.get("DurationSeconds", 3600)))
    return subject


def _known(token: Token, role: Role | None) -> str:
    if token.expired:
        raise _expired(1700000600, 1700000000)
    if role is None or role.arn not in token.roles:
        raise Refusal(403, "AccessDenied", _DENIED)
    return token.subject


def _claimed(
    text: str, role_arn: str, role: Role | None, providers: Mapping[str, Provider], now: datetime
) -> str:
    claims = _claims(text)
    issuer = str(claims.get("iss", ""))
    _, partition, _, _, account, _ = role_arn.split(":", 5)
    host = issuer.removeprefix("https://").rstrip("/")
    provider = providers.get(f"arn:{partition}:iam::{account}:oidc-provider/{host}")
    if provider is None:
        raise Refusal(
            400,
            "InvalidIdentityToken",
            f"No OpenIDConnect provider found in your account for {issuer}",
        )
    expires = int(claims.get("exp", 0))
    if expires <= now.timestamp():
        raise _expired(int(now.timestamp()), expires)
    audiences = claims.get("aud", [])
    audiences = audiences if isinstance(audiences, list) else [audiences]
    if not set(audiences) & set(provider.audiences):
        raise Refusal(400, "InvalidIdentityToken", "Incorrect token audience")
    context = {
        f"{host}:{name}".lower(): [str(value)]
        for name, value in claims.items()
        if isinstance(value, str)
    }
    context[f"{host}:aud".lower()] = [str(value) for value in audiences]
    if role is None or not is_allowed(
        role.document, WEB_IDENTITY, {"Federated": {provider.arn}}, context
    ):
        raise Refusal(403, "AccessDenied", _DENIED)
    return str(claims.get("sub", ""))


def _claims(text: str) -> Mapping[str, Any]:
    parts = text.split(".")
    try:
        if len(parts) != 3:
            raise ValueError
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    except ValueError:
        claims = None
    if not isinstance(claims, dict) or "iss" not in claims:
        raise Refusal(
            400,
            "InvalidIdentityToken",
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an "
            "Access Token)",
        )
    return claims


def _expired(now: int, expires: int) -> Refusal:
    return Refusal(
        400,
        "ExpiredTokenException",
        f"Token expired: current date/time {now} must be before the expiration date/time {expires}",
    )


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
