"""It always ends: a signal ends the tree, runs `finally`, writes the result, and says the code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import Calamari

pytestmark = [pytest.mark.process, pytest.mark.sandbox]

HEAD = "name: t\nregion: eu-west-1\nassume_role: arn:aws:iam::111111111111:role/DevDeployRole\n"


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def _gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


@pytest.mark.parametrize(
    ("signum", "code"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)],
    ids=["TERM", "INT", "HUP"],
)
def test_a_signal_ends_the_step(signum: int, code: int, launched: Calamari) -> None:
    """The tree is gone, `finally` has run, the result is written, the code is 128 + N."""
    launched.write(
        HEAD + "grace: 2s\nscript: |\n  sleep 600 &\n  echo $! $$\n  wait\n"
        "finally: echo after $CALAMARI_OUTCOME\n"
    )
    process = launched.start(["run", "step.yaml", "--result", "r.json"])
    try:
        pids = [int(pid) for pid in _first_line(process).split()]
        process.send_signal(signum)
        out, err = process.communicate(timeout=40)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == code, err.decode()
    assert out.decode() == "after cancelled\n"
    assert all(_gone(pid) for pid in pids)
    result = json.loads((launched.folder / "r.json").read_text())
    assert (result["outcome"], result["exit_code"]) == ("cancelled", code)


def test_a_step_that_ignores_signals_ends_all_the_same(launched: Calamari) -> None:
    """A child that ignores TERM is killed after the grace."""
    launched.write(
        HEAD + "timeout: 3s\ngrace: 1s\nscript: |\n  trap '' TERM INT\n  echo $$\n"
        "  while true; do sleep 1; done\n"
    )
    ran = launched("run", "step.yaml", timeout=50)
    assert ran.code == 124
    assert _gone(int(ran.out.split()[0]))


def test_a_closed_reader_ends_the_step(launched: Calamari) -> None:
    """When nobody reads our output any more the step ends instead of running on unseen."""
    launched.write(HEAD + "grace: 1s\nscript: |\n  echo $$\n  while true; do echo line; done\n")
    process = launched.start(["run", "step.yaml"])
    try:
        pid = int(_first_line(process))
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=40) == 141
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()
    assert _gone(pid)


def test_a_background_process_does_not_hold_the_step(launched: Calamari) -> None:
    """A grandchild that keeps the pipe open is waited for a bounded time, then ended and named."""
    launched.write(HEAD + "script: |\n  sleep 600 &\n  echo $!\n")
    ran = launched("run", "step.yaml", timeout=50)
    assert ran.code == 0
    assert _gone(int(ran.out))
    assert "sleep" in ran.err


def test_megabytes_on_both_streams_arrive(launched: Calamari) -> None:
    """Nothing is lost and nothing deadlocks, whichever stream is the busy one."""
    launched.write(
        HEAD + "script: |\n  head -c 4000000 /dev/zero | tr '\\0' e >&2\n"
        "  head -c 3000000 /dev/zero | tr '\\0' o\n"
    )
    ran = launched("run", "step.yaml", "--quiet")
    assert ran.code == 0
    assert ran.out.count("o") == 3_000_000
    assert ran.err.count("e") >= 4_000_000


def test_a_signal_before_the_step_starts_nothing(launched: Calamari, tmp_path: Path) -> None:
    """Cancelled while the manifest is still being read: no child, outcome not succeeded."""
    marker = tmp_path / "ran"
    manifest = tmp_path / "pipe"
    os.mkfifo(manifest)
    process = subprocess.Popen(
        launched.argv("run", "-", "--result", "r.json"),
        cwd=launched.folder,
        env=launched.env(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(HEAD.encode() + f"script: touch {marker}\n".encode())
        process.stdin.flush()
        _wait_until_installed(process.pid)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 143
    assert not marker.exists()
    result = json.loads((launched.folder / "r.json").read_text())
    assert result["outcome"] == "cancelled"


def _wait_until_installed(pid: int) -> None:
    """Until the process catches SIGTERM (bit 14 of SigCgt)."""
    for _ in range(2000):
        status = Path(f"/proc/{pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
        if int(caught.split()[1], 16) & (1 << (signal.SIGTERM - 1)):
            return
        os.sched_yield()
        signal.sigtimedwait([], 0.01)
    pytest.fail("the handlers were never installed")


def test_a_reader_that_stops_reading_does_not_stop_the_clock(launched: Calamari) -> None:
    """The timeout holds although our own write is blocked, and the result says why."""
    launched.write(HEAD + "timeout: 1s\ngrace: 1s\nscript: |\n  while true; do echo line; done\n")
    process = launched.start(["run", "step.yaml", "--quiet", "--result", "r.json"])
    try:
        assert process.wait(timeout=60) == 124
    finally:
        process.kill()
        process.communicate()
    result = json.loads((launched.folder / "r.json").read_text())
    assert result["outcome"] == "timed_out"


def test_an_echoed_signal_does_not_reach_finally(launched: Calamari) -> None:
    """A signal that arrives twice at once ends the step once; `finally` runs to its end."""
    launched.write(HEAD + "script: |\n  echo ready\n  sleep 600\nfinally: echo cleaned\n")
    process = launched.start(["run", "step.yaml"])
    try:
        assert _first_line(process) == b"ready\n"
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out) == (143, b"cleaned\n"), err.decode()
