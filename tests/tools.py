"""Real programs that integration tests use."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.kube.fetch_tools import FOLDER

FETCHED = FOLDER / "bin"
"""Where `make tools` puts helm and kubectl."""
_REQUIRED_IN_CI = frozenset({"bash", "aws", "terraform", "kubectl", "helm"})


def require_tool(name: str) -> str:
    """The path of `name`, fetched or installed; without one the test is skipped, in CI it fails.

    Fetched goes first: a `kubectl` that is installed may only start another one of the cluster's
    version, and each command costs twice as much.
    """
    path = shutil.which(name, path=str(FETCHED)) or shutil.which(name)
    if path:
        return path
    if os.environ.get("CALAMARI_REQUIRE_TOOLS") == "1" and name in _REQUIRED_IN_CI:
        pytest.fail(f"'{name}' is not installed, and CALAMARI_REQUIRE_TOOLS=1 asks for it")
    pytest.skip(f"'{name}' is not installed")
