"""docs/masking.md says what is so: its commands and its program run, its tables are whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from calamari_py.masking import SecretRegistry, forms
from tests.integration.conftest import Calamari, calamari
from tests.tools import require_tool

__all__ = ["calamari"]

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "masking.md").read_text("utf-8")
CONSOLE = re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [line[2:] for block in CONSOLE for line in block.splitlines() if line[:2] == "$ "]
(MANIFEST,) = re.findall(r"```yaml\n# deploy.yaml\n(.*?)```", TEXT, re.DOTALL)
(PROGRAM,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
SECRET = "t0ken-4f9c2a7be1"


@pytest.mark.process
@pytest.mark.parametrize("line", COMMANDS)
def test_commands(line: str, calamari: Calamari) -> None:
    """Each command does what stands below it, or masks the log."""
    require_tool("bash")
    calamari.write(MANIFEST, "deploy.yaml")
    calamari.write(f"log with {SECRET}\n", "build.log")
    calamari.write(f"{SECRET}\n", "secrets.txt")
    for name in ("build.sh", "list-secrets.sh"):
        calamari.write(f"#!/bin/sh\necho {SECRET}\n", name).chmod(0o755)
    command = line.replace("calamari ", f"{' '.join(calamari.argv())} ", 1)
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=calamari.folder, env=calamari.env({"API_TOKEN": SECRET}), capture_output=True,
        text=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    masked = calamari.folder / "masked.log"
    shown = done.stdout + (masked.read_text("utf-8") if masked.exists() else "")
    assert SECRET not in shown + done.stderr
    block = next(block for block in CONSOLE if f"$ {line}\n" in block)
    expected = block.partition(f"$ {line}\n")[2]
    if line.startswith("calamari explain"):
        assert shown == expected
    else:
        assert "***" in shown


def test_there_are_commands() -> None:
    """The pattern that finds them does."""
    assert len(COMMANDS) == 4


@pytest.mark.process
def test_the_program_runs(tmp_path: Path) -> None:
    """It is whole, its own assertions hold, and it loads nothing of AWS or of a run."""
    never = "('botocore', 'msgspec', 'click', 'calamari_py.runner', 'calamari_py.process')"
    more = f"import sys\nassert not [name for name in {never} if name in sys.modules]\n"
    (tmp_path / "program.py").write_text(PROGRAM + more, "utf-8")
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_table_of_forms_is_complete() -> None:
    """It has every kind of form that there is, and no other."""
    registry = SecretRegistry()
    registry.add("p&ss \"w'ö\\rd`$x/y+z\nsecond line <here>\t%", name="all")
    section = TEXT.partition("## Forms")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section.partition("| the value has")[0], re.MULTILINE)
    listed = {kind for row in rows for kind in re.findall(r"`([^`]+)`", row)}
    assert listed == set(registry.forms["all"])


def test_the_table_of_lengths_is_right() -> None:
    """The limits and the words are those of the code."""
    assert f"| 1 to {forms.LONGEST_UNMASKED} bytes, or is " in TEXT
    assert f"| {forms.LONGEST_UNMASKED + 1} or {forms.LONGEST_LITERAL_ONLY} bytes |" in TEXT
    assert f"| {forms.LONGEST_LITERAL_ONLY + 1} bytes or more |" in TEXT
    assert f"at least {forms.FORM_FLOOR} bytes (or as many" in TEXT
    assert f"each line of at least {forms.SHORTEST_LINE} bytes" in TEXT
    assert all(f"`{word.decode()}`" in TEXT for word in forms.COMMON_WORDS)
