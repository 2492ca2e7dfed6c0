"""The walk-through of docs/terraform.md is walked, in the sandbox, command by command."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from calamari_py.steps.terraform.sections import (
    Action,
    OutputsSection,
    PolicySection,
    TerraformSection,
)
from tests.integration.conftest import Calamari, calamari
from tests.preloaded import calamari_command
from tests.test_cloudformation_docs import sandbox
from tests.tools import require_tool

__all__ = ["calamari", "sandbox"]

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "terraform.md").read_text("utf-8")
CONSOLE = "".join(re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL))
FILES = dict(re.findall(r"```(?:yml|hcl)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
STEPS = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", CONSOLE, re.MULTILINE)
PASSWORD = "demo-password-4f9c2a7be1"


@pytest.mark.process
@pytest.mark.sandbox
@pytest.mark.slow(20)
def test_the_walk_through(calamari: Calamari, sandbox: dict[str, str]) -> None:
    """Every command does, and shows, what the page says, and no secret."""
    for tool in ("bash", "aws", "terraform"):
        require_tool(tool)
    assert len(STEPS) >= 9
    assert set(FILES) == {"app.yaml", "infra/main.tf"}
    (calamari.folder / "infra").mkdir()
    for name, text in FILES.items():
        calamari.write(text, name)
    program = " ".join(calamari_command(calamari.env()))
    for command, shown in STEPS:
        done = subprocess.run(
            ["bash", "-c", command.replace("calamari ", f"{program} ", 1)],
            cwd=calamari.folder, env=calamari.env() | sandbox, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        assert PASSWORD not in done.stdout
        _assert_shows(done.stdout, shown, command)


@pytest.mark.process
def test_the_lines_for_ci_stop_no_job() -> None:
    """A shell that ends at the first command that fails comes to their end, with changes to
    approve; so does the line for who wants exit code 2."""
    (lines,) = re.findall(r"```sh\n(# the job that plans\n.*?)```", PAGE, re.DOTALL)
    (careful,) = re.findall(r"`(calamari run … --detailed-exitcode [^`]*)`", PAGE)
    fake = 'calamari() { echo "$@"; case "$*" in *--detailed-exitcode*) return 2;; esac; }'
    done = subprocess.run(
        ["sh", "-eu", "-c", f"{fake}\nAPPROVED=x\n{lines}\n{careful}\necho the end"],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    asked = re.findall(r"--action (\S+)|(--detailed-exitcode)|(the end)", done.stdout)
    assert ["".join(each) for each in asked] == ["plan", "apply", "--detailed-exitcode", "the end"]


def _assert_shows(real: str, shown: str, command: str) -> None:
    """The lines of `shown` are there, in order; … stands for anything."""
    lines = [line for line in _timeless(shown).splitlines() if line.strip("… ")]
    pattern = ".*".join(re.escape(line).replace("…", ".*") for line in lines)
    assert re.search(pattern, _timeless(real), re.DOTALL), f"{command}\n{real}"


def _timeless(text: str) -> str:
    text = re.sub(r"\b[0-9a-f]{64}\b", "SHA256", text)
    return re.sub(r"(succeeded|failed) in [\d.]+s (.*?) ─+$", r"\1 \2", text, flags=re.MULTILINE)


@pytest.mark.parametrize("section", [TerraformSection, PolicySection, OutputsSection])
def test_every_key_is_described(section: type) -> None:
    """The page names every key."""
    keys: tuple[str, ...] = section.__struct_fields__  # type: ignore[attr-defined]
    assert [key for key in keys if not re.search(rf"`(\w+\.)?{key}\b", PAGE)] == []


def test_every_action_is_described() -> None:
    """The table says what each does."""
    table = PAGE[PAGE.index("## Actions") : PAGE.index("## Keys")]
    assert [action for action in get_args(Action) if f"`{action}`" not in table] == []
