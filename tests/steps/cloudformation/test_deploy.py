"""Actions ``deploy``, ``change-set`` and ``diff``, against the fake CloudFormation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from calamari_py.errors import StackFailed
from calamari_py.steps.cloudformation.sections import ChangeSetSection, ImportSection
from tests.fake_cloudformation import DATABASE, NO_UPDATES, Fault, nested
from tests.steps.cloudformation.world import (
    BUCKET,
    NAME,
    PREFIX,
    QUEUE,
    TWO,
    StackWorld,
    template_text,
)

MANUAL = ChangeSetSection(approve="manual")
REFUSE = ChangeSetSection(refuse=("delete",))


@pytest.fixture
def world() -> StackWorld:
    return StackWorld()


# ---- what becomes of a stack


def test_a_new_stack_is_created(world: StackWorld) -> None:
    """No stack: a CREATE change set is made and executed, and the outputs are published."""
    outcome = world.run(template=TWO)
    assert (outcome.code, outcome.changed) == (0, True)
    assert world.called() == ["CreateChangeSet", "ExecuteChangeSet"]
    assert world.params("CreateChangeSet")[0]["ChangeSetType"] == "CREATE"
    assert world.status() == "CREATE_COMPLETE"
    assert set(world.report.outputs) == {
        "StackId", "StackName", "Outputs.BucketRef", "Outputs.QueueRef",
    }  # fmt: skip
    assert world.report.last_words == f"{NAME}: CREATE_COMPLETE"


@pytest.mark.parametrize(
    "status",
    [
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    ],
)
def test_a_whole_stack_is_updated(world: StackWorld, status: str) -> None:
    """A stack where nothing runs gets an UPDATE change set, however it got there."""
    world.has(status=status)
    outcome = world.run(template=TWO)
    assert outcome.changed
    assert world.params("CreateChangeSet")[0]["ChangeSetType"] == "UPDATE"
    assert world.status() == "UPDATE_COMPLETE"


def test_a_stack_in_review_is_created(world: StackWorld) -> None:
    """An empty stack that somebody left behind takes a CREATE change set."""
    world.has(status="REVIEW_IN_PROGRESS")
    assert world.run().changed
    assert world.params("CreateChangeSet")[0]["ChangeSetType"] == "CREATE"
    assert world.status() == "CREATE_COMPLETE"


def test_facts_of_the_result(world: StackWorld) -> None:
    """The result has the stack, its status, the action and the change set."""
    world.run()
    facts = world.report.facts
    assert facts["action"] == "deploy"
    assert facts["stack_id"] == world.aws.stack(NAME).id
    assert facts["stack_name"] == NAME
    assert facts["status"] == "CREATE_COMPLETE"
    assert facts["change_set"]["name"].startswith("calamari-")


def test_events_carry_the_token_of_the_step(world: StackWorld) -> None:
    """Who looks at the stack's events finds the step's name."""
    world.run()
    token = world.params("ExecuteChangeSet")[0]["ClientRequestToken"]
    assert token.startswith(f"{PREFIX}-")
    assert {one.token for one in world.aws.stack(NAME).events[1:]} == {token}


def test_a_failed_update_is_told_by_its_cause(world: StackWorld) -> None:
    """An update that was rolled back is a failure, its cause first."""
    world.has()
    world.aws.script("Queue", fail="A queue with this name already exists.")
    error = world.fail(template=TWO)
    assert isinstance(error, StackFailed)
    assert error.message.startswith("Queue (AWS::SQS::Queue)")
    assert "already exists" in error.message
    assert world.report.facts["status"] == "UPDATE_ROLLBACK_COMPLETE"
    assert world.report.last_words == f"{NAME}: UPDATE_ROLLBACK_COMPLETE"
    assert world.report.has_changed
    assert world.report.outputs == {}


def test_keep_disables_the_rollback_and_says_what_next(world: StackWorld) -> None:
    """`on_failure: keep` is DisableRollback at execute; what can follow is said."""
    world.has()
    world.aws.script("Queue", fail="no")
    world.fail(template=TWO, keep_on_failure=True)
    assert world.params("ExecuteChangeSet")[0]["DisableRollback"] is True
    assert world.status() == "UPDATE_FAILED"
    assert "--action rollback" in world.report.everything
    assert "is kept" in world.report.everything


def test_rollback_is_not_disabled_unless_said(world: StackWorld) -> None:
    """AWS's own default would keep what failed."""
    world.run()
    assert world.params("ExecuteChangeSet")[0]["DisableRollback"] is False


# ---- no changes


def test_no_changes_are_a_success(world: StackWorld) -> None:
    """Nothing to do: success, nothing changed, outputs all the same, no change set left."""
    world.has()
    outcome = world.run()
    assert (outcome.code, outcome.changed, outcome.pending) == (0, False, False)
    assert world.called() == ["CreateChangeSet", "DeleteChangeSet"]
    assert world.change_sets() == []
    assert "Outputs.BucketRef" in world.report.outputs
    assert world.report.last_words == f"{NAME}: CREATE_COMPLETE"


def test_the_other_words_for_no_changes(world: StackWorld) -> None:
    """AWS has two sentences for it."""
    world.has()
    world.aws.change_sets.no_change_text = NO_UPDATES
    assert world.run().changed is False


def test_a_failed_change_set_is_no_success(world: StackWorld) -> None:
    """A change set that could not be made has no changes either, and is a failure with a reason."""
    world.has()
    world.aws.change_sets.fail_next = "Parameters: [Stage] must have values"
    error = world.fail(template=TWO)
    assert isinstance(error, StackFailed)
    assert "Parameters: [Stage] must have values" in error.message
    assert world.change_sets() == []
    assert "ExecuteChangeSet" not in world.called()


def test_no_changes_of_a_stack_that_failed_are_none(world: StackWorld) -> None:
    """A stack in UPDATE_FAILED is not what the template says, even if nothing is left to change."""
    world.has(status="UPDATE_FAILED")
    error = world.fail(keep_on_failure=True)
    assert isinstance(error, StackFailed)
    assert "UPDATE_FAILED" in " ".join(error.evidence)
    assert world.report.outputs == {}


# ---- looking only, and approval


@pytest.mark.parametrize(
    "wish",
    [pytest.param({"dry_run": True}, id="dry-run"), pytest.param({"action": "diff"}, id="diff")],
)
@pytest.mark.parametrize("there", [True, False], ids=["update", "create"])
def test_looking_leaves_nothing_behind(
    world: StackWorld, wish: dict[str, Any], there: bool
) -> None:
    """The diff is shown, the change set is dropped, and so is the empty stack that held it."""
    if there:
        world.has()
    outcome = world.run(template=TWO, **wish)
    assert (outcome.code, outcome.changed, outcome.pending) == (0, None, True)
    assert not world.report.has_changed
    assert "ExecuteChangeSet" not in world.called()
    assert [fields["logical_id"] for kind, fields in world.report.events] == (
        ["Queue"] if there else ["Bucket", "Queue"]
    )
    world.clock.settle()
    assert world.status() == ("CREATE_COMPLETE" if there else None)
    if there:
        assert world.change_sets() == []


def test_a_change_set_that_stays_is_not_said_to_be_dropped(world: StackWorld) -> None:
    """The role may make change sets and not delete them: a warning, and no claim."""
    world.has()
    world.aws.faults.append(Fault(operation="DeleteChangeSet", error="AccessDenied", times=None))
    assert world.run(template=TWO, dry_run=True).changed is None
    assert "is dropped" not in world.report.everything
    assert "nothing was changed" in world.report.everything
    assert world.report.said("warning")


def test_progress_counts_the_resources_of_the_change_set(world: StackWorld) -> None:
    """How many there are is known before anything begins."""
    world.run(template=TWO)
    assert any("/2 resources" in text for text in world.report.said("progress"))


def test_a_change_set_that_is_executed_is_followed_by_the_settings(world: StackWorld) -> None:
    """Policy and protection belong to the second half of a deployment, too."""
    world.has()
    wanted: dict[str, Any] = {"stack_policy": '{"Statement": []}', "termination_protection": True}
    world.run(template=TWO, action="change-set", **wanted)
    assert not world.aws.stack(NAME).protected
    world.run(action="execute", **wanted)
    assert world.called()[1:] == ["SetStackPolicy", "UpdateTerminationProtection"]
    assert world.aws.stack(NAME).protected
    assert "Outputs.QueueRef" in world.report.outputs


@pytest.mark.parametrize(
    "wish",
    [
        pytest.param({"action": "change-set"}, id="change-set"),
        pytest.param({"change_set": MANUAL}, id="manual"),
    ],
)
def test_a_change_set_waits_for_approval(world: StackWorld, wish: dict[str, Any]) -> None:
    """It is left, its name and ARN are outputs, and both ways on are said."""
    world.has()
    outcome = world.run(template=TWO, **wish)
    assert (outcome.changed, outcome.pending) == (None, True)
    (name,) = world.change_sets()
    assert world.report.outputs["ChangeSetName"] == name
    assert world.report.outputs["ChangeSetId"] == world.aws.stack(NAME).change_sets[name].id
    assert "calamari run step.yaml --action execute" in world.report.everything
    assert "aws cloudformation delete-change-set" in world.report.everything


@pytest.mark.parametrize("wish", [{}, {"action": "change-set"}, {"dry_run": True}])
def test_the_gate_lists_what_it_refuses(world: StackWorld, wish: dict[str, Any]) -> None:
    """Its error counts and names all refused changes, and the change set is gone."""
    world.has(TWO)
    policy = ChangeSetSection(refuse=("delete",))
    template = template_text(Other=BUCKET)
    error = world.fail(template=template, change_set=policy, **wish)
    assert isinstance(error, StackFailed)
    assert len(world.report.facts["refused"]) == 2
    assert error.message.endswith("2 deleted")
    assert "refused\tBucket, Queue" in error.evidence
    assert world.change_sets() == []
    assert "ExecuteChangeSet" not in world.called()


def test_the_gate_lets_through_what_it_allows(world: StackWorld) -> None:
    """An addition is no deletion."""
    world.has()
    assert world.run(template=TWO, change_set=REFUSE).changed


def test_drift_is_noted(world: StackWorld) -> None:
    """A stack that has drifted is deployed, with a warning."""
    world.has(drift="DRIFTED")
    world.run(template=TWO)
    assert any("drifted" in text for text in world.report.said("warning"))


# ---- all of it together


def test_a_root_cause_three_stacks_deep_comes_first(world: StackWorld) -> None:
    """The message begins with the resource that broke, not with the stacks around it."""
    inner = world.aws.upload("t/database.json", DATABASE)
    middle = world.aws.upload("t/middle.json", nested(inner, "Inner"))
    outer = world.aws.upload("t/outer.json", nested(middle, "Middle"))
    reason = "The parameter MasterUserPassword is not a valid password."
    world.aws.script("Outer/Middle/Inner/Database", fail=reason)
    error = world.fail(template=json.dumps(nested(outer, "Outer")))
    assert isinstance(error, StackFailed)
    assert error.message.startswith("Outer/Middle/Inner/Database (AWS::RDS::DBInstance) ")
    assert reason.rstrip(".") in error.message
    assert world.report.facts["first_cause"]["logical_id"] == "Database"


def test_a_stack_being_deleted_is_made_anew(world: StackWorld) -> None:
    """Somebody deletes it: waited for, then it is a new stack."""
    world.has(status="DELETE_IN_PROGRESS", settles=(60, "DELETE_COMPLETE"))
    assert world.run().changed
    assert world.params("CreateChangeSet")[0]["ChangeSetType"] == "CREATE"
    assert world.status() == "CREATE_COMPLETE"


def test_resources_are_imported(world: StackWorld) -> None:
    """`import`: an IMPORT change set, followed to IMPORT_COMPLETE."""
    world.has()
    queue = {**QUEUE, "DeletionPolicy": "Retain"}
    item = ImportSection(
        resource_type="AWS::SQS::Queue", logical_id="Queue", identifier={"QueueUrl": "https://q"}
    )
    template = template_text(Bucket=BUCKET, Queue=queue)
    assert world.run(template=template, imports=(item,)).changed
    assert world.params("CreateChangeSet")[0]["ChangeSetType"] == "IMPORT"
    assert world.status() == "IMPORT_COMPLETE"


def test_throttling_and_expiry_on_the_way_are_no_failure(world: StackWorld) -> None:
    """A minute of throttling, then credentials that have expired: the update goes on, and so does
    the step."""
    world.has()
    world.aws.script("Queue", seconds=400)
    world.aws.faults += [
        Fault(error="Throttling", times=None, since=20, until=80),
        Fault(error="ExpiredToken", times=None, since=100, until=160),
    ]
    assert world.run(template=TWO).changed
    assert world.status() == "UPDATE_COMPLETE"
