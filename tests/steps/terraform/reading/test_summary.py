"""What people and programs read of a plan."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.steps.terraform.reading.plan import read_plan
from calamari_py.steps.terraform.reading.summary import (
    counts,
    one_line,
    report_drift,
    report_plan,
)
from calamari_py.steps.terraform.values import Change, ChangeKind, OutputChange, Plan
from tests.steps.terraform.fakes import ToolReport
from tests.steps.terraform.reading.documents import PLANS, plan, recorded, resource


def lines(report: ToolReport) -> list[str]:
    """What is shown where people read."""
    return [text for what, text in report.told if what == "line" and text]


def told(found: Plan, verb: str = "plan") -> list[str]:
    """The plan as people read it."""
    report = ToolReport()
    report_plan(report, found, verb=verb)
    return lines(report)


def drift_of(found: Plan) -> ToolReport:
    """The drift, reported."""
    report = ToolReport()
    report_drift(report, found)
    return report


def test_a_plan_of_aws() -> None:
    """How many, each by module with why, the outputs, and what is left."""
    assert told(read_plan(recorded("aws"))) == (PLANS / "aws.txt").read_text().splitlines()


def test_the_root_module_alone_needs_no_heading() -> None:
    """A small plan is a small text."""
    found = plan(resource("aws_sqs_queue.q", "create"), resource("aws_sqs_queue.longer", "delete"))
    assert told(found, "destroy") == [
        "destroy  1 to create, 1 to destroy",
        "  +   aws_sqs_queue.q",
        "  -   aws_sqs_queue.longer",
    ]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(Plan(), "no changes", id="nothing"),
        pytest.param(
            Plan(outputs=(OutputChange(name="o", action="create"),)),
            "only outputs change",
            id="outputs",
        ),
        pytest.param(
            Plan(changes=(Change(address="data.a.b", kind="read"),)),
            "nothing to change, data to read",
            id="data",
        ),
        pytest.param(
            Plan(changes=(Change(address="a.b", kind="update", imported=True, previous="a.c"),)),
            "1 to update",
            id="imported-moved-and-updated",
        ),
    ],
)
def test_one_line(found: Plan, expected: str) -> None:
    """How many of each kind, and a word where there is none."""
    assert one_line(found) == expected


def test_an_instance_counts_once() -> None:
    """One that moves and is destroyed then is destroyed, and one lost instance."""
    moved = Change(address="a.b", kind="destroy", previous="a.c")
    assert one_line(Plan(changes=(moved,))) == "1 to destroy"


def test_counts_have_every_kind() -> None:
    """Programs find a zero, not a gap."""
    assert counts(Plan()) == {
        "create": 0,
        "update": 0,
        "replace": 0,
        "destroy": 0,
        "import": 0,
        "move": 0,
        "forget": 0,
    }


def test_counts_are_a_fact() -> None:
    """The result holds them."""
    report = ToolReport()
    report_plan(report, read_plan(recorded("change")), verb="plan")
    assert report.facts["changes"] == {
        "create": 1,
        "update": 2,
        "replace": 4,
        "destroy": 3,
        "import": 1,
        "move": 1,
        "forget": 1,
    }


def test_each_change_is_an_event() -> None:
    """With everything a program asks for, and no value."""
    report = ToolReport()
    report_plan(report, read_plan(recorded("aws")), verb="plan")
    assert {name for name, _ in report.events} == {"terraform_change"}
    assert len(report.events) == 14
    assert report.events[1][1] == {
        "address": "aws_instance.web[0]",
        "change": "replace",
        "actions": ["delete", "create"],
        "resource_type": "aws_instance",
        "module": "",
        "previous": None,
        "because": ["ami changed (cannot be updated in place)"],
        "replaced_by": ["ami"],
        "attributes": [],
        "more_attributes": 0,
        "deposed": False,
        "imported": False,
    }


def texts_of(value: Any) -> set[str]:
    """All texts in a JSON value."""
    if isinstance(value, dict):
        return set().union(*map(texts_of, value.values()))
    if isinstance(value, list):
        return set().union(*map(texts_of, value))
    return {value} if isinstance(value, str) else set()


@pytest.mark.parametrize("name", ["aws", "create", "change", "destroy"])
def test_no_value_is_shown(name: str) -> None:
    """Names only: a value that is no secret by Terraform's idea may be one by somebody else's."""
    document = recorded(name)
    report = ToolReport()
    report_plan(report, read_plan(document), verb="plan")
    report_drift(report, read_plan(document))
    shown = repr([report.told, report.events, report.facts])
    changes = [
        each["change"]
        for part in ("resource_changes", "resource_drift")
        for each in document.get(part, [])
    ] + list(document["output_changes"].values())
    values = set().union(*(texts_of([one["before"], one["after"]]) for one in changes))
    keys = {"eu-west-1"}  # an instance is named so
    long = {value for value in values if len(value) > 8} - keys
    assert long
    assert not {value for value in long if value in shown}


@pytest.mark.parametrize(
    ("kind", "tone"),
    [
        ("create", "good"),
        ("import", "good"),
        ("update", "warn"),
        ("forget", "warn"),
        ("replace", "bad"),
        ("destroy", "bad"),
        ("read", ""),
        ("move", ""),
    ],
)
def test_tones(kind: ChangeKind, tone: str) -> None:
    """What is lost stands out where there are colours."""
    tones: list[str] = []

    class Toned(ToolReport):
        def line(self, text: str, *, tone: str = "", **more: Any) -> None:
            tones.append(tone)

    report_plan(Toned(), Plan(changes=(Change(address="a.b", kind=kind),)), verb="plan")
    assert tones == ["", tone]


def test_a_large_plan_is_folded() -> None:
    """By module and type with how many; what is lost is named all the same, and every change is an
    event."""
    changes = [
        Change(address=f"aws_sqs_queue.q[{number}]", kind="create", type="aws_sqs_queue")
        for number in range(150)
    ] + [
        Change(
            address=f"module.m.aws_sns_topic.t[{number}]",
            kind="update",
            type="aws_sns_topic",
            module="module.m",
        )
        for number in range(50)
    ]
    lost = Change(address="module.m.a.b", kind="destroy", type="a", module="module.m")
    report = ToolReport()
    report_plan(report, Plan(changes=(*changes, lost)), verb="plan")
    assert lines(report) == [
        "plan  150 to create, 50 to update, 1 to destroy",
        "  root module  150 to create",
        "    +   150 x aws_sqs_queue",
        "  module.m  50 to update, 1 to destroy",
        "    ~   50 x aws_sns_topic",
        "    -   module.m.a.b",
        "  all names are in 'details.plan' of --result, and events of --format json",
    ]
    assert len(report.events) == 201
    assert report.facts["plan"][150] == {
        "address": "module.m.aws_sns_topic.t[0]",
        "change": "update",
    }


@pytest.mark.parametrize(("part", "fact"), [("changes", "plan"), ("drift", "drift")])
def test_the_result_keeps_a_thousand_names(part: str, fact: str) -> None:
    """It stays a document that can be read."""
    many = tuple(Change(address=f"a.b[{number}]", kind="update") for number in range(1001))
    report = drift_of(Plan(drift=many)) if part == "drift" else ToolReport()
    if part == "changes":
        report_plan(report, Plan(changes=many), verb="plan")
    assert [one["address"] for one in report.facts[fact]][-1] == "a.b[999]"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"is_errored": True, "is_complete": False}, "ended in an error", id="errored"),
        pytest.param({"is_complete": False}, "only the targets were planned", id="targeted"),
        pytest.param({"deferred": ("a.b",) * 6}, "6 more to plan after this", id="deferred"),
    ],
)
def test_a_plan_that_is_not_all_says_so(changes: dict[str, Any], expected: str) -> None:
    """Nobody takes a part for the whole."""
    assert expected in told(Plan(**changes))[-1]


def test_drift() -> None:
    """What was changed, by name, and what is gone."""
    report = drift_of(read_plan(recorded("aws")))
    assert lines(report) == [
        "drift  3 resources were changed outside of Terraform",
        "  ~   aws_security_group.web  ingress, tags.Touched, tags_all.Touched",
        "  ~   aws_db_instance.main    backup_retention_period, password (sensitive)",
        "  -   aws_sqs_queue.dead      is gone",
    ]
    assert [name for name, _ in report.events] == ["terraform_drift"] * 3
    assert report.facts["drift"] == [
        {"address": "aws_security_group.web", "change": "update"},
        {"address": "aws_db_instance.main", "change": "update"},
        {"address": "aws_sqs_queue.dead", "change": "destroy"},
    ]


def test_no_drift() -> None:
    """Said, so that nobody asks whether it was looked for."""
    report = drift_of(Plan())
    assert (lines(report), report.facts) == (["drift  none"], {"drift": []})


def test_much_drift() -> None:
    """Two hundred lines are enough; programs get all."""
    drift = tuple(Change(address=f"a.b[{number}]", kind="destroy") for number in range(250))
    report = drift_of(Plan(drift=drift))
    assert lines(report)[-1] == "  and 50 more"
    assert (len(lines(report)), len(report.events)) == (202, 250)
