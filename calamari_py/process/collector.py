"""Collector: an OutputSink that keeps what a command of our own writes."""

from __future__ import annotations

from collections.abc import Mapping

from calamari_py.errors import ToolFailed
from calamari_py.process.base import Stream


class Collector:
    """Keeps what it is given, up to `limit` bytes of both streams together. What is too much ends
    the command with a ToolFailed that names `program`."""

    def __init__(self, program: str, limit: int) -> None:
        self.written: dict[Stream, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._program = program
        self._limit = self._left = limit

    def before_feed(self, reads: Mapping[Stream, bytes]) -> None:
        """Nothing is declared."""

    def feed(self, stream: Stream, data: bytes) -> None:
        """Keep `data`. Raises ToolFailed when it is too much."""
        self._left -= len(data)
        if self._left < 0:
            raise ToolFailed(
                f"'{self._program}' wrote more than {self._limit} bytes and was stopped",
                hint="run the command by hand: it shall print its answer and nothing else",
            )
        self.written[stream] += data

    def holding(self) -> bool:
        """Nothing is held back."""
        return False

    def idle(self) -> None:
        """Nothing is held back."""

    def close(self, stream: Stream) -> None:
        """The stream has ended."""
