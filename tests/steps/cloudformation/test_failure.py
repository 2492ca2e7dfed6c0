"""A failure, told from its cause."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from calamari_py.errors import CloudError, StackFailed
from calamari_py.steps.cloudformation.failures.denials import read_denial
from calamari_py.steps.cloudformation.failures.failure import stack_failed
from calamari_py.steps.cloudformation.following.operation import Finished, Verb
from calamari_py.steps.cloudformation.service.api import StackApi
from calamari_py.steps.cloudformation.values import Stack, StackEvent
from calamari_py.steps.cloudformation.work import Deadline, Work
from tests.fake_cloudformation import FakeCloudFormation
from tests.steps.cloudformation.told import TOKEN, arn_of, below, resource, stack
from tests.steps.cloudformation.world import StackWorld
from tests.steps.report import Report

PASSWORD = "The parameter MasterUserPassword is not a valid password. (Service: Rds, 400)"
CONSOLE = (
    "https://eu-west-1.console.aws.amazon.com/cloudformation/home?region=eu-west-1#/stacks/events"
    "?stackId=arn%3Aaws%3Acloudformation%3Aeu-west-1%3A111111111111%3Astack%2Fmy-app%2F1b2c"
)
ENCODED = "6h34Gt_" + "aB9-" * 200
DECODED = json.dumps(
    {
        "allowed": False,
        "explicitDeny": False,
        "matchedStatements": {"items": []},
        "context": {
            "principal": {"id": "AROA:x", "arn": "arn:aws:sts::1:assumed-role/Deploy/x"},
            "action": "ec2:RunInstances",
            "resource": "arn:aws:ec2:eu-west-1:1:instance/*",
            "conditions": {"items": []},
        },
    }
)


class Exporting(FakeCloudFormation):
    """AWS with these exports, two a page; None: they may not be listed."""

    def __init__(self, exports: list[str] | None) -> None:
        super().__init__()
        self.exports = exports

    def call(
        self, service: str, operation: str, params: Mapping[str, Any], **more: Any
    ) -> Mapping[str, Any]:
        assert (service, operation) == ("cloudformation", "ListExports")
        if self.exports is None:
            raise CloudError("no", service=service, operation=operation, code="AccessDenied")
        begin = int(params.get("NextToken", 0))
        page: dict[str, Any] = {
            "Exports": [{"Name": name} for name in self.exports[begin : begin + 2]]
        }
        return page | ({"NextToken": str(begin + 2)} if begin + 2 < len(self.exports) else {})


@dataclass
class Failing:
    """Tells of failures. `decoded` is what AWS makes of an encoded message."""

    decoded: str | None = None
    report: Report = field(default_factory=Report)
    decodes: list[str] = field(default_factory=list)
    spec: dict[str, Any] = field(default_factory=dict)
    partition: str = "aws"
    exports: list[str] | None = None
    told: tuple[StackEvent, ...] = ()

    def decode(self, message: str) -> str | None:
        self.decodes.append(message)
        return self.decoded

    def event_pages(
        self, stack_id: str, *, path: tuple[str, ...] = ()
    ) -> Iterator[tuple[StackEvent, ...]]:
        yield tuple(reversed([event for event in self.told if event.path == path]))

    def tell(
        self,
        *events: StackEvent,
        status: str = "UPDATE_ROLLBACK_COMPLETE",
        verb: Verb = "update",
        **more: Any,
    ) -> StackFailed:
        self.told = events
        aws = Exporting(self.exports)
        aws.partition = self.partition
        world = StackWorld(aws=aws, report=self.report)
        work = Work(
            spec=replace(world.spec, **self.spec),
            api=cast("StackApi", self),
            context=world.context(),
            token=TOKEN,
            deadline=Deadline(clock=world.clock, at=None, limit=None),
        )
        found = Stack(**({"id": arn_of(), "name": "my-app", "status": status} | more))
        opening = stack(f"{verb.upper()}_IN_PROGRESS", "User Initiated")
        if verb == "rollback":
            opening = stack("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        finished = Finished(stack=found, events=(opening, *events))
        return stack_failed(work, finished, verb=verb)

    def hint(self, *events: StackEvent, **more: Any) -> str:
        return self.tell(*events, **more).hint or ""


@pytest.fixture
def failing() -> Failing:
    return Failing()


DATABASE = resource("Data/Database", "CREATE_FAILED", PASSWORD, kind="AWS::RDS::DBInstance")
QUEUE = resource("Queue", "UPDATE_FAILED", "The queue is gone", kind="AWS::SQS::Queue")
BACK = stack("UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [Data].")


# ---- what is said


def test_the_cause_is_said_first(failing: Failing) -> None:
    """What, of which type, where, and AWS's reason as a whole."""
    error = failing.tell(DATABASE, BACK)
    assert error.message == (
        f"Data/Database (AWS::RDS::DBInstance) could not be created: {PASSWORD}"
    )
    assert error.evidence[0] == "stack\tmy-app-Data-1X"
    assert (error.code, error.exit_code) == ("UPDATE_ROLLBACK_COMPLETE", 1)


def test_what_followed_and_where_the_stack_stands_is_evidence(failing: Failing) -> None:
    """In order: other causes, what was cancelled, state, console."""
    error = failing.tell(
        DATABASE,
        resource("A", "UPDATE_FAILED", "Resource update cancelled"),
        resource("B", "UPDATE_FAILED", "Resource update cancelled"),
        QUEUE,
        BACK,
    )
    assert error.evidence == (
        "stack\tmy-app-Data-1X",
        "then\tQueue (AWS::SQS::Queue) could not be updated: The queue is gone",
        "then\t2 resources cancelled",
        "state\tmy-app is UPDATE_ROLLBACK_COMPLETE: it is back where it was; nothing to clean up",
        f"console\t{CONSOLE}",
    )


def test_a_rollback_that_failed_is_told_after_its_cause(failing: Failing) -> None:
    """First what broke, then what broke on the way back."""
    error = failing.tell(DATABASE, BACK, QUEUE, status="UPDATE_ROLLBACK_FAILED")
    assert error.message.startswith("Data/Database ")
    assert error.evidence[1] == (
        "then\tthe rollback failed on Queue (AWS::SQS::Queue): The queue is gone"
    )


@pytest.mark.parametrize(
    ("event", "verb", "message"),
    [
        pytest.param(
            resource("A", "DELETE_FAILED", "in use"), "delete",
            "A (AWS::SNS::Topic) could not be deleted: in use", id="delete",
        ),
        pytest.param(
            resource("A", "IMPORT_FAILED", "not there"), "import",
            "A (AWS::SNS::Topic) could not be imported: not there", id="import",
        ),
        pytest.param(
            resource("A", "CREATE_FAILED"), "create",
            "A (AWS::SNS::Topic) could not be created, and CloudFormation gives no reason",
            id="no reason",
        ),
        pytest.param(
            stack("ROLLBACK_IN_PROGRESS", "No export named x found. Rollback requested by user."),
            "create", "stack 'my-app' could not be created: No export named x found", id="stack",
        ),
        pytest.param(
            stack("UPDATE_ROLLBACK_IN_PROGRESS", "Parameter validation failed: x", path=("Data",)),
            "update",
            "nested stack Data could not be updated: Parameter validation failed: x",
            id="nested stack",
        ),
        pytest.param(
            below("Data", "CREATE_FAILED", "Template format error: x"), "create",
            "Data (AWS::CloudFormation::Stack) could not be created: Template format error: x",
            id="the resource that is a stack",
        ),
        pytest.param(
            stack("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated", token="Console-Cancel-1"),
            "update",
            "the update of stack 'my-app' was stopped and taken back by 'Console-Cancel-1'",
            id="cancelled",
        ),
        pytest.param(
            resource("Queue", "UPDATE_FAILED", "gone"), "rollback",
            "Queue (AWS::SNS::Topic) could not be updated: gone", id="rollback",
        ),
    ],
)  # fmt: skip
def test_sentences(failing: Failing, event: StackEvent, verb: Verb, message: str) -> None:
    """Each kind of cause has its own."""
    assert failing.tell(event, verb=verb).message == message


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("Limit. Rollback requested by user.", "stack 'my-app' could not be updated: Limit"),
        (
            "",
            "stack 'my-app' could not be updated: it is ROLLBACK_FAILED, and no event says why",
        ),
    ],
)
def test_without_events_the_stack_speaks(failing: Failing, reason: str, message: str) -> None:
    """Where events may not be read."""
    assert failing.tell(reason=reason, status="ROLLBACK_FAILED").message == message
    assert failing.report.facts["first_cause"] is None


def test_long_reasons_are_kept_whole(failing: Failing) -> None:
    """A reason that is cut is a riddle."""
    reason = "x" * 5000
    assert failing.tell(resource("A", "CREATE_FAILED", reason)).message.endswith(reason)


def test_a_reason_is_one_line(failing: Failing) -> None:
    """AWS's line feeds and tabs could pass for evidence."""
    error = failing.tell(resource("A", "CREATE_FAILED", "no\nthen\tall is well\r\n"), BACK)
    assert error.message.endswith("could not be created: no then all is well")


def test_every_cause_is_in_fields_and_in_clear(failing: Failing) -> None:
    """What is denied, the other causes, and what failed on the way back; decoded as the message."""
    failing.decoded = DECODED
    denied = f"Encoded authorization failure message: {ENCODED}"
    failing.tell(resource("A", "CREATE_FAILED", denied), QUEUE, BACK, DATABASE)
    facts = failing.report.facts
    assert "ec2:RunInstances on arn:aws:ec2:" in facts["first_cause"]["reason"]
    assert ENCODED not in facts["first_cause"]["reason"]
    assert [cause["logical_id"] for cause in facts["other_causes"]] == ["Queue"]
    assert facts["rollback_cause"]["logical_id"] == "Database"
    assert facts["denied"] == {
        "who": "arn:aws:sts::1:assumed-role/Deploy/x",
        "action": "ec2:RunInstances",
        "resource": "arn:aws:ec2:eu-west-1:1:instance/*",
        "why": "no statement allows it",
    }


def test_whoever_may_not_decode_is_asked_once(failing: Failing) -> None:
    """A hundred denied resources make no hundred calls."""
    denied = f"Encoded authorization failure message: {ENCODED}"
    failing.tell(*(resource(name, "CREATE_FAILED", denied) for name in "ABC"))
    assert len(failing.decodes) == 1


def test_the_result_has_the_cause_in_fields(failing: Failing) -> None:
    """For programs."""
    failing.tell(DATABASE, resource("A", "UPDATE_FAILED", "Resource update cancelled"), BACK)
    assert failing.report.facts == {
        "first_cause": {
            "logical_id": "Database",
            "resource_type": "AWS::RDS::DBInstance",
            "stack": "my-app-Data-1X",
            "path": ["Data"],
            "status": "CREATE_FAILED",
            "reason": PASSWORD,
        },
        "other_causes": [],
        "rollback_cause": None,
        "denied": None,
        "followers": 1,
        "status": "UPDATE_ROLLBACK_COMPLETE",
        "console_url": CONSOLE,
    }


def test_no_console_row_where_there_is_no_console(failing: Failing) -> None:
    """Isolated partitions have theirs elsewhere."""
    failing.partition = "aws-iso"
    error = failing.tell(DATABASE)
    assert not [row for row in error.evidence if row.startswith("console")]
    assert failing.report.facts["console_url"] is None


# ---- what can be done


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        pytest.param(PASSWORD, "correct the secret", id="password"),
        pytest.param("No export named vpc-id found.", "exports 'vpc-id'", id="export"),
        pytest.param(
            "Export vpc-id cannot be deleted as it is in use by web and shop",
            "import 'vpc-id' have to give it up first: web and shop", id="export in use",
        ),
        pytest.param(
            "Requires capabilities : [CAPABILITY_NAMED_IAM]",
            "capabilities: [CAPABILITY_NAMED_IAM]", id="capability",
        ),
        pytest.param(
            "Parameter validation failed: parameter value k for parameter name KeyName does not "
            "exist", "correct parameter 'KeyName'", id="parameter",
        ),
        pytest.param("The following hook(s) failed: [A::B::C]", "a hook of the account", id="hook"),
        pytest.param(
            "Action denied by stack policy: Update:Replace on LogicalResourceId/A",
            "stack policy protects it", id="stack policy",
        ),
        pytest.param(
            "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
            "Rename my-role and update the stack again.", "another name", id="named resource",
        ),
        pytest.param(
            "jobs already exists in stack arn:aws:cloudformation:x:1:stack/shop/1",
            "belongs to another stack, arn:aws:cloudformation:x:1:stack/shop/1", id="other stack",
        ),
        pytest.param("jobs already exists", "'import'", id="exists"),
        pytest.param(
            "Resource handler returned message: x (HandlerErrorCode: AlreadyExists)", "'import'",
            id="exists, by code",
        ),
        pytest.param(
            "The security token included in the request is expired", "'role_arn'", id="expired"
        ),
        pytest.param("The maximum number of VPCs has been reached.", "quota", id="quota"),
        pytest.param("vpc limit exceeded (Service: Ec2)", "quota", id="limit"),
        pytest.param("The bucket you tried to delete is not empty", "empty the b", id="bucket"),
        pytest.param(
            "Failed to receive 1 resource signal(s) within the specified duration", "cfn-init.log",
            id="signal",
        ),
        pytest.param(
            "Received response status [FAILED] from custom resource. Message returned: See the "
            "details in CloudWatch Log Stream: 2026/03/01/[$LATEST]0a. (RequestId: 1)",
            "log stream '2026/03/01/[$LATEST]0a'", id="custom resource with a log",
        ),
        pytest.param(
            "CloudFormation did not receive a response from your Custom Resource", "function",
            id="custom resource",
        ),
        pytest.param("Exceeded attempts to wait", "does not become ready", id="wait"),
        pytest.param("Access Denied (Service: S3, Status Code: 403)", "the step's role", id="403"),
        pytest.param("Something new", "correct the cause and run again", id="unknown"),
    ],
)  # fmt: skip
def test_hints_by_cause(failing: Failing, reason: str, hint: str) -> None:
    """AWS's wordings, and what helps."""
    assert hint in failing.hint(resource("A", "UPDATE_FAILED", reason))


def test_an_alarm_that_went_off_is_the_stacks_to_say(failing: Failing) -> None:
    """A resource that is an alarm may fail like any other."""
    reason = "The alarm arn:aws:cloudwatch:eu-west-1:1:alarm:errors is not OK"
    assert "rollback_triggers" in failing.hint(stack("UPDATE_ROLLBACK_IN_PROGRESS", reason))
    assert "rollback_triggers" not in failing.hint(resource("A", "UPDATE_FAILED", reason))


def test_a_missing_export_may_only_be_misspelt(failing: Failing) -> None:
    """The exports that are there and look like it, from all pages."""
    failing.exports = ["shop-queue", "other", "core-vpc-ids", "core-vpc-id-dev"]
    event = stack("UPDATE_ROLLBACK_IN_PROGRESS", "No export named core-vpc-id found.")
    assert failing.hint(event).endswith("similar ones: core-vpc-ids, core-vpc-id-dev")


@pytest.mark.parametrize(
    ("status", "verb", "hint", "row"),
    [
        pytest.param(
            "ROLLBACK_COMPLETE", "create", "before the next try, or write 'on_failed_create: "
            "delete'", "delete it\tcalamari run step.yaml --action delete", id="never created",
        ),
        pytest.param(
            "UPDATE_FAILED", "update", "'on_failure: keep', or go back",
            "go back\tcalamari run step.yaml --action rollback", id="kept",
        ),
        pytest.param(
            "DELETE_FAILED", "delete", "'retain: [A]', and delete again",
            "delete again\tcalamari run step.yaml --action delete", id="not deleted",
        ),
    ],
)  # fmt: skip
def test_hints_by_state(failing: Failing, status: str, verb: Verb, hint: str, row: str) -> None:
    """After the cause comes the stack: what has to be done with it first, each command in a row."""
    event = resource("A", f"{verb.upper()}_FAILED", "x")
    error = failing.tell(event, status=status, verb=verb)
    assert hint in (error.hint or "")
    assert row in error.evidence


def test_a_rollback_that_failed_is_continued_and_not_deleted(failing: Failing) -> None:
    """With the exact commands, ready to paste."""
    failing.spec = {"role_arn": "arn:aws:iam::1:role/cfn"}
    error = failing.tell(DATABASE, BACK, QUEUE, status="UPDATE_ROLLBACK_FAILED")
    assert (error.hint or "").startswith("do not delete the stack: repair 'Queue'")
    assert "continue\tcalamari run step.yaml --action rollback" in error.evidence
    assert (
        "or\taws cloudformation continue-update-rollback --stack-name my-app --region eu-west-1 "
        "--role-arn arn:aws:iam::1:role/cfn" in error.evidence
    )


def test_a_nested_resource_that_cannot_be_deleted_is_retained_with_its_stack(
    failing: Failing,
) -> None:
    """RetainResources names resources of the stack itself."""
    event = resource("Data/Table", "DELETE_FAILED", "x")
    assert "retain: [Data]" in failing.hint(event, status="DELETE_FAILED", verb="delete")


# ---- refusals


def test_an_encoded_message_is_decoded(failing: Failing) -> None:
    """Which action on what is denied to whom and why, in the message and in the hint."""
    failing.decoded = DECODED
    reason = (
        "You are not authorized to perform this operation. Encoded authorization failure message: "
        f"{ENCODED} (Service: Ec2, Status Code: 403)"
    )
    error = failing.tell(resource("A", "CREATE_FAILED", reason))
    sentence = (
        "ec2:RunInstances on arn:aws:ec2:eu-west-1:1:instance/* is denied to "
        "arn:aws:sts::1:assumed-role/Deploy/x (no statement allows it)"
    )
    assert failing.decodes == [ENCODED]
    assert ENCODED not in error.message
    assert sentence in error.message
    assert f"denied\t{sentence}" in error.evidence
    assert error.hint is not None
    assert error.hint.startswith("allow 'ec2:RunInstances' on 'arn:aws:ec2:eu-west-1:1:instance/*'")


@pytest.mark.parametrize("answer", [None, "no JSON", "{}", "[]", '{"context": {}}'])
def test_an_encoded_message_that_nobody_may_read_comes_with_the_command(
    failing: Failing, answer: str | None
) -> None:
    """Somebody else may be allowed to decode it."""
    failing.decoded = answer
    reason = f"Not authorized. Encoded authorization failure message: {ENCODED}"
    error = failing.tell(resource("A", "CREATE_FAILED", reason))
    assert ENCODED not in error.message
    command = f"aws sts decode-authorization-message --encoded-message {ENCODED}"
    assert f"decode\t{command}" in error.evidence
    assert failing.report.facts["denied"] is None


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        pytest.param(
            'Resource handler returned message: "User: arn:aws:iam::1:user/d is not authorized to '
            'perform: s3:PutLifecycleConfiguration on resource: "arn:aws:s3:::b" because no '
            "identity-based policy allows the s3:PutLifecycleConfiguration action (Service: S3)",
            "allow 's3:PutLifecycleConfiguration' on 'arn:aws:s3:::b' for 'arn:aws:iam::1:user/d'",
            id="nothing allows it",
        ),
        pytest.param(
            "User: arn:aws:iam::1:user/d is not authorized to perform: sqs:CreateQueue on resource:"
            " arn:aws:sqs:x:1:q with an explicit deny in a service control policy",
            "'sqs:CreateQueue' on 'arn:aws:sqs:x:1:q' is forbidden for 'arn:aws:iam::1:user/d': "
            "with an explicit deny in a service control policy",
            id="explicit deny",
        ),
        pytest.param(
            "User: arn:aws:iam::1:user/d is not authorized to perform: ec2:CreateVpc on resource: "
            "arn:aws:ec2:x:1:vpc/* because no permissions boundary allows the ec2:CreateVpc action",
            "is forbidden for",
            id="boundary",
        ),
        pytest.param(
            "is not authorized to perform: iam:PassRole", "allow 'iam:PassRole'", id="short"
        ),
    ],
)
def test_what_is_denied_is_named(failing: Failing, reason: str, hint: str) -> None:
    """Which action, on what, for whom; and whether more permissions would help at all."""
    assert hint in failing.hint(resource("A", "UPDATE_FAILED", reason))


def test_an_explicit_deny_is_told_from_a_missing_permission() -> None:
    """The decoded message says which of the two it is."""
    told = json.loads(DECODED) | {"explicitDeny": True}
    decode: Callable[[str], str | None] = lambda _: json.dumps(told)  # noqa: E731
    denial = read_denial(f"Encoded authorization failure message: {ENCODED}", decode)
    assert denial is not None
    assert denial.sentence.endswith("(an explicit deny)")
    assert "forbidden" in denial.hint


def test_other_reasons_deny_nothing() -> None:
    """And nobody is asked to decode them."""

    def never(message: str) -> str | None:
        raise AssertionError(message)

    assert read_denial(PASSWORD, never) is None
