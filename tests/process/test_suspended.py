"""What a pause by the suspend key does to the child, and to its limits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.process.support import RUNNER, comes_true, state_of
from tests.process.test_terminal import _SHELL, press, wait_for

pytestmark = pytest.mark.process

_JOB = (
    RUNNER
    + '''
import os, time

# It starts nothing: who waits for a fork cannot be stopped.
TICKS = """
import os, time
print("pid", os.getpid(), flush=True)
while True:
    print("tick", flush=True)
    time.sleep(0.02)
"""

def clock():
    return time.monotonic() + (1000 if os.path.exists('LATER') else 0)

command = Command(argv=(sys.executable, "-c", TICKS), environment={"PATH": "/usr/bin:/bin"},
                  directory=Path("/"))
with SignalInbox() as inbox:
    limits = Limits(timeout=500, grace=20)
    ended = run(command, Sink(), limits, inbox, clock=clock)
print("paused for long:", inbox.suspended > 900, flush=True)
print("ended", ended.code, ended.stopped, flush=True)
'''
)
"""A runner whose clock is 1,000 s ahead as soon as a file is there."""


@contextmanager
def suspended(later: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A terminal in which ^Z was pressed, and the child's pid."""
    argv = [sys.executable, "-c", _SHELL, _JOB.replace("LATER", str(later))]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as terminal:
        try:
            child = int(wait_for(terminal, b"pid").split()[1])
            press(terminal, b"\x1a")
            wait_for(terminal, b"shell: stopped")
            yield terminal, child
        finally:
            terminal.kill()


def test_the_child_goes_on(tmp_path: Path) -> None:
    """`fg` continues the child itself, which is of another session than the job, and nothing else
    has to happen."""
    with suspended(tmp_path / "never") as (terminal, child):
        assert state_of(child) == "T"
        press(terminal, b"\n")
        wait_for(terminal, b"shell: continued")
        assert comes_true(lambda: state_of(child) in {"R", "S"})
        wait_for(terminal, b"tick")
        press(terminal, b"\x03")
        assert wait_for(terminal, b"ended").split()[-2:] == [b"130", b"signal"]


def test_a_pause_costs_no_time(tmp_path: Path) -> None:
    """The time limit does not count what was spent suspended, however long it was."""
    later = tmp_path / "later"
    with suspended(later) as (terminal, _):
        later.touch()
        press(terminal, b"\n")
        wait_for(terminal, b"shell: continued")
        # What came after the pause was read, and the limits looked at in between.
        for _ in range(3):
            wait_for(terminal, b"tick")
        press(terminal, b"\x03")
        assert b"True" in wait_for(terminal, b"paused")
        assert wait_for(terminal, b"ended").split()[-2:] == [b"130", b"signal"]
