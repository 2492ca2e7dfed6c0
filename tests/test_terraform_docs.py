"""The walk-through of docs/terraform.md is walked, in the sandbox, command by command."""

from __future__ import annotations

import re
import subprocess
from typing import get_args

import pytest

from calamari_py.steps.terraform.sections import (
    Action,
    OutputsSection,
    PolicySection,
    TerraformSection,
)
from tests.integration.conftest import Calamari, calamari
from tests.tools import require_tool
from tests.walked import Page, sandbox

__all__ = ["calamari", "sandbox"]

PAGE = Page("terraform.md")
PASSWORD = "demo-password-4f9c2a7be1"


@pytest.mark.process
@pytest.mark.sandbox
@pytest.mark.slow(20)
def test_the_walk_through(calamari: Calamari, sandbox: dict[str, str]) -> None:
    """Every command does, and shows, what the page says, and no secret."""
    for tool in ("bash", "aws", "terraform"):
        require_tool(tool)
    assert len(PAGE.steps) >= 9
    assert set(PAGE.files) == {"app.yaml", "infra/main.tf"}
    assert PASSWORD not in PAGE.walk(calamari, sandbox)


@pytest.mark.process
def test_the_lines_for_ci_stop_no_job() -> None:
    """A shell that ends at the first command that fails comes to their end, with changes to
    approve; so does the line for who wants exit code 2."""
    (lines,) = re.findall(r"```sh\n(# the job that plans\n.*?)```", PAGE.text, re.DOTALL)
    (careful,) = re.findall(r"`(calamari run … --detailed-exitcode [^`]*)`", PAGE.text)
    fake = 'calamari() { echo "$@"; case "$*" in *--detailed-exitcode*) return 2;; esac; }'
    done = subprocess.run(
        ["sh", "-eu", "-c", f"{fake}\nAPPROVED=x\n{lines}\n{careful}\necho the end"],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    asked = re.findall(r"--action (\S+)|(--detailed-exitcode)|(the end)", done.stdout)
    assert ["".join(each) for each in asked] == ["plan", "apply", "--detailed-exitcode", "the end"]


@pytest.mark.parametrize("section", [TerraformSection, PolicySection, OutputsSection])
def test_every_key_is_described(section: type) -> None:
    """The page names every key."""
    keys: tuple[str, ...] = section.__struct_fields__  # type: ignore[attr-defined]
    assert [key for key in keys if not re.search(rf"`(\w+\.)?{key}\b", PAGE.text)] == []


def test_every_action_is_described() -> None:
    """The table says what each does."""
    table = PAGE.text.partition("## Actions")[2].partition("## Keys")[0]
    assert [action for action in get_args(Action) if f"`{action}`" not in table] == []
