"""What the sandbox refuses of sessions: tags, source identities and policies, in AWS's words."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from calamari_py.aws import AwsSettings, BotoAws
from calamari_py.errors import CloudError
from calamari_py.identity import RoleArn, RoleRequest
from calamari_py.masking import SecretRegistry
from calamari_py.sandbox import Sandbox
from calamari_py.sandbox.refusal import Caller, Role, access_refusal, input_refusal

CALLER = Caller(arn="arn:aws:iam::123456789012:user/launcher", account="123456789012")
ROLE = "arn:aws:iam::111111111111:role/DevDeployRole"
FORM = {"RoleArn": ROLE, "RoleSessionName": "step"}
TAG = {"Tags.member.1.Key": "Project", "Tags.member.1.Value": "payments"}


def role(*actions: str) -> Role:
    """A role whose trust policy allows everybody these actions."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": list(actions)}
    return Role(trust_policy=json.dumps({"Statement": [statement]}), longest=3600)


@pytest.mark.parametrize(
    ("form", "action"),
    [
        pytest.param(TAG, "sts:TagSession", id="tags"),
        pytest.param({"SourceIdentity": "me"}, "sts:SetSourceIdentity", id="source identity"),
    ],
)
def test_trust_must_allow_what_a_session_carries(form: dict[str, str], action: str) -> None:
    """The denial names the action that the trust policy lacks; with it nothing is refused."""
    refused = access_refusal(FORM | form, CALLER, role("sts:AssumeRole"))
    assert refused is not None
    assert refused.code == "AccessDenied"
    assert f"not authorized to perform: {action} on resource: {ROLE}" in refused.message
    assert access_refusal(FORM | form, CALLER, role("sts:AssumeRole", action)) is None


@pytest.mark.parametrize(
    ("form", "code"),
    [
        pytest.param({"Policy": "{nope"}, "MalformedPolicyDocument", id="no JSON"),
        pytest.param({"Policy": "[]"}, "MalformedPolicyDocument", id="no object"),
        pytest.param(
            TAG | {"Tags.member.2.Key": "project", "Tags.member.2.Value": "x"},
            "InvalidParameterValue",
            id="one key twice",
        ),
        pytest.param(
            {f"Tags.member.{number}.Key": f"k{number}" for number in range(1, 52)},
            "ValidationError",
            id="51 tags",
        ),
        pytest.param(TAG | {"Policy": "{}"}, None, id="valid"),
    ],
)
def test_values_are_checked(form: dict[str, str], code: str | None) -> None:
    """What STS refuses whoever asks."""
    refused = input_refusal(FORM | form)
    assert (refused and refused.code) == code


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.mark.sandbox
def test_a_deployment_role_takes_what_a_step_passes(sandbox: Sandbox) -> None:
    """Default tags cost no warning, the trust policy can be read, and there is no console."""
    environ = dict(sandbox.environment)
    settings = AwsSettings.from_environ(environ, region="us-east-1")
    aws = BotoAws(settings, SecretRegistry(), environ)
    request = RoleRequest(
        role=RoleArn.parse(ROLE),
        session_name="step",
        default_tags={"Project": "payments"},
        source_identity="release-1",
    )
    assumed = aws.assume_role(sandbox.launcher.credentials, request)
    assert assumed.warnings == ()
    document = aws.trust_policy(assumed.credentials, RoleArn.parse(ROLE))
    assert "sts:TagSession" in document["Statement"][0]["Action"]
    with pytest.raises(CloudError, match="sandbox has no console") as caught:
        aws.sign_in_url(assumed.credentials)
    assert "--sandbox" in (caught.value.hint or "")
