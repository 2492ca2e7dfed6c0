"""The cluster that tests of this room work on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.steps.kubernetes.applying.cluster import Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """An empty one."""
    return Cluster(tmp_path)
