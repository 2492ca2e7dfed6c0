"""LastLine: what a child said last, for the sentence that names it when its time is up."""

from __future__ import annotations

import time
from collections.abc import Callable

from calamari_py.masking import Masked, SecretRegistry
from calamari_py.masking.ansi import without_sequences
from calamari_py.output.base import Stream
from calamari_py.process import Limits

KEPT = 4096
"""Bytes of the end of each stream that are kept to find its last line in."""
SHOWN = 120
"""Characters of a last line that are quoted."""


class LastLine:
    """Follows both streams of one child, masked, and knows the last line that is not blank.

    What a child writes when it is told to stop is not what it was busy with: a line that comes
    after one of `limits` had passed does not count.
    """

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """A child starts now."""
        self._ends: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        self._latest: Stream = "stdout"
        self._before_stop: bytes | None = None
        self._timed_out = False
        self._began = self._heard = self._clock()

    def take(self, stream: Stream, data: bytes) -> None:
        """`data` was written, already masked."""
        self._note_time()
        end = data[-KEPT:]
        if end.isspace():
            # Many blank lines must not push out the line before them.
            end = b"\n" if b"\n" in data or b"\r" in data else b" "
            if self._ends[stream][-1:] == end:
                return
        else:
            self._latest = stream
        self._ends[stream] = end if len(end) == KEPT else (self._ends[stream] + end)[-KEPT:]

    def text(self, registry: SecretRegistry) -> Masked | None:
        """The line, printable and shortened; None where there was none."""
        end = self._ends[self._latest] if self._before_stop is None else self._before_stop
        lines = without_sequences(end).decode("utf-8", "ignore").splitlines()
        shown = ("".join(char for char in line if char.isprintable()).strip() for line in lines)
        line = next((line for line in reversed([*shown]) if line), None)
        # What stood between the parts of a secret is gone: it is whole only now.
        return shorten(registry.mask_text(line), SHOWN) if line else None

    def _note_time(self) -> None:
        now, limits = self._clock(), self._limits
        silent = limits.idle_timeout is not None and now - self._heard >= limits.idle_timeout
        late = limits.timeout is not None and now - self._began >= limits.timeout
        if silent or (late and not self._timed_out):
            self._before_stop = self._ends[self._latest]
        self._timed_out = late
        self._heard = now


def shorten(text: Masked, length: int) -> Masked:
    """`text`, or its first `length` characters and a mark."""
    return text if len(text) <= length else Masked(text[: length - 1] + "…")
