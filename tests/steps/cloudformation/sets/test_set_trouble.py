"""Action ``deploy``: what fails, what is behind, and what is refused."""

from __future__ import annotations

import pytest

from calamari_py.errors import CloudError, StackFailed
from calamari_py.steps.cloudformation.sections import (
    OperationSection,
)
from calamari_py.steps.cloudformation.spec import Parameter
from tests.fake_cloudformation import Fault
from tests.steps.cloudformation.sets.fake_stack_sets import FakeInstance, stack_id
from tests.steps.cloudformation.sets.world import (
    EAST,
    NAME,
    ONE,
    THREE,
    TWO,
    WEST,
    SetWorld,
    group,
)

CURRENT = "CURRENT"
NOT_THERE = "Account 222222222222 should have 'AWSCloudFormationStackSetExecutionRole' role"
EXISTS = (
    "ResourceLogicalId:DeployRole, ResourceType:AWS::IAM::Role, "
    "ResourceStatusReason:DevDeployRole already exists."
)


@pytest.fixture
def world() -> SetWorld:
    """Nothing is there."""
    return SetWorld()


def test_an_instance_that_failed_is_tried_again(world: SetWorld) -> None:
    """OUTDATED: with the parameters that the manifest gives it, though the set is as it says."""
    found = world.there((ONE, EAST), (TWO, EAST))
    found.instances[TWO, EAST].status = "OUTDATED"
    assert world.run().changed
    (params,) = world.aws.asked("UpdateStackInstances")
    assert (params["Accounts"], params["Regions"]) == ([TWO], [EAST])
    assert world.places()[TWO, EAST] == CURRENT


def test_an_instance_of_others_is_tried_again(world: SetWorld) -> None:
    """What an update of the set has not reached is not done, whoever made the instance. It keeps
    the parameters that it has."""
    found = world.there((ONE, EAST), (TWO, EAST), (THREE, EAST))
    other = found.instances[THREE, EAST]
    other.status, other.overrides = "OUTDATED", {"Size": "x"}
    assert world.run(instances=()).changed
    (params,) = world.aws.asked("UpdateStackInstances")
    assert params["Accounts"] == [THREE]
    assert "ParameterOverrides" not in params
    assert other.overrides == {"Size": "x"}
    assert world.places()[THREE, EAST] == CURRENT


def test_wrong_parameters_do_not_block_their_own_cure(world: SetWorld) -> None:
    """An update of the set fails where an old parameter is wrong: the new one comes after it."""
    found = world.there((ONE, EAST), (TWO, EAST), Description="old")
    bad = found.instances[ONE, EAST]
    bad.status, bad.overrides = "OUTDATED", {"Stage": "Tset"}
    world.aws.fails[ONE, EAST] = lambda _, one: (
        "'Tset' is not one of the allowed values" if one.overrides.get("Stage") == "Tset" else None
    )
    assert world.run(description="new").changed
    assert world.aws.changing() == ["UpdateStackSet", "UpdateStackInstances"]
    assert set(world.places().values()) == {CURRENT}


def test_an_update_that_somebody_has_stopped_is_left_alone(world: SetWorld) -> None:
    """Nothing else is begun, though instances wait for parameters of their own."""
    found = world.there((ONE, EAST), (TWO, EAST), Description="old")
    found.instances[ONE, EAST].overrides = {"Stage": "Test"}

    def stop() -> None:
        found.operations[0].status = "STOPPED"

    world.aws.clock.at(5, stop)
    error = world.fail(description="new")
    assert isinstance(error, StackFailed)
    assert "somebody has stopped" in error.message
    assert world.aws.changing() == ["UpdateStackSet"]
    assert f"not begun\tthe update of instances in {ONE} in {EAST}" in error.evidence


def test_a_failed_update_is_told_though_others_were_cured(world: SetWorld) -> None:
    """What no later operation reached is the failure."""
    found = world.there((ONE, EAST), (TWO, EAST), (THREE, EAST), Description="old")
    found.instances[ONE, EAST].overrides = {"Stage": "Test"}
    world.aws.fails[THREE, EAST] = EXISTS
    error = world.fail(description="new")
    assert isinstance(error, StackFailed)
    assert THREE in error.message
    assert found.instances[ONE, EAST].overrides == {}


def test_a_reason_is_one_line(world: SetWorld) -> None:
    """Whatever AWS hands through: of a result, an instance or an operation."""
    found = world.there((ONE, EAST), (TWO, EAST))
    found.instances[ONE, EAST] = FakeInstance(
        status="INOPERABLE", detail="INOPERABLE", reason="a\nb\r\nerror: c"
    )
    error = world.fail()
    assert isinstance(error, StackFailed)
    assert "(a b error: c)" in error.message


def test_a_partial_failure(world: SetWorld) -> None:
    """The first cause is the message, the others rows; what was reached is said, too."""
    world.aws.fails = {(TWO, EAST): EXISTS, (THREE, EAST): "Account gate check failed"}
    tolerant = OperationSection(failure_tolerance="2")
    error = world.fail(instances=(group(ONE, TWO, THREE),), operation=tolerant)
    assert isinstance(error, StackFailed)
    assert error.message == (
        f"DeployRole (AWS::IAM::Role) of stack set '{NAME}' in account {TWO}, {EAST}, could not be "
        "created: DevDeployRole already exists"
    )
    then = [row for row in error.evidence if row.startswith("then\t")]
    assert then == [f"then\t{THREE} {EAST}: Account gate check failed"]
    assert "results\t1 succeeded, 2 failed" in error.evidence
    assert f"look\tin account {TWO}, {EAST}: {stack_id(NAME, TWO, EAST)}" in error.evidence
    assert any(row.startswith("console\thttps://us-east-1.console") for row in error.evidence)
    assert "choose another name" in (error.hint or "")
    cause = world.report.facts["first_cause"]
    assert cause == {
        "account": TWO,
        "region": EAST,
        "resource": "DeployRole (AWS::IAM::Role)",
        "reason": "DevDeployRole already exists",
    }


def test_a_tolerated_failure_is_a_failure(world: SetWorld) -> None:
    """The tolerance says how far CloudFormation goes on, not that it has worked."""
    world.aws.fails = {(ONE, EAST): "no"}
    error = world.fail(operation=OperationSection(failure_tolerance="1"))
    assert isinstance(error, StackFailed)
    assert any("is SUCCEEDED" in row for row in error.evidence)
    assert world.places()[TWO, EAST] == CURRENT


def test_what_was_cancelled_is_counted(world: SetWorld) -> None:
    """Followers of the first failure are one row, and what has not begun is named."""
    world.aws.fails = {(ONE, EAST): "no"}
    groups = (group(ONE, TWO, THREE), group(ONE, regions=(WEST,)))
    error = world.fail(instances=groups)
    assert isinstance(error, StackFailed)
    assert "then\t2 instances cancelled" in error.evidence
    assert f"not begun\tthe creation of instances in {ONE} in {WEST}" in error.evidence
    assert len(world.aws.asked("CreateStackInstances")) == 1


def test_a_missing_role_is_explained(world: SetWorld) -> None:
    """The most usual failure of all, with the account that lacks it."""
    world.aws.fails = {(TWO, EAST): NOT_THERE}
    error = world.fail()
    assert isinstance(error, StackFailed)
    assert f"'AWSCloudFormationStackSetExecutionRole' in account {TWO}" in (error.hint or "")


def test_an_inoperable_instance_is_explained(world: SetWorld) -> None:
    """Updates pass it over: everything else is done, and it is the failure."""
    found = world.there((ONE, EAST))
    found.instances[ONE, EAST] = FakeInstance(status="INOPERABLE", detail="INOPERABLE")
    error = world.fail()
    assert isinstance(error, StackFailed)
    assert f"account {ONE}" in error.message
    assert "retain_stacks: true" in error.message
    assert world.places()[TWO, EAST] == CURRENT


def test_oddities_are_said(world: SetWorld) -> None:
    """Drift, and what is not current though the manifest does not name it."""
    found = world.there((ONE, EAST), (TWO, EAST), (THREE, EAST))
    found.instances[ONE, EAST].drift = "DRIFTED"
    found.instances[THREE, EAST] = FakeInstance(status="INOPERABLE", detail="INOPERABLE")
    assert world.run().changed is False
    drift, other = world.report.said("warning")
    assert f"1 of 3 instances of stack set '{NAME}' had drifted" in drift
    assert THREE in other
    assert "a deletion failed there" in other


def test_the_other_permission_model_is_refused(world: SetWorld) -> None:
    """A set keeps its own; nothing is called that changes anything."""
    world.there(PermissionModel="SERVICE_MANAGED")
    error = world.fail()
    assert isinstance(error, StackFailed)
    assert "permission_model: service-managed" in (error.hint or "")
    assert world.aws.changing() == []


def test_no_value_to_keep(world: SetWorld) -> None:
    """``use_previous`` of a set that is not there."""
    error = world.fail(parameters=(Parameter(key="Stage", value=None),))
    assert isinstance(error, StackFailed)
    assert "'Stage'" in error.message
    assert world.aws.changing() == []


def test_a_refused_look_is_not_a_missing_set(world: SetWorld) -> None:
    """AccessDenied names the action, and nothing is made."""
    world.aws.faults.append(Fault(operation="DescribeStackSet", error="AccessDenied", times=None))
    error = world.fail()
    assert isinstance(error, CloudError)
    assert "'cloudformation:DescribeStackSet'" in error.message
    assert world.aws.changing() == []


def test_a_suspended_account_that_is_named_is_a_failure(world: SetWorld) -> None:
    """The manifest wants it, and it is not there."""
    world.aws.suspended = {ONE}
    error = world.fail()
    assert isinstance(error, StackFailed)
    assert "the account is suspended" in error.message
