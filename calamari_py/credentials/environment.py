"""The access keys in calamari's own environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from calamari_py.credentials._keys import build_credentials, setting
from calamari_py.credentials.base import Absent, Found, Presence, SourceContext
from calamari_py.errors import PartialCredentials
from calamari_py.identity import LauncherCredentials, as_utc

_KEY_ID = "AWS_ACCESS_KEY_ID"
_KEY = "AWS_SECRET_ACCESS_KEY"
_SESSION = "AWS_SESSION_TOKEN"
_LEGACY = "AWS_SECURITY_TOKEN"
_EXPIRATION = "AWS_CREDENTIAL_EXPIRATION"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSource:
    """``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY`` and, of a session, ``AWS_SESSION_TOKEN``."""

    name: str = "environment"
    now: Callable[[], datetime] = _now

    def resolve(self, context: SourceContext) -> Found | Absent:
        """The keys; half a pair raises PartialCredentials."""
        environ = context.environ
        if legacy := setting(environ, _LEGACY):
            context.registry.add(legacy, name=_LEGACY)
        key_id, secret = setting(environ, _KEY_ID), setting(environ, _KEY)
        if not key_id and not secret:
            return Absent(
                why=f"{_KEY_ID} is not set",
                hint=f"set {_KEY_ID}, {_KEY} and, of a session, {_SESSION}",
            )
        token = setting(environ, _SESSION)
        if not key_id or not secret:
            for value in filter(None, (secret, token)):
                context.registry.add(value, name="AWS key material of the launcher")
            there, missing = (_KEY_ID, _KEY) if key_id else (_KEY, _KEY_ID)
            raise PartialCredentials(
                f"'{there}' is set and '{missing}' is not",
                hint=f"set {missing} too, or unset {there}",
            )
        credentials = build_credentials(
            context.registry,
            access_key_id=key_id,
            secret_access_key=secret,
            session_token=token,
            where="the environment",
        )
        return Found(
            launcher=LauncherCredentials(
                credentials=credentials, source=self.name, description="environment variables"
            ),
            why=f"access key {key_id}",
            warnings=self._warnings(environ, has_token=bool(token)),
            asked=False,
        )

    def look(self, context: SourceContext) -> Presence:
        """Whether there are keys."""
        key_id, secret = setting(context.environ, _KEY_ID), setting(context.environ, _KEY)
        if not key_id and not secret:
            return Presence(state="absent", why=f"{_KEY_ID} is not set")
        if not key_id or not secret:
            there, missing = (_KEY_ID, _KEY) if key_id else (_KEY, _KEY_ID)
            return Presence(state="broken", why=f"{there} is set and {missing} is not")
        return Presence(state="present", why=f"{_KEY_ID} and {_KEY} are set")

    def _warnings(self, environ: Mapping[str, str], *, has_token: bool) -> tuple[str, ...]:
        """What other programs would believe and calamari does not."""
        found: list[str] = []
        if setting(environ, _LEGACY) and not has_token:
            found.append(f"{_LEGACY} is set and ignored; {_SESSION} is what counts")
        expiration = _parse_time(setting(environ, _EXPIRATION))
        if expiration and expiration <= self.now():
            found.append(
                f"{_EXPIRATION} says that the launcher's keys ran out at "
                f"{expiration:%Y-%m-%dT%H:%M:%SZ}; they are tried all the same"
            )
        return tuple(found)


def _parse_time(text: str) -> datetime | None:
    """`text` in UTC; None when it is no ISO 8601 time, since nothing depends on it."""
    try:
        return as_utc(datetime.fromisoformat(text))
    except ValueError:
        return None


SOURCE = EnvironmentSource()
