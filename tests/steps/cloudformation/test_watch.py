"""Actions ``watch`` and ``execute``, against the fake CloudFormation."""

from __future__ import annotations

import pytest

from calamari_py.errors import Cancelled, StackFailed, TimedOut
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

THREE = template_text(Bucket=BUCKET, Other=QUEUE)


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
    assert "Console-UpdateStack-0b9d" in world.report.everything


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
    assert any("--action execute" in row for row in error.evidence)


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
    outcome = world.run(action="watch", dry_run=True)
    assert (outcome.changed, outcome.pending) == (None, False)
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


# ---- watch, and events that are late


@pytest.mark.parametrize("lag", [0.5, 2, 15, 50])
@pytest.mark.parametrize("is_new", [False, True], ids=["update", "create"])
@pytest.mark.parametrize("fails", [None, "boom"])
def test_what_began_a_moment_ago_is_not_taken_for_what_was_before(
    world: StackWorld, lag: float, is_new: bool, fails: str | None
) -> None:
    """The stack is at work already, its events still tell of the operation before."""
    if not is_new:
        world.has()
        world.clock.advance(500)
    world.aws.event_lag = lag
    world.aws.script("Queue", seconds=10, fail=fails)
    world.aws.start_update(NAME, TWO)
    if fails:
        error = world.fail(action="watch")
        assert isinstance(error, StackFailed)
        assert error.message.startswith("Queue (AWS::SQS::Queue)")
    else:
        assert world.run(action="watch").code == 0
        assert "Outputs.QueueRef" in world.report.outputs
    assert world.status() == world.report.facts["status"]


@pytest.mark.parametrize("is_new", [False, True], ids=["update", "create"])
def test_a_stack_that_is_later_than_its_events_has_not_been_begun_anew(
    world: StackWorld, is_new: bool
) -> None:
    """The operation has ended, DescribeStacks still shows it at work: it is the one, at once."""
    if not is_new:
        world.has()
        world.clock.advance(500)
    world.aws.script("Queue", seconds=10, fail="boom")
    world.aws.start_update(NAME, TWO)
    world.clock.settle()
    world.clock.advance(1)
    world.aws.status_lag = 8
    began = world.clock.monotonic()
    error = world.fail(action="watch")
    assert isinstance(error, StackFailed)
    assert error.message.startswith("Queue (AWS::SQS::Queue)")
    assert world.clock.monotonic() < began + 30


def test_a_deletion_that_began_a_moment_ago_is_followed(world: StackWorld) -> None:
    """The time of the last update does not tell of it."""
    world.has()
    world.clock.advance(500)
    world.aws.event_lag = 15
    world.aws.script("Bucket", fail_delete="not empty")
    stack_id = world.aws.stack(NAME).id
    world.aws.call("cloudformation", "DeleteStack", {"StackName": stack_id})
    error = world.fail(action="watch")
    assert isinstance(error, StackFailed)
    assert error.message.startswith("Bucket ")
    assert world.report.everything.count("following the deletion") == 1
    assert "following the creation" not in world.report.everything
    assert isinstance(world.fail(action="watch"), StackFailed)
    assert world.report.facts["status"] == "DELETE_FAILED"


def test_an_update_that_goes_back_is_no_rollback_that_was_asked_for(world: StackWorld) -> None:
    """Of all its events only the last one can be seen: the update has failed."""
    world.has(status="UPDATE_IN_PROGRESS", settles=(60, "UPDATE_ROLLBACK_COMPLETE"))
    world.aws.stack(NAME).events.clear()
    assert isinstance(world.fail(action="watch"), StackFailed)


def test_an_operation_whose_events_never_come_is_judged_by_its_end(world: StackWorld) -> None:
    """It was seen to run: neither the stack at work nor the operation before is the outcome."""
    world.has(status="UPDATE_IN_PROGRESS", settles=(60, "UPDATE_ROLLBACK_COMPLETE"))
    world.aws.stack(NAME).events.clear()
    world.aws.event_lag = 10**6
    error = world.fail(action="watch")
    assert isinstance(error, StackFailed)
    assert error.code == "UPDATE_ROLLBACK_COMPLETE"


def test_a_stack_at_work_without_events_is_no_outcome(world: StackWorld) -> None:
    """The step's time is over first: what is known is the status."""
    world.timeout = 300.0
    world.has(status="UPDATE_IN_PROGRESS")
    world.aws.stack(NAME).events.clear()
    error = world.fail(action="watch")
    assert isinstance(error, TimedOut)
    assert "--action watch" in (error.hint or "")
    assert world.report.facts["status"] == "UPDATE_IN_PROGRESS"


def test_what_is_begun_meanwhile_is_followed_too(world: StackWorld) -> None:
    """The outcome of a watch is that of the last operation."""
    world.has()
    world.aws.script("Queue", seconds=30)
    world.aws.script("Other", seconds=60, fail="boom")
    world.aws.start_update(NAME, TWO)

    def next_one() -> None:
        if world.status() == "UPDATE_COMPLETE":
            world.aws.start_update(NAME, THREE, token="Console-2")

    for second in range(30, 45):
        world.clock.at(second + 0.5, next_one)
    error = world.fail(action="watch")
    assert isinstance(error, StackFailed)
    assert "Other (AWS::SQS::Queue) could not be created: boom" in error.message


@pytest.mark.parametrize("operation", ["DescribeStacks", "DescribeStackEvents"])
def test_one_throttled_look_is_no_end(world: StackWorld, operation: str) -> None:
    """Nothing has been followed yet, and AWS is asked again."""
    world.has()
    world.aws.faults.append(Fault(operation=operation, error="Throttling"))
    assert world.run(action="watch").code == 0


# ---- watch --resume


@pytest.mark.parametrize("fails", [None, "boom"])
def test_exactly_one_operation_is_resumed(world: StackWorld, fails: str | None) -> None:
    """Others have begun and ended since: its own outcome is told, by the handle that was shown."""
    world.aws.script("Queue", seconds=120, fail=fails)
    _dies_while_updating(world)
    handle = f"{world.report.facts['stack_id']}#{world.report.facts['token']}"
    assert any(f"--resume '{handle}'" in hint for hint in world.report.hints)
    world.clock.settle()
    world.clock.advance(60)
    world.aws.script("Other", fail=None if fails else "no")
    world.aws.start_update(NAME, THREE, token="Console-2")
    world.clock.settle()
    if fails:
        error = world.fail(action="watch", resume=handle)
        assert isinstance(error, StackFailed)
        assert error.message.startswith("Queue (AWS::SQS::Queue) could not be created: boom")
    else:
        assert world.run(action="watch", resume=handle).code == 0
        assert world.report.facts["status"] == "UPDATE_COMPLETE"
        assert "Outputs.QueueRef" not in world.report.outputs
    assert world.called() == []


def test_the_deletion_of_a_stack_that_is_gone_is_resumed(world: StackWorld) -> None:
    """By its ARN, though another stack has its name."""
    world.has()
    world.run(action="delete")
    handle = f"{world.report.facts['stack_id']}#{world.report.facts['token']}"
    world.has()
    assert world.run(action="watch", resume=handle).code == 0
    assert world.report.facts["status"] == "DELETE_COMPLETE"


def test_an_operation_whose_events_are_late_is_resumed(world: StackWorld) -> None:
    """It is waited for."""
    world.has()
    world.aws.event_lag = 30
    world.aws.start_update(NAME, TWO, token="ours-1")
    handle = f"{world.aws.stack(NAME).id}#ours-1"
    assert world.run(action="watch", resume=handle).code == 0


def test_an_operation_that_never_began_is_no_success(world: StackWorld) -> None:
    """Whatever the stack is: nothing of that operation is known."""
    world.has()
    error = world.fail(action="watch", resume=f"{world.aws.stack(NAME).id}#ours-1")
    assert isinstance(error, StackFailed)
    assert "'ours-1'" in error.message
    assert world.report.outputs == {}


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
    outcome = world.run(action="execute", dry_run=True)
    assert (outcome.changed, outcome.pending) == (None, True)
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
