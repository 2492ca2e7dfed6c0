"""Action ``delete``: the instances first, then the set, and nothing that was not meant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calamari_py.errors import CloudError, Indeterminate, StackFailed
from calamari_py.steps.cloudformation.sections import OperationSection
from tests.fake_cloudformation import Fault
from tests.steps.cloudformation.sets.fake_stack_sets import FakeInstance
from tests.steps.cloudformation.sets.world import (
    EAST,
    NAME,
    ONE,
    THREE,
    TWO,
    UNIT,
    WEST,
    SetWorld,
    group,
    unit,
)


@pytest.fixture
def world() -> SetWorld:
    """A manifest that names three accounts in two regions."""
    world = SetWorld()
    groups = (group(ONE, TWO, THREE, regions=(EAST, WEST)),)
    world.spec = replace(
        world.spec, action="delete", template=None, parameters=(), instances=groups
    )
    return world


def test_nothing_there(world: SetWorld) -> None:
    """A set that is gone already is a success that changed nothing."""
    outcome = world.run()
    assert (outcome.code, outcome.changed) == (0, False)
    assert world.aws.changing() == []


def test_an_empty_set_needs_no_names(world: SetWorld) -> None:
    """There is nothing in other accounts that could go with it."""
    world.there()
    assert world.run(instances=()).changed
    assert world.aws.sets == {}


@pytest.mark.parametrize("dry_run", [False, True])
def test_what_is_not_named_is_never_deleted(world: SetWorld, *, dry_run: bool) -> None:
    """A manifest without instances says nothing of the stacks in other accounts: refused, with
    what is there."""
    world.there((ONE, EAST), (TWO, EAST))
    error = world.fail(instances=(), dry_run=dry_run)
    assert isinstance(error, StackFailed)
    assert "has 2 instances, and the manifest names none of them" in error.message
    assert f"instances\t{ONE} {EAST}, {TWO} {EAST}" in error.evidence
    assert "'instances'" in (error.hint or "")
    assert world.aws.changing() == []


def test_a_refused_look_is_not_a_missing_set(world: SetWorld) -> None:
    """AccessDenied is a failure that names the action."""
    world.aws.faults.append(Fault(operation="DescribeStackSet", error="AccessDenied"))
    error = world.fail()
    assert isinstance(error, CloudError)
    assert "'cloudformation:DescribeStackSet'" in error.message


def test_everything(world: SetWorld) -> None:
    """Instances with the same regions together, each told; then the set."""
    world.there((ONE, EAST), (ONE, WEST), (TWO, EAST), (THREE, EAST))
    assert world.run().changed
    first, second = world.aws.asked("DeleteStackInstances")
    assert (first["Accounts"], first["Regions"]) == ([ONE], [WEST, EAST])
    assert (second["Accounts"], second["Regions"]) == ([TWO, THREE], [EAST])
    assert first["RetainStacks"] is False
    assert world.aws.sets == {}
    assert len(world.report.events) == 4
    assert world.report.last_words == f"{NAME}: deleted"


def test_only_those_that_are_named(world: SetWorld) -> None:
    """The set stays while it has others."""
    world.there((ONE, EAST), (TWO, EAST))
    outcome = world.run(instances=(group(TWO, THREE),))
    assert outcome.changed
    assert list(world.places()) == [(ONE, EAST)]
    assert world.aws.changing() == ["DeleteStackInstances"]
    assert "stays: it has 1 other instance" in world.report.everything
    assert world.run().changed is False


def test_stacks_may_stay(world: SetWorld) -> None:
    """`retain_stacks` is said to AWS and to people."""
    world.there((ONE, EAST))
    world.run(retain_stacks=True)
    (params,) = world.aws.asked("DeleteStackInstances")
    assert params["RetainStacks"] is True
    assert "stay where they are" in world.report.everything


def test_a_partial_failure(world: SetWorld) -> None:
    """The set stays, and it is said where it failed and what was not begun."""
    world.there((ONE, EAST), (ONE, WEST), (TWO, EAST))
    world.aws.fails[ONE, WEST] = "bucket is not empty"
    error = world.fail()
    assert isinstance(error, StackFailed)
    assert f"account {ONE}, {WEST}, could not be deleted: bucket is not empty" in error.message
    assert f"not begun\tthe deletion of stack set '{NAME}'" in error.evidence
    assert NAME in world.aws.sets


def test_units(world: SetWorld) -> None:
    """Of a service-managed set by their units, and these accounts alone."""
    world.aws.units = {UNIT: (ONE, TWO)}
    found = world.there(PermissionModel="SERVICE_MANAGED")
    found.instances = {(one, EAST): FakeInstance(unit=UNIT) for one in (ONE, TWO)}
    world.run(instances=(unit(),), permission_model="service-managed")
    (params,) = world.aws.asked("DeleteStackInstances")
    assert params["DeploymentTargets"] == {
        "OrganizationalUnitIds": [UNIT],
        "Accounts": [ONE, TWO],
        "AccountFilterType": "INTERSECTION",
    }
    assert world.aws.sets == {}


def test_the_last_instance_may_linger(world: SetWorld) -> None:
    """AWS says a little while that the set is not empty: it is asked again."""
    world.there((ONE, EAST))
    world.aws.faults.append(
        Fault(operation="DeleteStackSet", error="StackSetNotEmptyException", times=2)
    )
    assert world.run().changed
    assert world.aws.sets == {}


def test_somebody_adds_an_instance(world: SetWorld) -> None:
    """Then the set is not empty, and stays."""
    found = world.there((ONE, EAST))

    def add() -> bool:
        found.instances[TWO, EAST] = FakeInstance()
        return False

    world.aws.faults.append(Fault(operation="DeleteStackSet", when=lambda _: add()))
    error = world.fail()
    assert isinstance(error, CloudError)
    assert error.code == "StackSetNotEmptyException"
    assert world.places() == {(TWO, EAST): "CURRENT"}


def test_an_instance_that_stays_though_all_has_succeeded(world: SetWorld) -> None:
    """Its results may not be read, and AWS tolerates its failure: the instances tell."""
    world.there((ONE, EAST), (TWO, EAST), ("444444444444", EAST))
    world.aws.fails[TWO, EAST] = "bucket is not empty"
    blind = Fault(operation="ListStackSetOperationResults", error="AccessDenied", times=None)
    world.aws.faults.append(blind)
    error = world.fail(operation=OperationSection(failure_tolerance="1"))
    assert isinstance(error, StackFailed)
    assert f"still has its instance in account {TWO}, {EAST}: bucket is not empty" in error.message
    assert NAME in world.aws.sets


def test_instances_may_be_listed_late(world: SetWorld) -> None:
    """One that is gone may still be shown for a while."""
    found = world.there((ONE, EAST))
    ghost = FakeInstance()

    def show() -> None:
        found.instances[ONE, EAST] = ghost
        world.aws.clock.after(20, lambda: found.instances.pop((ONE, EAST)))

    world.aws.clock.at(10.5, show)
    assert world.run().changed
    assert world.aws.sets == {}


@pytest.mark.parametrize("code", ["Unreachable", "AccessDenied", "StackSetNotEmptyException"])
def test_the_set_is_gone_whatever_the_answer_was(world: SetWorld, code: str) -> None:
    """What AWS has deleted is deleted."""
    world.there((ONE, EAST))
    world.aws.faults.append(Fault(operation="DeleteStackSet", error=code, lost=True))
    assert world.run().changed


def test_a_deletion_that_nobody_knows_of(world: SetWorld) -> None:
    """Neither answered nor to be seen: 76."""
    world.there()
    world.aws.faults += [
        Fault(operation="DeleteStackSet", error="Unreachable", lost=True),
        Fault(operation="DeleteStackSet", error="Unreachable", times=None),
        Fault(operation="DescribeStackSet", error="Unreachable", times=None, after=2),
    ]
    assert isinstance(world.fail(patience=60.0), Indeterminate)


@pytest.mark.parametrize("at", [5, 12, 25])
def test_somebody_else_deletes_the_set(world: SetWorld, at: float) -> None:
    """That is what was wanted."""
    world.there((ONE, EAST), (TWO, EAST))
    world.aws.clock.at(at, world.aws.sets.clear)
    assert world.run().changed
    assert world.report.last_words == f"{NAME}: deleted"


def test_somebody_takes_instances_out_first(world: SetWorld) -> None:
    """An operation that came between look and deletion is waited for, and the rest looked up."""
    found = world.there((ONE, EAST), (TWO, EAST))

    def begin() -> bool:
        if (ONE, EAST) in found.instances:
            del found.instances[ONE, EAST]
            world.aws.begin(NAME, action="DELETE", seconds=60)
        return False

    world.aws.faults.append(Fault(operation="DeleteStackInstances", when=lambda _: begin()))
    assert world.run().changed
    assert world.aws.asked("DeleteStackInstances")[-1]["Accounts"] == [TWO]
    assert world.aws.sets == {}


def test_others_are_waited_for(world: SetWorld) -> None:
    """An update that runs is not disturbed."""
    world.there((ONE, EAST))
    world.aws.begin(NAME, seconds=60)
    assert world.run().changed
    assert world.aws.clock.monotonic() > 60


def test_a_rehearsal(world: SetWorld) -> None:
    """``--dry-run`` says what would go."""
    world.there((ONE, EAST))
    assert world.run(dry_run=True).changed is None
    assert world.aws.changing() == []
    assert f"would be taken out of stack set '{NAME}': {ONE} in {EAST}" in world.report.everything


def test_the_model_does_not_matter_for_an_empty_set(world: SetWorld) -> None:
    """Where instances are named they have to be named in the set's own way."""
    world.there(PermissionModel="SERVICE_MANAGED")
    assert world.run(instances=()).changed
    world.there(PermissionModel="SERVICE_MANAGED")
    assert isinstance(world.fail(instances=(group(ONE),)), StackFailed)
