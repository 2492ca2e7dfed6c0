"""Files that we leave behind: private, and whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def replace_private(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Have `path` hold what `write` writes, 0600 whatever the umask is: at once or not at all. What
    was there is replaced: a link itself, not what it leads to. OSError where it cannot be."""
    # The descriptor pins the folder: swapping it for a link between two calls changes nothing.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _replace_in(folder, path.name, write)
    finally:
        os.close(folder)


def _replace_in(folder: int, name: str, write: Callable[[BinaryIO], object]) -> None:
    temporary = f".calamari-{os.urandom(8).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(temporary, dir_fd=folder)
        raise
    os.fsync(folder)
