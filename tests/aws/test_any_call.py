"""AwsPort.call: every protocol of AWS's, spoken to a server of our own with botocore's parts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from botocore.session import Session

from calamari_py.aws import AwsSettings
from calamari_py.aws.failures import Call
from calamari_py.aws.wire import Wire
from calamari_py.errors import Temporary
from tests.aws.aws_world import request
from tests.aws.recorder import KEYS, SECRET_KEY, Recorder, refused

CFN = 'xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"'
SESSION = "arn:aws:sts::111111111111:assumed-role/DevDeployRole/step"
STACK = "arn:aws:cloudformation:eu-west-1:111111111111:stack/app/1"
EVENTS = (
    f"<DescribeStackEventsResponse {CFN}><DescribeStackEventsResult><StackEvents><member>"
    "<EventId>e-1</EventId><Timestamp>{time}</Timestamp></member></StackEvents>"
    "</DescribeStackEventsResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>"
    "</DescribeStackEventsResponse>"
)
DELETED = f"<DeleteStackResponse {CFN}></DeleteStackResponse>"
PAGE = "<html><head/><body>Sign in to the network</body></html>"


def fault(code: str, message: str = "no") -> str:
    """An error of a service that is spoken to in forms."""
    return (
        f"<ErrorResponse {CFN}><Error><Type>Sender</Type><Code>{code}</Code>"
        f"<Message>{message}</Message></Error><RequestId>r-2</RequestId></ErrorResponse>"
    )


PROTOCOLS = [
    pytest.param(
        "cloudformation",
        "DescribeStacks",
        {"StackName": STACK},
        f"<DescribeStacksResponse {CFN}><DescribeStacksResult><Stacks><member><StackName>app"
        "</StackName></member></Stacks></DescribeStacksResult></DescribeStacksResponse>",
        {"Stacks": [{"StackName": "app"}]},
        ("POST", "/"),
        ("eu-west-1", "cloudformation"),
        id="query",
    ),
    pytest.param(
        "eks",
        "DescribeCluster",
        {"name": "one two"},
        '{"cluster": {"name": "one two", "createdAt": 1772357400.5}}',
        {
            "cluster": {
                "name": "one two",
                "createdAt": datetime(2026, 3, 1, 9, 30, 0, 500_000, tzinfo=UTC),
            }
        },
        ("GET", "/clusters/one%20two"),
        ("eu-west-1", "eks"),
        id="rest-json",
    ),
    pytest.param(
        "organizations",
        "DescribeOrganization",
        {},
        '{"Organization": {"Id": "o-1"}}',
        {"Organization": {"Id": "o-1"}},
        ("POST", "/"),
        ("us-east-1", "organizations"),
        id="json, of a global service",
    ),
    pytest.param(
        "s3",
        "ListObjectsV2",
        {"Bucket": "my-bucket", "Prefix": "a b/+"},
        "<ListBucketResult><Name>my-bucket</Name><KeyCount>0</KeyCount></ListBucketResult>",
        {"Name": "my-bucket", "KeyCount": 0},
        ("GET", "/my-bucket?list-type=2&prefix=a%20b%2F%2B"),
        ("eu-west-1", "s3"),
        id="rest-xml",
    ),
]


@pytest.mark.parametrize(
    ("service", "operation", "params", "body", "fields", "line", "scope"), PROTOCOLS
)
def test_every_protocol_is_spoken(
    recorder: Recorder,
    service: str,
    operation: str,
    params: Mapping[str, Any],
    body: str,
    fields: Mapping[str, Any],
    line: tuple[str, str],
    scope: tuple[str, str],
) -> None:
    """The request is AWS's, its signature right, the answer's fields are botocore's."""
    recorder.say(body)
    assert recorder.aws().call(KEYS, service, operation, params) == fields
    (asked,) = recorder.asked
    assert (asked.method, asked.path) == line
    assert asked.signed_for == scope


def test_forms_hold_lists_as_aws_numbers_them(recorder: Recorder) -> None:
    """What botocore's serializer makes of nested parameters, in the body and not in the URL."""
    recorder.say(
        f"<CreateChangeSetResponse {CFN}><CreateChangeSetResult><Id>cs-1</Id>"
        "</CreateChangeSetResult></CreateChangeSetResponse>"
    )
    params = {
        "StackName": "app",
        "ChangeSetName": "calamari-1",
        "Parameters": [{"ParameterKey": "Stage", "ParameterValue": "dev & ü"}],
        "Capabilities": ["CAPABILITY_IAM"],
        "IncludeNestedStacks": True,
    }
    recorder.aws().call(KEYS, "cloudformation", "CreateChangeSet", params)
    form = parse_qs(recorder.asked[0].body.decode())
    assert form["Parameters.member.1.ParameterValue"] == ["dev & ü"]
    assert form["Capabilities.member.1"] == ["CAPABILITY_IAM"]
    assert form["IncludeNestedStacks"] == ["true"]


@pytest.mark.parametrize(
    ("written", "micro"),
    [
        pytest.param("2026-03-01T09:30:00.123Z", 123_000, id="UTC"),
        pytest.param("2026-03-01T11:30:00+02:00", 0, id="another zone"),
        pytest.param("2026-03-01T09:30:00", 0, id="no zone"),
    ],
)
def test_times_are_in_utc(recorder: Recorder, written: str, micro: int) -> None:
    """However AWS writes them: they are compared with each other."""
    recorder.say(EVENTS.format(time=written))
    answer = recorder.aws().call(KEYS, "cloudformation", "DescribeStackEvents", {"StackName": "a"})
    found = answer["StackEvents"][0]["Timestamp"]
    assert found == datetime(2026, 3, 1, 9, 30, 0, micro, tzinfo=UTC)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "size", [pytest.param(5 * 2**20, id="five MiB"), pytest.param(8 * 2**20 - 512, id="eight")]
)
def test_a_long_answer_of_cloudformation_is_read_whole(recorder: Recorder, size: int) -> None:
    """Pages of events and templates are longer than what the services of identity send."""
    begin = f"<GetTemplateResponse {CFN}><GetTemplateResult><TemplateBody>"
    recorder.say(f"{begin}{'x' * size}</TemplateBody></GetTemplateResult></GetTemplateResponse>")
    answer = recorder.aws().call(KEYS, "cloudformation", "GetTemplate", {"StackName": "app"})
    assert len(answer["TemplateBody"]) == size


def test_no_answer_is_read_without_an_end(recorder: Recorder) -> None:
    """Nine MiB are no page."""
    recorder.say("x" * (9 * 2**20))
    with pytest.raises(Temporary, match="more than 8192 KiB came back"):
        recorder.aws(budget=0.0).call(KEYS, "cloudformation", "GetTemplate", {"StackName": "app"})


@pytest.mark.parametrize(
    ("service", "operation", "params", "body"),
    [
        pytest.param("cloudformation", "DeleteStack", {"StackName": "a"}, PAGE, id="query"),
        pytest.param("cloudformation", "DeleteStack", {"StackName": "a"}, "", id="nothing"),
        pytest.param(
            "cloudformation",
            "DeleteStack",
            {"StackName": "a"},
            EVENTS.format(time=0),
            id="another answer",
        ),
        pytest.param("organizations", "ListRoots", {}, PAGE, id="json"),
        pytest.param("eks", "ListClusters", {}, "[]", id="rest-json"),
    ],
)
def test_a_page_of_somebody_else_is_no_success(
    recorder: Recorder, service: str, operation: str, params: Mapping[str, Any], body: str
) -> None:
    """A proxy's page says neither that a stack is deleted nor that there is nothing."""
    recorder.say(body)
    error = refused(recorder, service, operation, **params)
    assert error.code == "UnexpectedAnswer"
    assert error.hint is not None
    assert f"AWS_ENDPOINT_URL_{service.upper()}" in error.hint


def test_a_success_without_fields_is_one(recorder: Recorder) -> None:
    """DeleteStack answers nothing but that it has begun."""
    recorder.say(DELETED)
    assert recorder.aws().call(KEYS, "cloudformation", "DeleteStack", {"StackName": "a"}) == {}


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        pytest.param(400, "Throttling", "Rate exceeded", id="Throttling"),
        pytest.param(400, "RequestLimitExceeded", "later", id="RequestLimitExceeded"),
        pytest.param(400, "ValidationError", "Rate exceeded", id="Rate exceeded"),
        pytest.param(503, "ServiceUnavailable", "later", id="503"),
    ],
)
def test_throttling_is_waited_for(recorder: Recorder, status: int, code: str, message: str) -> None:
    """Once more, after a pause, and it is done."""
    recorder.say(fault(code, message), status)
    recorder.say(DELETED)
    recorder.aws().call(KEYS, "cloudformation", "DeleteStack", {"StackName": "a"})
    assert len(recorder.asked) == 2
    assert len(recorder.time.slept) == 1


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        pytest.param("LimitExceededException", "quota", id="a quota"),
        pytest.param("LimitExceeded", "quota", id="a quota's other name"),
        pytest.param("OperationInProgressException", "another operation", id="others at work"),
        pytest.param("InsufficientCapabilitiesException", "'capabilities'", id="capabilities"),
        pytest.param("ValidationError", "correct what the message names", id="validation"),
        pytest.param("ExpiredToken", "credentials have expired", id="expired"),
        pytest.param("TokenAlreadyExistsException", "documentation", id="unknown to us"),
    ],
)
def test_what_waiting_does_not_cure_is_said_at_once(
    recorder: Recorder, code: str, hint: str
) -> None:
    """With a hint that fits a step and not the way to its role."""
    recorder.say(fault(code), 400)
    error = refused(recorder, "cloudformation", "CreateChangeSet", StackName="a", ChangeSetName="c")
    assert (error.code, error.service, error.operation) == (
        code,
        "cloudformation",
        "CreateChangeSet",
    )
    assert error.request_id == "r-2"
    assert error.message.startswith("cloudformation:CreateChangeSet for a thing was refused")
    assert hint in (error.hint or "")
    assert "assume_role" not in (error.hint or "")
    assert len(recorder.asked) == 1


WHO = "User: arn:aws:sts::111111111111:assumed-role/Deploy/s is not authorized to perform: "


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        pytest.param(
            f"{WHO}cloudformation:CreateChangeSet on resource: {STACK} because no identity-based "
            "policy allows the cloudformation:CreateChangeSet action",
            f"allow 'cloudformation:CreateChangeSet' on '{STACK}' in the identity-based policy",
            id="no policy allows it",
        ),
        pytest.param(
            f"{WHO}iam:PassRole on resource: arn:aws:iam::111111111111:role/cfn because no "
            "permissions boundary allows the iam:PassRole action",
            "allow 'iam:PassRole' on 'arn:aws:iam::111111111111:role/cfn' in the permissions "
            "boundary",
            id="another action than was called",
        ),
        pytest.param(
            f"{WHO}cloudformation:CreateChangeSet on resource: {STACK} with an explicit deny in a "
            "service control policy",
            f"'cloudformation:CreateChangeSet' on '{STACK}' is denied in so many words: change the "
            "service control policy that does it",
            id="denied",
        ),
        pytest.param(
            "Access Denied",
            "allow 'cloudformation:CreateChangeSet' in the policies of the role that asks",
            id="no word of an action",
        ),
    ],
)
def test_a_denial_names_what_is_missing(recorder: Recorder, message: str, hint: str) -> None:
    """The action and the resource, from AWS's own sentence as far as it has them."""
    recorder.say(fault("AccessDenied", message), 403)
    error = refused(recorder, "cloudformation", "CreateChangeSet", StackName="a", ChangeSetName="c")
    assert error.code == "AccessDenied"
    assert error.hint == hint


def test_an_encoded_denial_is_kept_for_who_can_decode_it(recorder: Recorder) -> None:
    """Whole, beside the message and not in it."""
    blob = "Ab-_" * 150
    recorder.say(fault("AccessDenied", f"no. Encoded authorization failure message: {blob}"), 403)
    error = refused(recorder, "cloudformation", "DeleteStack", StackName="a")
    assert error.encoded == blob
    assert blob not in error.message
    recorder.say(fault("AccessDenied", "no"), 403)
    recorder.forget()
    assert refused(recorder, "cloudformation", "DeleteStack", StackName="a").encoded is None


def test_a_repetition_is_no_encoded_denial(recorder: Recorder) -> None:
    """A server that says what it was told gives nothing to decode."""
    recorder.say(fault("AccessDenied", "Encoded authorization failure message: pa55word-db"), 403)
    parameters = [{"ParameterKey": "Db", "ParameterValue": "pa55word-db"}]
    error = refused(
        recorder,
        "cloudformation",
        "CreateChangeSet",
        StackName="a",
        ChangeSetName="c",
        Parameters=parameters,
    )
    assert error.encoded is None


@pytest.mark.parametrize(
    ("value", "message", "shown"),
    [
        pytest.param("pa55word", "value pa55word is odd", "value *** is odd", id="its own word"),
        pytest.param("pa55word", "value 'pa55word'.", "value '***'", id="in quotes"),
        pytest.param("prod", "prod-eu is odd, prod is", "prod-eu is odd, *** is", id="other words"),
        pytest.param("app", "stack app, value app", "stack app, value app", id="short"),
        pytest.param("payments", "stack payments", "stack payments", id="also the stack's name"),
        pytest.param(
            "long",
            "1 error: Value 'of (an) odd' at 'parameters.1.member.parameterValue' failed",
            "1 error: the value at 'parameters.1.member.parameterValue' failed",
            id="repeated otherwise",
        ),
        pytest.param(
            "long",
            "2 errors: Value 'a' at 'x' failed; Value 'b' at 'templateBody' failed",
            "2 errors: Value 'a' at 'x' failed; the value at 'templateBody' failed",
            id="of several",
        ),
    ],
)
def test_values_of_parameters_stay_out_of_messages(
    recorder: Recorder, value: str, message: str, shown: str
) -> None:
    """Whether they are secrets is the user's to know; what is short or said anyway is kept."""
    recorder.say(fault("ValidationError", message), 400)
    error = refused(
        recorder,
        "cloudformation",
        "CreateChangeSet",
        StackName="payments",
        ChangeSetName="c",
        Parameters=[{"ParameterKey": "Db", "ParameterValue": value}],
    )
    assert error.message.endswith(f"(ValidationError): {shown}")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(5555555, id="number"),
        pytest.param(["55555, type: <class 'int'>, 55555"], id="list"),
        pytest.param({"x": "5\n55555"}, id="map"),
    ],
)
def test_a_value_of_the_wrong_type_is_not_repeated(recorder: Recorder, value: object) -> None:
    """Not even when it never leaves this machine."""
    error = refused(
        recorder,
        "cloudformation",
        "CreateChangeSet",
        StackName="app",
        ChangeSetName="c",
        Parameters=[{"ParameterKey": "Db", "ParameterValue": value}],
    )
    assert error.code == "InvalidParameters"
    assert "ParameterValue" in error.message
    assert "55555" not in error.message
    assert recorder.asked == []


@pytest.mark.parametrize(
    "code", ["InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException"]
)
def test_a_role_of_a_second_ago_is_given_a_moment(recorder: Recorder, code: str) -> None:
    """No service may know its key yet, and each says so in its own way."""
    expires = "<Expiration>2099-01-01T00:00:00Z</Expiration>"
    recorder.say(
        f"<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><Arn>{SESSION}</Arn>"
        f"</AssumedRoleUser><Credentials><AccessKeyId>{KEYS.access_key_id}</AccessKeyId>"
        f"<SecretAccessKey>{SECRET_KEY}</SecretAccessKey><SessionToken>step-token</SessionToken>"
        f"{expires}</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
    aws = recorder.aws()
    fresh = aws.assume_role(KEYS, request()).credentials
    recorder.say(fault(code), 403)
    recorder.say(DELETED)
    recorder.forget()
    assert aws.call(fresh, "cloudformation", "DeleteStack", {"StackName": "a"}) == {}
    assert len(recorder.time.slept) == 1


def test_a_clock_that_is_right_is_not_warned_of(recorder: Recorder) -> None:
    """An expired request is signed anew once; there is nothing to correct."""
    recorder.say(fault("RequestExpired"), 400)
    recorder.say(DELETED)
    aws = recorder.aws()
    aws.call(KEYS, "cloudformation", "DeleteStack", {"StackName": "a"})
    assert aws.take_warnings() == ()


def test_the_budget_is_the_callers(recorder: Recorder) -> None:
    """Whoever polls decides how long one call may take."""
    recorder.say(fault("Throttling", "Rate exceeded"), 400)
    with pytest.raises(Temporary, match="Rate exceeded") as caught:
        recorder.aws().call(
            KEYS, "cloudformation", "DescribeStacks", {"StackName": "a"}, budget=3.0
        )
    assert recorder.time.now <= 3
    assert caught.value.code == "Throttling"


@pytest.mark.parametrize(
    ("service", "operation", "status", "headers", "body", "code"),
    [
        pytest.param(
            "organizations",
            "ListRoots",
            400,
            {},
            {"__type": "com.amazonaws#AccessDeniedException", "message": "no"},
            "AccessDeniedException",
            id="json",
        ),
        pytest.param(
            "eks",
            "ListClusters",
            403,
            {"x-amzn-errortype": "AccessDeniedException:http://internal.amazon.com/"},
            {"message": "no"},
            "AccessDeniedException",
            id="rest-json",
        ),
    ],
)
def test_json_errors_have_their_code(
    recorder: Recorder,
    service: str,
    operation: str,
    status: int,
    headers: dict[str, str],
    body: dict[str, str],
    code: str,
) -> None:
    """Without what AWS puts around it, from the body or a header."""
    recorder.say(json.dumps(body), status, headers)
    error = refused(recorder, service, operation)
    assert error.code == code
    assert error.hint == f"allow '{service}:{operation}' in the policies of the role that asks"


@pytest.mark.parametrize(
    ("service", "operation", "method", "params"),
    [
        pytest.param(
            "cloudformation",
            "CreateChangeSet",
            "create_change_set",
            {"StackName": "a", "ChangeSetName": "c", "Tags": [{"Key": "k", "Value": "ü &"}]},
            id="query",
        ),
        pytest.param(
            "s3",
            "HeadObject",
            "head_object",
            {"Bucket": "my-bucket", "Key": "a//b c+ü%~", "ExpectedBucketOwner": "111111111111"},
            id="a bucket's own host",
        ),
        pytest.param(
            "s3", "HeadObject", "head_object", {"Bucket": "my.bucket", "Key": "k"}, id="dots"
        ),
        pytest.param("eks", "DescribeCluster", "describe_cluster", {"name": "a b"}, id="rest-json"),
    ],
)
def test_what_botocores_client_sends_is_what_we_send(
    service: str, operation: str, method: str, params: dict[str, Any]
) -> None:
    """URL, body and signature, to the last digit."""
    sent: list[Any] = []

    def keep(request: Any, **_: object) -> None:
        sent.append(request)
        raise KeyboardInterrupt

    token = KEYS.session_token.reveal() if KEYS.session_token else None
    client = Session().create_client(
        service,
        region_name="eu-west-1",
        aws_access_key_id=KEYS.access_key_id,
        aws_secret_access_key=SECRET_KEY,
        aws_session_token=token,
    )
    client.meta.events.register("before-send", keep)
    with pytest.raises(KeyboardInterrupt):
        getattr(client, method)(**params)
    theirs = sent[0]
    stamp = theirs.headers["X-Amz-Date"]
    now = datetime.strptime(stamp.decode(), "%Y%m%dT%H%M%S%z")
    wire = Wire(AwsSettings.from_environ({}, region="eu-west-1"), {}, lambda: now, (5, 10))
    call = Call(service=service, operation=operation, params=params, credentials=KEYS)
    ours = wire.prepare(call)
    assert (ours.method, ours.url) == (theirs.method, theirs.url)
    assert (ours.body or None) == theirs.body
    assert ours.headers["Authorization"] == theirs.headers["Authorization"].decode()
