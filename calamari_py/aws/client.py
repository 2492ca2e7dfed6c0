"""BotoAws: the calls of `AwsPort`, made with botocore."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from calamari_py.aws import failures
from calamari_py.aws.calls import PLAIN_TYPES, Calls, Pace, utc_now
from calamari_py.aws.failures import Call, Reply, is_text
from calamari_py.aws.port import Parameter
from calamari_py.aws.roles import easier_request, parse_policy, role_params
from calamari_py.aws.settings import AwsSettings
from calamari_py.errors import CloudError
from calamari_py.identity import (
    AssumedRole,
    AwsCredentials,
    LauncherCredentials,
    Principal,
    RoleArn,
    RoleRequest,
    as_utc,
)
from calamari_py.masking import SecretRegistry
from calamari_py.masking.secret import Secret

if TYPE_CHECKING:
    from calamari_py.aws.wire import Wire

_FRESH_SECONDS = 15.0


class BotoAws:
    """AWS itself, as `settings` reach it. One object a run: connections and the clock's correction
    are kept. It may be used from several threads.

    `credential_source` answers a profile's ``credential_source`` (``Environment``,
    ``Ec2InstanceMetadata``, ``EcsContainer``) and raises SourceBroken when it cannot.
    `run_process` runs the command of a profile's ``credential_process`` (an argv as botocore
    splits it, no shell) and returns what it wrote to stdout, or raises SourceBroken; it owns the
    program's path, environment and time limit. Without it such profiles are broken.
    `session_name` is for the roles of profiles that set no ``role_session_name``; without it they
    get one of botocore's making.
    """

    def __init__(
        self,
        settings: AwsSettings,
        registry: SecretRegistry,
        environ: Mapping[str, str],
        *,
        credential_source: Callable[[str], AwsCredentials] | None = None,
        run_process: Callable[[Sequence[str]], bytes] | None = None,
        session_name: str | None = None,
        clock: Callable[[], datetime] = utc_now,
        pace: Pace | None = None,
    ) -> None:
        self.settings = settings
        self._registry = registry
        self._environ = environ
        self._credential_source = credential_source
        self._run_process = run_process
        self._session_name = session_name
        self._clock = clock
        self._pace = pace or Pace()
        self._calls = Calls(settings, registry, environ, clock=clock, pace=self._pace)
        self._minted: dict[str, float] = {}
        self._chained: set[str] = set()

    def in_region(self, region: str) -> Self:
        """The same in another region: for a region that only the launcher's source knows."""
        other = type(self)(
            dataclasses.replace(self.settings, region=region),
            self._registry,
            self._environ,
            credential_source=self._credential_source,
            run_process=self._run_process,
            session_name=self._session_name,
            clock=self._clock,
            pace=self._pace,
        )
        other._calls.share(self._calls)
        other._minted, other._chained = self._minted, self._chained
        return other

    def take_warnings(self) -> tuple[str, ...]:
        """See `AwsPort`."""
        return self._calls.take_warnings()

    def clock_offset(self) -> timedelta:
        """See `AwsPort`."""
        return self._calls.clock_offset()

    def assume_role(self, credentials: AwsCredentials, request: RoleRequest) -> AssumedRole:
        """See `AwsPort`."""
        return self._assume(credentials, request, None)

    def assume_role_with_web_identity(
        self, *, token: Secret, role: RoleArn, session_name: str, duration: int
    ) -> AssumedRole:
        """See `AwsPort`. The duration is treated as `assume_role` does."""
        self._registry.add(token.reveal(), name=f"web identity token for role '{role}'")
        request = RoleRequest(role=role, session_name=session_name, duration=duration)
        return self._assume(None, request, token)

    def caller_identity(self, credentials: AwsCredentials) -> Principal:
        """See `AwsPort`."""
        call = Call(
            service="sts", operation="GetCallerIdentity", params={}, credentials=credentials
        )
        reply = self._run(call)
        try:
            return Principal.parse(str((reply.fields or {}).get("Arn") or ""))
        except ValueError:
            raise self._unexpected(call, reply, "without an ARN") from None

    def parameter(self, credentials: AwsCredentials, name: str) -> Parameter:
        """See `AwsPort`."""
        call = Call(
            service="ssm",
            operation="GetParameter",
            params={"Name": name, "WithDecryption": True},
            credentials=credentials,
            subject=f"parameter '{name}'",
        )
        reply = self._run(call)
        found = (reply.fields or {}).get("Parameter") or {}
        value = found.get("Value")
        if not is_text(value):
            raise self._unexpected(call, reply, "without a value")
        sensitive = found.get("Type") not in PLAIN_TYPES
        return Parameter(value=Secret(value), sensitive=sensitive)

    def secret(self, credentials: AwsCredentials, secret_id: str) -> Secret:
        """See `AwsPort`."""
        call = Call(
            service="secretsmanager",
            operation="GetSecretValue",
            params={"SecretId": secret_id},
            credentials=credentials,
            subject=f"secret '{secret_id}'",
        )
        reply = self._run(call)
        fields = reply.fields or {}
        value = fields.get("SecretString")
        if value is None:
            value = fields.get("SecretBinary")
        if not is_text(value) and not isinstance(value, bytes):
            raise self._unexpected(call, reply, "without a value")
        return Secret(value)

    def trust_policy(self, credentials: AwsCredentials, role: RoleArn) -> Mapping[str, Any]:
        """See `AwsPort`."""
        call = Call(
            service="iam",
            operation="GetRole",
            params={"RoleName": role.name},
            credentials=credentials,
            subject=f"role '{role}'",
        )
        reply = self._calls.run(call, budget=0.0)
        found = (reply.fields or {}).get("Role") or {}
        if found.get("Arn") != str(role):
            raise failures.another_role(call, reply, str(found.get("Arn")))
        document = parse_policy(str(found.get("AssumeRolePolicyDocument") or ""))
        if document is None:
            raise self._unexpected(call, reply, "without a trust policy")
        return document

    def sign_in_url(
        self,
        credentials: AwsCredentials,
        *,
        destination: str | None = None,
        issuer: str | None = None,
        session_duration: int | None = None,
    ) -> Secret:
        """See `AwsPort`."""
        from calamari_py.aws import signin

        is_chained = credentials.access_key_id in self._chained
        call = signin.token_call(credentials, None if is_chained else session_duration)
        reply = self._run(call)
        token = (reply.fields or {}).get("SigninToken")
        if not is_text(token) or not token:
            raise self._unexpected(call, reply, "without a sign-in token")
        url = signin.login_url(
            self._wire.url(signin.SERVICE),
            console=self._wire.endpoints.console(),
            token=token,
            destination=destination,
            issuer=issuer,
        )
        self._registry.add(url, name="sign-in URL")
        return Secret(url)

    def call(
        self,
        credentials: AwsCredentials,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        subject: str = "",
        budget: float | None = None,
    ) -> Mapping[str, Any]:
        """See `AwsPort`."""
        call = Call(
            service=service,
            operation=operation,
            params=params,
            credentials=credentials,
            subject=subject,
        )
        fields = self._run(call, budget).fields or {}
        return {name: value for name, value in fields.items() if name != "ResponseMetadata"}

    def profile_credentials(self, profile: str | None) -> LauncherCredentials | None:
        """See `AwsPort`."""
        from calamari_py.aws.profiles import Profiles

        return Profiles(
            self._environ,
            self._registry,
            ask=self._ask_for_profile,
            warn=self._calls.warn,
            credential_source=self._credential_source,
            run_process=self._run_process,
            session_name=self._session_name,
            clock=self._clock,
        ).resolve(profile)

    def _assume(
        self, credentials: AwsCredentials | None, request: RoleRequest, token: Secret | None
    ) -> AssumedRole:
        self._check_partition(request.role)
        given_up: list[str] = []
        while True:
            try:
                assumed = self._assume_once(credentials, request, token)
                break
            except CloudError as error:
                easier = easier_request(request, error)
                if easier is None:
                    raise
                request, warning = easier
                given_up.append(warning)
        return dataclasses.replace(assumed, warnings=(*assumed.warnings, *given_up))

    def _assume_once(
        self, credentials: AwsCredentials | None, request: RoleRequest, token: Secret | None
    ) -> AssumedRole:
        params = role_params(request)
        if token is not None:
            params["WebIdentityToken"] = token.reveal()
        call = Call(
            service="sts",
            operation="AssumeRole" if token is None else "AssumeRoleWithWebIdentity",
            params=params,
            credentials=credentials,
            subject=f"role '{request.role}'",
        )
        reply = self._run(call)
        fields = reply.fields or {}
        new = self._new_credentials(call, reply, fields.get("Credentials") or {})
        principal = self._assumed_principal(call, reply, fields, new)
        if (principal.account, principal.role) != (request.role.account, request.role.name):
            raise self._unexpected(call, reply, f"for another identity, '{principal.arn}'")
        self._minted[new.access_key_id] = self._pace.monotonic()
        if credentials is not None and credentials.session_token is not None:
            self._chained.add(new.access_key_id)
        return AssumedRole(
            credentials=new,
            principal=principal,
            duration=request.duration,
            request_id=reply.request_id,
            warnings=self._calls.take_warnings(),
        )

    def _new_credentials(self, call: Call, reply: Reply, keys: Mapping[str, Any]) -> AwsCredentials:
        parts = [str(keys.get(name) or "").strip() for name in _KEY_PARTS]
        try:
            expires_at = as_utc(keys["Expiration"])
        except (KeyError, ValueError):
            expires_at = None
        if not all(parts) or expires_at is None:
            raise self._unexpected(call, reply, "without credentials")
        key_id, secret, token = parts
        return AwsCredentials(
            access_key_id=key_id,
            secret_access_key=Secret(secret),
            session_token=Secret(token),
            expires_at=expires_at,
        )

    def _assumed_principal(
        self, call: Call, reply: Reply, fields: Mapping[str, Any], new: AwsCredentials
    ) -> Principal:
        arn = (fields.get("AssumedRoleUser") or {}).get("Arn")
        if not arn:
            return self.caller_identity(new)
        try:
            return Principal.parse(str(arn))
        except ValueError:
            raise self._unexpected(call, reply, "with an ARN that is none") from None

    @property
    def _wire(self) -> Wire:
        return self._calls.wire

    def _run(self, call: Call, budget: float | None = None) -> Reply:
        minted = self._minted.get(call.credentials.access_key_id) if call.credentials else None
        fresh = minted is not None and self._pace.monotonic() - minted < _FRESH_SECONDS
        return self._calls.run(call, fresh_key=fresh, budget=budget)

    def _ask_for_profile(self, call: Call, region: str | None, *, exactly: bool) -> Reply:
        """What botocore's profile providers ask, by the same road as our own calls."""
        if region is not None and (exactly or self.settings.region is None):
            return self.in_region(region)._ask_for_profile(call, None, exactly=False)
        reply = self._run(call)
        fields = reply.fields or {}
        if call.service == "sts":
            self._new_credentials(call, reply, fields.get("Credentials") or {})
        elif call.operation == "GetRoleCredentials":
            self._check_portal_keys(call, reply, fields.get("roleCredentials") or {})
        elif not is_text(fields.get("accessToken")) or not _is_time(fields.get("expiresIn")):
            raise self._unexpected(call, reply, "without a token")
        return reply

    def _check_portal_keys(self, call: Call, reply: Reply, keys: Mapping[str, Any]) -> None:
        """botocore takes them as they come; the expiry is in milliseconds."""
        parts = [keys.get(name) for name in ("accessKeyId", "secretAccessKey", "sessionToken")]
        if not all(map(is_text, parts)) or not _is_time(keys.get("expiration"), unit=1000):
            raise self._unexpected(call, reply, "without credentials")

    def _unexpected(self, call: Call, reply: Reply, what: str) -> CloudError:
        return failures.unexpected(call, reply, what, self._calls.evidence(call, reply))

    def _check_partition(self, role: RoleArn) -> None:
        """A role lies in one partition, credentials and endpoints too: say so before STS does."""
        region = self.settings.region
        if region is None or self.settings.endpoint("sts") is not None:
            return
        partition = self._wire.endpoints.partition(region)
        if partition != role.partition:
            raise CloudError(
                f"role '{role}' lies in partition '{role.partition}', region '{region}' in "
                f"'{partition}'",
                service="sts",
                operation="AssumeRole",
                code="WrongPartition",
                hint=f"set a region of partition '{role.partition}' in the manifest",
            )


def _is_time(value: object, *, unit: int = 1) -> bool:
    """Whether `value` is a number of seconds that a time can be reckoned with; so many `unit` make
    a second."""
    return isinstance(value, int | float) and 0 <= value < 10**10 * unit


_KEY_PARTS = ("AccessKeyId", "SecretAccessKey", "SessionToken")
