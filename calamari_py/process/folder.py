"""private_folder(): one folder per run that nobody else can read and that does not stay behind."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from calamari_py.errors import ToolMissing
from calamari_py.process.janitor import Janitor
from calamari_py.process.removal import OPEN_FOLDER, remove

PREFIX = "calamari-"
STALE_AFTER = 60.0
"""Seconds that a folder without an owner is left alone: its run may not have locked it yet."""

_NAME = re.compile(PREFIX + r"[0-9a-f]{16}")


@contextmanager
def private_folder(
    bases: Sequence[Path],
    *,
    warn: Callable[[str], None] | None = None,
    janitor: Janitor | None = None,
    now: Callable[[], float] = time.time,
) -> Iterator[Path]:
    """An empty folder ``calamari-RANDOM`` of mode 0700 in the first of `bases` that takes one.

    It is locked while the block runs and removed on every way out; stale ones of this user, left
    by a run that was killed, are removed from all `bases` first. `janitor` removes it when we are
    killed; without one it has its own. `warn` hears a sentence when something could not be removed
    or no janitor could start. `now` is the wall clock, in seconds since the epoch. Raises
    ToolMissing when no base can be used.

    An exception out of a signal does not leave the folder behind; yet no code can guard the moment
    between its own return and the caller's block, so call this where signals wait.
    """
    for base in dict.fromkeys(bases):
        with suppress(OSError):
            _remove_stale(base, now())
    # Twice: a signal may interrupt the first one at any line, and raises only once.
    with ExitStack() as again, ExitStack() as ends:
        if janitor is None:
            janitor = Janitor(warn)
            again.callback(janitor.end)
            janitor.start()
        yield _make(bases, (again, ends), warn, janitor)


def _make(
    bases: Sequence[Path],
    ends: Sequence[ExitStack],
    warn: Callable[[str], None] | None,
    janitor: Janitor,
) -> Path:
    for base in bases:
        if not base.is_absolute() or not _usable(base):
            continue
        # Its end is settled before it is made: an exception can come between any two lines.
        folder = _Folder(base / (PREFIX + os.urandom(8).hex()), warn)
        for end in ends:
            end.callback(folder.remove)
        janitor.watch(folder.path)
        with suppress(OSError):
            folder.make()
            return folder.path
    listed = ", ".join(f"'{base}'" for base in bases) or "none was given"
    raise ToolMissing(
        f"no folder for private files can be made (tried: {listed})",
        hint="set TMPDIR to a folder that this user may write to",
    )


class _Folder:
    """One folder from its making to its removal."""

    def __init__(self, path: Path, warn: Callable[[str], None] | None) -> None:
        self.path = path
        self._warn = warn
        self._descriptor: int | None = None
        self._done = False

    def make(self) -> None:
        """Create, open and lock the folder."""
        self.path.mkdir(mode=0o700)
        # A umask may have taken rights that we need ourselves.
        self.path.chmod(0o700)
        self._descriptor = os.open(self.path, OPEN_FOLDER)
        _lock(self._descriptor)

    def remove(self) -> None:
        """Remove the folder as far as it was made. Once that was done, nothing happens."""
        if self._done:
            return
        if self._descriptor is None:
            # It was not made, or is still empty.
            with suppress(OSError):
                self.path.rmdir()
        else:
            try:
                remove(self.path, self._descriptor)
            except OSError as error:
                self._tell(error)
        self._done = True
        if self._descriptor is not None:
            os.close(self._descriptor)

    def _tell(self, error: OSError) -> None:
        if self._warn is not None:
            reason = (error.strerror or "unknown error").lower()
            self._warn(f"the private folder '{self.path}' could not be removed: {reason}")


def _usable(base: Path) -> bool:
    """A folder we may write to, in which no stranger can rename what is ours."""
    try:
        facts = base.stat()
    except OSError:
        return False
    everybodys = facts.st_mode & stat.S_IWOTH and not facts.st_mode & stat.S_ISVTX
    return stat.S_ISDIR(facts.st_mode) and not everybodys and os.access(base, os.W_OK | os.X_OK)


def _lock(descriptor: int) -> bool:
    """Lock the folder itself: a lock file inside could be deleted by the step."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_stale(base: Path, now: float) -> None:
    for name in os.listdir(base):
        if _NAME.fullmatch(name) is None:
            continue
        path = base / name
        with suppress(OSError):
            descriptor = os.open(path, OPEN_FOLDER)
            try:
                if _is_stale(os.fstat(descriptor), now) and _lock(descriptor):
                    remove(path, descriptor)
            finally:
                os.close(descriptor)


def _is_stale(facts: os.stat_result, now: float) -> bool:
    return (
        facts.st_uid == os.getuid()
        and stat.S_IMODE(facts.st_mode) == 0o700
        and now - facts.st_ctime > STALE_AFTER
    )
