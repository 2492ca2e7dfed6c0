"""A world for every test of an action."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.steps.terraform.world import TerraformWorld


@pytest.fixture
def world(tmp_path: Path) -> TerraformWorld:
    return TerraformWorld(tmp_path)
