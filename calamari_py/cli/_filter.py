"""A stream from standard input, masked, as it comes."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress

from calamari_py.errors import Cancelled, UsageError
from calamari_py.masking import Masker
from calamari_py.process import SignalInbox

READ_SIZE = 65_536
IDLE_FLUSH = 25
"""Milliseconds that the beginning of what may be a secret waits for the rest of it."""
LAST_READS = 16
"""Reads after a signal, for what had been written before it: a pipe holds as much as one."""


def mask_stream(
    source: int, masker: Masker, show: Callable[[bytes], None], inbox: SignalInbox
) -> None:
    """Give `show` everything that the descriptor `source` gives until its end, masked by `masker`.

    Raises what `show` raises, UsageError for a `source` that cannot be read, and Cancelled for a
    signal: for SIGINT not before the end of `source`, or another signal, unless that is a terminal.
    Before the last two, `show` has got all that was read, and before the last one all that was
    there to be read. To be called while signals are queued. A fault of the masker does not end
    the reading: who writes is not to be stopped by it.
    """
    try:
        for data in _reads(source, inbox, holding=lambda: masker.held > 0):
            show(masker.feed(data) if data else masker.idle())
    except Cancelled:
        # Who does not read any more is not the reason why this ends.
        with suppress(BrokenPipeError):
            for data in _what_is_there(source):
                show(masker.feed(data))
            show(masker.close())
        raise
    except UsageError:
        show(masker.close())
        raise
    except BrokenPipeError:
        if inbox.first is not None:
            raise Cancelled(inbox.first) from None
        raise
    show(masker.close())


def _reads(source: int, inbox: SignalInbox, *, holding: Callable[[], bool]) -> Iterator[bytes]:
    """What is read, and empty bytes whenever nothing came for a while and something is held."""
    poll = select.poll()
    poll.register(source, select.POLLIN)
    poll.register(inbox.fileno(), select.POLLIN)
    patient = not os.isatty(source)
    while True:
        ready = [descriptor for descriptor, _ in poll.poll(IDLE_FLUSH if holding() else None)]
        if patient and inbox.first == signal.SIGINT:
            # Ctrl-C reaches all of a pipeline: who writes into it may have to clear up first.
            patient = False
            inbox.take()
        inbox.raise_waiting()
        if not ready:
            yield b""
        elif source in ready and (data := read_some(source)) is not None:
            if not data:
                break
            yield data
    if inbox.first is not None:
        raise Cancelled(inbox.first)


def read_some(source: int) -> bytes | None:
    """The next bytes, none at the end; None where there is nothing yet after all: others may read
    from the same pipe, and a parent may have made it non-blocking."""
    try:
        return os.read(source, READ_SIZE)
    except BlockingIOError:
        return None
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise UsageError(
            f"standard input cannot be read: {reason}",
            hint="name the log: calamari mask … < log, or … | calamari mask …",
        ) from None


def _what_is_there(source: int) -> Iterator[bytes]:
    poll = select.poll()
    poll.register(source, select.POLLIN)
    for _ in range(LAST_READS):
        if not poll.poll(0):
            return
        try:
            data = read_some(source)
        except UsageError:
            return
        if not data:
            return
        yield data
