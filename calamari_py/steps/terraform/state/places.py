"""Where the state's leavings lie."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from calamari_py.errors import ToolFailed
from calamari_py.steps.terraform.commands.files import PrivateFiles
from calamari_py.steps.terraform.running.backend import configured_backend
from calamari_py.steps.terraform.spec import TerraformSpec

ERRORED = "errored.tfstate"
"""What Terraform calls a state that it could not save; it lies where it was started."""
_LINKS = 10


def leftover(spec: TerraformSpec) -> Path | None:
    """The state that could not be saved; None where there is none. It may be a link. An empty file
    is what `private_leavings` made for a run that was killed."""
    path = spec.directory / ERRORED
    return path if os.path.lexists(path) and not _is_empty(path) else None


def leave_link(spec: TerraformSpec, kept: Path) -> bool:
    """Leave a link to the state that is `kept` elsewhere, for the next run to find; whether that
    was possible. It has a name of its own: through one of `ERRORED` Terraform would write."""
    for number in range(1, _LINKS):
        try:
            _link(spec, number).symlink_to(kept)
        except FileExistsError:
            continue
        except OSError:
            return False
        return True
    return False


def left_link(spec: TerraformSpec) -> Path | None:
    """A link that `leave_link` made, wherever it leads; None where there is none."""
    links = (_link(spec, number) for number in range(1, _LINKS))
    return next((link for link in links if link.is_symlink()), None)


def _link(spec: TerraformSpec, number: int) -> Path:
    return spec.directory / (f"{ERRORED}.kept" + (f"-{number}" if number > 1 else ""))


@contextmanager
def private_leavings(spec: TerraformSpec) -> Iterator[None]:
    """Around an apply: a state that Terraform cannot save is written into a file that is 0600
    already, and not by the umask. A stricter umask would be one for provisioners, too."""
    path = spec.directory / ERRORED
    descriptor = _prepared(path)
    try:
        yield
    finally:
        if descriptor is not None:
            _removed_if_empty(path, descriptor)


def _prepared(path: Path) -> int | None:
    """The file, open and locked for as long as it may be needed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError:
        # Terraform cannot write it either.
        return None
    with suppress(OSError):
        os.fchmod(descriptor, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return descriptor


def _removed_if_empty(path: Path, descriptor: int) -> None:
    with suppress(OSError), open(descriptor, "wb"):
        # Another run in this folder may be about to have its own state saved there.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(descriptor)
        if status.st_size == 0 and os.path.samestat(status, path.lstat()):
            path.unlink()


def _is_empty(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == 0


def is_local(files: PrivateFiles) -> bool:
    """Whether the state is a file of this machine; `files` are those of an initialised module. What
    cannot be told may lie elsewhere."""
    try:
        kind, _configuration = configured_backend(files.data)
    except ToolFailed:
        return False
    return kind in (None, "local")
