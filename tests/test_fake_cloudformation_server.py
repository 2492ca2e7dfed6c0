"""The CloudFormation of the tests as a server: what an SDK sees of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.fake_cloudformation import (
    ONE_BUCKET,
    FakeCloudFormation,
    Fault,
    JumpingClock,
    RunningClock,
)
from tests.fake_cloudformation.server import LAUNCHER_KEY, CloudFormationServer

pytestmark = pytest.mark.socket


@pytest.fixture
def server() -> Iterator[CloudFormationServer]:
    """A server whose time jumps."""
    with CloudFormationServer(FakeCloudFormation()) as made:
        yield made


def client(server: CloudFormationServer, service: str, key: str = LAUNCHER_KEY) -> Any:
    """boto3's client, one attempt a call."""
    import boto3
    from botocore.config import Config

    session: Any = boto3.session.Session()
    return session.client(
        service,
        region_name="eu-west-1",
        endpoint_url=server.endpoint,
        aws_access_key_id=key,
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def test_an_sdk_deploys(server: CloudFormationServer) -> None:
    """Change set, execution, events, outputs, deletion: botocore reads each answer."""
    aws = client(server, "cloudformation")
    clock = server.fake.clock
    assert isinstance(clock, JumpingClock)
    made = aws.create_change_set(
        StackName="app",
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps(ONE_BUCKET),
        Tags=[{"Key": "a", "Value": "<1>"}, {"Key": "b", "Value": "2"}],
        Capabilities=["CAPABILITY_IAM"],
        IncludeNestedStacks=True,
    )
    clock.advance(6)
    described = aws.describe_change_set(ChangeSetName=made["Id"])
    assert described["Tags"] == [{"Key": "a", "Value": "<1>"}, {"Key": "b", "Value": "2"}]
    assert described["Changes"][0]["ResourceChange"]["Action"] == "Add"
    aws.execute_change_set(ChangeSetName=made["Id"], ClientRequestToken="t", DisableRollback=False)
    clock.settle()
    stack = aws.describe_stacks(StackName="app")["Stacks"][0]
    assert (stack["StackStatus"], stack["EnableTerminationProtection"]) == (
        "CREATE_COMPLETE",
        False,
    )
    assert stack["CreationTime"] == server.fake.stack("app").created
    events = aws.describe_stack_events(StackName="app")["StackEvents"]
    assert len(events) == len(server.fake.stack("app").events)
    aws.update_termination_protection(StackName="app", EnableTerminationProtection=True)
    assert server.fake.stack("app").protected
    assert aws.get_template_summary(StackName="app")["ResourceTypes"] == ["AWS::S3::Bucket"]
    assert len(aws.list_change_sets(StackName="app")["Summaries"]) == 1


def test_objects_are_put(server: CloudFormationServer) -> None:
    """S3 takes a template, and says whether it is there."""
    s3 = client(server, "s3")
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.head_object(Bucket="artifacts", Key="a/b.yaml")
    assert caught.value.response["Error"]["Code"] == "404"
    s3.put_object(Bucket="artifacts", Key="a/b.yaml", Body=b"Resources: {}")
    assert s3.head_object(Bucket="artifacts", Key="a/b.yaml")
    assert server.fake.objects["artifacts", "a/b.yaml"] == b"Resources: {}"


def test_a_role_is_assumed_and_expires(server: CloudFormationServer) -> None:
    """Any role can be had; when its session is over, calls are refused with ExpiredToken."""
    sts = client(server, "sts")
    answer = sts.assume_role(
        RoleArn="arn:aws:iam::111111111111:role/Deploy", RoleSessionName="step"
    )
    key = answer["Credentials"]["AccessKeyId"]
    aws = client(server, "cloudformation", key)
    assert aws.describe_stacks()["Stacks"] == []
    server.expire_sessions()
    with pytest.raises(aws.exceptions.ClientError, match="ExpiredToken"):
        aws.describe_stacks()
    assert server.used[-1] == (key, "DescribeStacks")
    assert sts.get_caller_identity()["Arn"].endswith("user/launcher")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(Fault(error="Throttling"), "Throttling", id="throttled"),
        pytest.param(Fault(http=503), "503", id="unavailable"),
        pytest.param(Fault(close=True), "Connection was closed", id="closed"),
        pytest.param(Fault(error="AccessDenied"), "not authorized to perform", id="denied"),
    ],
)
def test_faults_are_seen(server: CloudFormationServer, fault: Fault, error: str) -> None:
    """What goes wrong goes wrong on the wire, once."""
    from botocore.exceptions import BotoCoreError, ClientError

    server.fake.faults.append(fault)
    aws = client(server, "cloudformation")
    with pytest.raises((BotoCoreError, ClientError), match=error):
        aws.describe_stacks()
    assert aws.describe_stacks()["Stacks"] == []


def test_an_answer_is_lost_after_the_effect(server: CloudFormationServer) -> None:
    """The deletion begins though the connection is closed without an answer."""
    from botocore.exceptions import BotoCoreError

    server.fake.add_stack("app")
    server.fake.faults.append(Fault(operation="DeleteStack", lost=True, close=True))
    with pytest.raises(BotoCoreError):
        client(server, "cloudformation").delete_stack(StackName="app")
    assert server.fake.stack("app").status == "DELETE_IN_PROGRESS"


def test_time_runs_fast() -> None:
    """With a running clock a stack is there after a fraction of its seconds, which its events
    tell exactly all the same."""
    fake = FakeCloudFormation(RunningClock(speed=100_000))
    fake.start_update("app", ONE_BUCKET)
    clock = fake.clock
    begun = clock.monotonic()
    while fake.stack("app").status != "CREATE_COMPLETE":
        clock.catch_up()
        assert clock.monotonic() - begun < 10_000, "did not end"
    bucket = [one.time for one in fake.stack("app").events if one.logical_id == "Bucket"]
    assert bucket[-1] - bucket[0] == timedelta(seconds=10)
