"""How objects differ, in lines that hold no secret."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from calamari_py.steps.kubernetes.diffing.difference import MOST_LINES, compare
from calamari_py.steps.kubernetes.diffing.lines import LONGEST, Numbers, lines_of
from calamari_py.steps.kubernetes.values import ref_of

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def web(image: str = "web:1", **metadata: Any) -> dict[str, Any]:
    """A Deployment."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "app", **metadata},
        "spec": {
            "replicas": 2,
            "template": {"spec": {"containers": [{"image": image, "name": "web", "tty": True}]}},
        },
    }


def secret(name: str = "data", metadata: Any = None, **values: str) -> dict[str, Any]:
    """A Secret with `values` in its field `name`."""
    if name == "data":
        values = {key: base64.b64encode(text.encode()).decode() for key, text in values.items()}
    metadata = {"name": "db", "namespace": "app", **(metadata or {})}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, name: values}


def lines(live: dict[str, Any] | None, wanted: dict[str, Any] | None, **more: Any) -> list[str]:
    """How `live` would differ."""
    return list(compare(ref_of(live or wanted or {}), live, wanted, **more).lines)


def test_a_change_has_what_stands_around_it() -> None:
    """Three lines on each side, and the path that it stands in."""
    assert lines(web(), web("web:2")) == [
        "@@ spec.template.spec.containers[0] @@",
        "   template:",
        "     spec:",
        "       containers:",
        "-      - image: web:1",
        "+      - image: web:2",
        "         name: web",
        "         tty: true",
    ]


def test_changes_far_from_each_other_are_told_apart() -> None:
    """Each with its own path."""
    data = {f"k{number:02}": "same" for number in range(30)}
    live = {"metadata": {"name": "x"}, "data": data}
    wanted = {**live, "data": {**data, "k05": "other", "k25": "other"}, "extra": 1}
    found = lines(live, wanted)
    assert [line for line in found if line[0] in "@+-"] == [
        "@@ data @@", "-  k05: same", "+  k05: other",
        "@@ data @@", "-  k25: same", "+  k25: other", "+extra: 1",
    ]  # fmt: skip
    assert sum(line[0] == " " for line in found) == 3 + 3 + 3 + 4 + 2


@pytest.mark.parametrize(
    ("live", "wanted", "kind", "marks"),
    [
        pytest.param(None, web(), "create", "+", id="create"),
        pytest.param(web(), None, "delete", "-", id="delete"),
        pytest.param(web(), web(), "none", "", id="none"),
        pytest.param(None, None, "none", "", id="nothing"),
        pytest.param(web(), web("x"), "change", " +-@", id="change"),
        pytest.param(None, secret(k="v"), "create", " +", id="create-a-secret"),
        pytest.param(secret(k="v"), None, "delete", " -", id="delete-a-secret"),
    ],
)
def test_kinds(
    live: dict[str, Any] | None, wanted: dict[str, Any] | None, kind: str, marks: str
) -> None:
    """What is not there is made, what is not wanted goes."""
    found = compare(ref_of(web()), live, wanted)
    assert (found.kind, "".join(sorted({line[0] for line in found.lines}))) == (
        kind,
        "".join(sorted(marks)),
    )


@pytest.mark.parametrize(
    "made_up",
    [
        pytest.param({"metadata": {"managedFields": [{"manager": "x"}]}}, id="managed-fields"),
        pytest.param({"metadata": {"resourceVersion": "1", "uid": "u"}}, id="version"),
        pytest.param({"metadata": {"creationTimestamp": None, "generation": 3}}, id="times"),
        pytest.param({"metadata": {"annotations": {LAST_APPLIED: "{}"}}}, id="last-applied"),
        pytest.param(
            {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "3"}}}, id="revision"
        ),
        pytest.param({"metadata": {"labels": {}, "annotations": None}}, id="empty"),
        pytest.param({"status": {"replicas": 3}}, id="status"),
    ],
)
def test_what_the_server_makes_up_is_no_difference(made_up: dict[str, Any]) -> None:
    """On either side."""
    other = {**web(), **made_up, "metadata": {**web()["metadata"], **made_up.get("metadata", {})}}
    assert compare(ref_of(web()), other, web()).kind == "none"
    assert compare(ref_of(web()), web(), other).kind == "none"


def test_a_namespace_that_is_not_written_is_that_of_the_object() -> None:
    """A file may leave it to the step."""
    wanted = web()
    del wanted["metadata"]["namespace"]
    assert lines(web(), wanted) == []


def test_what_helm_adds_is_left_out_where_it_is_asked_for() -> None:
    """The annotations and the label of a release."""
    live = web(
        annotations={"meta.helm.sh/release-name": "a", "meta.helm.sh/release-namespace": "b"},
        labels={"app.kubernetes.io/managed-by": "Helm"},
    )
    assert lines(live, web(), without_helm=True) == []
    assert len(lines(live, web())) > 1


def test_true_is_not_1() -> None:
    """Though it is to Python."""
    assert lines({"a": True}, {"a": 1}) == [
        "@@",
        "-a: true",
        "+a: 1",
    ]
    assert lines({"a": 1.0}, {"a": 1}) == []


def test_a_secret_is_told_by_its_keys() -> None:
    """Its type is no secret."""
    live = {**secret(same="hunter2", other="hunter3", gone="hunter4"), "type": "a"}
    wanted = {**secret(same="hunter2", other="hunter5", new="hunter6"), "type": "b"}
    assert lines(live, wanted) == [
        "@@",
        " kind: Secret",
        " metadata:",
        "   name: db",
        "-type: a",
        "+type: b",
        " data:",
        "-  gone: *** (removed)",
        "+  new: *** (added)",
        "~  other: *** (changed)",
    ]


def test_string_data_is_what_the_server_makes_of_it() -> None:
    """The same value in either field is no difference."""
    assert lines(secret(k="hunter2"), secret("stringData", k="hunter2")) == []


def carrying(*bodies: dict[str, Any]) -> dict[str, Any]:
    """An object that holds others."""
    return {"apiVersion": "x.org/v1", "kind": "Bundle", "metadata": {"name": "b"},
            "objects": list(bodies)}  # fmt: skip


@pytest.mark.parametrize(
    ("live", "wanted"),
    [
        pytest.param(secret(k="hunter2"), secret(k="hunter3"), id="data"),
        pytest.param(None, secret("stringData", k="hunter2"), id="create"),
        pytest.param(secret(k="hunter2"), None, id="delete"),
        pytest.param(
            secret(metadata={"annotations": {LAST_APPLIED: json.dumps(secret(k="hunter2"))}}),
            secret(k="hunter3"),
            id="last-applied",
        ),
        pytest.param(
            secret(metadata={"annotations": {"kapp.k14s.io/original": '{"k": "hunter2"}'}}),
            secret(metadata={"annotations": {"kapp.k14s.io/original": '{"k": "hunter3"}'}}),
            id="another-tools-copy",
        ),
        pytest.param(
            carrying(secret(k="hunter2")), carrying(secret("stringData", k="hunter3")), id="carried"
        ),
        pytest.param(
            carrying(secret(metadata={"annotations": {LAST_APPLIED: '{"k": "hunter2"}'}})),
            carrying(web()),
            id="carried-last-applied",
        ),
    ],
)
def test_no_value_of_a_secret_is_in_a_difference(
    live: dict[str, Any] | None, wanted: dict[str, Any] | None
) -> None:
    """However it is written, and wherever the Secret stands."""
    found = compare(ref_of(secret()), live, wanted)
    assert found.kind != "none"
    shown = "\n".join(found.lines)
    for value in ("hunter2", "hunter3"):
        assert value not in shown
        assert base64.b64encode(value.encode()).decode()[:8] not in shown
    assert "***" in shown


def test_an_equal_secret_in_something_is_no_difference() -> None:
    """What is hidden is compared all the same."""
    one, other = carrying(secret(k="a")), carrying(secret(k="b"))
    assert lines(one, copy.deepcopy(one)) == []
    assert [line for line in lines(one, other) if line[0] in "+-"] == [
        '-    k: "*** (no. 1)"',
        '+    k: "*** (no. 2)"',
    ]


def test_a_configuration_is_shown_in_clear_and_by_line() -> None:
    """That is what a difference is for."""
    live = {"metadata": {"name": "c"}, "data": {"app.ini": "[a]\nx = 1\ny = 2\n"}}
    wanted = {"metadata": {"name": "c"}, "data": {"app.ini": "[a]\nx = 1\ny = 3\n"}}
    assert lines(live, wanted) == [
        "@@ data @@", "   app.ini: |", "     [a]", "     x = 1", "-    y = 2", "+    y = 3",
        " metadata:", "   name: c",
    ]  # fmt: skip


def test_a_long_difference_is_cut() -> None:
    """By whole lines."""
    found = lines(None, {"metadata": {}, **{f"k{n:03}": n for n in range(MOST_LINES + 39)}})
    assert len(found) == MOST_LINES + 1
    assert found[-1] == "… 40 more lines"


def test_a_long_value_is_not_cut() -> None:
    """Half of a secret is one that nothing masks."""
    one, other = "a" * (LONGEST + 1), "a" * LONGEST + "b"
    found = lines({"k": one}, {"k": other})
    assert found == ["@@", "-k: (2,001 characters, no. 1)", "+k: (2,001 characters, no. 2)"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("web:1.2", "web:1.2", id="plain"),
        pytest.param("1.10", '"1.10"', id="number"),
        pytest.param("yes", '"yes"', id="boolean"),
        pytest.param("", '""', id="empty"),
        pytest.param("a: b", '"a: b"', id="colon"),
        pytest.param("a #b", '"a #b"', id="comment"),
        pytest.param("- a", '"- a"', id="dash"),
        pytest.param("--flag=x", "--flag=x", id="flag"),
        pytest.param(" a", '" a"', id="blank"),
        pytest.param("\x1b[31m", '"\\u001b[31m"', id="terminal"),
        pytest.param("a\u202eb", '"a\\u202eb"', id="direction"),
        pytest.param("größe", "größe", id="letters"),
        pytest.param(None, "null", id="null"),
        pytest.param({}, "{}", id="no-keys"),
        pytest.param([], "[]", id="no-items"),
        pytest.param(0.5, "0.5", id="fraction"),
    ],
)
def test_values(value: object, text: str) -> None:
    """A text has quotes where it would mean something else, or do something to a terminal."""
    assert [line.text for line in lines_of({"k": value}, Numbers())] == [f"k: {text}"]


def test_carriage_returns_are_seen() -> None:
    """They are a difference, and invisible."""
    found = lines_of({"k": "a\r\nb\n"}, Numbers())
    assert [line.text for line in found] == ["k: |", "  a\\r", "  b"]


_TEXTS = st.text(alphabet=st.characters(codec="ascii", exclude_characters="\r"), max_size=20)
_TREES = st.recursive(
    _TEXTS | st.booleans() | st.none() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=10,
)


@settings(database=None)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), _TREES, max_size=4))
def test_the_lines_are_yaml(value: dict[str, Any]) -> None:
    """A reader of YAML takes them for the object: no two objects look alike."""
    text = "\n".join(line.text for line in lines_of(value, Numbers())) + "\n"
    assert (yaml.safe_load(text) or {}) == value
