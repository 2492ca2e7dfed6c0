"""``mask`` returns only when the runner would find what it declared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from calamari_py.steps import script
from tests.tools import require_tool

pytestmark = pytest.mark.process

SUPPORT = Path(script.__file__).parent / "support"
ROUNDS = 20
IN_SHELL = """
. "$1"
number=0
while [ "$number" -lt "$2" ]; do
    number=$((number + 1))
    if [ "$((number % 2))" -eq 0 ]; then mask "value $number"; else
        mask - <<END
value $number
END
    fi
    found=0
    for file in "$CALAMARI_DECLARATIONS"/mask-*; do
        [ -s "$file" ] && found=$((found + 1))
    done
    echo "$number $found"
done
"""
IN_PYTHON = """
import os, sys
sys.path.insert(0, sys.argv[1])
import calamari_step
for number in range(1, int(sys.argv[2]) + 1):
    calamari_step.mask(f"value {number}")
    names = os.listdir(os.environ["CALAMARI_DECLARATIONS"])
    print(number, len([name for name in names if name.startswith("mask-")]))
"""


@pytest.mark.parametrize("language", ["bash", "dash", "python"])
def test_a_declaration_is_there_when_mask_returns(language: str, tmp_path: Path) -> None:
    """The very next command finds it, whole and under its final name: no use can overtake it."""
    if language == "python":
        argv = [sys.executable, "-c", IN_PYTHON, str(SUPPORT / "python"), str(ROUNDS)]
    else:
        functions = str(SUPPORT / "functions.sh")
        argv = [require_tool(language), "-c", IN_SHELL, language, functions, str(ROUNDS)]
    done = subprocess.run(
        argv,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "CALAMARI_DECLARATIONS": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"{number} {number}" for number in range(1, ROUNDS + 1)]


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_a_value_is_passed_on_once_it_is_masked(shell: str, tmp_path: Path) -> None:
    """Who reads what ``mask - --pass`` gives finds the declaration there before the first byte."""
    script = (
        '. "$1"\nprintf "a value\\n" | mask - --pass | { read -r value\n'
        'for file in "$CALAMARI_DECLARATIONS"/mask-*; do [ -s "$file" ] && echo "$value"; done; }'
    )
    done = subprocess.run(
        [require_tool(shell), "-c", script, shell, str(SUPPORT / "functions.sh")],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "CALAMARI_DECLARATIONS": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "a value\n")
