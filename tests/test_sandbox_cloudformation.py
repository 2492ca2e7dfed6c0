"""CloudFormation in the embedded AWS: what a walk-through does works, what it cannot do it says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from calamari_py.sandbox import DISTURBING_ENVIRONMENT, Sandbox

pytestmark = pytest.mark.sandbox
ROLE = "arn:aws:iam::111111111111:role/DevDeployRole"
APP: dict[str, Any] = {
    "Parameters": {
        "Stage": {"Type": "String", "Default": "dev"},
        "Password": {"Type": "String", "NoEcho": True},
    },
    "Resources": {
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"Tags": [{"Key": "stage", "Value": {"Ref": "Stage"}}]},
        },
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 30}},
        "Setting": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {
                "Type": "String",
                "Name": {"Fn::Sub": "/app/${Stage}"},
                "Value": {"Fn::GetAtt": ["Queue", "Arn"]},
            },
        },
    },
    "Outputs": {"Bucket": {"Value": {"Ref": "Bucket"}}},
}

TAKEN = {
    "Type": "AWS::S3::Bucket",
    "DependsOn": "Queue",
    "Properties": {"BucketName": "dev-artifacts"},
}


@cache
def boto_session() -> Any:
    """One for all: it reads the service models once."""
    import boto3

    return boto3.session.Session()


class Aws:
    """The development account, and one stack in it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._session = boto_session()
        self._sandbox = sandbox
        given = {
            "aws_access_key_id": sandbox.environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": sandbox.environment["AWS_SECRET_ACCESS_KEY"],
            "aws_session_token": sandbox.environment["AWS_SESSION_TOKEN"],
        }
        answer = self._client("sts", given).assume_role(RoleArn=ROLE, RoleSessionName="step")
        keys = answer["Credentials"]
        self._keys = {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        }
        self.cloudformation = self._client("cloudformation", self._keys)
        self.s3 = self._client("s3", self._keys)

    def _client(self, service: str, keys: Mapping[str, str]) -> Any:
        from botocore.config import Config

        config = Config(retries={"total_max_attempts": 1})
        return self._session.client(
            service,
            endpoint_url=self._sandbox.endpoint,
            region_name="us-east-1",
            config=config,
            **keys,
        )

    def plan(
        self, template: Mapping[str, Any], kind: str = "UPDATE", **more: Any
    ) -> Mapping[str, Any]:
        """A change set, described."""
        if "Parameters" in template:
            given = {"Password": "hunter2hunter2"} | more.pop("parameters", {})
            more["Parameters"] = [
                {"ParameterKey": key, "ParameterValue": value} for key, value in given.items()
            ]
        name = f"c{len(self.cloudformation.list_change_sets(StackName='app')['Summaries'])}" if (
            kind == "UPDATE"
        ) else "first"  # fmt: skip
        made = self.cloudformation.create_change_set(
            StackName="app",
            ChangeSetName=name,
            ChangeSetType=kind,
            TemplateBody=json.dumps(template),
            **more,
        )
        return self.described(made["Id"])

    def described(self, change_set_id: str) -> Mapping[str, Any]:
        """A change set."""
        answer: Mapping[str, Any] = self.cloudformation.describe_change_set(
            ChangeSetName=change_set_id
        )
        return answer

    def deploy(self, template: Mapping[str, Any], kind: str = "UPDATE", **more: Any) -> str:
        """Plan and execute; the stack's status."""
        keep = more.pop("keep", False)
        made = self.plan(template, kind, **more)
        self.cloudformation.execute_change_set(
            ChangeSetName=made["ChangeSetId"], ClientRequestToken="token", DisableRollback=keep
        )
        return str(self.stack()["StackStatus"])

    def stack(self, name: str = "app") -> Mapping[str, Any]:
        """As it is described."""
        found: Mapping[str, Any] = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return found

    def told(self) -> list[tuple[str, str, str]]:
        """Logical id, status, reason of the stack's events, oldest first."""
        events = self.cloudformation.describe_stack_events(StackName="app")["StackEvents"]
        return [
            (one["LogicalResourceId"], one["ResourceStatus"], one.get("ResourceStatusReason", ""))
            for one in reversed(events)
        ]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """A fresh sandbox."""
    for name, value in DISTURBING_ENVIRONMENT.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    with Sandbox() as sandbox:
        yield Aws(sandbox)


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    """Code and text of the error that a call ends in."""
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def changed(**resources: Any) -> dict[str, Any]:
    """The template with other resources; None leaves one out."""
    template: dict[str, Any] = json.loads(json.dumps(APP))
    template["Resources"] |= resources
    template["Resources"] = {
        key: value for key, value in template["Resources"].items() if value is not None
    }
    return template


def test_a_stack_is_made(aws: Aws) -> None:
    """A change set makes a stack with outputs, tags and events of each resource, all of them with
    the request token; a NoEcho value is shown nowhere."""
    assert aws.deploy(APP, "CREATE", Tags=[{"Key": "a", "Value": "b"}]) == "CREATE_COMPLETE"
    stack = aws.stack()
    assert stack["Outputs"][0]["OutputValue"].startswith("app-")
    assert stack["Tags"] == [{"Key": "a", "Value": "b"}]
    values = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    assert values == {"Stage": "dev", "Password": "****"}
    events = aws.cloudformation.describe_stack_events(StackName="app")["StackEvents"]
    assert {one.get("ClientRequestToken") for one in events[:-1]} == {"token"}
    assert len({one["EventId"] for one in events}) == len(events) == 12
    assert ("Queue", "CREATE_COMPLETE", "") in aws.told()
    assert "hunter2" not in str(aws.described(stack["ChangeSetId"]))


def test_nothing_to_change(aws: Aws) -> None:
    """An empty change set fails in AWS's words and cannot be executed, only deleted."""
    aws.deploy(APP, "CREATE")
    made = aws.plan(APP)
    assert made["Status"] == "FAILED"
    assert made["StatusReason"] == (
        "The submitted information didn't contain changes. "
        "Submit different information to create a change set."
    )
    code, _ = refusal(aws.cloudformation.execute_change_set, ChangeSetName=made["ChangeSetId"])
    assert code == "InvalidChangeSetStatus"
    aws.cloudformation.delete_change_set(ChangeSetName=made["ChangeSetId"])
    code, _ = refusal(aws.cloudformation.describe_change_set, ChangeSetName=made["ChangeSetId"])
    assert code == "ChangeSetNotFound"


def test_an_update(aws: Aws) -> None:
    """A diff that says why, and a stack that is changed so: also by a parameter inside a text."""
    aws.deploy(APP, "CREATE")
    template = changed(
        Queue={"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 60}},
        Topic={"Type": "AWS::SNS::Topic"},
    )
    made = aws.plan(template, parameters={"Stage": "prod"})
    found = {
        one["LogicalResourceId"]: (one["Action"], one.get("Replacement"))
        for one in (item["ResourceChange"] for item in made["Changes"])
    }
    assert found == {
        "Topic": ("Add", None),
        "Bucket": ("Modify", "False"),
        "Queue": ("Modify", "False"),
        "Setting": ("Modify", "True"),
    }
    details = [
        item["ResourceChange"]["Details"]
        for item in made["Changes"]
        if item["ResourceChange"]["LogicalResourceId"] == "Setting"
    ]
    assert [one["CausingEntity"] for one in details[0]] == ["Stage"]
    aws.cloudformation.execute_change_set(ChangeSetName=made["ChangeSetId"])
    assert aws.stack()["StackStatus"] == "UPDATE_COMPLETE"
    assert aws.deploy(changed(Queue=None, Setting=None)) == "UPDATE_COMPLETE"
    assert ("Queue", "DELETE_COMPLETE", "") in aws.told()


@pytest.mark.parametrize(
    ("keep", "status"),
    [
        pytest.param(False, "ROLLBACK_COMPLETE", id="rollback"),
        pytest.param(True, "CREATE_FAILED", id="keep"),
    ],
)
def test_a_creation_that_fails(aws: Aws, keep: bool, status: str) -> None:
    """A bucket whose name is taken fails the stack; what was made is deleted unless it is kept."""
    assert aws.deploy(changed(Taken=TAKEN), "CREATE", keep=keep) == status
    events = aws.told()
    reason = next(text for name, what, text in events if (name, what) == ("Taken", "CREATE_FAILED"))
    assert "bucket name is not available" in reason
    assert (("Queue", "DELETE_COMPLETE", "") in events) is not keep
    code, message = refusal(
        aws.cloudformation.create_change_set,
        StackName="app",
        ChangeSetName="again",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}),
    )
    assert (code, "already exists and cannot be created again" in message) == (
        "ValidationError",
        True,
    )


def test_an_update_that_fails(aws: Aws) -> None:
    """What was changed is changed back, what was added is deleted, the outputs stay."""
    aws.deploy(APP, "CREATE")
    before = aws.stack()
    template = changed(
        Queue={"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 60}},
        Topic={"Type": "AWS::SNS::Topic"},
        Zone={
            "Type": "AWS::S3::Bucket",
            "DependsOn": ["Topic", "Queue"],
            "Properties": {"BucketName": "dev-artifacts"},
        },
    )
    assert aws.deploy(template) == "UPDATE_ROLLBACK_COMPLETE"
    assert ("Topic", "DELETE_COMPLETE", "") in aws.told()
    assert aws.stack()["Outputs"] == before["Outputs"]
    assert aws.plan(APP)["Status"] == "FAILED"


def test_what_was_kept_is_rolled_back(aws: Aws) -> None:
    """RollbackStack undoes a failed creation or update that was kept, and nothing else."""
    api = aws.cloudformation
    aws.deploy(APP, "CREATE")
    assert refusal(api.rollback_stack, StackName="app")[0] == "ValidationError"
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 60}}
    assert aws.deploy(changed(Queue=queue, Taken=TAKEN), keep=True) == "UPDATE_FAILED"
    api.rollback_stack(StackName="app", ClientRequestToken="back")
    assert aws.stack()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert aws.plan(APP)["Status"] == "FAILED"
    api.delete_stack(StackName="app")
    assert aws.deploy(changed(Taken=TAKEN), "CREATE", keep=True) == "CREATE_FAILED"
    api.rollback_stack(StackName="app", ClientRequestToken="back")
    assert aws.stack()["StackStatus"] == "ROLLBACK_COMPLETE"


def test_what_was_kept_is_repaired(aws: Aws) -> None:
    """After a failed creation that was kept, the next change set makes what is missing."""
    assert aws.deploy(changed(Taken=TAKEN), "CREATE", keep=True) == "CREATE_FAILED"
    made = aws.plan(changed(Taken=TAKEN))
    assert made["Status"] == "CREATE_COMPLETE"
    assert [
        (one["ResourceChange"]["Action"], one["ResourceChange"]["LogicalResourceId"])
        for one in made["Changes"]
    ] == [("Add", "Taken")]
    repaired = {**TAKEN, "Properties": {"BucketName": "dev-other"}}
    assert aws.deploy(changed(Taken=repaired)) == "UPDATE_COMPLETE"
    assert ("Taken", "CREATE_COMPLETE", "") in aws.told()


def test_protection_and_policy(aws: Aws) -> None:
    """A protected stack is not deleted; a policy is kept."""
    aws.deploy(APP, "CREATE")
    api = aws.cloudformation
    api.update_termination_protection(StackName="app", EnableTerminationProtection=True)
    code, message = refusal(api.delete_stack, StackName="app")
    assert (code, "TerminationProtection is enabled" in message) == ("ValidationError", True)
    api.update_termination_protection(StackName="app", EnableTerminationProtection=False)
    api.set_stack_policy(StackName="app", StackPolicyBody='{"Statement": []}')
    assert api.get_stack_policy(StackName="app")["StackPolicyBody"] == '{"Statement": []}'


def test_a_deletion(aws: Aws) -> None:
    """A bucket that holds something fails it and can be retained; then the stack is gone by name
    and found by ARN."""
    aws.deploy(APP, "CREATE")
    stack = aws.stack()
    aws.s3.put_object(Bucket=stack["Outputs"][0]["OutputValue"], Key="k", Body=b"x")
    api = aws.cloudformation
    assert refusal(api.delete_stack, StackName="app", RetainResources=["Bucket"])[0] == (
        "ValidationError"
    )
    api.delete_stack(StackName="app", ClientRequestToken="gone")
    assert aws.stack()["StackStatus"] == "DELETE_FAILED"
    api.delete_stack(StackName="app", RetainResources=["Bucket"])
    assert refusal(api.describe_stacks, StackName="app") == (
        "ValidationError",
        "Stack with id app does not exist",
    )
    assert aws.stack(stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    api.delete_stack(StackName="app")


def test_a_stack_in_review(aws: Aws) -> None:
    """A second change set of a new stack is one of the same stack, UPDATE is refused, and the empty
    stack can be deleted."""
    first = aws.plan(APP, "CREATE")
    api = aws.cloudformation
    again = {"StackName": "app", "TemplateBody": json.dumps(changed(Setting=None))}
    parameters = [{"ParameterKey": "Password", "ParameterValue": "x"}]
    second = api.create_change_set(
        ChangeSetName="second", ChangeSetType="CREATE", Parameters=parameters, **again
    )
    assert second["StackId"] == first["StackId"]
    assert (
        refusal(api.create_change_set, ChangeSetName="third", ChangeSetType="UPDATE", **again)[1]
        == "Stack [app] does not exist"
    )
    api.delete_stack(StackName="app")
    assert refusal(api.describe_stacks, StackName="app")[0] == "ValidationError"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        pytest.param(
            {"Resources": {"A": {"Type": "AWS::Foo::Bar"}}},
            "The sandbox cannot make A, which is AWS::Foo::Bar.",
            id="type",
        ),
        pytest.param(
            {"Resources": {"A": {"Type": "AWS::CloudFormation::Stack"}}},
            "The sandbox has no nested stacks.",
            id="nested",
        ),
        pytest.param(
            {"Transform": "AWS::Serverless-2016-10-31", **APP},
            "The sandbox has no template transforms.",
            id="transform",
        ),
    ],
)
def test_what_it_cannot_do(aws: Aws, template: Mapping[str, Any], message: str) -> None:
    """What moto would pass over in silence is refused, and no stack is left."""
    api = aws.cloudformation
    assert refusal(
        api.create_change_set,
        StackName="app",
        ChangeSetName="c",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps(template),
    ) == ("NotImplemented", message)
    assert refusal(api.describe_stacks, StackName="app")[0] == "ValidationError"


def test_other_operations_are_refused(aws: Aws) -> None:
    """An operation that nobody has is an answer, in AWS's language."""
    assert refusal(aws.cloudformation.list_types)[0] == "NotImplemented"


def test_a_template_in_the_bucket(aws: Aws) -> None:
    """A template that was put into dev-artifacts is found there, and its capabilities are said."""
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"RoleName": "app", "AssumeRolePolicyDocument": {}},
    }
    aws.s3.put_object(Bucket="dev-artifacts", Key="a/t.json", Body=json.dumps(changed(Role=role)))
    url = "https://dev-artifacts.s3.us-east-1.amazonaws.com/a/t.json"
    found = aws.cloudformation.get_template_summary(TemplateURL=url)
    assert found["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    assert {one["ParameterKey"]: one["NoEcho"] for one in found["Parameters"]} == {
        "Stage": False,
        "Password": True,
    }
    code, message = refusal(
        aws.cloudformation.create_change_set,
        StackName="app",
        ChangeSetName="c",
        ChangeSetType="CREATE",
        TemplateURL=url,
        Parameters=[{"ParameterKey": "Password", "ParameterValue": "x"}],
    )
    assert (code, message) == (
        "InsufficientCapabilitiesException",
        "Requires capabilities : [CAPABILITY_NAMED_IAM]",
    )
    missing = url.replace("t.json", "none")
    assert refusal(aws.cloudformation.get_template_summary, TemplateURL=missing)[1].startswith(
        "S3 error:"
    )


def role_template(**properties: Any) -> str:
    """A template with one role of a name."""
    body = {"RoleName": "Deploy", "AssumeRolePolicyDocument": {}, "Path": {"Ref": "Path"}}
    role = {"Type": "AWS::IAM::Role", "Properties": body | properties}
    parameter = {"Type": "String", "Default": "/"}
    return json.dumps({"Parameters": {"Path": parameter}, "Resources": {"Role": role}})


NAMED = {"StackSetName": "roles", "Capabilities": ["CAPABILITY_NAMED_IAM"]}
TWO = {"StackSetName": "roles", "Accounts": ["222222222222", "333333333333"]}


def results(aws: Aws, operation: Mapping[str, Any]) -> dict[str, str]:
    """The status of an operation in each account."""
    found = aws.cloudformation.list_stack_set_operation_results(
        StackSetName="roles", OperationId=operation["OperationId"]
    )["Summaries"]
    return {one["Account"]: one["Status"] for one in found}


def test_a_stack_set(aws: Aws) -> None:
    """Instances are stacks that really change with the set, and go with it; operations have the id
    that was asked for."""
    api, regions = aws.cloudformation, {"Regions": ["us-east-1"]}
    api.create_stack_set(TemplateBody=role_template(), **NAMED)
    path = [{"ParameterKey": "Path", "ParameterValue": "/team/"}]
    made = api.create_stack_instances(
        **TWO, **regions, OperationId="ours-1", ParameterOverrides=path
    )
    assert made["OperationId"] == "ours-1"
    assert results(aws, made) == {"222222222222": "SUCCEEDED", "333333333333": "SUCCEEDED"}
    instance = api.describe_stack_instance(
        StackSetName="roles",
        StackInstanceAccount="222222222222",
        StackInstanceRegion="us-east-1",
    )["StackInstance"]
    assert instance["ParameterOverrides"] == path
    done = api.update_stack_set(TemplateBody=role_template(Description="ours"), **NAMED)
    assert set(results(aws, done).values()) == {"SUCCEEDED"}
    from moto.iam.models import iam_backends

    assert iam_backends["222222222222"]["aws"].get_role("Deploy").description == "ours"
    api.delete_stack_instances(**TWO, **regions, RetainStacks=False)
    assert not api.list_stack_instances(StackSetName="roles")["Summaries"]
    api.delete_stack_set(StackSetName="roles")


def test_a_stack_set_that_fails_in_one_account(aws: Aws) -> None:
    """A role that is there already fails its account, with the reason, and no other one."""
    api = aws.cloudformation
    template = role_template(RoleName="ProdDeployRole")
    api.create_stack_set(TemplateBody=template, **NAMED)
    made = api.create_stack_instances(**TWO, Regions=["us-east-1"])
    assert results(aws, made) == {"222222222222": "SUCCEEDED", "333333333333": "FAILED"}
    status = api.describe_stack_set_operation(
        StackSetName="roles", OperationId=made["OperationId"]
    )["StackSetOperation"]["Status"]
    assert status == "FAILED"
    instances = api.list_stack_instances(StackSetName="roles")["Summaries"]
    assert [one["Account"] for one in instances] == ["222222222222"]


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"RetainStacks": True, "Accounts": ["222222222222"]}, id="retain"),
        pytest.param(
            {
                "RetainStacks": False,
                "DeploymentTargets": {"OrganizationalUnitIds": ["ou-abcd-12345678"]},
            },
            id="unit",
        ),
    ],
)
def test_what_it_cannot_do_with_stack_sets(aws: Aws, more: Mapping[str, Any]) -> None:
    """What moto would pass over in silence is refused."""
    api = aws.cloudformation
    api.create_stack_set(TemplateBody=role_template(), **NAMED)
    code, _ = refusal(
        api.delete_stack_instances, StackSetName="roles", Regions=["us-east-1"], **more
    )
    assert code == "NotImplemented"
