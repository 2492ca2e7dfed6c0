"""The CloudFormation of the tests behaves as AWS's does, or other tests prove nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from calamari_py.errors import Cancelled, CloudError, Temporary
from calamari_py.steps.base import AwsCalls, StepClock
from tests.fake_cloudformation import (
    DATABASE,
    NO_CHANGES,
    ONE_BUCKET,
    FakeCloudFormation,
    Fault,
    JumpingClock,
    big_stack,
    nested,
)
from tests.fake_cloudformation.history import WAYS

NAME = "app"


@pytest.fixture
def fake() -> FakeCloudFormation:
    """An empty account."""
    return FakeCloudFormation()


def ask(fake: FakeCloudFormation, operation: str, **params: Any) -> Mapping[str, Any]:
    """A call of CloudFormation."""
    return fake.call("cloudformation", operation, params)


def change_set(
    fake: FakeCloudFormation, template: Mapping[str, Any], kind: str = "UPDATE", **more: Any
) -> Mapping[str, Any]:
    """A change set, as it is described when it is done."""
    made = ask(
        fake,
        "CreateChangeSet",
        StackName=NAME,
        ChangeSetName=f"c{len(fake.calls)}",
        ChangeSetType=kind,
        TemplateBody=json.dumps(template),
        **more,
    )
    jump(fake, 6)
    return ask(fake, "DescribeChangeSet", ChangeSetName=made["Id"])


def jump(fake: FakeCloudFormation, seconds: float | None = None) -> None:
    """Let time pass; None until nothing happens any more."""
    assert isinstance(fake.clock, JumpingClock)
    if seconds is None:
        fake.clock.settle()
    else:
        fake.clock.advance(seconds)


def deploy(
    fake: FakeCloudFormation, template: Mapping[str, Any], kind: str = "UPDATE", **more: Any
) -> str:
    """A deployment to its end; the stack's status."""
    made = change_set(fake, template, kind)
    ask(
        fake,
        "ExecuteChangeSet",
        ChangeSetName=made["ChangeSetId"],
        ClientRequestToken=f"token-{len(fake.calls)}",
        **more,
    )
    jump(fake)
    return fake.stack(NAME).status


def told(fake: FakeCloudFormation, name: str = NAME) -> list[tuple[str, str, str]]:
    """Logical id, status and reason of all events, oldest first."""
    return [(one.logical_id, one.status, one.reason) for one in fake.stack(name).events]


def three_deep(fake: FakeCloudFormation) -> dict[str, Any]:
    """A template whose database is in a stack in a stack in it."""
    inner = fake.upload("templates/inner.json", DATABASE)
    data = fake.upload("templates/data.json", nested(inner, "Inner"))
    return nested(data, "Data")


def test_it_is_what_a_step_is_given(fake: FakeCloudFormation) -> None:
    """The fake and its clock fit where a step has AWS and the time."""
    aws: AwsCalls = fake
    clock: StepClock = JumpingClock()
    assert (aws.region, aws.partition, clock.monotonic()) == ("eu-west-1", "aws", 0)


def test_all_statuses_exist() -> None:
    """Each status that botocore knows can be put into the fake."""
    import botocore.session

    model: Any = botocore.session.get_session().get_service_model("cloudformation")
    assert set(model.shape_for("StackStatus").enum) == set(WAYS)


@pytest.mark.parametrize("status", sorted(WAYS))
def test_a_stack_has_the_past_of_its_status(fake: FakeCloudFormation, status: str) -> None:
    """A stack that is put in has events that lead to its status, oldest first in time."""
    fake.add_stack(NAME, status=status)
    events = fake.stacks[next(iter(fake.stacks))].events
    assert events[-1].status == status
    assert [one.time for one in events] == sorted(one.time for one in events)


def test_a_stack_is_made_by_a_change_set(fake: FakeCloudFormation) -> None:
    """CREATE makes an empty stack in review, executing it makes resources and outputs."""
    made = change_set(fake, ONE_BUCKET, "CREATE")
    assert fake.stack(NAME).status == "REVIEW_IN_PROGRESS"
    ask(fake, "ExecuteChangeSet", ChangeSetName=made["ChangeSetId"], ClientRequestToken="t-1")
    jump(fake)
    stack = ask(fake, "DescribeStacks", StackName=NAME)["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert [one["OutputKey"] for one in stack["Outputs"]] == ["BucketName"]
    assert {one.token for one in fake.stack(NAME).events[1:]} == {"t-1"}


def test_resources_begin_when_those_before_them_have_ended(fake: FakeCloudFormation) -> None:
    """The order of a template's dependencies is kept, the rest happens at once."""
    deploy(fake, DATABASE, "CREATE")
    order = [
        (logical_id, status)
        for logical_id, status, reason in told(fake)
        if not reason and logical_id != NAME
    ]
    assert order[:2] == [("Database", "CREATE_IN_PROGRESS"), ("Subnets", "CREATE_IN_PROGRESS")]
    assert order.index(("Alarm", "CREATE_IN_PROGRESS")) > order.index(
        ("Database", "CREATE_COMPLETE")
    )


def test_a_failed_creation_is_rolled_back(fake: FakeCloudFormation) -> None:
    """The others are cancelled, the stack says which failed, everything is deleted."""
    fake.script("Database", seconds=5, fail="not a valid password")
    assert deploy(fake, DATABASE, "CREATE") == "ROLLBACK_COMPLETE"
    events = told(fake)
    assert ("Database", "CREATE_FAILED", "not a valid password") in events
    assert ("Subnets", "CREATE_FAILED", "Resource creation cancelled") in events
    failed = "The following resource(s) failed to create: [Database, Subnets]. "
    assert (NAME, "ROLLBACK_IN_PROGRESS", f"{failed}Rollback requested by user.") in events
    assert ("Subnets", "DELETE_COMPLETE", "") in events


def test_rollback_can_be_off(fake: FakeCloudFormation) -> None:
    """With DisableRollback the stack stays as it is, and can be rolled back by hand."""
    fake.script("Database", fail="no")
    assert deploy(fake, DATABASE, "CREATE", DisableRollback=True) == "CREATE_FAILED"
    ask(fake, "RollbackStack", StackName=NAME)
    jump(fake)
    assert fake.stack(NAME).status == "ROLLBACK_COMPLETE"


def test_a_failure_three_deep_goes_up(fake: FakeCloudFormation) -> None:
    """Each parent quotes its nested stack's reason; the cause is in the deepest one only."""
    fake.script("Data/Inner/Database", fail="not a valid password")
    assert deploy(fake, three_deep(fake), "CREATE") == "ROLLBACK_COMPLETE"
    reason = next(one for one in told(fake) if one[:2] == ("Data", "CREATE_FAILED"))[2]
    child = next(one for one in fake.stacks.values() if one.path == ("Data",))
    assert reason == (
        f"Embedded stack {child.id} was not successfully created: "
        "The following resource(s) failed to create: [Inner]. "
    )
    assert "password" not in str(told(fake))
    assert {one.status for one in fake.stacks.values() if one.path} == {"DELETE_COMPLETE"}


def test_a_failed_update_goes_back(fake: FakeCloudFormation) -> None:
    """What was changed is changed back, what was added is deleted, the design is the old one."""
    deploy(fake, DATABASE, "CREATE")
    fake.script("Database", fail="out of capacity")
    wanted = json.loads(json.dumps(DATABASE))
    wanted["Resources"]["Database"]["Properties"]["DBInstanceClass"] = "db.t3.large"
    wanted["Resources"]["Topic"] = {"Type": "AWS::SNS::Topic"}
    assert deploy(fake, wanted) == "UPDATE_ROLLBACK_COMPLETE"
    assert ("Topic", "DELETE_COMPLETE", "") in told(fake)
    assert "Topic" not in fake.stack(NAME).resources
    assert json.loads(ask(fake, "GetTemplate", StackName=NAME)["TemplateBody"]) == DATABASE
    assert change_set(fake, DATABASE)["StatusReason"] == NO_CHANGES


def test_a_nested_update_goes_back(fake: FakeCloudFormation) -> None:
    """Nested stacks wait in UPDATE_ROLLBACK_IN_PROGRESS for their parent's rollback."""
    template = three_deep(fake)
    deploy(fake, template, "CREATE")
    changed = json.loads(json.dumps(DATABASE))
    changed["Resources"]["Database"]["Properties"]["DBInstanceClass"] = "db.t3.large"
    fake.upload("templates/inner.json", changed)
    fake.script("Data/Inner/Database", fail="no")
    assert deploy(fake, template) == "UPDATE_ROLLBACK_COMPLETE"
    reason = next(one for one in told(fake) if one[:2] == ("Data", "UPDATE_FAILED"))[2]
    assert "was not successfully updated. Currently in UPDATE_ROLLBACK_IN_PROGRESS" in reason
    assert {one.status for one in fake.stacks.values()} == {"UPDATE_ROLLBACK_COMPLETE"}


def test_a_nested_update_is_cancelled(fake: FakeCloudFormation) -> None:
    """When something beside it fails, a nested stack stops and goes back with its parent."""
    template = nested(fake.upload("templates/data.json", DATABASE), "Data")
    deploy(fake, template, "CREATE")
    changed = json.loads(json.dumps(DATABASE))
    changed["Resources"]["Database"]["Properties"]["DBInstanceClass"] = "db.t3.large"
    fake.upload("templates/data.json", changed)
    fake.script("Data/Database", seconds=100)
    fake.script("Topic", seconds=5, fail="no")
    template["Resources"]["Topic"] = {"Type": "AWS::SNS::Topic"}
    assert deploy(fake, template) == "UPDATE_ROLLBACK_COMPLETE"
    assert ("Data", "UPDATE_FAILED", "Resource update cancelled") in told(fake)
    child = next(one for one in fake.stacks.values() if one.path == ("Data",))
    assert child.status == "UPDATE_ROLLBACK_COMPLETE"
    assert ("Database", "UPDATE_FAILED", "Resource update cancelled") in told(fake, child.id)


def test_a_rollback_that_fails_can_be_continued(fake: FakeCloudFormation) -> None:
    """UPDATE_ROLLBACK_FAILED takes ContinueUpdateRollback only, with the broken ones skipped."""
    deploy(fake, DATABASE, "CREATE")
    fake.script("Database", fail="no", fail_rollback="still no")
    wanted = json.loads(json.dumps(DATABASE))
    wanted["Resources"]["Database"]["Properties"]["DBInstanceClass"] = "db.t3.large"
    assert deploy(fake, wanted) == "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(CloudError, match="is in UPDATE_ROLLBACK_FAILED state and can not be"):
        change_set(fake, DATABASE)
    ask(fake, "ContinueUpdateRollback", StackName=NAME, ResourcesToSkip=["Database"])
    jump(fake)
    assert fake.stack(NAME).status == "UPDATE_ROLLBACK_COMPLETE"


def test_an_update_can_be_cancelled(fake: FakeCloudFormation) -> None:
    """CancelUpdateStack rolls back; in any other status it is refused."""
    deploy(fake, ONE_BUCKET, "CREATE")
    with pytest.raises(CloudError, match="cannot be called from current stack status"):
        ask(fake, "CancelUpdateStack", StackName=NAME)
    fake.start_update(NAME, {"Resources": {**ONE_BUCKET["Resources"], **DATABASE["Resources"]}},
                      parameters={})  # fmt: skip
    jump(fake, 3)
    ask(fake, "CancelUpdateStack", StackName=NAME)
    jump(fake)
    assert fake.stack(NAME).status == "UPDATE_ROLLBACK_COMPLETE"


def test_a_replacement_is_cleaned_up(fake: FakeCloudFormation) -> None:
    """The new resource is made first, the old one deleted in the cleanup phase."""
    deploy(fake, DATABASE, "CREATE")
    old = fake.stack(NAME).resources["Database"].physical_id
    wanted = json.loads(json.dumps(DATABASE))
    wanted["Parameters"]["Engine"]["Default"] = "mysql"
    changes = change_set(fake, wanted)["Changes"]
    assert [one["ResourceChange"]["Replacement"] for one in changes] == ["True"]
    assert changes[0]["ResourceChange"]["Details"][0]["CausingEntity"] == "Engine"
    assert deploy(fake, wanted) == "UPDATE_COMPLETE"
    deleted = [one for one in fake.stack(NAME).events if one.status == "DELETE_COMPLETE"]
    assert [one.physical_id for one in deleted] == [old]


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        pytest.param(None, "UPDATE", "Stack [app] does not exist", id="missing"),
        pytest.param("REVIEW_IN_PROGRESS", "UPDATE", "Stack [app] does not exist", id="review"),
        pytest.param("CREATE_COMPLETE", "CREATE", "Stack [app] already exists and", id="exists"),
        pytest.param(
            "ROLLBACK_COMPLETE", "UPDATE", "is in ROLLBACK_COMPLETE state and can", id="never-made"
        ),
        pytest.param("UPDATE_IN_PROGRESS", "UPDATE", "is in UPDATE_IN_PROGRESS state", id="busy"),
        pytest.param("DELETE_COMPLETE", "UPDATE", "Stack [app] does not exist", id="deleted"),
    ],
)
def test_change_sets_are_refused(
    fake: FakeCloudFormation, status: str | None, kind: str, message: str
) -> None:
    """A change set that does not fit the stack's status is refused in AWS's words."""
    if status:
        fake.add_stack(NAME, status=status)
    with pytest.raises(CloudError) as caught:
        change_set(fake, ONE_BUCKET, kind)
    assert message in str(caught.value)
    assert caught.value.code == "ValidationError"


def test_a_second_change_set_is_obsolete(fake: FakeCloudFormation) -> None:
    """Executing one makes the others obsolete; none is executed twice."""
    fake.add_stack(NAME)
    first, second = change_set(fake, DATABASE), change_set(fake, DATABASE)
    ask(fake, "ExecuteChangeSet", ChangeSetName=first["ChangeSetId"])
    with pytest.raises(CloudError, match=r"current execution status of \[OBSOLETE\]") as caught:
        ask(fake, "ExecuteChangeSet", ChangeSetName=second["ChangeSetId"])
    assert caught.value.code == "InvalidChangeSetStatus"


def test_a_change_set_takes_its_time(fake: FakeCloudFormation) -> None:
    """Right after it was asked for it cannot be executed."""
    fake.add_stack(NAME)
    body = json.dumps(DATABASE)
    made = ask(fake, "CreateChangeSet", StackName=NAME, ChangeSetName="c", TemplateBody=body)
    with pytest.raises(CloudError, match=r"current status of \[CREATE_PENDING\]"):
        ask(fake, "ExecuteChangeSet", ChangeSetName=made["Id"])


def test_events_come_in_pages(fake: FakeCloudFormation) -> None:
    """600 resources: newest first, a hundred a page, each once."""
    deploy(fake, big_stack(600), "CREATE")
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = ask(fake, "DescribeStackEvents", StackName=NAME, **token)
        seen += [one["EventId"] for one in answer["StackEvents"]]
        assert len(answer["StackEvents"]) <= 100
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert seen == [one.id for one in reversed(fake.stack(NAME).events)]
    assert len(set(seen)) == len(seen) == 1 + 600 * 3 + 2


def test_nested_change_sets(fake: FakeCloudFormation) -> None:
    """With IncludeNestedStacks a nested stack's changes have a change set of their own."""
    template = three_deep(fake)
    deploy(fake, template, "CREATE")
    fake.upload("templates/inner.json", {**DATABASE, "Parameters": {"Engine": {"Default": "x"}}})
    found = change_set(fake, template, IncludeNestedStacks=True)
    for expected in ("Data", "Inner", "Database"):
        change = found["Changes"][0]["ResourceChange"]
        assert change["LogicalResourceId"] == expected
        if "ChangeSetId" in change:
            found = ask(fake, "DescribeChangeSet", ChangeSetName=change["ChangeSetId"])


def test_a_protected_stack_is_not_deleted(fake: FakeCloudFormation) -> None:
    """Termination protection refuses, without it the stack goes and is found by id only."""
    stack = fake.add_stack(NAME, protected=True)
    with pytest.raises(CloudError, match="cannot be deleted while TerminationProtection"):
        ask(fake, "DeleteStack", StackName=NAME)
    ask(fake, "UpdateTerminationProtection", StackName=NAME, EnableTerminationProtection=False)
    ask(fake, "DeleteStack", StackName=NAME)
    jump(fake)
    with pytest.raises(CloudError, match="Stack with id app does not exist"):
        ask(fake, "DescribeStacks", StackName=NAME)
    answer = ask(fake, "DescribeStacks", StackName=stack.id)
    assert answer["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"


def test_a_deletion_that_fails_can_retain(fake: FakeCloudFormation) -> None:
    """RetainResources is for DELETE_FAILED only, and for what could not be deleted."""
    fake.add_stack(NAME)
    fake.script("Bucket", fail_delete="The bucket you tried to delete is not empty")
    with pytest.raises(CloudError, match="DELETE_FAILED"):
        ask(fake, "DeleteStack", StackName=NAME, RetainResources=["Bucket"])
    ask(fake, "DeleteStack", StackName=NAME)
    jump(fake)
    assert fake.stack(NAME).status == "DELETE_FAILED"
    ask(fake, "DeleteStack", StackName=NAME, RetainResources=["Bucket"])
    jump(fake)
    assert fake.world.find(NAME) is None


def test_resources_are_imported(fake: FakeCloudFormation) -> None:
    """An IMPORT change set takes what is there into the stack."""
    fake.add_stack(NAME)
    wanted = json.loads(json.dumps(ONE_BUCKET))
    wanted["Resources"]["Old"] = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"}
    item = {
        "ResourceType": "AWS::S3::Bucket",
        "LogicalResourceId": "Old",
        "ResourceIdentifier": {"BucketName": "old-logs"},
    }
    made = change_set(fake, wanted, "IMPORT", ResourcesToImport=[item])
    assert [one["ResourceChange"]["Action"] for one in made["Changes"]] == ["Import"]
    ask(fake, "ExecuteChangeSet", ChangeSetName=made["ChangeSetId"])
    jump(fake)
    assert fake.stack(NAME).status == "IMPORT_COMPLETE"
    assert fake.stack(NAME).resources["Old"].physical_id == "old-logs"


@pytest.mark.parametrize(
    ("template", "more", "code", "message"),
    [
        pytest.param({}, {}, "ValidationError", "At least one Resources member", id="empty"),
        pytest.param(
            {"Parameters": {"A": {}}, **ONE_BUCKET}, {}, "ValidationError",
            "Parameters: [A] must have values", id="missing",
        ),
        pytest.param(
            ONE_BUCKET, {"Parameters": [{"ParameterKey": "B", "ParameterValue": "1"}]},
            "ValidationError", "Parameters: [B] do not exist in the template", id="unknown",
        ),
        pytest.param(
            {"Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r"}}}}, {},
            "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]",
            id="capability",
        ),
        pytest.param(
            {"Resources": {}, "Description": "x" * 60_000}, {}, "ValidationError",
            "Member must have length less than or equal to 51200", id="too-long",
        ),
    ],
)  # fmt: skip
def test_bad_requests_are_refused(
    fake: FakeCloudFormation,
    template: Mapping[str, Any],
    more: Mapping[str, Any],
    code: str,
    message: str,
) -> None:
    """What AWS refuses before it makes a change set is refused."""
    with pytest.raises(CloudError) as caught:
        change_set(fake, template, "CREATE", **more)
    assert (caught.value.code, message in str(caught.value)) == (code, True)
    assert fake.world.find(NAME) is None


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        pytest.param(Fault(error="Throttling"), Temporary, "Rate exceeded", id="throttled"),
        pytest.param(Fault(error="Unreachable"), Temporary, "closed", id="unreachable"),
        pytest.param(
            Fault(error="AccessDenied"), CloudError,
            "is not authorized to perform: cloudformation:DescribeStacks", id="denied",
        ),
        pytest.param(Fault(error="ExpiredToken"), CloudError, "is expired", id="expired"),
        pytest.param(Fault(error=Cancelled(15)), Cancelled, "SIGTERM", id="given"),
        pytest.param(Fault(error=lambda: Cancelled(15)), Cancelled, "SIGTERM", id="made"),
    ],
)  # fmt: skip
def test_faults_strike_as_often_as_said(
    fake: FakeCloudFormation, fault: Fault, error: type[BaseException], message: str
) -> None:
    """A fault strikes once, in AWS's words, and then the call works again."""
    fake.add_stack(NAME)
    fake.faults.append(fault)
    with pytest.raises(error, match=message):
        ask(fake, "DescribeStacks", StackName=NAME)
    assert ask(fake, "DescribeStacks", StackName=NAME)["Stacks"]


def test_an_answer_can_be_lost(fake: FakeCloudFormation) -> None:
    """With `lost` the deletion begins and the caller is not told; the same token does not begin
    another one."""
    fake.add_stack(NAME)
    fake.faults.append(Fault(operation="DeleteStack", error="Unreachable", lost=True))
    with pytest.raises(Temporary):
        ask(fake, "DeleteStack", StackName=NAME, ClientRequestToken="t")
    assert fake.stack(NAME).status == "DELETE_IN_PROGRESS"
    count = len(fake.stack(NAME).events)
    ask(fake, "DeleteStack", StackName=NAME, ClientRequestToken="t")
    assert len(fake.stack(NAME).events) == count


def test_a_token_is_for_one_request(fake: FakeCloudFormation) -> None:
    """Another request with a token that was used is refused."""
    fake.add_stack(NAME)
    ask(fake, "DeleteStack", StackName=NAME, ClientRequestToken="t")
    jump(fake)
    made = change_set(fake, ONE_BUCKET, "CREATE")
    with pytest.raises(CloudError) as caught:
        ask(fake, "ExecuteChangeSet", ChangeSetName=made["ChangeSetId"], ClientRequestToken="t")
    assert caught.value.code == "TokenAlreadyExistsException"


@pytest.mark.parametrize(
    ("lag", "events", "status"),
    [
        pytest.param("event_lag", 0, "UPDATE_IN_PROGRESS", id="events"),
        pytest.param("status_lag", 1, "CREATE_COMPLETE", id="status"),
    ],
)  # fmt: skip
def test_answers_can_lag(
    fake: FakeCloudFormation,
    lag: str,
    events: int,
    status: str,
) -> None:
    """Events and statuses can be visible later than they are true, independently."""
    fake.add_stack(NAME)
    jump(fake, 100)
    before = len(ask(fake, "DescribeStackEvents", StackName=NAME)["StackEvents"])
    setattr(fake, lag, 5.0)
    fake.start_update(NAME, DATABASE)
    now = len(ask(fake, "DescribeStackEvents", StackName=NAME)["StackEvents"])
    assert now - before == events
    assert ask(fake, "DescribeStacks", StackName=NAME)["Stacks"][0]["StackStatus"] == status


def test_a_happening_comes_out_of_sleep() -> None:
    """What is due during a wait happens at its time, and what it raises ends the wait."""
    clock = JumpingClock()
    seen: list[float] = []

    def cancel() -> None:
        raise Cancelled(15)

    clock.at(3, lambda: seen.append(clock.monotonic()))
    clock.at(7, cancel)
    with pytest.raises(Cancelled):
        clock.sleep(10)
    assert (seen, clock.monotonic(), clock.slept) == ([3], 7, [10])


def test_waiting_for_ever_fails() -> None:
    """A test that waits for what never happens ends."""
    clock = JumpingClock()
    clock.sleep(86_400)
    with pytest.raises(AssertionError, match="waits for ever"):
        clock.sleep(3 * 86_400)


def test_templates_come_from_s3(fake: FakeCloudFormation) -> None:
    """What was put into the bucket is found by its URL, in either style, and nothing else is."""
    fake.call(
        "s3", "PutObject", {"Bucket": "b.c", "Key": "t.yaml", "Body": b"Resources: {A: {Type: X}}"}
    )
    for host in ("b.c.s3.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com/b.c"):
        url = f"https://{host}/t.yaml"
        assert ask(fake, "GetTemplateSummary", TemplateURL=url)["ResourceTypes"] == ["X"]
    with pytest.raises(CloudError, match="S3 error"):
        ask(fake, "GetTemplateSummary", TemplateURL="https://b.s3.amazonaws.com/none")
    with pytest.raises(CloudError) as caught:
        fake.call("s3", "HeadObject", {"Bucket": "b", "Key": "none"})
    assert caught.value.code == "404"
