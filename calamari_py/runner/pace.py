"""Pace: a child's output in few and large pieces, for a format that has one event for each."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

from calamari_py.output.base import Stream
from calamari_py.runner.limit import Entry

MOST_PIECES = 4
"""Pieces that wait at most. The child waits then, which makes the next ones larger."""


@runtime_checkable
class Paced(Protocol):
    """A reporter that wants a piece of output every `output_interval` seconds at most, of at most
    `output_size` bytes."""

    output_interval: float
    output_size: int


class Pace:
    """Collects output, gives it to `show` as often as `paced` allows, in order; nothing is lost.

    The first piece after a pause goes at once. Who writes more than the pace allows waits in
    `put`, for `MOST_PIECES` intervals and those of his own bytes at most.
    """

    def __init__(
        self,
        paced: Paced,
        show: Callable[[Stream, bytes], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval, self._size = paced.output_interval, paced.output_size
        self._show = show
        self._clock = clock
        self._wait = wait
        self._waiting: deque[tuple[Stream, bytearray]] = deque()
        self._next = float("-inf")

    @property
    def holding(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    def put(self, stream: Stream, data: bytes) -> None:
        """`data` comes next."""
        if self._waiting and self._waiting[-1][0] == stream:
            self._waiting[-1][1].extend(data)
        else:
            self._waiting.append((stream, bytearray(data)))
        while self._waiting and (self._too_much() or self._clock() >= self._next):
            self._give()

    def release(self) -> None:
        """Show all that waits."""
        while self._waiting:
            self._give()

    def rework(self, change: Callable[[Iterable[Entry]], list[Entry]]) -> None:
        """Replace what waits by what `change` makes of it."""
        changed = change((stream, bytes(data)) for stream, data in self._waiting)
        self._waiting = deque((stream, bytearray(data)) for stream, data in changed)

    def _too_much(self) -> bool:
        return (
            len(self._waiting) > MOST_PIECES
            or sum(len(data) for _, data in self._waiting) > self._size
        )

    def _give(self) -> None:
        if (early := self._next - self._clock()) > 0:
            self._wait(early)
        stream, data = self._waiting[0]
        piece = bytes(data[: self._size])
        del data[: self._size]
        if not data:
            self._waiting.popleft()
        self._next = self._clock() + self._interval
        self._show(stream, piece)
