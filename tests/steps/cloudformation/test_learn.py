"""What only AWS knows of a template: its secrets are masked and its rules kept, in every action."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import pytest

from calamari_py.errors import CloudError, ManifestError
from calamari_py.steps.cloudformation.sections import Action
from calamari_py.steps.cloudformation.spec import Parameter
from tests.fake_cloudformation import Fault
from tests.steps.cloudformation.parsing import said
from tests.steps.cloudformation.world import BUCKET, QUEUE, StackWorld

SECRET = "NoEchoGivenValue77"
TEMPLATE = json.dumps(
    {
        "Parameters": {
            "Password": {"Type": "String", "NoEcho": True},
            "Key": {"Type": "String", "NoEcho": True, "Default": "default-key"},
            "Stage": {"Type": "String", "Default": "dev", "AllowedValues": ["dev", "production"]},
        },
        "Resources": {"Bucket": BUCKET, "Queue": QUEUE},
    }
)
EVERY_ACTION: list[Action] = [
    "deploy", "change-set", "diff", "execute", "delete", "rollback", "watch"
]  # fmt: skip
WITHOUT_A_TEMPLATE: list[Action] = ["execute", "delete", "rollback", "watch"]


@pytest.fixture
def world() -> StackWorld:
    """A stack, and a template in S3 with one parameter that it hides."""
    made = StackWorld()
    made.has(template=TEMPLATE, parameters={"Password": "before", "Stage": "dev"})
    return made


def run(world: StackWorld, action: Action, *, url: str | None = None, **values: str) -> None:
    """The action with these parameters; how it ends does not matter."""
    where = url or world.aws.upload("artifacts/app.json", TEMPLATE)
    given = tuple(Parameter(key=key, value=value) for key, value in values.items())
    assert world.spec.template is not None
    template = replace(world.spec.template, shown=where, url=where, text=None)
    world.spec = replace(world.spec, template=template, parameters=given, action=action)
    with suppress(CloudError):
        world.run()


def keeping(world: StackWorld, action: Action, **values: str) -> None:
    """The same without a template: the stack keeps its own."""
    given = tuple(Parameter(key=key, value=value) for key, value in values.items())
    world.spec = replace(world.spec, template=None, parameters=given, action=action)
    world.run()


@pytest.mark.parametrize("action", EVERY_ACTION)
def test_hidden_before_anything_is_said(action: Action, world: StackWorld) -> None:
    """Whatever is done: the values that AWS hides are masked, and no other."""
    run(world, action, Password=SECRET, Stage="production")
    assert world.report.hidden == {SECRET: "parameter Password", "default-key": "parameter Key"}
    assert world.aws.calls[0].operation == "GetTemplateSummary"
    assert world.report.said("warning") == []


@pytest.mark.parametrize("action", EVERY_ACTION)
def test_masked_where_nobody_may_ask(action: Action, world: StackWorld) -> None:
    """Every value is masked that is long enough; one warning names the permission."""
    world.aws.faults.append(Fault(operation="GetTemplateSummary", error="AccessDenied", times=None))
    run(world, action, Password=SECRET, Stage="dev", Key="long-enough,short")
    assert world.report.hidden.keys() == {SECRET, "long-enough,short", "long-enough"}
    (warning,) = [text for text in world.report.said("warning") if "NoEcho" in text]
    assert SECRET not in warning
    assert "cloudformation:GetTemplateSummary" in world.report.hints[0]


def test_nothing_is_said_where_there_is_nothing_to_mask(world: StackWorld) -> None:
    """Values that are too short to be masked are no news."""
    world.aws.faults.append(Fault(operation="GetTemplateSummary", error="AccessDenied", times=None))
    run(world, "watch", Stage="dev")
    assert (world.report.hidden, world.report.said("warning")) == ({}, [])


@pytest.mark.parametrize("action", WITHOUT_A_TEMPLATE)
def test_a_template_that_is_gone_keeps_nobody_from_his_work(
    action: Action, world: StackWorld
) -> None:
    """What it hid is not known any more: everything is masked, and AWS's words are the hint."""
    run(world, action, url="https://gone.s3.amazonaws.com/t.json", Password=SECRET)
    assert world.report.hidden == {SECRET: "parameter Password"}
    assert "S3 error" in world.report.hints[0]
    assert world.aws.calls[-1].operation != "GetTemplateSummary"


def test_a_template_that_is_gone_cannot_be_deployed(world: StackWorld) -> None:
    """AWS's own error, before anything is made."""
    run(world, "deploy", url="https://gone.s3.amazonaws.com/t.json", Password=SECRET)
    assert world.called() == []


def test_a_silent_aws_is_asked_again(world: StackWorld) -> None:
    """One throttled answer is no reason to fail, nor to mask everything."""
    world.aws.faults.append(Fault(operation="GetTemplateSummary", times=2))
    run(world, "deploy", Password=SECRET, Stage="production")
    assert world.report.hidden.keys() == {SECRET, "default-key"}
    assert "CreateChangeSet" in world.called()


@pytest.mark.parametrize("action", ["deploy", "change-set", "diff"])
def test_guard_rails_hold_for_a_template_in_s3(action: Action, world: StackWorld) -> None:
    """What would be refused of a file is refused here, at its place, before a change set."""
    with pytest.raises(ManifestError) as caught:
        run(world, action, Stage="test", Sage="dev")
    assert said(list(caught.value.problems)) == {
        "cloudformation.parameters.Stage": "'test' is not one of the values that the template "
        "allows",
        "cloudformation.parameters.Sage": "the template has no parameter 'Sage'; did you mean "
        "'Stage'?",
        "cloudformation.parameters": "the template's parameter 'Password' has no value and no "
        "default",
    }
    assert world.called() == []


@pytest.mark.parametrize("action", WITHOUT_A_TEMPLATE)
def test_guard_rails_keep_nobody_from_his_work(action: Action, world: StackWorld) -> None:
    """A parameter that is misspelt does not matter to what deletes or watches."""
    run(world, action, Sage="x")
    assert len(world.aws.calls) > 1


# ---- the template that the stack has


def test_a_stack_keeps_its_template(world: StackWorld) -> None:
    """Only a parameter is changed; what the stack's own template hides is masked."""
    keeping(world, "deploy", Password=SECRET, Stage="production")
    (asked,) = world.params("CreateChangeSet")
    assert asked["UsePreviousTemplate"] is True
    assert world.report.hidden.keys() == {SECRET, "default-key"}
    assert {"ParameterKey": "Stage", "ParameterValue": "production"} in asked["Parameters"]


def test_the_stacks_template_has_guard_rails(world: StackWorld) -> None:
    """As any other."""
    with pytest.raises(ManifestError) as caught:
        keeping(world, "diff", Password=SECRET, Sage="dev")
    assert said(list(caught.value.problems)).keys() == {"cloudformation.parameters.Sage"}


@pytest.mark.parametrize("action", WITHOUT_A_TEMPLATE)
def test_hidden_by_the_stacks_template(action: Action, world: StackWorld) -> None:
    """A manifest that names no template may still give the parameters."""
    with suppress(CloudError):
        keeping(world, action, Password=SECRET, Stage="production")
    assert SECRET in world.report.hidden
    assert "production" not in world.report.hidden


def test_a_stack_that_is_not_there_has_no_template() -> None:
    """That is a clear error of a deployment, and no error at all of a deletion."""
    fresh = StackWorld()
    with pytest.raises(CloudError) as caught:
        keeping(fresh, "deploy", Password=SECRET)
    assert "there is no template to make it of" in caught.value.message
    keeping(fresh, "delete", Password=SECRET)
    assert fresh.report.said("warning") == []


def test_nobody_is_asked_where_nothing_can_be_learnt(world: StackWorld) -> None:
    """A deletion without parameters needs no permission for it."""
    keeping(world, "delete")
    assert world.params("GetTemplateSummary") == []


# ---- where the stack is


@pytest.mark.parametrize(
    ("arn", "what"),
    [
        pytest.param("arn:aws:cloudformation:us-east-1:111111111111:stack/my-app/1b2c",
                     "is in region us-east-1, and this step works in region eu-west-1",
                     id="region"),
        pytest.param("arn:aws:cloudformation:eu-west-1:222222222222:stack/my-app/1b2c",
                     "is in account 222222222222, and this step works in account 111111111111",
                     id="account"),
        pytest.param("arn:aws-cn:cloudformation:eu-west-1:111111111111:stack/my-app/1b2c",
                     "is in partition aws-cn, and this step works in partition aws",
                     id="partition"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("action", WITHOUT_A_TEMPLATE)
def test_a_stack_of_another_place_is_refused(
    action: Action, arn: str, what: str, world: StackWorld
) -> None:
    """Before any call: there it would not be found, which a deletion takes for success."""
    with pytest.raises(ManifestError) as caught:
        world.run(action=action, stack_name=arn)
    assert [problem.message for problem in caught.value.problems] == [what]
    assert world.aws.calls == []


def test_an_operation_of_another_place_is_refused(world: StackWorld) -> None:
    """`--resume` from another region's log."""
    handle = "arn:aws:cloudformation:us-east-1:111111111111:stack/my-app/1b2c#calamari-1"
    with pytest.raises(ManifestError):
        world.run(action="watch", resume=handle)
