"""Which backend a configuration has, once ``init`` has set it up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepReport
from calamari_py.steps.terraform.spec import TerraformSpec

_BLOCK = 'terraform { backend "s3" {} }'


def check_backend(spec: TerraformSpec, data: Path, report: StepReport) -> None:
    """ToolFailed when the manifest configures a backend that there is none of: Terraform only warns
    then, and keeps the state on the local disk. That is said where it is meant."""
    kind, config = configured_backend(data)
    if kind is None and spec.backend:
        raise ToolFailed(
            "the configuration has no backend block, so 'backend' would be ignored and the state"
            " would be local",
            hint=f"write {_BLOCK} into a file of '{spec.directory}'",
        )
    if spec.action != "output" and kind in (None, "local") and not _is_elsewhere(config):
        report.warn(
            f"the state lies in '{spec.directory}', and is lost with it",
            f"write {_BLOCK} there, and under 'backend' which bucket and key it has",
        )


def configured_backend(data: Path) -> tuple[str | None, Mapping[str, Any]]:
    """The backend's type and its configuration, as ``init`` left them in the folder `data`; no type
    where the configuration names no backend."""
    try:
        document = json.loads((data / "terraform.tfstate").read_bytes())
    except FileNotFoundError:
        return None, {}
    except (OSError, ValueError) as error:
        raise ToolFailed(f"what init wrote of the backend cannot be read: {error}") from error
    backend = document.get("backend") if isinstance(document, dict) else None
    if not isinstance(backend, dict):
        return None, {}
    return backend.get("type"), backend.get("config") or {}


def _is_elsewhere(config: Mapping[str, Any]) -> bool:
    return Path(config.get("path") or ".").is_absolute()
