"""The folder in which providers are kept between runs: one ``init`` at a time may write there."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepReport
from calamari_py.steps.terraform.running.deadline import Deadline

_NAME = ".calamari.lock"
_PAUSE = 0.5


@contextmanager
def alone_in(cache: Path | None, deadline: Deadline, report: StepReport) -> Iterator[None]:
    """Hold the lock of `cache`, which is made where it is missing. Terraform itself has none, and
    what two of them unpack to the same place at once is broken. Raises TimedOut."""
    if cache is None:
        yield
        return
    descriptor = _opened(cache)
    try:
        told = False
        while not _lock(descriptor, cache):
            if not told:
                report.note(f"waiting for another run, which fills '{cache}'")
                told = True
            deadline.sleep(_PAUSE, f"the plugin cache '{cache}'")
        yield
    finally:
        os.close(descriptor)


def _opened(cache: Path) -> int:
    try:
        cache.mkdir(exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        # Others who share the cache may lock it as well, as far as their umask allows.
        return os.open(cache / _NAME, flags, 0o666)
    except OSError as error:
        raise _unusable(cache, error) from error


def _lock(descriptor: int, cache: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _unusable(cache, error) from error
    return True


def _unusable(cache: Path, error: OSError) -> ToolFailed:
    reason = (error.strerror or "unknown error").lower()
    return ToolFailed(
        f"the plugin cache '{cache}' cannot be used: {reason}",
        hint="name a folder under 'plugin_cache' that this user may write to, or leave it out",
    )
