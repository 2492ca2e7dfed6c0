"""Writing bytes to a stream that may be raw, non-blocking, unread, or gone."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from collections.abc import Callable
from typing import BinaryIO

from calamari_py.errors import OutputNotWritable

BETWEEN_BEATS = 100
"""Milliseconds of waiting for a reader after which `pulse` is called."""

NO_ROOM_YET = 0.01
"""Seconds to wait where a terminal is ready and yet has no room for what it was given."""


def no_pulse() -> None:
    """Nothing goes on while a write waits."""


def _ignore(_: int) -> None:
    """Nobody counts."""


def write_all(
    stream: BinaryIO,
    data: bytes,
    pulse: Callable[[], None] = no_pulse,
    wrote: Callable[[int], None] = _ignore,
) -> None:
    """Write and flush all of `data`; a reader that went away raises BrokenPipeError, anything else
    that keeps us from writing OutputNotWritable. `wrote` is told of every part that has left.

    While the reader of a pipe, a socket or a terminal does not read, `pulse` is called about ten
    times a second; what it raises ends the write. Under ``python -u`` the stream is raw and may
    take a part only. A parent that made our standard streams non-blocking (node does) makes a full
    pipe an error: then we wait.
    """
    try:
        descriptor = _descriptor(stream)
        if descriptor is None:
            _write_object(stream, data, wrote)
        else:
            _flush(stream, descriptor, pulse)
            _write_descriptor(descriptor, data, pulse, wrote)
    except OSError as error:
        # A terminal that was closed answers EIO where a pipe answers EPIPE.
        if error.errno == errno.EIO:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from error
        if isinstance(error, BrokenPipeError):
            raise
        raise OutputNotWritable(
            f"our output cannot be written: {(error.strerror or 'unknown error').lower()}",
            hint="make room where stdout and stderr go; the step's own work may be incomplete",
        ) from error


def _descriptor(stream: BinaryIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):  # a stream in memory
        return None


def _write_object(stream: BinaryIO, data: bytes, wrote: Callable[[int], None]) -> None:
    rest = memoryview(data)
    while rest:
        written = stream.write(rest)
        wrote(written)
        rest = rest[written:]
    stream.flush()


def _flush(stream: BinaryIO, descriptor: int, pulse: Callable[[], None]) -> None:
    """What others wrote to the stream comes first; ours goes past its buffer, so that nothing is
    left in it when a write is given up."""
    while True:
        try:
            stream.flush()
        except BlockingIOError:
            _wait(descriptor, pulse)
        else:
            return


def _write_descriptor(
    descriptor: int, data: bytes, pulse: Callable[[], None], wrote: Callable[[int], None]
) -> None:
    mode = os.fstat(descriptor).st_mode
    unshared = None
    if stat.S_ISCHR(mode) or (stat.S_ISFIFO(mode) and len(data) > select.PIPE_BUF):
        unshared = _reopen(descriptor, terminal=stat.S_ISCHR(mode))
    if unshared is not None:
        try:
            _write_non_blocking(unshared, data, pulse, wrote)
        finally:
            os.close(unshared)
    elif stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        _write_when_ready(descriptor, data, pulse, wrote)
    else:
        rest = memoryview(data)
        while rest:
            written = os.write(descriptor, rest)
            wrote(written)
            rest = rest[written:]


def _reopen(descriptor: int, *, terminal: bool) -> int | None:
    """The same terminal or pipe, for us alone and non-blocking; None where that cannot be had.

    A pipe or a terminal that is ready may still block a write, and to make the descriptor itself
    non-blocking would do so to everybody who shares it. Closed after each write: a reader of the
    pipe sees its end when all writers are gone.
    """
    if terminal and not os.isatty(descriptor):
        return None
    flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        # Linux alone has the pipe itself there, and only for the user who made it.
        path = os.ttyname(descriptor) if terminal else f"/proc/self/fd/{descriptor}"
        return os.open(path, flags)
    except OSError:
        return None


def _write_non_blocking(
    descriptor: int, data: bytes, pulse: Callable[[], None], wrote: Callable[[int], None]
) -> None:
    """As much at a time as there is room for."""
    rest = memoryview(data)
    ready = False
    while rest:
        try:
            written = os.write(descriptor, rest)
        except BlockingIOError:
            if ready:  # it said so, and yet it has no room
                pulse()
                time.sleep(NO_ROOM_YET)
            _wait(descriptor, pulse)
            ready = True
        else:
            ready = False
            wrote(written)
            rest = rest[written:]


def _write_when_ready(
    descriptor: int, data: bytes, pulse: Callable[[], None], wrote: Callable[[int], None]
) -> None:
    """A pipe that is ready takes PIPE_BUF bytes without blocking, and no more for sure."""
    rest = memoryview(data)
    while rest:
        _wait(descriptor, pulse)
        try:
            written = os.write(descriptor, rest[: select.PIPE_BUF])
        except BlockingIOError:  # somebody else was faster
            pulse()
            time.sleep(NO_ROOM_YET)
        else:
            wrote(written)
            rest = rest[written:]


def _wait(descriptor: int, pulse: Callable[[], None]) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    while not poll.poll(BETWEEN_BEATS):
        pulse()


def same_place(one: BinaryIO, other: BinaryIO) -> bool:
    """Whether both streams end in the same terminal, pipe or file."""
    if one is other:
        return True
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError):
        return False


def is_pipe(stream: BinaryIO) -> bool:
    """Whether another process reads `stream`: it is no file and no terminal."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def is_raw(stream: BinaryIO) -> bool:
    """Whether `stream` is a terminal that takes bytes as they are, as it does while a child has its
    keys: a newline then does not begin at the first column.
    """
    import termios

    try:
        return not termios.tcgetattr(stream.fileno())[1] & termios.OPOST
    except (OSError, ValueError, termios.error):
        return False
