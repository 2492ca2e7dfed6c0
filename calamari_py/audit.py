"""The audit log: one JSON line for every identity that a step obtained, or was refused.

CloudTrail knows the session name and the access key id; a line here says which step they were.
docs/audit.md describes the file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from calamari_py.errors import OutputNotWritable, UsageError
from calamari_py.masking.secret import Masked
from calamari_py.result import dump_json, format_time

SCHEMA_VERSION = 1
LOCK_BUDGET = 5.0
"""Seconds to wait for other writers."""
_LOCK_PAUSE = 0.005
_OPTION = "--audit-log"

EventName = Literal["launcher", "assumed", "renewed", "refused", "none"]
"""A launcher was found; the step's credentials were obtained, or obtained anew; there is no
identity for the step; the step runs without one (``account: none``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One line. Every text is masked before it gets here; ``None`` is what is not known.

    `chain` holds the ARNs of the hops, `request_ids` those of the STS calls. `role_arn` is the role
    that was refused. `session_name` is
    CloudTrail's ``roleSessionName``. `code` says why an identity was refused, in AWS's words where
    AWS refused it.
    """

    time: datetime
    event: EventName
    step: Masked
    project: Masked | None = None
    environment: Masked | None = None
    deployment_id: Masked | None = None
    source: Masked | None = None
    launcher_arn: Masked | None = None
    chain: tuple[Masked, ...] = ()
    arn: Masked | None = None
    session_name: Masked | None = None
    access_key_id: Masked | None = None
    expires_at: datetime | None = None
    request_ids: tuple[Masked, ...] = ()
    account: Masked | None = None
    role_arn: Masked | None = None
    region: Masked | None = None
    code: Masked | None = None

    def __post_init__(self) -> None:
        if self.event not in get_args(EventName):
            raise ValueError(f"'{self.event}' is no identity event")

    def to_document(self) -> dict[str, Any]:
        """The line as JSON values: every field, times in UTC."""
        return {field.name: _as_json(getattr(self, field.name)) for field in fields(self)}


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_time(value)
    return list(value) if isinstance(value, tuple) else value


class AuditLog:
    """Appends lines to `path`; safe to share by processes and threads.

    The file is opened anew for each line, so that it may be rotated by renaming it meanwhile.
    There is no fsync: a line outlives calamari at once, and what a crash of the machine takes is
    in CloudTrail, too; waiting for the disk would hold up every step that shares the log.
    """

    def __init__(self, path: Path, *, lock_budget: float = LOCK_BUDGET) -> None:
        """Open the log once, before anything is called. Raises UsageError when it cannot be
        written to, or when others could replace it or write to it."""
        self._path = path.absolute()
        self._lock_budget = lock_budget
        try:
            with self._opened():
                pass
        except OSError as error:
            raise UsageError(
                f"{_OPTION} '{path}' cannot be opened: {_reason(error)}",
                hint="name a file in a folder that the user of this process may write to",
            ) from None

    def write(self, event: AuditEvent) -> None:
        """Append `event` as one whole line. Raises OutputNotWritable."""
        line = dump_json(
            {
                "schema_version": SCHEMA_VERSION,
                **event.to_document(),
                "host": os.uname().nodename,
                "pid": os.getpid(),
            }
        )
        try:
            with self._opened() as descriptor:
                _lock(descriptor, self._lock_budget)
                _append(descriptor, line + b"\n")
        except (OSError, UsageError) as error:
            reason = _reason(error) if isinstance(error, OSError) else error.message
            hint = "make room, or see what was done to the file"
            if isinstance(error, BlockingIOError):
                hint = "see which process: lslocks"
            raise OutputNotWritable(
                f"cannot write to {_OPTION} '{self._path}': {reason}", hint=hint
            ) from None

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """A descriptor of the file, which is made when it is not there. Closing it unlocks it."""
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
            # Without O_NONBLOCK, opening a FIFO or a device could wait for ever.
            flags |= os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(self._path.name, flags, 0o600, dir_fd=folder)
            try:
                self._check(os.fstat(folder), os.fstat(descriptor))
                yield descriptor
            finally:
                os.close(descriptor)
        finally:
            os.close(folder)

    def _check(self, folder: os.stat_result, file: os.stat_result) -> None:
        """Refuse what is no file, and what others could put something else in the place of."""
        shown = f"{_OPTION} '{self._path}'"
        if not stat.S_ISREG(file.st_mode):
            raise UsageError(
                f"{shown} is not a regular file", hint=f"name a regular file for {_OPTION}"
            )
        shared = bool(folder.st_mode & stat.S_IWOTH)
        if shared and not folder.st_mode & stat.S_ISVTX:
            raise UsageError(
                f"{shown} is in a folder where everybody may replace it",
                hint=f"chmod o-w '{self._path.parent}', or name another folder",
            )
        if shared and (file.st_uid not in {0, os.geteuid()} or file.st_nlink > 1):
            raise UsageError(
                f"{shown} was put there by somebody else",
                hint="name a file in a folder that only its owner may write to",
            )
        if file.st_mode & stat.S_IWOTH:
            raise UsageError(
                f"{shown} can be written to by everybody", hint=f"chmod o-w '{self._path}'"
            )


def _lock(descriptor: int, budget: float) -> None:
    """Wait for other writers, but not for ever: whoever may read the file may hold the lock."""
    deadline = time.monotonic() + budget
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOCK_PAUSE)
        else:
            return


def _append(descriptor: int, line: bytes) -> None:
    """One write of the whole `line`, on a line of its own whatever a writer before left."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        line = b"\n" + line
    written = os.write(descriptor, line)
    if written < len(line):
        raise OSError(errno.ENOSPC, "the disk took a part of the line only")


def _reason(error: OSError) -> str:
    if isinstance(error, BlockingIOError):
        return "somebody holds its lock"
    if error.errno == errno.ELOOP:
        return "it is a symbolic link"
    return (error.strerror or "it is no path").lower()
