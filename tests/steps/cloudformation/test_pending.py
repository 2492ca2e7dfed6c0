"""pending.py: which change set is executed, and which are replaced."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from calamari_py.errors import StackFailed
from calamari_py.steps.cloudformation.changes.ownership import description
from calamari_py.steps.cloudformation.changes.pending import find_pending, replace_older
from calamari_py.steps.cloudformation.sections import ChangeSetSection
from calamari_py.steps.cloudformation.values import ChangeSet, Stack
from tests.fake_cloudformation import Fault
from tests.fake_cloudformation.clock import START
from tests.steps.cloudformation.room import Room, change_set, template
from tests.steps.cloudformation.scripted import STACK_ID, ScriptedCalls, refusal
from tests.steps.cloudformation.world import NAME, ONE, PREFIX, TWO, StackWorld, template_text

COMMAND = "calamari run step.yaml --action execute"
MINE = description(f"{PREFIX}-000000000000", for_approval=True)
ANOTHERS = description("calamari-other-000000000000", for_approval=True)
FOR_ITSELF = description(f"{PREFIX}-000000000000")

# ---- finding the one to execute


def _pending(*summaries: dict[str, Any], **changes: Any) -> tuple[ChangeSet, ScriptedCalls]:
    """What is found among these."""
    calls = ScriptedCalls(
        ("ListChangeSets", {"Summaries": list(summaries)}),
        ("DescribeChangeSet", {"ChangeSetName": "found", "ExecutionStatus": "AVAILABLE"}),
    )
    work = Room(calls=calls).work(**changes)
    return find_pending(work, Stack(id=STACK_ID, name=NAME, status="CREATE_COMPLETE")), calls


def _summary(
    name: str, execution: str = "AVAILABLE", said: str = MINE, **more: Any
) -> dict[str, Any]:
    return {
        "ChangeSetId": f"arn:{name}",
        "ChangeSetName": name,
        "Status": "CREATE_COMPLETE",
        "ExecutionStatus": execution,
        "Description": said,
        **more,
    }


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([], id="alone"),
        pytest.param([_summary("by-hand", said="")], id="by-hand"),
        pytest.param([_summary("calamari-review", said="")], id="by-hand-with-our-prefix"),
        pytest.param([_summary("calamari-x", said=FOR_ITSELF)], id="of-a-killed-deploy"),
        pytest.param([_summary("calamari-x", "OBSOLETE")], id="obsolete"),
        pytest.param([_summary("calamari-x", said=ANOTHERS)], id="of-another-step"),
    ],
)
def test_the_one_that_waits_for_approval_is_found_and_read(others: list[dict[str, Any]]) -> None:
    """Among those that nobody has approved."""
    found, calls = _pending(*others, _summary("payments"))
    assert found.name == "found"
    assert calls.params == {"ChangeSetName": "arn:payments"}


def test_one_of_another_deployment_is_found_where_it_is_the_only_one() -> None:
    """The step's token has the deployment's id in it, which may be another one by then."""
    _, calls = _pending(_summary("calamari-x", said=ANOTHERS))
    assert calls.params == {"ChangeSetName": "arn:calamari-x"}


@pytest.mark.parametrize(
    ("summaries", "message", "hint"),
    [
        pytest.param(
            [],
            "stack 'my-app' has no change set that waits for approval",
            "make one with '--action change-set', look at it, and execute it then",
            id="none",
        ),
        pytest.param(
            [_summary("by-hand", said=""), _summary("calamari-x", said=FOR_ITSELF)],
            "stack 'my-app' has no change set that waits for approval",
            "make one with '--action change-set', look at it, and execute it then; to execute "
            "'by-hand', name it under 'change_set.name'",
            id="of-others",
        ),
        pytest.param(
            [_summary("calamari-a"), _summary("calamari-b")],
            "stack 'my-app' has more than one change set that waits for approval: 'calamari-a', "
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


@pytest.mark.parametrize("said", ["", MINE, ANOTHERS])
def test_the_one_that_is_named_is_read(said: str) -> None:
    """Whoever made it: the manifest says that it is this one."""
    calls = ScriptedCalls(
        ("DescribeChangeSet", _summary("release", said=said)),
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
            _summary("release", said=FOR_ITSELF),
            "change set 'release' of stack 'my-app' was never left for approval: the run that made "
            "it would have executed it itself, or only looked",
            id="never-for-approval",
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


# ---- one for approval replaces those before it


def _left(room: Room, text: str, **changes: Any) -> ChangeSet:
    """A change set for approval, as a run leaves it."""
    found = room.prepare(template=template(text), action="change-set", **changes).change_set
    replace_older(room.work(**changes), found)
    return found


THREE = template_text(Topic={"Type": "AWS::SNS::Topic"})


def test_the_newest_for_approval_replaces_those_before_it() -> None:
    """So that there is one to execute after two runs; it is said."""
    room = Room()
    room.aws.add_stack(NAME, template=ONE)
    first, second = _left(room, TWO), _left(room, THREE)
    assert room.left() == [second.name]
    said = f"change set '{first.name}' of an earlier run is replaced by this one"
    assert said in room.report.said("line")
    work = room.work(action="execute")
    stack = work.api.find(NAME)
    assert stack is not None
    assert find_pending(work, stack).id == second.id


def test_nobody_elses_is_replaced() -> None:
    """A human's, a killed deploy's, another step's."""
    room = Room()
    room.aws.add_stack(NAME, template=ONE)
    params = {"StackName": NAME, "ChangeSetName": "calamari-review", "TemplateBody": TWO}
    room.aws.call("cloudformation", "CreateChangeSet", params)
    killed = room.prepare(template=template(TWO)).change_set
    another = _left(room, TWO, token_prefix="calamari-other")
    mine = _left(room, THREE)
    assert room.left() == ["calamari-review", killed.name, another.name, mine.name]


@pytest.mark.parametrize(
    ("later", "is_replaced"), [(-1, True), (0, True), (1, False)], ids=["older", "same", "newer"]
)
def test_only_older_ones_are_replaced(later: int, is_replaced: bool) -> None:
    """Of two runs at once the later one's stays."""
    other = _summary("x", CreationTime=START + timedelta(seconds=later))
    calls = ScriptedCalls(
        ("ListChangeSets", {"Summaries": [other]}), *([("DeleteChangeSet", {})] * is_replaced)
    )
    replace_older(Room(calls=calls).work(), change_set(description=MINE, created=START))
    assert calls.is_done


@pytest.mark.parametrize("operation", ["ListChangeSets", "DeleteChangeSet"])
def test_older_ones_that_cannot_be_deleted_are_a_warning(operation: str) -> None:
    """The new one is there all the same."""
    room = Room()
    room.aws.add_stack(NAME, template=ONE)
    _left(room, TWO)
    room.aws.faults.append(Fault(operation=operation, error="AccessDenied"))
    _left(room, THREE)
    (warning,) = room.report.said("warning")
    assert warning.startswith(f"older change sets of stack '{NAME}' may still wait for approval: ")


@pytest.mark.parametrize("is_new", [True, False])
def test_a_run_says_how_to_go_on(is_new: bool) -> None:
    """Carry it out, or drop it: what holds a new stack's change set is a stack, too."""
    world = StackWorld()
    if not is_new:
        world.has(ONE)
    world.run(template=TWO, action="change-set")
    lines = world.report.said("line")
    assert f"carry it out:  {COMMAND}" in lines
    delete = "drop it with the empty stack that holds it:  calamari run step.yaml --action delete"
    assert (delete in lines) is is_new


def test_nobody_executes_what_a_killed_deployment_left() -> None:
    """It was judged by nobody, and may be older than the manifest."""
    world = StackWorld()
    world.has(ONE)
    world.aws.faults.append(Fault(operation="ExecuteChangeSet", error=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        world.run(template=TWO)
    assert len(world.change_sets()) == 1
    error = world.fail(action="execute")
    assert error.message == "stack 'my-app' has no change set that waits for approval"
    assert world.called() == []


def test_a_refusal_says_in_short_what_the_diff_has_said() -> None:
    """How many and which; the sentences are for programs."""
    world = StackWorld()
    world.has(TWO)
    error = world.fail(template=ONE, change_set=ChangeSetSection(refuse=("delete",)))
    assert isinstance(error, StackFailed)
    assert error.message == "refused by 'change_set.refuse': 1 deleted"
    assert error.evidence == ("refused\tQueue",)
    assert world.report.facts["refused"] == ["'Queue' (AWS::SQS::Queue) is deleted"]
