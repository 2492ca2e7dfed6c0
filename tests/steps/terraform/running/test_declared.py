"""Which variables hold secrets, and what values they are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calamari_py.steps.terraform.running.declared import (
    Declared,
    declared_in,
    files_with,
    given_secrets,
)
from tests.steps.terraform.fakes import tool_spec


def declared(folder: Path, source: str, name: str = "main.tf") -> Declared:
    """What a root module with this one file declares."""
    (folder / name).write_text(source)
    return declared_in(folder)


def secrets(folder: Path, environment: dict[str, str] | None = None, **fields: Any) -> set[str]:
    """The texts that are secret in the root module at `folder`."""
    found = given_secrets(declared_in(folder), tool_spec(folder, **fields), environment or {})
    return {text for _, text in found}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param('variable "x" { sensitive = true }', {"x"}, id="sensitive"),
        pytest.param('variable "x" { sensitive = false }', set(), id="not sensitive"),
        pytest.param('variable "x" {}', set(), id="nothing said"),
        pytest.param('variable "x" { ephemeral = true }', {"x"}, id="ephemeral"),
        pytest.param('variable "x" { sensitive = !false }', {"x"}, id="some expression"),
        pytest.param("variable x {\n sensitive = true\n}", {"x"}, id="unquoted"),
        pytest.param('# variable "x" { sensitive = true }', set(), id="a comment"),
        pytest.param('output "x" { sensitive = true }', set(), id="an output"),
        pytest.param(
            'variable "x" {\n validation {\n  sensitive = true\n }\n}', set(), id="of a block in it"
        ),
        pytest.param(
            'variable "a" { default = "}" }\nvariable "x" { sensitive = true }', {"x"}, id="a brace"
        ),
        pytest.param('variable "x" { sensitive = true', {"x"}, id="never closed"),
    ],
)
def test_declared(tmp_path: Path, source: str, expected: set[str]) -> None:
    """What is not plainly false counts."""
    assert declared(tmp_path, source).defaults.keys() == expected


@pytest.mark.parametrize(
    "source",
    [
        '{"variable": {"x": {"sensitive": true}, "y": {"sensitive": false}}}',
        '{"variable": [{"x": [{"sensitive": "true"}]}, {"y": {}}]}',
    ],
)
def test_declared_in_json(tmp_path: Path, source: str) -> None:
    """In all the shapes that Terraform takes."""
    assert declared(tmp_path, source, "main.tf.json").defaults.keys() == {"x"}


def test_ephemeral_ones_are_known(tmp_path: Path) -> None:
    """They are to be said again when the plan is applied."""
    source = 'variable "a" { ephemeral = true }\nvariable "b" { sensitive = true }'
    assert declared(tmp_path, source, "main.tofu").ephemeral == {"a"}


def test_other_files_declare_nothing(tmp_path: Path) -> None:
    """Tests and modules are not the root module."""
    assert declared(tmp_path, 'variable "x" { sensitive = true }', "x.tftest.hcl") == Declared()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("terraform.tfvars", 'x = "s3cr3t-value"', id="tfvars"),
        pytest.param("terraform.tfvars.json", '{"x": "s3cr3t-value"}', id="JSON"),
        pytest.param("a.auto.tfvars", 'x = {\n a = ["s3cr3t-value"]\n}', id="nested"),
        pytest.param("a.auto.tfvars.json", '{"x": {"a": ["s3cr3t-value"]}}', id="nested JSON"),
        pytest.param("a.auto.tfvars", "x = <<-E\n  s3cr3t-value\n  E\n", id="heredoc"),
        pytest.param("a.auto.tfvars", 'x = "s3cr3t\\u002dvalue"', id="escaped"),
    ],
)
def test_values_of_files(tmp_path: Path, name: str, content: str) -> None:
    """Of all that Terraform reads by itself; what is no secret stays none."""
    (tmp_path / "main.tf").write_text('variable "x" { sensitive = true }\nvariable "y" {}')
    (tmp_path / name).write_text(content)
    (tmp_path / "b.auto.tfvars").write_text('y = "plain-value"')
    (tmp_path / "c.tfvars").write_text('x = "not-read-by-anybody"')
    assert {text.strip() for text in secrets(tmp_path)} == {"s3cr3t-value"}


def test_values_from_everywhere(tmp_path: Path) -> None:
    """The manifest, its files, the environment, and the default: whichever wins."""
    (tmp_path / "main.tf").write_text(
        'variable "x" {\n  sensitive = true\n  default = "the-default"\n}\nvariable "y" {}'
    )
    (tmp_path / "more.tfvars").write_text('x = "of-a-file"\ny = "plain"')
    environment = {"TF_VAR_x": '["of-the-environment"]', "TF_VAR_y": "plain", "PATH": "/bin"}
    found = secrets(
        tmp_path,
        environment,
        variables={"x": {"a": "of-the-manifest", "n": 123457}, "y": "plain"},
        variable_files=(tmp_path / "more.tfvars",),
    )
    assert found == {
        "the-default",
        "of-a-file",
        '["of-the-environment"]',
        "of-the-environment",
        "of-the-manifest",
        "123457",
    }


def test_short_numbers_are_no_secrets(tmp_path: Path) -> None:
    """To mask them would make the output unreadable."""
    (tmp_path / "main.tf").write_text('variable "x" { sensitive = true }')
    (tmp_path / "terraform.tfvars").write_text("x = [1, 80, 5432, 123456]")
    assert secrets(tmp_path) == {"123456"}


@pytest.mark.parametrize(
    ("file", "text"),
    [("terraform.tfvars", "x = 7391"), ("terraform.tfvars.json", '{"x": 7391}')],
)
def test_a_number_by_itself(tmp_path: Path, file: str, text: str) -> None:
    """A PIN that is written without quotes is a secret from the start."""
    (tmp_path / "main.tf").write_text('variable "x" { sensitive = true }')
    (tmp_path / file).write_text(text)
    assert secrets(tmp_path) == {"7391"}


@pytest.mark.parametrize("content", [b"\xff\xfe{", b'x = "', b"{" * 100_000])
def test_what_cannot_be_read_fails_nothing(tmp_path: Path, content: bytes) -> None:
    """Terraform says why it cannot read it either."""
    (tmp_path / "main.tf").write_text('variable "x" { sensitive = true }')
    for name in ("other.tf", "other.tf.json", "terraform.tfvars", "terraform.tfvars.json"):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.tf").mkdir()
    assert "x" in declared_in(tmp_path).defaults
    secrets(tmp_path, variable_files=(tmp_path / "not-there.tfvars",))


def test_files_that_give_a_variable(tmp_path: Path) -> None:
    """Those alone that name it."""
    paths = [tmp_path / name for name in ("a.tfvars", "b.tfvars", "c.tfvars.json")]
    for path, text in zip(paths, ('x = "1"', 'y = "x"', '{"x": 1}'), strict=True):
        path.write_text(text)
    assert files_with({"x"}, paths) == (paths[0], paths[2])
