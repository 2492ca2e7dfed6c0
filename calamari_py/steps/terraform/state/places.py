"""Where the state's leavings lie."""

from __future__ import annotations

import os
from pathlib import Path

from calamari_py.steps.terraform.commands.files import PrivateFiles
from calamari_py.steps.terraform.running.backend import configured_backend
from calamari_py.steps.terraform.spec import TerraformSpec

ERRORED = "errored.tfstate"
"""What Terraform calls a state that it could not save; it lies where it was started."""


def leftover(spec: TerraformSpec) -> Path | None:
    """The state that could not be saved; None where there is none. It may be a link."""
    path = spec.directory / ERRORED
    return path if os.path.lexists(path) else None


def is_local(files: PrivateFiles) -> bool:
    """Whether the state is a file of this machine; `files` are those of an initialised module."""
    kind, _configuration = configured_backend(files.data)
    return kind in (None, "local")
