"""Parameters of a manifest and of files in three forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.errors import FileMissing, Findings
from calamari_py.steps.cloudformation.parsing.parameters import Given, read_given
from calamari_py.steps.cloudformation.sections import Parameters, ParameterSection
from tests.steps.cloudformation.parsing import TEMPLATES, context, problems_of, said

BOTH = [("Stage", "dev"), ("Db", None)]


def given(text: str, folder: Path) -> Given:
    """What a file with this text gives."""
    (folder / "p.json").write_text(text, "utf-8")
    return read("p.json", folder)


def read(written: Parameters, folder: Path = TEMPLATES) -> Given:
    """What is given, when nothing is wrong with it."""
    found = Findings()
    given = read_given(written, context(folder), found)
    found.raise_if_any()
    return given


def pairs(given: Given) -> list[tuple[str, str | None]]:
    return [(parameter.key, parameter.value) for parameter in given.parameters]


def test_a_map_in_the_manifest() -> None:
    """Texts stay, lists are joined, a previous value is kept."""
    written: Parameters = {
        "Stage": "dev",
        "Subnets": ("subnet-1", "subnet-2"),
        "None": (),
        "Db": ParameterSection(use_previous=True),
    }
    found = read(written)
    assert pairs(found) == [
        ("Stage", "dev"), ("Subnets", "subnet-1,subnet-2"), ("None", ""), ("Db", None),
    ]  # fmt: skip
    assert found.lists == {"Subnets", "None"}


def test_mistakes_in_the_manifest() -> None:
    """Each is told at its place, all at once."""
    written: Parameters = {
        "A": ParameterSection(use_previous=False),
        "B": ("x", "y,z"),
    }
    assert said(problems_of(lambda: read(written))) == {
        "cloudformation.parameters.A": "has no value",
        "cloudformation.parameters.B[1]": "holds a comma, which would make two items of it",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{"Stage": "dev", "Db": {"use_previous": true}}', BOTH, id="JSON map"),
        pytest.param("Stage: dev\nDb: {use_previous: true}\n", BOTH, id="YAML map"),
        pytest.param('[{"ParameterKey": "Stage", "ParameterValue": "dev"}, {"ParameterKey": "Db", '
                     '"UsePreviousValue": true, "ResolvedValue": "x"}]', BOTH, id="CLI list"),
        pytest.param("- {ParameterKey: Stage, ParameterValue: dev, UsePreviousValue: false}\n"
                     "- {ParameterKey: Db, UsePreviousValue: true}\n", BOTH, id="CLI list in YAML"),
        pytest.param('{"Parameters": {"Stage": "dev", "Db": {"use_previous": true}}}', BOTH,
                     id="CodePipeline"),
        pytest.param('["Stage=dev", "Url=https://x/?a=b", "None="]', [("Stage", "dev"),
                     ("Url", "https://x/?a=b"), ("None", "")], id="aws cloudformation deploy"),
        pytest.param("{}", [], id="none"),
        pytest.param("[]", [], id="empty list"),
        pytest.param("A: 012\nB: 1.10\nC: true\nD: no\nE: ''\nF: [a, 1]\n",
                     [("A", "012"), ("B", "1.10"), ("C", "true"), ("D", "no"), ("E", ""),
                      ("F", "a,1")], id="as it is written"),
        pytest.param("A: '{{ Stage }}'\nB: '#{Stage}'\n",
                     [("A", "{{ Stage }}"), ("B", "#{Stage}")], id="never rendered"),
        pytest.param("Parameters: dev\nTags: x\n", [("Parameters", "dev"), ("Tags", "x")],
                     id="parameters with those names"),
        pytest.param("Parameters: {use_previous: true}\n", [("Parameters", None)],
                     id="a parameter with that name is kept"),
        pytest.param("\ufeffStage: dev\r\n", [("Stage", "dev")], id="from Windows"),
    ],
)  # fmt: skip
def test_files(text: str, expected: list[tuple[str, str | None]], tmp_path: Path) -> None:
    """All three forms, in JSON and YAML, mean the same; values keep their text."""
    assert pairs(given(text, tmp_path)) == expected


def test_codepipeline_has_tags_and_a_policy(tmp_path: Path) -> None:
    """They come along, with their places; the policy as JSON values."""
    found = given(
        'Parameters: {Stage: dev}\nTags:\n  Team: "7"\n'
        "StackPolicy: {Statement: [{Effect: Allow, Resource: '*', N: 1, B: true, E: null}]}\n",
        tmp_path,
    )
    assert found.tags == {"Team": "7"}
    assert str(found.places["Tags.Team"]) == "p.json:3:9"
    assert found.stack_policy == {
        "Statement": [{"Effect": "Allow", "Resource": "*", "N": 1, "B": True, "E": None}]
    }
    assert given('{"Tags": {"Team": "x"}}', tmp_path).tags == {"Team": "x"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", {"p.json": "is empty"}, id="empty"),
        pytest.param("words", {"p.json:1:1": "is a text, and no parameters"}, id="text"),
        pytest.param("A: 1\nA: 2\n", {"p.json:2:1": "is there twice, first on line 1"}, id="twice"),
        pytest.param("A:\nB: [x, ~]\nC: {x: y}\nD: {use_previous: false}\n",
                     {"p.json:1:3": "has no value", "p.json:2:8": "has no value",
                      "p.json:3:4": "must be a text, is a mapping",
                      "p.json:4:4": "must be a text, is a mapping"}, id="wrong types"),
        pytest.param('A: ["x,y"]', {"p.json:1:5": "holds a comma, which would make two items "
                     "of it"}, id="comma"),
        pytest.param("- Stage\n- {ParameterValue: x}\n- =x\n",
                     {"p.json:1:3": "must be a mapping with 'ParameterKey', or a text like "
                      "Stage=dev",
                      "p.json:3:3": "must be a mapping with 'ParameterKey', or a text like "
                      "Stage=dev",
                      "p.json:2:3": "has no 'ParameterKey'"}, id="no keys"),
        pytest.param("- {ParameterKey: A, ParameterValue: x}\n- {ParameterKey: A, "
                     "ParameterValue: y}\n",
                     {"p.json:2:3": "'A' is there twice, first on line 1"}, id="key twice"),
        pytest.param("- {ParameterKey: A, UsePreviousValue: true, ParameterValue: x}\n"
                     "- {ParameterKey: B}\n- {ParameterKey: C, ParameterValue: [x]}\n",
                     {"p.json:1:3": "'A' has a value and keeps the previous one, too",
                      "p.json:2:3": "'B' has no value",
                      "p.json:3:37": "must be a text, is a list"}, id="values"),
        pytest.param("- A=x\n- A=y\n", {"p.json:2:3": "'A' is there twice, first on line 1"},
                     id="text twice"),
        pytest.param("- {ParameterKey: A, ParameterValue: x, Value: y}\n",
                     {"p.json:1:40": "unknown key"}, id="unknown key"),
        pytest.param("Parameters: {A: x}\nB: y\n",
                     {"p.json:2:1": "mixes two forms of a parameter file"}, id="mixed"),
        pytest.param("Parameters: {A: {Fn::GetArtifactAtt: [a, b]}}\nTags: [x]\nStackPolicy: x\n",
                     {"p.json:1:17": "must be a text, is a mapping",
                      "p.json:2:7": "must be a mapping, is a list",
                      "p.json:3:14": "must be a mapping, is a text"}, id="wrong members"),
        pytest.param('{"A": "x" "B"}', {"p.json:1:11": "',' or '}' is missing"},
                     id="almost JSON"),
        pytest.param("A: !Ref B\n", {"p.json:1:4": "the tag '!Ref' has no meaning here"}, id="tag"),
        pytest.param("A: \x07\n", {"p.json:1:4": "holds the control character '\\x07'"}, id="bell"),
    ],
)  # fmt: skip
def test_mistakes_in_files(text: str, expected: dict[str, str], tmp_path: Path) -> None:
    """Each is told with its line, and none hides another."""
    assert said(problems_of(lambda: given(text, tmp_path))) == expected


def test_values_are_not_quoted(tmp_path: Path) -> None:
    """A file may hold secrets that nobody has registered: no problem shows a value."""
    problems = problems_of(lambda: given('DbPassword: ["hunter2,x", {a: hunter2}]', tmp_path))
    assert "hunter2" not in str(problems)
    assert "hunter2" not in repr(given("DbPassword: hunter2", tmp_path))


def test_no_file(tmp_path: Path) -> None:
    """The problem stands where the manifest names the file, and says what it is relative to."""
    with pytest.raises(FileMissing) as caught:
        read("none.json", tmp_path)
    (problem,) = caught.value.problems
    assert problem.path == "cloudformation.parameters"
    assert str(tmp_path) in str(problem.hint)


def test_no_text(tmp_path: Path) -> None:
    """A file in another encoding is refused at its place."""
    (tmp_path / "p").write_bytes("Stage: größe".encode("latin-1"))
    (problem,) = problems_of(lambda: read("p", tmp_path))
    assert problem.message == "the file 'p' is not valid UTF-8 (byte 9)"
