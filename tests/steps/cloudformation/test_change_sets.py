"""change_sets.py: a change set is made, waited for, judged, and cleaned up."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
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
from calamari_py.steps.cloudformation.api import StackApi
from calamari_py.steps.cloudformation.change_sets import (
    Prepared,
    discard,
    find_pending,
    is_ours,
    prepare,
)
from calamari_py.steps.cloudformation.sections import ChangeSetSection, ImportSection
from calamari_py.steps.cloudformation.spec import Template
from calamari_py.steps.cloudformation.states import STATUSES, Phase
from calamari_py.steps.cloudformation.values import ChangeSet, Stack
from calamari_py.steps.cloudformation.work import Deadline, Work
from tests.fake_cloudformation import (
    NO_CHANGES,
    NO_UPDATES,
    FakeCloudFormation,
    Fault,
    JumpingClock,
)
from tests.steps.cloudformation.scripted import (
    CHANGE_SET_ID,
    STACK_ID,
    ScriptedCalls,
    refusal,
    throttled,
)
from tests.steps.cloudformation.world import NAME, ONE, PREFIX, TWO, Report, StackWorld

CHANGING = {"CreateChangeSet", "DeleteChangeSet", "DeleteStack", "ExecuteChangeSet", "PutObject"}


class Room:
    """A step's work on one stack, in front of the fake AWS."""

    def __init__(self, *, timeout: float | None = 3600.0, calls: Any = None) -> None:
        self.world = StackWorld(timeout=timeout)
        self.aws: FakeCloudFormation = calls or self.world.aws
        self.clock: JumpingClock = self.world.clock
        self.report: Report = self.world.report
        self.timeout = timeout

    def work(self, **changes: Any) -> Work:
        """The work; `changes` of its spec."""
        context = replace(self.world.context(), aws=self.aws)
        at = None if self.timeout is None else self.clock.monotonic() + self.timeout
        return Work(
            spec=replace(self.world.spec, **changes),
            api=StackApi(self.aws),
            context=context,
            token=f"{PREFIX}-0123456789ab",
            deadline=Deadline(clock=self.clock, at=at, limit=self.timeout),
        )

    def prepare(self, **changes: Any) -> Prepared:
        """Prepare for the stack as it is now."""
        work = self.work(**changes)
        return prepare(work, work.api.find(NAME))

    @property
    def changed(self) -> list[str]:
        """The operations that change something, in order."""
        return [one.operation for one in self.aws.calls if one.operation in CHANGING]

    def left(self) -> list[str]:
        """Names of the change sets of the stack that are there."""
        return list(self.aws.stack(NAME).change_sets)


def template(text: str) -> Template:
    """A template of this text."""
    return Template(shown="template.json", text=text)


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
    calls = ScriptedCalls(("CreateChangeSet", error))
    with pytest.raises(CloudError) as caught:
        prepare(Room(calls=calls).work(), None)
    assert caught.value.hint == "add the capability that AWS names under 'capabilities'"


def test_a_refused_request_leaves_nothing_to_clean_up() -> None:
    """AWS's no is the error, and nothing more is asked."""
    calls = ScriptedCalls(("CreateChangeSet", refusal("ValidationError", "Template format error")))
    with pytest.raises(CloudError, match="Template format error"):
        prepare(Room(calls=calls).work(), None)
    assert calls.is_done


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


@pytest.mark.parametrize(
    ("name", "said", "ours"),
    [
        ("calamari-ab12", "", True),
        ("release", "made by calamari: calamari-payments-1", True),
        ("release", "", False),
        ("release", "not made by calamari: x", False),
        ("my-calamari-x", "", False),
    ],
)
def test_whose_a_change_set_is(name: str, said: str, ours: bool) -> None:
    """By its name or by what it says of itself."""
    assert is_ours(_change_set(name=name, description=said)) is ours


# ---- cleaning up


def _discard(calls: ScriptedCalls, *, made_stack: bool = True) -> Report:
    room = Room(calls=calls)
    prepared = Prepared(change_set=_change_set(), is_new=True, made_stack=made_stack)
    discard(room.work(), prepared)
    assert calls.is_done
    return room.report


def _stack_in(status: str) -> dict[str, Any]:
    return {"Stacks": [{"StackId": STACK_ID, "StackName": NAME, "StackStatus": status}]}


def test_the_empty_stack_of_this_run_goes_with_its_change_set() -> None:
    """It is looked at by its ARN first: in review, with no other change set."""
    calls = ScriptedCalls(
        ("DeleteChangeSet", {}),
        ("DescribeStacks", _stack_in("REVIEW_IN_PROGRESS")),
        ("ListChangeSets", {}),
        ("DeleteStack", {}),
    )
    assert _discard(calls).said("warning") == []
    assert calls.asked[0][2] == {"ChangeSetName": CHANGE_SET_ID}
    assert calls.asked[1][2] == {"StackName": STACK_ID}
    assert calls.params["StackName"] == STACK_ID


def test_a_stack_that_this_run_did_not_make_is_not_even_looked_at() -> None:
    """Only the change set is deleted."""
    _discard(ScriptedCalls(("DeleteChangeSet", {})), made_stack=False)


@pytest.mark.parametrize("status", sorted(set(STATUSES) - {"REVIEW_IN_PROGRESS"}))
def test_a_stack_in_any_other_status_is_never_deleted(status: str) -> None:
    """Somebody has executed something meanwhile: it is alive."""
    _discard(ScriptedCalls(("DeleteChangeSet", {}), ("DescribeStacks", _stack_in(status))))


def test_a_stack_that_is_gone_need_not_be_deleted() -> None:
    """Nothing to do, nothing to say."""
    gone = refusal("ValidationError", f"Stack with id {STACK_ID} does not exist")
    report = _discard(ScriptedCalls(("DeleteChangeSet", {}), ("DescribeStacks", gone)))
    assert report.said("warning") == []


def test_a_stack_with_another_change_set_is_never_deleted() -> None:
    """Somebody else works on it."""
    other = {"Summaries": [{"ChangeSetId": "arn:other", "Status": "CREATE_IN_PROGRESS"}]}
    _discard(
        ScriptedCalls(
            ("DeleteChangeSet", {}),
            ("DescribeStacks", _stack_in("REVIEW_IN_PROGRESS")),
            ("ListChangeSets", other),
        )
    )


def test_a_change_set_that_goes_slowly_is_waited_for() -> None:
    """Nested ones are deleted by and by; the stack is looked at anew each time."""
    mine = {"Summaries": [{"ChangeSetId": CHANGE_SET_ID, "Status": "DELETE_IN_PROGRESS"}]}
    _discard(
        ScriptedCalls(
            ("DeleteChangeSet", {}),
            ("DescribeStacks", _stack_in("REVIEW_IN_PROGRESS")),
            ("ListChangeSets", mine),
            ("DescribeStacks", _stack_in("REVIEW_IN_PROGRESS")),
            ("ListChangeSets", {}),
            ("DeleteStack", {}),
        )
    )


def test_a_change_set_that_does_not_go_leaves_the_stack_with_a_warning() -> None:
    """The wait is bounded."""
    mine = {"Summaries": [{"ChangeSetId": CHANGE_SET_ID, "Status": "DELETE_IN_PROGRESS"}]}
    look = [("DescribeStacks", _stack_in("REVIEW_IN_PROGRESS")), ("ListChangeSets", mine)]
    report = _discard(ScriptedCalls(("DeleteChangeSet", {}), *(look * 10)))
    assert report.said("warning") == [
        "empty stack 'my-app' is left behind: its change set is still being deleted"
    ]


@pytest.mark.parametrize(
    ("script", "warning"),
    [
        pytest.param(
            [("DeleteChangeSet", refusal("AccessDenied", "no", operation="DeleteChangeSet"))],
            "change set 'calamari-ab12' of stack 'my-app' could not be deleted: the step's role is "
            "not allowed 'cloudformation:DeleteChangeSet' (change set 'calamari-ab12')",
            id="change-set",
        ),
        pytest.param(
            [
                ("DeleteChangeSet", {}),
                ("DescribeStacks", _stack_in("REVIEW_IN_PROGRESS")),
                ("ListChangeSets", {}),
                ("DeleteStack", refusal("AccessDenied", "no", operation="DeleteStack")),
            ],
            "empty stack 'my-app' could not be deleted: the step's role is not allowed "
            "'cloudformation:DeleteStack' (stack 'my-app')",
            id="stack",
        ),
        pytest.param(
            [("DeleteChangeSet", throttled())],
            "change set 'calamari-ab12' of stack 'my-app' could not be deleted: cloudformation:X "
            "failed for now (Throttling, 5 tries in 30 s): Rate exceeded",
            id="throttled",
        ),
    ],
)
def test_what_cannot_be_cleaned_up_is_a_warning(script: list[Any], warning: str) -> None:
    """The step's own outcome stays what it is."""
    assert _discard(ScriptedCalls(*script)).said("warning") == [warning]


# ---- finding the one to execute


def _pending(*summaries: dict[str, Any], **changes: Any) -> tuple[ChangeSet, ScriptedCalls]:
    """What is found among these."""
    calls = ScriptedCalls(
        ("ListChangeSets", {"Summaries": list(summaries)}),
        ("DescribeChangeSet", {"ChangeSetName": "found", "ExecutionStatus": "AVAILABLE"}),
    )
    work = Room(calls=calls).work(**changes)
    return find_pending(work, Stack(id=STACK_ID, name=NAME, status="CREATE_COMPLETE")), calls


def _summary(name: str, execution: str = "AVAILABLE", **more: Any) -> dict[str, Any]:
    status = "CREATE_COMPLETE"
    return {
        "ChangeSetId": f"arn:{name}",
        "ChangeSetName": name,
        "Status": status,
        "ExecutionStatus": execution,
        **more,
    }


def test_the_only_one_of_ours_is_found_and_read() -> None:
    """Among those of others and those that cannot be executed any more."""
    found, calls = _pending(
        _summary("by-hand"),
        _summary("calamari-old", "OBSOLETE"),
        _summary("calamari-new"),
    )
    assert found.name == "found"
    assert calls.params == {"ChangeSetName": "arn:calamari-new"}


@pytest.mark.parametrize(
    ("summaries", "message", "hint"),
    [
        pytest.param(
            [],
            "stack 'my-app' has no change set that calamari made",
            "make one with '--action change-set', look at it, and execute it then",
            id="none",
        ),
        pytest.param(
            [_summary("by-hand")],
            "stack 'my-app' has no change set that calamari made",
            "make one with '--action change-set', look at it, and execute it then; to execute "
            "'by-hand', name it under 'change_set.name'",
            id="of-others",
        ),
        pytest.param(
            [_summary("calamari-a"), _summary("calamari-b")],
            "stack 'my-app' has more than one change set that could be executed: 'calamari-a', "
            "'calamari-b'",
            "name one of them under 'change_set.name'",
            id="two",
        ),
        pytest.param(
            [_summary("calamari-a", "OBSOLETE")],
            "change set 'calamari-a' of stack 'my-app' is obsolete: the stack was changed after it "
            "was made",
            "make one with '--action change-set', look at it, and execute it then",
            id="obsolete",
        ),
    ],
)
def test_none_that_could_be_executed(
    summaries: list[dict[str, Any]], message: str, hint: str
) -> None:
    """Why, and what to do."""
    with pytest.raises(StackFailed) as caught:
        _pending(*summaries)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_the_one_that_is_named_is_read() -> None:
    """Whoever made it."""
    calls = ScriptedCalls(
        ("DescribeChangeSet", _summary("release")),
        ("DescribeChangeSet", {"ChangeSetName": "found", "ExecutionStatus": "AVAILABLE"}),
    )
    work = Room(calls=calls).work(change_set=ChangeSetSection(name="release"))
    stack = Stack(id=STACK_ID, name=NAME, status="CREATE_COMPLETE")
    assert find_pending(work, stack).name == "found"
    assert calls.asked[0][2] == {"ChangeSetName": "release", "StackName": STACK_ID}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(
            refusal("ChangeSetNotFound", "ChangeSet [release] does not exist"),
            "stack 'my-app' has no change set 'release'",
            id="missing",
        ),
        pytest.param(
            _summary("release", "EXECUTE_COMPLETE"),
            "change set 'release' of stack 'my-app' is executed already",
            id="executed",
        ),
        pytest.param(
            _summary("release", "EXECUTE_IN_PROGRESS"),
            "change set 'release' of stack 'my-app' is being executed already",
            id="being-executed",
        ),
        pytest.param(
            _summary("release", "UNAVAILABLE", Status="FAILED", StatusReason="broken."),
            "change set 'release' of stack 'my-app' cannot be executed, it is in FAILED: broken",
            id="failed",
        ),
        pytest.param(
            _summary("release", "UNAVAILABLE", Status="CREATE_IN_PROGRESS"),
            "change set 'release' of stack 'my-app' cannot be executed, it is in "
            "CREATE_IN_PROGRESS",
            id="not-made-yet",
        ),
        pytest.param(
            _summary("release", "EXECUTE_FAILED"),
            "change set 'release' of stack 'my-app' cannot be executed, it is in EXECUTE_FAILED",
            id="execution-failed",
        ),
    ],
)
def test_the_one_that_is_named_cannot_be_executed(answer: Any, message: str) -> None:
    """Nothing else is taken in its place."""
    calls = ScriptedCalls(("DescribeChangeSet", answer))
    work = Room(calls=calls).work(change_set=ChangeSetSection(name="release"))
    with pytest.raises(StackFailed) as caught:
        find_pending(work, Stack(id=STACK_ID, name=NAME, status="CREATE_COMPLETE"))
    assert caught.value.message == message
    assert calls.is_done


def _change_set(**changes: Any) -> ChangeSet:
    fields: dict[str, Any] = {
        "id": CHANGE_SET_ID,
        "name": "calamari-ab12",
        "stack_id": STACK_ID,
        "status": "CREATE_COMPLETE",
        "execution": "AVAILABLE",
    }
    return ChangeSet(**{**fields, **changes})
