"""change_sets.py: a change set is made, waited for, judged."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from calamari_py.errors import (
    Cancelled,
    CloudError,
    IdentityError,
    StackFailed,
    Temporary,
    TimedOut,
)
from calamari_py.steps.cloudformation.changes.change_sets import prepare
from calamari_py.steps.cloudformation.changes.prepared import discard
from calamari_py.steps.cloudformation.sections import ChangeSetSection, ImportSection
from calamari_py.steps.cloudformation.service.api import StackApi
from calamari_py.steps.cloudformation.spec import Template
from calamari_py.steps.cloudformation.states import STATUSES, Phase
from calamari_py.steps.cloudformation.values import Stack
from tests.fake_cloudformation import NO_CHANGES, NO_UPDATES, Fault
from tests.steps.cloudformation.room import Room, template
from tests.steps.cloudformation.scripted import CHANGE_SET_ID, STACK_ID, ScriptedCalls, refusal
from tests.steps.cloudformation.world import NAME, ONE, PREFIX, TWO

# ---- making


def test_a_new_stack_gets_a_change_set_of_the_type_create() -> None:
    """This run has made the empty stack that holds it."""
    room = Room()
    prepared = room.prepare()
    assert (prepared.is_new, prepared.made_stack, prepared.no_changes) == (True, True, False)
    assert prepared.change_set.status == "CREATE_COMPLETE"
    assert [change.logical_id for change in prepared.change_set.changes] == ["Bucket"]
    asked = next(one for one in room.aws.calls if one.operation == "CreateChangeSet")
    assert asked.params["ChangeSetType"] == "CREATE"
    assert room.aws.stack(NAME).status == "REVIEW_IN_PROGRESS"


def test_a_stack_that_is_there_gets_one_of_the_type_update() -> None:
    """And is not this run's to delete."""
    room = Room()
    room.aws.add_stack(NAME, template=ONE)
    prepared = room.prepare(template=template(TWO))
    assert (prepared.is_new, prepared.made_stack) == (False, False)
    assert [change.logical_id for change in prepared.change_set.changes] == ["Queue"]


def test_an_empty_stack_in_review_is_used_again() -> None:
    """A CREATE change set (an UPDATE one is refused), but the stack is not this run's."""
    room = Room()
    discarded = room.prepare()
    StackApi(room.aws).delete_change_set(discarded.change_set.id)
    prepared = room.prepare()
    assert (prepared.is_new, prepared.made_stack) == (True, False)
    assert prepared.change_set.stack_id == discarded.change_set.stack_id
    asked = next(one for one in room.aws.calls[::-1] if one.operation == "CreateChangeSet")
    assert asked.params["ChangeSetType"] == "CREATE"


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        pytest.param({"action": "change-set"}, True, id="change-set"),
        pytest.param({"change_set": ChangeSetSection(approve="manual")}, True, id="manual"),
        pytest.param({}, False, id="deploy"),
        pytest.param({"action": "diff", "change_set": ChangeSetSection(approve="manual")}, False,
                     id="diff"),
        pytest.param({"action": "change-set", "dry_run": True}, False, id="dry-run"),
    ],
)  # fmt: skip
def test_what_waits_for_approval_says_so_at_aws(changes: dict[str, Any], waits: bool) -> None:
    """In its description, which everybody sees who approves it: without the words of a run."""
    made = Room().prepare(**changes).change_set.description
    command = ", for approval: calamari run MANIFEST --action execute"
    assert made.startswith(f"made by calamari: {PREFIX}-")
    assert made.endswith(command) is waits


def test_a_stack_that_is_deleted_is_a_new_one() -> None:
    """Whoever looked it up by its ARN finds what is left of it."""
    room = Room()
    gone = Stack(id=STACK_ID, name=NAME, status="DELETE_COMPLETE")
    prepared = prepare(room.work(), gone)
    assert (prepared.is_new, prepared.made_stack) == (True, True)


@pytest.mark.parametrize("status", [None, "CREATE_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_resources_are_imported_by_a_change_set_of_their_own_type(status: str | None) -> None:
    """IMPORT, whether the stack is there or not."""
    calls = ScriptedCalls(
        ("CreateChangeSet", {"Id": CHANGE_SET_ID, "StackId": STACK_ID}),
        ("DescribeChangeSet", {"Status": "CREATE_COMPLETE"}),
        ("DescribeChangeSet", {"Status": "CREATE_COMPLETE"}),
    )
    room = Room(calls=calls)
    item = ImportSection(resource_type="T", logical_id="L", identifier={"N": "n"})
    stack = None if status is None else Stack(id=STACK_ID, name=NAME, status=status)
    prepare(room.work(imports=(item,)), stack)
    assert calls.asked[0][2]["ChangeSetType"] == "IMPORT"


@pytest.mark.parametrize(
    "status",
    sorted(
        name
        for name, one in STATUSES.items()
        if not one.change_sets and one.phase is not Phase.DELETED
    ),
)
def test_a_stack_that_takes_no_change_set_is_explained(status: str) -> None:
    """Without any call that changes something, whatever the status."""
    room = Room()
    stack = Stack(id=STACK_ID, name=NAME, status=status)
    with pytest.raises(StackFailed) as caught:
        prepare(room.work(), stack)
    assert caught.value.message == (
        f"no change set can be made for stack '{NAME}' in {status}: {STATUSES[status].said}"
    )
    assert room.aws.calls == []


def test_a_new_stack_needs_a_template() -> None:
    """There is no previous one."""
    room = Room()
    with pytest.raises(StackFailed, match="there is no template to make it of"):
        room.prepare(template=None)
    assert room.changed == []


def test_names_are_ours_and_new_each_time() -> None:
    """``calamari-`` and twelve random digits; a request token for each."""
    room = Room()
    names = {room.prepare().change_set.name for _ in range(3)}
    tokens = {
        one.params["ClientToken"] for one in room.aws.calls if one.operation == "CreateChangeSet"
    }
    assert len(names) == len(tokens) == 3
    assert all(name.startswith("calamari-") and len(name) == 21 for name in names)
    assert all(token.startswith(f"{PREFIX}-") for token in tokens)


def test_a_large_template_goes_through_the_bucket() -> None:
    """Stored under its own hash, and asked for by its URL."""
    room = Room()
    big = ONE + " " * 51_200
    room.prepare(template=template(big), artifact_bucket="artifacts", artifact_prefix="p")
    ((bucket, key),) = room.aws.objects
    assert (bucket, key.split("/")[0], key[-5:]) == ("artifacts", "p", ".json")
    asked = next(one for one in room.aws.calls if one.operation == "CreateChangeSet")
    assert asked.params["TemplateURL"] == f"https://artifacts.s3.eu-west-1.amazonaws.com/{key}"
    assert "TemplateBody" not in asked.params


def test_a_small_template_does_not() -> None:
    """A bucket alone is no reason."""
    room = Room()
    room.prepare(artifact_bucket="artifacts")
    assert room.aws.objects == {}


def test_a_template_in_s3_is_asked_for_by_https() -> None:
    """The partition and the region decide how the URL reads."""
    room = Room()
    room.aws.upload("templates/t.json", ONE)
    url = "s3://templates/t.json"
    room.prepare(template=Template(shown=url, url=url))
    asked = next(one for one in room.aws.calls if one.operation == "CreateChangeSet")
    assert asked.params["TemplateURL"] == "https://templates.s3.eu-west-1.amazonaws.com/t.json"


# ---- nothing to do, and what went wrong


@pytest.mark.parametrize("reason", [NO_CHANGES, NO_UPDATES])
def test_the_known_words_mean_no_changes(reason: str) -> None:
    """Success, with the failed change set in hand for whoever cleans up."""
    room = Room()
    room.aws.add_stack(NAME, template=ONE)
    room.aws.change_sets.no_change_text = reason
    prepared = room.prepare()
    assert prepared.no_changes
    discard(room.work(), prepared)
    assert room.left() == []
    assert "DeleteStack" not in room.changed


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (
            "Transform AWS::Include failed with: No updates are to be performed.",
            (
                "no change set of stack 'my-app' could be made: Transform AWS::Include failed with:"
                " No updates are to be performed"
            ),
        ),
        ("", "no change set of stack 'my-app' could be made: AWS gives no reason"),
    ],
)
def test_any_other_reason_is_a_failure_and_cleaned_up(reason: str, message: str) -> None:
    """AWS's words are the message; change set and empty stack are gone."""
    room = Room()
    room.aws.change_sets.fail_next = reason
    with pytest.raises(StackFailed) as caught:
        room.prepare()
    assert caught.value.message == message
    assert room.changed == ["CreateChangeSet", "DeleteChangeSet", "DeleteStack"]


def test_a_failure_leaves_a_stack_that_was_there_alone() -> None:
    """Only the change set is deleted."""
    room = Room()
    room.aws.add_stack(NAME, template=ONE)
    room.aws.change_sets.fail_next = "broken"
    with pytest.raises(StackFailed, match="could be made: broken"):
        room.prepare(template=template(TWO))
    assert room.changed == ["CreateChangeSet", "DeleteChangeSet"]
    assert room.aws.stack(NAME).status == "CREATE_COMPLETE"


def test_a_failed_nested_change_set_tells_its_own_reason() -> None:
    """AWS's outer reason only points to it, however deep."""
    inner = CHANGE_SET_ID.replace("calamari-ab12", "inner")
    deep = CHANGE_SET_ID.replace("calamari-ab12", "deep")
    said = "Nested change set {} was not successfully created: Currently in FAILED."
    calls = ScriptedCalls(
        ("CreateChangeSet", {"Id": CHANGE_SET_ID, "StackId": STACK_ID}),
        ("DescribeChangeSet", {"Status": "FAILED", "StatusReason": said.format(inner)}),
        ("DescribeChangeSet", {"Status": "FAILED", "StatusReason": said.format(deep)}),
        (
            "DescribeChangeSet",
            {
                "Status": "FAILED",
                "StatusReason": "Parameters: [Db] must have values",
                "StackId": STACK_ID.replace("my-app", "my-app-Data"),
            },
        ),
        ("DeleteChangeSet", {}),
    )
    room = Room(calls=calls)
    with pytest.raises(StackFailed) as caught:
        prepare(room.work(), Stack(id=STACK_ID, name=NAME, status="CREATE_COMPLETE"))
    assert caught.value.message == (
        "no change set of stack 'my-app' could be made: Parameters: [Db] must have values (nested "
        "stack 'my-app-Data')"
    )
    assert [params.get("ChangeSetName") for _, _, params in calls.asked[2:4]] == [inner, deep]
    assert calls.is_done


def test_a_change_set_that_somebody_deletes_meanwhile_is_a_failure() -> None:
    """Not waited for until the end of time."""
    calls = ScriptedCalls(
        ("CreateChangeSet", {"Id": CHANGE_SET_ID, "StackId": STACK_ID}),
        ("DescribeChangeSet", {"Status": "DELETE_COMPLETE"}),
        ("DeleteChangeSet", {}),
    )
    with pytest.raises(StackFailed, match="was deleted by somebody else"):
        prepare(Room(calls=calls).work(), Stack(id=STACK_ID, name=NAME, status="CREATE_COMPLETE"))


def test_a_missing_capability_says_where_to_add_it() -> None:
    """AWS names it; nothing was made, nothing is deleted."""
    error = refusal("InsufficientCapabilitiesException", "Requires capabilities : [X]")
    look = refusal("ValidationError", f"Stack [{NAME}] does not exist")
    calls = ScriptedCalls(("CreateChangeSet", error), ("DescribeChangeSet", look))
    with pytest.raises(CloudError) as caught:
        prepare(Room(calls=calls).work(), None)
    assert caught.value.hint == "add the capability that AWS names under 'capabilities'"


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(refusal("ValidationError", f"Stack [{NAME}] does not exist"), id="nothing"),
        pytest.param(refusal("AccessDenied", "no", operation="DescribeChangeSet"), id="denied"),
    ],
)
def test_a_refused_request_leaves_nothing_to_clean_up(look: Exception) -> None:
    """AWS's no is the error; one look, and no word about it."""
    error = refusal("ValidationError", "Template format error")
    calls = ScriptedCalls(("CreateChangeSet", error), ("DescribeChangeSet", look))
    room = Room(calls=calls)
    with pytest.raises(CloudError, match="Template format error"):
        prepare(room.work(), None)
    assert calls.is_done
    assert room.report.said("warning") == []


def test_a_request_that_was_lost_and_then_refused_is_cleaned_up() -> None:
    """It was made all the same: the refusal is of the next try."""
    room = Room()
    room.aws.faults.append(Fault(operation="CreateChangeSet", error="Unreachable", lost=True))
    room.aws.faults.append(Fault(operation="CreateChangeSet", error="AccessDenied"))
    with pytest.raises(CloudError, match="is not allowed 'cloudformation:CreateChangeSet'"):
        room.prepare()
    assert room.changed[-2:] == ["DeleteChangeSet", "DeleteStack"]


def test_a_request_that_was_lost_where_nobody_may_look_is_told() -> None:
    """Change set and empty stack may stay: that is said."""
    room = Room()
    room.aws.faults.append(Fault(operation="CreateChangeSet", error="Unreachable", lost=True))
    room.aws.faults.append(Fault(operation="CreateChangeSet", error="AccessDenied"))
    room.aws.faults.append(Fault(operation="DescribeChangeSet", error="AccessDenied"))
    with pytest.raises(CloudError):
        room.prepare()
    (warning,) = room.report.said("warning")
    assert ", and the empty stack with it, may have been left behind: " in warning


def test_the_upload_of_a_template_is_waited_for() -> None:
    """What passes ends nothing there, either."""
    room = Room()
    room.aws.faults.append(Fault(operation="PutObject", error="Throttling", times=3))
    room.prepare(template=template(ONE + " " * 51_200), artifact_bucket="artifacts")
    assert len(room.aws.objects) == 1


def test_a_look_leaves_the_change_set_of_the_manifests_name_alone() -> None:
    """It may wait for approval."""
    room = Room()
    room.aws.add_stack(NAME, template=ONE)
    named = ChangeSetSection(name="release")
    room.prepare(template=template(TWO), change_set=named, action="change-set")
    looked = room.prepare(template=template(TWO), change_set=named, dry_run=True)
    assert looked.change_set.name.startswith("calamari-")
    assert "release" in room.left()


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        pytest.param(
            "Requires capabilities : [CAPABILITY_IAM]",
            "write 'capabilities: [CAPABILITY_IAM]' in the manifest",
            id="capability",
        ),
        pytest.param(
            "Limit exceeded for resource of type 'AWS::EC2::VPC'.",
            "raise the quota of the account in this region, or remove what is no longer needed",
            id="quota",
        ),
        pytest.param(
            "User: arn:aws:iam::111111111111:user/a is not authorized to perform: ssm:GetParameters"
            " on resource: arn:aws:ssm:x because no identity-based policy allows it",
            "allow 'ssm:GetParameters' on 'arn:aws:ssm:x' for 'arn:aws:iam::111111111111:user/a'",
            id="denied",
        ),
    ],
)
def test_a_failure_says_what_can_be_done(reason: str, hint: str) -> None:
    """By the words of AWS's reason."""
    room = Room()
    room.aws.change_sets.fail_next = reason
    with pytest.raises(StackFailed) as caught:
        room.prepare()
    assert caught.value.hint == hint


def test_a_missing_export_names_similar_ones() -> None:
    """A slip of the pen is the usual cause."""
    calls = ScriptedCalls(
        ("CreateChangeSet", {"Id": CHANGE_SET_ID, "StackId": STACK_ID}),
        (
            "DescribeChangeSet",
            {"Status": "FAILED", "StatusReason": "No export named vpc-idd found. Rollback"},
        ),
        ("ListExports", {"Exports": [{"Name": "vpc-id"}, {"Name": "else"}]}),
        ("DeleteChangeSet", {}),
    )
    with pytest.raises(StackFailed) as caught:
        prepare(Room(calls=calls).work(), Stack(id=STACK_ID, name=NAME, status="CREATE_COMPLETE"))
    assert (caught.value.hint or "").endswith("; similar ones: vpc-id")


def test_an_encoded_refusal_is_decoded() -> None:
    """The message has what it says, the evidence the whole sentence."""
    said = (
        '{"allowed": false, "explicitDeny": false, "context": {"principal": {"arn": "arn:role"}, '
        '"action": "ec2:DescribeImages", "resource": "*"}}'
    )
    reason = f"Encoded authorization failure message: {'A' * 40}"
    calls = ScriptedCalls(
        ("CreateChangeSet", {"Id": CHANGE_SET_ID, "StackId": STACK_ID}),
        ("DescribeChangeSet", {"Status": "FAILED", "StatusReason": reason}),
        ("DecodeAuthorizationMessage", {"DecodedMessage": said}),
        ("DeleteChangeSet", {}),
    )
    with pytest.raises(StackFailed) as caught:
        prepare(Room(calls=calls).work(), Stack(id=STACK_ID, name=NAME, status="CREATE_COMPLETE"))
    assert "A" * 20 not in caught.value.message
    assert caught.value.evidence == (
        "denied\tec2:DescribeImages on * is denied to arn:role (no statement allows it)",
    )


# ---- lost contact, time, cancellation


@pytest.mark.parametrize(
    "operation", ["CreateChangeSet", "DescribeChangeSet"], ids=["making", "waiting"]
)
@pytest.mark.parametrize(
    "error",
    [
        pytest.param("Throttling", id="throttled"),
        pytest.param("Unreachable", id="unreachable"),
        pytest.param("ExpiredToken", id="expired"),
        pytest.param(lambda: IdentityError("STS does not answer"), id="renewal"),
    ],
)
def test_what_passes_is_waited_for(
    error: str | Callable[[], BaseException], operation: str
) -> None:
    """Throttling, lost contact and expired credentials end nothing."""
    room = Room()
    room.aws.faults.append(Fault(operation=operation, error=error, times=4))
    prepared = room.prepare()
    assert prepared.change_set.status == "CREATE_COMPLETE"
    assert sum(room.clock.slept) >= 1 + 2 + 4 + 8


def test_an_answer_that_is_lost_makes_no_second_change_set() -> None:
    """The request is made again, and what is there is known by its token."""
    room = Room()
    room.aws.faults.append(Fault(operation="CreateChangeSet", error="Unreachable", lost=True))
    prepared = room.prepare()
    assert room.left() == [prepared.change_set.name]
    assert prepared.made_stack


def test_contact_that_is_lost_for_good_is_temporary() -> None:
    """Nothing runs at AWS: the step can be run again. It took the patience, and no longer."""
    room = Room(timeout=None)
    room.aws.faults.append(Fault(operation="DescribeChangeSet", error="Unreachable", times=None))
    with pytest.raises(Temporary):
        room.prepare(patience=120.0)
    assert 120 <= room.clock.monotonic() < 120 + 40


def test_an_answer_in_between_begins_the_patience_anew() -> None:
    """Only silence counts."""
    room = Room(timeout=None)
    room.aws.change_sets.seconds = 300.0
    for start in (10, 100, 200):
        room.aws.faults.append(
            Fault(
                operation="DescribeChangeSet",
                error="Throttling",
                times=None,
                since=start,
                until=start + 60,
            )
        )
    assert room.prepare(patience=100.0).change_set.status == "CREATE_COMPLETE"


def test_a_change_set_that_nobody_heard_of_is_cleaned_up() -> None:
    """It was made, but every answer was lost: it is looked for by name and token."""
    room = Room()
    room.aws.faults.append(Fault(operation="CreateChangeSet", error="Unreachable", lost=True))
    room.aws.faults.append(Fault(operation="CreateChangeSet", error="Unreachable", times=None))
    with pytest.raises(Temporary):
        room.prepare(patience=20.0)
    assert room.changed[-2:] == ["DeleteChangeSet", "DeleteStack"]


def test_a_change_set_that_another_run_made_under_the_name_is_left_alone() -> None:
    """The description tells whose it is: not by this token, not by this run."""
    room = Room()
    room.aws.add_stack(NAME, template=ONE)
    room.prepare(template=template(TWO), change_set=ChangeSetSection(name="release"))
    room.aws.faults.append(Fault(operation="CreateChangeSet", error="Unreachable", times=None))
    with pytest.raises(Temporary):
        room.prepare(
            template=template(TWO), change_set=ChangeSetSection(name="release"), patience=5.0
        )
    assert room.left() == ["release"]


def test_what_may_be_left_behind_is_told() -> None:
    """When not even that can be asked."""
    room = Room()
    room.aws.faults.append(Fault(operation="*", error="Unreachable", times=None))
    with pytest.raises(Temporary):
        prepare(room.work(patience=5.0), None)
    (warning,) = room.report.said("warning")
    assert "may have been left behind" in warning


def test_time_ends_the_wait_and_cleans_up() -> None:
    """TimedOut says what was waited for."""
    room = Room(timeout=60.0)
    room.aws.change_sets.seconds = 600.0
    with pytest.raises(TimedOut, match=r"change set 'calamari-\w+' of stack 'my-app' after 1m"):
        room.prepare()
    assert room.changed == ["CreateChangeSet", "DeleteChangeSet", "DeleteStack"]
    assert room.clock.monotonic() < 61 + 5


def test_a_signal_ends_the_wait_and_cleans_up() -> None:
    """Cancelled passes through."""
    room = Room()

    def cancel() -> None:
        raise Cancelled(signal.SIGTERM)

    room.clock.at(2, cancel)
    with pytest.raises(Cancelled):
        room.prepare()
    assert room.changed == ["CreateChangeSet", "DeleteChangeSet", "DeleteStack"]


def test_a_signal_in_the_middle_of_the_request_cleans_up() -> None:
    """The change set was made, its answer never seen."""
    room = Room()
    room.aws.faults.append(
        Fault(operation="CreateChangeSet", error=lambda: Cancelled(signal.SIGINT), lost=True)
    )
    with pytest.raises(Cancelled):
        room.prepare()
    assert room.changed == ["CreateChangeSet", "DeleteChangeSet", "DeleteStack"]


def test_polls_are_not_closer_than_they_need_to_be() -> None:
    """From a second to the poll interval; people see that something is waited for."""
    room = Room()
    room.aws.change_sets.seconds = 120.0
    room.prepare(poll_interval=5.0)
    assert max(room.clock.slept) <= 5.0 * 1.25
    assert len(room.clock.slept) < 40
    assert room.report.said("progress")[0].startswith("waiting for change set 'calamari-")


# ---- names that are taken


def test_an_older_change_set_of_ours_makes_room() -> None:
    """The name of the manifest is taken by what an earlier run left."""
    room = Room()
    room.aws.add_stack(NAME, template=ONE)
    named = ChangeSetSection(name="release")
    first = room.prepare(template=template(TWO), change_set=named)
    second = room.prepare(template=template(TWO), change_set=named)
    assert first.change_set.id != second.change_set.id
    assert room.left() == ["release"]


def test_somebody_elses_change_set_keeps_its_name() -> None:
    """An error that says so, and nothing is deleted."""
    room = Room()
    room.aws.add_stack(NAME, template=ONE)
    params = {"StackName": NAME, "ChangeSetName": "release", "TemplateBody": TWO}
    room.aws.call("cloudformation", "CreateChangeSet", params)
    with pytest.raises(StackFailed) as caught:
        room.prepare(template=template(TWO), change_set=ChangeSetSection(name="release"))
    assert caught.value.message == (
        "change set 'release' of stack 'my-app' exists already, and calamari did not make it"
    )
    assert "change_set.name" in (caught.value.hint or "")
    assert "DeleteChangeSet" not in room.changed


def test_a_name_that_does_not_get_free_is_given_up() -> None:
    """A bounded number of tries."""
    taken = refusal("AlreadyExistsException", "it exists")
    old = {
        "ChangeSetId": CHANGE_SET_ID,
        "ChangeSetName": "release",
        "Status": "DELETE_IN_PROGRESS",
        "Description": "made by calamari: x",
    }
    one_try: list[tuple[str, Any]] = [
        ("CreateChangeSet", taken),
        ("DescribeChangeSet", old),
        ("DescribeChangeSet", old),
    ]
    calls = ScriptedCalls(*(one_try * 10))
    with pytest.raises(StackFailed, match="'release' of stack 'my-app' is still being deleted"):
        prepare(
            Room(calls=calls).work(change_set=ChangeSetSection(name="release")),
            Stack(id=STACK_ID, name=NAME, status="CREATE_COMPLETE"),
        )
    assert calls.is_done
