"""Differences as people read them, and as events."""

from __future__ import annotations

from calamari_py.steps.kubernetes.diffing import tell
from calamari_py.steps.kubernetes.diffing.difference import Difference, DifferenceKind
from calamari_py.steps.kubernetes.diffing.tell import one_line, report_differences
from calamari_py.steps.kubernetes.values import ObjectRef
from tests.steps.report import Report


def difference(kind: DifferenceKind, *lines: str, note: str = "") -> Difference:
    """Of ``Pod app/KIND``."""
    ref = ObjectRef(kind="Pod", name=kind, namespace="app")
    return Difference(ref=ref, kind=kind, lines=lines, note=note)


ALL = (
    difference("create", "+a: 1"),
    difference("change", "@@ spec @@", " a: 1", "-b: 1", "+b: 2", "~  c: *** (changed)"),
    difference("none"),
    difference("delete", "-a: 1"),
    difference("unknown", note="the webhook takes no dry run"),
)


def test_what_people_read() -> None:
    """The sum first; an object that stays is not named."""
    report = Report()
    report_differences(report, ALL)
    shown = [
        (text, tone) for (_, text), tone in zip(report.told, report.tones, strict=True) if text
    ]
    assert shown == [
        ("differences  1 to create, 1 to change, 1 to delete, 1 unknown, 1 unchanged", ""),
        ("+ Pod app/create", "good"),
        ("    +a: 1", "good"),
        ("~ Pod app/change", "warn"),
        ("    @@ spec @@", ""),
        ("     a: 1", ""),
        ("    -b: 1", "bad"),
        ("    +b: 2", "good"),
        ("    ~  c: *** (changed)", "warn"),
        ("- Pod app/delete", "bad"),
        ("    -a: 1", "bad"),
        ("? Pod app/unknown  the webhook takes no dry run", "warn"),
    ]


def test_what_programs_read() -> None:
    """An event for each object, and how many there are of each kind."""
    report = Report()
    report_differences(report, ALL)
    assert [name for name, _ in report.events] == ["kube_difference"] * 5
    assert report.events[0][1] == {
        "api_version": "v1", "kind": "Pod", "name": "create", "namespace": "app",
        "change": "create", "note": None,
    }  # fmt: skip
    assert [fields["change"] for _, fields in report.events] == [each.kind for each in ALL]
    assert report.facts["differences"] == {
        "create": 1, "change": 1, "delete": 1, "unknown": 1, "none": 1,
    }  # fmt: skip


def test_no_difference() -> None:
    """One word."""
    assert one_line([difference("none")]) == "none"


def test_a_flood_of_lines_ends() -> None:
    """Every object is named all the same."""
    report = Report()
    many = [difference("create", *["+a"] * 150)] * 20
    report_differences(report, many)
    lines = report.said("line")
    assert lines.count("    +a") == tell.MOST_LINES
    assert lines.count("+ Pod app/create") == 20
    assert lines[-1] == "1,000 more lines are not shown"
