"""The folder that all tests of this room look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.steps.terraform.parsing.sections import step_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """See `step_folder`."""
    return step_folder(tmp_path)
