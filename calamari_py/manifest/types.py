"""The step manifest as frozen typed values: the types that parse it also make its JSON Schema.

The reprs of what may hold secrets show no values.

`ManifestFile` has the shape of the file, with its short forms; `StepManifest` is what becomes of
it after rendering and checking.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from calamari_py.manifest.scalars import AccountId, ByteSize, Duration, Region, RoleArnText
from calamari_py.manifest.shapes import GIVEN

AccountType = Literal["ambient", "access-key", "oidc", "profile", "auto", "none"]
AccountSource = Literal["auto", "environment", "web-identity", "container", "imds"]


TokenIssuer = Literal[
    "github-actions", "gitlab", "buildkite", "circleci", "bitbucket", "azure-devops", "octopus"
]


class TokenFrom(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who hands out an OIDC token: exactly one of an environment variable, a command and a CI.

    `audience` and `service_connection` are for some of the latter only.
    """

    from_env: Annotated[str | None, GIVEN] = None
    command: Annotated[tuple[str, ...] | None, GIVEN] = None
    ci: Annotated[TokenIssuer | None, GIVEN] = None
    audience: Annotated[str | None, GIVEN] = None
    service_connection: Annotated[str | None, GIVEN] = None


class Account(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The launcher identity. Which fields belong to which type is checked after parsing."""

    type: AccountType = "ambient"
    source: AccountSource = "auto"
    fallback: bool = False
    name: str | None = None
    expose_to_step: bool = False
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    role_arn: RoleArnText | None = None
    session_duration: Duration | None = None
    token: str | None = None
    token_file: str | None = None
    token_from: TokenIssuer | TokenFrom | None = None
    profile: str | None = None

    def __repr__(self) -> str:
        return f"Account(type={self.type!r})"


class Hop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One role of ``assume_role``."""

    role_arn: RoleArnText
    session_name: str | None = None
    duration: Duration | None = None
    external_id: str | None = None
    policy: dict[str, Any] | str | None = None
    policy_arns: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    transitive_tags: tuple[str, ...] = ()
    source_identity: str | None = None
    default_tags: bool = True


class Expect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The guard on the final credentials: a member that is null would guard nothing."""

    account: Annotated[AccountId | None, GIVEN] = None
    role: Annotated[str | None, GIVEN] = None
    region: Annotated[Region | None, GIVEN] = None
    partition: Annotated[str | None, GIVEN] = None


class CredentialSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the child gets its credentials."""

    delivery: Literal["env", "endpoint", "profile"] | None = None
    min_validity: Duration | None = None


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For steps that say they are safe to repeat."""

    attempts: int = 1
    delay: Duration | None = None
    on_exit_codes: tuple[int, ...] = ()


class VariableSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The long form of a variable: exactly one of the five sources."""

    value: str | None = None
    from_env: str | None = None
    from_file: str | None = None
    from_ssm: str | None = None
    from_secretsmanager: str | None = None
    sensitive: bool = False
    literal: bool = False
    mask: bool = True
    reason: str | None = None

    def __repr__(self) -> str:
        return "VariableSpec()"


class ManifestFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of a manifest, but for the kinds' own sections and ``finally``.

    It is never made: each field is parsed by itself, so that one bad field hides no other.
    """

    version: Literal[1] = 1
    name: str
    project: str | None = None
    environment: str | None = None
    deployment_id: str | None = None
    region: Region | None = None
    account: AccountType | Account = msgspec.field(default_factory=Account)
    assume_role: RoleArnText | Hop | tuple[RoleArnText | Hop, ...] = ()
    expect: Expect | None = None
    credentials: CredentialSettings = msgspec.field(default_factory=CredentialSettings)
    variables: dict[str, str | VariableSpec] = {}
    variable_files: tuple[str, ...] = ()
    env: dict[str, str] = {}
    inherit_env: bool | tuple[str, ...] = True
    timeout: Duration | None = None
    idle_timeout: Duration | None = None
    grace: Duration | None = None
    retry: Retry = msgspec.field(default_factory=Retry)
    output_limit: ByteSize = None
    service_messages: bool = False
    allow_no_mask: bool = False


class StepManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step. `kind` is the name of the one section present, `section` its parsed value.

    `section` and `finally_` hold what the kind's own section type parsed to. `folder` is what
    relative paths are relative to; `source` is how the manifest is named in messages.
    `output_limit` is in bytes, all times in seconds.
    """

    version: Literal[1] = 1
    name: str
    project: str | None = None
    environment: str | None = None
    deployment_id: str | None = None
    region: Region | None = None
    account: Account
    assume_role: tuple[Hop, ...] = ()
    expect: Expect | None = None
    credentials: CredentialSettings
    env: Mapping[str, str]
    inherit_env: bool | tuple[str, ...] = True
    timeout: Duration | None = None
    idle_timeout: Duration | None = None
    grace: Duration | None = None
    retry: Retry
    output_limit: int | None = None
    service_messages: bool = False
    allow_no_mask: bool = False
    kind: str
    section: Any
    finally_: Any = None
    folder: Path
    source: str

    def __repr__(self) -> str:
        return f"StepManifest(name={self.name!r}, kind={self.kind!r}, source={self.source!r})"


def as_token_from(value: TokenIssuer | TokenFrom) -> TokenFrom:
    """``account.token_from`` in both its forms."""
    return value if isinstance(value, TokenFrom) else TokenFrom(ci=value)


def as_account(value: AccountType | Account) -> Account:
    """``account`` in both its forms."""
    return value if isinstance(value, Account) else Account(type=value)


def as_hops(value: str | Hop | tuple[str | Hop, ...]) -> tuple[Hop, ...]:
    """The hops of ``assume_role`` in all its forms."""
    items = value if isinstance(value, tuple) else (value,)
    return tuple(item if isinstance(item, Hop) else Hop(role_arn=item) for item in items)
