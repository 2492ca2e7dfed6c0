"""A typo under 'terraform.variables' is no deployment without the value."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.errors import ToolFailed
from tests.steps.terraform.world import (
    CREATED,
    TerraformWorld,
    begun,
    completed,
    failed,
    message,
    stream,
)

DECLARED: dict[str, Any] = {"root_module": {"variables": {"stage": {}, "region": {}}}}


def undeclared(world: TerraformWorld, name: str, file: str = "") -> str:
    """Terraform's own warning."""
    path = file or str(world.private / "variables.tfvars.json")
    detail = (
        f'The root module does not declare a variable named "{name}" but a value was found in file '
        f'"{path}". If you meant to use this value, add a "variable" block to the configuration.'
    )
    summary = "Value for undeclared variable"
    body = {"severity": "warning", "summary": summary, "detail": detail}
    return message("diagnostic", f"Warning: {summary}", level="warn", diagnostic=body)


@pytest.mark.parametrize("action", ["deploy", "destroy", "plan", "drift"])
def test_it_is_an_error_of_the_plan(world: TerraformWorld, action: str) -> None:
    """Nothing is applied or left; the name that was meant is told; nothing is said twice."""
    world.plans(CREATED, said=[undeclared(world, "stagee")], configuration=DECLARED)
    error = world.fail(action=action, variables={"stagee": "dev", "region": "x"})
    assert isinstance(error, ToolFailed)
    assert error.message == (
        "'terraform.variables' names 'stagee', which the configuration does not declare"
    )
    assert (error.hint or "").startswith("did you mean 'stage'?")
    assert error.is_final, "another attempt would only say it again"
    assert "apply" not in world.verbs
    assert not world.plan_file.exists()
    assert [line for line in world.report.said("line") if "stagee" in line] == []


def test_all_of_them_are_named(world: TerraformWorld) -> None:
    """Terraform names two, and counts the rest."""
    counted = {"severity": "warning", "summary": "Values for undeclared variables", "detail": "2"}
    world.plans(
        CREATED,
        said=[undeclared(world, "a"), message("diagnostic", diagnostic=counted)],
        configuration=DECLARED,
    )
    error = world.fail(variables={"a": 1, "b": 2, "stage": 3})
    assert "names 'a', 'b', which" in str(error)
    assert "undeclared" not in "\n".join(world.report.said("line"))


def test_a_plan_that_fails_as_well_says_both(world: TerraformWorld) -> None:
    """The name that is not declared is why another one has no value."""
    missing = failed("No value for required variable", 'variable "stage" is not set')
    world.on("plan", 1, stdout=stream(undeclared(world, "stagee"), missing))
    error = world.fail(variables={"stagee": "dev"})
    assert isinstance(error, ToolFailed)
    assert "'terraform.variables' names 'stagee'" in error.message
    assert "No value for required variable" in error.evidence[0]
    assert "declare variable 'stagee'" in (error.hint or "")


def test_a_variable_file_may_have_more(world: TerraformWorld) -> None:
    """It may be meant for several root modules: Terraform's warning is all."""
    world.plans(CREATED, said=[undeclared(world, "zone", "/srv/common.tfvars")])
    assert world.run(variables={"stage": "dev"}).changed
    assert "undeclared" in "\n".join(world.report.said("line"))


def test_an_approved_plan_was_made_without_it(world: TerraformWorld) -> None:
    """What was approved is applied: it is too late to refuse it."""
    world.leaves_plan(CREATED)
    world.applies(begun(), completed(), undeclared(world, "stagee"))
    assert world.run(action="apply", variables={"stagee": "dev"}).changed
