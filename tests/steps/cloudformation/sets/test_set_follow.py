"""Operations of a stack set on their way: what is shown, what disturbs them, how they end."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from calamari_py.errors import (
    Cancelled,
    CloudError,
    IdentityError,
    Indeterminate,
    StackFailed,
    Temporary,
    TimedOut,
)
from tests.fake_cloudformation import Fault
from tests.steps.cloudformation.sets.fake_stack_sets import FakeOperation
from tests.steps.cloudformation.sets.world import EAST, NAME, ONE, TWO, SetWorld, group

WATCH = "calamari run step.yaml --action watch"
RESULTS = "ListStackSetOperationResults"
STATE = "DescribeStackSetOperation"
ADD = "CreateStackInstances"


@pytest.fixture
def world() -> SetWorld:
    """The set is there, without instances."""
    world = SetWorld()
    world.there()
    return world


def test_each_result_is_told_when_it_is_final(world: SetWorld) -> None:
    """Once, as it comes, in columns and in fields; the progress counts them."""
    world.run()
    told = [text for kind, text in world.report.told if kind in ("line", "progress")]
    first = told.index(f"{ONE}  {EAST}  SUCCEEDED")
    second = told.index(f"{TWO}  {EAST}  SUCCEEDED")
    assert "1/2 instances, 15s" in told[first:second]
    assert world.report.events[0] == (
        "stack_set_result",
        {"account": ONE, "region": EAST, "status": "SUCCEEDED", "reason": ""},
    )
    assert len(world.report.events) == 2


@pytest.mark.parametrize("operation", [STATE, RESULTS, "*"])
@pytest.mark.parametrize("error", ["Throttling", "ExpiredToken", "Unreachable"])
def test_a_gap_in_contact_is_survived(world: SetWorld, operation: str, error: str) -> None:
    """Throttled, without valid keys or without a network for a while: it is asked again."""
    world.aws.faults.append(Fault(operation=operation, error=error, times=None, since=4, until=200))
    assert world.run().changed
    assert len(world.report.events) == 2


def test_a_renewal_that_fails_for_a_while(world: SetWorld) -> None:
    """The credentials of the step cannot be renewed: CloudFormation needs none of them."""
    error = IdentityError("the launcher has no credentials for now")
    world.aws.faults.append(Fault(operation=STATE, error=error, times=3))
    assert world.run().changed


def test_contact_that_is_lost_for_good(world: SetWorld) -> None:
    """After `patience` nobody knows how it ends: 76, with the command that finds out."""
    world.aws.faults.append(Fault(error="Unreachable", times=None, since=4))
    error = world.fail(patience=300.0)
    assert isinstance(error, Indeterminate)
    assert WATCH in (error.hint or "")
    assert 300 <= world.aws.clock.monotonic() < 400


def test_a_refused_look_loses_contact(world: SetWorld) -> None:
    """The operation runs, and nobody may see how."""
    world.aws.faults.append(Fault(operation=STATE, error="AccessDenied", times=None, since=4))
    error = world.fail()
    assert isinstance(error, Indeterminate)
    assert f"cloudformation:{STATE}" in error.message


def test_what_may_not_be_looked_at_is_not_begun(world: SetWorld) -> None:
    """The permission to follow an operation is proven before anything is changed."""
    world.aws.faults.append(Fault(operation=STATE, error="AccessDenied", times=None))
    error = world.fail()
    assert type(error) is CloudError
    assert f"'cloudformation:{STATE}'" in error.message
    assert world.aws.changing() == []


def test_an_odd_refusal_stays_alone(world: SetWorld) -> None:
    """One strange answer on the way is no end."""
    world.aws.faults.append(Fault(operation=STATE, error="InvalidClientTokenId", since=4))
    assert world.run().changed


@pytest.mark.parametrize("operation", [STATE, RESULTS, "ListStackInstances", "DescribeStackSet"])
def test_an_answer_that_lacks_everything(world: SetWorld, operation: str) -> None:
    """A 200 that is none of CloudFormation's answers counts as none: it is asked again."""
    world.aws.odd[operation] = 2
    assert world.run().changed
    assert world.aws.odd[operation] == 0


def test_answers_that_never_mean_anything(world: SetWorld) -> None:
    """Contact is lost after `patience`, not with a crash."""
    world.aws.odd[RESULTS] = 1000
    error = world.fail(patience=60.0)
    assert isinstance(error, Indeterminate)
    assert error.code == "UnexpectedAnswer"


@pytest.mark.parametrize("since", [0, 4])
def test_results_that_may_not_be_read(world: SetWorld, since: float) -> None:
    """The status as a whole is left, and the end is checked by the instances."""
    denied = Fault(operation=RESULTS, error="AccessDenied", times=None, since=since)
    world.aws.faults.append(denied)
    assert world.run().changed
    assert world.report.events == []
    (warning,) = world.report.said("warning")
    assert f"'cloudformation:{RESULTS}'" in warning


def test_one_refusal_of_the_results_hides_no_success(world: SetWorld) -> None:
    """They are asked for again: what was PENDING when it was refused is no failure."""
    world.aws.faults.append(Fault(operation=RESULTS, error="AccessDenied", since=4))
    assert world.run().changed
    assert len(world.report.events) == 2
    assert len(world.report.said("warning")) == 1


def test_a_failure_that_comes_late_is_told(world: SetWorld) -> None:
    """The operation has FAILED before its results show where: they are waited for."""
    world.aws.fails[ONE, EAST] = "no"
    world.aws.seconds = 0.1

    def hide() -> None:
        operation = world.aws.sets[NAME].operations[0]
        ended = dict(operation.results)
        operation.results = {}
        world.aws.clock.after(20, lambda: operation.results.update(ended))

    world.aws.clock.at(1, hide)
    assert f"account {ONE}" in str(world.fail())


def test_results_may_be_late(world: SetWorld) -> None:
    """An operation is over before the last result is to be seen: it is waited for."""
    world.aws.seconds = 0.1

    def late() -> None:
        operation = world.aws.sets[NAME].operations[0]
        ended = dict(operation.results)
        operation.results[TWO, EAST] = "RUNNING", ""
        world.aws.clock.after(20, lambda: operation.results.update(ended))

    world.aws.clock.at(1, late)
    assert world.run().changed
    assert len(world.report.events) == 2


def test_a_result_that_never_comes(world: SetWorld) -> None:
    """Not waited for without end, and no success."""
    world.aws.seconds = 0.1
    world.aws.faults.append(Fault(operation=RESULTS, error="AccessDenied"))

    def stuck() -> None:
        world.aws.sets[NAME].operations[0].results[TWO, EAST] = "RUNNING", ""

    world.aws.clock.at(1, stuck)
    error = world.fail()
    assert isinstance(error, StackFailed)
    assert "does not say what it came to everywhere" in error.message
    assert world.aws.clock.monotonic() < 120


def test_a_new_operation_may_be_unknown_at_first(world: SetWorld) -> None:
    """AWS has taken it and does not show it yet."""
    world.aws.faults.append(Fault(operation=STATE, error="OperationNotFoundException", times=2))
    assert world.run().changed


def test_time_is_over(world: SetWorld) -> None:
    """CloudFormation goes on, and that is said with the command that follows it."""
    world.aws.seconds = 3600
    world.timeout = 100
    error = world.fail()
    assert isinstance(error, TimedOut)
    assert "CloudFormation goes on with it" in error.message
    assert WATCH in (error.hint or "")
    assert 100 <= world.aws.clock.monotonic() < 110
    assert world.aws.changing() == [ADD]
    assert world.report.has_changed
    assert world.report.last_words == f"{NAME}: CREATE RUNNING"
    (told,) = world.report.facts["operations"]
    assert told["status"] == "RUNNING"
    assert len(told["results"]) == 2


def test_a_cancel(world: SetWorld) -> None:
    """The same of somebody who does not want to wait."""

    def cancel() -> None:
        raise Cancelled(15)

    world.aws.clock.at(12, cancel)
    assert isinstance(world.fail(), Cancelled)
    (warning,) = world.report.said("warning")
    assert "CloudFormation goes on" in warning
    assert WATCH in world.report.hints[0]
    assert world.aws.changing() == [ADD]


@pytest.mark.parametrize("lost", [False, True], ids=["not begun", "begun"])
def test_a_cancel_at_the_start(world: SetWorld, *, lost: bool) -> None:
    """Only what AWS has begun goes on."""
    world.aws.faults.append(Fault(operation=ADD, error=Cancelled(2), lost=lost))
    assert isinstance(world.fail(), Cancelled)
    assert len(world.report.said("warning")) == lost
    assert world.report.has_changed is lost
    assert ("has begun" in world.report.last_words) is lost


def test_somebody_stops_it(world: SetWorld) -> None:
    """STOPPED is told as what it is."""

    def stop() -> None:
        operation = world.aws.sets[NAME].operations[0]
        operation.status = "STOPPED"
        operation.results = dict.fromkeys(operation.results, ("CANCELLED", ""))

    world.aws.clock.at(5, stop)
    error = world.fail()
    assert isinstance(error, StackFailed)
    assert "somebody has stopped" in error.message
    assert f"watch\t{WATCH}" in error.evidence


def test_an_encoded_message_is_no_line(world: SetWorld) -> None:
    """People see that there is one; programs get it whole."""
    encoded = "x" * 900
    world.aws.fails[ONE, EAST] = f"Encoded authorization failure message: {encoded} (400)"
    denied = {"explicitDeny": False, "context": {"action": "sns:CreateTopic"}}
    world.aws.decoded[encoded] = json.dumps(denied)
    assert "sns:CreateTopic is denied" in str(world.fail())
    assert encoded not in "\n".join(world.report.said("line"))
    assert encoded in world.report.events[0][1]["reason"]


# ---- the start


@pytest.mark.parametrize(
    "code",
    ["AccessDenied", "StaleRequestException", "InvalidOperationException", "UnexpectedAnswer",
     "OperationInProgressException", "ExpiredToken"],
)  # fmt: skip
def test_a_refusal_of_what_was_taken(world: SetWorld, code: str) -> None:
    """The door repeats a request whose connection broke: the second is refused because AWS has
    taken the first, which is followed."""
    world.aws.faults.append(Fault(operation=ADD, error=code, lost=True))
    assert world.run().changed
    assert len(world.aws.sets[NAME].operations) == 1
    assert len(world.aws.asked(ADD)) == 1


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken", "OperationInProgressException"])
def test_an_error_after_a_lost_answer_is_no_failure(world: SetWorld, code: str) -> None:
    """Nobody can see whether it has begun, and the next request is refused: 76, never 1 or 77."""
    blind = Fault(operation=STATE, error="Unreachable", times=None, after=1)
    lost = Fault(operation=ADD, error="Unreachable", lost=True)
    world.aws.faults += [blind, lost, Fault(operation=ADD, error=code, times=None)]
    error = world.fail(patience=60.0)
    assert isinstance(error, Indeterminate)
    assert WATCH in (error.hint or "")


def test_an_odd_refusal_says_nothing(world: SetWorld) -> None:
    """It may be the second of two requests, and nobody can see whether the first was taken."""
    world.aws.faults += [
        Fault(operation=STATE, error="Unreachable", times=None, after=1),
        Fault(operation=ADD, error="InvalidOperationException", lost=True),
    ]
    assert isinstance(world.fail(), Indeterminate)


def test_our_own_operation_is_nobody_else_s(world: SetWorld) -> None:
    """Its answer was lost, AWS does not show it yet and says that the set is busy: with it."""
    world.aws.faults += [
        Fault(operation=STATE, error="OperationNotFoundException", times=3),
        Fault(operation=ADD, error="Unreachable", lost=True),
        Fault(operation=ADD, error="OperationInProgressException"),
    ]
    assert world.run().changed
    assert len({params["OperationId"] for params in world.aws.asked(ADD)}) == 1
    assert len(world.report.events) == 2


def test_an_identity_that_is_lost_after_the_answer(world: SetWorld) -> None:
    """The same of credentials that cannot be renewed."""
    gone = IdentityError("the launcher has no credentials")
    world.aws.faults += [
        Fault(operation=ADD, error="Unreachable", lost=True),
        Fault(operation=STATE, error=gone, times=None, after=1),
        Fault(operation=ADD, error=gone, times=None),
    ]
    assert isinstance(world.fail(patience=60.0), Indeterminate)


def test_a_stale_error_on_the_way_begins_nothing_anew(world: SetWorld) -> None:
    """Only what AWS refuses before it has begun is looked at again."""
    stale = Fault(operation=STATE, error="StaleRequestException", times=None, since=4)
    world.aws.faults.append(stale)
    error = world.fail(patience=60.0)
    assert isinstance(error, Indeterminate)
    assert len(world.aws.asked(ADD)) == 1


def test_time_is_over_before_it_begins(world: SetWorld) -> None:
    """Nothing has begun: out of time, and not a question of contact."""
    world.aws.faults.append(Fault(operation=ADD, error="Throttling", times=None))
    world.timeout = 100
    assert isinstance(world.fail(), TimedOut)
    assert not world.report.has_changed


@pytest.mark.parametrize("times", [1, 3])
def test_a_lost_answer_begins_it_once(world: SetWorld, times: int) -> None:
    """What AWS has taken is followed, under the token that this run has given it."""
    world.aws.faults.append(Fault(operation=ADD, error="Unreachable", lost=True, times=times))
    assert world.run().changed
    assert len(world.aws.sets[NAME].operations) == 1
    assert len(world.aws.asked(ADD)) == 1


def test_a_throttled_start_is_repeated_with_its_token(world: SetWorld) -> None:
    """The same token is the same operation."""
    world.aws.faults.append(Fault(operation=ADD, error="Throttling", times=3))
    assert world.run().changed
    assert len({params["OperationId"] for params in world.aws.asked(ADD)}) == 1
    assert len(world.aws.asked(ADD)) == 4


def test_a_known_token_is_our_own_operation(world: SetWorld) -> None:
    """AWS has it already: the first of two tries was taken."""
    world.aws.faults.append(
        Fault(operation=ADD, error="OperationIdAlreadyExistsException", lost=True)
    )
    assert world.run().changed


def test_a_start_that_never_worked(world: SetWorld) -> None:
    """Nothing has begun, and AWS says so: safe to run again."""
    world.aws.faults.append(Fault(operation=ADD, error="Throttling", times=None))
    error = world.fail(patience=60.0)
    assert type(error) is Temporary
    assert not world.report.has_changed


def test_a_start_that_nobody_knows_of(world: SetWorld) -> None:
    """Neither the start is answered, nor whether it has begun."""
    world.aws.faults.append(Fault(operation=ADD, error="Unreachable", times=None))
    world.aws.faults.append(Fault(operation=STATE, error="Unreachable", times=None, after=1))
    error = world.fail(patience=60.0)
    assert isinstance(error, Indeterminate)
    assert "nobody knows whether AWS has taken" in error.message
    assert WATCH in (error.hint or "")


def test_a_refused_start_is_told(world: SetWorld) -> None:
    """The missing action is named; nothing was changed."""
    world.aws.faults.append(Fault(operation=ADD, error="AccessDenied"))
    error = world.fail()
    assert isinstance(error, CloudError)
    assert f"'cloudformation:{ADD}'" in error.message
    assert not world.report.has_changed


# ---- others


def test_others_are_waited_for(world: SetWorld) -> None:
    """One operation at a time: who works on it is said, and the set is looked at afterwards."""
    other = world.aws.begin(NAME, seconds=60)
    assert world.run().changed
    assert (
        f"waiting for the update '{other.id}', begun 2026-03-01 09:30:00Z"
        in world.report.everything
    )
    assert world.aws.clock.monotonic() > 60


def test_others_are_waited_for_only_so_long(world: SetWorld) -> None:
    """Bounded by the step's time."""
    world.aws.begin(NAME, seconds=100_000)
    world.timeout = 90
    error = world.fail()
    assert isinstance(error, TimedOut)
    assert "'Console-4711'" in error.message
    assert WATCH in (error.hint or "")
    assert world.aws.changing() == []


def test_somebody_is_faster(world: SetWorld) -> None:
    """An operation that begins between look and start is waited for. What it has changed is part
    of what is compared then: the set is looked at again."""
    done: list[FakeOperation] = []

    def begin() -> bool:
        if not done:
            done.append(world.aws.begin(NAME, seconds=60))
            world.aws.sets[NAME].said["Description"] = "theirs"
        return False

    world.aws.faults.append(Fault(operation=ADD, when=lambda _: begin()))
    assert world.run(description="ours").changed
    assert world.aws.sets[NAME].said["Description"] == "ours"


def _once_over(world: SetWorld, act: Callable[[], object]) -> None:
    """`act` comes between the step's own operation and its last look."""

    def watch() -> bool:
        operations = world.aws.sets[NAME].operations
        if [one.status for one in operations] == ["SUCCEEDED"]:
            act()
        return False

    world.aws.faults.append(Fault(operation="DescribeStackSet", when=lambda _: watch()))


def test_somebody_works_on_it_meanwhile(world: SetWorld) -> None:
    """An operation of others that came and went between those of this run is noticed at the end:
    what they have changed is set right."""
    found = world.aws.sets[NAME]

    def interfere() -> None:
        world.aws.begin(NAME, seconds=0.1)
        found.said["Parameters"] = [{"ParameterKey": "Stage", "ParameterValue": "Theirs"}]

    _once_over(world, interfere)
    assert world.run().changed
    assert found.said["Parameters"] == [{"ParameterKey": "Stage", "ParameterValue": "Dev"}]


def test_a_drift_detection_changes_nothing(world: SetWorld) -> None:
    """It is no reason to look again."""
    _once_over(world, lambda: world.aws.begin(NAME, action="DETECT_DRIFT", seconds=0.1))
    assert world.run().changed
    assert [one.action for one in world.aws.sets[NAME].operations] == ["DETECT_DRIFT", "CREATE"]
    assert "faster" not in world.report.everything


def test_an_instance_that_goes_while_it_is_looked_at(world: SetWorld) -> None:
    """Somebody takes it out between two calls: the plan is made anew."""
    world.run()
    gone = Fault(operation="DescribeStackInstance", error="StackInstanceNotFoundException")
    world.aws.faults.append(gone)
    assert world.run().code == 0
    assert "somebody else was faster" in world.report.everything


def test_a_set_that_is_deleted_on_the_way(world: SetWorld) -> None:
    """It is gone for good: AWS's own error, not a lost contact, and it is not made again."""
    world.aws.clock.at(12, world.aws.sets.clear)
    error = world.fail()
    assert type(error) is CloudError
    assert error.code == "StackSetNotFoundException"
    assert world.aws.changing() == [ADD]


def test_a_set_that_others_have_changed_is_looked_at_again(world: SetWorld) -> None:
    """StaleRequest: the plan is made anew."""
    world.aws.faults.append(Fault(operation=ADD, error="StaleRequestException"))
    assert world.run().changed
    assert len(world.aws.asked("ListStackInstances")) == 3
    assert "somebody else was faster" in world.report.everything


def test_it_is_looked_at_again_only_so_often(world: SetWorld) -> None:
    """Then the error is told."""
    world.aws.faults.append(Fault(operation=ADD, error="StaleRequestException", times=None))
    error = world.fail()
    assert isinstance(error, CloudError)
    assert len(world.aws.asked(ADD)) == 3
    assert world.aws.clock.monotonic() >= 7


def test_somebody_who_cannot_be_seen_is_waited_for(world: SetWorld) -> None:
    """AWS refuses it because of an operation that it does not list: bounded by the step's time."""
    world.aws.faults.append(Fault(operation=ADD, error="OperationInProgressException", times=None))
    world.timeout = 90
    assert isinstance(world.fail(), TimedOut)
    assert 3 < len(world.aws.asked(ADD)) < 30


def test_a_creation_whose_answer_is_lost(world: SetWorld) -> None:
    """The token makes one set of two requests."""
    world.aws.sets.clear()
    world.aws.faults.append(Fault(operation="CreateStackSet", error="Unreachable", lost=True))
    assert world.run(instances=(group(ONE),)).changed
    assert len(world.aws.asked("CreateStackSet")) == 2


def test_a_creation_that_is_found_made(world: SetWorld) -> None:
    """Its answer was lost and AWS does not keep to the token: the set is looked at, as anybody's,
    and the step says that it has changed something."""
    world.aws.sets.clear()
    world.aws.faults += [
        Fault(operation="CreateStackSet", error="Unreachable", lost=True),
        Fault(operation="CreateStackSet", error="NameAlreadyExistsException"),
    ]
    assert world.run(instances=()).changed
    assert NAME in world.aws.sets


def test_a_creation_that_nobody_knows_of(world: SetWorld) -> None:
    """Neither made nor not made: 76."""
    world.aws.sets.clear()
    world.aws.faults += [
        Fault(operation="DescribeStackSet", error="Unreachable", times=None, after=1),
        Fault(operation="CreateStackSet", error="Unreachable", lost=True, times=None),
    ]
    assert isinstance(world.fail(patience=60.0), Indeterminate)


def test_instances_that_may_not_be_listed_are_not_made(world: SetWorld) -> None:
    """Nobody could tell at the end how they are."""
    world.aws.sets.clear()
    world.aws.faults.append(Fault(operation="ListStackInstances", error="AccessDenied", times=None))
    error = world.fail()
    assert isinstance(error, CloudError)
    assert "'cloudformation:ListStackInstances'" in error.message
    assert world.aws.changing() == ["CreateStackSet"]


@pytest.mark.parametrize("code", ["Unreachable", "AccessDenied"])
def test_an_end_that_nobody_sees(world: SetWorld, code: str) -> None:
    """Everything has succeeded, and the last look does not come: 76, not 75 or 1."""
    blind = Fault(operation="ListStackInstances", error=code, times=None, after=1)
    world.aws.faults.append(blind)
    error = world.fail(patience=60.0)
    assert isinstance(error, Indeterminate)
    assert "has succeeded" in error.message
    assert WATCH in (error.hint or "")
    assert world.report.last_words == f"{NAME}: CREATE SUCCEEDED"


def test_a_look_at_nothing_new_that_fails(world: SetWorld) -> None:
    """Nothing was begun, so that there is nothing to be in doubt about: 75."""
    world.run()
    world.aws.faults.append(
        Fault(operation="ListStackInstances", error="Unreachable", times=None, after=1)
    )
    assert type(world.fail(patience=60.0)) is Temporary


def test_no_call_outlasts_the_patience(world: SetWorld) -> None:
    """Nor the step's time, but for a few seconds."""
    world.run(patience=7.0)
    assert {one for one in world.aws.budgets if one is None or one > 7} == set()
