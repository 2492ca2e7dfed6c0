"""The private files of a run: what is in them is in no argument and in no environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calamari_py.channel import write_private
from calamari_py.steps.terraform.spec import TerraformSpec

APPLY_VARIABLES = "apply.tfvars.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateFiles:
    """Where they are; None for those that `spec` has no use for. `plan` is where a plan is made,
    `data` the folder for what ``init`` fetches (``TF_DATA_DIR``)."""

    folder: Path
    backend: Path | None
    variables: Path | None
    cli_config: Path | None
    plan: Path
    log: Path | None
    data: Path


def private_files(spec: TerraformSpec, *, private: Path, temp: Path) -> PrivateFiles:
    """Where the private files of `spec` would be. Pure.

    What may be large lies in `temp`, on the disk: `private` may be in memory, and a file system
    there may not run the providers that ``init`` puts into the data folder.
    """
    return PrivateFiles(
        folder=private,
        backend=private / "backend.tfbackend.json" if spec.backend else None,
        variables=private / "variables.tfvars.json" if spec.variables else None,
        cli_config=private / "cli-config.tfrc" if spec.plugin_mirror else None,
        plan=private / "plan.tfplan",
        log=temp / "terraform.log" if spec.log_level else None,
        data=temp / "data",
    )


def write_private_files(spec: TerraformSpec, *, private: Path, temp: Path) -> PrivateFiles:
    """Write them, 0600 each; ToolMissing where that cannot be done.

    Terraform takes what JSON files of variables and of backend configuration hold literally: no
    ``${}`` in them is a template.
    """
    files = private_files(spec, private=private, temp=temp)
    if files.backend is not None:
        write_private(files.backend, _json(spec.backend))
    if files.variables is not None:
        write_private(files.variables, _json(spec.variables))
    if files.cli_config is not None:
        write_private(files.cli_config, cli_config(spec))
    if files.log is not None:
        # Terraform would make it by the umask, and appends to what an earlier attempt left.
        files.log.unlink(missing_ok=True)
        write_private(files.log, b"")
    return files


def write_variables(files: PrivateFiles, variables: Mapping[str, Any]) -> Path:
    """Write some of the variables once more, for an apply, and say where."""
    path = files.folder / APPLY_VARIABLES
    write_private(path, _json(variables))
    return path


def cli_config(spec: TerraformSpec) -> bytes:
    """A CLI configuration in which the mirror is the only place that providers come from. Pure.

    It is JSON, each block a list: in the other syntax a path that holds ``${`` breaks the file, of
    which Terraform then only warns while it asks the registry on the internet.
    """
    mirror = {"path": str(spec.plugin_mirror)}
    return _json({"provider_installation": [{"filesystem_mirror": [mirror]}]})


def _json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1)
    return text.encode("utf-8", "surrogateescape")
