"""Action ``deploy``: what is made, changed and left alone."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.steps.cloudformation.sections import (
    OperationSection,
)
from calamari_py.steps.cloudformation.sets.outputs import LIMIT
from calamari_py.steps.cloudformation.spec import Parameter, Template
from tests.steps.cloudformation.sets.fake_stack_sets import stack_id
from tests.steps.cloudformation.sets.world import (
    EAST,
    NAME,
    ONE,
    TEXT,
    THREE,
    TWO,
    WEST,
    SetWorld,
    group,
)

CURRENT = "CURRENT"


@pytest.fixture
def world() -> SetWorld:
    """Nothing is there."""
    return SetWorld()


def test_a_new_set(world: SetWorld) -> None:
    """The set is made, then its instances, each told once with its place."""
    outcome = world.run(capabilities=("CAPABILITY_NAMED_IAM",), tags={"Team": "platform"})
    assert (outcome.code, outcome.changed) == (0, True)
    assert world.aws.changing() == ["CreateStackSet", "CreateStackInstances"]
    (made,) = world.aws.asked("CreateStackSet")
    assert made["TemplateBody"] == TEXT
    assert made["PermissionModel"] == "SELF_MANAGED"
    assert made["Parameters"] == [{"ParameterKey": "Stage", "ParameterValue": "Dev"}]
    assert made["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    assert made["Tags"] == [{"Key": "Team", "Value": "platform"}]
    (added,) = world.aws.asked("CreateStackInstances")
    assert (added["Accounts"], added["Regions"]) == ([ONE, TWO], [EAST])
    assert "ParameterOverrides" not in added
    assert [fields["account"] for _, fields in world.report.events] == [ONE, TWO]
    assert {name for name, _ in world.report.events} == {"stack_set_result"}
    assert world.report.has_changed


def test_what_it_hands_on(world: SetWorld) -> None:
    """The set's id and the stack of every instance become output variables, the rest is facts."""
    world.run()
    assert world.report.outputs == {
        "StackSetId": f"{NAME}:1b2c",
        "StackSetName": NAME,
        f"Instances.{ONE}.{EAST}": stack_id(NAME, ONE, EAST),
        f"Instances.{TWO}.{EAST}": stack_id(NAME, TWO, EAST),
    }
    facts = world.report.facts
    assert facts["stack_set"] == {"id": f"{NAME}:1b2c", "name": NAME}
    assert facts["instances"] == {"total": 2, "CURRENT": 2}
    assert f"#/stacksets/{NAME}%3A1b2c/" in facts["console_url"]
    (operation,) = facts["operations"]
    assert operation["action"] == "CREATE"
    assert operation["results"][1] == {
        "account": TWO,
        "region": EAST,
        "status": "SUCCEEDED",
        "reason": "",
    }
    assert world.report.last_words == f"{NAME}: 2 of 2 instances CURRENT"


def test_nothing_to_do(world: SetWorld) -> None:
    """A second run changes nothing and says so."""
    world.run()
    outcome = world.run()
    assert (outcome.code, outcome.changed) == (0, False)
    assert world.aws.changing() == []
    assert not world.report.has_changed
    assert "no changes" in world.report.everything
    assert f"Instances.{ONE}.{EAST}" in world.report.outputs


@pytest.mark.parametrize(
    ("changes", "there", "said"),
    [
        pytest.param(
            {"template": Template(shown="t", text=TEXT.replace("Topic", "Queue"))},
            {},
            "the template",
            id="template",
        ),
        pytest.param(
            {"parameters": (Parameter(key="Stage", value="Prod"),)},
            {},
            "parameter 'Stage'",
            id="parameter",
        ),
        pytest.param(
            {},
            {
                "Parameters": [
                    {"ParameterKey": "Stage", "ParameterValue": "Dev"},
                    {"ParameterKey": "Size", "ParameterValue": "large"},
                ]
            },
            "parameter 'Size'",
            id="back to the default",
        ),
        pytest.param(
            {"capabilities": ("CAPABILITY_IAM",)}, {}, "the capabilities", id="capability"
        ),
        pytest.param({"tags": {"Team": "a"}}, {}, "the tags", id="tags"),
        pytest.param({"description": "roles"}, {}, "the description", id="description"),
        pytest.param(
            {"administration_role_arn": "arn:aws:iam::123456789012:role/Admin"},
            {},
            "the administration role",
            id="administration role",
        ),
        pytest.param({"execution_role_name": "E"}, {}, "the execution role", id="execution role"),
        pytest.param({"managed_execution": True}, {}, "the managed execution", id="managed"),
    ],
)
def test_what_differs_is_updated_everywhere(
    world: SetWorld, changes: dict[str, Any], there: dict[str, Any], said: str
) -> None:
    """One update of the set, of all instances, with what differs said first."""
    world.there((ONE, EAST), (TWO, EAST), **there)
    assert world.run(**changes).changed
    assert world.aws.changing() == ["UpdateStackSet"]
    assert f"will be updated: {said}" in world.report.everything
    assert set(world.places().values()) == {CURRENT}
    assert world.run().changed is False


@pytest.mark.parametrize(
    "there",
    [
        pytest.param({"TemplateBody": TEXT.replace("\n", "\r\n") + "\r\n"}, id="line ends"),
        pytest.param(
            {
                "Parameters": [
                    {"ParameterKey": "Stage", "ParameterValue": "Dev"},
                    {"ParameterKey": "Size", "ParameterValue": "small"},
                ]
            },
            id="a default that is spelled out",
        ),
        pytest.param({"Tags": [{"Key": "a", "Value": "b"}]}, id="tags that nobody writes"),
        pytest.param({"Description": "made by hand"}, id="a description that nobody writes"),
        pytest.param({"ExecutionRoleName": "E"}, id="a role that nobody writes"),
    ],
)
def test_what_does_not_differ(world: SetWorld, there: dict[str, Any]) -> None:
    """What is spelled otherwise, or what the manifest leaves open, is no reason for an update."""
    world.there((ONE, EAST), (TWO, EAST), **there)
    assert world.run().changed is False
    assert world.aws.changing() == []


def test_an_update_keeps_what_the_manifest_leaves_open(world: SetWorld) -> None:
    """AWS wants customised roles named each time; tags are kept where none are said."""
    admin = "arn:aws:iam::123456789012:role/Admin"
    roles = {"AdministrationRoleARN": admin, "ExecutionRoleName": "E", "Description": "by hand"}
    world.there((ONE, EAST), (TWO, EAST), **roles)
    world.run(parameters=(Parameter(key="Stage", value="Prod"),))
    (params,) = world.aws.asked("UpdateStackSet")
    assert {key: params[key] for key in roles} == roles
    assert "Tags" not in params


@pytest.mark.parametrize(
    ("value", "changed"),
    [
        pytest.param("new", True, id="written"),
        pytest.param(None, False, id="kept"),
    ],
)
def test_a_hidden_parameter_cannot_be_compared(
    world: SetWorld, value: str | None, changed: bool
) -> None:
    """AWS shows a NoEcho parameter as asterisks: one that is written is sent, and that is said."""
    parameters = [{"ParameterKey": key, "ParameterValue": "Dev"} for key in ("Stage", "Secret")]
    world.there((ONE, EAST), (TWO, EAST), Parameters=parameters)
    world.aws.hidden = {"Secret"}
    secret = Parameter(key="Secret", value=value)
    assert world.run(parameters=(*world.spec.parameters, secret)).changed is changed
    assert ("'Secret' (hidden: cannot be compared)" in world.report.everything) is changed


def test_a_template_in_s3_is_always_sent(world: SetWorld) -> None:
    """Only AWS reads it: it is asked what it needs, and the update says why it is made."""
    url = "https://templates.s3.us-east-1.amazonaws.com/roles.json"
    summary = {"Parameters": [{"ParameterKey": "Stage", "ParameterType": "String", "NoEcho": True}]}
    world.aws.pages[url] = summary
    world.there((ONE, EAST), (TWO, EAST))
    assert world.run(template=Template(shown=url, url=url)).changed
    (params,) = world.aws.asked("UpdateStackSet")
    assert params["TemplateURL"] == url
    assert "TemplateBody" not in params
    assert "cannot be compared" in world.report.everything
    assert world.report.hidden == {"Dev": "parameter Stage"}


def test_only_what_is_missing_is_added(world: SetWorld) -> None:
    """Accounts with the same missing regions together; what is there is left alone."""
    world.there((ONE, EAST))
    world.run(instances=(group(ONE, TWO, THREE, regions=(EAST, WEST)),))
    first, second = world.aws.asked("CreateStackInstances")
    assert (first["Accounts"], first["Regions"]) == ([ONE], [WEST])
    assert (second["Accounts"], second["Regions"]) == ([TWO, THREE], [EAST, WEST])
    assert len(world.places()) == 6


def test_what_the_manifest_does_not_name_stays(world: SetWorld) -> None:
    """It is counted and named, and never removed."""
    world.there((ONE, EAST), (TWO, EAST), (THREE, WEST))
    world.run()
    assert "1 of 3 instances are not named by the manifest and stay" in world.report.everything
    assert f"{THREE} {WEST}" in world.report.everything
    assert (THREE, WEST) in world.places()


def test_parameters_of_single_accounts(world: SetWorld) -> None:
    """Accounts with the same parameters are one operation."""
    special = group(
        ONE, TWO, THREE, parameters={"Size": "big"}, account_parameters={TWO: {"Stage": "Prod"}}
    )
    world.run(instances=(special,))
    first, second = world.aws.asked("CreateStackInstances")
    big = {"ParameterKey": "Size", "ParameterValue": "big"}
    assert (first["Accounts"], first["ParameterOverrides"]) == ([ONE, THREE], [big])
    prod = {"ParameterKey": "Stage", "ParameterValue": "Prod"}
    assert (second["Accounts"], second["ParameterOverrides"]) == ([TWO], [big, prod])
    assert world.run().changed is False


def test_parameters_that_differ_are_updated(world: SetWorld) -> None:
    """Also those that the manifest no longer has: they go back to the set's own."""
    found = world.there((ONE, EAST), (TWO, EAST))
    found.instances[ONE, EAST].overrides = {"Stage": "Test"}
    assert world.run(instances=(group(ONE, TWO, account_parameters={TWO: {"Size": "x"}}),)).changed
    assert world.aws.changing() == ["UpdateStackInstances"] * 2
    assert found.instances[ONE, EAST].overrides == {}
    assert found.instances[TWO, EAST].overrides == {"Size": "x"}
    first, _ = world.aws.asked("UpdateStackInstances")
    assert first["ParameterOverrides"] == []


def test_no_value_of_a_parameter_is_said(world: SetWorld) -> None:
    """It may be a secret that only the template knows of."""
    world.run(instances=(group(ONE, parameters={"Size": "gigantic"}),))
    assert "with its own Size" in world.report.everything
    assert "gigantic" not in world.report.everything


def test_a_long_list_comes_in_pages(world: SetWorld) -> None:
    """Instances, operations and results are read to the last page."""
    world.aws.page_size = 2
    accounts = tuple(f"{number:012}" for number in range(1, 8))
    world.run(instances=(group(*accounts),))
    assert len(world.report.events) == 7
    assert world.run().changed is False


def test_a_rehearsal(world: SetWorld) -> None:
    """``--dry-run`` says everything that would be done and does nothing."""
    outcome = world.run(dry_run=True)
    assert (outcome.code, outcome.changed, outcome.pending) == (0, None, True)
    assert world.aws.changing() == []
    assert "would be created from roles.json" in world.report.everything
    assert f"instances would be added: {ONE}, {TWO} in {EAST}" in world.report.everything


def test_a_rehearsal_of_an_update(world: SetWorld) -> None:
    """The same where the set is there."""
    found = world.there((ONE, EAST), Description="old")
    found.instances[ONE, EAST].overrides = {"Stage": "x"}
    world.run(dry_run=True, description="new")
    assert world.aws.changing() == []
    assert "would be updated: the description" in world.report.everything
    assert f"instances would be updated: {ONE} in {EAST}" in world.report.everything
    assert f"instances would be added: {TWO} in {EAST}" in world.report.everything


def test_preferences(world: SetWorld) -> None:
    """Numbers, percentages and the order of the regions that are meant."""
    operation = OperationSection(
        failure_tolerance="3",
        max_concurrent="25%",
        region_concurrency="parallel",
        region_order=(WEST, "ap-south-1"),
        concurrency_mode="soft",
    )
    world.run(instances=(group(ONE, regions=(EAST, WEST)),), operation=operation)
    (params,) = world.aws.asked("CreateStackInstances")
    assert params["OperationPreferences"] == {
        "FailureToleranceCount": 3,
        "MaxConcurrentPercentage": 25,
        "RegionConcurrencyType": "PARALLEL",
        "RegionOrder": [WEST, EAST],
        "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE",
    }


def test_a_default_that_is_written(world: SetWorld) -> None:
    """AWS does not list it, and it is what the template says anyway."""
    world.there((ONE, EAST), (TWO, EAST))
    same = Parameter(key="Size", value="small")
    assert world.run(parameters=(*world.spec.parameters, same)).changed is False


def test_a_hidden_parameter_of_an_instance(world: SetWorld) -> None:
    """It cannot be compared either, and is sent each time."""
    world.aws.hidden = {"Secret"}
    world.run(instances=(group(ONE, parameters={"Secret": "hush"}),))
    assert world.run().changed


def test_only_so_many_output_variables(world: SetWorld) -> None:
    """A set may have thousands of instances: those of the manifest come first."""
    many = [(f"{number:012}", EAST) for number in range(LIMIT + 1)]
    world.there(*many, (ONE, EAST), (TWO, EAST))
    world.run()
    named = [name for name in world.report.outputs if name.startswith("Instances.")]
    assert len(named) == LIMIT
    assert named[:2] == [f"Instances.{ONE}.{EAST}", f"Instances.{TWO}.{EAST}"]
