"""Writing bytes to a stream that may be raw, non-blocking, or a terminal that went away."""

from __future__ import annotations

import errno
import os
import select
from typing import BinaryIO


def write_all(stream: BinaryIO, data: bytes) -> None:
    """Write and flush all of `data`; a reader that went away raises BrokenPipeError.

    Under ``python -u`` the stream is raw and may take a part only. A parent that made our
    standard streams non-blocking (node does) makes a full pipe an error: then we wait.
    """
    rest = memoryview(data)
    try:
        while rest:
            try:
                taken: int | None = stream.write(rest)
            except BlockingIOError as error:
                taken = error.characters_written
                _wait(stream)
            if taken is None:
                _wait(stream)
            else:
                rest = rest[taken:]
        _flush(stream)
    except OSError as error:
        # A terminal that was closed answers EIO where a pipe answers EPIPE.
        if error.errno == errno.EIO:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from error
        raise


def _flush(stream: BinaryIO) -> None:
    while True:
        try:
            stream.flush()
        except BlockingIOError:
            _wait(stream)
        else:
            return


def _wait(stream: BinaryIO) -> None:
    poll = select.poll()
    poll.register(stream.fileno(), select.POLLOUT)
    poll.poll()


def same_place(one: BinaryIO, other: BinaryIO) -> bool:
    """Whether both streams end in the same terminal, pipe or file."""
    if one is other:
        return True
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError):
        return False
