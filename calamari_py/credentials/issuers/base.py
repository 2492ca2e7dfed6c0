"""Issuer: what everybody who hands out OIDC tokens promises, and is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from calamari_py.credentials._keys import setting
from calamari_py.credentials._tokens import checked_token
from calamari_py.credentials.base import Presence
from calamari_py.errors import SourceBroken
from calamari_py.masking import Secret, SecretRegistry

AUDIENCE = "sts.amazonaws.com"
"""What tokens for AWS are made out to, unless the manifest says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """What an issuer is given; `environ` is the caller's. `folder` is the manifest's."""

    environ: Mapping[str, str] = field(repr=False)
    registry: SecretRegistry
    folder: Path
    audience: str = AUDIENCE
    service_connection: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A registered token. `where` names its origin in messages, `description` is what people call
    it, `environment_names` are the variables that led to it.
    """

    token: Secret
    where: str
    description: str = "OIDC"
    environment_names: frozenset[str] = frozenset()


class Issuer(Protocol):
    """One way to a token: one file, one line in `ISSUERS`, one test."""

    def mint(self, request: TokenRequest) -> Minted:
        """A token, asked for or read anew each time. SourceBroken when there is none."""

    def look(self, request: TokenRequest) -> Presence:
        """Whether there would be one, by the environment alone; see `CredentialSource.look`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferredIssuer:
    """The ``ISSUER`` of ``calamari_py.credentials.issuers.MODULE``, imported when it is asked."""

    module: str

    def mint(self, request: TokenRequest) -> Minted:
        """What the issuer itself mints."""
        return self._issuer().mint(request)

    def look(self, request: TokenRequest) -> Presence:
        """What the issuer itself sees."""
        return self._issuer().look(request)

    def _issuer(self) -> Issuer:
        module = import_module(f"calamari_py.credentials.issuers.{self.module}")
        return cast("Issuer", module.ISSUER)


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableIssuer:
    """A token that somebody put into a variable: the first of `names` that is set.

    `hint` says what sets it.
    """

    description: str
    names: tuple[str, ...]
    hint: str

    def mint(self, request: TokenRequest) -> Minted:
        """The variable's value."""
        name = self._name(request)
        if name is None:
            raise SourceBroken(
                f"the environment variable '{self.names[0]}' is not set", hint=self.hint
            )
        where = f"the environment variable '{name}'"
        return Minted(
            token=checked_token(request.environ[name], request.registry, where=where),
            where=where,
            description=self.description,
            environment_names=frozenset(self.names),
        )

    def look(self, request: TokenRequest) -> Presence:
        """Whether one of the variables is set."""
        name = self._name(request)
        if name is None:
            return Presence(state="absent", why=f"{self.names[0]} is not set")
        return Presence(state="present", why=f"{name} is set")

    def _name(self, request: TokenRequest) -> str | None:
        return next((name for name in self.names if setting(request.environ, name)), None)


def look_for(names: tuple[str, ...], request: TokenRequest) -> Presence:
    """Whether all of `names` are set."""
    missing = [name for name in names if not setting(request.environ, name)]
    if missing:
        return Presence(state="absent", why=f"{missing[0]} is not set")
    return Presence(state="present", why=f"{names[0]} is set")
