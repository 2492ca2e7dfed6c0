"""AwsPort.call with an AWS that is none of ours: moto."""

from __future__ import annotations

import json

import pytest

from calamari_py.aws import AwsSettings, BotoAws, Pace
from calamari_py.errors import CloudError
from calamari_py.identity import AwsCredentials, RoleArn, RoleRequest
from calamari_py.masking import SecretRegistry
from calamari_py.sandbox import Sandbox

BUCKET = "templates-of-a-step"
KEY = "calamari/templates/a b+c.json"
TEMPLATE = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})


PATIENT = Pace(budget=0.0, read_timeout=60.0)
"""The sandbox loads a service when it is first asked for."""


@pytest.mark.sandbox
def test_a_template_is_stored_and_a_stack_made_of_it() -> None:
    """HEAD finds nothing, then what was put; the stack is not there, then it is."""
    with Sandbox() as sandbox:
        settings = AwsSettings.from_environ(sandbox.environment, region="us-east-1")
        aws = BotoAws(settings, SecretRegistry(), sandbox.environment, pace=PATIENT)
        keys = step_keys(aws, sandbox)
        aws.call(keys, "s3", "CreateBucket", {"Bucket": BUCKET})
        where = {"Bucket": BUCKET, "Key": KEY}
        assert code_of(aws, keys, "s3", "HeadObject", where) == "NotFound"
        aws.call(keys, "s3", "PutObject", {**where, "Body": TEMPLATE.encode()})
        found = aws.call(keys, "s3", "HeadObject", where)
        assert found["ContentLength"] == len(TEMPLATE)
        assert aws.call(keys, "s3", "GetObject", where)["Body"] == TEMPLATE.encode()

        stack = {"StackName": "app"}
        assert code_of(aws, keys, "cloudformation", "DescribeStacks", stack) == "ValidationError"
        created = aws.call(
            keys, "cloudformation", "CreateStack", {**stack, "TemplateBody": TEMPLATE}
        )
        (described,) = aws.call(keys, "cloudformation", "DescribeStacks", stack)["Stacks"]
        assert described["StackId"] == created["StackId"]
        assert described["CreationTime"].utcoffset().total_seconds() == 0


def step_keys(aws: BotoAws, sandbox: Sandbox) -> AwsCredentials:
    """Those of a role that may do all this."""
    role = RoleArn.parse("arn:aws:iam::111111111111:role/DevDeployRole")
    request = RoleRequest(role=role, session_name="step")
    return aws.assume_role(sandbox.launcher.credentials, request).credentials


def code_of(
    aws: BotoAws, keys: AwsCredentials, service: str, operation: str, params: dict[str, str]
) -> str:
    """What the call is refused with."""
    with pytest.raises(CloudError) as caught:
        aws.call(keys, service, operation, params)
    return caught.value.code
