"""A deployment of a stack that is stuck, what follows it, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.errors import StackFailed
from tests.fake_cloudformation import Fault
from tests.steps.cloudformation.world import (
    NAME,
    TWO,
    StackWorld,
)


@pytest.fixture
def world() -> StackWorld:
    return StackWorld()


# ---- stuck states


def test_a_stack_never_created_is_explained(world: StackWorld) -> None:
    """ROLLBACK_COMPLETE: nothing is called, and both ways out are said."""
    world.has(status="ROLLBACK_COMPLETE")
    error = world.fail()
    assert isinstance(error, StackFailed)
    assert "never created" in error.message
    assert "--action delete" in (error.hint or "")
    assert "on_failed_create: delete" in (error.hint or "")
    assert world.called() == []


def test_a_stack_never_created_is_created_anew_where_it_is_wanted(world: StackWorld) -> None:
    """`on_failed_create: delete`: deleted by its ARN, seen gone, made anew."""
    world.has(status="ROLLBACK_COMPLETE")
    old = world.aws.stack(NAME).id
    assert world.run(recreate_failed=True, role_arn="arn:aws:iam::111111111111:role/cfn").changed
    assert world.called() == ["DeleteStack", "CreateChangeSet", "ExecuteChangeSet"]
    (params,) = world.params("DeleteStack")
    assert params["StackName"] == old
    assert params["RoleARN"] == "arn:aws:iam::111111111111:role/cfn"
    assert params["ClientRequestToken"] != world.params("ExecuteChangeSet")[0]["ClientRequestToken"]
    assert world.aws.stack(NAME).id != old
    assert world.status() == "CREATE_COMPLETE"


@pytest.mark.parametrize("lived", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"])
@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"])
def test_a_stack_that_lived_is_never_recreated(world: StackWorld, status: str, lived: str) -> None:
    """One success among all its events, on the last page too, and it is not deleted."""
    world.aws.page_size = 2
    world.has(status=status, history=["CREATE_IN_PROGRESS", lived, *["UPDATE_IN_PROGRESS"] * 8])
    error = world.fail(recreate_failed=True)
    assert isinstance(error, StackFailed)
    assert "ever lived" in error.message
    assert world.called() == []


def test_a_stack_without_a_past_is_not_recreated(world: StackWorld) -> None:
    """Events that do not reach back to the creation prove nothing."""
    world.has(status="ROLLBACK_COMPLETE", history=["ROLLBACK_IN_PROGRESS"])
    error = world.fail(recreate_failed=True)
    assert isinstance(error, StackFailed)
    assert "reach back" in error.message
    assert world.called() == []


def test_a_protected_stack_is_not_recreated(world: StackWorld) -> None:
    """Termination protection holds for a stack that was never created, too."""
    world.has(status="ROLLBACK_COMPLETE", protected=True)
    assert "termination protection" in world.fail(recreate_failed=True).message
    assert world.called() == []


@pytest.mark.parametrize("wish", [{"dry_run": True}, {"action": "diff"}])
def test_a_rehearsal_recreates_nothing(world: StackWorld, wish: dict[str, Any]) -> None:
    """It says what a deployment would do."""
    world.has(status="ROLLBACK_COMPLETE")
    assert world.run(recreate_failed=True, **wish).changed is None
    assert world.called() == []
    assert "would delete it and create it anew" in world.report.text


def test_a_stuck_rollback_stops_with_the_command(world: StackWorld) -> None:
    """UPDATE_ROLLBACK_FAILED: nothing is called, the exact command is there."""
    world.has(status="UPDATE_ROLLBACK_FAILED")
    error = world.fail(recreate_failed=True)
    assert isinstance(error, StackFailed)
    hint = error.hint or ""
    assert "calamari run step.yaml --action rollback" in hint
    assert f"aws cloudformation continue-update-rollback --stack-name {NAME}" in hint
    assert "--region eu-west-1" in hint
    assert world.called() == []


@pytest.mark.parametrize("status", ["DELETE_FAILED", "IMPORT_ROLLBACK_FAILED", "ROLLBACK_FAILED"])
def test_other_stuck_states_are_explained(world: StackWorld, status: str) -> None:
    """Nothing is called; the state and the console are shown."""
    world.has(status=status)
    error = world.fail()
    assert isinstance(error, StackFailed)
    assert error.hint
    assert f"state\t{NAME} is {status}" in error.evidence
    assert any(row.startswith("console\thttps://") for row in error.evidence)
    assert world.called() == []


def test_what_failed_and_was_kept_wants_to_be_kept(world: StackWorld) -> None:
    """UPDATE_FAILED is corrected with `on_failure: keep`, or rolled back: AWS takes no other."""
    world.has(status="UPDATE_FAILED")
    error = world.fail(template=TWO)
    assert isinstance(error, StackFailed)
    assert "on_failure: keep" in (error.hint or "")
    assert world.called() == []
    assert world.run(template=TWO, keep_on_failure=True).changed
    assert world.status() == "UPDATE_COMPLETE"


# ---- beside the template


def test_settings_follow_the_deployment(world: StackWorld) -> None:
    """Policy and protection are set by their own calls, after the stack is there."""
    policy = '{"Statement": []}'
    world.run(stack_policy=policy, termination_protection=True)
    assert world.called()[2:] == ["SetStackPolicy", "UpdateTerminationProtection"]
    assert world.aws.stack(NAME).policy == policy
    assert world.aws.stack(NAME).protected


def test_settings_that_are_so_already_are_left(world: StackWorld) -> None:
    """Only what differs is set; how a policy is written does not count."""
    world.has(policy='{ "Statement":[] }', protected=True)
    outcome = world.run(stack_policy='{"Statement": []}', termination_protection=True)
    assert outcome.changed is False
    assert world.called() == ["CreateChangeSet", "DeleteChangeSet"]


def test_settings_alone_are_a_change(world: StackWorld) -> None:
    """The template is what it was, but the protection is new."""
    world.has()
    assert world.run(termination_protection=True).changed is True


def test_settings_that_fail_are_a_setback(world: StackWorld) -> None:
    """The stack is deployed and its outputs are there, the step has failed all the same."""
    world.aws.faults.append(
        Fault(operation="UpdateTerminationProtection", error="AccessDenied", times=None)
    )
    world.run(termination_protection=True)
    (setback,) = world.report.said("setback")
    assert "cloudformation:UpdateTerminationProtection" in setback
    assert "StackId" in world.report.outputs


# ---- refused


def test_a_refused_look_is_not_a_missing_stack(world: StackWorld) -> None:
    """AccessDenied never means that the stack does not exist."""
    world.has()
    world.aws.faults.append(Fault(operation="DescribeStacks", error="AccessDenied", times=None))
    error = world.fail()
    assert isinstance(error, Exception)
    assert "cloudformation:DescribeStacks" in error.message
    assert world.called() == []


def test_a_refused_execute_is_cleaned_up(world: StackWorld) -> None:
    """The role may make change sets, not execute them: ours is gone, the action is named."""
    world.has()
    world.aws.faults.append(Fault(operation="ExecuteChangeSet", error="AccessDenied", times=None))
    error = world.fail(template=TWO)
    assert isinstance(error, Exception)
    assert "cloudformation:ExecuteChangeSet" in error.message
    assert world.change_sets() == []


def test_a_template_at_a_url(world: StackWorld) -> None:
    """A template in S3 is handed on by its address."""
    url = world.aws.upload("artifacts/app.json", TWO)
    assert world.run_url(url).changed
    assert world.params("CreateChangeSet")[0]["TemplateURL"] == url


def test_a_rehearsal_without_changes_says_so(world: StackWorld) -> None:
    """A diff that finds nothing is known to change nothing: `--fail-on-no-change` may ask it."""
    world.has()
    assert world.run(action="diff").changed is False
