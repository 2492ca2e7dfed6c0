"""Web identity tokens: reading them, exchanging them at STS, and saying why STS refused one."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from calamari_py.credentials.base import Found, SourceContext
from calamari_py.errors import CloudError, SourceBroken, Temporary
from calamari_py.identity import (
    DEFAULT_DURATION,
    MAX_DURATION,
    MIN_DURATION,
    LauncherCredentials,
    RoleArn,
)
from calamari_py.masking import Secret, SecretRegistry

MIN_TOKEN = 4
MAX_TOKEN = 20_000
"""What STS takes as WebIdentityToken, in characters."""
_READ_LIMIT = 4 * MAX_TOKEN
_VISIBLE = re.compile(r"[!-~]+")
_OF_THE_TOKEN = (
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IDPRejectedClaim",
    "InvalidIdentityToken",
)
"""What STS answers when token and role do not fit; other codes say themselves what is wrong."""
_OF_THE_POLICY = ("AccessDenied", "AccessDeniedException", "InvalidIdentityToken")
"""Those of them that the role's trust policy, or its account, may explain."""
_CLAIM_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A token and the role it is to become. `duration` is in seconds.

    `where` names the token's origin in messages; `description` is what people call the source.
    """

    token: Secret
    role_arn: str
    session_name: str
    where: str
    source: str
    description: str
    duration: int = DEFAULT_DURATION
    environment_names: frozenset[str] = frozenset()


def read_token_file(path: Path, registry: SecretRegistry, *, where: str) -> Secret:
    """The token in `path`, stripped and registered; SourceBroken when there is none."""
    return checked_token(read_text(path, where=where), registry, where=f"{where} '{path}'")


def read_text(path: Path, *, where: str) -> str:
    """The small file at `path`, stripped; SourceBroken when it cannot be read.

    A link is followed (the kubelet's are links); what is no regular file is refused, since
    reading a pipe may never end.
    """
    hint = "check the path, and that the user calamari runs as may read the file"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SourceBroken(f"{where} '{path}' is no regular file", hint=hint)
            content = file.read(_READ_LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "it is no path").lower()
        raise SourceBroken(f"{where} '{path}' cannot be read: {reason}", hint=hint) from None
    if len(content) > _READ_LIMIT:
        raise SourceBroken(f"{where} '{path}' is too large for a token", hint=hint)
    return content.decode("utf-8", "surrogateescape").strip()


def why_unreadable(path: Path) -> str:
    """What would keep `read_text` from reading `path`, which is not opened: ``does not exist``;
    "" for nothing."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return "does not exist"
    except OSError as error:
        return f"cannot be read: {(error.strerror or '').lower()}"
    if not stat.S_ISREG(mode):
        return "is no regular file"
    return "" if os.access(path, os.R_OK) else "cannot be read: permission denied"


def checked_token(text: str, registry: SecretRegistry, *, where: str) -> Secret:
    """`text` without surrounding white space, registered; SourceBroken when it is no token."""
    token = text.strip()
    if not token:
        raise SourceBroken(f"{where} is empty", hint="whatever writes the token wrote nothing")
    registry.add(token, name="launcher token")
    if not MIN_TOKEN <= len(token) <= MAX_TOKEN:
        raise SourceBroken(
            f"{where} has {len(token)} characters, STS takes {MIN_TOKEN} to {MAX_TOKEN}",
            hint="check that it is the token itself, and nothing else",
        )
    if not _VISIBLE.fullmatch(token):
        raise SourceBroken(
            f"{where} holds white space, a control character or a non-ASCII one",
            hint="it must be the bare token: one line without 'Bearer' and without quotes",
        )
    return Secret(token)


def exchange_token(context: SourceContext, exchange: Exchange) -> Found:
    """The role session that STS gives for the token; SourceBroken when it gives none.

    Temporary goes through: throttling and lost connections are worth another run.
    """
    try:
        role = RoleArn.parse(exchange.role_arn)
    except ValueError as error:
        raise SourceBroken(
            f"the role for {exchange.where} is wrong: {error}",
            hint="write the ARN of the role, arn:aws:iam::ACCOUNT:role/NAME",
        ) from None
    if not MIN_DURATION <= exchange.duration <= MAX_DURATION:
        raise SourceBroken(
            f"a session of {exchange.duration} s is outside of what STS gives",
            hint="set account.session_duration to 15m … 12h",
        )
    try:
        assumed = context.aws.assume_role_with_web_identity(
            token=exchange.token,
            role=role,
            session_name=exchange.session_name,
            duration=exchange.duration,
        )
    except Temporary:
        raise
    except CloudError as error:
        raise _refusal(error, exchange, role, context) from error
    return Found(
        launcher=LauncherCredentials(
            credentials=assumed.credentials,
            source=exchange.source,
            description=exchange.description,
            arn=assumed.principal.arn,
            environment_names=exchange.environment_names,
            token=exchange.token,
            request_id=assumed.request_id,
        ),
        why=f"role {role.name}",
        warnings=assumed.warnings,
    )


def _refusal(
    error: CloudError, exchange: Exchange, role: RoleArn, context: SourceContext
) -> SourceBroken:
    if error.code not in _OF_THE_TOKEN:
        return SourceBroken(error.message, hint=error.hint, evidence=error.evidence)
    claims = decode_claims(exchange.token)
    return SourceBroken(
        f"STS refused {exchange.where} for role '{role}' ({error.code})",
        hint=_refusal_hint(error.code, claims, role),
        evidence=(
            error.message,
            *error.evidence,
            *_claim_lines(claims, now=datetime.now(UTC)),
            *_second_look(error.code, claims, role, context),
        ),
    )


def _second_look(
    code: str, claims: Mapping[str, Any], role: RoleArn, context: SourceContext
) -> tuple[str, ...]:
    """What the role's real trust policy has against the token, where somebody may read it."""
    if context.diagnose is None or code not in _OF_THE_POLICY:
        return ()

    def explain(document: Mapping[str, Any]) -> tuple[str, ...]:
        from calamari_py.trust import explain_web_identity

        return explain_web_identity(document, role=role, claims=claims)

    return context.diagnose(context.aws, role, explain)


def decode_claims(token: Secret) -> Mapping[str, Any]:
    """The payload of a JWT, unverified; empty for anything else."""
    parts = token.reveal().split(".")
    if len(parts) != 3:
        return {}
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}


def _claim_lines(claims: Mapping[str, Any], *, now: datetime) -> tuple[str, ...]:
    """What STS looks at, one line a claim; never the token."""
    lines = [f"token {name}: {_claim(claims[name])}" for name in ("iss", "aud", "sub")
             if name in claims]  # fmt: skip
    for name in ("iat", "nbf", "exp"):
        moment = _moment(claims.get(name))
        if moment is None:
            continue
        minutes = round((moment - now).total_seconds() / 60)
        state = ""
        if name == "exp":
            state = f" ({minutes} min left)" if moment > now else f" (expired {-minutes} min ago)"
        elif moment > now:
            state = f" ({minutes} min from now: is a clock wrong?)"
        lines.append(f"token {name}: {moment:%Y-%m-%dT%H:%M:%SZ}{state}")
    return tuple(lines)


def _moment(value: object) -> datetime | None:
    """A claim's seconds as a time; None for what is none."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _claim(value: object) -> str:
    """A claim fit for one line of a log: a token's issuer may be anybody."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    text = "".join(char if char.isprintable() else "?" for char in str(value))
    return text if len(text) <= _CLAIM_LIMIT else f"{text[:_CLAIM_LIMIT]}…"


def _refusal_hint(code: str, claims: Mapping[str, Any], role: RoleArn) -> str:
    if code.startswith("ExpiredToken"):
        return "the token has run out: have it minted right before the step"
    if not claims:
        return (
            "the token is no JWT: check that it is an OIDC ID token itself (three parts with dots "
            "between them), not a name, a document around it or a token of another kind"
        )
    named = {name: _claim(claims[name]) for name in ("iss", "aud", "sub") if claims.get(name)}
    missing = [name for name in ("iss", "aud", "sub") if name not in named]
    if missing:
        return (
            f"the token has no {' and no '.join(missing)}, which trust policies go by: "
            "have an OIDC ID token minted"
        )
    issuer = named["iss"].removeprefix("https://")
    if code == "InvalidIdentityToken":
        return (
            f"account {role.account} needs an IAM OIDC provider for 'https://{issuer}' "
            f"whose audiences include '{named['aud']}'"
        )
    return (
        f"the trust policy of '{role.name}' must allow sts:AssumeRoleWithWebIdentity with "
        f'"StringEquals": {{"{issuer}:aud": "{named["aud"]}", "{issuer}:sub": "{named["sub"]}"}} '
        "(upper and lower case matter)"
    )
