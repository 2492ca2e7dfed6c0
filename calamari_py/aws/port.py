"""AwsPort: every AWS call that calamari makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

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

    def assume_role(self, credentials: AwsCredentials, request: RoleRequest) -> AssumedRole:
        """``sts:AssumeRole`` at the regional endpoint, in the partition of the role."""

    def assume_role_with_web_identity(
        self, *, token: Secret, role: RoleArn, session_name: str, duration: int
    ) -> AssumedRole:
        """``sts:AssumeRoleWithWebIdentity``; unsigned."""

    def caller_identity(self, credentials: AwsCredentials) -> Principal:
        """``sts:GetCallerIdentity``."""

    def parameter(self, credentials: AwsCredentials, name: str) -> Parameter:
        """``ssm:GetParameter`` with decryption."""

    def secret(self, credentials: AwsCredentials, secret_id: str) -> Secret:
        """``secretsmanager:GetSecretValue``: the string, or the binary's bytes."""

    def profile_credentials(self, profile: str | None) -> LauncherCredentials | None:
        """What the shared config files say of `profile` (None: ``AWS_PROFILE``, then ``default``).

        None when no profile was named and there is no default one with credentials. Raises
        SourceBroken when what is named is missing or does not work.
        """
