"""Removing a private folder, by the runner or, when that was killed, by its janitor.

Run as a program (``python -I -S removal.py``, see janitor.py) this file is the janitor. So it
imports nothing of ours, and of the standard library what an interpreter has loaded anyway.
"""

from __future__ import annotations

import os
import stat
import sys
import time

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_PR_SET_DUMPABLE = 4
_PATIENCE = 10.0
_QUIET = 1.0
"""Seconds: how long a janitor works at most, and how long nothing must have come back."""
_GLANCE = 0.05


def remove(path: str | os.PathLike[str], descriptor: int) -> None:
    """Empty the folder behind `descriptor`, then remove `path` if it is still that folder."""
    _empty(descriptor)
    try:
        if os.path.samestat(os.lstat(path), os.fstat(descriptor)):
            os.rmdir(path)
    except FileNotFoundError:
        pass


def _empty(top: int) -> None:
    """Remove everything below `top` without following links.

    Folders inside folders are moved up first, so that no depth a step can make exhausts
    descriptors or the stack. One entry that resists does not save the others.
    """
    os.fchmod(top, 0o700)
    token = os.urandom(8).hex()
    moved = 0
    failure: OSError | None = None
    resisting: set[str] = set()
    while names := [name for name in os.listdir(top) if name not in resisting]:
        for name in names:
            try:
                moved = _remove_entry(top, name, token, moved)
            except FileNotFoundError:
                continue
            except OSError as error:
                resisting.add(name)
                failure = error
    if failure is not None:
        raise failure


def _remove_entry(top: int, name: str, token: str, moved: int) -> int:
    """Remove one entry of `top`; returns how many folders were moved up so far."""
    if not stat.S_ISDIR(os.lstat(name, dir_fd=top).st_mode):
        os.unlink(name, dir_fd=top)
        return moved
    folder = _open_inner(top, name)
    try:
        for inner in os.listdir(folder):
            if stat.S_ISDIR(os.lstat(inner, dir_fd=folder).st_mode):
                # A folder can only be moved by who may write to it.
                os.close(_open_inner(folder, inner))
                moved += 1
                os.rename(inner, f"{token}-{moved}", src_dir_fd=folder, dst_dir_fd=top)
            else:
                os.unlink(inner, dir_fd=folder)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)
    return moved


def _open_inner(parent: int | None, name: str) -> int:
    """The folder `name`, opened and writable for us, whatever rights a step left it."""
    try:
        folder = os.open(name, OPEN_FOLDER, dir_fd=parent)
    except PermissionError:
        # chmod cannot be told not to follow a link here; the name was a folder a moment ago, and
        # whoever swaps it is this user, who could do the same without us.
        os.chmod(name, 0o700, dir_fd=parent)
        folder = os.open(name, OPEN_FOLDER, dir_fd=parent)
    try:
        os.fchmod(folder, 0o700)
    except BaseException:
        os.close(folder)
        raise
    return folder


def _tend(source: int) -> None:
    """Read NUL-terminated paths until `source` ends, which is when the runner does; remove them.

    A child of the runner may live for a moment longer and go on writing.
    """
    told = b""
    while piece := os.read(source, 65536):
        told += piece
    paths = [os.fsdecode(path) for path in told.split(b"\0")[:-1]]
    now = quiet_since = time.monotonic()
    until = now + _PATIENCE
    while now < min(until, quiet_since + _QUIET):
        for path in paths:
            if _sweep(path):
                quiet_since = now
        time.sleep(_GLANCE)
        now = time.monotonic()


def _sweep(path: str) -> bool:
    """Remove the folder `path` if it is ours; whether it was there."""
    try:
        facts = os.lstat(path)
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
            return False
        descriptor = _open_inner(None, path)
    except OSError:
        return False
    try:
        remove(path, descriptor)
    except OSError:
        pass  # somebody writes to it: the next look finds out
    finally:
        os.close(descriptor)
    return True


def _hide() -> None:
    """Close our memory to others of this user, where the system can."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass


if __name__ == "__main__":
    if sys.platform == "linux":
        _hide()
    _tend(0)
