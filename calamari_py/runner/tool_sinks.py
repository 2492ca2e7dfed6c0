"""Where the output of a command goes that a step's kind reads itself: to its reader, or to memory.

Nothing of it reaches a reporter from here.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from types import TracebackType

from calamari_py.errors import Cancelled
from calamari_py.process import Collector, Stream
from calamari_py.steps.base import LineReader

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of one line that a reader is given; the rest of it is left out."""


class ToldInside(Cancelled):
    """A signal that ended a command which a reader ran while its own one went on, or that came
    before it: the outer command is stopped as well, with all its grace."""


class Lines:
    """Cuts a stream into lines for `take`, without their ends. `cut` is called for a line of more
    than `limit` bytes, of which `take` gets the beginning."""

    def __init__(
        self, take: Callable[[bytes], None], cut: Callable[[], None], *, limit: int = LONGEST_LINE
    ) -> None:
        self._take = take
        self._cut = cut
        self._limit = limit
        self._begun = bytearray()
        self._full = False

    def feed(self, data: bytes) -> None:
        """`data` comes next."""
        *whole, rest = data.split(b"\n")
        for part in whole:
            self._hold(part)
            self._end()
        self._hold(rest)

    def close(self) -> None:
        """Nothing more comes: what has no end is a line, too."""
        if self._begun:
            self._end()

    def _hold(self, part: bytes) -> None:
        room = self._limit - len(self._begun)
        self._begun += part[:room]
        if len(part) > room and not self._full:
            self._full = True
            self._cut()

    def _end(self) -> None:
        line = bytes(self._begun.removesuffix(b"\r"))
        self._begun.clear()
        self._full = False
        self._take(line)


class ToolSink:
    """An OutputSink that ends no command roughly: whatever is raised here is kept in `error`, and
    the command is stopped as if its reader had gone: politely, with all its grace, for a tool that
    is killed leaves a lock behind. Nobody is given anything more.

    `listen` is called before each read, for what other threads have to say and what was declared.
    `has_run` says that there was a process.
    """

    def __init__(self, listen: Callable[[], None]) -> None:
        self.bytes_read: dict[Stream, int] = {"stdout": 0, "stderr": 0}
        self.error: BaseException | None = None
        self.has_run = False
        self._listen = listen

    def before_feed(self, reads: Mapping[Stream, bytes]) -> None:
        """Count, and listen."""
        for stream, data in reads.items():
            self.bytes_read[stream] += len(data)
        self._politely(self._listen)

    def feed(self, stream: Stream, data: bytes) -> None:
        """Hand `data` on."""
        self._politely(lambda: self._take(stream, data))

    def holding(self) -> bool:
        """Nothing waits for silence."""
        return False

    def idle(self) -> None:
        """Nothing came for a while."""

    def close(self, stream: Stream) -> None:  # noqa: ARG002
        """The stream has ended."""
        self.has_run = True

    def raise_what_waits(self, *, stopped: bool) -> None:
        """Once the command has ended: raise what ended it. That nobody reads us any more is said
        by the end itself, where the command was `stopped` for it."""
        if self.error is not None and not (stopped and _is_reader_gone(self.error)):
            raise self.error

    def _take(self, stream: Stream, data: bytes) -> None:
        raise NotImplementedError

    def _politely(self, act: Callable[[], None]) -> None:
        if self.error is None:
            with _Politely(self):
                act()


class ReaderSink(ToolSink):
    """Gives `reader` line after line; `warn` hears of lines that are too long."""

    def __init__(
        self, reader: LineReader, *, listen: Callable[[], None], warn: Callable[[str], None]
    ) -> None:
        super().__init__(listen)
        self._reader = reader
        self._warn = warn
        self._lines: dict[Stream, Lines] = {"stdout": self._cut("stdout"),
                                            "stderr": self._cut("stderr")}  # fmt: skip

    def holding(self) -> bool:
        """A reader is told of every silence."""
        return self.error is None

    def idle(self) -> None:
        """Nothing came for a while."""
        self._politely(self._reader.idle)

    def close(self, stream: Stream) -> None:
        """The stream has ended."""
        super().close(stream)
        self._politely(self._lines[stream].close)

    def _take(self, stream: Stream, data: bytes) -> None:
        self._lines[stream].feed(data)

    def _cut(self, stream: Stream) -> Lines:
        def take(line: bytes) -> None:
            self._reader.line(stream, line)

        def too_long() -> None:
            self._warn(f"a line of {stream} has more than {LONGEST_LINE:,} bytes and was cut")

        return Lines(take, too_long)


class MemorySink(ToolSink):
    """Keeps all that comes, up to `limit` bytes; more is a ToolFailed that names `program`."""

    def __init__(self, program: str, limit: int, *, listen: Callable[[], None]) -> None:
        super().__init__(listen)
        self._kept = Collector(program, limit)

    def written(self, stream: Stream) -> bytes:
        """What came of one stream."""
        return bytes(self._kept.written[stream])

    def _take(self, stream: Stream, data: bytes) -> None:
        self._kept.feed(stream, data)


class _Politely:
    """A context that keeps in `sink` what is raised, and says that nobody reads. A signal that
    interrupts passes: its sender does not wait. What `sink` was told inside counts as raised."""

    def __init__(self, sink: ToolSink) -> None:
        self._sink = sink

    def __enter__(self) -> None:
        return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and self._sink.error is None:
            return
        if isinstance(error, Cancelled) and not (
            isinstance(error, ToldInside) or _is_reader_gone(error)
        ):
            return
        self._sink.error = error or self._sink.error
        raise BrokenPipeError from None


def _is_reader_gone(error: BaseException) -> bool:
    return isinstance(error, Cancelled) and error.signum == signal.SIGPIPE
