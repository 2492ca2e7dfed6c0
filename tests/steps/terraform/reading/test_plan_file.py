"""For which state a plan file is, as it says itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from calamari_py.steps.terraform.reading.plan_file import PlannedState, planned_state
from tests.steps.terraform.plan_files import archive, plan_bytes
from tests.tools import require_tool


def _read(folder: Path, content: bytes) -> PlannedState | None:
    path = folder / "a.tfplan"
    path.write_bytes(content)
    return planned_state(path)


def test_backend_and_workspace(tmp_path: Path) -> None:
    """Type, configuration and workspace; of long texts, too."""
    key = "k" * 300
    found = _read(tmp_path, plan_bytes(bucket="b", key=key, profile=None, workspace="dev"))
    assert found is not None
    assert (found.backend, found.workspace) == ("s3", "dev")
    assert found.config == {"bucket": "b", "key": key, "profile": None}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"remote_plan_format":1}', id="a plan on a server"),
        pytest.param(archive(("other", b"")), id="another archive"),
        pytest.param(archive(("tfplan", b"")), id="an empty plan"),
        pytest.param(archive(("tfplan", b"\x08\x04")), id="a newer format"),
        pytest.param(archive(("tfplan", b"\x08\x03")), id="no backend"),
        pytest.param(archive(("tfplan", b"\x08\x03\x6a\x7f")), id="cut off"),
        pytest.param(archive(("tfplan", b"\xff" * 40)), id="no message"),
        pytest.param(archive(("tfplan", b"\x08\x03\x6a\x02\x0a\x00")), id="half a backend"),
        pytest.param(plan_bytes(backend=""), id="a backend without a name"),
        pytest.param(plan_bytes()[:-60], id="half a file"),
    ],
)
def test_what_nobody_can_read(tmp_path: Path, content: bytes) -> None:
    """No error: nobody knows."""
    assert _read(tmp_path, content) is None


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_plans_in_one_file(tmp_path: Path) -> None:
    """Terraform reads the first, zipfile the last."""
    twice = archive(("tfplan", b"\x08\x03"), ("tfplan", b"\x08\x03"))
    assert _read(tmp_path, twice) is None


def test_too_large_to_be_read(tmp_path: Path) -> None:
    """What is small in the archive may be endless outside of it."""
    path = tmp_path / "a.tfplan"
    path.write_bytes(plan_bytes())
    assert planned_state(path) is not None
    assert planned_state(path, limit=10) is None


@pytest.mark.process
def test_a_real_plan(tmp_path: Path) -> None:
    """What Terraform itself writes is read."""
    (tmp_path / "main.tf").write_text(
        'terraform {\n  backend "local" {\n    path = "sub/x.tfstate"\n  }\n}\n'
        'output "x" { value = 1 }\n'
    )
    environment = {"PATH": "/usr/bin:/bin", "TF_CLI_CONFIG_FILE": "/dev/null",
                   "CHECKPOINT_DISABLE": "1"}  # fmt: skip
    for words in ("init -input=false", "workspace new dev", "plan -input=false -out=a.tfplan"):
        subprocess.run(
            [require_tool("terraform"), *words.split()],
            cwd=tmp_path,
            env=environment,
            check=True,
            capture_output=True,
            timeout=60,
        )
    found = planned_state(tmp_path / "a.tfplan")
    config = {"path": "sub/x.tfstate", "workspace_dir": None}
    assert found == PlannedState(backend="local", config=config, workspace="dev")
