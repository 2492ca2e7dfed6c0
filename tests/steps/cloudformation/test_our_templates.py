"""The templates that people start from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import calamari_py
from calamari_py.steps.cloudformation.parsing.template import read_facts

FOLDER = Path(calamari_py.__file__).parents[1] / "step-templates" / "templates"
OURS = sorted(FOLDER.glob("*.yaml"))


def test_there_are_templates() -> None:
    """The check below has something to look at."""
    assert {path.name for path in OURS} == {"deploy-role.yaml", "queue.yaml"}


@pytest.mark.process
@pytest.mark.slow(3)
def test_cfn_lint_has_nothing_to_say() -> None:
    """No error and no warning in any of them."""
    lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([lint, *OURS], capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_deployment_role_is_the_seed_documents() -> None:
    """Its parameters are there, the rest has a default: what is added is optional."""
    facts = read_facts((FOLDER / "deploy-role.yaml").read_text("utf-8"))
    needed = [name for name, found in facts.parameters.items() if found.default is None]
    assert needed == ["Environment", "LauncherRoleArn"]
    assert facts.capabilities == {"CAPABILITY_NAMED_IAM"}
