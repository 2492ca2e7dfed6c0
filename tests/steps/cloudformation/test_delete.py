"""Action ``delete``, against the fake CloudFormation."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.errors import Cancelled, StackFailed
from calamari_py.steps.cloudformation.delete import failed_resources
from calamari_py.steps.cloudformation.values import StackEvent
from tests.fake_cloudformation import START, Fault, nested
from tests.steps.cloudformation.world import NAME, ONE, TWO, StackWorld

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
    assert "--no-enable-termination-protection" in (error.hint or "")
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


def test_what_retain_names_is_left_behind(world: StackWorld) -> None:
    """All that failed is in `retain`: a second deletion, with a token of its own, leaves it out."""
    _has(world)
    world.aws.script("Bucket", fail_delete="not empty")
    assert world.run(action="delete", retain=("Bucket", "Else")).changed
    first, second = world.params("DeleteStack")
    assert "RetainResources" not in first
    assert second["RetainResources"] == ["Bucket"]
    assert first["ClientRequestToken"] != second["ClientRequestToken"]
    assert world.report.facts["retained"] == ["Bucket"]
    assert world.status() is None
    assert any("DeletionPolicy: Retain" in hint for hint in world.report.hints)


def test_retain_that_names_a_part_is_not_enough(world: StackWorld) -> None:
    """A deletion that leaves out a part of what failed would fail again."""
    _has(world)
    world.aws.script("Bucket", fail_delete="not empty")
    world.aws.script("Queue", fail_delete="denied")
    assert isinstance(world.fail(action="delete", retain=("Bucket",)), StackFailed)
    assert world.called() == ["DeleteStack"]


def test_a_stack_in_delete_failed_retains_at_once(world: StackWorld) -> None:
    """What the deletion before stumbled over is known from its events."""
    _has(world)
    world.aws.script("Bucket", fail_delete="not empty")
    world.fail(action="delete")
    assert world.run(action="delete", retain=("Bucket",)).changed
    (params,) = world.params("DeleteStack")
    assert params["RetainResources"] == ["Bucket"]


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
    assert world.run(action="delete", dry_run=True).changed is None
    assert world.called() == []
    assert "would be deleted" in world.report.text


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
