"""Action ``delete``, against the fake CloudFormation."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.errors import Cancelled, ManifestError, StackFailed
from calamari_py.steps.cloudformation.actions.delete import failed_resources
from calamari_py.steps.cloudformation.service.retained import retained
from calamari_py.steps.cloudformation.values import StackEvent
from tests.fake_cloudformation import START, Fault, nested
from tests.steps.cloudformation.world import (
    BUCKET,
    NAME,
    ONE,
    QUEUE,
    TWO,
    StackWorld,
    template_text,
)

ROLE = "arn:aws:iam::111111111111:role/cfn"


@pytest.fixture
def world() -> StackWorld:
    return StackWorld()


def _has(world: StackWorld, template: str = TWO, **more: Any) -> None:
    world.aws.add_stack(NAME, template=template, **more)


def test_a_missing_stack_is_fine(world: StackWorld) -> None:
    """Nothing to delete: success, nothing changed."""
    outcome = world.run(action="delete")
    assert (outcome.code, outcome.changed) == (0, False)
    assert world.called() == []
    assert "in eu-west-1 of account 111111111111" in world.report.everything


def test_a_refused_look_is_not_a_missing_stack(world: StackWorld) -> None:
    """AccessDenied is a failure that names the action."""
    world.aws.faults.append(Fault(operation="DescribeStacks", error="AccessDenied", times=None))
    error = world.fail(action="delete")
    assert "cloudformation:DescribeStacks" in error.message


def test_the_stack_is_deleted_by_its_arn(world: StackWorld) -> None:
    """By its ARN, with the role and a token, and followed until it is gone."""
    _has(world)
    stack_id = world.aws.stack(NAME).id
    assert world.run(action="delete", role_arn=ROLE).changed
    (params,) = world.params("DeleteStack")
    assert params["StackName"] == stack_id
    assert params["RoleARN"] == ROLE
    assert params["ClientRequestToken"]
    assert "RetainResources" not in params
    assert world.status() is None
    assert world.report.last_words == f"{NAME}: DELETE_COMPLETE"


@pytest.mark.parametrize("status", ["REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "UPDATE_FAILED"])
def test_whatever_state_it_is_in(world: StackWorld, status: str) -> None:
    """A stack that failed, or never was, is deleted like any other."""
    _has(world, status=status)
    assert world.run(action="delete").changed
    assert world.status() is None


def test_termination_protection_is_honoured(world: StackWorld) -> None:
    """Refused before any call, with the cure."""
    _has(world, protected=True)
    error = world.fail(action="delete")
    assert isinstance(error, StackFailed)
    assert "termination protection" in error.message
    assert any("--no-enable-termination-protection" in row for row in error.evidence)
    assert world.called() == []


def test_a_nested_stack_is_refused_with_its_root(world: StackWorld) -> None:
    """What is nested is deleted by its root."""
    url = world.aws.upload("t/inner.json", nested(world.aws.upload("t/one.json", ONE), "Inner"))
    world.aws.add_stack(NAME, template=nested(url, "Data"))
    inner = next(one for one in world.aws.stacks.values() if "-Inner-" in one.name)
    error = world.fail(action="delete", stack_name=inner.name)
    assert isinstance(error, StackFailed)
    assert f"'{NAME}'" in error.message
    assert world.called() == []


def test_others_are_waited_for(world: StackWorld) -> None:
    """An update that runs is not disturbed."""
    _has(world, status="UPDATE_IN_PROGRESS", settles=(60, "UPDATE_COMPLETE"))
    assert world.run(action="delete").changed
    assert world.clock.monotonic() > 60


def test_deleted_by_somebody_else(world: StackWorld) -> None:
    """Gone while it was waited for: nothing was left to do."""
    _has(world, status="DELETE_IN_PROGRESS", settles=(60, "DELETE_COMPLETE"))
    assert world.run(action="delete").changed is False
    assert world.called() == []


def test_all_that_fails_is_named(world: StackWorld) -> None:
    """DELETE_FAILED: every resource that could not be deleted, with its reason."""
    _has(world)
    world.aws.script("Bucket", fail_delete="The bucket you tried to delete is not empty")
    world.aws.script("Queue", fail_delete="Access to the resource is denied.")
    error = world.fail(action="delete")
    assert isinstance(error, StackFailed)
    told = "\n".join([error.message, *error.evidence])
    assert "Bucket" in told
    assert "not empty" in told
    assert "Queue" in told
    assert world.called() == ["DeleteStack"]
    assert world.report.facts["status"] == "DELETE_FAILED"


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"])
@pytest.mark.parametrize("dry_run", [True, False], ids=["dry", "real"])
def test_what_would_be_lost_is_refused(world: StackWorld, status: str, dry_run: bool) -> None:
    """`retain` names what a deletion would delete: nothing is called, the cure is said."""
    _has(world, status=status)
    error = world.fail(action="delete", retain=("Bucket", "Else"), dry_run=dry_run)
    assert isinstance(error, StackFailed)
    assert "'Bucket', 'Else'" in error.message
    assert "DeletionPolicy: Retain" in (error.hint or "")
    assert world.called() == []


@pytest.mark.parametrize("policy", ["Retain", "RetainExceptOnCreate"])
def test_what_the_template_keeps_may_be_named(world: StackWorld, policy: str) -> None:
    """It stays in any case."""
    _has(world, template_text(Bucket={**BUCKET, "DeletionPolicy": policy}, Queue=QUEUE))
    assert world.run(action="delete", retain=("Bucket",)).changed
    assert world.status() is None
    assert world.params("GetTemplate")[0]["TemplateStage"] == "Processed"
    assert "retained" not in world.report.facts


@pytest.mark.parametrize("wrong", ["Snapshot", "Delete"])
def test_another_policy_keeps_nothing(world: StackWorld, wrong: str) -> None:
    """A snapshot is not the resource."""
    _has(world, template_text(Bucket={**BUCKET, "DeletionPolicy": wrong}, Queue=QUEUE))
    assert "'Bucket'" in world.fail(action="delete", retain=("Bucket",)).message
    assert world.called() == []


def test_a_template_that_cannot_be_read_keeps_nothing(world: StackWorld) -> None:
    """Where nobody can know, nothing is deleted."""
    _has(world, template_text(Bucket={**BUCKET, "DeletionPolicy": "Retain"}, Queue=QUEUE))
    world.aws.faults.append(Fault(operation="GetTemplate", error="AccessDenied", times=None))
    error = world.fail(action="delete", retain=("Bucket",))
    assert "cannot be read" in error.message
    assert world.called() == []


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        pytest.param({"Resources": {"A": {"DeletionPolicy": "Retain"}}}, {"A"}, id="mapping"),
        pytest.param("Resources:\n  A:\n    DeletionPolicy: Retain\n  B: {}\n", {"A"}, id="yaml"),
        pytest.param("Resources:\n  A:\n    DeletionPolicy: !Ref P\n", set(), id="function"),
        pytest.param("Resources: [", None, id="broken"),
        pytest.param("", None, id="empty"),
        pytest.param("[]", None, id="list"),
    ],
)
def test_what_a_template_keeps(body: Any, kept: set[str] | None) -> None:
    """As botocore gives it: JSON read already, YAML as text."""
    assert retained(body) == kept


def test_a_failed_deletion_names_what_retain_may(world: StackWorld) -> None:
    """The way on is a second run: nothing is left behind that the manifest does not name."""
    _has(world)
    world.aws.script("Bucket", fail_delete="not empty")
    error = world.fail(action="delete")
    assert isinstance(error, StackFailed)
    assert "retain: [Bucket]" in (error.hint or "")
    assert world.called() == ["DeleteStack"]


def test_retain_that_names_a_part(world: StackWorld) -> None:
    """What it names of what failed is left behind; the rest is tried again."""
    _has(world)
    world.aws.script("Bucket", fail_delete="not empty")
    world.aws.script("Queue", fail_delete="denied")
    world.fail(action="delete")
    assert isinstance(world.fail(action="delete", retain=("Bucket",)), StackFailed)
    (params,) = world.params("DeleteStack")
    assert params["RetainResources"] == ["Bucket"]
    assert world.report.facts["first_cause"]["logical_id"] == "Queue"


@pytest.mark.parametrize(
    ("region", "account"), [("us-east-1", "111111111111"), ("eu-west-1", "222222222222")]
)
@pytest.mark.parametrize("action", ["delete", "deploy", "watch"])
def test_a_stack_of_elsewhere(world: StackWorld, region: str, account: str, action: str) -> None:
    """Its ARN names another region or account: it is not that there is no stack."""
    arn = f"arn:aws:cloudformation:{region}:{account}:stack/{NAME}/1b2c"
    error = world.fail(action=action, stack_name=arn)
    assert isinstance(error, ManifestError)
    assert world.aws.calls == []


def test_a_stack_in_delete_failed_retains_at_once(world: StackWorld) -> None:
    """What the deletion before stumbled over is known from its events."""
    _has(world)
    world.aws.script("Bucket", fail_delete="not empty")
    world.fail(action="delete")
    assert world.run(action="delete", retain=("Bucket",)).changed
    (params,) = world.params("DeleteStack")
    assert params["RetainResources"] == ["Bucket"]


def test_what_it_stumbled_over_is_asked_for_again(world: StackWorld) -> None:
    """One throttled look at the events is no end."""
    _has(world)
    world.aws.script("Bucket", fail_delete="not empty")
    world.fail(action="delete")
    world.aws.faults.append(Fault(operation="DescribeStackEvents", error="Throttling"))
    assert world.run(action="delete", retain=("Bucket",)).changed


def test_a_stack_in_delete_failed_is_tried_again(world: StackWorld) -> None:
    """Without `retain` the deletion is repeated as a whole."""
    _has(world)
    world.aws.script("Bucket", fail_delete="not empty")
    world.fail(action="delete")
    world.aws.script("Bucket")
    assert world.run(action="delete").changed
    assert world.status() is None


def test_a_lost_answer_deletes_once(world: StackWorld) -> None:
    """What was begun is followed."""
    _has(world)
    world.aws.faults.append(Fault(operation="DeleteStack", error="Unreachable", lost=True))
    assert world.run(action="delete").changed
    assert world.called() == ["DeleteStack"]


def test_a_rehearsal_says_what_it_would_do(world: StackWorld) -> None:
    """``--dry-run`` calls nothing."""
    _has(world)
    outcome = world.run(action="delete", dry_run=True)
    assert (outcome.changed, outcome.pending) == (None, True)
    assert world.called() == []
    assert "would be deleted" in world.report.everything


def test_a_cancel_leaves_it_to_cloudformation(world: StackWorld) -> None:
    """A deletion cannot be taken back."""
    _has(world)

    def cancel() -> None:
        raise Cancelled(15)

    world.clock.at(5, cancel)
    assert isinstance(world.fail(action="delete", cancel_update=True), Cancelled)
    assert world.called() == ["DeleteStack"]
    assert any("CloudFormation goes on" in text for text in world.report.said("warning"))


def test_failures_of_nested_stacks_are_their_parents() -> None:
    """`retain` names resources of the stack itself, each once: of a nested stack its own."""

    def event(logical_id: str, status: str = "DELETE_FAILED", *path: str) -> StackEvent:
        return StackEvent(
            id=logical_id,
            stack_id="arn:root",
            stack_name=NAME,
            logical_id=logical_id,
            physical_id="",
            resource_type="AWS::S3::Bucket",
            status=status,
            reason="",
            time=START,
            path=path,
        )

    events = [
        event("Inner", "DELETE_FAILED", "Data"),
        event("Data"),
        event("Gone", "DELETE_COMPLETE"),
        event("Data"),
        event("Bucket"),
    ]
    assert failed_resources(events) == ("Data", "Bucket")
