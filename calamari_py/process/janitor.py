"""Janitor: a tiny process that removes private folders when the runner was killed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

if TYPE_CHECKING:
    import subprocess

_PROGRAM = Path(__file__).with_name("removal.py")
_DEAF_TO = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGTSTP)


class Janitor:
    """A process that waits until we end, however we do, and then removes what it was told of.

    It holds the reading end of a pipe and nothing else of ours: no stream, no environment, no
    working folder. It is in a session of its own, deaf to every signal that asks politely, and
    closed to others of the same user. Names wait in the pipe, so that nobody has to wait for its
    start. A `fork` of ours would cost more time than a new interpreter, and keep all our secrets
    in memory.

    `warn` hears one sentence when there can be none. Whatever kills every process at once (a
    container that ends, a control group) kills it too; then the next run clears up.
    """

    def __init__(self, warn: Callable[[str], None] | None = None) -> None:
        self._warn = warn
        self._pipe: BinaryIO | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def start(self) -> None:
        """Start the process; returns before it has begun to work."""
        try:
            self._start()
        except OSError as error:
            self._tell(error)

    def watch(self, folder: Path) -> None:
        """Have `folder` removed should we be killed. To be said before the folder is made."""
        if self._pipe is None:
            return
        try:
            self._pipe.write(os.fsencode(folder) + b"\0")
        except OSError as error:
            self._tell(error)

    def end(self) -> None:
        """End the process without any removal. Once that was done, nothing happens."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None

    def _start(self) -> None:
        import subprocess

        reader, writer = os.pipe()
        self._pipe = open(writer, "wb", buffering=0)  # noqa: SIM115 - end() closes it
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        # Twice, as in private_folder().
        with ExitStack() as again, ExitStack() as ends:
            ends.callback(os.close, reader)
            for end in (again, ends):
                end.callback(signal.pthread_sigmask, signal.SIG_SETMASK, before)
            # The mask is inherited, so that there is no moment in which a signal would end it.
            signal.pthread_sigmask(signal.SIG_BLOCK, _DEAF_TO)
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_PROGRAM)],
                stdin=reader,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                start_new_session=True,
            )

    def _tell(self, error: OSError) -> None:
        with suppress(OSError):
            self.end()
        if self._warn is not None:
            reason = (error.strerror or "unknown error").lower()
            self._warn(
                f"nothing will remove the private folders at once if calamari is killed: {reason}"
            )
