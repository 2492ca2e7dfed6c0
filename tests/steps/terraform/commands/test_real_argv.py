"""The real program takes what is handed to it, and takes it literally."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from calamari_py.environment import EnvironmentSpec, build_child_environment
from calamari_py.steps.terraform.commands import argv
from calamari_py.steps.terraform.commands.environment import kind_environment, with_files
from calamari_py.steps.terraform.commands.files import PrivateFiles, write_private_files
from calamari_py.steps.terraform.spec import TerraformSpec, Workspace
from tests.tools import require_tool

pytestmark = pytest.mark.process

HOSTILE = {
    "TF_CLI_ARGS": "-no-such-flag",
    "TF_CLI_ARGS_plan": "-destroy",
    "TF_WORKSPACE": "somebody-elses",
    "TF_DATA_DIR": "/nowhere/at/all",
    "TF_VAR_text": "somebody else's",
    "TF_LOG": "TRACE",
    "TF_REATTACH_PROVIDERS": "no JSON",
}
VALUES: dict[str, Any] = {
    "text": 'a ${path.module} %{if true}x%{endif} "q" \\ é\n$${x}',
    "yes": True,
    "number": 123456789012345678901234567890,
    "part": 0.1,
    "texts": ["1", "${b}"],
    "map": {"a b": "c", "${k}": "d"},
    "none": None,
    "any": [1, "1", {"k": False}],
}
TYPES = {
    "text": "string", "yes": "bool", "number": "number", "part": "number",
    "texts": "list(string)", "map": "map(string)", "none": "string", "any": "any",
}  # fmt: skip
DECLARED = "".join(f'variable "{name}" {{ type = {type_} }}\n' for name, type_ in TYPES.items())
MAIN = f"""
terraform {{
  backend "local" {{}}
}}
{DECLARED}
output "all" {{
  value = {{ {", ".join(f"{name} = var.{name}" for name in TYPES)} }}
}}
resource "terraform_data" "one" {{}}
"""


class Program:
    """The program, as a step would start it where the caller's environment is hostile."""

    def __init__(self, folder: Path, configuration: str, **fields: Any) -> None:
        self.directory = folder / "a b'$x"
        for path in (self.directory, folder / "private", folder / "temp"):
            path.mkdir()
        (self.directory / "main.tf").write_text(configuration, "utf-8")
        self.spec = TerraformSpec(
            action="deploy",
            binary=Path(require_tool("terraform")),
            directory=self.directory,
            **fields,
        )
        self.files: PrivateFiles = write_private_files(
            self.spec, private=folder / "private", temp=folder / "temp"
        )
        kind = kind_environment(self.spec)
        inherited = {**HOSTILE, "HOME": str(folder), "PATH": os.environ["PATH"]}
        built = build_child_environment(
            EnvironmentSpec(inherited=inherited, scrub=kind.scrub, kind_names=kind.names)
        )
        self.environment = with_files(built.values, self.spec, self.files)

    def __call__(self, line: tuple[str, ...], code: int = 0) -> str:
        """What it writes, and what it complains of."""
        ended = subprocess.run(
            line, cwd=self.directory, env=self.environment, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr


def test_values_arrive_as_they_were_written(tmp_path: Path) -> None:
    """Through init, plan, show, apply and output: typed, literal, no digit lost, in spite of the
    caller's environment; and nothing but the state is left in the folder."""
    run = Program(
        tmp_path,
        MAIN,
        variables=VALUES,
        backend={"path": "state ${x}"},
        parallelism=2,
        lock_timeout=1,
        log_level="info",
    )
    spec, files = run.spec, run.files
    assert "terraform_version" in json.loads(run(argv.version(spec)))
    run(argv.init(spec, files))
    assert json.loads(run(argv.show_state(spec)))["format_version"] == "1.0"
    run(argv.plan(spec, files, out=files.plan), code=2)
    shown = json.loads(run(argv.show_plan(spec, files.plan)))
    assert [change["change"]["actions"] for change in shown["resource_changes"]] == [["create"]]
    assert {name: each.get("value") for name, each in shown["variables"].items()} == VALUES
    run(argv.apply(spec, files.plan))
    assert json.loads(run(argv.outputs(spec)))["all"]["value"] == VALUES
    assert run(argv.probe_lock(spec)).count("Lock Info") == 0
    assert {path.name for path in run.directory.iterdir()} == {"main.tf", "state ${x}"}
    assert files.log is not None
    assert files.log.stat().st_size > 0
    assert stat.S_IMODE(files.log.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", ["destroy", "refresh_only"])
def test_a_mode_takes_all_that_a_section_may_say(tmp_path: Path, mode: str) -> None:
    """What Terraform refuses in a mode is not on its command line."""
    run = Program(
        tmp_path,
        'resource "terraform_data" "one" {}',
        targets=("terraform_data.one",),
        replace=("terraform_data.one",),
        refresh=False,
    )
    run(argv.init(run.spec, run.files))
    run(argv.plan(run.spec, run.files, out=run.files.plan, **{mode: True}))


def test_workspaces(tmp_path: Path) -> None:
    """A name with all that Terraform allows is made, chosen and shown."""
    run = Program(tmp_path, "", workspace=Workspace(name="team:a@b.c~$&+=_1-2"))
    run(argv.init(run.spec, run.files))
    run(argv.workspace_select(run.spec), code=1)
    run(argv.workspace_new(run.spec))
    run(argv.workspace_select(run.spec))
    assert run((str(run.spec.binary), "workspace", "show")).strip() == "team:a@b.c~$&+=_1-2"
    assert "* team:a@b" in run(argv.workspace_list(run.spec))


def test_nested_backend_configuration(tmp_path: Path) -> None:
    """It is read by its types, and nothing in it is a template: the role's name comes back as it
    was written."""
    run = Program(
        tmp_path,
        'terraform {\n  backend "s3" {}\n}',
        backend={
            "bucket": "b", "key": "k", "region": "eu-west-1", "use_lockfile": True,
            "assume_role": {"role_arn": "role ${x}", "duration": "1h", "tags": {"a": "b"}},
        },
    )  # fmt: skip
    told = run(argv.init(run.spec, run.files), code=1)
    assert "role_arn" in told
    assert "role ${x}" in told
    assert "tags" not in told


def test_a_mirror_is_named_when_it_lacks_a_provider(tmp_path: Path) -> None:
    """Nothing else is asked, however evil the mirror's path is."""
    mirror = tmp_path / 'm ${x "q" \\ é'
    mirror.mkdir()
    required = 'terraform {\n  required_providers {\n    n = { source = "example/n" }\n  }\n}'
    run = Program(tmp_path, required, plugin_mirror=mirror)
    # Terraform breaks its sentences into lines.
    told = " ".join(run(argv.init(run.spec, run.files), code=1).split())
    assert str(mirror) in told
    assert "was not found in any of the search locations" in told
