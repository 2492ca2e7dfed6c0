"""The walk-through of docs/cloudformation.md is walked, in the sandbox, command by command."""

from __future__ import annotations

import pytest

from calamari_py.steps.cloudformation.sections import CloudFormationSection
from calamari_py.steps.cloudformation.states import STATUSES
from tests.integration.conftest import Calamari, calamari
from tests.tools import require_tool
from tests.walked import Page, sandbox

__all__ = ["calamari", "sandbox"]

PAGE = Page("cloudformation.md")


@pytest.mark.process
@pytest.mark.sandbox
def test_the_walk_through(calamari: Calamari, sandbox: dict[str, str]) -> None:
    """Every command does, and shows, what the page says."""
    require_tool("bash")
    assert len(PAGE.steps) >= 6
    assert set(PAGE.files) == {"storage.yaml", "storage.template.yaml"}
    PAGE.walk(calamari, sandbox)


def test_every_key_is_described() -> None:
    """The page names every key of the section."""
    keys = [name.rstrip("_") for name in CloudFormationSection.__struct_fields__]
    assert [key for key in keys if f"`{key}" not in PAGE.text] == []


def test_every_status_that_nothing_runs_in_is_described() -> None:
    """The table of states says what a deployment makes of each."""
    ended = [name for name, status in STATUSES.items() if status.is_terminal]
    assert [name for name in ended if name not in PAGE.text and name != "DELETE_COMPLETE"] == []
