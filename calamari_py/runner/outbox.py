"""Outbox: sentences for the log from threads that must not touch the reporter themselves."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Outbox:
    """Takes sentences from any thread without waiting, and gives them to the one that may write."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[bool, str]] = deque()

    def warn(self, text: str) -> None:
        """Leave a warning."""
        self._waiting.append((True, text))

    def note(self, text: str) -> None:
        """Leave a line for ``--verbose``."""
        self._waiting.append((False, text))

    def drain(self, *, warn: Callable[[str], None], note: Callable[[str], None]) -> None:
        """Say what was left since the last time, in order."""
        while self._waiting:
            loud, text = self._waiting.popleft()
            (warn if loud else note)(text)
