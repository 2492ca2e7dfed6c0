"""Actions ``watch`` and ``execute``, against the fake CloudFormation."""

from __future__ import annotations

import pytest

from calamari_py.errors import Cancelled, StackFailed
from calamari_py.steps.cloudformation.sections import ChangeSetSection
from tests.fake_cloudformation import Fault
from tests.steps.cloudformation.world import (
    BUCKET,
    NAME,
    ONE,
    QUEUE,
    TWO,
    StackWorld,
    template_text,
)


@pytest.fixture
def world() -> StackWorld:
    return StackWorld()


def _dies_while_updating(world: StackWorld) -> None:
    """A run that is gone twenty seconds after its beginning, as by SIGKILL."""
    world.aws.add_stack(NAME, template=ONE)

    def die() -> None:
        raise Cancelled(9)

    world.clock.at(20, die)
    assert isinstance(world.fail(template=TWO), Cancelled)


# ---- watch


def test_a_killed_deployment_is_followed_to_its_success(world: StackWorld) -> None:
    """What the killed run began is watched to its end; the outputs are published."""
    world.aws.script("Queue", seconds=120)
    _dies_while_updating(world)
    outcome = world.run(action="watch")
    assert (outcome.code, outcome.changed) == (0, None)
    assert world.report.facts["status"] == "UPDATE_COMPLETE"
    assert "Outputs.QueueRef" in world.report.outputs
    assert world.called() == []


def test_a_killed_deployment_is_followed_to_its_failure(world: StackWorld) -> None:
    """The rollback is a failure, the root cause first."""
    world.aws.script("Queue", seconds=120, fail="Queue jobs already exists.")
    _dies_while_updating(world)
    error = world.fail(action="watch")
    assert isinstance(error, StackFailed)
    assert error.message.startswith("Queue (AWS::SQS::Queue)")
    assert world.report.facts["status"] == "UPDATE_ROLLBACK_COMPLETE"


@pytest.mark.parametrize("fails", [None, "no"], ids=["success", "failure"])
def test_what_ended_long_ago(world: StackWorld, fails: str | None) -> None:
    """The last operation's outcome, although nothing runs any more."""
    world.aws.script("Queue", seconds=120, fail=fails)
    _dies_while_updating(world)
    world.clock.settle()
    world.clock.advance(5000)
    if fails:
        assert isinstance(world.fail(action="watch"), StackFailed)
    else:
        assert world.run(action="watch").code == 0


def test_somebody_elses_operation(world: StackWorld) -> None:
    """Whoever began it: the outcome is the operation's, and they are named."""
    world.aws.add_stack(NAME, template=ONE)
    world.aws.script("Queue", seconds=60)
    world.aws.start_update(NAME, TWO)
    assert world.run(action="watch").code == 0
    assert "Console-UpdateStack-0b9d" in world.report.text


def test_a_deletion_by_its_arn(world: StackWorld) -> None:
    """A stack that is gone is found by its ARN: the deletion has succeeded."""
    world.aws.add_stack(NAME, template=ONE)
    stack_id = world.aws.stack(NAME).id
    world.run(action="delete")
    assert world.run(action="watch", stack_name=stack_id).code == 0
    assert world.report.facts["status"] == "DELETE_COMPLETE"
    assert world.report.outputs == {}


def test_a_stack_that_is_gone_by_its_name(world: StackWorld) -> None:
    """Nobody can say what became of it: no success."""
    error = world.fail(action="watch")
    assert isinstance(error, StackFailed)
    assert "ARN" in (error.hint or "")


def test_a_stack_in_review_runs_nothing(world: StackWorld) -> None:
    """A change set that nobody has executed is no deployment."""
    world.run(action="change-set")
    error = world.fail(action="watch")
    assert isinstance(error, StackFailed)
    assert "--action execute" in (error.hint or "")


@pytest.mark.parametrize("status", ["UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_stack_whose_events_are_gone(world: StackWorld, status: str) -> None:
    """AWS keeps them for 90 days: what is left is the status."""
    world.aws.add_stack(NAME, status=status)
    world.aws.stack(NAME).events.clear()
    if status == "UPDATE_COMPLETE":
        assert world.run(action="watch").code == 0
    else:
        assert isinstance(world.fail(action="watch"), StackFailed)


def test_a_rehearsal_only_looks(world: StackWorld) -> None:
    """``--dry-run`` does not wait."""
    world.aws.add_stack(NAME, status="UPDATE_IN_PROGRESS")
    assert world.run(action="watch", dry_run=True).changed is None
    assert world.clock.monotonic() == 0


def test_a_watch_cancels_nothing(world: StackWorld) -> None:
    """`on_cancel` is about what this run has begun."""
    world.aws.script("Queue", seconds=120)
    _dies_while_updating(world)

    def cancel() -> None:
        raise Cancelled(15)

    world.clock.after(30, cancel)
    assert isinstance(world.fail(action="watch", cancel_update=True), Cancelled)
    assert world.called() == []


# ---- execute


def test_what_waits_for_approval_is_executed(world: StackWorld) -> None:
    """The only change set of ours is carried out and followed."""
    world.aws.add_stack(NAME, template=ONE)
    world.run(action="change-set", template=TWO)
    assert world.run(action="execute", template=TWO).changed
    assert world.called() == ["ExecuteChangeSet"]
    assert world.status() == "UPDATE_COMPLETE"
    assert "Outputs.QueueRef" in world.report.outputs
    assert [fields["logical_id"] for kind, fields in world.report.events if "change" in kind] == [
        "Queue"
    ]


def test_a_new_stack_is_executed(world: StackWorld) -> None:
    """A stack that was only in review is created."""
    world.run(action="change-set")
    assert world.run(action="execute").changed
    assert world.status() == "CREATE_COMPLETE"


def test_the_gate_is_asked_again(world: StackWorld) -> None:
    """What is refused is not executed, and not deleted: this run has not made it."""
    world.aws.add_stack(NAME, template=TWO)
    world.run(action="change-set", template=ONE)
    before = world.change_sets()
    error = world.fail(action="execute", change_set=ChangeSetSection(refuse=("delete",)))
    assert isinstance(error, StackFailed)
    assert world.called() == []
    assert world.change_sets() == before


def test_a_rehearsal_leaves_it(world: StackWorld) -> None:
    """``--dry-run`` shows the changes and keeps the change set."""
    world.aws.add_stack(NAME, template=ONE)
    world.run(action="change-set", template=TWO)
    assert world.run(action="execute", dry_run=True).changed is None
    assert world.called() == []
    assert len(world.change_sets()) == 1


def test_an_obsolete_change_set_is_not_made_anew(world: StackWorld) -> None:
    """Somebody changed the stack: what was approved can no longer be done."""
    world.aws.add_stack(NAME, template=ONE)
    world.run(action="change-set", template=TWO)
    world.aws.start_update(NAME, template_text(Bucket=BUCKET, Other=QUEUE))
    error = world.fail(action="execute")
    assert isinstance(error, StackFailed)
    assert "obsolete" in error.message
    assert world.called() == []


def test_a_refusal_at_the_last_moment(world: StackWorld) -> None:
    """Somebody was faster by a moment: the step fails, once."""
    world.aws.add_stack(NAME, template=ONE)
    world.run(action="change-set", template=TWO)
    world.aws.faults.append(
        Fault(operation="ExecuteChangeSet", error="InvalidChangeSetStatus", times=None)
    )
    assert isinstance(world.fail(action="execute"), StackFailed)
    assert world.called() == ["ExecuteChangeSet"]
    assert len(world.change_sets()) == 1


def test_what_was_kept_is_executed_only_to_be_kept(world: StackWorld) -> None:
    """AWS takes it for a stack in UPDATE_FAILED with the rollback disabled only."""
    world.aws.add_stack(NAME, template=ONE, status="UPDATE_FAILED")
    world.run(action="change-set", template=TWO)
    error = world.fail(action="execute")
    assert isinstance(error, StackFailed)
    assert "on_failure: keep" in (error.hint or "")
    assert world.called() == []
    assert world.run(action="execute", keep_on_failure=True).changed


def test_no_stack_to_execute_on(world: StackWorld) -> None:
    """There is no stack: said, and no success."""
    assert f"no stack '{NAME}'" in world.fail(action="execute").message
