"""Kube manifests mean to calamari what they mean to kubectl."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from calamari_py.errors import Problem
from calamari_py.manifest.kube_json import json_for_yaml
from calamari_py.manifest.kube_scalars import plain_value
from calamari_py.manifest.kube_text import KubeDocument, decoded, read_documents
from calamari_py.manifest.nodes import Malformed
from tests.tools import require_tool

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
JSON = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}'
SCALARS = {
    "y": True, "Yes": True, "ON": True, "True": True, "yEs": "yEs",
    "n": False, "No": False, "off": False, "FALSE": False,
    "~": None, "Null": None, "": None, "nil": "nil",
    "0644": 420, "0o644": 420, "0O7": 7, "0_7": 7, "00": 0, "089": 89, "08.5": 8.5, "0o8": "0o8",
    "0x1F": 31, "0X1f": 31, "0x_1F": 31, "+0x1F": 31, "0x": "0x", "0x1p-2": "0x1p-2",
    "0b11": 3, "-0b11": -3, "0B1": 1, "0b12": "0b12",
    "1_000": 1000, "1__0": 10, "0_": 0, "_1": "_1", "1_0.5": 10.5, ".5_0": 0.5,
    "1:30": "1:30", "190:20:30": "190:20:30", "2024-01-01": "2024-01-01",
    "2024-01-01T00:00:00Z": "2024-01-01T00:00:00Z",
    "1.10": 1.1, "1e3": 1000, "1E5": 100000, "1.5e+3": 1500, "1.e3": 1000, "1e": "1e",
    ".5": 0.5, "5.": 5, "+.5": 0.5, "-.5": -0.5, "+5": 5, "-0": 0, "-0.0": 0, "1e400": "1e400",
    ".": ".", "..": "..", "+": "+", "-1": -1, "1.2.3": "1.2.3", "=": "=", "<<": "<<",
    "9223372036854775807": 9223372036854775807, "12345678901234567890": 1.2345678901234567e19,
    "123456789012345678901": 1.2345678901234568e20, "-12345678901234567890": -1.2345678901234567e19,
    "0xFFFFFFFFFFFFFFFFFF": "0xFFFFFFFFFFFFFFFFFF",
}  # fmt: skip
TAGGED = {
    "!!str 12": "12", '!!int "12"': 12, "!!float 12": 12, "!!bool 'yes'": True, "!!null ''": None,
    '"12"': "12", "'no'": "no", "! 12": "12", "!!str": "",
}  # fmt: skip
DOCUMENTS = [
    pytest.param(HEAD, 1, id="one"),
    pytest.param(f"---  \n{HEAD}--- # c\n{HEAD}", 2, id="separators-with-blanks-and-comments"),
    pytest.param(f"{HEAD}---\r\n{HEAD}\r\n---\r\n", 2, id="carriage-returns"),
    pytest.param(f"{HEAD}---\n# nothing\n---\nnull\n---\n", 1, id="empty-documents"),
    pytest.param(f"\ufeff{HEAD}", 1, id="byte-order-mark"),
    pytest.param(f"{HEAD}m: {{<<: {{b: 2, c: 5}}, b: 3}}\n", 1, id="merge"),
    pytest.param(f"{HEAD}m: {{<<: [{{b: 1}}, {{b: 2, c: 5}}]}}\n", 1, id="merge-of-several"),
    pytest.param(f"{HEAD}b: &b {{x: 1}}\nc: [*b, *b]\n", 1, id="aliases"),
    pytest.param(f'{HEAD}"a": "\\u00e4\\n"\nb: >\n  x\n  y\n', 1, id="texts"),
    pytest.param(f"{HEAD}1: a\n16: b\n", 1, id="keys-that-are-numbers"),
    pytest.param(JSON, 1, id="json"),
    pytest.param(f"\n  {JSON}{JSON}\n{JSON}\n", 3, id="json-stream"),
    pytest.param(f"{HEAD}---\n{JSON}\n", 2, id="json-in-yaml"),
    pytest.param(JSON[:-1] + ', "a": "\\ud800", "b": 1e3, "c": "\\/"}', 1, id="json-escapes"),
]


def read(text: str) -> tuple[list[KubeDocument], list[Problem], list[Problem]]:
    """The documents of `text`, its problems and its doubts."""
    problems: list[Problem] = []
    doubts: list[Problem] = []
    return read_documents(text, "f.yaml", problems, doubts), problems, doubts


def value_of(text: str) -> Any:
    """What the only document of `text` means."""
    documents, problems, doubts = read(text)
    assert (problems, doubts, len(documents)) == ([], [], 1)
    return documents[0].value


@pytest.mark.parametrize(("text", "value"), [pytest.param(*i, id=i[0]) for i in SCALARS.items()])
def test_an_unquoted_text_means_what_it_means_to_kubectl(text: str, value: object) -> None:
    """YAML 1.1, but no dates and no base 60."""
    found = plain_value(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("text", "value"), [pytest.param(*i, id=i[0]) for i in TAGGED.items()])
def test_quotes_and_tags_say_what_a_value_is(text: str, value: object) -> None:
    """A text in quotes is one; a tag of YAML's own is kept."""
    found = value_of(f"a: {text}\n")["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.process
def test_kubectl_reads_the_same(tmp_path: Path) -> None:
    """The tables of this file, read by kubectl itself, all of them at once."""
    kubectl = require_tool("kubectl")
    values = [*(key for key in SCALARS if key), *TAGGED]
    texts = [f"{HEAD}data:\n" + "".join(f"- {value}\n" for value in values)]
    texts += [each.values[0] for each in DOCUMENTS]  # type: ignore[misc]
    for number, text in enumerate(texts):
        (tmp_path / f"{number:03}.yaml").write_text(text, newline="")
    words = [kubectl, "label", "--local", "-f", str(tmp_path), "x=y", "-o", "json"]
    said = subprocess.run(words, capture_output=True, check=True, timeout=60)
    labelled, _, _ = read(said.stdout.decode())
    ours = [document for text in texts for document in read(text.removeprefix("\ufeff"))[0]]
    assert len(labelled) == len(ours)
    for mine, theirs in zip(ours, labelled, strict=True):
        theirs.value["metadata"].pop("labels")
        assert _as_go_has_it(mine.value) == _as_go_has_it(theirs.value)


@pytest.mark.process
def test_kubectl_takes_what_documents_are_handed_on_as(tmp_path: Path) -> None:
    """The texts of all documents make one stream, JSON among YAML."""
    kubectl = require_tool("kubectl")
    texts = [str(each.values[0]).removeprefix("\ufeff") for each in DOCUMENTS]
    documents = [document for text in texts for document in read(text)[0]]
    stream = b"".join(b"---\n" + each.text + b"\n" for each in reversed(documents))
    (tmp_path / "all.yaml").write_bytes(stream)
    words = [kubectl, "label", "--local", "-f", str(tmp_path), "x=y", "-o", "name"]
    said = subprocess.run(words, capture_output=True, check=True, timeout=60)
    assert len(said.stdout.splitlines()) == len(documents)


def _as_go_has_it(value: Any) -> Any:
    """A large whole number is a fraction to Go, which prints it as a whole one."""
    text = json_for_yaml(value)
    return json.loads(text, parse_int=lambda digits: float(digits) if len(digits) > 18 else digits)


@pytest.mark.parametrize(("text", "number"), DOCUMENTS)
def test_documents_are_found(text: str, number: int) -> None:
    """Those that hold nothing are none."""
    documents, problems, doubts = read(text.removeprefix("\ufeff"))
    assert (len(documents), problems, doubts) == (number, [], [])
    assert all(document.value["metadata"]["name"] == "a" for document in documents)


def test_a_document_keeps_its_text_and_its_places() -> None:
    """Byte for byte with its comments, and counted from the start of the file."""
    text = f"# first\n{HEAD}---\n\n# second\n{HEAD}data:\n  k: v # why\n"
    first, second = read(text)[0]
    assert first.text.decode() + "---\n" + second.text.decode() == text
    assert (str(first.start), str(second.start)) == ("f.yaml:2:1", "f.yaml:8:1")
    assert str(second.place("data", "k")) == "f.yaml:12:3"
    assert str(second.place("data", "other", 3)) == "f.yaml:11:1"


def test_yaml_in_braces_is_handed_on_as_json() -> None:
    """kubectl takes a file that begins with a brace for JSON, and that alone."""
    [document] = read("# c\n---\n{apiVersion: v1, kind: 'C',\n o: yes}\n")[0]
    assert document.text == b'{"apiVersion":"v1","kind":"C","o":true}'
    assert str(document.place("o")) == "f.yaml:4:2"


def test_places_in_a_json_stream() -> None:
    """Those of a document that begins in the middle of a line, too."""
    _, second = read(f'{JSON} {JSON[:-1]},\n "items": [1, {{"a": 2}}]}}')[0]
    assert str(second.place("kind")) == f"f.yaml:1:{len(JSON) + 23}"
    assert str(second.place("items", 1, "a")) == "f.yaml:2:16"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: 1\nb:\n\tc: 1\n", "3:1 is indented with a tab", id="tab"),
        pytest.param("x: 1\n---\na: 'b\n---\nc'\n", "4:1 is no valid YAML: found", id="quote"),
        pytest.param(
            "a: 1\n...\nb: 2\n",
            "3:1 is no valid YAML: did not find expected <document start>",
            id="three-dots",
        ),
        pytest.param("a: 1\n--- {b: 2}\n", "2:1 '---' has text behind it", id="text-behind"),
        pytest.param("a: 1\n----\n", "2:1 '---' has text behind it", id="four-dashes"),
        pytest.param("a: {b: {{ .x }}}\n", "1:9 is a key, and keys are texts", id="key-mapping"),
        pytest.param("a: &x [*x]\n", "1:8 '*x' stands inside itself", id="alias-in-itself"),
        pytest.param("a: *x\n", "1:4 there is no anchor '&x' above", id="no-anchor"),
        pytest.param(
            "a: " + "[" * 70 + "]" * 70, "1:67 is nested more than 64 levels deep", id="deep"
        ),
        pytest.param(
            "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40,
            "2:44 is nested more than 64 levels deep",
            id="deep-by-an-alias",
        ),
        pytest.param(
            "".join(
                f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9) if n else 1}]\n" for n in range(9)
            ),
            "the aliases make a document that is too large",
            id="alias-bomb",
        ),
        pytest.param("%YAML 1.1\n---\na: 1\n", "is no valid YAML", id="directive"),
        pytest.param('{"a": 1, }', "1:10 a key in double quotes is missing", id="json-comma"),
        pytest.param(JSON + '\n{"a": x}', "2:7 a JSON value is missing", id="json-second"),
        pytest.param('{"a": NaN}', "1:7 a JSON value is missing", id="json-nan"),
        pytest.param('{"a": 1e999}', "1:1 holds a number that is too large", id="json-infinity"),
        pytest.param(
            '{"a": ' * 70 + "1" + "}" * 70, "is nested more than 64 levels deep", id="json-deep"
        ),
        pytest.param(
            '{"a": ' + "[" * 9999 + "]" * 9999 + "}", "is nested more than", id="json-far-too-deep"
        ),
    ],
)
def test_what_cannot_be_read(text: str, expected: str) -> None:
    """Is a problem with its place in the file, and with a cure."""
    _, problems, _ = read(text)
    assert expected in f"{problems[0].line}:{problems[0].column} {problems[0].message}"
    assert problems[0].hint


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        pytest.param(
            "x:\n- a: 1\n  a: 2\n",
            {"x": [{"a": 2}]},
            "3:3 x[0].a is there twice, first on line 2",
            id="equal-keys",
        ),
        pytest.param(
            '\n{"x": {"a": 1,\n"a": 2}}',
            {"x": {"a": 2}},
            "3:1 x.a is there twice, first on line 2",
            id="equal-json-keys",
        ),
        pytest.param("on: 1\n", {"true": 1}, "1:1  is a key that kubectl reads as 'true'", id="on"),
        pytest.param(
            "1.10: 1\n", {"1.1": 1}, "1:1  is a key that kubectl reads as '1.1'", id="fraction"
        ),
        pytest.param("010: 1\n", {"8": 1}, "1:1  is a key that kubectl reads as '8'", id="octal"),
        pytest.param(
            "m: {b: 3, <<: {b: 2}}\n",
            {"m": {"b": 2}},
            "1:11  '<<' replaces 'b', which is written above it",
            id="late-merge",
        ),
        pytest.param("a: !x b\n", {"a": "b"}, "1:4  the tag '!x' has no meaning", id="tag"),
        pytest.param("a: .inf\n", {"a": ".inf"}, "1:4  is a number that JSON", id="infinity"),
        pytest.param("a: !!int x\n", {"a": "x"}, "1:4  is no value of the type", id="no-int"),
    ],
)
def test_what_kubectl_reads_otherwise_than_people_do(
    text: str, value: object, expected: str
) -> None:
    """Has the meaning that it has to kubectl, and a doubt beside."""
    documents, problems, doubts = read(text)
    assert problems == []
    assert documents[0].value == value
    [doubt] = doubts
    assert f"{doubt.line}:{doubt.column} {doubt.path} {doubt.message}".startswith(expected)
    assert doubt.hint


def test_a_broken_document_hides_no_other() -> None:
    """All problems of a file are told at once."""
    documents, problems, _ = read(f"a: [\n---\n{HEAD}---\nb: }}\n")
    assert len(documents) == 1
    assert [problem.line for problem in problems] == [2, 7]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"a: 1\nb: \xff\n", "2:4 is not valid UTF-8", id="no-utf-8"),
        pytest.param("a: 1".encode("utf-16"), "1:1 is UTF-16", id="utf-16"),
        pytest.param(b"a: \0", "1:4 holds a NUL character", id="nul"),
        pytest.param(b"a: \x1b[0m", "1:4 holds the control character", id="escape"),
    ],
)
def test_what_is_no_text(data: bytes, expected: str) -> None:
    """Is refused with the place of the first byte."""
    with pytest.raises(Malformed) as caught:
        decoded(data, "f.yaml")
    problem = caught.value.problems[0]
    assert f"{problem.line}:{problem.column} {problem.message}".startswith(expected)


@settings(database=None)
@given(st.dictionaries(st.text(), st.text() | st.booleans() | st.none() | st.integers()))
def test_json_is_the_same_to_a_yaml_reader(value: dict[str, Any]) -> None:
    """Whatever characters it holds."""
    assert yaml.safe_load(json_for_yaml(value)) == value
