"""What the tests of the process door share: a sink that records, and children to watch."""

from __future__ import annotations

import functools
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

import calamari_py
from calamari_py.process import (
    Command,
    Isolation,
    Limits,
    OutputSink,
    ProcessExit,
    Pulse,
    SignalInbox,
    Stream,
    run,
)

PATH = "/usr/local/bin:/usr/bin:/bin"
PATIENCE = 20.0
"""Seconds after which a test gives up on its child."""


RUNNER = """
import sys
from pathlib import Path
from calamari_py.process import Command, Isolation, Limits, SignalInbox, harden, run

class Sink:
    def before_feed(self, reads): pass
    def feed(self, stream, data):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    def holding(self): return False
    def idle(self): pass
    def close(self, stream): pass

def go(script, **options):
    command = Command(argv=("/bin/sh", "-c", script), environment={"PATH": "/usr/bin:/bin"},
                      directory=Path("/"), **options)
    with SignalInbox() as inbox:
        return run(command, Sink(), Limits(timeout=20, grace=20), inbox)
"""
"""A whole runner as a script: `go` runs a shell script with real signal handlers."""


class RecordingSink:
    """An OutputSink that keeps everything, and calls back so that tests need not sleep."""

    def __init__(
        self,
        *,
        on_feed: Callable[[Stream, bytes], None] | None = None,
        on_idle: Callable[[], None] | None = None,
        on_close: Callable[[Stream], None] | None = None,
        holds: Callable[[], bool] | None = None,
    ) -> None:
        self.calls: list[str] = []
        self.data: dict[Stream, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self.closed: list[Stream] = []
        self._on_feed = on_feed
        self._on_idle = on_idle
        self._on_close = on_close
        self._holds = holds

    @property
    def stdout(self) -> bytes:
        return bytes(self.data["stdout"])

    @property
    def stderr(self) -> bytes:
        return bytes(self.data["stderr"])

    def before_feed(self, reads: Mapping[Stream, bytes]) -> None:
        self.calls.append("before_feed")

    def feed(self, stream: Stream, data: bytes) -> None:
        self.calls.append(f"feed {stream}")
        self.data[stream] += data
        if self._on_feed is not None:
            self._on_feed(stream, data)

    def holding(self) -> bool:
        return self._holds is not None and self._holds()

    def idle(self) -> None:
        self.calls.append("idle")
        if self._on_idle is not None:
            self._on_idle()

    def close(self, stream: Stream) -> None:
        self.calls.append(f"close {stream}")
        self.closed.append(stream)
        if self._on_close is not None:
            self._on_close(stream)


class Once:
    """Calls `reply` when `word` has come, once."""

    def __init__(self, word: bytes, reply: Callable[[], None]) -> None:
        self._word = word
        self._reply: Callable[[], None] | None = reply
        self._seen = b""

    def __call__(self, stream: Stream, data: bytes) -> None:
        self._seen += data
        if self._reply is not None and self._word in self._seen:
            reply, self._reply = self._reply, None
            reply()


def execute(
    argv: tuple[str, ...],
    sink: OutputSink,
    *,
    limits: Limits | None = None,
    inbox: SignalInbox | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path = Path("/"),
    stop_signal: int | None = None,
    translate_signals: Mapping[int, int] | None = None,
    idle_flush: float = 0.025,
    kill_delay: float = PATIENCE,
    pulse: Pulse | None = None,
    isolation: Isolation | None = None,
    marker: str | None = None,
    terminal: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> ProcessExit:
    """`run` with what most tests want: a watchdog, no handlers, the root folder."""
    command = Command(
        argv=argv,
        environment={"PATH": PATH} if environment is None else environment,
        directory=directory,
        stop_signal=stop_signal,
        translate_signals=translate_signals,
        isolation=isolation,
        marker=marker,
        terminal=terminal,
    )
    own = SignalInbox(install=False) if inbox is None else None
    try:
        return run(
            command,
            sink,
            Limits(timeout=PATIENCE, grace=PATIENCE) if limits is None else limits,
            inbox if inbox is not None else own or SignalInbox(install=False),
            idle_flush=idle_flush,
            kill_delay=kill_delay,
            pulse=pulse,
            tell=tell,
        )
    finally:
        if own is not None:
            own.close()


def shell(script: str) -> tuple[str, ...]:
    """The argv of a shell script."""
    return ("/bin/sh", "-c", script)


def python(script: str) -> tuple[str, ...]:
    """The argv of a Python script."""
    return (sys.executable, "-I", "-S", "-c", script)


def ends(pidfd: int) -> bool:
    """Whether the process behind `pidfd`, which is closed, ends in good time."""
    try:
        return bool(select.select([pidfd], [], [], PATIENCE)[0])
    finally:
        os.close(pidfd)


def state_of(pid: int) -> str:
    """The state letter of a process, empty when it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def processes_with(word: str) -> list[int]:
    """The living processes that have `word` on their command line."""
    found = []
    for entry in os.listdir("/proc"):
        with suppress(OSError):
            if entry.isdigit() and word.encode() in Path(f"/proc/{entry}/cmdline").read_bytes():
                found.append(int(entry))
    return found


def comes_true(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Whether `condition` holds within `seconds`."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def as_nobody() -> list[str]:
    """The argv of an interpreter without root's rights that can import the package; skips the test
    where there is none. For us, who have none either, it is the interpreter we run in.
    """
    if found := _of_nobody():
        return list(found)
    pytest.skip("no interpreter that another user may run can import the package")


@functools.cache
def _of_nobody() -> tuple[str, ...]:
    if os.getuid() != 0:
        return (sys.executable,)
    folder = str(Path(calamari_py.__file__).parents[1])
    drop = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    check = (
        f"import sys; sys.path.insert(0, {folder!r}); import calamari_py.process, subprocess; "
        "subprocess.run([sys.executable, '-c', ''], check=True)"
    )
    for program in (sys.executable, "/usr/bin/python3"):
        with suppress(OSError):
            argv = [*drop, program, "-c", check]
            if subprocess.run(argv, capture_output=True, cwd="/", check=False).returncode == 0:
                return (*drop, program)
    return ()


def run_as_nobody(script: str, *, environment: Mapping[str, str] | None = None) -> str:
    """What `script`, which follows RUNNER, says on stdout."""
    ended = subprocess.run(
        [*as_nobody(), "-c", RUNNER + script],
        env={
            "PATH": PATH,
            "PYTHONPATH": str(Path(calamari_py.__file__).parents[1]),
            "PYTHONDONTWRITEBYTECODE": "1",
            **(environment or {}),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
    )
    assert (ended.stderr, ended.returncode) == ("", 0), ended.stderr
    return ended.stdout
