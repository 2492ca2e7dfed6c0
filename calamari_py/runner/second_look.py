"""Why a role was refused: its trust policy, read with a profile that may read it.

The launcher may not; a person with access to the role's account can lend theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from calamari_py.aws import AwsPort, AwsSettings
from calamari_py.errors import CalamariError, CloudError
from calamari_py.identity import AssumedRole, AwsCredentials, RoleArn, RoleRequest
from calamari_py.masking.secret import Secret
from calamari_py.runner.identity import IdentityInputs

_TOKEN_CODES = frozenset({"AccessDenied", "InvalidIdentityToken"})
"""What STS answers to a token that the role's trust policy, or its account, does not want."""

Explain = Callable[[Mapping[str, Any]], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refused:
    role: RoleArn
    aws: AwsPort
    explain: Explain


class SecondLook:
    """Notes which roles AWS refuses; `lines` then says what their trust policies have against it.

    `profile` is one of the shared config files.
    """

    def __init__(self, profile: str) -> None:
        self._profile = profile
        self._refused: list[_Refused] = []

    def watching(self, inputs: IdentityInputs) -> IdentityInputs:
        """`inputs` whose calls are watched."""

        def make_aws(settings: AwsSettings, **answers: Any) -> AwsPort:
            return _watched(inputs.make_aws(settings, **answers), self._refused)

        return replace(inputs, make_aws=make_aws)

    def lines(self) -> tuple[str, ...]:
        """For each refused role a heading and the differences, or why they cannot be told."""
        return tuple(line for refused in self._refused for line in self._lines_of(refused))

    def _lines_of(self, refused: _Refused) -> tuple[str, ...]:
        try:
            reader = refused.aws.profile_credentials(self._profile)
            if reader is None:
                return (f"the profile '{self._profile}' has no credentials",)
            aws = refused.aws.in_region(reader.region) if reader.region else refused.aws
            differences = refused.explain(aws.trust_policy(reader.credentials, refused.role))
        except CalamariError as error:
            reason = f"{error.message}; {error.hint}" if error.hint else error.message
            if isinstance(error, CloudError) and error.code == "NoSuchEntity":
                reason = f"it is no profile of account {refused.role.account}, or there is no role"
            about = f"the trust policy of '{refused.role}' with profile '{self._profile}'"
            return (f"cannot compare with {about}: {reason}",)
        heading = f"trust policy of '{refused.role}', read with profile '{self._profile}':"
        return (heading, *differences)


def _watched(aws: AwsPort, refused: list[_Refused]) -> AwsPort:
    return cast("AwsPort", _Watched(aws, refused))


class _Watched:
    """An AwsPort that notes the roles it is refused; everything else passes through."""

    def __init__(self, aws: AwsPort, refused: list[_Refused]) -> None:
        self._aws = aws
        self._refused = refused

    def __getattr__(self, name: str) -> Any:
        return getattr(self._aws, name)

    def in_region(self, region: str) -> AwsPort:
        return _watched(self._aws.in_region(region), self._refused)

    def assume_role(self, credentials: AwsCredentials, request: RoleRequest) -> AssumedRole:
        try:
            return self._aws.assume_role(credentials, request)
        except CloudError as error:
            if error.code == "AccessDenied":
                self._note(
                    request.role, lambda document: self._explain(document, credentials, request)
                )
            raise

    def _explain(
        self, document: Mapping[str, Any], credentials: AwsCredentials, request: RoleRequest
    ) -> tuple[str, ...]:
        from calamari_py.trust import explain_assume_role

        return explain_assume_role(
            document,
            role=request.role,
            caller_arn=self._aws.caller_identity(credentials).arn,
            external_id=request.external_id,
            tags=bool(request.tags),
            source_identity=request.source_identity is not None,
        )

    def assume_role_with_web_identity(
        self, *, token: Secret, role: RoleArn, session_name: str, duration: int
    ) -> AssumedRole:
        try:
            return self._aws.assume_role_with_web_identity(
                token=token, role=role, session_name=session_name, duration=duration
            )
        except CloudError as error:
            if error.code in _TOKEN_CODES:
                self._note(role, lambda document: _explain_token(document, token, role))
            raise

    def _note(self, role: RoleArn, explain: Explain) -> None:
        self._refused.append(_Refused(role=role, aws=self._aws, explain=explain))


def _explain_token(document: Mapping[str, Any], token: Secret, role: RoleArn) -> tuple[str, ...]:
    from calamari_py.credentials._tokens import decode_claims
    from calamari_py.trust import explain_web_identity

    return explain_web_identity(document, role=role, claims=decode_claims(token))
