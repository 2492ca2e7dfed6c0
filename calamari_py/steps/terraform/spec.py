"""TerraformSpec: a section that can be carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calamari_py.steps.terraform.sections import Action, LogLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPolicy:
    """What no plan may do; patterns of addresses, in which ``*`` and ``?`` alone are special."""

    max_destroy: int | None = None
    protect: tuple[str, ...] = ()
    refuse_replace: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A workspace, and whether it may be made."""

    name: str
    create: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TerraformSpec:
    """What is to be done. All paths are absolute; `binary` is what `binary_name` was found as.

    `plan_file` is where a plan is left or found, None where the action needs none. `backend` and
    `variables` hold JSON values; `secrets` are names and values of theirs that are secrets though
    the manifest does not say so. `lock_timeout` is in seconds. `expose` None means all outputs.
    """

    action: Action
    dry_run: bool = False
    binary: Path
    binary_name: str = "terraform"
    directory: Path
    plan_file: Path | None = None
    plan_sha256: str | None = None
    backend: Mapping[str, Any] = field(default_factory=dict, repr=False)
    workspace: Workspace | None = None
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    variable_files: tuple[Path, ...] = ()
    targets: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    parallelism: int | None = None
    lock_timeout: int = 300
    refresh: bool = True
    upgrade: bool = False
    lockfile_readonly: bool = False
    plugin_mirror: Path | None = None
    plugin_cache: Path | None = None
    policy: PlanPolicy = field(default_factory=PlanPolicy)
    expose: tuple[str, ...] | None = None
    sensitive_outputs: tuple[str, ...] = ()
    log_level: LogLevel | None = None
    warnings: tuple[str, ...] = ()
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def program(self) -> str:
        """What the program is called in messages."""
        return self.binary_name.rpartition("/")[2]
