"""Actions that only look: drift, and the outputs as they are."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.errors import ToolFailed
from tests.steps.terraform.world import CREATED, SECRET, TerraformWorld, change, failed, stream

DRIFTED = change("terraform_data.b", "update", before={"tag": "x"}, after={"tag": "y"})


def test_drift_is_told_and_no_failure(world: TerraformWorld) -> None:
    """It is pending, an output variable, a fact, and an event for each resource."""
    world.plans(code=2, resource_drift=[DRIFTED])
    outcome = world.run(action="drift")
    assert (outcome.code, outcome.changed, outcome.pending) == (0, None, True)
    assert "-refresh-only" in world.tool.called("plan")[0].argv
    assert world.report.outputs == {"DriftDetected": "true"}
    assert world.report.facts["drift"]
    assert "terraform_drift" in [name for name, _ in world.report.events]
    assert world.report.last_words == "drift: 1 resource changed outside"
    assert "apply" not in world.verbs


def test_without_drift_nothing_is_pending(world: TerraformWorld) -> None:
    """The output variable says so, too."""
    outcome = world.run(action="drift")
    assert (outcome.changed, outcome.pending) == (False, False)
    assert world.report.outputs == {"DriftDetected": "false"}
    assert (world.report.said("line")[-1], world.report.last_words) == ("drift  none", "")


def test_what_the_configuration_would_change_is_no_drift(world: TerraformWorld) -> None:
    """An output that is new in the configuration makes Terraform say 2 here."""
    output = {"actions": ["create"], "before": None, "after": 1, "after_unknown": False}
    world.plans(code=2, output_changes={"n": output})
    assert not world.run(action="drift").pending
    assert world.report.outputs == {"DriftDetected": "false"}


def test_drift_that_cannot_be_looked_for_fails(world: TerraformWorld) -> None:
    """No drift is only said where it was looked for."""
    world.on("plan", 1, stdout=stream(failed("no valid credential sources")))
    assert isinstance(world.fail(action="drift"), ToolFailed)
    assert world.report.outputs == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("plain", "plain", id="string"),
        pytest.param("two\nlines\n", "two\nlines\n", id="its line ends"),
        pytest.param(True, "true", id="boolean"),
        pytest.param(3, "3", id="number"),
        pytest.param(1.5, "1.5", id="fraction"),
        pytest.param(None, "null", id="null"),
        pytest.param(["a", 1], '["a",1]', id="list"),
        pytest.param({"ä": {"b": False}}, '{"ä":{"b":false}}', id="map"),
        pytest.param("", "", id="empty"),
    ],
)
def test_outputs_keep_their_type(world: TerraformWorld, value: Any, text: str) -> None:
    """A string is what it is; everything else is what any JSON parser reads back."""
    world.outputs(value=value)
    outcome = world.run(action="output")
    assert outcome.changed is False
    assert world.report.outputs == {"Outputs.value": text}


def test_no_outputs_are_said(world: TerraformWorld) -> None:
    """So that nobody looks for them."""
    world.run(action="output")
    assert "no outputs" in world.report.said("line")


def test_output_looks_at_nothing_else(world: TerraformWorld) -> None:
    """No plan and no lock; of the state, what is secret in it."""
    world.outputs(a="1", b="2")
    world.run(action="output")
    assert world.verbs == ["version", "init", "show", "output"]


def test_sensitive_outputs_are_hidden_before_they_are_published(world: TerraformWorld) -> None:
    """What Terraform calls sensitive is, and so is what stands in an open output, too."""
    world.outputs(sensitive=["password"], password=SECRET, url=f"https://u:{SECRET}@host")
    world.run(action="output")
    assert world.report.sensitive == {"Outputs.password"}
    assert SECRET in world.report.hidden
    assert SECRET not in world.report.everything


def test_parts_of_a_sensitive_output_are_hidden(world: TerraformWorld) -> None:
    """A map's values are secrets by themselves."""
    world.outputs(sensitive=["db"], db={"user": "admin-user", "password": SECRET})
    world.run(action="output")
    assert SECRET in world.report.hidden
    assert world.report.sensitive == {"Outputs.db"}


def test_the_manifest_may_call_an_output_sensitive(world: TerraformWorld) -> None:
    """The configuration need not say it."""
    world.outputs(token=SECRET)
    world.run(action="output", sensitive_outputs=("token",))
    assert world.report.sensitive == {"Outputs.token"}
    assert SECRET in world.report.hidden


def test_a_sensitive_output_that_is_not_there_is_warned_of(world: TerraformWorld) -> None:
    """A misspelt name would show a secret."""
    world.outputs(token="x")
    world.run(action="output", sensitive_outputs=("tokn",))
    assert "'tokn'" in " ".join(world.report.said("warning"))


def test_only_exposed_outputs_are_published(world: TerraformWorld) -> None:
    """The secrets of the others are hidden all the same."""
    world.outputs(sensitive=["password"], url="u", password=SECRET)
    world.run(action="output", expose=("url",))
    assert world.report.outputs == {"Outputs.url": "u"}
    assert SECRET in world.report.hidden


def test_an_exposed_output_that_is_not_there_fails(world: TerraformWorld) -> None:
    """The message names it, the hint those there are."""
    world.outputs(url="u", port=80)
    error = world.fail(action="output", expose=("ulr",))
    assert isinstance(error, ToolFailed)
    assert "'ulr'" in error.message
    assert "'port', 'url'" in (error.hint or "")


def test_outputs_that_fail_after_an_apply_are_a_setback(world: TerraformWorld) -> None:
    """The apply succeeded: that is told, and the step has failed all the same."""
    world.plans(CREATED)
    world.on("output", 1, stderr=b"Error: Failed to load state\n")
    outcome = world.run()
    assert outcome.changed is True
    (setback,) = world.report.said("setback")
    assert "the plan was applied" in setback
    assert "Failed to load state" in setback
    assert world.report.last_words == "applied: 1 created"


def test_outputs_that_fail_by_themselves_fail(world: TerraformWorld) -> None:
    """They are what the action is for."""
    world.on("output", 1, stderr=b"Error: Failed to load state\n")
    assert "Failed to load state" in str(world.fail(action="output"))
