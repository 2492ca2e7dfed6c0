"""Which kubectl it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

from calamari_py.errors import ToolMissing
from calamari_py.steps.base import Captured

_OLDEST = (1, 24)
_VERSION = re.compile(r"v?((\d+)\.(\d+)\.\d+\S*)")


def client_version(binary: Path, asked: Captured) -> str:
    """The version without its ``v``, from what ``version --client -o json`` wrote. ToolMissing when
    it is no kubectl, or too old a one."""
    match = _VERSION.fullmatch(_git_version(asked.stdout)) if asked.exit.code == 0 else None
    if match is None:
        raise ToolMissing(
            f"'{binary}' is no kubectl",
            hint=f"asked for its version it ended with {asked.exit.code} and said:"
            f" {_first_line(asked)}",
        )
    if (int(match[2]), int(match[3])) < _OLDEST:
        raise ToolMissing(
            f"'{binary}' is kubectl {match[1]}, and at least 1.24 is needed",
            hint="install a newer one, and name it with 'binary' where it is not the first on PATH",
        )
    return match[1]


def _git_version(stdout: bytes) -> str:
    try:
        document = json.loads(stdout)
    except ValueError:
        return ""
    client = document.get("clientVersion") if isinstance(document, dict) else None
    return str(client.get("gitVersion", "")) if isinstance(client, dict) else ""


def _first_line(asked: Captured) -> str:
    text = (asked.stdout or asked.stderr).decode("utf-8", "replace").strip()
    return text.splitlines()[0][:80] if text else "nothing"
