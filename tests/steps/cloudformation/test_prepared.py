"""prepared.py: what a run has prepared is taken back, whatever comes in between."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from calamari_py.errors import Cancelled
from calamari_py.steps.cloudformation.changes.ownership import description
from calamari_py.steps.cloudformation.changes.prepared import Prepared, discard
from calamari_py.steps.cloudformation.states import STATUSES
from tests.fake_cloudformation import Fault
from tests.steps.cloudformation.room import Room, change_set
from tests.steps.cloudformation.scripted import (
    CHANGE_SET_ID,
    STACK_ID,
    ScriptedCalls,
    refusal,
    throttled,
)
from tests.steps.cloudformation.world import NAME, ONE
from tests.steps.report import Report

# ---- cleaning up


def _discard(
    calls: ScriptedCalls, *, is_new: bool = True, made_stack: bool = True, gone: bool = True
) -> Report:
    room = Room(calls=calls)
    prepared = Prepared(change_set=change_set(), is_new=is_new, made_stack=made_stack)
    assert discard(room.work(), prepared) is gone
    assert calls.is_done
    return room.report


def _listed(*found: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "ListChangeSets", {"Summaries": list(found)}


def _stack_in(status: str) -> dict[str, Any]:
    return {"Stacks": [{"StackId": STACK_ID, "StackName": NAME, "StackStatus": status}]}


def test_the_empty_stack_of_this_run_goes_with_itschange_set() -> None:
    """It is looked at by its ARN first: no other change set, and then still in review."""
    calls = ScriptedCalls(
        ("DeleteChangeSet", {}),
        ("ListChangeSets", {}),
        ("DescribeStacks", _stack_in("REVIEW_IN_PROGRESS")),
        ("DeleteStack", {}),
    )
    assert _discard(calls).said("warning") == []
    assert calls.asked[0][2] == {"ChangeSetName": CHANGE_SET_ID}
    assert calls.asked[1][2] == calls.asked[2][2] == {"StackName": STACK_ID}
    assert calls.params["StackName"] == STACK_ID


def test_a_stack_that_was_there_is_not_even_looked_at() -> None:
    """Only the change set is deleted."""
    _discard(ScriptedCalls(("DeleteChangeSet", {})), is_new=False, made_stack=False)


@pytest.mark.parametrize("status", sorted(set(STATUSES) - {"REVIEW_IN_PROGRESS"}))
def test_a_stack_in_any_other_status_is_never_deleted(status: str) -> None:
    """Somebody has executed something meanwhile: it is alive."""
    look = ("DescribeStacks", _stack_in(status))
    _discard(ScriptedCalls(("DeleteChangeSet", {}), _listed(), look))


def test_a_stack_that_is_gone_need_not_be_deleted() -> None:
    """Nothing to do, nothing to say."""
    gone = refusal("ValidationError", f"Stack with id {STACK_ID} does not exist")
    none = refusal("ValidationError", f"Stack [{STACK_ID}] does not exist")
    calls = ScriptedCalls(
        ("DeleteChangeSet", {}), ("ListChangeSets", none), ("DescribeStacks", gone)
    )
    report = _discard(calls)
    assert report.said("warning") == []


@pytest.mark.parametrize("made_stack", [True, False])
@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"Status": "CREATE_IN_PROGRESS"}, id="of-others"),
        pytest.param({"Status": "FAILED"}, id="of-others-and-failed"),
        pytest.param({"Status": "DELETE_IN_PROGRESS"}, id="of-others-and-going"),
        pytest.param(
            {"Status": "CREATE_COMPLETE", "Description": description("calamari-x-1")},
            id="of-another-run",
        ),
        pytest.param(
            {
                "Status": "CREATE_COMPLETE",
                "Description": description("calamari-x-1", for_approval=True),
            },
            id="for-approval",
        ),
    ],
)
def test_a_stack_with_another_change_set_is_never_deleted(
    other: dict[str, Any], made_stack: bool
) -> None:
    """Somebody else works on it."""
    there = _listed({"ChangeSetId": "arn:other", **other})
    _discard(ScriptedCalls(("DeleteChangeSet", {}), there), made_stack=made_stack)


def test_dead_change_sets_of_ours_keep_no_stack() -> None:
    """They go with it."""
    dead = {"ChangeSetId": "arn:x", "Status": "FAILED", "Description": description("calamari-x-1")}
    calls = ScriptedCalls(
        ("DeleteChangeSet", {}),
        _listed(dead),
        ("DescribeStacks", _stack_in("REVIEW_IN_PROGRESS")),
        ("DeleteStack", {}),
    )
    _discard(calls)


def _events(*statuses: str) -> tuple[str, dict[str, Any]]:
    room = Room()
    return "DescribeStackEvents", {
        "StackEvents": [
            {
                "EventId": f"e-{number}",
                "StackId": STACK_ID,
                "StackName": NAME,
                "ResourceStatus": status,
                "Timestamp": room.clock.now(),
            }
            for number, status in enumerate(statuses)
        ]
    }


def test_an_empty_stack_that_an_earlier_run_left_goes_too() -> None:
    """Its events tell of nothing but a change set that was made."""
    calls = ScriptedCalls(
        ("DeleteChangeSet", {}),
        _listed(),
        ("DescribeStacks", _stack_in("REVIEW_IN_PROGRESS")),
        _events("REVIEW_IN_PROGRESS"),
        ("DeleteStack", {}),
    )
    _discard(calls, made_stack=False)


def test_a_stack_with_a_past_is_never_deleted() -> None:
    """Whatever its status says now."""
    calls = ScriptedCalls(
        ("DeleteChangeSet", {}),
        _listed(),
        ("DescribeStacks", _stack_in("REVIEW_IN_PROGRESS")),
        _events("REVIEW_IN_PROGRESS", "CREATE_COMPLETE"),
    )
    _discard(calls, made_stack=False)


def test_what_a_run_could_not_remove_the_next_look_does() -> None:
    """A rehearsal leaves nothing behind, though the one before had to."""
    room = Room()
    room.aws.faults.append(Fault(operation="ListChangeSets", error="AccessDenied"))
    assert discard(room.work(), room.prepare()) is False
    assert room.aws.stack(NAME).status == "REVIEW_IN_PROGRESS"
    assert discard(room.work(), room.prepare(dry_run=True)) is True
    assert room.changed[-1] == "DeleteStack"


def test_one_that_is_executed_between_the_looks_keeps_its_stack() -> None:
    """The change sets are read first: then the status tells it."""
    room = Room()
    prepared = room.prepare()
    theirs = {"StackName": NAME, "ChangeSetName": "theirs"}
    params = {**theirs, "ChangeSetType": "CREATE", "TemplateBody": ONE}
    room.aws.call("cloudformation", "CreateChangeSet", params)
    room.clock.advance(60)
    original = room.aws.call

    def call(service: str, operation: str, params: Any, **more: Any) -> Any:
        answer = original(service, operation, params, **more)
        if operation == "ListChangeSets":
            original("cloudformation", "ExecuteChangeSet", theirs)
        return {} if operation == "ListChangeSets" else answer

    room.aws.call = call  # type: ignore[method-assign]
    assert discard(room.work(), prepared) is True
    assert "DeleteStack" not in room.changed


def test_a_change_set_that_goes_slowly_is_waited_for() -> None:
    """Nested ones are deleted by and by; the stack is looked at anew each time."""
    mine = {"Summaries": [{"ChangeSetId": CHANGE_SET_ID, "Status": "DELETE_IN_PROGRESS"}]}
    _discard(
        ScriptedCalls(
            ("DeleteChangeSet", {}),
            ("ListChangeSets", mine),
            ("DescribeStacks", _stack_in("REVIEW_IN_PROGRESS")),
            ("ListChangeSets", {}),
            ("DescribeStacks", _stack_in("REVIEW_IN_PROGRESS")),
            ("DeleteStack", {}),
        )
    )


def test_a_change_set_that_does_not_go_leaves_the_stack_with_a_warning() -> None:
    """The wait is bounded."""
    mine = {"Summaries": [{"ChangeSetId": CHANGE_SET_ID, "Status": "DELETE_IN_PROGRESS"}]}
    look = [("ListChangeSets", mine), ("DescribeStacks", _stack_in("REVIEW_IN_PROGRESS"))]
    report = _discard(ScriptedCalls(("DeleteChangeSet", {}), *(look * 10)), gone=False)
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
                ("ListChangeSets", {}),
                ("DescribeStacks", _stack_in("REVIEW_IN_PROGRESS")),
                ("DeleteStack", refusal("AccessDenied", "no", operation="DeleteStack")),
            ],
            "empty stack 'my-app' could not be deleted: the step's role is not allowed "
            "'cloudformation:DeleteStack' (stack 'my-app')",
            id="stack",
        ),
        pytest.param(
            [("DeleteChangeSet", throttled())] * 8,
            "change set 'calamari-ab12' of stack 'my-app' could not be deleted: cloudformation:X "
            "failed for now (Throttling, 5 tries in 30 s): Rate exceeded",
            id="throttled",
        ),
    ],
)
def test_what_cannot_be_cleaned_up_is_a_warning(script: list[Any], warning: str) -> None:
    """The step's own outcome stays what it is."""
    assert _discard(ScriptedCalls(*script), gone=False).said("warning") == [warning]


def test_what_passes_is_waited_for_though_the_time_is_over() -> None:
    """A minute for each call; the step's own limit is not for that."""
    room = Room(timeout=60.0)
    prepared = room.prepare()
    work = room.work()
    room.clock.advance(100)
    for operation in ("DeleteChangeSet", "ListChangeSets", "DeleteStack"):
        room.aws.faults.append(Fault(operation=operation, error="Throttling", times=2))
    assert discard(work, prepared) is True
    assert room.report.said("warning") == []
    assert room.changed[-1] == "DeleteStack"


@pytest.mark.parametrize(
    ("operation", "left"),
    [
        ("DeleteChangeSet", f" of stack '{NAME}', and the empty stack with it,"),
        ("DeleteStack", f"empty stack '{NAME}'"),
    ],
)
def test_a_signal_in_the_middle_of_it_says_what_is_left(operation: str, left: str) -> None:
    """And ends it: whoever signals twice does not want to wait."""
    room = Room()
    prepared = room.prepare()
    stop = Cancelled(signal.SIGTERM)
    room.aws.faults.append(Fault(operation=operation, error=stop))
    with pytest.raises(Cancelled):
        discard(room.work(), prepared)
    (warning,) = room.report.said("warning")
    assert warning.endswith(f"{left} may be left behind: the clean-up was interrupted")
