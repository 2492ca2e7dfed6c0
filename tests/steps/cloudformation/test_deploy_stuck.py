"""A deployment of a stack that is stuck, what follows it, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from calamari_py.errors import IdentityError, StackFailed
from tests.fake_cloudformation import Fault, nested
from tests.steps.cloudformation.world import (
    NAME,
    QUEUE,
    TWO,
    StackWorld,
    template_text,
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
    assert "delete it\tcalamari run step.yaml --action delete" in error.evidence
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
    assert "would delete it and create it anew" in world.report.everything


def test_a_stuck_rollback_stops_with_the_command(world: StackWorld) -> None:
    """UPDATE_ROLLBACK_FAILED: nothing is called, the exact commands are there."""
    world.has(status="UPDATE_ROLLBACK_FAILED")
    error = world.fail(recreate_failed=True)
    assert isinstance(error, StackFailed)
    assert "continue\tcalamari run step.yaml --action rollback" in error.evidence
    command = f"aws cloudformation continue-update-rollback --stack-name {NAME} --region eu-west-1"
    assert f"or\t{command}" in error.evidence
    assert not any(row.startswith("skip\t") for row in error.evidence)
    assert world.called() == []


def test_a_stuck_rollback_is_explained_by_what_it_stumbled_over(world: StackWorld) -> None:
    """Long after: the resources that failed with their reasons, and the command that skips them;
    what is nested is named with its stack."""
    url = world.aws.upload("t/queue.json", template_text(Queue=QUEUE))
    slower = {**QUEUE, "Properties": {"QueueName": "jobs", "DelaySeconds": 5}}
    other = world.aws.upload("t/slower.json", template_text(Queue=slower))
    late = {"Type": "AWS::SNS::Topic", "DependsOn": "Data"}
    world.has(json.dumps(nested(url, "Data")))
    world.aws.script("Data/Queue", fail_rollback="the queue does not exist")
    world.aws.script("Late", fail="no")
    after = nested(other, "Data")
    after["Resources"]["Late"] = late
    world.fail(template=json.dumps(after))
    assert world.status() == "UPDATE_ROLLBACK_FAILED"
    error = world.fail(template=TWO)
    assert isinstance(error, StackFailed)
    inner = next(one.name for one in world.aws.stacks.values() if "-Data-" in one.name)
    assert "failed\tData/Queue (AWS::SQS::Queue): the queue does not exist" in error.evidence
    (skip,) = [row for row in error.evidence if row.startswith("skip\t")]
    assert skip.endswith(f"--resources-to-skip {inner}.Queue")
    assert "'Data/Queue'" in (error.hint or "")


def test_a_stuck_rollback_whose_events_cannot_be_read(world: StackWorld) -> None:
    """It is explained all the same."""
    world.has(status="UPDATE_ROLLBACK_FAILED")
    denied = Fault(operation="DescribeStackEvents", error="AccessDenied", times=None)
    world.aws.faults.append(denied)
    error = world.fail()
    assert isinstance(error, StackFailed)
    assert "what the rollback stumbled over" in (error.hint or "")


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


@pytest.mark.parametrize("there", [True, False], ids=["no-changes", "created"])
def test_credentials_that_end_before_the_settings(world: StackWorld, there: bool) -> None:
    """The deployment is done by then: outputs are published, what was not set is a setback."""
    if there:
        world.has()
    gone = IdentityError("the launcher's credentials are gone")
    world.aws.faults.append(Fault(operation="GetStackPolicy", error=gone, times=None))
    world.run(stack_policy='{"Statement": []}')
    (setback,) = world.report.said("setback")
    assert "stack policy" in setback
    assert "Outputs.BucketRef" in world.report.outputs


def test_a_setting_is_tried_again(world: StackWorld) -> None:
    """AWS is busy for a moment: no setback."""
    world.aws.faults.append(Fault(operation="UpdateTerminationProtection", error="Throttling"))
    world.run(termination_protection=True)
    assert world.report.said("setback") == []
    assert world.aws.stack(NAME).protected


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
