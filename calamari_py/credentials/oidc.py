"""A role for a token that a CI system or an orchestrator minted (OpenID Connect)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from calamari_py.credentials._tokens import (
    Exchange,
    checked_token,
    exchange_token,
    read_token_file,
    why_unreadable,
)
from calamari_py.credentials.base import Absent, Found, Presence, SourceContext
from calamari_py.credentials.issuers import ISSUERS, Issuer, Minted, TokenRequest
from calamari_py.credentials.issuers.base import AUDIENCE, VariableIssuer
from calamari_py.errors import SourceBroken
from calamari_py.identity import DEFAULT_DURATION

_FIELDS = ("token", "token_file", "token_from")


class TokenFrom(Protocol):
    """`calamari_py.manifest.types.TokenFrom`."""

    from_env: str | None
    command: tuple[str, ...] | None
    ci: str | None
    audience: str | None
    service_connection: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSource:
    """``account.role_arn`` by ``token``, ``token_file`` or ``token_from``."""

    name: str = "oidc"

    def resolve(self, context: SourceContext) -> Found | Absent:
        """The role's session. The token is minted or read anew each time."""
        account = context.account
        if not account.role_arn:
            raise SourceBroken(
                "'account.role_arn' is empty", hint="name the role that trusts the token's issuer"
            )
        minted = self._mint(context)
        duration = account.session_duration
        return exchange_token(
            context,
            Exchange(
                token=minted.token,
                role_arn=str(account.role_arn),
                session_name=context.session_name,
                where=minted.where,
                source=self.name,
                description=minted.description,
                duration=DEFAULT_DURATION if duration is None else int(duration),
                environment_names=minted.environment_names,
            ),
        )

    def look(self, context: SourceContext) -> Presence:
        """Which token it would be, as far as that shows from outside."""
        account = context.account
        if account.token_from is not None:
            return _issuer_of(account).look(_request_of(context))
        if account.token_file is None:
            return Presence(state="present", why="account.token")
        path = _token_file(context)
        if why := why_unreadable(path):
            return Presence(state="broken", why=f"the token file '{path}' {why}")
        return Presence(state="present", why=f"token file '{path}'")

    def _mint(self, context: SourceContext) -> Minted:
        account, registry = context.account, context.registry
        given = [name for name in _FIELDS if getattr(account, name) is not None]
        if len(given) != 1:
            raise SourceBroken(
                f"the account section names {len(given)} tokens",
                hint=f"write exactly one of {', '.join(_FIELDS)}",
            )
        if given == ["token"]:
            where = "'account.token'"
            return Minted(token=checked_token(account.token, registry, where=where), where=where)
        if given == ["token_file"]:
            token = read_token_file(_token_file(context), registry, where="the token file")
            return Minted(token=token, where="the token of 'account.token_file'")
        return _issuer_of(account).mint(_request_of(context))


def _token_file(context: SourceContext) -> Path:
    path: str = context.account.token_file.strip()
    return (context.folder or Path()) / path


def _issuer_of(account: Any) -> Issuer:
    """Whoever ``account.token_from`` names; its forms were checked when it was loaded."""
    asked: str | TokenFrom = account.token_from
    if not isinstance(asked, str):
        if asked.from_env is not None:
            hint = f"set {asked.from_env} to the token, or correct account.token_from"
            return VariableIssuer(description="OIDC", names=(asked.from_env,), hint=hint)
        if asked.command is not None:
            from calamari_py.credentials.issuers.command import Command

            return Command(argv=asked.command)
        asked = asked.ci or ""
    if asked not in ISSUERS:
        raise SourceBroken(
            f"'{asked}' is no CI system that calamari knows the token of",
            hint=f"write one of {', '.join(ISSUERS)}, or {{from_env: NAME}}",
        )
    return ISSUERS[asked]


def _request_of(context: SourceContext) -> TokenRequest:
    asked = context.account.token_from
    return TokenRequest(
        environ=context.environ,
        registry=context.registry,
        folder=context.folder or Path(),
        audience=getattr(asked, "audience", None) or AUDIENCE,
        service_connection=getattr(asked, "service_connection", None),
    )


SOURCE = OidcSource()
