"""Outlet: the reporter, as the output of one child and what is said of it reach it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from calamari_py.masking import Masked, MaskedBytes, SecretRegistry
from calamari_py.output.base import Reporter, Stream
from calamari_py.runner.last_line import shorten
from calamari_py.runner.limit import Entry
from calamari_py.runner.pace import Pace, Paced

LONGEST_MESSAGE = 65_536
"""Characters of one message that are shown."""


class Outlet:
    """Everything in the order it came: what is said waits for the output before it.

    With `unread` a reader that went away is no reason to stop: what cleans up goes on.
    """

    def __init__(self, reporter: Reporter, registry: SecretRegistry, *, unread: bool) -> None:
        self._reporter = reporter
        self._registry = registry
        self._unread = unread
        self._pace = Pace(reporter, self._show) if isinstance(reporter, Paced) else None

    @property
    def holding(self) -> bool:
        """Whether output waits for `release`."""
        return self._pace is not None and self._pace.holding

    def output(self, stream: Stream, data: bytes) -> None:
        """Bytes of the child, masked."""
        if not data:
            return
        try:
            if self._pace is None:
                self._show(stream, data)
            else:
                self._pace.put(stream, data)
        except BrokenPipeError:
            if not self._unread:
                raise

    def release(self) -> None:
        """Show what waits."""
        if self._pace is not None:
            with self.tolerant():
                self._pace.release()

    def rework(self, change: Callable[[Iterable[Entry]], list[Entry]]) -> None:
        """Replace what waits by what `change` makes of it."""
        if self._pace is not None and self._pace.holding:
            self._pace.rework(change)

    def warn(self, text: str, hint: str | None = None) -> None:
        """A warning; `hint` is ours to the last word."""
        todo = Masked(hint) if hint else None
        self._say(lambda: self._reporter.warning(self._masked(text), todo))

    def note(self, text: str) -> None:
        """A line for ``--verbose``."""
        self._say(lambda: self._reporter.note(self._masked(text)))

    def highlight(self, text: str) -> None:
        """A line that is to be seen."""
        self._say(lambda: self._reporter.highlight(self._masked(text)))

    def progress(self, percent: float | None, text: str) -> None:
        """How far the step says it is."""
        self._say(lambda: self._reporter.progress(percent, self._masked(text)))

    def warn_of_fault(self, text: str) -> None:
        """A warning when masking itself may be broken: `text` is ours to the last word."""
        self._say(lambda: self._reporter.warning(Masked(text)))

    @contextmanager
    def tolerant(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            if not self._unread:
                raise

    def _masked(self, text: str) -> Masked:
        return shorten(self._registry.mask_text(text), LONGEST_MESSAGE)

    def _say(self, say: Callable[[], None]) -> None:
        self.release()
        with self.tolerant():
            say()

    def _show(self, stream: Stream, data: bytes) -> None:
        self._reporter.output(stream, MaskedBytes(data))
