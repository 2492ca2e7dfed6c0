"""Action ``rollback``, against the fake CloudFormation."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.errors import StackFailed
from tests.fake_cloudformation import Fault, nested
from tests.steps.cloudformation.world import BUCKET, NAME, ONE, QUEUE, StackWorld, template_text

ROLE = "arn:aws:iam::111111111111:role/cfn"
SLOWER = {**QUEUE, "Properties": {"QueueName": "jobs", "DelaySeconds": 5}}
BEFORE = template_text(Bucket=BUCKET, Queue=QUEUE)
AFTER = template_text(Bucket=BUCKET, Queue=SLOWER, Topic={"Type": "AWS::SNS::Topic"})


@pytest.fixture
def world() -> StackWorld:
    return StackWorld()


def _stuck(world: StackWorld) -> None:
    """An update that failed, and a rollback that failed on the queue."""
    world.aws.add_stack(NAME, template=BEFORE)
    world.aws.script("Queue", fail_rollback="the queue does not exist")
    world.aws.script("Topic", fail="no", seconds=30)
    world.fail(template=AFTER)
    assert world.status() == "UPDATE_ROLLBACK_FAILED"


def _kept(world: StackWorld) -> None:
    world.aws.add_stack(NAME, template=BEFORE)
    world.aws.script("Topic", fail="no", seconds=30)
    world.fail(template=AFTER, keep_on_failure=True)
    assert world.status() == "UPDATE_FAILED"


def test_a_stuck_rollback_is_continued(world: StackWorld) -> None:
    """UPDATE_ROLLBACK_FAILED, repaired: ContinueUpdateRollback brings it back."""
    _stuck(world)
    world.aws.script("Queue")
    outcome = world.run(action="rollback", role_arn=ROLE)
    assert (outcome.code, outcome.changed) == (0, True)
    assert world.called() == ["ContinueUpdateRollback"]
    assert world.params("ContinueUpdateRollback")[0]["RoleARN"] == ROLE
    assert world.status() == "UPDATE_ROLLBACK_COMPLETE"
    assert "Outputs.BucketRef" in world.report.outputs


def test_what_cannot_be_repaired_is_skipped(world: StackWorld) -> None:
    """`skip` goes to AWS as ResourcesToSkip."""
    _stuck(world)
    assert world.run(action="rollback", skip=("Queue",)).changed
    assert world.params("ContinueUpdateRollback")[0]["ResourcesToSkip"] == ["Queue"]
    assert world.status() == "UPDATE_ROLLBACK_COMPLETE"


def test_a_rollback_that_fails_again_is_a_failure(world: StackWorld) -> None:
    """Its cause is told, and the state it is left in."""
    _stuck(world)
    error = world.fail(action="rollback")
    assert isinstance(error, StackFailed)
    assert "the queue does not exist" in error.message
    assert world.report.facts["status"] == "UPDATE_ROLLBACK_FAILED"


def test_what_was_kept_is_rolled_back(world: StackWorld) -> None:
    """UPDATE_FAILED: RollbackStack."""
    _kept(world)
    assert world.run(action="rollback").changed
    assert world.called() == ["RollbackStack"]
    assert world.status() == "UPDATE_ROLLBACK_COMPLETE"


def test_a_creation_that_was_kept_is_rolled_back(world: StackWorld) -> None:
    """CREATE_FAILED: RollbackStack removes what was made."""
    world.aws.script("Queue", fail="no")
    world.fail(template=BEFORE, keep_on_failure=True)
    assert world.status() == "CREATE_FAILED"
    assert world.run(action="rollback").changed
    assert world.called() == ["RollbackStack"]
    assert world.status() in ("ROLLBACK_COMPLETE", None)


def test_a_rollback_that_runs_is_followed(world: StackWorld) -> None:
    """It is the one that is wanted: nothing is called, its end is the step's."""
    world.aws.add_stack(
        NAME, status="UPDATE_ROLLBACK_IN_PROGRESS", settles=(60, "UPDATE_ROLLBACK_COMPLETE")
    )
    assert world.run(action="rollback").changed
    assert world.called() == []
    assert world.report.facts["status"] == "UPDATE_ROLLBACK_COMPLETE"


def test_another_operation_is_waited_for(world: StackWorld) -> None:
    """An update that runs may still succeed: then there is nothing to roll back."""
    world.aws.add_stack(NAME, status="UPDATE_IN_PROGRESS", settles=(60, "UPDATE_COMPLETE"))
    assert world.run(action="rollback").changed is False
    assert world.called() == []


@pytest.mark.parametrize(
    "status",
    ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"],
)
def test_nothing_to_roll_back(world: StackWorld, status: str) -> None:
    """A whole stack stays as it is."""
    world.aws.add_stack(NAME, status=status)
    outcome = world.run(action="rollback")
    assert (outcome.code, outcome.changed) == (0, False)
    assert world.called() == []
    assert "StackId" in world.report.outputs


@pytest.mark.parametrize("status", ["DELETE_FAILED", "ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED"])
def test_what_a_rollback_cannot_help(world: StackWorld, status: str) -> None:
    """Explained, with what can."""
    world.aws.add_stack(NAME, status=status)
    error = world.fail(action="rollback")
    assert isinstance(error, StackFailed)
    assert error.hint
    assert world.called() == []


def test_a_missing_stack(world: StackWorld) -> None:
    """There is nothing that could be rolled back, and that is no success."""
    error = world.fail(action="rollback")
    assert isinstance(error, StackFailed)
    assert f"no stack '{NAME}'" in error.message


def test_a_nested_stack_is_refused_with_its_root(world: StackWorld) -> None:
    """AWS continues the rollback of a root only."""
    url = world.aws.upload("t/one.json", ONE)
    world.aws.add_stack(NAME, template=nested(url, "Data"))
    inner = next(one for one in world.aws.stacks.values() if "-Data-" in one.name)
    inner.status = "UPDATE_ROLLBACK_FAILED"
    error = world.fail(action="rollback", stack_name=inner.name)
    assert f"'{NAME}'" in error.message
    assert world.called() == []


@pytest.mark.parametrize("make", [_stuck, _kept], ids=["stuck", "kept"])
def test_a_rehearsal_calls_nothing(world: StackWorld, make: Any) -> None:
    """``--dry-run`` says what would be done."""
    make(world)
    outcome = world.run(action="rollback", dry_run=True)
    assert (outcome.changed, outcome.pending) == (None, True)
    assert world.called() == []
    assert "would be" in world.report.everything


def test_a_lost_answer_is_found_out(world: StackWorld) -> None:
    """The rollback that was begun is followed."""
    _kept(world)
    world.aws.faults.append(Fault(operation="RollbackStack", error="Unreachable", lost=True))
    assert world.run(action="rollback").changed
    assert world.called() == ["RollbackStack"]


def test_a_rollback_whose_events_are_late_is_waited_for(world: StackWorld) -> None:
    """The operation before it has ended: its outcome is not this one's."""
    world.aws.add_stack(NAME, template=BEFORE)
    world.clock.advance(600)
    world.aws.event_lag = 40
    world.aws.script("Topic", fail="no", seconds=1)
    world.aws.script("Queue", seconds=30)
    world.aws.start_update(NAME, AFTER, token="theirs")
    world.clock.advance(20)
    assert world.status() == "UPDATE_ROLLBACK_IN_PROGRESS"
    assert world.run(action="rollback").changed is False
    assert world.status() == "UPDATE_ROLLBACK_COMPLETE"
    assert world.called() == []


@pytest.mark.parametrize("operation", ["DescribeStacks", "DescribeStackEvents"])
def test_one_throttled_look_is_no_end(world: StackWorld, operation: str) -> None:
    """It is asked again, before anything is begun and while it is joined."""
    world.aws.add_stack(
        NAME, status="UPDATE_ROLLBACK_IN_PROGRESS", settles=(60, "UPDATE_ROLLBACK_COMPLETE")
    )
    world.aws.faults.append(Fault(operation=operation, error="Throttling"))
    assert world.run(action="rollback").changed


def test_what_the_manifest_skips_is_what_is_offered(world: StackWorld) -> None:
    """The command skips what `skip` names, whatever the events tell."""
    _stuck(world)
    error = world.fail(template=AFTER, skip=("Else",))
    assert isinstance(error, StackFailed)
    (row,) = [row for row in error.evidence if row.startswith("skip\t")]
    assert row.endswith("--resources-to-skip Else")
