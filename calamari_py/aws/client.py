"""BotoAws: the calls of `AwsPort`, made with botocore."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Self

from calamari_py.aws import failures
from calamari_py.aws.calls import Calls, Pace, utc_now
from calamari_py.aws.failures import Call, Reply
from calamari_py.aws.port import Parameter
from calamari_py.aws.settings import AwsSettings
from calamari_py.errors import CloudError
from calamari_py.identity import (
    MAX_CHAINED_DURATION,
    AssumedRole,
    AwsCredentials,
    LauncherCredentials,
    Principal,
    RoleArn,
    RoleRequest,
    clamp_chained,
    duration_text,
)
from calamari_py.masking import SecretRegistry
from calamari_py.masking.secret import Secret

_FRESH_SECONDS = 15.0


class BotoAws:
    """AWS itself, as `settings` reach it. One object a run: connections and the clock's correction
    are kept. It may be used from several threads.

    `credential_source` answers a profile's ``credential_source`` (``Environment``,
    ``Ec2InstanceMetadata``, ``EcsContainer``) and raises SourceBroken when it cannot.
    """

    def __init__(
        self,
        settings: AwsSettings,
        registry: SecretRegistry,
        environ: Mapping[str, str],
        *,
        credential_source: Callable[[str], AwsCredentials] | None = None,
        clock: Callable[[], datetime] = utc_now,
        pace: Pace | None = None,
    ) -> None:
        self.settings = settings
        self._registry = registry
        self._environ = environ
        self._credential_source = credential_source
        self._clock = clock
        self._pace = pace or Pace()
        self._calls = Calls(settings, registry, environ, clock=clock, pace=self._pace)
        self._minted: dict[str, float] = {}

    def in_region(self, region: str) -> Self:
        """The same in another region: for a region that only the launcher's source knows."""
        other = type(self)(
            dataclasses.replace(self.settings, region=region),
            self._registry,
            self._environ,
            credential_source=self._credential_source,
            clock=self._clock,
            pace=self._pace,
        )
        other._calls.take_over(self._calls)
        other._minted.update(self._minted)
        return other

    def take_warnings(self) -> tuple[str, ...]:
        """Warnings (a clock that is off) that no `AssumedRole` has carried yet."""
        return self._calls.take_warnings()

    def assume_role(self, credentials: AwsCredentials, request: RoleRequest) -> AssumedRole:
        """See `AwsPort`. A duration that AWS refuses as too long is asked for once more at 1 h."""
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
        if value is None:
            raise self._unexpected(call, reply, "without a value")
        sensitive = found.get("Type") not in {"String", "StringList"}
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
        if value is None:
            raise self._unexpected(call, reply, "without a value")
        return Secret(value)

    def profile_credentials(self, profile: str | None) -> LauncherCredentials | None:
        """See `AwsPort`."""
        from calamari_py.aws.profiles import Profiles

        return Profiles(
            self._environ,
            self._registry,
            call_sts=self._call_for_profile,
            credential_source=self._credential_source,
        ).resolve(profile)

    def _assume(
        self, credentials: AwsCredentials | None, request: RoleRequest, token: Secret | None
    ) -> AssumedRole:
        self._check_partition(request.role)
        try:
            return self._assume_once(credentials, request, token)
        except CloudError as error:
            shorter, warning = _shorten(request, error)
            if warning is None:
                raise
        assumed = self._assume_once(credentials, shorter, token)
        return dataclasses.replace(assumed, warnings=(*assumed.warnings, warning))

    def _assume_once(
        self, credentials: AwsCredentials | None, request: RoleRequest, token: Secret | None
    ) -> AssumedRole:
        params = _role_params(request)
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
        return AssumedRole(
            credentials=new,
            principal=principal,
            duration=request.duration,
            request_id=reply.request_id,
            warnings=self._calls.take_warnings(),
        )

    def _new_credentials(self, call: Call, reply: Reply, keys: Mapping[str, Any]) -> AwsCredentials:
        parts = [str(keys.get(name) or "").strip() for name in _KEY_PARTS]
        expires_at = keys.get("Expiration")
        if not all(parts) or not isinstance(expires_at, datetime):
            raise self._unexpected(call, reply, "without credentials")
        key_id, secret, token = parts
        return AwsCredentials(
            access_key_id=key_id,
            secret_access_key=Secret(secret),
            session_token=Secret(token),
            expires_at=expires_at.astimezone(UTC),
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

    def _run(self, call: Call) -> Reply:
        minted = self._minted.get(call.credentials.access_key_id) if call.credentials else None
        fresh = minted is not None and self._pace.monotonic() - minted < _FRESH_SECONDS
        return self._calls.run(call, fresh_key=fresh)

    def _call_for_profile(
        self,
        region: str | None,
        operation: str,
        params: Mapping[str, Any],
        credentials: AwsCredentials | None,
    ) -> Mapping[str, Any]:
        """What botocore's profile providers ask of STS, by the same road as our own calls.

        `region` is the profile's: used where the step has none.
        """
        if self.settings.region is None and region is not None:
            return self.in_region(region)._call_for_profile(None, operation, params, credentials)
        self._register_inputs(params, credentials)
        call = Call(
            service="sts",
            operation=operation,
            params=params,
            credentials=credentials,
            subject=f"role '{params.get('RoleArn', '')}'",
        )
        reply = self._run(call)
        fields = reply.fields or {}
        self._new_credentials(call, reply, fields.get("Credentials") or {})
        return fields

    def _register_inputs(
        self, params: Mapping[str, Any], credentials: AwsCredentials | None
    ) -> None:
        """Secrets that only botocore has seen so far: of a source profile, of a token file."""
        self._registry.add(params.get("WebIdentityToken") or "", name="web identity token")
        if credentials is not None:
            self._registry.add(credentials.secret_access_key.reveal(), name="secret access key")
            if credentials.session_token is not None:
                self._registry.add(credentials.session_token.reveal(), name="session token")

    def _unexpected(self, call: Call, reply: Reply, what: str) -> CloudError:
        return failures.unexpected(call, reply, what, self._calls.evidence(call, reply))

    def _check_partition(self, role: RoleArn) -> None:
        """A role lies in one partition, credentials and endpoints too: say so before STS does."""
        region = self.settings.region
        if region is None or self.settings.endpoint("sts") is not None:
            return
        partition = self._calls.wire.partition(region)
        if partition != role.partition:
            raise CloudError(
                f"role '{role}' lies in partition '{role.partition}', region '{region}' in "
                f"'{partition}'",
                service="sts",
                operation="AssumeRole",
                code="WrongPartition",
                hint=f"set a region of partition '{role.partition}' in the manifest",
            )


_KEY_PARTS = ("AccessKeyId", "SecretAccessKey", "SessionToken")


def _role_params(request: RoleRequest) -> dict[str, Any]:
    """`request` in STS's own names; what is not set is left out."""
    params: dict[str, Any] = {
        "RoleArn": str(request.role),
        "RoleSessionName": request.session_name,
        "DurationSeconds": request.duration,
        "ExternalId": request.external_id,
        "Policy": request.policy,
        "PolicyArns": [{"arn": arn} for arn in request.policy_arns],
        "Tags": [{"Key": key, "Value": value} for key, value in request.tags.items()],
        "TransitiveTagKeys": list(request.transitive_tags),
        "SourceIdentity": request.source_identity,
    }
    return {name: value for name, value in params.items() if value is not None and value != []}


def _shorten(request: RoleRequest, error: CloudError) -> tuple[RoleRequest, str | None]:
    """The request to make instead when AWS refused only because of the duration."""
    if error.code != "ValidationError" or request.duration <= MAX_CHAINED_DURATION:
        return request, None
    if "role chaining" in error.message:
        return clamp_chained(request, chained=True)
    if "MaxSessionDuration" not in error.message:
        return request, None
    return dataclasses.replace(request, duration=MAX_CHAINED_DURATION), (
        f"role '{request.role}' does not allow sessions of {duration_text(request.duration)} "
        "(MaxSessionDuration); it is assumed for 1h"
    )
