"""The read side of a child: two pipes, or one pty, read fairly, into one sink."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress

from calamari_py.errors import Cancelled
from calamari_py.process.base import OutputSink, Stream

READ_SIZE = 65_536
PATIENCE = 4
"""How many flush times one stream's held bytes wait for the other stream to fall silent."""


class Pipes:
    """Reads both pipes and tells the sink; without `stderr` that stream is silent. A stream whose
    reader went away is read on, so that the child can end, and thrown away.
    """

    def __init__(
        self,
        sink: OutputSink,
        *,
        stdout: int,
        stderr: int | None,
        clock: Callable[[], float],
        idle_flush: float,
    ) -> None:
        self.reader_gone = False
        self._sink = sink
        self._clock = clock
        self._idle_flush = idle_flush
        self._fds: dict[Stream, int] = {"stdout": stdout}
        if stderr is not None:
            self._fds["stderr"] = stderr
        self._told: list[Stream] = ["stdout", "stderr"]
        self._unclosed: list[Stream] = ["stdout", "stderr"]
        self._fed: dict[Stream, float] = {}
        # What was read of stderr and announced, and is fed in the next cycle.
        self._ahead: bytes | None = None

    @property
    def waiting(self) -> bool:
        """Whether a cycle has something to feed whatever is ready."""
        return self._ahead is not None

    @property
    def open(self) -> bool:
        """Whether a pipe has not come to its end."""
        return bool(self._fds)

    def filenos(self) -> tuple[int, ...]:
        """The descriptors to wait for."""
        return tuple(self._fds.values())

    def cycle(self, ready: Collection[int]) -> bool:
        """Read what is there, once a stream, and feed it. Returns whether bytes came.

        What a child declared on one stream, or in a file, is announced before anything is fed that
        it wrote later on the other: stderr is read first, then stdout, then stderr once more. What
        that gave is fed in the next cycle, when stdout was read again.
        """
        early, self._ahead = self._ahead, None
        errors = early
        if errors is None and self._fds.get("stderr") in ready:
            errors = self._read("stderr")
        wanted = errors is not None or self._fds.get("stdout") in ready
        output = self._read("stdout") if wanted and "stdout" in self._fds else None
        if output is None and errors is None:
            return False
        reads: dict[Stream, bytes] = {}
        if output:
            reads["stdout"] = output
        if errors and early is None:
            reads["stderr"] = errors
        self._guard(lambda: self._sink.before_feed(reads))
        if output and errors != b"" and "stderr" in self._fds:
            self._look_ahead()
        self._take_in("stdout", output)
        self._take_in("stderr", errors)
        if not self._told or not self._sink.holding():
            self._fed.clear()
        return bool(output or errors)

    def _look_ahead(self) -> None:
        ahead = self._read("stderr")
        # The end of the stream is there to be read again.
        if ahead:
            self._ahead = ahead
            self._guard(lambda: self._sink.before_feed({"stderr": ahead}))

    def idle_at(self) -> float | None:
        """When held bytes have to go: `idle_flush` after both streams fell silent, or a little
        later while only one of them is.
        """
        if not self._fed:
            return None
        times = self._fed.values()
        return min(max(times) + self._idle_flush, min(times) + PATIENCE * self._idle_flush)

    def idle(self) -> None:
        """Let held bytes go. A sink that holds on is asked again after the same time."""
        self._fed.clear()
        self._guard(lambda: self._sink.before_feed({}))
        self._guard(self._sink.idle)
        if self._told and self._sink.holding():
            self._fed = {stream: self._clock() for stream in self._fds if stream in self._told}

    def drain(self, cycles: int = 32) -> None:
        """Read what is there without waiting, `cycles` times at most."""
        while cycles and self._fds and self.cycle(self.filenos()):
            cycles -= 1

    def mute(self) -> None:
        """Throw away whatever comes from now on."""
        self._told.clear()
        self._fed.clear()
        self._ahead = None

    def close(self) -> None:
        """Give up what is still open and tell the sink, once for each stream."""
        self.close_descriptors()
        if self._unclosed:
            self._guard(lambda: self._sink.before_feed({}))
        ahead, self._ahead = self._ahead, None
        if ahead and "stderr" in self._told:
            self._guard(lambda: self._sink.feed("stderr", ahead), "stderr")
        while self._unclosed:
            self._close_stream(self._unclosed[0])

    def close_quietly(self, guard: Callable[[], AbstractContextManager[None]]) -> None:
        """`close` after an error, which a sink that is broken as well must not replace.

        Within `guard` a signal may end the sink's call; it does not end ours.
        """
        self.close_descriptors()
        while self._unclosed:
            with suppress(Exception, Cancelled), guard():
                self._close_stream(self._unclosed[0])

    def close_descriptors(self) -> None:
        """Close the pipes and tell nobody."""
        while self._fds:
            os.close(self._fds.popitem()[1])

    def _read(self, stream: Stream) -> bytes | None:
        """Bytes; empty at the end of the stream; None when there is nothing now."""
        try:
            return os.read(self._fds[stream], READ_SIZE)
        except BlockingIOError:
            return None
        except OSError as error:
            # The end of a pty, on Linux.
            if error.errno != errno.EIO:
                raise
            return b""

    def _take_in(self, stream: Stream, data: bytes | None) -> None:
        if data is None:
            return
        if not data:
            os.close(self._fds.pop(stream))
            # A stream that nobody hears any more is closed at the very end: the sink may be broken.
            if stream in self._told:
                self._close_stream(stream)
        elif stream in self._told:
            self._fed[stream] = 0.0
            self._guard(lambda: self._sink.feed(stream, data), stream)
            if stream in self._fed:
                # Only now: a reader that made us wait is no silence of the child.
                self._fed[stream] = self._clock()

    def _close_stream(self, stream: Stream) -> None:
        self._fed.pop(stream, None)
        self._unclosed.remove(stream)
        try:
            self._sink.close(stream)
        except BrokenPipeError:
            self._lose(stream)

    def _guard(self, call: Callable[[], None], stream: Stream | None = None) -> None:
        if not self._told:
            return
        try:
            call()
        except BrokenPipeError:
            self._lose(stream)

    def _lose(self, stream: Stream | None) -> None:
        self.reader_gone = True
        if stream is None:
            self.mute()
        else:
            self._fed.pop(stream, None)
            with suppress(ValueError):
                self._told.remove(stream)
