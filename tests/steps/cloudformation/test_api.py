"""api.py: CloudFormation in our values; what an error means."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import botocore.loaders
import pytest
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from calamari_py.errors import CloudError, IdentityError, Temporary
from calamari_py.steps.cloudformation.changes.ownership import description
from calamari_py.steps.cloudformation.sections import (
    ChangeSetSection,
    ImportSection,
    RollbackTriggersSection,
)
from calamari_py.steps.cloudformation.service.api import StackApi
from calamari_py.steps.cloudformation.service.places import object_url, template_key, template_url
from calamari_py.steps.cloudformation.service.refused import says_no_change
from calamari_py.steps.cloudformation.spec import Parameter, StackSpec, Template, TemplateFacts
from tests.steps.cloudformation.scripted import (
    CHANGE_SET_ID,
    STACK_ID,
    ScriptedCalls,
    refusal,
    scripted,
    throttled,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROLE = "arn:aws:iam::111111111111:role/CloudFormation"
SPEC = StackSpec(
    stack_name="my-app",
    action="deploy",
    token_prefix="calamari-payments",
    template=Template(shown="template.yaml", text="Resources: {}"),
)
FULL = StackSpec(
    stack_name="my-app",
    action="deploy",
    token_prefix="calamari-payments",
    template=Template(shown="template.yaml", text="Resources: {}"),
    parameters=(Parameter(key="Stage", value="dev"), Parameter(key="Db", value=None)),
    capabilities=("CAPABILITY_IAM",),
    tags={"Project": "payments"},
    role_arn=ROLE,
    notification_arns=("arn:aws:sns:eu-west-1:111111111111:t",),
    rollback_triggers=RollbackTriggersSection(
        alarms=("arn:aws:cloudwatch:eu-west-1:111111111111:alarm:a",),
        composite_alarms=("arn:aws:cloudwatch:eu-west-1:111111111111:alarm:b",),
        monitoring_time=90.0,
    ),
    imports=(
        ImportSection(
            resource_type="AWS::S3::Bucket", logical_id="Logs", identifier={"BucketName": "logs"}
        ),
    ),
)
MADE = {"Id": CHANGE_SET_ID, "StackId": STACK_ID}


def _create(
    api: StackApi, spec: StackSpec = SPEC, *, kind: Any = "UPDATE", url: str | None = None
) -> tuple[str, str]:
    return api.create_change_set(
        spec, name="calamari-ab12", kind=kind, template_url=url, token="tok"
    )


# ---- stacks


def test_a_stack_in_our_values() -> None:
    """All that AWS says of it and that somebody needs."""
    api, _ = scripted(
        (
            "DescribeStacks",
            {
                "Stacks": [
                    {
                        "StackId": STACK_ID,
                        "StackName": "my-app",
                        "StackStatus": "UPDATE_COMPLETE",
                        "StackStatusReason": "because",
                        "Outputs": [{"OutputKey": "Url", "OutputValue": "https://x"}],
                        "Parameters": [{"ParameterKey": "Stage", "ParameterValue": "dev"}],
                        "Tags": [{"Key": "Project", "Value": "payments"}],
                        "RoleARN": ROLE,
                        "EnableTerminationProtection": True,
                        "DriftInformation": {
                            "StackDriftStatus": "DRIFTED",
                            "LastCheckTimestamp": NOON,
                        },
                        "CreationTime": NOON,
                        "LastUpdatedTime": NOON,
                        "ParentId": "arn:parent",
                    }
                ]
            },
        )
    )
    stack = api.find("my-app")
    assert stack is not None
    assert (stack.id, stack.name, stack.status) == (STACK_ID, "my-app", "UPDATE_COMPLETE")
    assert (stack.reason, stack.role_arn, stack.protected) == ("because", ROLE, True)
    assert dict(stack.outputs) == {"Url": "https://x"}
    assert dict(stack.parameters) == {"Stage": "dev"}
    assert dict(stack.tags) == {"Project": "payments"}
    assert (stack.drift, stack.drift_checked) == ("DRIFTED", NOON)
    assert (stack.created, stack.updated, stack.parent_id) == (NOON, NOON, "arn:parent")


def test_a_stack_of_which_aws_says_next_to_nothing() -> None:
    """A stack in review has no outputs, times or drift."""
    api, calls = scripted(
        ("DescribeStacks", {"Stacks": [{"StackName": "x", "StackStatus": "SOMETHING_NEW"}]})
    )
    stack = api.find(STACK_ID)
    assert stack is not None
    assert (stack.status, stack.drift, stack.outputs) == ("SOMETHING_NEW", "NOT_CHECKED", {})
    assert calls.params == {"StackName": STACK_ID}


@pytest.mark.parametrize("name", ["my-app", STACK_ID])
def test_only_aws_own_words_mean_that_there_is_no_stack(name: str) -> None:
    """``Stack with id … does not exist`` of exactly this stack."""
    text = f"Stack with id {name} does not exist"
    api, _ = scripted(("DescribeStacks", refusal("ValidationError", text)))
    assert api.find(name) is None


@pytest.mark.parametrize(
    ("code", "text"),
    [
        pytest.param("ValidationError", "Stack with id other does not exist", id="another-stack"),
        pytest.param("ValidationError", "Role arn:x does not exist", id="another-thing"),
        pytest.param("ValidationError", "1 validation error detected", id="another-mistake"),
        pytest.param("AccessDenied", "Stack with id my-app does not exist", id="denied"),
        pytest.param("InternalError", "Stack with id my-app does not exist", id="another-code"),
        pytest.param("ExpiredToken", "The security token is expired", id="expired"),
    ],
)
def test_nothing_else_means_that_there_is_no_stack(code: str, text: str) -> None:
    """What is not known must never look like a stack that can be created."""
    api, _ = scripted(("DescribeStacks", refusal(code, text)))
    with pytest.raises(CloudError):
        api.find("my-app")


def test_throttling_stays_what_it_is() -> None:
    """A Temporary comes through, and never means that there is no stack."""
    api, _ = scripted(("DescribeStacks", throttled()))
    with pytest.raises(Temporary):
        api.find("my-app")


# ---- who may not


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        pytest.param(
            "User: arn:aws:sts::111111111111:assumed-role/R/s is not authorized to perform: "
            "cloudformation:DescribeStacks on resource: arn:aws:cloudformation:eu-west-1:1:stack/x "
            "because no identity-based policy allows the cloudformation:DescribeStacks action",
            "the step's role is not allowed 'cloudformation:DescribeStacks' on "
            "'arn:aws:cloudformation:eu-west-1:1:stack/x', because no identity-based policy allows "
            "the cloudformation:DescribeStacks action",
            "allow 'cloudformation:DescribeStacks' on "
            "'arn:aws:cloudformation:eu-west-1:1:stack/x' in a policy of the step's role",
            id="because",
        ),
        pytest.param(
            "User: x is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/R "
            "with an explicit deny in a service control policy",
            "the step's role is not allowed 'iam:PassRole' on 'arn:aws:iam::1:role/R', with an "
            "explicit deny in a service control policy",
            "allow 'iam:PassRole' on 'arn:aws:iam::1:role/R' in a policy of the step's role",
            id="another-service",
        ),
        pytest.param(
            "Access Denied",
            "the step's role is not allowed 'cloudformation:DescribeStacks' (stack 'my-app')",
            "allow 'cloudformation:DescribeStacks' in a policy of the step's role",
            id="no-sentence",
        ),
    ],
)
@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException"])
def test_a_refusal_names_the_missing_action(code: str, text: str, message: str, hint: str) -> None:
    """The action and the resource, in the message and in the hint."""
    error = refusal(code, text, operation="DescribeStacks", request_id="r1", encoded="blob")
    api, _ = scripted(("DescribeStacks", error))
    with pytest.raises(CloudError) as caught:
        api.find("my-app")
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert (caught.value.code, caught.value.request_id) == (code, "r1")
    assert caught.value.encoded == "blob"


def test_a_hint_that_names_the_action_stays() -> None:
    """The door may know whose policy it is that refuses."""
    error = refusal("AccessDenied", operation="DescribeStacks")
    error.hint = "allow 'cloudformation:DescribeStacks' in the service control policy"
    api, _ = scripted(("DescribeStacks", error))
    with pytest.raises(CloudError) as caught:
        api.find("my-app")
    assert caught.value.hint == error.hint


@pytest.mark.parametrize(
    ("operation", "ask"),
    [
        ("DescribeStackEvents", lambda api: list(api.event_pages(STACK_ID))),
        ("CreateChangeSet", _create),
        ("DescribeChangeSet", lambda api: api.change_set(CHANGE_SET_ID)),
        ("DescribeChangeSet", lambda api: api.named_change_set("my-app", "x")),
        ("ListChangeSets", lambda api: api.change_sets(STACK_ID)),
        ("ExecuteChangeSet", lambda api: api.execute(CHANGE_SET_ID, token="t", keep=False)),
        ("DeleteChangeSet", lambda api: api.delete_change_set(CHANGE_SET_ID)),
        ("DeleteStack", lambda api: api.delete_stack(STACK_ID, token="t", role_arn=None)),
        ("GetStackPolicy", lambda api: api.stack_policy(STACK_ID)),
    ],
)
def test_no_refusal_is_passed_over(operation: str, ask: Callable[[StackApi], object]) -> None:
    """Every call that is not allowed is an error that names its action."""
    denied = refusal("AccessDenied", "no", operation=operation)
    api, _ = scripted((operation, denied))
    with pytest.raises(CloudError, match=f"not allowed 'cloudformation:{operation}'"):
        ask(api)


# ---- events


def test_events_are_read_page_by_page_and_only_when_taken() -> None:
    """Newest first; the second page is not asked for before somebody wants it."""
    api, calls = scripted(
        ("DescribeStackEvents", {"StackEvents": [_event("2"), _event("1")], "NextToken": "n"}),
        ("DescribeStackEvents", {"StackEvents": [_event("0")]}),
    )
    pages = api.event_pages(STACK_ID, path=("Data",))
    first = next(pages)
    assert [event.id for event in first] == ["2", "1"]
    assert len(calls.asked) == 1
    assert [[event.id for event in page] for page in pages] == [["0"]]
    assert calls.params == {"StackName": STACK_ID, "NextToken": "n"}
    assert first[0].path == ("Data",)


def test_an_event_in_our_values() -> None:
    """One with everything, one of a hook, one with next to nothing."""
    api, _ = scripted(
        (
            "DescribeStackEvents",
            {
                "StackEvents": [
                    {
                        **_event("3"),
                        "LogicalResourceId": "Db",
                        "PhysicalResourceId": "db-1",
                        "ResourceType": "AWS::RDS::DBInstance",
                        "ResourceStatus": "CREATE_FAILED",
                        "ResourceStatusReason": "no",
                        "ClientRequestToken": "t",
                    },
                    {
                        **_event("2"),
                        "HookStatus": "HOOK_COMPLETE_FAILED",
                        "HookStatusReason": "policy",
                    },
                    _event("1"),
                ]
            },
        )
    )
    ((full, hook, bare),) = api.event_pages(STACK_ID)
    assert (full.logical_id, full.physical_id, full.resource_type) == (
        "Db",
        "db-1",
        "AWS::RDS::DBInstance",
    )
    assert (full.status, full.reason, full.token, full.time) == ("CREATE_FAILED", "no", "t", NOON)
    assert (hook.status, hook.reason) == ("HOOK_COMPLETE_FAILED", "policy")
    assert (bare.status, bare.reason, bare.token) == ("", "", None)


# ---- making change sets


def test_a_plain_change_set() -> None:
    """What is not in the spec is not in the request: AWS keeps what the stack has."""
    api, calls = scripted(("CreateChangeSet", MADE))
    assert _create(api) == (CHANGE_SET_ID, STACK_ID)
    assert calls.params == {
        "StackName": "my-app",
        "ChangeSetName": "calamari-ab12",
        "ChangeSetType": "UPDATE",
        "ClientToken": "tok",
        "Description": "made by calamari: tok",
        "IncludeNestedStacks": True,
        "Parameters": [],
        "TemplateBody": "Resources: {}",
    }


def test_a_change_set_with_everything() -> None:
    """Each field of the spec reaches AWS, in AWS's form."""
    api, calls = scripted(("CreateChangeSet", MADE))
    _create(api, FULL, kind="IMPORT", url="https://b.s3.amazonaws.com/t.yaml")
    assert calls.params == {
        "StackName": "my-app",
        "ChangeSetName": "calamari-ab12",
        "ChangeSetType": "IMPORT",
        "ClientToken": "tok",
        "Description": "made by calamari: tok",
        "IncludeNestedStacks": True,
        "Parameters": [
            {"ParameterKey": "Stage", "ParameterValue": "dev"},
            {"ParameterKey": "Db", "UsePreviousValue": True},
        ],
        "Tags": [{"Key": "Project", "Value": "payments"}],
        "Capabilities": ["CAPABILITY_IAM"],
        "NotificationARNs": ["arn:aws:sns:eu-west-1:111111111111:t"],
        "RoleARN": ROLE,
        "RollbackConfiguration": {
            "RollbackTriggers": [
                {
                    "Arn": "arn:aws:cloudwatch:eu-west-1:111111111111:alarm:a",
                    "Type": "AWS::CloudWatch::Alarm",
                },
                {
                    "Arn": "arn:aws:cloudwatch:eu-west-1:111111111111:alarm:b",
                    "Type": "AWS::CloudWatch::CompositeAlarm",
                },
            ],
            "MonitoringTimeInMinutes": 2,
        },
        "ResourcesToImport": [
            {
                "ResourceType": "AWS::S3::Bucket",
                "LogicalResourceId": "Logs",
                "ResourceIdentifier": {"BucketName": "logs"},
            }
        ],
        "TemplateURL": "https://b.s3.amazonaws.com/t.yaml",
    }


def test_without_a_template_the_stack_keeps_its_own() -> None:
    """UsePreviousTemplate, and neither a body nor a URL."""
    api, calls = scripted(("CreateChangeSet", MADE))
    spec = StackSpec(
        stack_name="my-app",
        action="deploy",
        token_prefix="p",
        change_set=ChangeSetSection(nested=False),
    )
    _create(api, spec)
    assert calls.params["UsePreviousTemplate"] is True
    assert calls.params["IncludeNestedStacks"] is False
    assert not {"TemplateBody", "TemplateURL"} & set(calls.params)


def test_a_change_set_that_this_token_has_made_already_is_the_answer() -> None:
    """The first answer was lost on its way: what is there is ours."""
    api, calls = scripted(
        ("CreateChangeSet", refusal("AlreadyExistsException", "it exists")),
        (
            "DescribeChangeSet",
            {
                "ChangeSetId": CHANGE_SET_ID,
                "StackId": STACK_ID,
                "Status": "CREATE_COMPLETE",
                "Description": description("tok"),
            },
        ),
    )
    assert _create(api) == (CHANGE_SET_ID, STACK_ID)
    assert calls.params == {"ChangeSetName": "calamari-ab12", "StackName": "my-app"}


@pytest.mark.parametrize("said", ["", "made by calamari: another", "by hand"])
def test_a_change_set_that_somebody_else_has_made_is_not_ours(said: str) -> None:
    """AWS's AlreadyExistsException comes through."""
    api, _ = scripted(
        ("CreateChangeSet", refusal("AlreadyExistsException", "it exists")),
        (
            "DescribeChangeSet",
            {
                "ChangeSetId": CHANGE_SET_ID,
                "StackId": STACK_ID,
                "Status": "CREATE_COMPLETE",
                "Description": said,
            },
        ),
    )
    with pytest.raises(CloudError) as caught:
        _create(api)
    assert caught.value.code == "AlreadyExistsException"


# ---- reading change sets


def test_all_pages_of_a_change_set_are_read() -> None:
    """Changes of every page, in AWS's order, and what AWS says of the set."""
    api, calls = scripted(
        ("DescribeChangeSet", _page(_add("A"), more="n", reason="r", created=NOON)),
        ("DescribeChangeSet", _page(_add("B"))),
    )
    found = api.change_set(CHANGE_SET_ID)
    assert [change.logical_id for change in found.changes] == ["A", "B"]
    assert (found.id, found.name, found.stack_id) == (CHANGE_SET_ID, "calamari-ab12", STACK_ID)
    assert (found.status, found.execution) == ("CREATE_COMPLETE", "AVAILABLE")
    assert (found.reason, found.created, found.description) == ("r", NOON, "d")
    assert calls.params == {"ChangeSetName": CHANGE_SET_ID, "NextToken": "n"}


def test_the_state_alone_is_one_call() -> None:
    """Waiting does not read pages of changes."""
    api, calls = scripted(("DescribeChangeSet", _page(_add("A"), more="n")))
    assert api.change_set_state(CHANGE_SET_ID).changes == ()
    assert len(calls.asked) == 1


def test_nested_change_sets_follow_the_change_that_holds_them() -> None:
    """Recursively, each with its path."""
    api, calls = scripted(
        ("DescribeChangeSet", _page(_stack("Data", "n1"), _add("Z"))),
        ("DescribeChangeSet", _page(_add("Db"), _stack("Inner", "n2"))),
        ("DescribeChangeSet", _page(_add("Table"))),
    )
    found = api.change_set(CHANGE_SET_ID)
    shown = [change.shown_id for change in found.changes]
    assert shown == ["Data", "Data/Db", "Data/Inner", "Data/Inner/Table", "Z"]
    assert [params["ChangeSetName"] for _, _, params in calls.asked[1:]] == ["n1", "n2"]
    assert found.unread == ()


def test_a_nested_change_set_is_read_once() -> None:
    """One that is named twice, or that names itself, is no endless loop."""
    api, calls = scripted(
        ("DescribeChangeSet", _page(_stack("Data", "n1"), _stack("Again", "n1"))),
        ("DescribeChangeSet", _page(_stack("Self", "n1"))),
    )
    assert len(api.change_set(CHANGE_SET_ID).changes) == 3
    assert calls.is_done


def test_nesting_has_an_end() -> None:
    """An answer that never ends is cut off, and what is below is not known."""

    class Endless(ScriptedCalls):
        def call(self, service: str, operation: str, params: Any, **_: Any) -> Mapping[str, Any]:
            self.asked.append((service, operation, params))
            return _page(_stack("S", f"n{len(self.asked)}"))

    calls = Endless()
    found = StackApi(calls).change_set(CHANGE_SET_ID)
    assert len(calls.asked) < 30
    assert len(found.unread) == 1


@pytest.mark.parametrize(
    ("change", "answer", "unread"),
    [
        pytest.param("n1", refusal("AccessDenied", "no"), ("Data",), id="denied"),
        pytest.param("n1", refusal("ChangeSetNotFound", "gone"), ("Data",), id="gone"),
        pytest.param("n1", {"Status": "FAILED", "StatusReason": "broken"}, ("Data",), id="failed"),
        pytest.param(
            "n1",
            {"Status": "FAILED", "StatusReason": "No updates are to be performed."},
            (),
            id="nothing-to-do",
        ),
        pytest.param(None, None, ("Data",), id="never-made"),
    ],
)
def test_a_nested_stack_that_cannot_be_read_is_unread(
    change: str | None, answer: Any, unread: tuple[str, ...]
) -> None:
    """The rest of the change set is there all the same."""
    more = [("DescribeChangeSet", answer)] if answer is not None else []
    api, _ = scripted(("DescribeChangeSet", _page(_stack("Data", change), _add("Z"))), *more)
    found = api.change_set(CHANGE_SET_ID)
    assert [one.logical_id for one in found.changes] == ["Data", "Z"]
    assert found.unread == unread


@pytest.mark.parametrize("action", ["Add", "Remove"])
def test_a_nested_stack_that_comes_or_goes_needs_no_change_set(action: str) -> None:
    """What is in it comes or goes as a whole."""
    api, _ = scripted(("DescribeChangeSet", _page(_stack("Data", None, action))))
    assert api.change_set(CHANGE_SET_ID).unread == ()


def test_a_nested_change_set_that_is_throttled_is_asked_again_by_the_caller() -> None:
    """A Temporary is no answer: nobody must read half a change set as a whole one."""
    api, _ = scripted(
        ("DescribeChangeSet", _page(_stack("Data", "n1"))), ("DescribeChangeSet", throttled())
    )
    with pytest.raises(Temporary):
        api.change_set(CHANGE_SET_ID)


@pytest.mark.parametrize(
    ("details", "because"),
    [
        pytest.param([], (), id="nothing-said"),
        pytest.param(
            [("Properties", "Code", "Never", "DirectModification", None)],
            ("property Code is changed",),
            id="direct",
        ),
        pytest.param(
            [
                ("Properties", "DBName", "Always", "DirectModification", None),
                ("Properties", "DBName", "Always", "ParameterReference", "Db"),
            ],
            ("property DBName needs recreation (new value from parameter Db)",),
            id="one-property-told-twice",
        ),
        pytest.param(
            [("Properties", "Role", "Conditionally", "ResourceAttribute", "Role.Arn")],
            ("property Role may need recreation (follows Role.Arn)",),
            id="attribute",
        ),
        pytest.param(
            [("Properties", "Vpc", "Never", "ResourceReference", "Vpc")],
            ("property Vpc is changed (follows Vpc)",),
            id="reference",
        ),
        pytest.param(
            [
                ("Properties", "Key", "Never", "DirectModification", None),
                ("Properties", "Key", "Always", "ResourceReference", "Kms"),
            ],
            ("property Key needs recreation (follows Kms)",),
            id="the-stronger-one-counts",
        ),
        pytest.param(
            [
                ("Properties", "Key", "Always", "DirectModification", None),
                ("Properties", "Key", "Never", "ResourceReference", "Kms"),
            ],
            ("property Key needs recreation (follows Kms)",),
            id="the-stronger-one-counts-first-too",
        ),
        pytest.param(
            [("Tags", None, "Never", "DirectModification", None)], ("tags changed",), id="tags"
        ),
        pytest.param(
            [("Properties", None, "Never", "Automatic", None)],
            ("properties changed (its own change set decides)",),
            id="nested-stack",
        ),
    ],
)
def test_why_a_resource_changes(details: list[Any], because: tuple[str, ...]) -> None:
    """A clause for each property: what it does and where the new value comes from."""
    change = _add("Db", "Modify")
    change["ResourceChange"] |= {
        "Replacement": "True",
        "Scope": ["Properties"],
        "PolicyAction": "ReplaceAndDelete",
        "PhysicalResourceId": "db-1",
        "Details": [_detail(*detail) for detail in details],
    }
    api, _ = scripted(("DescribeChangeSet", _page(change)))
    (found,) = api.change_set(CHANGE_SET_ID).changes
    assert found.because == because
    assert (found.replacement, found.scope) == ("True", ("Properties",))
    assert (found.policy, found.physical_id) == ("ReplaceAndDelete", "db-1")


def test_values_of_properties_are_never_taken() -> None:
    """AWS may tell old and new values: secrets among them."""
    change = _add("Db", "Modify")
    detail = _detail("Properties", "Password", "Never", "DirectModification", None)
    detail["Target"] |= {"BeforeValue": "hunter1", "AfterValue": "hunter2"}
    change["ResourceChange"] |= {
        "Details": [detail],
        "BeforeContext": "hunter1",
        "AfterContext": "hunter2",
    }
    api, calls = scripted(("DescribeChangeSet", _page(change)))
    assert "hunter" not in repr(api.change_set(CHANGE_SET_ID))
    assert "IncludePropertyValues" not in calls.params


def test_all_change_sets_of_a_stack() -> None:
    """Every page of them."""
    api, calls = scripted(
        ("ListChangeSets", {"Summaries": [{"ChangeSetName": "a"}], "NextToken": "n"}),
        ("ListChangeSets", {"Summaries": [{"ChangeSetName": "b", "Description": "d"}]}),
    )
    assert [one.name for one in api.change_sets(STACK_ID)] == ["a", "b"]
    assert calls.params == {"StackName": STACK_ID, "NextToken": "n"}


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("ChangeSetNotFound", "ChangeSet [x] does not exist"),
        ("ValidationError", "Stack [my-app] does not exist"),
    ],
)
def test_a_change_set_that_is_not_there(code: str, text: str) -> None:
    """Neither it nor its stack: None."""
    api, _ = scripted(("DescribeChangeSet", refusal(code, text)))
    assert api.named_change_set("my-app", "x") is None


@pytest.mark.parametrize(
    ("reason", "is_so"),
    [
        (
            (
                "The submitted information didn't contain changes. Submit different information "
                "to create a change set."
            ),
            True,
        ),
        ("The submitted information didn't contain changes.", True),
        ("No updates are to be performed.", True),
        (" No updates  are to be performed", True),
        ("", False),
        ("Transform failed: No updates are to be performed.", False),
        ("No updates are to be performed. But the macro failed.", False),
        ("Parameters: [X] must have values", False),
        (
            "Nested change set arn:aws:x was not successfully created: Currently in FAILED.",
            False,
        ),
    ],
)
def test_only_the_known_words_mean_that_there_is_nothing_to_do(reason: str, is_so: bool) -> None:
    """AWS's two sentences from the first to the last word."""
    assert says_no_change(reason) is is_so


# ---- operations


@pytest.mark.parametrize("keep", [True, False])
def test_what_is_kept_is_always_said(keep: bool) -> None:
    """AWS documents `true` as the default of DisableRollback: no default is trusted."""
    api, calls = scripted(("ExecuteChangeSet", {}))
    api.execute(CHANGE_SET_ID, token="tok", keep=keep)
    assert calls.params == {
        "ChangeSetName": CHANGE_SET_ID,
        "ClientRequestToken": "tok",
        "DisableRollback": keep,
    }


@pytest.mark.parametrize(
    ("operation", "ask", "params"),
    [
        pytest.param(
            "DeleteStack",
            lambda api: api.delete_stack(STACK_ID, token="t", role_arn=None),
            {"StackName": STACK_ID, "ClientRequestToken": "t"},
            id="delete",
        ),
        pytest.param(
            "DeleteStack",
            lambda api: api.delete_stack(STACK_ID, token="t", role_arn=ROLE, retain=["A"]),
            {
                "StackName": STACK_ID,
                "ClientRequestToken": "t",
                "RoleARN": ROLE,
                "RetainResources": ["A"],
            },
            id="delete-and-retain",
        ),
        pytest.param(
            "ContinueUpdateRollback",
            lambda api: api.continue_rollback(STACK_ID, token="t", role_arn=ROLE, skip=["A"]),
            {
                "StackName": STACK_ID,
                "ClientRequestToken": "t",
                "RoleARN": ROLE,
                "ResourcesToSkip": ["A"],
            },
            id="continue-rollback",
        ),
        pytest.param(
            "ContinueUpdateRollback",
            lambda api: api.continue_rollback(STACK_ID, token="t", role_arn=None),
            {"StackName": STACK_ID, "ClientRequestToken": "t"},
            id="continue-rollback-of-all",
        ),
        pytest.param(
            "RollbackStack",
            lambda api: api.roll_back(STACK_ID, token="t", role_arn=ROLE),
            {"StackName": STACK_ID, "ClientRequestToken": "t", "RoleARN": ROLE},
            id="roll-back",
        ),
        pytest.param(
            "CancelUpdateStack",
            lambda api: api.cancel_update(STACK_ID, token="t"),
            {"StackName": STACK_ID, "ClientRequestToken": "t"},
            id="cancel-update",
        ),
        pytest.param(
            "SetStackPolicy",
            lambda api: api.set_stack_policy(STACK_ID, "{}"),
            {"StackName": STACK_ID, "StackPolicyBody": "{}"},
            id="set-policy",
        ),
        pytest.param(
            "UpdateTerminationProtection",
            lambda api: api.set_termination_protection(STACK_ID, False),
            {"StackName": STACK_ID, "EnableTerminationProtection": False},
            id="protection",
        ),
        pytest.param(
            "DeleteChangeSet",
            lambda api: api.delete_change_set(CHANGE_SET_ID),
            {"ChangeSetName": CHANGE_SET_ID},
            id="delete-change-set",
        ),
    ],
)
def test_an_operation_asks_for_exactly_this(
    operation: str, ask: Callable[[StackApi], object], params: Mapping[str, Any]
) -> None:
    """One call with these parameters and no others."""
    api, calls = scripted((operation, {}))
    ask(api)
    assert calls.asked == [("cloudformation", operation, params)]


def test_a_change_set_that_is_gone_need_not_be_deleted() -> None:
    """ChangeSetNotFound is no error there."""
    api, _ = scripted(("DeleteChangeSet", refusal("ChangeSetNotFound", "gone")))
    api.delete_change_set(CHANGE_SET_ID)


@pytest.mark.parametrize(("answer", "policy"), [({}, None), ({"StackPolicyBody": "{}"}, "{}")])
def test_the_stack_policy(answer: Mapping[str, Any], policy: str | None) -> None:
    """None where there is none."""
    api, _ = scripted(("GetStackPolicy", answer))
    assert api.stack_policy(STACK_ID) == policy


# ---- templates


def test_facts_of_a_template_that_only_aws_can_read() -> None:
    """Parameters, capabilities and transforms, in our values."""
    api, calls = scripted(
        (
            "GetTemplateSummary",
            {
                "Parameters": [
                    {
                        "ParameterKey": "Db",
                        "ParameterType": "String",
                        "DefaultValue": "x",
                        "NoEcho": True,
                        "ParameterConstraints": {"AllowedValues": ["x", "y"]},
                    },
                    {"ParameterKey": "Stage"},
                ],
                "Capabilities": ["CAPABILITY_NAMED_IAM"],
                "CapabilitiesReason": "The following resource(s) require capabilities: [X]",
                "DeclaredTransforms": ["AWS::Serverless-2016-10-31"],
            },
        )
    )
    facts = api.template_facts(Template(shown="s3://b/t.yaml", url="s3://b/t.yaml"))
    assert facts is not None
    assert calls.params == {"TemplateURL": "https://b.s3.eu-west-1.amazonaws.com/t.yaml"}
    assert facts.parameters["Db"].no_echo
    assert facts.parameters["Db"].allowed_values == ("x", "y")
    assert facts.parameters["Db"].default == "x"
    assert facts.parameters["Stage"].default is None
    assert facts.capabilities == {"CAPABILITY_NAMED_IAM"}
    assert facts.reasons == ("The following resource(s) require capabilities: [X]",)
    assert facts.transforms == ("AWS::Serverless-2016-10-31",)
    assert facts.resources is None


def test_facts_that_may_not_be_asked_for() -> None:
    """None: AWS will check the template itself."""
    api, _ = scripted(("GetTemplateSummary", refusal("AccessDenied", "no")))
    assert api.template_facts(Template(shown="u", url="https://u")) is None


def test_a_template_that_aws_cannot_read_is_an_error() -> None:
    """Nothing but a missing permission is passed over."""
    api, _ = scripted(("GetTemplateSummary", refusal("ValidationError", "S3 error: NoSuchKey")))
    with pytest.raises(CloudError):
        api.template_facts(Template(shown="u", url="https://u"))


def test_facts_of_a_local_template_are_there_already() -> None:
    """Nobody is asked."""
    api, calls = scripted()
    facts = TemplateFacts(parameters={})
    assert api.template_facts(Template(shown="t", text="x", facts=facts)) is facts
    assert calls.asked == []


URL = "https://artifacts.s3.eu-west-1.amazonaws.com/p/1.yaml"


def test_a_template_is_stored_whatever_lies_there() -> None:
    """It is put, as the bytes of the text, into a bucket of the step's account; nobody asks first:
    somebody else may have put another one there."""
    api, calls = scripted(("PutObject", {}))
    assert api.store_template("artifacts", "p/1.yaml", "é: 1") == URL
    assert calls.asked == [
        (
            "s3",
            "PutObject",
            {
                "Bucket": "artifacts",
                "Key": "p/1.yaml",
                "Body": "é: 1".encode(),
                "ContentType": "text/yaml",
                "ExpectedBucketOwner": "111111111111",
            },
        )
    ]


def test_the_version_that_was_stored_is_the_one_that_is_used() -> None:
    """A bucket with versions: what others put there afterwards counts for nothing."""
    api, _ = scripted(("PutObject", {"VersionId": "3/L4kqtJ+x"}))
    assert api.store_template("artifacts", "p/1.yaml", "x") == f"{URL}?versionId=3/L4kqtJ%2Bx"


def test_a_json_template_says_so() -> None:
    """ContentType by the key's end."""
    api, calls = scripted(("PutObject", {}))
    api.store_template("artifacts", "p/1.json", "{}")
    assert calls.params["ContentType"] == "application/json"


def test_a_bucket_that_may_not_be_written_to() -> None:
    """The missing action and the bucket are named."""
    denied = refusal("AccessDenied", "Access Denied", operation="PutObject", service="s3")
    api, _ = scripted(("PutObject", denied))
    with pytest.raises(
        CloudError, match=r"not allowed 's3:PutObject' \(bucket 'artifacts' of account 1{12}\)"
    ):
        api.store_template("artifacts", "p/1.yaml", "x")


@pytest.mark.parametrize(
    "error",
    [throttled(), refusal("PermanentRedirect", "the bucket lies in us-east-1", status=301)],
)
def test_a_bucket_that_cannot_be_asked(error: CloudError) -> None:
    """That is told."""
    api, _ = scripted(("PutObject", error))
    with pytest.raises(CloudError) as caught:
        api.store_template("artifacts", "p/1.yaml", "x")
    assert caught.value is error


@pytest.mark.parametrize(
    ("text", "suffix"),
    [("Resources: {}", "yaml"), ('{"Resources": {}}', "json"), ('\ufeff\n {"a": 1}', "json")],
)
def test_the_name_of_a_template_is_its_content(text: str, suffix: str) -> None:
    """Below the prefix, with the hash of its bytes."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert template_key("/calamari/templates/", text) == f"calamari/templates/{digest}.{suffix}"
    assert template_key("", text) == f"{digest}.{suffix}"


@pytest.mark.parametrize(
    ("bucket", "key", "region", "partition", "url"),
    [
        ("b", "a b/ü+", "eu-west-1", "aws", "https://b.s3.eu-west-1.amazonaws.com/a%20b/%C3%BC%2B"),
        ("b.c", "k", "eu-west-1", "aws", "https://s3.eu-west-1.amazonaws.com/b.c/k"),
        ("b", "k", "cn-north-1", "aws-cn", "https://b.s3.cn-north-1.amazonaws.com.cn/k"),
        ("b", "k", "us-gov-west-1", "aws-us-gov", "https://b.s3.us-gov-west-1.amazonaws.com/k"),
        ("b", "k", "us-iso-east-1", "aws-iso", "https://b.s3.us-iso-east-1.c2s.ic.gov/k"),
    ],
)
def test_the_url_of_an_object(bucket: str, key: str, region: str, partition: str, url: str) -> None:
    """By partition and region, percent-encoded."""
    assert object_url(bucket, key, region, partition) == url


@pytest.mark.parametrize(
    ("url", "https"),
    [
        ("https://b.s3.amazonaws.com/k", "https://b.s3.amazonaws.com/k"),
        ("s3://b/p/t.yaml", "https://b.s3.eu-west-1.amazonaws.com/p/t.yaml"),
        (
            "s3://b/p/t.yaml?versionId=3/L4+",
            "https://b.s3.eu-west-1.amazonaws.com/p/t.yaml?versionId=3/L4+",
        ),
        ("s3://b/p/a b%.yaml", "https://b.s3.eu-west-1.amazonaws.com/p/a%20b%25.yaml"),
    ],
)
def test_the_url_of_a_template(url: str, https: str) -> None:
    """s3:// becomes https, the version stays."""
    assert template_url(url, "eu-west-1", "aws") == https


# ---- encoded messages


def test_an_encoded_message_in_clear() -> None:
    """As STS decodes it."""
    api, calls = scripted(("DecodeAuthorizationMessage", {"DecodedMessage": "{}"}))
    assert api.decode("blob") == "{}"
    assert calls.asked == [("sts", "DecodeAuthorizationMessage", {"EncodedMessage": "blob"})]


@pytest.mark.parametrize(
    "error",
    [
        refusal("AccessDenied", "no", service="sts"),
        refusal("InvalidAuthorizationMessageException", "broken", service="sts"),
        throttled(),
        IdentityError("no credentials"),
    ],
)
def test_an_encoded_message_that_stays_encoded(error: Exception) -> None:
    """A diagnosis is never the failure itself."""
    api, _ = scripted(("DecodeAuthorizationMessage", error))
    assert api.decode("blob") is None


# ---- AWS's own rules


def test_aws_takes_every_request() -> None:
    """Names and types of all parameters are those of botocore's models."""
    api, calls = scripted(
        ("DescribeStacks", {"Stacks": [{"StackName": "x", "StackStatus": "y"}]}),
        ("GetTemplateSummary", {}),
        ("DescribeStackEvents", {"NextToken": "n"}),
        ("DescribeStackEvents", {}),
        ("CreateChangeSet", MADE),
        ("CreateChangeSet", MADE),
        ("DescribeChangeSet", _page()),
        ("DescribeChangeSet", _page()),
        ("ListChangeSets", {}),
        ("ExecuteChangeSet", {}),
        ("DeleteChangeSet", {}),
        ("DeleteStack", {}),
        ("ContinueUpdateRollback", {}),
        ("RollbackStack", {}),
        ("CancelUpdateStack", {}),
        ("GetStackPolicy", {}),
        ("SetStackPolicy", {}),
        ("UpdateTerminationProtection", {}),
        ("PutObject", {}),
        ("DecodeAuthorizationMessage", {}),
    )
    api.find("my-app")
    api.template_facts(Template(shown="u", url="https://u"))
    list(api.event_pages(STACK_ID))
    _create(api)
    _create(api, FULL, kind="IMPORT", url="https://u")
    api.change_set(CHANGE_SET_ID)
    api.named_change_set("my-app", "x")
    api.change_sets(STACK_ID)
    api.execute(CHANGE_SET_ID, token="t", keep=True)
    api.delete_change_set(CHANGE_SET_ID)
    api.delete_stack(STACK_ID, token="t", role_arn=ROLE, retain=["A"])
    api.continue_rollback(STACK_ID, token="t", role_arn=ROLE, skip=["A"])
    api.roll_back(STACK_ID, token="t", role_arn=ROLE)
    api.cancel_update(STACK_ID, token="t")
    api.stack_policy(STACK_ID)
    api.set_stack_policy(STACK_ID, "{}")
    api.set_termination_protection(STACK_ID, True)
    api.store_template("b", "k.yaml", "x")
    api.decode("blob")
    assert calls.is_done
    loader = botocore.loaders.Loader()
    models = {
        name: ServiceModel(loader.load_service_model(name, "service-2"), name)
        for name in ("cloudformation", "s3", "sts")
    }
    for service, operation, params in calls.asked:
        shape = models[service].operation_model(operation).input_shape
        assert shape is not None
        report = ParamValidator().validate(dict(params), shape)
        assert not report.has_errors(), f"{operation}: {report.generate_report()}"


# ---- pieces


def _event(number: str) -> dict[str, Any]:
    return {"EventId": number, "StackId": STACK_ID, "StackName": "my-app", "Timestamp": NOON}


def _page(
    *changes: Mapping[str, Any],
    more: str | None = None,
    reason: str = "",
    created: datetime | None = None,
) -> dict[str, Any]:
    page: dict[str, Any] = {
        "ChangeSetId": CHANGE_SET_ID,
        "ChangeSetName": "calamari-ab12",
        "StackId": STACK_ID,
        "Status": "CREATE_COMPLETE",
        "ExecutionStatus": "AVAILABLE",
        "StatusReason": reason,
        "Description": "d",
        "Changes": list(changes),
    }
    if more is not None:
        page["NextToken"] = more
    if created is not None:
        page["CreationTime"] = created
    return page


def _add(logical_id: str, action: str = "Add") -> dict[str, Any]:
    return {
        "Type": "Resource",
        "ResourceChange": {
            "Action": action,
            "LogicalResourceId": logical_id,
            "ResourceType": "AWS::SQS::Queue",
        },
    }


def _stack(logical_id: str, change_set: str | None, action: str = "Modify") -> dict[str, Any]:
    change = _add(logical_id, action)
    change["ResourceChange"]["ResourceType"] = "AWS::CloudFormation::Stack"
    if change_set is not None:
        change["ResourceChange"]["ChangeSetId"] = change_set
    return change


def _detail(
    attribute: str, name: str | None, recreation: str, source: str, entity: str | None
) -> dict[str, Any]:
    target = {"Attribute": attribute, "RequiresRecreation": recreation}
    if name is not None:
        target["Name"] = name
    detail: dict[str, Any] = {"Target": target, "ChangeSource": source, "Evaluation": "Static"}
    if entity is not None:
        detail["CausingEntity"] = entity
    return detail
