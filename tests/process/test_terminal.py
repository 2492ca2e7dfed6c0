"""Signals that come from outside: a terminal's keys, and kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

import pytest

from tests.process.support import PATIENCE, RUNNER, ends, state_of

pytestmark = pytest.mark.process

_JOB = RUNNER + "ended = go('echo pid $$; exec sleep 60')\nprint('ended', ended.code, flush=True)\n"

_SHOWN_ON_A_PTY = _JOB.replace("60')", "60', terminal=True)")

_ON_A_PTY = RUNNER + (
    "ended = go('echo pid $$ $PPID; exec sleep 60', terminal=True, stdin='inherit')\n"
    "print('ended', ended.code, ended.stopped, flush=True)\n"
)

_SHELL = """
import os, pty, select, signal, sys, termios
pid, master = pty.fork()
if pid:
    while True:
        ready, _, _ = select.select([0, master], [], [], 30)
        try:
            if 0 in ready:
                os.write(master, os.read(0, 100))
            if master in ready:
                os.write(1, os.read(master, 1000))
        except OSError:
            ready = []
        if not ready:
            os.kill(pid, signal.SIGHUP)
            os._exit(0)
job = os.fork()
if not job:
    os.setpgid(0, 0)
    while os.tcgetpgrp(0) != os.getpgrp():
        os.sched_yield()
    os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
os.setpgid(job, job)
os.tcsetpgrp(0, job)
while True:
    _, status = os.waitpid(job, os.WUNTRACED)
    os.tcsetpgrp(0, os.getpgrp())
    if not os.WIFSTOPPED(status):
        print('shell: gone', flush=True)
        break
    print('shell: stopped', bool(termios.tcgetattr(0)[3] & termios.ISIG), flush=True)
    input()
    os.tcsetpgrp(0, job)
    os.killpg(job, signal.SIGCONT)
    print('shell: continued', flush=True)
"""
"""A shell with one job in the foreground of a terminal of its own."""


@pytest.fixture(params=[_JOB])
def terminal(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """Somebody at a terminal: what is written are keys, what is read is the screen."""
    with subprocess.Popen(
        [sys.executable, "-c", _SHELL, request.param], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield process
        process.kill()


def wait_for(process: subprocess.Popen[bytes], word: bytes) -> bytes:
    """The line of the screen that holds `word`."""
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return line
    raise AssertionError(f"the screen ended without {word!r}")


def press(process: subprocess.Popen[bytes], keys: bytes) -> None:
    """Type."""
    assert process.stdin is not None
    process.stdin.write(keys)
    process.stdin.flush()


@pytest.mark.parametrize(
    "terminal",
    [pytest.param(_JOB, id="pipes"), pytest.param(_SHOWN_ON_A_PTY, id="pty without keys")],
    indirect=True,
)
def test_suspend_and_cancel_keys(terminal: subprocess.Popen[bytes]) -> None:
    """^Z stops the child and calamari, `fg` continues both, ^C then ends the child once."""
    child = int(wait_for(terminal, b"pid").split()[1])
    press(terminal, b"\x1a")
    wait_for(terminal, b"shell: stopped")
    assert state_of(child) == "T"
    press(terminal, b"\n")
    wait_for(terminal, b"shell: continued")
    press(terminal, b"\x03")
    assert wait_for(terminal, b"ended").split()[-1] == b"130"
    assert state_of(child) in {"", "Z"}


@pytest.mark.parametrize("terminal", [pytest.param(_ON_A_PTY, id="pty")], indirect=True)
def test_suspended_from_outside(terminal: subprocess.Popen[bytes]) -> None:
    """While calamari is suspended its terminal has the modes of before and the child on the pty
    goes on; after `fg` keys go to the child again.
    """
    child, runner = (int(word) for word in wait_for(terminal, b"pid").split()[1:])
    os.kill(runner, signal.SIGTSTP)
    assert wait_for(terminal, b"shell: stopped").split()[-1] == b"True"
    assert state_of(child) != "T"
    press(terminal, b"\n")
    wait_for(terminal, b"shell: continued")
    tty = os.open(f"/proc/{runner}/fd/0", os.O_RDONLY | os.O_NOCTTY)
    give_up = time.monotonic() + PATIENCE
    while termios.tcgetattr(tty)[3] & termios.ISIG:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    os.close(tty)
    press(terminal, b"\x03")
    # No signal to calamari: the key went to the child, and nobody stopped it.
    assert wait_for(terminal, b"ended").split()[-2:] == [b"130", b"None"]


@pytest.mark.parametrize("signum", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_signal_from_outside(signum: int) -> None:
    """A signal sent to calamari alone ends the child by the same signal."""
    with subprocess.Popen([sys.executable, "-c", _JOB], stdout=subprocess.PIPE) as runner:
        child = os.pidfd_open(int(wait_for(runner, b"pid").split()[1]))
        runner.send_signal(signum)
        assert wait_for(runner, b"ended") == b"ended %d\n" % (128 + signum)
        assert runner.wait(PATIENCE) == 0
    assert ends(child)


def test_many_signals_in_a_row() -> None:
    """Starting a child under fire loses no signal: every run ends by the one it was sent."""
    script = RUNNER + (
        "import os, threading\n"
        "from calamari_py.errors import Cancelled\n"
        "from calamari_py.process import ProcessExit\n"
        "for n in range(30):\n"
        "    timer = threading.Timer(0.0005 * n, os.kill, (os.getpid(), 15))\n"
        "    with SignalInbox() as inbox, inbox.queued():\n"
        "        timer.start()\n"
        "        command = Command(argv=('/bin/sleep', '20'), environment={},"
        " directory=Path('/'))\n"
        "        try:\n"
        "            ended = run(command, Sink(), Limits(grace=20), inbox)\n"
        "        except Cancelled as error:\n"
        "            ended = ProcessExit(code=128 + error.signum, signum=error.signum)\n"
        "        timer.join()\n"
        "        print(ended.code, ended.signum, flush=True)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert ended.stdout.split() == [b"143", b"15"] * 30
