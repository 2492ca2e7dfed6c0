"""YAML and JSON documents become nodes with places, or problems with places."""

from __future__ import annotations

import json

import pytest

from calamari_py.errors import Problem
from calamari_py.manifest.nodes import (
    Malformed,
    Mapping,
    Node,
    Scalar,
    Sequence,
    parse_document,
)
from tests.manifest.support import brief


def parse(text: str) -> tuple[object, list[Problem]]:
    """The plain data of `text` (every scalar its text), and the problems."""
    problems: list[Problem] = []
    try:
        node = parse_document(text, "f.yaml", problems)
    except Malformed as error:
        return None, error.problems
    return None if node is None else plain(node), problems


def plain(node: Node) -> object:
    """`node` without places and kinds."""
    if isinstance(node, Mapping):
        return {key: plain(entry.value) for key, entry in node}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.text


def only_scalar(text: str) -> Scalar:
    """The scalar under the only key of `text`."""
    node = parse_document(text, "f.yaml", [])
    assert isinstance(node, Mapping)
    scalar = node.get("a")
    assert isinstance(scalar, Scalar)
    return scalar


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: 1\nb: [x, 'y']\n", {"a": "1", "b": ["x", "y"]}, id="block"),
        pytest.param("{a: 1, b: {c: d}}", {"a": "1", "b": {"c": "d"}}, id="flow"),
        pytest.param("\ufeffa: 1\r\nb: 2\r\n", {"a": "1", "b": "2"}, id="bom-and-crlf"),
        pytest.param("%YAML 1.2\n---\na: 1\n...\n", {"a": "1"}, id="directive"),
        pytest.param("a: |\n  x\n  y\n", {"a": "x\ny\n"}, id="literal-block"),
        pytest.param("a: &x {k: 1}\nb: *x\n", {"a": {"k": "1"}, "b": {"k": "1"}}, id="alias"),
        pytest.param(
            "a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}\n",
            {"a": {"k": "1", "l": "2"}, "b": {"l": "3", "k": "1"}},
            id="merge",
        ),
        pytest.param(
            "a: &x {k: 1}\nb: &y {k: 2, l: 2}\nc:\n  <<: [*x, *y]\n",
            {"a": {"k": "1"}, "b": {"k": "2", "l": "2"}, "c": {"k": "1", "l": "2"}},
            id="merge-list-first-wins",
        ),
        pytest.param("'<<': 1\n", {"<<": "1"}, id="quoted-merge-key-is-a-key"),
        pytest.param("on: yes\n1: 2\n", {"on": "yes", "1": "2"}, id="keys-keep-their-text"),
        pytest.param("a: !!str 8080\n", {"a": "8080"}, id="string-tag"),
        pytest.param('{"a": 1, "b": [true, null]}', {"a": "1", "b": ["true", "null"]}, id="json"),
        pytest.param('{\n\t"a":\t"x"\n}', {"a": "x"}, id="json-indented-with-tabs"),
        pytest.param('{"a": "\\/ \\ud83d\\ude00 \\u00e9"}', {"a": "/ 😀 é"}, id="json-escapes"),
        pytest.param('\ufeff{"a": {}}', {"a": {}}, id="json-bom"),
        pytest.param('{"a": 1,}', {"a": "1"}, id="json-with-a-comma-too-many-is-yaml"),
        pytest.param('{"a": 1} # done', {"a": "1"}, id="json-with-a-comment-is-yaml"),
        pytest.param('[{"k": "x"}]', [{"k": "x"}], id="json-array"),
        pytest.param("", None, id="empty"),
        pytest.param("# nothing\n", None, id="only-a-comment"),
    ],
)
def test_documents_become_their_texts(text: str, expected: object) -> None:
    """Every accepted document keeps the source text of its scalars."""
    assert parse(text) == (expected, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: 1\na: 2\n", "2:1 a is there twice, first on line 1", id="twice"),
        pytest.param(
            "a:\n  - x: 1\n    x: 2\n",
            "3:5 a[0].x is there twice, first on line 2",
            id="twice-deep",
        ),
        pytest.param('{"a": 1, "a": 2}', "1:10 a is there twice, first on line 1", id="twice-json"),
        pytest.param(
            '{"a": [{"b": 1,\n"b": 2}]}',
            "2:1 a[0].b is there twice, first on line 1",
            id="json-deep",
        ),
        pytest.param("a:\n\tb: 1\n", "2:1  is indented with a tab", id="tab"),
        pytest.param("a: 1\n---\nb: 2\n", "2:1  a second document begins here", id="documents"),
        pytest.param("a: &x [*x]\n", "1:8  '*x' stands inside itself", id="self-reference"),
        pytest.param("a: &x {b: {c: *x}}\n", "1:15  '*x' stands inside itself", id="deep-self"),
        pytest.param("a: *nope\n", "1:4  there is no anchor '&nope' above", id="no-anchor"),
        pytest.param(
            "a: !!python/object/apply:os.system [x]\n",
            "1:4  the tag '!!python/object/apply:os.system' has no meaning here",
            id="python-tag",
        ),
        pytest.param("a: !Ref x\n", "1:4  the tag '!Ref' has no meaning here", id="custom-tag"),
        pytest.param("a: !Sub {b: c}\n", "1:4  the tag '!Sub' has no meaning here", id="map-tag"),
        pytest.param(
            "a: !!binary aGk=\n", "1:4  the tag '!!binary' has no meaning here", id="binary-tag"
        ),
        pytest.param("? [a]\n: b\n", "1:3  is a key, and keys are texts", id="list-as-key"),
        pytest.param("~: b\n", "1:1  a key is missing before the ':'", id="null-key"),
        pytest.param(
            "b: {<<: 3}\n", "1:9  '<<' takes a mapping or a list of mappings", id="bad-merge"
        ),
        pytest.param(
            "a: b: c\n",
            "1:5  is no valid YAML: mapping values are not allowed in this context",
            id="colon",
        ),
        pytest.param("[" * 200_000, "1:65  is nested more than 64 levels deep", id="deep-json"),
        pytest.param("- " * 5_000, "1:129  is nested more than 64 levels deep", id="deep-yaml"),
        pytest.param("{a: " * 5_000, "1:257  is nested more than 64 levels deep", id="deep-flow"),
        pytest.param('{"a": tru}\n', None, id="json-word-is-yaml-text"),
        pytest.param(
            '{"a": "x}', "1:7  a JSON text is not closed or holds a bad escape", id="open"
        ),
        pytest.param('{"a" 1}', "1:6  a ':' is missing after the key", id="json-colon"),
        pytest.param('{"a": 1 "b": 2}', "1:9  ',' or '}' is missing", id="json-comma"),
    ],
)
def test_defects_have_a_place(text: str, expected: str | None) -> None:
    """A document that is not as it should be says where and why."""
    _, problems = parse(text)
    assert [brief(problem).replace("None ", " ") for problem in problems] == (
        [expected] if expected else []
    )
    assert all(problem.hint for problem in problems)


def test_a_billion_laughs_are_refused() -> None:
    """Aliases that would make a huge document are refused, not expanded."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    _, problems = parse("\n".join(lines))
    assert [problem.message for problem in problems] == [
        "the aliases make a document that is too large"
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param("012", "int", id="leading-zero"),
        pytest.param("0o17", "int", id="octal"),
        pytest.param("1e3", "float", id="exponent"),
        pytest.param("1.10", "float", id="float"),
        pytest.param("true", "bool", id="true"),
        pytest.param("no", "text", id="norway"),
        pytest.param("1:30", "text", id="sexagesimal"),
        pytest.param("2012-10-17", "text", id="date"),
        pytest.param("~", "null", id="tilde"),
        pytest.param("'1'", "text", id="quoted"),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, kind: str) -> None:
    """Unquoted words are read by YAML 1.2's core schema, so that ``no`` is a text."""
    assert only_scalar(f"a: {text}\n").kind == kind


def test_a_place_counts_characters_and_lines_from_one() -> None:
    """Places are what an editor shows, also behind characters of several bytes."""
    node = parse_document("é: {ü: [x,\n  y]}\n", "f.yaml", [])
    assert isinstance(node, Mapping)
    inner = node.get("é")
    assert isinstance(inner, Mapping)
    items = inner.get("ü")
    assert isinstance(items, Sequence)
    assert [str(item.place) for item in items.items] == ["f.yaml:1:9", "f.yaml:2:3"]


def test_json_and_yaml_read_the_same_data_alike() -> None:
    """A JSON document gives the same texts and places through either reader."""
    data = {"a": ["x", {"b": "c d", "e": ""}], "f": "ü"}
    text = json.dumps(data, indent=2, ensure_ascii=False)
    as_json: list[Problem] = []
    assert plain(parse_document(text, "f", as_json) or Scalar(None, "")) == data  # type: ignore[arg-type]
    with_comment = parse_document(text + " # yaml", "f", as_json)
    assert with_comment == parse_document(text, "f", as_json)


def test_reprs_do_not_show_texts() -> None:
    """A node's repr never shows a value: it may be a secret."""
    assert "hunter2" not in repr(parse_document("a: [hunter2]", "f.yaml", []))
