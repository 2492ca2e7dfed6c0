"""The stack set of deployment roles, with an AWS that is none of ours: moto."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calamari_py.aws import AwsSettings, BotoAws, Pace
from calamari_py.identity import AwsCredentials, RoleArn, RoleRequest
from calamari_py.masking import SecretRegistry
from calamari_py.sandbox import Sandbox
from calamari_py.steps.base import StepContext
from calamari_py.steps.cloudformation.parsing.parse import parse_stack_set
from calamari_py.steps.cloudformation.sections import InstancesSection, StackSetSection
from calamari_py.steps.cloudformation.sets.kind import StackSetKind
from tests.fake_cloudformation import JumpingClock
from tests.steps.cloudformation.parsing import context as parsing
from tests.steps.cloudformation.sets.world import EAST, NAME, SetWorld
from tests.steps.report import Report

ACCOUNTS = ("444444444444", "555555555555", "666666666666")
VALUES: dict[str, str | tuple[str, ...]] = {
    "Environment": "Dev",
    "LauncherRoleArn": "arn:aws:iam::123456789012:role/OctoLauncherRole",
}
# moto makes the stack of an instance with its own parameters alone, where AWS adds the set's.
SECTION = StackSetSection(
    name=NAME,
    template="deploy-role.yaml",
    parameters=dict(VALUES),
    capabilities=("CAPABILITY_NAMED_IAM",),
    instances=(InstancesSection(accounts=ACCOUNTS, regions=(EAST,), parameters=VALUES),),
)


class MotoCalls:
    """The ``AwsCalls`` of a role."""

    region = EAST
    account: str | None = "111111111111"
    partition = "aws"
    arn: str | None = None
    role: str | None = None

    def __init__(self, aws: BotoAws, keys: AwsCredentials) -> None:
        self._aws, self._keys = aws, keys

    def call(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        subject: str = "",
        budget: float | None = None,
    ) -> Mapping[str, Any]:
        """As it is."""
        return self._aws.call(
            self._keys, service, operation, params, subject=subject, budget=budget
        )


@pytest.mark.sandbox
def test_roles_in_three_accounts() -> None:
    """Made in every account, watched, and taken away again with the set."""
    with Sandbox() as sandbox:
        settings = AwsSettings.from_environ(sandbox.environment, region=EAST)
        aws = BotoAws(settings, SecretRegistry(), sandbox.environment, pace=Pace(budget=0.0))
        role = RoleArn.parse("arn:aws:iam::111111111111:role/DevDeployRole")
        request = RoleRequest(role=role, session_name="step")
        keys = aws.assume_role(sandbox.launcher.credentials, request).credentials
        calls = MotoCalls(aws, keys)

        made = run(calls, "deploy")
        assert [fields["account"] for _, fields in made.events] == list(ACCOUNTS)
        arns = [made.outputs[f"Instances.{account}.{EAST}"] for account in ACCOUNTS]
        assert all(f":{account}:" in arn for account, arn in zip(ACCOUNTS, arns, strict=True))
        assert made.last_words == f"{NAME}: 3 of 3 instances CURRENT"

        run(calls, "watch")
        assert run(calls, "deploy").last_words == f"{NAME}: 3 of 3 instances CURRENT"
        assert run(calls, "delete").last_words == f"{NAME}: deleted"
        assert run(calls, "delete").last_words == f"{NAME}: not there"


def run(calls: MotoCalls, action: str) -> Report:
    """What the step told; it has to succeed."""
    where = parsing(Path(__file__).parent.parent / "templates", section="stack_set", action=action)
    spec = parse_stack_set(SECTION, where)
    report = Report()
    given: StepContext = replace(
        SetWorld().context(), aws=calls, report=report, warn=report.warn, clock=JumpingClock()
    )
    assert StackSetKind().execute(spec, given).code == 0
    return report
