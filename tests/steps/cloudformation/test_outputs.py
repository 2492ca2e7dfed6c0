"""What a stack hands on."""

from __future__ import annotations

import json

import pytest

from tests.fake_cloudformation import Fault
from tests.steps.cloudformation.world import BUCKET, NAME, ONE, TWO, StackWorld

SECRET = "hunter2-hunter2"
HIDDEN = json.dumps(
    {
        "Parameters": {"Password": {"Type": "String", "NoEcho": True}},
        "Resources": {"Bucket": BUCKET},
    }
)


@pytest.fixture
def world() -> StackWorld:
    world = StackWorld()
    world.aws.add_stack(NAME, template=TWO)
    return world


def test_outputs_are_named_by_their_keys(world: StackWorld) -> None:
    """`StackId`, `StackName` and `Outputs.<Key>`; no other."""
    world.run(template=TWO)
    stack = world.aws.stack(NAME)
    assert world.report.outputs == {
        "StackId": stack.id,
        "StackName": NAME,
        "Outputs.BucketRef": stack.outputs["BucketRef"],
        "Outputs.QueueRef": stack.outputs["QueueRef"],
    }
    assert world.report.sensitive == set()


def test_sensitive_outputs_are_hidden_before_they_are_published(world: StackWorld) -> None:
    """A listed output is sensitive, and its value is masked from then on."""
    world.run(template=TWO, sensitive_outputs=frozenset({"QueueRef"}))
    value = world.aws.stack(NAME).outputs["QueueRef"]
    assert world.report.sensitive == {"Outputs.QueueRef"}
    assert world.report.hidden == {value: "stack output QueueRef"}


def test_an_output_that_is_not_there_is_warned_of(world: StackWorld) -> None:
    """A misspelt name would show a secret: it is named."""
    world.run(template=TWO, sensitive_outputs=frozenset({"QueueReff", "QueueRef"}))
    (warning,) = world.report.said("warning")
    assert "'QueueReff'" in warning
    assert "'QueueRef'" not in warning


def test_secret_parameters_of_a_template_in_s3_are_hidden(world: StackWorld) -> None:
    """Only AWS knows that a parameter is NoEcho: it is asked before anything is done."""
    url = world.aws.upload("artifacts/app.json", HIDDEN)
    world.run_url(url, Password=SECRET)
    assert world.report.hidden == {SECRET: "parameter Password"}
    operations = [one.operation for one in world.aws.calls]
    assert operations.index("GetTemplateSummary") < operations.index("CreateChangeSet")


def test_a_summary_that_is_refused_does_no_harm(world: StackWorld) -> None:
    """A role that may not ask deploys all the same."""
    url = world.aws.upload("artifacts/app.json", ONE)
    world.aws.faults.append(Fault(operation="GetTemplateSummary", error="AccessDenied", times=None))
    assert world.run_url(url).changed
