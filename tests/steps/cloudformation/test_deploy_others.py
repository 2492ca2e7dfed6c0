"""A deployment while others work on the stack, and while AWS does not answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from calamari_py.errors import (
    CalamariError,
    Cancelled,
    CloudError,
    Indeterminate,
    StackFailed,
    Temporary,
    TimedOut,
)
from tests.fake_cloudformation import Fault, nested
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

_GONE = ("status", "DELETE_COMPLETE")


@pytest.fixture
def world() -> StackWorld:
    return StackWorld()


# ---- others


def test_others_are_waited_for(world: StackWorld) -> None:
    """An update that somebody else runs is waited for and named, then ours follows."""
    world.has()
    world.aws.script("Other", seconds=120)
    world.aws.start_update(NAME, template_text(Bucket=BUCKET, Other=QUEUE))
    assert world.run(template=TWO).changed
    assert "Console-UpdateStack-0b9d" in world.report.everything
    assert world.status() == "UPDATE_COMPLETE"


def test_waiting_for_others_keeps_the_deadline(world: StackWorld) -> None:
    """The step's timeout counts the wait."""
    world.has(status="UPDATE_IN_PROGRESS")
    world.timeout = 300
    error = world.fail()
    assert isinstance(error, TimedOut)
    assert world.called() == []
    assert 300 <= world.clock.monotonic() < 400


def test_somebody_faster_is_looked_at_again(world: StackWorld) -> None:
    """A change set that is obsolete when it is to be executed is made anew."""
    world.has()
    other = template_text(Bucket=BUCKET, Other=QUEUE)
    world.after_call("DescribeStackEvents", lambda: world.aws.start_update(NAME, other))
    assert world.run(template=TWO).changed
    assert world.called().count("ExecuteChangeSet") == 2
    first, second = world.params("ExecuteChangeSet")
    assert first["ClientRequestToken"] != second["ClientRequestToken"]
    assert world.status() == "UPDATE_COMPLETE"
    assert world.change_sets() == [world.report.facts["change_set"]["name"]]


def test_somebody_creates_the_stack_meanwhile(world: StackWorld) -> None:
    """Not there at the first look, there when the change set is to be made: looked at again."""
    world.after_call("DescribeStacks", lambda: world.aws.start_update(NAME, ONE))
    assert world.run(template=TWO).changed
    first, second = world.params("CreateChangeSet")
    assert (first["ChangeSetType"], second["ChangeSetType"]) == ("CREATE", "UPDATE")
    assert world.status() == "UPDATE_COMPLETE"


def test_somebody_deletes_the_stack_meanwhile(world: StackWorld) -> None:
    """There at the first look, gone when the change set is to be made: it is a new stack."""
    world.has()
    world.after_call("DescribeStacks", lambda: setattr(world.aws.stack(NAME), *_GONE))
    assert world.run(template=TWO).changed
    assert world.params("CreateChangeSet")[-1]["ChangeSetType"] == "CREATE"


def test_somebody_deletes_the_stack_before_it_is_executed(world: StackWorld) -> None:
    """The change set is gone with it: nothing of ours has begun, and it is a new stack."""
    world.has()
    world.after_call("DescribeStackEvents", lambda: setattr(world.aws.stack(NAME), *_GONE))
    assert world.run(template=TWO).changed
    assert world.params("CreateChangeSet")[-1]["ChangeSetType"] == "CREATE"
    assert world.clock.monotonic() < 120


def test_a_nested_stack_is_deployed_with_a_warning(world: StackWorld) -> None:
    """The next deployment of its root will undo it: said, also where the root may not be seen."""
    url = world.aws.upload("t/one.json", ONE)
    world.aws.add_stack("root", template=nested(url, "Data"))
    inner = next(one for one in world.aws.stacks.values() if "-Data-" in one.name)
    root = world.aws.stack("root").id
    world.aws.faults.append(
        Fault(
            operation="DescribeStacks",
            error="AccessDenied",
            times=None,
            when=lambda params: params["StackName"] == root,
        )
    )
    assert world.run(stack_name=inner.name, template=TWO).changed
    assert any("nested stack of 'root'" in text for text in world.report.said("warning"))


def _refused(world: StackWorld, meanwhile: Callable[[], object]) -> CalamariError | Cancelled:
    """The end of a deployment whose change set is refused each time, and `meanwhile` happens."""

    def refuse() -> BaseException:
        meanwhile()
        return cloud_error("cloudformation", "ExecuteChangeSet", "InvalidChangeSetStatus", "no")

    world.aws.faults.append(Fault(operation="ExecuteChangeSet", error=refuse, times=None))
    return world.fail(template=TWO)


def test_somebody_always_faster_ends_the_step(world: StackWorld) -> None:
    """Three times is enough; nothing is left behind, and AWS gets a rest in between."""
    world.has()
    texts = iter(template_text(Bucket=BUCKET, **{f"Other{number}": QUEUE}) for number in range(9))
    error = _refused(world, lambda: world.aws.start_update(NAME, next(texts)))
    assert isinstance(error, StackFailed)
    assert "somebody else changed stack" in error.message
    assert world.called().count("ExecuteChangeSet") == 3
    world.clock.settle()
    assert world.change_sets() == []


def test_a_refusal_that_nobody_has_caused_is_told_as_it_is(world: StackWorld) -> None:
    """The stack is what it was each time: nobody else did anything, it is AWS's own error."""
    world.has()
    error = _refused(world, lambda: None)
    assert isinstance(error, CloudError)
    assert error.code == "InvalidChangeSetStatus"
    assert "somebody else" not in error.message
    assert world.called().count("ExecuteChangeSet") == 3
    looks = [one.at for one in world.aws.calls if one.operation == "DescribeStacks"]
    refused = [one.at for one in world.aws.calls if one.operation == "DeleteChangeSet"]
    rest = min(min(look for look in looks if look > last) - last for last in refused[:2])
    assert rest >= 0.75 * world.spec.poll_interval
    assert world.change_sets() == []


def test_a_stack_made_anew_is_the_one_that_is_followed(world: StackWorld) -> None:
    """Deleted and made anew between the look and the change set: its own ARN counts."""
    world.has()

    def make_anew() -> None:
        setattr(world.aws.stack(NAME), *_GONE)
        world.has(template_text(Other=BUCKET))

    world.after_call("DescribeStacks", make_anew)
    assert world.run(template=TWO).changed
    assert world.report.outputs["StackId"] == world.aws.stack(NAME).id
    assert world.status() == "UPDATE_COMPLETE"


def test_outputs_of_no_changes_are_those_of_now(world: StackWorld) -> None:
    """Made anew in between, and nothing to change: not the outputs of the stack that is gone."""
    world.has()

    def make_anew() -> None:
        setattr(world.aws.stack(NAME), *_GONE)
        world.has(ONE)

    world.after_call("DescribeStacks", make_anew)
    assert world.run().changed is False
    assert world.report.outputs["StackId"] == world.aws.stack(NAME).id


# ---- lost answers


def test_a_lost_answer_of_execute_is_found_out(world: StackWorld) -> None:
    """What was begun is followed, though AWS's answer was lost."""
    world.has()
    world.aws.faults.append(Fault(operation="ExecuteChangeSet", error="Unreachable", lost=True))
    assert world.run(template=TWO).changed
    assert world.called().count("ExecuteChangeSet") == 1
    assert world.status() == "UPDATE_COMPLETE"


def test_a_second_try_that_is_refused_proves_the_first(world: StackWorld) -> None:
    """The answer is lost, AWS is silent, and then refuses to begin what it has begun."""
    world.has()
    world.aws.faults += [
        Fault(operation="ExecuteChangeSet", error="Unreachable", lost=True),
        Fault(operation="ExecuteChangeSet", error="InvalidChangeSetStatus", times=None),
    ]

    def falls_silent() -> None:
        world.aws.faults.append(Fault(operation="DescribeChangeSet", error="Unreachable"))

    world.after_call("DescribeStackEvents", falls_silent)
    assert world.run(template=TWO).changed
    assert world.called() == ["CreateChangeSet", *["ExecuteChangeSet"] * 2]
    assert world.status() == "UPDATE_COMPLETE"


def test_an_execute_that_never_arrived_is_sent_again(world: StackWorld) -> None:
    """The same request, with the same token."""
    world.has()
    world.aws.faults.append(Fault(operation="ExecuteChangeSet", error="Throttling", times=2))
    assert world.run(template=TWO).changed
    tokens = [one["ClientRequestToken"] for one in world.params("ExecuteChangeSet")]
    assert len(tokens) == 3
    assert len(set(tokens)) == 1


def test_nobody_knows_whether_it_began(world: StackWorld) -> None:
    """Contact lost for good at that moment: indeterminate, with the command that watches."""
    world.has()
    world.after_call(
        "DescribeStackEvents",
        lambda: world.aws.faults.append(Fault(error="Unreachable", times=None)),
    )
    error = world.fail(template=TWO, patience=120)
    assert isinstance(error, Indeterminate)
    assert error.exit_code == 76
    assert "calamari run step.yaml --action watch" in (error.hint or "")


def test_an_execute_that_was_never_taken_is_temporary(world: StackWorld) -> None:
    """AWS throttles it all the time and says that nothing runs: safe to run again, cleaned up."""
    world.has()
    world.aws.faults.append(Fault(operation="ExecuteChangeSet", error="Throttling", times=None))
    error = world.fail(template=TWO, patience=120)
    assert type(error) is Temporary
    assert world.change_sets() == []


def test_contact_lost_while_it_runs(world: StackWorld) -> None:
    """76 while CloudFormation goes on; a watch afterwards finds the truth."""
    world.has()
    world.aws.script("Queue", seconds=300)
    world.clock.at(60, lambda: world.aws.faults.append(Fault(error="Unreachable", times=None)))
    error = world.fail(template=TWO, patience=120)
    assert isinstance(error, Indeterminate)
    world.aws.faults.clear()
    world.run(action="watch")
    assert world.report.facts["status"] == "UPDATE_COMPLETE"
