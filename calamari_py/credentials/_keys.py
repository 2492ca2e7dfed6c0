"""Key pairs as they come from variables, fields and documents: registered first, then checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from calamari_py.errors import SourceBroken
from calamari_py.identity import AwsCredentials
from calamari_py.masking import Secret, SecretRegistry

_KEY_TEXT = re.compile(r"[!-~]+")


def setting(environ: Mapping[str, str], name: str) -> str:
    """The variable's value without surrounding white space; ``""`` when unset or blank."""
    return environ.get(name, "").strip()


def build_credentials(
    registry: SecretRegistry,
    *,
    access_key_id: str,
    secret_access_key: str,
    session_token: str = "",
    expires_at: datetime | None = None,
    where: str,
) -> AwsCredentials:
    """The key set, its secret parts registered. `where` names their origin in messages.

    A character that no AWS key has would fail as a signature error, or end an HTTP header:
    SourceBroken instead.
    """
    registry.add(secret_access_key, name="AWS secret access key of the launcher")
    if session_token:
        registry.add(session_token, name="AWS session token of the launcher")
    parts = {
        "access key id": access_key_id,
        "secret access key": secret_access_key,
        "session token": session_token or "-",
    }
    for part, value in parts.items():
        if not _KEY_TEXT.fullmatch(value):
            raise SourceBroken(
                f"the {part} of {where} holds a space, a control character or a non-ASCII one",
                hint="copy the value again: no AWS key has such a character",
            )
    return AwsCredentials(
        access_key_id=access_key_id,
        secret_access_key=Secret(secret_access_key),
        session_token=Secret(session_token) if session_token else None,
        expires_at=expires_at,
    )
