"""Which backend a configuration has, once ``init`` has set it up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calamari_py.errors import ToolFailed
from calamari_py.steps.terraform.parsing.backend import (
    doubts_about,
    roles_in,
    secrets_in_backend,
)
from calamari_py.steps.terraform.reading.sensitive import hide_all
from calamari_py.steps.terraform.reading.written import read_json
from calamari_py.steps.terraform.spec import TerraformSpec

if TYPE_CHECKING:
    from calamari_py.steps.terraform.running.calls import Calls

_BLOCK = 'terraform { backend "s3" {} }'
_LOCAL_STATE = "local state"
"""In what is kept over attempts: that people know of it."""


def check_backend(calls: Calls) -> None:
    """What the configuration itself says of its backend is held against the same rules as what the
    manifest says, which were known before. Raises PolicyRefused; ToolFailed when the manifest
    configures a backend that there is none of: Terraform only warns then, and keeps the state on
    the local disk. That is said where it is meant."""
    spec = calls.spec
    kind, config = configured_backend(calls.files.data)
    own = {key: value for key, value in config.items() if key not in spec.backend}
    hide_all(calls.report, secrets_in_backend(own))
    for place, arn in roles_in(own):
        calls.context.check_role(place, arn)
    for key, why in doubts_about(own):
        calls.report.warn(f"the configuration's backend has '{key}', which {why}")
    if kind is None and spec.backend:
        raise ToolFailed(
            "the configuration has no backend block, so 'backend' would be ignored and the state"
            " would be local",
            hint=f"write {_BLOCK} into a file of '{spec.directory}'",
        )
    if spec.action != "output" and kind in (None, "local") and not _is_elsewhere(config):
        _warn_of_local_state(calls)


def works_as_step(spec: TerraformSpec, data: Path) -> bool:
    """Whether the backend, once it is set up, uses the step's own credentials."""
    _kind, config = configured_backend(data)
    return not any(doubts_about({**config, **spec.backend}))


def configured_backend(data: Path) -> tuple[str | None, Mapping[str, Any]]:
    """The backend's type and its configuration, as ``init`` left them in the folder `data`; no type
    where the configuration names no backend."""
    try:
        document = read_json((data / "terraform.tfstate").read_bytes())
    except FileNotFoundError:
        return None, {}
    except (OSError, ValueError, RecursionError) as error:
        raise ToolFailed(f"what init wrote of the backend cannot be read: {error}") from error
    backend = document.get("backend") if isinstance(document, dict) else None
    if not isinstance(backend, dict):
        return None, {}
    config = backend.get("config")
    return backend.get("type"), config if isinstance(config, dict) else {}


def _warn_of_local_state(calls: Calls) -> None:
    """Once a run, whichever of its attempts comes this far first."""
    if _LOCAL_STATE in calls.context.kept:
        return
    calls.context.kept[_LOCAL_STATE] = "told"
    calls.report.warn(
        f"the state lies in '{calls.spec.directory}', and is lost with it",
        f"write {_BLOCK} there, and under 'backend' which bucket and key it has",
    )


def _is_elsewhere(config: Mapping[str, Any]) -> bool:
    return Path(str(config.get("path") or ".")).is_absolute()
