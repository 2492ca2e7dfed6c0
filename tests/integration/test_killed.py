"""kill -9 at any point: nothing of the run stays, neither folder nor process.

CALAMARI_SOAK_ROUNDS says at how many points (`make soak` takes 100).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.conftest import Calamari
from tests.process.support import comes_true, ends

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

ROUNDS = int(os.environ.get("CALAMARI_SOAK_ROUNDS", "12"))

# Bash gets a signal when the runner is gone; what it was just writing is written all the same.
STEP = """
name: t
account: none
script: |
  echo started
  while true; do
    mkdir -p "$CALAMARI_TEMP/deep/er" "$CALAMARI_VARIABLES/more"
    echo secret > "$CALAMARI_TEMP/deep/er/$RANDOM"
    sleep 0.01
  done
"""


def moments() -> list[tuple[str, float]]:
    """What to wait for, and how many seconds more: before the folders exist, while they are being
    made, while the child starts, and while it runs."""
    signs = ("begun", "folder", "folder", "started")
    longest = {"begun": 0.3, "folder": 0.06, "started": 0.2}
    steps = max(1, (ROUNDS + 3) // 4)
    return [
        (signs[number % 4], longest[signs[number % 4]] * (number // 4) / steps)
        for number in range(ROUNDS)
    ]


@pytest.mark.parametrize(("sign", "delay"), moments())
def test_nothing_stays(sign: str, delay: float, calamari: Calamari, tmp_path: Path) -> None:
    """Whenever it is killed, its folders go and its processes end."""
    calamari.write(STEP)
    memory = tmp_path / "run"
    memory.mkdir(mode=0o700)
    bases = [tmp_path / "tmp", memory]
    process = calamari.start(["run", "step.yaml"], {"XDG_RUNTIME_DIR": str(memory)})
    try:
        wait_for(_signs(process, bases)[sign], delay, process)
        # Stopped, it starts no other process while we look.
        process.send_signal(signal.SIGSTOP)
        children = _children(process.pid)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert [name for name, pidfd in children if not ends(pidfd)] == []
    assert comes_true(lambda: not any(os.listdir(base) for base in bases))


def _signs(process: subprocess.Popen[bytes], bases: list[Path]) -> dict[str, Callable[[], bool]]:
    assert process.stdout is not None
    stdout = process.stdout
    os.set_blocking(stdout.fileno(), False)
    return {
        "begun": lambda: True,
        "folder": lambda: any(os.listdir(base) for base in bases),
        "started": lambda: bool(stdout.read(1)),
    }


def wait_for(sign: Callable[[], bool], delay: float, process: subprocess.Popen[bytes]) -> None:
    """Until `sign` is there and `delay` seconds more."""
    assert comes_true(lambda: sign() or process.poll() is not None)
    assert process.poll() is None
    until = time.monotonic() + delay
    assert comes_true(lambda: time.monotonic() >= until)


def _children(parent: int) -> list[tuple[str, int]]:
    """The command lines of the processes below `parent`, and descriptors that tell their ends."""
    found = []
    for entry in os.listdir("/proc"):
        with suppress(OSError, ValueError):
            stat = Path(f"/proc/{int(entry)}/stat").read_text()
            if int(stat.rpartition(")")[2].split()[1]) == parent:
                pidfd = os.pidfd_open(int(entry))
                found.append((Path(f"/proc/{entry}/cmdline").read_text(), pidfd))
                found.extend(_children(int(entry)))
    return found
