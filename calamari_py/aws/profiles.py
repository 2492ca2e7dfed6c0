"""The shared config files, read by botocore's own providers.

botocore decides what a profile means: static keys, ``source_profile``, ``credential_process``, SSO,
web identity. Three things are ours: its STS calls take the same road as all others (endpoint,
retries, clock, masking), ``credential_source`` is answered by calamari's credential sources, and
nothing is asked of a terminal.

Imported when a profile is asked for: this module brings botocore's session with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from botocore.credentials import (
    AssumeRoleProvider,
    AssumeRoleWithWebIdentityProvider,
    CredentialResolver,
    Credentials,
    ProfileProviderBuilder,
)
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    InfiniteLoopConfigError,
    PartialCredentialsError,
    SSOError,
)
from botocore.session import Session
from botocore.utils import JSONFileCache

from calamari_py.errors import PartialCredentials, SourceBroken
from calamari_py.identity import AwsCredentials, LauncherCredentials
from calamari_py.masking import SecretRegistry
from calamari_py.masking.secret import Secret

CREDENTIAL_SOURCES = ("Environment", "Ec2InstanceMetadata", "EcsContainer")

StsCall = Callable[[str | None, str, Mapping[str, Any], AwsCredentials | None], Mapping[str, Any]]
"""Region of the profile, operation, parameters, credentials → the fields of the answer."""


class Profiles:
    """The profiles that `environ` leads to: ``AWS_CONFIG_FILE``, ``AWS_SHARED_CREDENTIALS_FILE``,
    ``HOME``.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        registry: SecretRegistry,
        *,
        call_sts: StsCall,
        credential_source: Callable[[str], AwsCredentials] | None,
    ) -> None:
        self._environ = environ
        self._registry = registry
        self._call_sts = call_sts
        self._credential_source = credential_source
        self._config_file = self._path("AWS_CONFIG_FILE", "~/.aws/config")
        self._credentials_file = self._path("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")

    def resolve(self, profile: str | None) -> LauncherCredentials | None:
        """See `AwsPort.profile_credentials`."""
        named = profile or self._environ.get("AWS_PROFILE", "").strip() or None
        name = named or "default"
        try:
            return self._resolve(name, is_named=named is not None)
        except PartialCredentialsError as error:
            raise PartialCredentials(
                f"profile '{name}' is incomplete: {_clause(error)}",
                hint=f"complete it in {self._files()}",
            ) from None
        except InfiniteLoopConfigError:
            raise SourceBroken(
                f"profile '{name}' leads back to itself by its source_profile",
                hint=f"let the chain of source_profile end in credentials, in {self._files()}",
            ) from None
        except SSOError as error:
            raise SourceBroken(
                f"the SSO session of profile '{name}' does not work: {_clause(error)}",
                hint=f"sign in: aws sso login --profile {name}",
            ) from None
        except OSError as error:
            raise SourceBroken(
                f"profile '{name}' names '{error.filename}', which cannot be read "
                f"({error.strerror})",
                hint=f"correct the path in {self._files()}, or the file's permissions",
            ) from None
        except (BotoCoreError, ClientError, RuntimeError) as error:
            what = "cannot be read" if isinstance(error, ConfigParseError) else "does not work"
            raise SourceBroken(
                f"profile '{name}' {what}: {_clause(error)}",
                hint=f"correct it in {self._files()}",
            ) from None

    def _resolve(self, name: str, *, is_named: bool) -> LauncherCredentials | None:
        session = Session(
            session_vars={
                "config_file": (None, None, self._config_file, None),
                "credentials_file": (None, None, self._credentials_file, None),
            },
            profile=name,
        )
        section = session.full_config.get("profiles", {}).get(name)
        if section is None:
            return self._absent(name, "does not exist", is_named=is_named)
        self._check_pair(name, section)
        region = section.get("region") or None
        sts = _Sts(self._call_sts, region)
        found = self._providers(session, name, sts).load_credentials()
        if found is None:
            return self._absent(name, "holds no credentials", is_named=is_named)
        return LauncherCredentials(
            credentials=self._credentials(name, found),
            source="profile",
            description=f"profile '{name}'",
            arn=sts.arn,
            region=region,
        )

    def _providers(self, session: Session, name: str, sts: _Sts) -> CredentialResolver:
        home = self._environ.get("HOME", "")
        builder = _Builder(
            session,
            sts,
            cache={},
            sso_token_cache=JSONFileCache(os.path.join(home, ".aws", "sso", "cache")),
        )
        assume_role = AssumeRoleProvider(
            load_config=lambda: session.full_config,
            client_creator=sts.create,
            cache={},
            profile_name=name,
            prompter=_refuse_mfa,
            credential_sourcer=_Sourcer(self._credential_source),  # type: ignore[arg-type]
            profile_provider_builder=builder,
        )
        return CredentialResolver([assume_role, *builder.providers(name, disable_env_vars=True)])

    def _credentials(self, name: str, found: Credentials) -> AwsCredentials:
        frozen = found.get_frozen_credentials()
        key_id, secret, token = frozen.access_key, frozen.secret_key, frozen.token
        for value, title in ((secret, "secret access key"), (token, "session token")):
            self._registry.add(value or "", name=f"{title} of profile '{name}'")
        if not key_id or not secret:
            raise PartialCredentials(
                f"profile '{name}' is incomplete: its access key is blank",
                hint=f"complete it in {self._files()}",
            )
        expires_at = getattr(found, "_expiry_time", None)
        return AwsCredentials(
            access_key_id=key_id,
            secret_access_key=Secret(secret),
            session_token=Secret(token) if token else None,
            expires_at=expires_at.astimezone(UTC) if isinstance(expires_at, datetime) else None,
        )

    def _check_pair(self, name: str, section: Mapping[str, Any]) -> None:
        """botocore passes over a secret key without its id, and with it over what was meant."""
        if "aws_secret_access_key" in section and "aws_access_key_id" not in section:
            raise PartialCredentials(
                f"profile '{name}' has aws_secret_access_key, but no aws_access_key_id",
                hint=f"complete it in {self._files()}",
            )

    def _absent(self, name: str, what: str, *, is_named: bool) -> LauncherCredentials | None:
        if not is_named:
            return None
        raise SourceBroken(
            f"profile '{name}' {what}",
            hint=f"looked in {self._files()}; correct the name or the file",
        )

    def _path(self, variable: str, default: str) -> str:
        path = self._environ.get(variable, "").strip() or default
        home = self._environ.get("HOME", "")
        return home + path[1:] if home and path.startswith("~/") else path

    def _files(self) -> str:
        return f"'{self._config_file}' and '{self._credentials_file}'"


class _Sts:
    """What botocore's providers take for an STS client. Remembers the last role's session ARN."""

    def __init__(self, call: StsCall, region: str | None) -> None:
        self._call = call
        self._region = region
        self._credentials: AwsCredentials | None = None
        self.arn: str | None = None

    def create(
        self,
        _service: str,
        *,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
        **_options: Any,
    ) -> Any:
        """A client with other credentials: the interface of ``Session.create_client``."""
        self._credentials = (
            AwsCredentials(
                access_key_id=aws_access_key_id,
                secret_access_key=Secret(aws_secret_access_key),
                session_token=Secret(aws_session_token) if aws_session_token else None,
            )
            if aws_access_key_id and aws_secret_access_key
            else None
        )
        return self

    def assume_role(self, **params: Any) -> dict[str, Any]:
        """As botocore's client."""
        return self._ask("AssumeRole", params, self._credentials)

    def assume_role_with_web_identity(self, **params: Any) -> dict[str, Any]:
        """As botocore's client."""
        params["WebIdentityToken"] = params["WebIdentityToken"].strip()
        return self._ask("AssumeRoleWithWebIdentity", params, None)

    def _ask(
        self, operation: str, params: Mapping[str, Any], credentials: AwsCredentials | None
    ) -> dict[str, Any]:
        fields = dict(self._call(self._region, operation, params, credentials))
        self.arn = (fields.get("AssumedRoleUser") or {}).get("Arn")
        return fields


class _Builder(ProfileProviderBuilder):
    def __init__(self, session: Session, sts: _Sts, **options: Any) -> None:
        super().__init__(session, **options)
        self._config_of = session
        self._sts = sts

    def _create_web_identity_provider(
        self, profile_name: str, disable_env_vars: bool
    ) -> AssumeRoleWithWebIdentityProvider:
        return AssumeRoleWithWebIdentityProvider(
            load_config=lambda: self._config_of.full_config,
            client_creator=self._sts.create,
            cache={},
            profile_name=profile_name,
            disable_env_vars=disable_env_vars,
        )


class _Sourcer:
    """Answers ``credential_source`` with calamari's own sources."""

    def __init__(self, ask: Callable[[str], AwsCredentials] | None) -> None:
        self._ask = ask

    def is_supported(self, source_name: str) -> bool:
        """Whether AWS defines `source_name`."""
        return source_name in CREDENTIAL_SOURCES

    def source_credentials(self, source_name: str) -> Credentials:
        """The credentials of the source, or SourceBroken."""
        if self._ask is None:
            raise SourceBroken(
                f"credential_source '{source_name}' is not available here",
                hint="use source_profile instead, or another account type",
            )
        found = self._ask(source_name)
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


def _clause(error: Exception) -> str:
    """botocore's message as one clause of ours."""
    text = " ".join(str(error).split()).rstrip(". ").replace('"', "'")
    return text[:1].lower() + text[1:300]
