"""changes.py: the diff that people read, and the gate before it is executed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from calamari_py.steps.cloudformation.changes.changes import (
    Refusal,
    counted_refusals,
    counts,
    kind_of,
    named_refusals,
    refusals,
    report_changes,
)
from calamari_py.steps.cloudformation.values import STACK_TYPE, Change, ChangeSet
from tests.steps.cloudformation.scripted import CHANGE_SET_ID, STACK_ID
from tests.steps.report import Report

EMPTY = ChangeSet(
    id=CHANGE_SET_ID,
    name="calamari-ab12",
    stack_id=STACK_ID,
    status="CREATE_COMPLETE",
    execution="AVAILABLE",
)
BUCKET = Change(action="Add", logical_id="Bucket", resource_type="AWS::S3::Bucket")
FUNCTION = Change(
    action="Modify",
    logical_id="Function",
    resource_type="AWS::Lambda::Function",
    replacement="False",
    scope=("Properties",),
    because=("property Code is changed",),
)
DATABASE = Change(
    action="Modify",
    logical_id="Database",
    resource_type="AWS::RDS::DBInstance",
    replacement="True",
    policy="ReplaceAndDelete",
    because=(
        "property DBName needs recreation (new value from parameter Db)",
        "tags changed",
    ),
)
QUEUE = Change(
    action="Remove", logical_id="Queue", resource_type="AWS::SQS::Queue", policy="Delete"
)
NESTED = Change(
    action="Modify",
    logical_id="Data",
    resource_type=STACK_TYPE,
    replacement="False",
    nested="arn:nested",
)
INNER = replace(FUNCTION, path=("Data",))


def made_of(*changes: Change, unread: tuple[str, ...] = ()) -> ChangeSet:
    """A change set of these."""
    return replace(EMPTY, changes=changes, unread=unread)


def shown(change_set: ChangeSet) -> list[str]:
    """The lines of the diff."""
    report = Report()
    report_changes(report, change_set)
    return report.said("line")


def row(change: Change, **more: Any) -> str:
    """The one line of one change, its columns apart by two spaces."""
    return " ".join(shown(made_of(replace(change, **more)))[1].split())


def test_the_diff_is_aligned_and_in_the_order_of_aws() -> None:
    """A header, a row for each change, the numbers."""
    assert shown(made_of(BUCKET, FUNCTION, DATABASE, QUEUE)) == [
        "changes to my-app (change set calamari-ab12)",
        "  + Bucket    AWS::S3::Bucket",
        "  ~ Function  AWS::Lambda::Function  property Code is changed",
        (
            "  ± Database  AWS::RDS::DBInstance   replaced, the old one is deleted: property "
            "DBName needs recreation (new value from parameter Db)"
        ),
        "  - Queue     AWS::SQS::Queue        removed, the resource is deleted",
        "  1 added, 1 modified, 1 replaced, 1 removed",
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param(
            replace(QUEUE, policy="Retain"),
            "- Queue AWS::SQS::Queue removed, the resource is kept (Retain)",
            id="retain",
        ),
        pytest.param(
            replace(QUEUE, policy="Snapshot"),
            "- Queue AWS::SQS::Queue removed, the resource is deleted, a snapshot is kept",
            id="snapshot",
        ),
        pytest.param(
            replace(QUEUE, policy=""),
            "- Queue AWS::SQS::Queue removed, the resource is deleted",
            id="no-policy-told",
        ),
        pytest.param(
            replace(DATABASE, replacement="Conditional", policy="", because=("property A x",)),
            "? Database AWS::RDS::DBInstance may be replaced: property A x",
            id="conditional",
        ),
        pytest.param(
            replace(DATABASE, policy="ReplaceAndRetain", because=()),
            "± Database AWS::RDS::DBInstance replaced, the old one is kept (Retain)",
            id="old-one-kept",
        ),
        pytest.param(
            replace(DATABASE, policy="ReplaceAndSnapshot", because=()),
            "± Database AWS::RDS::DBInstance replaced, the old one is deleted, a snapshot is kept",
            id="old-one-as-snapshot",
        ),
        pytest.param(
            replace(BUCKET, action="Import", physical_id="logs"),
            "i Bucket AWS::S3::Bucket imported, it is 'logs'",
            id="import",
        ),
        pytest.param(
            replace(BUCKET, action="Dynamic"),
            "? Bucket AWS::S3::Bucket not known before it is executed",
            id="dynamic",
        ),
        pytest.param(
            replace(FUNCTION, because=(), scope=("Tags", "Metadata")),
            "~ Function AWS::Lambda::Function Tags, Metadata changed",
            id="scope-only",
        ),
        pytest.param(
            replace(FUNCTION, action="SyncWithActual"),
            "~ Function AWS::Lambda::Function property Code is changed",
            id="drift-reverted",
        ),
        pytest.param(
            replace(QUEUE, resource_type=STACK_TYPE),
            "- Queue AWS::CloudFormation::Stack removed, the stack and all in it is deleted",
            id="nested-stack-removed",
        ),
    ],
)
def test_a_row_says_what_happens(change: Change, text: str) -> None:
    """One mark and one sentence for each kind of change."""
    assert row(change) == text


def test_what_is_in_a_nested_stack_stands_below_it() -> None:
    """Moved in by its path, and counted in the place of the stack that holds it."""
    deep = replace(BUCKET, path=("Data", "Inner"))
    lines = shown(made_of(NESTED, INNER, deep))
    assert [line[:14].rstrip() for line in lines[1:4]] == [
        "  ~ Data",
        "    ~ Function",
        "      + Bucket",
    ]
    assert lines[4] == "  1 added, 1 modified, 0 replaced, 0 removed"


def test_a_nested_stack_that_could_not_be_read_says_so() -> None:
    """It counts as modified: nobody knows what is in it."""
    change_set = made_of(NESTED, unread=("Data",))
    assert shown(change_set)[1].endswith("what changes inside is not known")
    assert counts(change_set)["modified"] == 1


def test_rare_kinds_are_counted_where_there_are_any() -> None:
    """Imports, perhaps replaced and unknown ones follow the four usual numbers."""
    change_set = made_of(
        replace(BUCKET, action="Import"),
        replace(DATABASE, replacement="Conditional"),
        replace(BUCKET, action="Dynamic"),
    )
    assert shown(change_set)[-1] == (
        "  0 added, 0 modified, 0 replaced, 0 removed, 1 imported, 1 perhaps replaced, "
        "1 not known before it is executed"
    )


def test_a_change_set_without_resource_changes_says_what_it_is() -> None:
    """Outputs and tags can change alone; that is executed, so it must not look like nothing."""
    assert shown(made_of())[-1] == (
        "  no resource changes: only outputs, tags or other settings of the stack do"
    )


def test_programs_get_every_change_and_the_numbers() -> None:
    """An event of the type stack_change for each row, and the fact `changes`."""
    report = Report()
    report_changes(report, made_of(DATABASE, INNER))
    assert [event for event, _ in report.events] == ["stack_change", "stack_change"]
    assert report.events[0][1] == {
        "stack": "my-app",
        "change": "replaced",
        "logical_id": "Database",
        "physical_id": "",
        "resource_type": "AWS::RDS::DBInstance",
        "action": "Modify",
        "replacement": "True",
        "policy": "ReplaceAndDelete",
        "scope": [],
        "because": list(DATABASE.because),
        "path": [],
        "text": "replaced, the old one is deleted: property DBName needs recreation (new value "
        "from parameter Db)",
    }
    assert report.events[1][1]["path"] == ["Data"]
    assert report.facts["changes"]["replaced"] == 1


@pytest.mark.parametrize(
    ("change", "refuse", "sentence"),
    [
        pytest.param(
            DATABASE,
            ("replace",),
            "'Database' (AWS::RDS::DBInstance) is replaced, the old one is deleted: property "
            "DBName needs recreation (new value from parameter Db)",
            id="replaced",
        ),
        pytest.param(
            replace(DATABASE, replacement="Conditional", policy=""),
            ("replace",),
            "'Database' (AWS::RDS::DBInstance) may be replaced: property DBName needs recreation "
            "(new value from parameter Db)",
            id="perhaps-replaced",
        ),
        pytest.param(
            replace(DATABASE, because=()),
            ("delete",),
            "'Database' (AWS::RDS::DBInstance) is replaced, the old one is deleted",
            id="a-replacement-deletes",
        ),
        pytest.param(
            replace(DATABASE, because=(), policy="ReplaceAndSnapshot"),
            ("delete",),
            "'Database' (AWS::RDS::DBInstance) is replaced, the old one is deleted, a snapshot is "
            "kept",
            id="a-snapshot-is-no-database",
        ),
        pytest.param(
            replace(DATABASE, because=(), policy=""),
            ("delete",),
            "'Database' (AWS::RDS::DBInstance) is replaced",
            id="a-replacement-without-policy",
        ),
        pytest.param(
            replace(DATABASE, policy="ReplaceAndRetain"), ("delete",), None, id="old-one-is-kept"
        ),
        pytest.param(
            replace(DATABASE, because=(), policy="ReplaceAndRetain"),
            ("replace",),
            "'Database' (AWS::RDS::DBInstance) is replaced, the old one is kept (Retain)",
            id="kept-is-replaced-all-the-same",
        ),
        pytest.param(QUEUE, ("delete",), "'Queue' (AWS::SQS::Queue) is deleted", id="deleted"),
        pytest.param(
            replace(QUEUE, policy="Snapshot"),
            ("delete",),
            "'Queue' (AWS::SQS::Queue) is deleted, only a snapshot is kept",
            id="snapshot",
        ),
        pytest.param(
            replace(QUEUE, policy=""),
            ("delete",),
            "'Queue' (AWS::SQS::Queue) is deleted",
            id="no-policy-told",
        ),
        pytest.param(replace(QUEUE, policy="Retain"), ("delete", "replace"), None, id="retained"),
        pytest.param(QUEUE, ("replace",), None, id="deletion-is-allowed"),
        pytest.param(
            replace(QUEUE, resource_type=STACK_TYPE),
            ("delete",),
            "'Queue' (AWS::CloudFormation::Stack) is deleted with all that is in it",
            id="nested-stack-deleted",
        ),
        pytest.param(
            replace(BUCKET, action="Dynamic"),
            ("replace",),
            "what happens to 'Bucket' (AWS::S3::Bucket) is not known before it is executed",
            id="dynamic",
        ),
        pytest.param(
            replace(BUCKET, action="Whatever"),
            ("delete",),
            "what happens to 'Bucket' (AWS::S3::Bucket) is not known before it is executed",
            id="an-action-of-tomorrow",
        ),
        pytest.param(
            replace(DATABASE, path=("Data",), because=()),
            ("replace",),
            "'Data/Database' (AWS::RDS::DBInstance) is replaced, the old one is deleted",
            id="inside-of-a-nested-stack",
        ),
        pytest.param(BUCKET, ("replace", "delete"), None, id="added"),
        pytest.param(FUNCTION, ("replace", "delete"), None, id="modified"),
        pytest.param(NESTED, ("replace", "delete"), None, id="nested-and-read"),
        pytest.param(replace(BUCKET, action="Import"), ("replace", "delete"), None, id="imported"),
        pytest.param(DATABASE, (), None, id="nothing-is-refused"),
    ],
)
def test_the_gate(change: Change, refuse: tuple[str, ...], sentence: str | None) -> None:
    """What `refuse` says to one change."""
    told = tuple(one.sentence for one in refusals(made_of(change), refuse))
    assert told == ((sentence,) if sentence else ())


@pytest.mark.parametrize("refuse", [("replace",), ("delete",)])
@pytest.mark.parametrize(
    ("change", "is_refused"),
    [
        pytest.param(NESTED, True, id="modified"),
        pytest.param(replace(NESTED, action="Import"), True, id="imported"),
        pytest.param(
            replace(NESTED, replacement="True", policy="ReplaceAndRetain"), True, id="replaced"
        ),
        pytest.param(replace(NESTED, action="Add"), False, id="added"),
    ],
)
def test_what_is_not_known_of_a_nested_stack_is_refused(
    change: Change, is_refused: bool, refuse: tuple[str, ...]
) -> None:
    """Unless it is new: then there is nothing that could be lost."""
    assert bool(refusals(made_of(change, unread=("Data",)), refuse)) is is_refused


def test_without_a_gate_what_is_not_known_may_be_executed() -> None:
    """Nobody who did not ask for a gate is stopped by one."""
    change_set = made_of(NESTED, replace(BUCKET, action="Dynamic"), unread=("Data",))
    assert refusals(change_set, ()) == ()


def test_the_gate_names_every_resource() -> None:
    """All of them, in the order of AWS."""
    refused = refusals(made_of(QUEUE, BUCKET, DATABASE), ("replace", "delete"))
    assert [one.resource for one in refused] == ["Queue", "Database"]


def test_a_refusal_is_counted_by_what_happens() -> None:
    """One short line: the diff above it says the rest."""
    change_set = made_of(
        QUEUE,
        DATABASE,
        replace(DATABASE, logical_id="Other", path=("Data",)),
        replace(DATABASE, replacement="Conditional"),
        replace(BUCKET, action="Dynamic"),
        NESTED,
        unread=("Data",),
    )
    assert counted_refusals(refusals(change_set, ("replace", "delete"))) == (
        "1 deleted, 2 replaced, 1 perhaps replaced, 2 not known"
    )


@pytest.mark.parametrize(
    ("number", "end"), [(1, "R0"), (20, ", R19"), (21, ", R19 and 1 more"), (28, " and 8 more")]
)
def test_a_refusal_names_so_many(number: int, end: str) -> None:
    """The others are in the fact `refused`."""
    refused = [Refusal(resource=f"R{one}", what="deleted", sentence="") for one in range(number)]
    assert named_refusals(refused).endswith(end)
    assert named_refusals(refused).count(",") == min(number, 20) - 1


def test_the_diff_has_tones() -> None:
    """For those who see colours; the marks say the same."""
    report = Report()
    change_set = made_of(
        BUCKET, QUEUE, DATABASE, replace(DATABASE, replacement="Conditional"), FUNCTION
    )
    report_changes(report, change_set)
    assert report.tones == ["", "good", "bad", "warn", "warn", "", ""]


@pytest.mark.parametrize("change", [BUCKET, FUNCTION, DATABASE, QUEUE, NESTED])
def test_every_kind_is_counted(change: Change) -> None:
    """What kind_of says is a key of the counts."""
    assert kind_of(change) in counts(made_of(change))
