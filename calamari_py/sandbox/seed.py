"""What a sandbox holds at its start, put into moto's state directly.

Roles are there at once. What only demonstrations need (`DEMOS`) is made when its service is asked
for the first time: moto's SSM alone takes a second to import.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from calamari_py.identity import MAX_DURATION

TOOLING, DEV, STAGING, PROD = "123456789012", "111111111111", "222222222222", "333333333333"
LAUNCHER_ROLE = f"arn:aws:iam::{TOOLING}:role/OctoLauncherRole"
LAUNCHER_SESSION = "octopus-pod"
REGION, PARTITION = "us-east-1", "aws"


@dataclass(frozen=True, slots=True, kw_only=True)
class LauncherSession:
    """The launcher's session as moto keeps it; the keys are plain text."""

    arn: str
    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: datetime


def _allow(actions: Sequence[str], resources: Sequence[str]) -> dict[str, object]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def _bucket(prefix: str) -> list[str]:
    return [f"arn:aws:s3:::{prefix}-*", f"arn:aws:s3:::{prefix}-*/*"]


_EVERYWHERE = ["*"]
_TRUSTS_PODS = {
    "Effect": "Allow",
    "Principal": {"Service": "pods.eks.amazonaws.com"},
    "Action": ["sts:AssumeRole", "sts:TagSession"],
}
_TRUSTS_LAUNCHER = {
    "Effect": "Allow",
    "Principal": {"AWS": LAUNCHER_ROLE},
    "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
}
_DEPLOYMENT_ROLES: Mapping[tuple[str, str], Sequence[Mapping[str, object]]] = {
    (DEV, "DevDeployRole"): [
        _allow(["eks:*", "ecr:*", "cloudformation:*"], _EVERYWHERE),
        _allow(["s3:*"], _bucket("dev")),
    ],
    (STAGING, "StagingDeployRole"): [
        _allow(
            [
                "eks:DescribeCluster",
                "eks:UpdateClusterConfig",
                "eks:UpdateNodegroupConfig",
                "ecr:*",
                "cloudformation:*",
            ],
            _EVERYWHERE,
        ),
        _allow(["s3:*"], _bucket("staging")),
    ],
    (PROD, "ProdDeployRole"): [
        _allow(
            [
                "eks:DescribeCluster",
                "eks:ListClusters",
                "ecr:DescribeRepositories",
                "ecr:DescribeImages",
            ],
            _EVERYWHERE,
        ),
        _allow(["s3:GetObject", "s3:ListBucket"], _bucket("prod-config")),
    ],
    (TOOLING, "ToolingDeployRole"): [
        _allow(
            ["eks:DescribeCluster", "secretsmanager:GetSecretValue"],
            [
                f"arn:aws:eks:us-east-1:{TOOLING}:cluster/octopus-cluster",
                f"arn:aws:secretsmanager:us-east-1:{TOOLING}:secret:octopus/*",
            ],
        ),
    ],
}


def clear() -> None:
    """Forget everything that moto holds in this process."""
    BackendDict.reset()
    reset_model_data()


def create_identities() -> LauncherSession:
    """Make all accounts and roles, and open the launcher's session."""
    targets = [f"arn:aws:iam::{account}:role/{name}" for account, name in _DEPLOYMENT_ROLES]
    launcher_name = LAUNCHER_ROLE.rpartition("/")[2]
    _create_role(TOOLING, launcher_name, _TRUSTS_PODS, [_allow(["sts:AssumeRole"], targets)])
    for (account, name), statements in _DEPLOYMENT_ROLES.items():
        _create_role(account, name, _TRUSTS_LAUNCHER, statements)
    session = sts_backends[TOOLING][PARTITION].assume_role(
        region_name=REGION,
        role_session_name=LAUNCHER_SESSION,
        role_arn=LAUNCHER_ROLE,
        policy="",
        duration=MAX_DURATION,
        external_id="",
    )
    return LauncherSession(
        arn=session.arn,
        access_key_id=session.access_key_id,
        secret_access_key=session.secret_access_key,
        session_token=session.session_token,
        expires_at=session.expiration.replace(tzinfo=UTC),
    )


def _create_role(
    account: str,
    name: str,
    trust: Mapping[str, object],
    statements: Sequence[Mapping[str, object]],
) -> None:
    iam = iam_backends[account][PARTITION]
    iam.create_role(
        role_name=name,
        assume_role_policy_document=_document([trust]),
        path="/",
        permissions_boundary=None,
        description="",
        tags=[],
        max_session_duration="3600",
    )
    iam.put_role_policy(name, "deployment", _document(statements))


def _document(statements: Sequence[Mapping[str, object]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _create_bucket(_region: str) -> None:
    from moto.s3.models import s3_backends

    s3_backends[DEV][PARTITION].create_bucket("dev-artifacts", REGION)


def _create_parameter(region: str) -> None:
    from moto.ssm.models import ssm_backends

    ssm_backends[DEV][region].put_parameter(
        name="/app/license",
        description="",
        value="SANDBOX-LICENSE-4711",
        parameter_type="SecureString",
        allowed_pattern="",
        keyid="alias/aws/ssm",
        overwrite=False,
        tags=[],
        data_type="text",
        tier=None,
        policies=None,
    )


def _create_secret(region: str) -> None:
    from moto.secretsmanager.models import secretsmanager_backends

    secretsmanager_backends[DEV][region].create_secret(
        name="app/db",
        secret_string=json.dumps({"username": "app", "password": "sandbox-db-password"}),
        secret_binary=None,
        description=None,
        tags=None,
        kms_key_id=None,
        client_request_token=None,
        replica_regions=[],
        force_overwrite=False,
    )


DEMOS: Mapping[str, Callable[[str], None]] = {
    "s3": _create_bucket,
    "ssm": _create_parameter,
    "secretsmanager": _create_secret,
}
"""Signing name of a service → what makes its demonstration data in a region of the dev account."""

GLOBAL_DEMOS = frozenset({"s3"})
"""Those of `DEMOS` that exist once, whatever the region."""
