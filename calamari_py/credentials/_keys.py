"""Key pairs as they come from variables, fields and documents: registered first, then checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from calamari_py.errors import SourceBroken
from calamari_py.identity import AwsCredentials
from calamari_py.masking import Secret, SecretRegistry

_KEY_TEXT = re.compile(r"[!#-&(-~]+")
_KEY_ID_LENGTH, _SECRET_LENGTH = 20, 40
"""What AWS's own have had so far; others are taken all the same."""
_NAMES = {
    " ": "a space",
    "\t": "a tab",
    "\n": "a line break",
    "\r": "a carriage return",
    '"': "a double quote",
    "'": "a single quote",
    "\0": "a NUL",
    "\xa0": "a no-break space",
    "\u200b": "a zero-width space",
    "\ufeff": "a byte order mark",
    "\ufffd": "a character that was no UTF-8",
}


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
    SourceBroken instead, as for an id and a key in each other's place.
    """
    if len(access_key_id) == _SECRET_LENGTH and len(secret_access_key) == _KEY_ID_LENGTH:
        registry.add(access_key_id, name="AWS secret access key of the launcher")
        raise SourceBroken(
            f"the access key id of {where} is as long as a secret access key, and the other way "
            "round",
            hint="exchange the two values",
        )
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
                f"the {part} of {where} holds {_culprit(value)}",
                hint=f"copy the value again: no AWS key has such a character{_lengths(part)}",
            )
    return AwsCredentials(
        access_key_id=access_key_id,
        secret_access_key=Secret(secret_access_key),
        session_token=Secret(session_token) if session_token else None,
        expires_at=expires_at,
    )


def _culprit(value: str) -> str:
    """The first character that no key has, by name and place; none of the others is shown."""
    at, char = next((i, c) for i, c in enumerate(value) if not _KEY_TEXT.fullmatch(c))
    name = _NAMES.get(char) or f"the character U+{ord(char):04X}"
    return f"{name} ({at + 1} of {len(value)} characters)"


def _lengths(part: str) -> str:
    wanted = {"access key id": _KEY_ID_LENGTH, "secret access key": _SECRET_LENGTH}.get(part)
    return f", and AWS's have {wanted}" if wanted else ""
