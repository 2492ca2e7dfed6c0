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
from calamari_py.manifest.shapes import GIVEN, About

AccountType = Literal["ambient", "access-key", "oidc", "profile", "auto", "none"]
AccountSource = Literal["auto", "environment", "web-identity", "container", "imds"]


TokenIssuer = Literal[
    "github-actions", "gitlab", "buildkite", "circleci", "bitbucket", "azure-devops", "octopus"
]


class TokenFrom(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who hands out an OIDC token: exactly one of an environment variable, a command and a CI.

    `audience` and `service_connection` are for some of the latter only.
    """

    from_env: Annotated[
        str | None, GIVEN, About("The environment variable that holds the token.")
    ] = None
    command: Annotated[
        tuple[str, ...] | None,
        GIVEN,
        About("The absolute path of a program that prints the token, and its arguments."),
    ] = None
    ci: Annotated[TokenIssuer | None, GIVEN, About("The CI system that hands out the token.")] = (
        None
    )
    audience: Annotated[
        str | None, GIVEN, About("Who the token is for. Default: STS's own audience of the system.")
    ] = None
    service_connection: Annotated[
        str | None, GIVEN, About("azure-devops: the service connection that the token is of.")
    ] = None


class Account(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The launcher identity. Which fields belong to which type is checked after parsing."""

    type: Annotated[AccountType, About("What kind of launcher identity it is.")] = "ambient"
    source: Annotated[
        AccountSource,
        About("ambient: where the credentials come from; auto takes the first that is there."),
    ] = "auto"
    fallback: Annotated[
        bool, About("auto and ambient: passes over a source that is there and does not work.")
    ] = False
    name: Annotated[
        str | None, About("The account's name, under which expose_to_step hands its values on.")
    ] = None
    expose_to_step: Annotated[
        bool, About("true hands the launcher's own values to the step, under Octopus's names.")
    ] = False
    access_key_id: Annotated[str | None, About("access-key: the key id; write a variable.")] = None
    secret_access_key: Annotated[
        str | None, About("access-key: the secret key; write a sensitive variable.")
    ] = None
    session_token: Annotated[
        str | None, About("access-key: the token of temporary keys; write a sensitive variable.")
    ] = None
    role_arn: Annotated[
        RoleArnText | None, About("oidc: the role that the token is exchanged for.")
    ] = None
    session_duration: Annotated[
        Duration | None, About("oidc: how long that role's session lives.")
    ] = None
    token: Annotated[str | None, About("oidc: the token itself; write a sensitive variable.")] = (
        None
    )
    token_file: Annotated[
        str | None, About("oidc: the file that holds the token; read anew at each use.")
    ] = None
    token_from: Annotated[
        TokenIssuer | TokenFrom | None,
        About("oidc: who hands out the token: a CI system, a variable or a command."),
    ] = None
    profile: Annotated[
        str | None, About("profile: the name of a profile of the shared AWS config.")
    ] = None

    def __repr__(self) -> str:
        return f"Account(type={self.type!r})"


class Hop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One role of ``assume_role``."""

    role_arn: Annotated[RoleArnText, About("The role to assume, in any account and partition.")]
    session_name: Annotated[
        str | None,
        About("The session's name. Default: made of project, environment, name, deployment."),
    ] = None
    duration: Annotated[
        Duration | None,
        About("How long the session lives: 15m to 12h, 1h at most for a chained hop."),
    ] = None
    external_id: Annotated[
        str | None, About("The external id that the role's owner agreed on.")
    ] = None
    policy: Annotated[
        dict[str, Any] | str | None,
        About("A session policy: a mapping, a JSON file, or preset:read-only."),
    ] = None
    policy_arns: Annotated[
        tuple[str, ...], About("Managed policies as session policies, 10 at most.")
    ] = ()
    tags: Annotated[
        dict[str, str], About("Session tags; keys that begin with calamari: are calamari's own.")
    ] = {}
    transitive_tags: Annotated[
        tuple[str, ...], About("The keys of tags that later hops keep.")
    ] = ()
    source_identity: Annotated[
        str | None, About("Who stands behind the session; kept over all hops.")
    ] = None
    default_tags: Annotated[bool, About("false leaves out calamari's own session tags.")] = True


class Expect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The guard on the final credentials: a member that is null would guard nothing."""

    account: Annotated[
        AccountId | None,
        GIVEN,
        About("The account id that the credentials have to be of, in quotes."),
    ] = None
    role: Annotated[
        str | None, GIVEN, About("The name of the role that the credentials have to be of.")
    ] = None
    region: Annotated[Region | None, GIVEN, About("The region that the step has to work in.")] = (
        None
    )
    partition: Annotated[
        str | None,
        GIVEN,
        About("The partition that the step has to work in: aws, aws-cn, aws-us-gov."),
    ] = None


class CredentialSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the child gets its credentials."""

    delivery: Annotated[
        Literal["env", "endpoint", "profile"] | None,
        About("How the child gets them. Default: env; endpoint where calamari calls AWS."),
    ] = None
    min_validity: Annotated[Duration | None, About("Refuses to start with less time left.")] = None


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For steps that say they are safe to repeat."""

    attempts: Annotated[int, About("How often the step is tried at most.")] = 1
    delay: Annotated[Duration | None, About("How long to wait between two attempts.")] = None
    on_exit_codes: Annotated[
        tuple[int, ...], About("The exit codes that are worth another attempt.")
    ] = ()


class VariableSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The long form of a variable: exactly one of the five sources."""

    value: Annotated[str | None, About("The value itself; a template unless literal is true.")] = (
        None
    )
    from_env: Annotated[str | None, About("The environment variable that holds the value.")] = None
    from_file: Annotated[str | None, About("The file that holds the value.")] = None
    from_ssm: Annotated[
        str | None, About("The SSM parameter that holds the value, read as the step's role.")
    ] = None
    from_secretsmanager: Annotated[
        str | None, About("The secret that holds the value, read as the step's role.")
    ] = None
    sensitive: Annotated[bool, About("true masks the value in everything that comes out.")] = False
    literal: Annotated[bool, About("true takes the value as it stands: it is no template.")] = False
    mask: Annotated[bool, About("false shows a sensitive value all the same; needs a reason.")] = (
        True
    )
    reason: Annotated[str | None, About("Why a sensitive value may be seen.")] = None

    def __repr__(self) -> str:
        return "VariableSpec()"


class ManifestFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of a manifest, but for the kinds' own sections and ``finally``.

    It is never made: each field is parsed by itself, so that one bad field hides no other.
    """

    version: Annotated[Literal[1], About("The version of this format: 1.")] = 1
    name: Annotated[
        str, About("What the step is called in the session name, the log and the result.")
    ]
    project: Annotated[str | None, About("Metadata: session name, templates.")] = None
    environment: Annotated[str | None, About("Metadata: session name, templates.")] = None
    deployment_id: Annotated[str | None, About("Metadata: session name, templates.")] = None
    region: Annotated[
        Region | None,
        About("The AWS region. Default: AWS_REGION, AWS_DEFAULT_REGION, the launcher's own."),
    ] = None
    account: Annotated[
        AccountType | Account,
        About("The launcher identity: what calamari itself runs with. Default: ambient."),
    ] = msgspec.field(default_factory=Account)
    assume_role: Annotated[
        RoleArnText | Hop | tuple[RoleArnText | Hop, ...],
        About("The role the step runs as; a list is a chain of hops."),
    ] = ()
    expect: Annotated[
        Expect | None, About("A guard: what the final credentials have to be, or nothing runs.")
    ] = None
    credentials: Annotated[CredentialSettings, About("How the child gets its credentials.")] = (
        msgspec.field(default_factory=CredentialSettings)
    )
    variables: Annotated[
        dict[str, str | VariableSpec],
        About("Named values; the names may hold spaces, dots and brackets."),
    ] = {}
    variable_files: Annotated[
        tuple[str, ...],
        About("YAML or JSON files of variables; later ones win, the manifest wins more."),
    ] = ()
    env: Annotated[dict[str, str], About("Environment variables of the child.")] = {}
    inherit_env: Annotated[
        bool | tuple[str, ...],
        About("What the child inherits: true, false, or a list of NAME and PREFIX_*."),
    ] = True
    timeout: Annotated[
        Duration | None,
        About("When the step is ended. Default: never; 1h where calamari calls AWS itself."),
    ] = None
    idle_timeout: Annotated[
        Duration | None, About("How long the step may be silent. Default: for ever.")
    ] = None
    grace: Annotated[Duration | None, About("From the polite signal to SIGTERM.")] = None
    retry: Annotated[Retry, About("For steps that are safe to repeat.")] = msgspec.field(
        default_factory=Retry
    )
    output_limit: Annotated[
        ByteSize, About("How much output passes: none, or a size like 10MB.")
    ] = None
    service_messages: Annotated[
        bool, About("true: ##calamari[…] and ##octopus[…] lines on stdout are commands.")
    ] = False
    allow_no_mask: Annotated[bool, About("true lets --no-mask work.")] = False


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
