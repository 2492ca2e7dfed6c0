"""Names of what changes."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.steps.terraform.reading.attributes import changed_attributes
from calamari_py.steps.terraform.reading.document import ChangeDocument
from calamari_py.steps.terraform.reading.plan import read_plan
from tests.steps.terraform.reading.documents import only, recorded, resource


def paths(**sides: Any) -> tuple[str, ...]:
    """What changed between the two sides."""
    return changed_attributes(ChangeDocument(actions=("update",), **sides))[0]


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        pytest.param({"before": {"a": 1}, "after": {"a": 1}}, (), id="same"),
        pytest.param({"before": {"a": 1}, "after": {"a": 2}}, ("a",), id="changed"),
        pytest.param({"before": {}, "after": {"a": 2}}, ("a",), id="added"),
        pytest.param({"before": {"a": 1}, "after": {"a": None}}, ("a",), id="unset"),
        pytest.param(
            {"before": {"t": {"x": 1, "a b": 1}}, "after": {"t": {"x": 1, "a b": 2}}},
            ('t["a b"]',),
            id="key-of-a-map",
        ),
        pytest.param(
            {"before": {"a": {"b": 1}}, "after": {}, "after_unknown": {"a": True}},
            ("a",),
            id="known-after-apply",
        ),
        pytest.param(
            {"before": {"a": {}}, "after": {"a": {}}, "after_unknown": {"a": {"b": True}}},
            ("a.b",),
            id="part-known-after-apply",
        ),
        pytest.param(
            {"before": {"a": 1}, "after": {"a": 1}, "after_unknown": {"a": False, "l": [False]}},
            (),
            id="nothing-unknown",
        ),
        pytest.param(
            {"before": {"l": [{"p": 1}, {"p": 2}]}, "after": {"l": [{"p": 1}, {"p": 3}]}},
            ("l[1].p",),
            id="block-of-a-list",
        ),
        pytest.param(
            {"before": {"l": [{"p": 1}]}, "after": {"l": [{"p": 1}, {"p": 3}]}},
            ("l",),
            id="longer-list",
        ),
        pytest.param({"before": {"l": [1, 2]}, "after": {"l": [2, 1]}}, ("l",), id="list-of-texts"),
        pytest.param(
            {"before": {"p": 1}, "after": {"p": 2}, "after_sensitive": {"p": True}},
            ("p (sensitive)",),
            id="sensitive",
        ),
        pytest.param(
            {"before": {"m": {"k": 1}}, "after": {"m": {"k": 2}}, "before_sensitive": {"m": True}},
            ("m (sensitive)",),
            id="keys-of-a-sensitive-map-stay-unnamed",
        ),
        pytest.param(
            {
                "before": {"l": [{"p": 1}]},
                "after": {"l": []},
                "before_sensitive": {"l": [{"p": True}]},
            },
            ("l (sensitive)",),
            id="sensitive-part-of-what-goes",
        ),
        pytest.param(
            {"before": {"p": 1, "q": 1}, "after": {"p": 1, "q": 1}, "after_sensitive": {"p": True}},
            ("p (sensitive)",),
            id="only-the-mark-changes",
        ),
    ],
)
def test_changed_paths(sides: dict[str, Any], expected: tuple[str, ...]) -> None:
    """Each path that differs is named, and only those."""
    assert paths(**sides) == expected


def test_a_dozen_and_how_many_more() -> None:
    """A change of everything does not fill the log."""
    before, after = ({f"a{n}": value for n in range(40)} for value in (1, 2))
    change = only(resource("a.b", "update", before=before, after=after))
    assert (len(change.attributes), change.more_attributes) == (12, 28)


def test_the_paths_of_aws_resources() -> None:
    """What `hashicorp/aws` says of a database and a function."""
    found = {one.address: one.attributes for one in read_plan(recorded("aws")).changes}
    assert found["aws_db_instance.main"] == (
        "instance_class",
        "password (sensitive)",
        "tags.Owner",
        "tags_all.Owner",
    )
    assert found["aws_lambda_function.notify"] == (
        "environment[0].variables (sensitive)",
        "memory_size",
        "last_modified",
        "qualified_arn",
    )


def test_deep_values_are_walked() -> None:
    """No depth ends the reading."""
    before: Any = 1
    after: Any = 2
    for _ in range(3000):
        before, after = {"a": before}, {"a": after}
    (path,) = paths(before=before, after=after)
    assert path == ".".join(["a"] * 3000)
