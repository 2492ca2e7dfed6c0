"""The walk-through of docs/cloudformation.md is walked, in the sandbox, command by command."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from calamari_py.steps.cloudformation.sections import CloudFormationSection
from calamari_py.steps.cloudformation.states import STATUSES
from tests.integration.conftest import Calamari, calamari
from tests.preloaded import calamari_command
from tests.tools import require_tool

__all__ = ["calamari"]

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "cloudformation.md").read_text("utf-8")
CONSOLE = "".join(re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL))
FILES = dict(re.findall(r"```yml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
STEPS = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", CONSOLE, re.MULTILINE)


@pytest.fixture
def sandbox(calamari: Calamari) -> Iterator[dict[str, str]]:
    """The environment that a running sandbox prints."""
    process = calamari.start(["sandbox"])
    try:
        assert process.stdout is not None
        exported: dict[str, str] = {}
        while "AWS_DEFAULT_REGION" not in exported:
            line = process.stdout.readline().decode()
            assert line, "the sandbox has ended"
            name, _, value = line.removeprefix("export ").strip().partition("=")
            exported[name] = value.strip("'")
        yield exported
    finally:
        process.kill()
        process.communicate()


@pytest.mark.process
@pytest.mark.sandbox
def test_the_walk_through(calamari: Calamari, sandbox: dict[str, str]) -> None:
    """Every command does, and shows, what the page says."""
    require_tool("bash")
    assert len(STEPS) >= 6
    assert set(FILES) == {"storage.yaml", "storage.template.yaml"}
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
        _assert_shows(done.stdout, shown, command)


def _assert_shows(real: str, shown: str, command: str) -> None:
    """The lines of `shown` are there, in order; … stands for anything."""
    lines = [line for line in _timeless(shown).splitlines() if line.strip("… ")]
    pattern = ".*".join(re.escape(line).replace("…", ".*") for line in lines)
    assert re.search(pattern, _timeless(real), re.DOTALL), f"{command}\n{real}"


def _timeless(text: str) -> str:
    text = re.sub(r"change set calamari-[0-9a-f]{12}", "change set calamari-…", text)
    return re.sub(r"(succeeded|failed) in [\d.]+s (.*?) ─+$", r"\1 \2", text, flags=re.MULTILINE)


def test_every_key_is_described() -> None:
    """The page names every key of the section."""
    keys = [name.rstrip("_") for name in CloudFormationSection.__struct_fields__]
    assert [key for key in keys if f"`{key}" not in PAGE] == []


def test_every_status_that_nothing_runs_in_is_described() -> None:
    """The table of states says what a deployment makes of each."""
    ended = [name for name, status in STATUSES.items() if status.is_terminal]
    assert [name for name in ended if name not in PAGE and name != "DELETE_COMPLETE"] == []
