"""The entries of `fake_sts`: keys, roles, tokens, identity providers, requests, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.fake_sts_trust import Document


class Refusal(Exception):
    """An AWS error: HTTP status, code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message


def invalid(value: object, field_name: str, constraint: str) -> Refusal:
    """The error of a parameter that breaks the service model."""
    return Refusal(
        400,
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{field_name}' failed to satisfy "
        f"constraint: {constraint}",
    )


@dataclass(frozen=True, kw_only=True)
class Keys:
    """A key set that the server knows and whose it is.

    `role_arn` and all that follows only for a role session; `chained` says that it was assumed
    from another session.
    """

    access_key_id: str
    secret_access_key: str
    arn: str
    session_token: str | None = None
    role_arn: str | None = None
    expires_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: frozenset[str] = frozenset()
    source_identity: str | None = None
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()
    chained: bool = False

    @property
    def account(self) -> str:
        """The account id in the ARN."""
        return self.arn.split(":")[4]

    @property
    def partition(self) -> str:
        """The partition in the ARN."""
        return self.arn.split(":")[1]


@dataclass(frozen=True, kw_only=True)
class Role:
    """A role and its trust policy."""

    arn: str
    document: Document
    max_session_duration: int = 3600


@dataclass(frozen=True, kw_only=True)
class Token:
    """An opaque web identity token: the roles that trust it and whose it is."""

    roles: tuple[str, ...]
    subject: str
    expired: bool = False


@dataclass(frozen=True, kw_only=True)
class Provider:
    """An IAM identity provider: its issuer's URL and the audiences registered there."""

    arn: str
    issuer: str
    audiences: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Log:
    """One request as it came in. `params` are the raw Query fields or the JSON document; `at` is
    the server's time."""

    action: str
    params: dict[str, Any]
    access_key_id: str | None
    host: str
    headers: dict[str, str]
    at: datetime
