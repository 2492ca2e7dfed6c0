"""Plan files: hashed, left behind where one was asked for, and taken in. Each is a secret."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path

from calamari_py.errors import InternalError, ToolFailed
from calamari_py.files import replace_private
from calamari_py.steps.terraform.spec import TerraformSpec


def plan_file_of(spec: TerraformSpec) -> Path:
    """Where a plan is left or found: `parse` lets no action pass that needs one and has none."""
    if spec.plan_file is None:
        raise InternalError(f"action '{spec.action}' has no plan file")
    return spec.plan_file


def sha256_of(path: Path) -> str:
    """In lower-case hex digits. ToolFailed where there is no plan."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ToolFailed(
            f"the plan cannot be read: {error.strerror}",
            hint="is 'terraform.binary' really Terraform or OpenTofu?",
        ) from error


def leave(made: Path, target: Path) -> None:
    """Put a copy of `made` at `target`, 0600, at once or not at all. What was there is replaced: a
    link itself, not what it leads to. ToolFailed when it cannot be written."""
    try:
        with made.open("rb") as source:
            replace_private(target, lambda file: shutil.copyfileobj(source, file))
    except OSError as error:
        raise ToolFailed(
            f"the plan cannot be written to '{target}': {error.strerror}",
            hint="name another 'plan_file', in a folder that can be written to and has room",
        ) from error


def take(source: Path, copy: Path) -> str:
    """Copy `source` to the new file `copy`, 0600, and give the SHA-256 of the copy: nobody can
    change what was hashed. ToolFailed when it is no file that can be read."""
    try:
        # A pipe in its place would block for ever.
        with open(os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ToolFailed(f"the plan file '{source}' is no regular file")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(copy, flags, 0o600), "wb") as taken:
                shutil.copyfileobj(file, taken)
        return sha256_of(copy)
    except OSError as error:
        raise ToolFailed(
            f"the plan file '{source}' cannot be taken in: {error.strerror}",
            hint="run the action 'plan' first, and hand its plan file on to this step",
        ) from error
