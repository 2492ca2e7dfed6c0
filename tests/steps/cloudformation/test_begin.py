"""Whether an operation has begun, whatever AWS's answers were: nothing is done twice, nothing that
lives is deleted, and nobody is told that nothing runs while something does."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest

from calamari_py.errors import (
    CalamariError,
    Cancelled,
    CloudError,
    IdentityError,
    Indeterminate,
    StackFailed,
)
from calamari_py.steps.cloudformation.actions.carry_out import was_overtaken
from tests.fake_cloudformation import Fault
from tests.fake_cloudformation.faults import cloud_error
from tests.steps.cloudformation.world import (
    BUCKET,
    NAME,
    ONE,
    QUEUE,
    TWO,
    StackWorld,
    template_text,
)

THREE = template_text(Bucket=BUCKET, Topic={"Type": "AWS::SNS::Topic"})
SLOWER = template_text(Bucket=BUCKET, Queue={**QUEUE, "Properties": {"DelaySeconds": 5}})


@pytest.fixture
def world() -> StackWorld:
    return StackWorld()


def _before_call(world: StackWorld, operation: str, act: Callable[[], object]) -> None:
    """Do `act` right before the first call of `operation`."""
    original = world.aws.call
    done: list[bool] = []

    def call(service: str, name: str, params: Mapping[str, Any], **more: Any) -> Any:
        if name == operation and not done:
            done.append(True)
            act()
        return original(service, name, params, **more)

    world.aws.call = call  # type: ignore[method-assign,assignment]


def _cancel() -> None:
    raise Cancelled(signal.SIGTERM)


# ---- a failed creation that somebody repairs


def _repaired(world: StackWorld) -> None:
    world.aws.start_update(NAME, THREE, token="fix-forward")
    world.clock.advance(60)


def _kept_failure(world: StackWorld) -> None:
    world.has(status="CREATE_FAILED", broken=("Bucket",))


def test_a_creation_that_was_kept_is_rolled_back_before_it_is_deleted(world: StackWorld) -> None:
    """AWS refuses that for a stack that is whole; each call has a token of its own."""
    _kept_failure(world)
    assert world.run(template=TWO, recreate_failed=True).changed
    assert world.called()[:2] == ["RollbackStack", "DeleteStack"]
    (first,), (second,) = world.params("RollbackStack"), world.params("DeleteStack")
    assert first["ClientRequestToken"] != second["ClientRequestToken"]
    assert first["StackName"] == second["StackName"]


def test_a_rollback_that_deletes_is_enough(world: StackWorld) -> None:
    """AWS deletes a stack that has nothing to go back to by rolling it back."""
    _kept_failure(world)
    stack = world.aws.stack(NAME)

    def gone() -> None:
        if stack.status == "ROLLBACK_COMPLETE":
            world.aws.world.enter(stack, "DELETE_COMPLETE", token=_token(world))

    for second in range(1, 60):
        world.clock.at(second, gone)
    assert world.run(template=TWO, recreate_failed=True).changed
    assert "DeleteStack" not in world.called()


def _token(world: StackWorld) -> str:
    token: str = world.params("RollbackStack")[0]["ClientRequestToken"]
    return token


@pytest.mark.parametrize("operation", ["RollbackStack", "DeleteStack", "DescribeStackEvents"])
def test_a_stack_that_is_repaired_in_between_lives_on(world: StackWorld, operation: str) -> None:
    """Between the proof and the call: no deletion of what lives, whatever else comes of it."""
    _kept_failure(world)
    old = world.aws.stack(NAME)
    lived: list[bool] = []

    def repair() -> None:
        if old.status == "CREATE_FAILED":
            _repaired(world)
            lived.append(True)

    _before_call(world, operation, repair)
    with suppress(CalamariError):
        world.run(template=TWO, recreate_failed=True)
    deleted = {one["StackName"] for one in world.params("DeleteStack")}
    assert (old.id in deleted) is not bool(lived)


def test_a_stack_that_is_repaired_while_aws_is_silent_lives_on(world: StackWorld) -> None:
    """An outage of two minutes, and somebody corrects the stack meanwhile: it is proved again
    before every try."""
    _kept_failure(world)
    outage: dict[str, Any] = {"times": None, "error": "Unreachable", "until": 120.0}
    world.aws.faults += [
        Fault(operation="RollbackStack", **outage),
        Fault(operation="DeleteStack", **outage),
        Fault(operation="DescribeStacks", since=1, **outage),
    ]
    world.clock.at(20, lambda: world.aws.start_update(NAME, THREE, token="fix-forward"))
    error = world.fail(template=TWO, recreate_failed=True)
    assert isinstance(error, StackFailed)
    assert "somebody else works on it" in error.message
    assert set(world.called()) == {"RollbackStack"}
    assert world.status() == "UPDATE_COMPLETE"
    assert world.report.has_changed is False


# ---- lost answers


def test_a_request_that_the_door_repeats_is_our_own(world: StackWorld) -> None:
    """The connection broke, the door asked again, AWS refuses the second: the first is followed,
    not deployed once more."""
    world.has()
    world.aws.faults += [
        Fault(operation="ExecuteChangeSet", error="InvalidChangeSetStatus", lost=True)
    ]
    outcome = world.run(template=TWO)
    assert outcome.changed is True
    assert world.called().count("ExecuteChangeSet") == 1
    assert world.report.has_changed


def test_somebody_who_executes_our_change_set_is_not_us(world: StackWorld) -> None:
    """Approved twice, executed twice at the same moment: the events tell whose it is."""
    world.has()
    world.run(template=TWO, action="change-set")
    (name,) = world.change_sets()
    one = world.aws.stack(NAME).change_sets[name]

    def executed() -> None:
        params = {"ChangeSetName": one.id, "ClientRequestToken": "theirs"}
        world.aws.answer("cloudformation", "ExecuteChangeSet", params)

    _before_call(world, "ExecuteChangeSet", executed)
    error = world.fail(action="execute")
    assert isinstance(error, StackFailed)
    assert "somebody else" in error.message
    assert not world.report.has_changed


@pytest.mark.parametrize(
    ("action", "operation", "status"),
    [
        ("deploy", "ExecuteChangeSet", "CREATE_COMPLETE"),
        ("delete", "DeleteStack", "CREATE_COMPLETE"),
        ("rollback", "RollbackStack", "UPDATE_FAILED"),
        ("rollback", "ContinueUpdateRollback", "UPDATE_ROLLBACK_FAILED"),
    ],
)
@pytest.mark.parametrize("lag", [0, 12])
@pytest.mark.parametrize("then", ["ExpiredToken", "AccessDenied", "InvalidClientTokenId", "gone"])
def test_what_runs_is_never_told_as_refused(
    world: StackWorld, action: str, operation: str, status: str, then: str, lag: float
) -> None:
    """The answer is lost, and the credentials with it: 76, or followed when they come back; never
    1 or 77 while something runs."""
    world.has(TWO, status=status, broken=("Bucket",))
    error = IdentityError("the launcher's credentials are gone") if then == "gone" else then
    world.aws.event_lag = lag
    begun: list[bool] = []

    def breaks() -> BaseException:
        if not begun:
            begun.append(True)
            world.aws.faults.append(Fault(error=error, times=None))
        return cloud_error("cloudformation", operation, "Unreachable", "closed")

    world.aws.faults.append(Fault(operation=operation, error=breaks, lost=True))
    ended = world.fail(action=action, template=ONE)
    assert isinstance(ended, Indeterminate)
    assert ended.exit_code == 76
    assert world.report.facts["status"] is None
    assert "nobody knows" in world.report.last_words
    assert "DeleteChangeSet" not in world.called()
    assert "--action watch" in (ended.hint or "")


def test_credentials_that_come_back_find_it_running(world: StackWorld) -> None:
    """The answer is lost, the credentials are gone for a minute: followed to its end."""
    world.has()
    world.aws.faults.append(Fault(operation="ExecuteChangeSet", error="Unreachable", lost=True))

    def gone() -> None:
        lost = IdentityError("the launcher's credentials are gone")
        now = world.clock.monotonic()
        world.aws.faults.append(Fault(error=lost, times=None, until=now + 60))

    _before_call(world, "ExecuteChangeSet", gone)
    world.aws.faults.reverse()
    assert world.run(template=TWO).changed
    assert world.status() == "UPDATE_COMPLETE"


def test_events_that_come_late_are_waited_for(world: StackWorld) -> None:
    """The answer is lost and no event tells of it for a while: it is not sent blindly."""
    world.has()
    world.aws.event_lag = 20
    world.aws.faults.append(Fault(operation="DeleteStack", error="Unreachable", lost=True))
    assert world.run(action="delete").changed
    assert world.status() is None


def test_a_refusal_without_any_doubt_is_told_at_once(world: StackWorld) -> None:
    """Nothing was lost: AWS says no, and so does the step; what was prepared is taken back."""
    world.has()
    world.aws.faults.append(Fault(operation="ExecuteChangeSet", error="AccessDenied", times=None))
    error = world.fail(template=TWO)
    assert isinstance(error, CloudError)
    assert not isinstance(error, Indeterminate)
    assert world.clock.monotonic() < 30
    assert world.change_sets() == []


# ---- while it runs


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ValidationError", "Stack [{}] does not exist"),
        ("ValidationError", "Stack:{} is in UPDATE_IN_PROGRESS state and can not be updated."),
        ("ChangeSetNotFound", "no"),
    ],
)
def test_nothing_is_deployed_again_once_it_runs(world: StackWorld, code: str, message: str) -> None:
    """An odd answer while following is never taken for somebody who was faster."""
    world.has()
    world.aws.script("Queue", seconds=60, fail="boom")
    text = message.format(world.aws.stack(NAME).id)
    world.aws.faults.append(
        Fault(operation="DescribeStackEvents", after=2, times=None, error=code, message=text)
    )
    world.fail(template=TWO, patience=60)
    assert world.called().count("ExecuteChangeSet") == 1


@pytest.mark.parametrize("end", ["lost", "timeout", "cancel"])
def test_the_last_status_is_not_that_of_before(world: StackWorld, end: str) -> None:
    """76, 124 and 143 tell of the update, not of what the stack was before it."""
    world.has(status="UPDATE_COMPLETE")
    world.aws.script("Queue", seconds=500)
    if end == "timeout":
        world.timeout = 60
    elif end == "cancel":
        world.clock.at(60, _cancel)
    else:

        def falls_silent() -> None:
            world.aws.faults.append(Fault(error="Unreachable", times=None))

        world.after_call("ExecuteChangeSet", falls_silent)
    world.fail(template=TWO)
    assert world.report.facts["status"] == "UPDATE_IN_PROGRESS"
    assert world.report.last_words == f"{NAME}: UPDATE_IN_PROGRESS"


# ---- cancelled


def test_only_our_own_update_is_cancelled(world: StackWorld) -> None:
    """Ours has ended and somebody else's runs: theirs goes on."""
    world.has()
    world.aws.event_lag = 10

    def theirs() -> None:
        world.aws.start_update(NAME, SLOWER, token="theirs")

    world.aws.script("Queue", seconds=5)
    ends: list[bool] = []

    def next_one() -> None:
        if world.status() == "UPDATE_COMPLETE" and not ends:
            ends.append(True)
            theirs()
            world.clock.at(world.clock.monotonic() + 1, _cancel)

    for second in range(5, 200):
        world.clock.at(second, next_one)
    error = world.fail(template=TWO, cancel_update=True)
    assert isinstance(error, Cancelled)
    assert ends
    assert "CancelUpdateStack" not in world.called()
    assert any("not cancelled" in text for text in world.report.said("warning"))
    assert any("CloudFormation goes on" in text for text in world.report.said("warning"))


def test_a_timeout_in_a_rollback_says_that_it_goes_on(world: StackWorld) -> None:
    """There is nothing left to cancel: CloudFormation goes on all the same."""
    world.has(template_text(Queue=QUEUE))
    other = {**QUEUE, "Properties": {"QueueName": "jobs", "DelaySeconds": 5}}
    world.aws.script("Queue", fail="no", seconds=30)
    world.timeout = 50
    error = world.fail(template=template_text(Queue=other), cancel_update=True)
    assert world.status() == "UPDATE_ROLLBACK_IN_PROGRESS"
    assert "CancelUpdateStack" not in world.called()
    told = [str(error), *world.report.said("warning")]
    assert any("CloudFormation goes on" in text for text in told)


def test_an_update_of_somebody_else_is_not_cancelled(world: StackWorld) -> None:
    """Its events are there, and they carry another token."""
    world.has()
    world.aws.script("Queue", seconds=5)
    ends: list[bool] = []

    def next_one() -> None:
        if world.status() == "UPDATE_COMPLETE" and not ends:
            ends.append(True)
            # As if it had begun with ours: the time alone would not tell.
            stack = world.aws.stack(NAME)
            updated = stack.updated
            world.aws.start_update(NAME, SLOWER, token="theirs")
            stack.updated = updated
            world.clock.at(world.clock.monotonic() + 0.01, _cancel)

    for tenth in range(50, 600):
        world.clock.at(tenth / 10, next_one)
    assert isinstance(world.fail(template=TWO, cancel_update=True), Cancelled)
    assert ends
    assert "CancelUpdateStack" not in world.called()


def test_protection_that_is_turned_on_in_between_holds(world: StackWorld) -> None:
    """The proof is made again before the deletion is tried again."""
    world.has(status="ROLLBACK_COMPLETE")
    old = world.aws.stack(NAME)
    world.aws.faults.append(
        Fault(operation="DeleteStack", error="Unreachable", times=None, until=60)
    )
    world.clock.at(20, lambda: setattr(old, "protected", True))
    error = world.fail(template=TWO, recreate_failed=True, patience=300)
    assert isinstance(error, StackFailed)
    assert "termination protection" in error.message
    assert old.status == "ROLLBACK_COMPLETE"


def test_a_proof_that_aws_interrupts_is_made_again(world: StackWorld) -> None:
    """One throttled look at the events is no reason to stop."""
    world.has(status="ROLLBACK_COMPLETE")
    world.aws.faults.append(Fault(operation="DescribeStackEvents", error="Throttling"))
    assert world.run(template=TWO, recreate_failed=True).changed


@pytest.mark.parametrize("error", [Indeterminate, StackFailed])
def test_what_comes_after_the_beginning_is_nobody_faster(error: type[CloudError]) -> None:
    """Whatever code it carries: it is ours by then."""
    code = "ChangeSetNotFound"
    assert not was_overtaken(error("no", service="", operation="", code=code))
    assert was_overtaken(CloudError("no", service="", operation="", code=code))
