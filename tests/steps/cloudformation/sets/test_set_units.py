"""Service-managed sets: organisational units in place of accounts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calamari_py.errors import StackFailed
from calamari_py.steps.cloudformation.sections import AutoDeploymentSection, StackSetSection
from tests.steps.cloudformation.sets.world import (
    EAST,
    NAME,
    ONE,
    THREE,
    TWO,
    UNIT,
    WEST,
    SetWorld,
    unit,
)


@pytest.fixture
def managed() -> SetWorld:
    """A unit with two accounts."""
    world = SetWorld()
    world.aws.units = {UNIT: (ONE, TWO)}
    section = StackSetSection(name=NAME, permission_model="service-managed")
    world.spec = replace(world.spec, section=section, instances=(unit(),))
    return world


def test_a_unit(managed: SetWorld) -> None:
    """Its accounts are AWS's to know: the unit is there as soon as one instance is."""
    assert managed.run().changed
    (made,) = managed.aws.asked("CreateStackSet")
    assert made["AutoDeployment"] == {"Enabled": False}
    (params,) = managed.aws.asked("CreateStackInstances")
    assert params["DeploymentTargets"] == {"OrganizationalUnitIds": [UNIT]}
    assert managed.run().changed is False


def test_a_unit_with_parameters_of_single_accounts(managed: SetWorld) -> None:
    """The unit without them, then they by themselves."""
    managed.run(instances=(unit(account_parameters={TWO: {"Stage": "Prod"}}),))
    whole, single = managed.aws.asked("CreateStackInstances")
    assert whole["DeploymentTargets"] == {
        "OrganizationalUnitIds": [UNIT],
        "Accounts": [TWO],
        "AccountFilterType": "DIFFERENCE",
    }
    assert single["DeploymentTargets"]["AccountFilterType"] == "INTERSECTION"
    assert managed.aws.sets[NAME].instances[TWO, EAST].overrides == {"Stage": "Prod"}
    assert managed.run().changed is False


def test_accounts_of_a_unit(managed: SetWorld) -> None:
    """``intersection`` makes these alone, ``difference`` all but these."""
    managed.run(instances=(unit(accounts=(TWO,), account_filter="intersection"),))
    assert list(managed.places()) == [(TWO, EAST)]
    managed.run(instances=(unit(regions=(WEST,), accounts=(TWO,), account_filter="difference"),))
    assert (ONE, WEST) in managed.places()
    assert (TWO, WEST) not in managed.places()
    assert managed.run().changed is False


def test_an_account_that_is_not_in_the_unit(managed: SetWorld) -> None:
    """AWS makes no instance and calls it a success: the manifest wants one."""
    named = unit(accounts=(ONE, THREE), account_filter="intersection")
    error = managed.fail(instances=(named,))
    assert isinstance(error, StackFailed)
    assert error.message == f"stack set '{NAME}' has no instance in account {THREE}, {EAST}"
    assert "organisational unit" in (error.hint or "")


def test_a_unit_without_accounts(managed: SetWorld) -> None:
    """Nothing is missing of it; it is said."""
    managed.aws.units = {UNIT: ()}
    assert managed.run().code == 0
    (warning,) = managed.report.said("warning")
    assert f"no instance in {UNIT} in {EAST}" in warning


def test_automatic_deployment(managed: SetWorld) -> None:
    """Said at the start, compared later."""
    auto = AutoDeploymentSection(enabled=True, retain_stacks=True)
    managed.run(auto_deployment=auto)
    (made,) = managed.aws.asked("CreateStackSet")
    assert made["AutoDeployment"] == {"Enabled": True, "RetainStacksOnAccountRemoval": True}
    assert managed.run().changed is False
    assert managed.run(auto_deployment=AutoDeploymentSection(enabled=False)).changed
    assert managed.run().changed is False


def test_as_a_delegated_administrator(managed: SetWorld) -> None:
    """Every call says so."""
    managed.run(call_as="delegated-admin")
    assert {one.params["CallAs"] for one in managed.aws.calls} == {"DELEGATED_ADMIN"}


def test_an_update_in_a_unit(managed: SetWorld) -> None:
    """One account of it, by its unit."""
    managed.run()
    managed.run(instances=(unit(account_parameters={ONE: {"Size": "x"}}),))
    (params,) = managed.aws.asked("UpdateStackInstances")
    assert params["DeploymentTargets"] == {
        "OrganizationalUnitIds": [UNIT],
        "Accounts": [ONE],
        "AccountFilterType": "INTERSECTION",
    }


def test_a_suspended_account_of_a_unit_is_passed_over(managed: SetWorld) -> None:
    """AWS skips it: nobody has named it, so it is a warning."""
    managed.aws.suspended = {ONE}
    assert managed.run().code == 0
    (warning,) = managed.report.said("warning")
    assert "suspended" in warning


def test_no_automatic_deployment_retains_nothing(managed: SetWorld) -> None:
    """AWS takes no word of retaining where it is off."""
    managed.run(auto_deployment=AutoDeploymentSection(enabled=False, retain_stacks=True))
    (made,) = managed.aws.asked("CreateStackSet")
    assert made["AutoDeployment"] == {"Enabled": False}
    assert managed.run().changed is False


def test_an_account_that_a_group_leaves_out_is_left_alone(managed: SetWorld) -> None:
    """``difference``: its instance keeps the parameters that somebody else gave it."""
    managed.run()
    other = managed.aws.sets[NAME].instances[TWO, EAST]
    other.overrides = {"Size": "x"}
    group = unit(accounts=(TWO,), account_filter="difference")
    assert managed.run(instances=(group,)).changed is False
    assert other.overrides == {"Size": "x"}
