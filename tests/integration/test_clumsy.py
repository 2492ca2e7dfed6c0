"""Odd surroundings: closed streams, full disks, folders that are gone; never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import Calamari
from tests.preloaded import calamari_command
from tests.tools import require_tool

pytestmark = [pytest.mark.process, pytest.mark.sandbox, pytest.mark.preloaded]

NO_AWS = "name: t\naccount: none\n"


def _shell(
    calamari: Calamari, line: str, program: list[str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `line` in bash, where CALAMARI stands for `program`, or for ``python -m calamari_py``."""
    require_tool("bash")
    command = " ".join(program or calamari.argv())
    return subprocess.run(
        ["bash", "-c", line.replace("CALAMARI", command)],
        cwd=calamari.folder, env=calamari.env(), capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("redirection", "code"),
    [
        pytest.param("<&-", 0, id="stdin"),
        pytest.param(">&-", 0, id="stdout"),
        pytest.param("2>&-", 0, id="stderr"),
        pytest.param("<&- >&- 2>&-", 0, id="all"),
        pytest.param("--format json >&-", 0, id="json stdout"),
    ],
)
def test_closed_standard_streams(redirection: str, code: int, calamari: Calamari) -> None:
    """A closed stream is an empty one: the step runs, and its files do not land there."""
    calamari.write(NO_AWS + "script: echo out; echo err >&2; touch ran\n")
    ran = _shell(calamari, f"CALAMARI run step.yaml {redirection}")
    assert ran.returncode == code, ran.stderr
    assert "Traceback" not in ran.stderr
    assert (calamari.folder / "ran").exists()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("CALAMARI run step.yaml --result r.json > /dev/full", id="stdout"),
        pytest.param("CALAMARI run step.yaml --result r.json --format json > /dev/full", id="json"),
        pytest.param("CALAMARI run step.yaml --result r.json 2> /dev/full", id="stderr"),
    ],
)
def test_a_full_disk_behind_our_output(line: str, calamari: Calamari) -> None:
    """Output that cannot be written is no success and no defect, and the result says so."""
    calamari.write(NO_AWS + "script: echo out; echo err >&2\n")
    ran = _shell(calamari, line, calamari_command(calamari.env()))
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert "defect" not in ran.stderr
    result = json.loads((calamari.folder / "r.json").read_text())
    assert (result["exit_code"], result["exit_origin"]) == (1, "calamari")


def test_a_folder_that_is_gone(calamari: Calamari) -> None:
    """A removed working directory is named, with what to do."""
    manifest = calamari.write(NO_AWS + "script: 'true'\n")
    ran = _shell(calamari, f"mkdir gone; cd gone; rmdir ../gone; CALAMARI run {manifest}")
    assert ran.returncode == 2
    assert "working directory" in ran.stderr


@pytest.mark.parametrize("option", ["--result step.yaml", "--result x --outputs x"])
def test_a_file_has_one_purpose(option: str, calamari: Calamari) -> None:
    """A result never overwrites the manifest or the outputs."""
    text = NO_AWS + "script: touch ran\n"
    manifest = calamari.write(text)
    ran = calamari("run", "step.yaml", *option.split())
    assert ran.code == 2
    assert "same file" in ran.err
    assert manifest.read_text() == text
    assert not (calamari.folder / "ran").exists()


def test_a_broken_sandbox_still_writes_the_result(calamari: Calamari) -> None:
    """What fails before the step is told like everything else: result, last event, code."""
    calamari.write(NO_AWS + "script: 'true'\n")
    blocked = calamari.folder / "blocked" / "moto"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text(
        "raise ModuleNotFoundError('No module named moto', name='moto')\n"
    )
    ran = calamari(
        "run", "step.yaml", "--sandbox", "--format", "json", "--result", "r.json",
        env={"PYTHONPATH": str(blocked.parent)},
    )  # fmt: skip
    assert ran.code == 69
    assert ran.events()[-1]["type"] == "finished"
    result = json.loads((calamari.folder / "r.json").read_text())
    assert (result["outcome"], result["exit_code"]) == ("not_started", 69)
    assert "pip install" in result["problems"][0]["hint"]


def test_a_step_that_removes_what_it_was_given(calamari: Calamari) -> None:
    """`finally` runs all the same, and what was lost is no success."""
    calamari.write(
        NO_AWS + 'script: rm -rf "$(dirname "$CALAMARI_OUTPUT")"\nfinally: touch cleaned\n'
    )
    ran = calamari("run", "step.yaml")
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert (calamari.folder / "cleaned").exists()


def test_an_artifact_of_another_process_is_refused(calamari: Calamari) -> None:
    """A step cannot make the runner read its own environment out to an artifact."""
    if not Path("/proc/self/environ").exists():
        pytest.skip("there is no /proc")
    calamari.write(
        NO_AWS + "script: |\n  printf 'env\\n/proc/self/environ' > $CALAMARI_DECLARATIONS/.x\n"
        "  mv $CALAMARI_DECLARATIONS/.x $CALAMARI_DECLARATIONS/artifact-1-x\n"
    )
    ran = calamari("run", "step.yaml", "--artifacts", "art", env={"LAUNCHER_CANARY": "x"})
    assert ran.code == 1
    assert os.listdir(calamari.folder / "art") == []
