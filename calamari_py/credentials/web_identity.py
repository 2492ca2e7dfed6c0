"""A token file and a role that the environment names: EKS's IAM roles for service accounts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calamari_py.credentials._keys import setting
from calamari_py.credentials._tokens import (
    Exchange,
    exchange_token,
    read_token_file,
    why_unreadable,
)
from calamari_py.credentials.base import Absent, Found, Presence, SourceContext
from calamari_py.errors import SourceBroken
from calamari_py.identity import clean_session_name

_FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"
_ROLE_ARN = "AWS_ROLE_ARN"
_SESSION_NAME = "AWS_ROLE_SESSION_NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebIdentitySource:
    """``AWS_WEB_IDENTITY_TOKEN_FILE`` and ``AWS_ROLE_ARN``; the file is read anew each time."""

    name: str = "web-identity"

    def resolve(self, context: SourceContext) -> Found | Absent:
        """The role's session; one variable without the other is broken, not absent."""
        path, role_arn = setting(context.environ, _FILE), setting(context.environ, _ROLE_ARN)
        if not path and not role_arn:
            return Absent(
                why=f"{_FILE} is not set",
                hint=f"set {_FILE} and {_ROLE_ARN}; on EKS, annotate the service account "
                "with eks.amazonaws.com/role-arn and start the pod again",
            )
        if not path or not role_arn:
            there, missing = (_FILE, _ROLE_ARN) if path else (_ROLE_ARN, _FILE)
            raise SourceBroken(
                f"'{there}' is set and '{missing}' is not",
                hint=f"set {missing} too, or unset {there}",
            )
        session_name, warnings = self._session_name(context)
        found = exchange_token(
            context,
            Exchange(
                token=read_token_file(Path(path), context.registry, where="the token file"),
                role_arn=role_arn,
                session_name=session_name,
                where="the token of AWS_WEB_IDENTITY_TOKEN_FILE",
                source=self.name,
                description="EKS IRSA" if "eks.amazonaws.com" in path else "web identity",
            ),
        )
        return Found(launcher=found.launcher, why=found.why, warnings=(*warnings, *found.warnings))

    def look(self, context: SourceContext) -> Presence:
        """Whether the two variables are set, and the file is there."""
        path, role_arn = setting(context.environ, _FILE), setting(context.environ, _ROLE_ARN)
        if not path and not role_arn:
            return Presence(state="absent", why=f"{_FILE} is not set")
        if not path or not role_arn:
            there, missing = (_FILE, _ROLE_ARN) if path else (_ROLE_ARN, _FILE)
            return Presence(state="broken", why=f"{there} is set and {missing} is not")
        if why := why_unreadable(Path(path)):
            return Presence(state="broken", why=f"the token file '{path}' {why}")
        return Presence(state="present", why=f"role {role_arn}, token file '{path}'")

    def _session_name(self, context: SourceContext) -> tuple[str, tuple[str, ...]]:
        """The environment's name where STS takes it, else ours, with a warning."""
        wanted = setting(context.environ, _SESSION_NAME)
        if not wanted:
            return context.session_name, ()
        if clean_session_name(wanted) == wanted:
            return wanted, ()
        warning = (
            f"{_SESSION_NAME} is no session name that STS takes; "
            f"'{context.session_name}' is used instead"
        )
        return context.session_name, (warning,)


SOURCE = WebIdentitySource()
