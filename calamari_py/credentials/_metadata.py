"""What metadata endpoints answer: credential documents, and refusals worth showing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from calamari_py.credentials._http import Reply
from calamari_py.credentials._keys import build_credentials
from calamari_py.errors import SourceBroken
from calamari_py.identity import AwsCredentials, as_utc
from calamari_py.masking import SecretRegistry

_EXCERPT = 200
_WORD = re.compile(r"[\w.:-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The credentials an endpoint gave. `role_arn` is what it says of itself, unverified."""

    credentials: AwsCredentials
    role_arn: str | None
    warnings: tuple[str, ...]


def parse_document(reply: Reply, registry: SecretRegistry, *, who: str) -> Document:
    """The credentials in a 200 answer of `who`; SourceBroken for whatever is not complete."""
    try:
        fields = json.loads(reply.body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise SourceBroken(
            f"{who} answered something that is no credential document",
            hint="something else answers at this address; a captive portal, or another service?",
        )
    secret, token = _text(fields, "SecretAccessKey"), _text(fields, "Token")
    for value in filter(None, (secret, token)):
        registry.add(value, name="AWS key material of the launcher")
    code = _text(fields, "Code") or "Success"
    if code != "Success":
        raise SourceBroken(
            f"{who} has no credentials to give ({_word(code)})",
            hint="the role's trust policy does not let this service assume it, or the role is gone",
            evidence=_said(_text(fields, "Message"), registry),
        )
    missing = [f"'{name}'" for name in ("AccessKeyId", "SecretAccessKey", "Token")
               if not _text(fields, name)]  # fmt: skip
    if missing:
        raise SourceBroken(
            f"{who} answered without {' and '.join(missing)}",
            hint="the endpoint is not ready or is no AWS credential endpoint",
        )
    expires_at, warnings = _expiry(fields, who=who)
    credentials = build_credentials(
        registry,
        access_key_id=_text(fields, "AccessKeyId"),
        secret_access_key=secret,
        session_token=token,
        expires_at=expires_at,
        where=who,
    )
    return Document(
        credentials=credentials, role_arn=_text(fields, "RoleArn") or None, warnings=warnings
    )


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""


def _word(text: str) -> str:
    return text if _WORD.fullmatch(text) else "an unreadable code"


def _expiry(fields: Mapping[str, Any], *, who: str) -> tuple[datetime | None, tuple[str, ...]]:
    """The expiry in UTC. A past one is only warned of, and is then no end that is known: in an
    outage AWS extends old keys."""
    text = _text(fields, "Expiration")
    if not text:
        return None, ()
    try:
        expires_at = as_utc(datetime.fromisoformat(text))
    except ValueError:
        raise SourceBroken(
            f"{who} answered an 'Expiration' that is no time",
            hint="the endpoint is no AWS credential endpoint",
        ) from None
    if expires_at > datetime.now(UTC):
        return expires_at, ()
    warning = (
        f"{who} gave credentials that ran out at {expires_at:%Y-%m-%dT%H:%M:%SZ}; "
        "they are tried all the same"
    )
    return None, (warning,)


def excerpt(reply: Reply, registry: SecretRegistry) -> tuple[str, ...]:
    """The beginning of a refusal's body, as evidence; nothing where it may hold credentials."""
    text = reply.body.decode("utf-8", "replace").strip()
    if not text or re.search(r"access_?key|token|secret", text, re.IGNORECASE):
        return ()
    return (f"the answer begins: {_line(text, registry)}",)


def _said(text: str, registry: SecretRegistry) -> tuple[str, ...]:
    """The service's own words, as evidence."""
    return (f"it says: {_line(text, registry)}",) if text else ()


def _line(text: str, registry: SecretRegistry) -> str:
    masked = str(registry.mask_text(text))
    return " ".join("".join(c if c.isprintable() else " " for c in masked).split())[:_EXCERPT]
