"""The shared config files, read by botocore's own providers.

botocore decides what a profile means: static keys, ``source_profile``, ``credential_process``, SSO,
web identity. `profile_providers` says what is ours of it. A profile says who calls AWS; how AWS is
reached (endpoints, certificates, proxies) is the environment's alone, and a profile that has such
settings is named in a warning. Only its region counts, where the step has none.

Imported when a profile is asked for: this module brings botocore's session with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.credentials import Credentials
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    InfiniteLoopConfigError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from calamari_py.aws.profile_process import RunProcess
from calamari_py.aws.profile_providers import Ask, ProfileSession, Road
from calamari_py.errors import CloudError, PartialCredentials, SourceBroken, Temporary
from calamari_py.identity import AwsCredentials, LauncherCredentials
from calamari_py.masking import SecretRegistry
from calamari_py.masking.secret import Secret

_ENVIRONMENT_ONLY = {
    "ca_bundle": "AWS_CA_BUNDLE",
    "endpoint_url": "AWS_ENDPOINT_URL",
    "services": "AWS_ENDPOINT_URL_STS",
    "use_dualstack_endpoint": "AWS_USE_DUALSTACK_ENDPOINT",
    "use_fips_endpoint": "AWS_USE_FIPS_ENDPOINT",
}


class Profiles:
    """The profiles that `environ` leads to: ``AWS_CONFIG_FILE``, ``AWS_SHARED_CREDENTIALS_FILE``,
    ``HOME``. Nothing is taken from this process's own environment.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        registry: SecretRegistry,
        *,
        ask: Ask,
        warn: Callable[[str], None],
        credential_source: Callable[[str], AwsCredentials] | None,
        run_process: RunProcess | None,
        session_name: str | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._environ = environ
        self._registry = registry
        self._ask = ask
        self._warn = warn
        self._credential_source = credential_source
        self._run_process = run_process
        self._session_name = session_name
        self._clock = clock
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
        except (SSOError, TokenRetrievalError) as error:
            raise _sso_broken(name, _clause(error)) from None
        except CloudError as error:
            if isinstance(error, Temporary) or error.service != "sso":
                raise
            raise _sso_broken(name, error.message) from None
        except OSError as error:
            raise SourceBroken(
                f"profile '{name}' names '{error.filename}', which cannot be read "
                f"({error.strerror})",
                hint=f"correct the path in {self._files()}, or the file's permissions",
            ) from None
        except (BotoCoreError, ClientError, RuntimeError, ValueError) as error:
            what = "cannot be read" if isinstance(error, ConfigParseError) else "does not work"
            raise SourceBroken(
                f"profile '{name}' {what}: {_clause(error)}",
                hint=f"correct it in {self._files()}",
            ) from None

    def _resolve(self, name: str, *, is_named: bool) -> LauncherCredentials | None:
        road = Road(
            self._ask, self._registry, self._credential_source, self._run_process, self._clock
        )
        session = ProfileSession(
            road,
            profile=name,
            config_file=self._config_file,
            credentials_file=self._credentials_file,
            home=self._environ.get("HOME", ""),
        )
        profiles = session.full_config.get("profiles", {})
        section = profiles.get(name)
        if section is None:
            return self._absent(name, "does not exist", is_named=is_named)
        self._check_pair(name, section)
        self._name_what_is_not_used(name, profiles)
        self._name_sessions(profiles)
        road.region = section.get("region") or None
        found = session.providers(name).load_credentials()
        if found is None:
            return self._absent(name, "holds no credentials", is_named=is_named)
        return LauncherCredentials(
            credentials=self._credentials(name, found),
            source="profile",
            description=f"profile '{name}'",
            arn=road.arn,
            region=road.region,
            request_id=road.request_id,
        )

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

    def _name_what_is_not_used(self, name: str, profiles: Mapping[str, Any]) -> None:
        for profile in _chain(name, profiles):
            section = profiles[profile]
            for key, variable in _ENVIRONMENT_ONLY.items():
                if key in section and not self._environ.get(variable, "").strip():
                    self._warn(
                        f"ignored: '{key}' of profile '{profile}'; how AWS is reached is set in "
                        f"the environment, by {variable}"
                    )
            if str(section.get("sts_regional_endpoints", "")).lower() == "legacy":
                self._warn(
                    f"ignored: 'sts_regional_endpoints = legacy' of profile '{profile}'; STS is "
                    "always asked in the step's region"
                )

    def _name_sessions(self, profiles: Mapping[str, Any]) -> None:
        """CloudTrail shall show the step, not ``botocore-session-`` and a time, where the profile
        says nothing. Changes what the session has read, not the files."""
        if self._session_name is None:
            return
        for section in profiles.values():
            if "role_arn" in section:
                section.setdefault("role_session_name", self._session_name)

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


def _chain(name: str, profiles: Mapping[str, Any]) -> Iterator[str]:
    """`name` and the profiles that its source_profile leads to, each once."""
    seen: set[str] = set()
    while name in profiles and name not in seen:
        seen.add(name)
        yield name
        name = str(profiles[name].get("source_profile", ""))


def _sso_broken(name: str, why: str) -> SourceBroken:
    return SourceBroken(
        f"the SSO session of profile '{name}' does not work: {why}",
        hint=f"sign in: aws sso login --profile {name}",
    )


def _clause(error: Exception) -> str:
    """botocore's message as one clause of ours."""
    text = " ".join(str(error).split()).rstrip(". ").replace('"', "'")
    return text[:1].lower() + text[1:300]
