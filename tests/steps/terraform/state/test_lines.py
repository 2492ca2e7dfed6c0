"""Lines that people paste."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from calamari_py.steps.base import Rerun
from calamari_py.steps.terraform.spec import Workspace
from calamari_py.steps.terraform.state.lines import exec_line, push_line, unlock_line
from tests.steps.terraform.fakes import tool_spec

RERUN = Rerun(words=("calamari", "run", "dev.yaml", "--var", "Stage=a b"))
_INIT = "terraform init -input=false"


def script_of(line: str) -> str:
    """What the shell of a line is given."""
    words = shlex.split(line, comments=True)
    assert words[-3:-1] == ["sh", "-c"]
    return words[-1]


def test_the_line_chooses_the_same_step() -> None:
    """`calamari exec` with all that chose the step, quoted."""
    line = unlock_line(RERUN, tool_spec(Path("/w/infra")), "ID-1")
    assert line == (
        "calamari exec dev.yaml --var 'Stage=a b' -- sh -c 'cd /w/infra && "
        'export TF_DATA_DIR="$CALAMARI_TEMP/terraform" && terraform init -input=false && '
        "terraform force-unlock -force ID-1'"
    )


def test_a_pushed_state_is_removed() -> None:
    """It holds secrets: after it was saved, nobody needs the file."""
    line = push_line(RERUN, tool_spec(Path("/w")), Path("/kept/errored.tfstate"))
    assert script_of(line).endswith(
        "terraform state push /kept/errored.tfstate && rm /kept/errored.tfstate"
    )


@pytest.mark.parametrize(
    ("backend", "flags"),
    [
        pytest.param(
            {"bucket": "b", "use_lockfile": True, "max_retries": 1, "kms_key_id": None},
            "-backend-config=bucket=b -backend-config=use_lockfile=true "
            "-backend-config=max_retries=1",
            id="scalars",
        ),
        pytest.param(
            {"key": 'a ${b} "c".tfstate'},
            "'-backend-config=key=a ${b} \"c\".tfstate'",
            id="a text is literal",
        ),
    ],
)
def test_the_backend_is_chosen_by_flags(backend: dict[str, Any], flags: str) -> None:
    """As Terraform reads them: texts as they are."""
    line = exec_line(RERUN, tool_spec(Path("/w"), backend=backend), ("x",))
    assert f" && {_INIT} {flags} && " in script_of(line)


def test_what_has_parts_is_a_file() -> None:
    """Flags have no words for a block, such as ``workspaces`` of the backend ``remote``."""
    backend = {"organization": "o", "workspaces": {"name": "${a}"}, "allowed_account_ids": ["1"]}
    script = script_of(exec_line(RERUN, tool_spec(Path("/w"), backend=backend), ("x",)))
    assert script.endswith(
        """ && printf %s '{"workspaces": {"name": "${a}"}, "allowed_account_ids": ["1"]}'"""
        f""" > "$CALAMARI_TEMP/backend.json" && {_INIT} -backend-config=organization=o"""
        """ -backend-config="$CALAMARI_TEMP/backend.json" && terraform x"""
    )


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        pytest.param(
            {"workspace": Workspace(name="dev")},
            "-input=false && terraform workspace select dev && terraform x",
            id="workspace",
        ),
        pytest.param({"plugin_mirror": Path("/m m")}, f"{_INIT} '-plugin-dir=/m m'", id="mirror"),
        pytest.param({"lockfile_readonly": True}, f"{_INIT} -lockfile=readonly", id="lock file"),
        pytest.param(
            {"binary_name": "./bin/tofu", "binary": Path("/w/bin/tofu")},
            "/w/bin/tofu init -input=false && /w/bin/tofu x",
            id="a path of the program",
        ),
        pytest.param({"binary_name": "tofu"}, " && tofu x", id="another program"),
    ],
)
def test_what_the_step_needs_is_there(changes: dict[str, Any], part: str) -> None:
    """Workspace, providers' mirror, lock file and program are the step's."""
    assert part in script_of(exec_line(RERUN, tool_spec(Path("/w"), **changes), ("x",)))


def test_secrets_are_left_out() -> None:
    """None stands in the line, wherever it is in a value; the remark says what to add."""
    spec = tool_spec(
        Path("/w"),
        backend={
            "bucket": "b",
            "secret_key": "hunter2hunter2",
            "endpoints": {"s3": "https://u:pa55word@h", "more": ["x"]},
            "key": "the-pa55word-again",
            "region": "eu-b",
        },
        secrets=(
            ("backend.bucket", "b"),
            ("backend.secret_key", "hunter2hunter2"),
            ("backend.endpoints.s3", "pa55word"),
        ),
    )
    line = exec_line(RERUN, spec, ("x",))
    assert "hunter2" not in line
    assert "pa55word" not in line
    assert " init -input=false -backend-config=region=eu-b && " in line
    assert line.endswith(
        "'  # "
        + "; ".join(
            f"add -backend-config={key}=…, a secret"
            for key in ("bucket", "secret_key", "endpoints", "key")
        )
    )


def test_remarks_stay() -> None:
    """What running the step again needs, this does too."""
    rerun = Rerun(words=("calamari", "run", "-"), remarks=("with the same manifest",))
    assert exec_line(rerun, tool_spec(Path("/w")), ("x",)).endswith("'  # with the same manifest")


@pytest.mark.process
def test_a_missing_folder_ends_it(tmp_path: Path) -> None:
    """Nothing of Terraform is run anywhere else."""
    script = script_of(unlock_line(RERUN, tool_spec(tmp_path / "gone"), "ID"))
    program = tmp_path / "terraform"
    _program(program, f"touch {tmp_path}/ran")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, check=False)
    assert done.returncode != 0
    assert not (tmp_path / "ran").exists()


@pytest.mark.process
def test_a_pasted_line_works_in_any_folder(tmp_path: Path) -> None:
    """Spaces, quotes and dollars in names reach Terraform as they are; no data is left there."""
    module = tmp_path / "e vil $HOME 'q\" `x`;"
    module.mkdir()
    state = module / "errored.tfstate"
    state.touch()
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    seen = tmp_path / "seen"
    _program(
        bin_folder / "calamari",
        f'while [ "$1" != -- ]; do shift; done; shift; CALAMARI_TEMP={tmp_path} exec "$@"',
    )
    _program(
        bin_folder / "terraform",
        f'python3 -c "import json, os, sys; print(json.dumps([sys.argv[1:], os.getcwd(), '
        f'os.environ.get(\'TF_DATA_DIR\')]))" "$@" >> {seen}',
    )
    backend = {"key": "k $HOME 'x'", "workspaces": {"name": "it's $HOME \\n"}}
    spec = tool_spec(module, backend=backend, workspace=Workspace(name="it's"))
    environment = {"PATH": f"{bin_folder}:{os.environ['PATH']}"}
    subprocess.run(
        ["sh", "-c", push_line(RERUN, spec, state)], env=environment, cwd=tmp_path, check=True
    )
    calls = [json.loads(line) for line in seen.read_text().splitlines()]
    assert [argv for argv, *_ in calls] == [
        ["init", "-input=false", "-backend-config=key=k $HOME 'x'",
         f"-backend-config={tmp_path}/backend.json"],
        ["workspace", "select", "it's"],
        ["state", "push", str(state)],
    ]  # fmt: skip
    assert {tuple(rest) for _, *rest in calls} == {(str(module), f"{tmp_path}/terraform")}
    there = json.loads((tmp_path / "backend.json").read_text())
    assert there == {"workspaces": backend["workspaces"]}
    assert not state.exists()


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
