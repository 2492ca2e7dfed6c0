"""AwsPort: every AWS call that calamari makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, Self

from calamari_py.identity import (
    AssumedRole,
    AwsCredentials,
    LauncherCredentials,
    Principal,
    RoleArn,
    RoleRequest,
)
from calamari_py.masking.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One SSM parameter. `sensitive` is true for a SecureString."""

    value: Secret
    sensitive: bool


class AwsPort(Protocol):
    """Every AWS call that calamari makes. All raise CloudError (Temporary when worth a retry)."""

    def in_region(self, region: str) -> Self:
        """The same in another region: for one that only the launcher's source knows."""

    def take_warnings(self) -> tuple[str, ...]:
        """Warnings that nobody has been given yet: of a clock that is off, of a profile's settings
        that are not used. An `AssumedRole` carries those that came up before it.
        """

    def clock_offset(self) -> timedelta:
        """AWS's clock less this machine's, as the last answer of STS showed it; zero before. What
        AWS says of an expiry is by its own clock.
        """

    def assume_role(self, credentials: AwsCredentials, request: RoleRequest) -> AssumedRole:
        """``sts:AssumeRole`` at the regional endpoint, in the partition of the role.

        A duration that is too long, and default tags that are refused, are given up once each,
        with a warning.
        """

    def assume_role_with_web_identity(
        self, *, token: Secret, role: RoleArn, session_name: str, duration: int
    ) -> AssumedRole:
        """``sts:AssumeRoleWithWebIdentity``; unsigned."""

    def caller_identity(self, credentials: AwsCredentials) -> Principal:
        """``sts:GetCallerIdentity``."""

    def trust_policy(self, credentials: AwsCredentials, role: RoleArn) -> Mapping[str, Any]:
        """``iam:GetRole``: the policy document that says who may assume `role`.

        A diagnosis, never worth waiting for: one attempt of a few seconds. IAM finds roles in the
        account of `credentials` alone; a role of the same name but another ARN is a CloudError
        with the code ``NoSuchEntity``.
        """

    def sign_in_url(
        self,
        credentials: AwsCredentials,
        *,
        destination: str | None = None,
        issuer: str | None = None,
        session_duration: int | None = None,
    ) -> Secret:
        """A URL that signs a browser in to the console; it must be opened within 15 minutes.

        `destination` is a URL of the console or a path on it (None: its home page), `issuer` where
        the console sends people when the session has ended, `session_duration` in seconds (900 to
        43200; not sent for a role that this object assumed from a session, where AWS refuses it).
        """

    def parameter(self, credentials: AwsCredentials, name: str) -> Parameter:
        """``ssm:GetParameter`` with decryption."""

    def secret(self, credentials: AwsCredentials, secret_id: str) -> Secret:
        """``secretsmanager:GetSecretValue``: the string, or the binary's bytes."""

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
        """Any call: `service` and `operation` by botocore's names, `params` and the answer's fields
        as botocore names and types them. Times are in UTC, a body is bytes, there is no
        ``ResponseMetadata``.

        `subject` says in a message what the call is about (``stack 'x'``), `budget` replaces the
        seconds that all attempts together may take. Of S3's answers to HEAD, which have no body,
        the codes are ``BadRequest``, ``AccessDenied``, ``NotFound``, ``PreconditionFailed``;
        ``WrongRegion`` is a bucket elsewhere. ``InvalidParameters`` never left this machine. An
        IdentityError is an endpoint that would carry credentials in clear text.
        """

    def profile_credentials(self, profile: str | None) -> LauncherCredentials | None:
        """What the shared config files say of `profile` (None: ``AWS_PROFILE``, then ``default``).

        None when no profile was named and there is no default one with credentials. Raises
        SourceBroken when what is named is missing or does not work.
        """
