"""capture(): what a short command of ours wrote, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from calamari_py.errors import (
    CalamariError,
    CommandNotExecutable,
    CommandNotFound,
    FileMissing,
    InternalError,
)
from calamari_py.process import Captured, capture
from tests.process.support import PATH, PATIENCE, ends, open_descriptors, python, shell, state_of

pytestmark = pytest.mark.process


def collect(
    argv: tuple[str, ...], *, timeout: float = PATIENCE, limit: int = 1_000_000
) -> Captured:
    """`capture` with what most tests want."""
    return capture(
        argv, environment={"PATH": PATH}, directory=Path("/"), timeout=timeout, limit=limit
    )


def test_both_streams_and_the_code() -> None:
    """Each stream comes back byte for byte, beside the exit code."""
    got = collect(shell(r"printf 'a\000b'; printf err >&2; exit 3"))
    assert got == Captured(code=3, stdout=b"a\0b", stderr=b"err", timed_out=False)


def test_pipes_are_read_together() -> None:
    """A command that fills stderr before it writes to stdout is not waited for in vain."""
    script = "import sys\nfor f in (sys.stderr, sys.stdout): f.write('x' * 300_000)"
    got = collect(python(script))
    assert (len(got.stdout), len(got.stderr), got.code) == (300_000, 300_000, 0)


def test_what_the_child_is_given(tmp_path: Path) -> None:
    """Its own session, three descriptors, an empty stdin, the folder and environment as given."""
    script = (
        "import os, sys\n"
        "print(os.getsid(0) == os.getpid(), os.getcwd(), repr(sys.stdin.read()),\n"
        "      sorted(os.listdir('/proc/self/fd')), dict(os.environb))"
    )
    got = capture(python(script), environment={"A": "1"}, directory=tmp_path, timeout=PATIENCE)
    assert got.stdout.decode().startswith(f"True {tmp_path} '' ['0', '1', '2', '3'] {{b'A': b'1'")


def test_time_limit() -> None:
    """At the time limit the whole session is ended, also what ignores SIGTERM."""
    script = "trap '' TERM; echo $$; sleep 60 & echo $!; wait; wait; sleep 60"
    got = collect(shell(script), timeout=1.5)
    assert got.timed_out
    assert got.code == 128 + signal.SIGKILL
    for pid in got.stdout.split():
        assert state_of(int(pid)) in {"", "Z"}


def test_too_much_output() -> None:
    """More than the limit ends the command; the error names it and shows nothing of it."""
    with pytest.raises(CalamariError, match="'/bin/sh' wrote more than 1000 bytes") as caught:
        collect(shell("while :; do echo hunter2; done"), limit=1000)
    assert "hunter2" not in f"{caught.value!r} {caught.value.hint}"


def test_the_limit_counts_both_streams() -> None:
    """Exactly the limit is taken, one byte more on the other stream is too much."""
    assert len(collect(shell("printf 12345; printf 678 >&2"), limit=8).stdout) == 5
    with pytest.raises(CalamariError):
        collect(shell("printf 12345; printf 678 >&2"), limit=7)


def test_no_secret_in_the_repr() -> None:
    """What the command wrote is in no repr."""
    assert "hunter2" not in repr(collect(shell("echo hunter2; echo hunter2 >&2")))


@pytest.mark.parametrize(
    ("program", "error"),
    [
        pytest.param("/nowhere/token", CommandNotFound, id="missing"),
        pytest.param("/etc/passwd", CommandNotExecutable, id="no program"),
        pytest.param("token", InternalError, id="not resolved"),
    ],
)
def test_refusals(program: str, error: type[CalamariError]) -> None:
    """What cannot be started is told as `run` tells it."""
    with pytest.raises(error):
        collect((program,))


def test_missing_folder() -> None:
    """A folder that is not there is named."""
    with pytest.raises(FileMissing):
        capture(shell(":"), environment={}, directory=Path("/nowhere"), timeout=PATIENCE)


def test_nothing_stays_behind() -> None:
    """No descriptor and no thread is left, whichever way it ends."""
    before = open_descriptors(), threading.active_count()
    collect(shell(":"))
    collect(shell("sleep 60"), timeout=0.05)
    with pytest.raises(CalamariError):
        collect(shell("echo x"), limit=0)
    with pytest.raises(CommandNotFound):
        collect(("/nowhere/token",))
    assert (open_descriptors(), threading.active_count()) == before


def test_from_another_thread() -> None:
    """A thread that renews credentials may call it."""
    got: list[Captured] = []
    thread = threading.Thread(target=lambda: got.append(collect(shell("echo token"))))
    thread.start()
    thread.join(PATIENCE)
    assert got == [Captured(code=0, stdout=b"token\n", stderr=b"", timed_out=False)]


_RUNNER = """
import os, sys
from pathlib import Path
from calamari_py.errors import Cancelled
from calamari_py.process import SignalInbox, capture
with SignalInbox():
    try:
        capture(('/bin/sh', '-c', sys.argv[1], sys.argv[2]), environment={}, directory=Path('/'),
                timeout=30)
    except Cancelled as error:
        print('cancelled', error.signum, flush=True)
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_signal_meanwhile(signum: int, tmp_path: Path) -> None:
    """A signal raises Cancelled in the caller once the command has been ended."""
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)
    script = 'echo $$ > "$0"; exec /bin/sleep 60'
    with subprocess.Popen(
        [sys.executable, "-c", _RUNNER, script, str(fifo)], stdout=subprocess.PIPE
    ) as runner:
        child = os.pidfd_open(int(fifo.read_text()))
        runner.send_signal(signum)
        stdout, _ = runner.communicate(timeout=PATIENCE)
    assert stdout == b"cancelled %d\n" % signum
    assert ends(child)


def test_signals_while_starting() -> None:
    """Under fire at any moment of its start no command is left: no child, no descriptor."""
    script = (
        "import os, threading\n"
        "from pathlib import Path\n"
        "from calamari_py.errors import Cancelled\n"
        "from calamari_py.process import SignalInbox, capture\n"
        "for n in range(30):\n"
        "    timer = threading.Timer(0.0005 * n, os.kill, (os.getpid(), 15))\n"
        "    with SignalInbox():\n"
        "        try:\n"
        "            timer.start()\n"
        "            capture(('/bin/sleep', '20'), environment={}, directory=Path('/'),"
        " timeout=30)\n"
        "        except Cancelled as error:\n"
        "            print(error.signum, flush=True)\n"
        "    timer.join()\n"
        "    try:\n"
        "        print('left', os.waitpid(-1, os.WNOHANG), flush=True)\n"
        "    except ChildProcessError:\n"
        "        pass\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert ended.stdout.split() == [b"15"] * 30
