"""event_lines.py: events as people and programs see them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from calamari_py.steps.cloudformation.following.event_lines import EventLines, fields_of, line_of
from calamari_py.steps.cloudformation.values import StackEvent
from tests.steps.cloudformation.told import START, resource, stack
from tests.steps.cloudformation.world import BUCKET, StackWorld, template_text
from tests.steps.report import Report


def test_line_has_columns() -> None:
    """Time, status, place, type, reason."""
    event = resource(
        "Data/Database", "CREATE_FAILED", "no\n  room", kind="AWS::RDS::DBInstance", at=12
    )
    assert line_of(event, place=20) == (
        "09:30:12Z  CREATE_FAILED         Data/Database         AWS::RDS::DBInstance        no room"
    )


def test_line_of_a_nested_stack_itself_is_short() -> None:
    """Its name is long and ends in letters that mean nothing."""
    assert line_of(stack("CREATE_COMPLETE", path=("Data",))).split()[2] == "Data/"


def test_line_leaves_out_what_nobody_can_read() -> None:
    """An encoded message is long; the event's fields have it whole."""
    reason = f"Not authorized. Encoded authorization failure message: {'A' * 900} (Service: Ec2)"
    event = resource("A", "CREATE_FAILED", reason)
    assert line_of(event).endswith("Encoded authorization failure message: … (Service: Ec2)")
    assert fields_of(event)["reason"] == reason


def test_line_of_a_hook_says_what_the_hook_says() -> None:
    """Its status is not the resource's."""
    event = resource(
        "A", "CREATE_IN_PROGRESS", hook="H::X::Y", hook_status="HOOK_COMPLETE_FAILED",
        hook_reason="public",
    )  # fmt: skip
    assert line_of(event).endswith("H::X::Y HOOK_COMPLETE_FAILED: public")


def test_a_change_set_says_how_wide_the_place_is() -> None:
    """Before the first event there is."""
    world = StackWorld()
    long_name = "Q" * 40
    world.run(template=template_text(**{long_name: {"Type": "AWS::SQS::Queue"}, "B": BUCKET}))
    lines = [line for line in world.report.said("line") if line[8:9] == "Z"]
    assert {line.index("AWS::") for line in lines} == {33 + 40 + 2}


@pytest.mark.parametrize("place", [0, 40])
def test_columns_stay_where_they_are(place: int) -> None:
    """A long status, or a name longer than any that was announced, moves its own line alone."""
    report = Report()
    lines = EventLines(report, place=place)
    for event in (
        resource("A", "CREATE_COMPLETE"),
        resource("B" * max(place, 24), "CREATE_COMPLETE"),
        resource("C" * 60, "CREATE_COMPLETE"),
        stack("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
        resource("A", "CREATE_COMPLETE"),
    ):
        lines.show(event)
    first, second, long_name, long_status, last = report.said("line")
    assert {line.index("AWS::") for line in (first, second, last)} == {33 + max(place, 24) + 2}
    assert long_name.index("AWS::") > first.index("AWS::") < long_status.index("AWS::")


def test_a_name_does_not_push_the_reason_off_the_screen() -> None:
    """The place has its limit, whatever the change set has in it."""
    report = Report()
    EventLines(report, place=400).show(resource("A", "CREATE_COMPLETE"))
    assert report.said("line")[0].index("AWS::") == 33 + 48 + 2


@pytest.fixture
def _far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own time is another one."""
    monkeypatch.setenv("TZ", "XYZ-05:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_far_from_utc")
def test_times_are_utc_wherever_they_come_from() -> None:
    """A line is put beside those of other tools, whatever the zone of AWS's time or the machine."""
    zone = timezone(timedelta(hours=5, minutes=30))
    event = replace(resource("A", "CREATE_COMPLETE"), time=START.astimezone(zone))
    assert line_of(event).startswith("09:30:00Z  ")
    assert fields_of(event)["event_time"] == "2026-03-01T09:30:00.000Z"


@pytest.mark.parametrize(
    ("event", "tone"),
    [
        pytest.param(resource("A", "CREATE_FAILED"), "bad", id="failed"),
        pytest.param(stack("UPDATE_ROLLBACK_FAILED"), "bad", id="rollback-failed"),
        pytest.param(
            resource("A", "CREATE_IN_PROGRESS", hook="H", hook_status="HOOK_COMPLETE_FAILED"),
            "bad",
            id="hook",
        ),
        pytest.param(stack("ROLLBACK_IN_PROGRESS"), "warn", id="rollback"),
        pytest.param(stack("UPDATE_ROLLBACK_COMPLETE"), "warn", id="rolled-back"),
        pytest.param(stack("UPDATE_COMPLETE"), "good", id="the-end"),
        pytest.param(stack("UPDATE_COMPLETE", path=("Data",)), "", id="end-of-a-nested-one"),
        pytest.param(stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), "", id="not-the-end"),
        pytest.param(resource("A", "CREATE_COMPLETE"), "", id="resource"),
    ],
)
def test_a_line_has_a_tone(event: StackEvent, tone: str) -> None:
    """Red, yellow, and green once."""
    report = Report()
    EventLines(report).show(event)
    assert report.tones == [tone]


def test_programs_get_every_field() -> None:
    """Times are RFC 3339, in UTC."""
    event = resource("Data/Database", "CREATE_FAILED", "why", at=1.5, id="e-1")
    report = Report()
    EventLines(report).show(event)
    assert report.events == [
        (
            "stack_event",
            {
                "stack": "my-app-Data-1X",
                "logical_id": "Database",
                "physical_id": "physical-Database",
                "resource_type": "AWS::SNS::Topic",
                "status": "CREATE_FAILED",
                "reason": "why",
                "event_time": "2026-03-01T09:30:01.500Z",
                "event_id": "e-1",
                "path": ["Data"],
            },
        )
    ]
