"""botocore's profile providers, on calamari's road.

What a profile means stays botocore's. Ours is how it is carried out: every client that the
providers make (STS, the SSO portal, its token service) asks by the same road as all other calls
(endpoints of the given environment, retries, clock, masking); ``credential_source`` is answered by
calamari's credential sources, ``credential_process`` run by whoever made the door; and nothing is
asked of a terminal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any, NoReturn, Protocol

from botocore.credentials import (
    AssumeRoleProvider,
    AssumeRoleWithWebIdentityProvider,
    CredentialResolver,
    Credentials,
    ProcessProvider,
    ProfileProviderBuilder,
)
from botocore.exceptions import ClientError
from botocore.session import Session
from botocore.utils import JSONFileCache

from calamari_py.aws.failures import Call, Reply
from calamari_py.aws.profile_process import ProcessAnswers, RunProcess
from calamari_py.errors import CloudError, SourceBroken, Temporary
from calamari_py.identity import AwsCredentials
from calamari_py.masking import SecretRegistry
from calamari_py.masking.secret import Secret

CREDENTIAL_SOURCES = ("Environment", "Ec2InstanceMetadata", "EcsContainer")
_OPERATIONS = {
    "assume_role": ("sts", "AssumeRole"),
    "assume_role_with_web_identity": ("sts", "AssumeRoleWithWebIdentity"),
    "get_role_credentials": ("sso", "GetRoleCredentials"),
    "create_token": ("sso-oidc", "CreateToken"),
}
_SECRET_PARAMS = {
    "WebIdentityToken": "web identity token",
    "accessToken": "SSO access token",
    "refreshToken": "SSO refresh token",
    "clientSecret": "SSO client secret",
}


class Ask(Protocol):
    """Makes a call. `region` is what to use where the step has none, or, with `exactly`, anyway."""

    def __call__(self, call: Call, region: str | None, *, exactly: bool) -> Reply: ...


class Road:
    """How the providers of one profile reach the world, and what was seen on the way.

    `region` is the profile's; `arn` and `request_id` are those of the last role that STS gave.
    """

    def __init__(
        self,
        ask: Ask,
        registry: SecretRegistry,
        credential_source: Callable[[str], AwsCredentials] | None,
        run_process: RunProcess | None,
        clock: Callable[[], datetime],
    ) -> None:
        self.credential_source = credential_source
        self.run_process = run_process
        self.registry = registry
        self.clock = clock
        self.region: str | None = None
        self.arn: str | None = None
        self.request_id: str | None = None
        self._ask = ask

    def create(self, service: str, *, config: Any = None, **options: Any) -> Any:
        """A client: the interface of ``Session.create_client``."""
        if service not in {"sts", "sso", "sso-oidc"}:
            raise SourceBroken(
                f"the profile needs a session of '{service}', which calamari does not open",
                hint="use a profile of IAM Identity Center (aws sso login), or a "
                "credential_process: aws configure export-credentials",
            )
        key_id, secret = options.get("aws_access_key_id"), options.get("aws_secret_access_key")
        token = options.get("aws_session_token")
        credentials = None
        if key_id and secret:
            self.registry.add(secret, name="secret access key of a source profile")
            self.registry.add(token or "", name="session token of a source profile")
            credentials = AwsCredentials(
                access_key_id=key_id,
                secret_access_key=Secret(secret),
                session_token=Secret(token) if token else None,
            )
        return Client(self, service, getattr(config, "region_name", None), credentials)

    def ask(self, call: Call, region: str | None) -> Mapping[str, Any]:
        """The fields of the answer."""
        for name, title in _SECRET_PARAMS.items():
            self.registry.add(call.params.get(name) or "", name=title)
        reply = self._ask(call, region or self.region, exactly=region is not None)
        fields = reply.fields or {}
        if call.service == "sts":
            self.arn = (fields.get("AssumedRoleUser") or {}).get("Arn")
            self.request_id = reply.request_id
        return fields


class Client:
    """What botocore's providers take for a client of STS, of the SSO portal or its tokens."""

    # botocore looks it up when a call fails; nothing raises it, a refusal is a CloudError.
    exceptions = SimpleNamespace(UnauthorizedException=type("Unauthorized", (Exception,), {}))

    def __init__(
        self, road: Road, service: str, region: str | None, credentials: AwsCredentials | None
    ) -> None:
        self._road = road
        self._service = service
        self._region = region
        self._credentials = credentials

    def __getattr__(self, method: str) -> Callable[..., Mapping[str, Any]]:
        service, operation = _OPERATIONS.get(method, ("", ""))
        if service != self._service:
            raise AttributeError(method)
        return partial(self._call, operation)

    def _call(self, operation: str, **params: Any) -> Mapping[str, Any]:
        if operation == "AssumeRoleWithWebIdentity":
            params["WebIdentityToken"] = params["WebIdentityToken"].strip()
        unsigned = operation != "AssumeRole"
        call = Call(
            service=self._service,
            operation=operation,
            params=params,
            credentials=None if unsigned else self._credentials,
            subject=f"role '{params.get('RoleArn') or params.get('roleName') or ''}'",
        )
        try:
            return self._road.ask(call, self._region)
        except CloudError as error:
            if operation != "CreateToken" or isinstance(error, Temporary):
                raise
            # What botocore takes for "sign in again".
            refusal: Any = {"Error": {"Code": error.code, "Message": error.message}}
            raise ClientError(refusal, operation) from None


class ProfileSession(Session):
    """A session that reads two files and nothing else, whose clients are ours."""

    def __init__(
        self, road: Road, *, profile: str, config_file: str, credentials_file: str, home: str
    ) -> None:
        super().__init__(
            session_vars={
                "config_file": (None, None, config_file, None),
                "credentials_file": (None, None, credentials_file, None),
            },
            profile=profile,
        )
        self._road = road
        self._home = home

    def create_client(self, service_name: str, **options: Any) -> Any:  # type: ignore[override]
        """A client of ours, in the place of botocore's."""
        return self._road.create(service_name, **options)

    def providers(self, profile: str) -> CredentialResolver:
        """Everything that can make credentials of `profile`."""
        builder = _Builder(
            self,
            self._road,
            cache={},
            sso_token_cache=self._token_cache("sso"),
            login_token_cache=self._token_cache("login"),
        )
        assume_role = AssumeRoleProvider(
            load_config=lambda: self.full_config,
            client_creator=self._road.create,
            cache={},
            profile_name=profile,
            prompter=_refuse_mfa,
            credential_sourcer=_Sourcer(self._road),  # type: ignore[arg-type]
            profile_provider_builder=builder,
        )
        return CredentialResolver([assume_role, *builder.providers(profile, disable_env_vars=True)])

    def _token_cache(self, kind: str) -> JSONFileCache:
        folder = os.path.join(self._home, ".aws", kind, "cache")
        return JSONFileCache(folder, dumps_func=_dump_token)


class _Builder(ProfileProviderBuilder):
    def __init__(self, session: Session, road: Road, **options: Any) -> None:
        super().__init__(session, **options)
        self._config_of = session
        self._road = road

    def _create_process_provider(self, profile_name: str) -> ProcessProvider:
        road = self._road
        return ProcessProvider(
            profile_name=profile_name,
            load_config=lambda: self._config_of.full_config,
            popen=ProcessAnswers(profile_name, road.run_process, road.registry, road.clock),
        )

    def _create_web_identity_provider(
        self, profile_name: str, disable_env_vars: bool
    ) -> AssumeRoleWithWebIdentityProvider:
        return AssumeRoleWithWebIdentityProvider(
            load_config=lambda: self._config_of.full_config,
            client_creator=self._road.create,
            cache={},
            profile_name=profile_name,
            disable_env_vars=disable_env_vars,
        )


class _Sourcer:
    """Answers ``credential_source`` with calamari's own sources."""

    def __init__(self, road: Road) -> None:
        self._road = road

    def is_supported(self, source_name: str) -> bool:
        """Whether AWS defines `source_name`."""
        return source_name in CREDENTIAL_SOURCES

    def source_credentials(self, source_name: str) -> Credentials:
        """The credentials of the source, or SourceBroken."""
        if self._road.credential_source is None:
            raise SourceBroken(
                f"credential_source '{source_name}' is not available here",
                hint="use source_profile instead, or another account type",
            )
        found = self._road.credential_source(source_name)
        token = found.session_token
        return Credentials(
            found.access_key_id,
            found.secret_access_key.reveal(),
            token.reveal() if token is not None else None,
        )


def _refuse_mfa(_prompt: str) -> NoReturn:
    raise SourceBroken(
        "the profile asks for an MFA code, and nobody is there to type one",
        hint="use a profile without mfa_serial, or one whose credential_process asks for the code",
    )


def _dump_token(token: Mapping[str, Any]) -> str:
    """A token as every SDK reads it from the cache they share."""
    return json.dumps(token, default=_rfc3339)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
