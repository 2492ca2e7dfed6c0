"""What becomes an argument of terraform's holds no secret: everybody could read it."""

from __future__ import annotations

import pytest

from calamari_py.steps.terraform.kind import TerraformKind
from tests.runner.world import HEAD, World
from tests.steps.terraform.test_kind_runs import world

__all__ = ["world"]

TOKEN = "variables: {Token: {value: s3cr3t-token, sensitive: true}}\n"
FIELDS = {
    "directory": ("'{{ Token }}'", "directory", "6:14"),
    "binary": ("'{{ Token }}'", "binary", "6:11"),
    "workspace": ("'{{ Token }}'", "workspace", "6:14"),
    "workspace of its own": ("{name: '{{ Token }}'}", "workspace.name", "6:21"),
    "variable_files": ("[a.tfvars, '{{ Token }}.tfvars']", "variable_files[1]", "6:30"),
    "targets": ("['a.b[\"{{ Token }}\"]']", "targets[0]", "6:13"),
    "replace": ("[a.b, '{{ Token }}']", "replace[1]", "6:18"),
}
"""Of each field of the section that becomes an argument: with a secret, which place is named."""


@pytest.mark.parametrize("name", FIELDS)
def test_a_secret_in_an_argument_is_refused(name: str, world: World) -> None:
    """65, with its place and without its value, and nothing is started: also where the file or the
    folder of that name is there."""
    (world.folder / "s3cr3t-token").mkdir()
    for file in ("s3cr3t-token/main.tf", "bin/s3cr3t-token", "s3cr3t-token.tfvars", "a.tfvars"):
        world.write("# nothing\n", file).chmod(0o755)
    written, path, place = FIELDS[name]
    said = f"terraform:\n  {name.partition(' ')[0]}: {written}\n"
    if "directory" not in name:
        said += "  directory: infra\n"
    assert world.run(HEAD + TOKEN + said).exit_code == 65
    (problem,) = world.reporter.failure.problems
    assert (problem.path, problem.place) == (f"terraform.{path}", f"step.yaml:{place}")
    assert problem.message.endswith("would stand on a command line")
    assert world.child.commands == []
    assert "s3cr3t-token" not in world.reporter.text


def test_no_field_was_forgotten() -> None:
    """Those above are the ones that the kind names."""
    assert {name for name in FIELDS if " " not in name} == {*TerraformKind.argument_fields}
