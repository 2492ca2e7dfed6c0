"""Real programs that integration tests use."""

from __future__ import annotations

import os
import shutil

import pytest

_REQUIRED_IN_CI = frozenset({"bash", "aws", "terraform", "kubectl", "helm"})


def require_tool(name: str) -> str:
    """The path of `name`; where it is not installed the test is skipped, in CI it fails."""
    path = shutil.which(name)
    if path:
        return path
    if os.environ.get("CALAMARI_REQUIRE_TOOLS") == "1" and name in _REQUIRED_IN_CI:
        pytest.fail(f"'{name}' is not installed, and CALAMARI_REQUIRE_TOOLS=1 asks for it")
    pytest.skip(f"'{name}' is not installed")
