"""Plan files: hashed, left behind where one was asked for, and taken in. Each is a secret."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

from calamari_py.errors import InternalError, ToolFailed
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
        # The descriptor pins the folder: swapping it for a link between two calls changes nothing.
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with made.open("rb") as source:
                _replace_in(folder, target.name, source)
        finally:
            os.close(folder)
    except OSError as error:
        raise ToolFailed(
            f"the plan cannot be written to '{target}': {error.strerror}",
            hint="name another 'plan_file', in a folder that can be written to and has room",
        ) from error


def _replace_in(folder: int, name: str, source: BinaryIO) -> None:
    temporary = f".{name}.{os.urandom(8).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            shutil.copyfileobj(source, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(temporary, dir_fd=folder)
        raise
    os.fsync(folder)


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
