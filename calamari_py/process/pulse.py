"""Pulse: what must not wait goes on while one of our writes waits for its reader."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import NoReturn

from calamari_py.process.base import KILL_DELAY
from calamari_py.process.inbox import SignalInbox

ONE_WAIT = 1.0
"""Seconds between two beats that still belong to the same wait."""


class Pulse:
    """Passes `beat`, which a blocked write calls a few times a second, on to whoever watches.

    A watcher gives the reader up by raising BrokenPipeError out of the write. From then on every
    write that would have to wait ends so at once: who has not read for that long is gone.
    Only the thread that made the pulse passes on.
    """

    def __init__(self) -> None:
        self._watchers: list[Callable[[], None]] = []
        self._thread = get_ident()
        self._given_up = False

    def beat(self) -> None:
        """A write waits for its reader. Raises BrokenPipeError when the reader is given up."""
        if get_ident() != self._thread or not self._watchers:
            return
        if self._given_up:
            give_reader_up()
        try:
            self._watchers[-1]()
        except BrokenPipeError:
            self._given_up = True
            raise

    @contextmanager
    def watched(self, watcher: Callable[[], None]) -> Iterator[None]:
        """Within the block `watcher` gets the beats; of nested ones the innermost."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    @contextmanager
    def heeding(
        self,
        inbox: SignalInbox,
        *,
        clock: Callable[[], float] = time.monotonic,
        patience: float = KILL_DELAY,
    ) -> Iterator[None]:
        """Within the block, while no process is watched: once `inbox` has received a signal, a
        write waits `patience` seconds at most. Before, it waits as long as the reader likes.
        """
        began = last = float("-inf")

        def watcher() -> None:
            nonlocal began, last
            now = clock()
            if inbox.first is None or now - last > ONE_WAIT:
                began = now
            last = now
            if now - began >= patience:
                give_reader_up()

        with self.watched(watcher):
            yield


def give_reader_up() -> NoReturn:
    """Raise what a write to a closed pipe raises."""
    raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
