"""`calamari validate` and `calamari schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import calamari_py
from tests.cli.conftest import Call

GOOD = "name: good\nassume_role: arn:aws:iam::111111111111:role/Dev\nscript: echo hi\n"
BAD = "name: bad\nasume_role: x\ntimeout: soon\nscript: echo hi\n"
NO_FILE = "name: nofile\nscript: {file: none.sh}\n"
FILES = {"good.yaml": GOOD, "bad.yaml": BAD, "nofile.yaml": NO_FILE}
TEMPLATES = sorted((Path(calamari_py.__file__).parents[1] / "step-templates").glob("*.yaml"))


@pytest.fixture(autouse=True)
def manifests(call: Call) -> None:
    """Good and bad manifests in the working folder."""
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("files", "code"),
    [
        pytest.param(("good.yaml",), 0, id="good"),
        pytest.param(("good.yaml", "good.yaml"), 0, id="good twice"),
        pytest.param(("bad.yaml",), 65, id="bad"),
        pytest.param(("none.yaml",), 66, id="missing"),
        pytest.param(("nofile.yaml",), 66, id="names a missing file"),
        pytest.param((".",), 66, id="folder"),
        pytest.param(("bad.yaml", "none.yaml"), 65, id="bad, then missing"),
        pytest.param(("none.yaml", "bad.yaml"), 65, id="missing, then bad"),
        pytest.param(("none.yaml", "good.yaml"), 66, id="missing, then good"),
        pytest.param(("good.yaml", "bad.yaml", "good.yaml"), 65, id="bad among good"),
    ],
)
def test_the_code_says_the_worst(files: tuple[str, ...], code: int, call: Call) -> None:
    """65 for an invalid one, else 66 for a missing one, in whatever order; the same as JSON."""
    assert call("validate", *files).code == code
    ended = call("validate", "--format", "json", *files)
    assert ended.code == code
    assert ended.err == ""
    document = json.loads(ended.out)
    assert [entry["file"] for entry in document["files"]] == list(files)


def test_what_is_odd_is_a_warning(call: Call) -> None:
    """The manifest is valid all the same; what is made from a secret is not shown."""
    text = (
        "name: odd\nassume_role: arn:aws:iam::111111111111:role/Dev\n"
        "cloudformation: {stack_name: a, retain: [Topic], skip: [Topic]}\n"
    )
    Path("odd.yaml").write_text(text, encoding="utf-8")
    ended = call("validate", "odd.yaml")
    assert (ended.code, ended.out) == (0, "odd.yaml: ok\n")
    retain, skip = ended.err.splitlines()
    assert retain.startswith("odd.yaml: warning: cloudformation.retain counts for action 'delete'")
    assert skip.startswith("odd.yaml: warning: cloudformation.skip counts for action 'rollback'")
    (entry,) = json.loads(call("validate", "--format", "json", "odd.yaml").out)["files"]
    assert (entry["valid"], len(entry["warnings"])) == (True, 2)


def test_text(call: Call) -> None:
    """What is good is said on stdout; every problem with its place on stderr."""
    ended = call("validate", "good.yaml", "bad.yaml")
    assert ended.out == "good.yaml: ok\n"
    first, *rest = ended.err.splitlines()
    assert first == "calamari: 2 problems in bad.yaml"
    assert "bad.yaml:2:1" in rest[0]
    assert "did you mean 'assume_role'?" in ended.err
    assert "bad.yaml:3:10" in ended.err


def test_json(call: Call) -> None:
    """One document for all files: valid or not, and every problem in its parts."""
    document = json.loads(call("validate", "--format", "json", "good.yaml", "bad.yaml").out)
    good, bad = document["files"]
    assert document["schema_version"] == 1
    assert good == {"file": "good.yaml", "valid": True, "problems": [], "warnings": []}
    assert bad["valid"] is False
    assert {problem["place"] for problem in bad["problems"]} == {"bad.yaml:2:1", "bad.yaml:3:10"}
    assert {problem["path"] for problem in bad["problems"]} == {"asume_role", "timeout"}
    for problem in bad["problems"]:
        assert set(problem) == {"message", "hint", "path", "place"}


def test_standard_input(call: Call) -> None:
    """`-` is the manifest on standard input."""
    assert call("validate", "-", stdin=GOOD.encode()).code == 0
    ended = call("validate", "-", stdin=BAD.encode())
    assert ended.code == 65
    assert "(standard input):2:1" in ended.err


def test_a_tool_that_is_not_here_is_no_problem(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest can be checked where its interpreter is not installed."""
    monkeypatch.setenv("PATH", "/nonexistent")
    Path("tool.yaml").write_text("name: x\nscript: {run: x, shell: [nothere, '{file}']}\n")
    assert call("validate", "good.yaml", "tool.yaml").code == 0


def test_variables_of_the_command_line(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--var`, `--var-file` and `--sensitive-var` count, and secrets are not shown."""
    Path("vars.yaml").write_text("FromFile: 1m\n")
    Path("needs.yaml").write_text(
        "name: x\nscript: hi\ntimeout: '{{ FromFile }}'\ngrace: '{{ Plain }}'\n"
        "idle_timeout: '{{ Token }}'\n"
    )
    monkeypatch.setenv("Token", "s3cr3t-and-no-duration")
    ended = call(
        "validate", "needs.yaml", "--var", "Plain=5s", "--var-file", "vars.yaml",
        "--sensitive-var", "Token",
    )  # fmt: skip
    assert ended.code == 65
    assert "1 problem in needs.yaml" in ended.err
    assert "s3cr3t" not in ended.err


def test_a_secret_in_an_argument_is_found_before_anything_runs(call: Call) -> None:
    """What `run` refuses, `validate` refuses."""
    Path("argv.yaml").write_text(
        "name: x\nvariables: {T: {value: s3cr3t, sensitive: true}}\n"
        "script: {run: x, args: ['{{ T }}']}\n"
    )
    ended = call("validate", "argv.yaml")
    assert ended.code == 65
    assert "argv.yaml:3:25" in ended.err
    assert "s3cr3t" not in ended.err


# --- schema -------------------------------------------------------------------------------------


@pytest.fixture
def schema(call: Call) -> Any:
    ended = call("schema")
    assert (ended.code, ended.err) == (0, "")
    return json.loads(ended.out)


def test_the_schema_is_a_schema(schema: Any) -> None:
    """Editors get a valid JSON Schema of 2020-12, closed, with a word on each key."""
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["additionalProperties"] is False
    for key in ("name", "account", "assume_role", "expect", "variables", "finally"):
        assert schema["properties"][key]["description"]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_shipped_manifests_fit_the_schema(template: Path, schema: Any, call: Call) -> None:
    """What we ship is valid for the schema and for `validate`."""
    document = yaml.safe_load(template.read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    ended = call("validate", str(template))
    assert (ended.code, ended.err) == (0, "")


def test_there_are_shipped_manifests() -> None:
    """The table above is not empty by accident."""
    assert TEMPLATES


@pytest.mark.parametrize("name", ["good.yaml", "nofile.yaml"])
def test_a_good_manifest_fits(name: str, schema: Any) -> None:
    """The schema takes what the parser takes."""
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(FILES[name]))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(BAD, id="unknown key"),
        pytest.param("name: x\n", id="no kind"),
        pytest.param("script: x\n", id="no name"),
        pytest.param("name: x\nscript: {nonsense: 1}\n", id="unknown key of a kind"),
        pytest.param("name: x\nscript: x\naccount: {type: magic}\n", id="account type"),
        pytest.param("name: x\nscript: x\ntimeout: soon\n", id="duration"),
    ],
)
def test_a_bad_manifest_does_not_fit(text: str, schema: Any) -> None:
    """The schema refuses what the parser refuses."""
    assert not jsonschema.Draft202012Validator(schema).is_valid(yaml.safe_load(text))
