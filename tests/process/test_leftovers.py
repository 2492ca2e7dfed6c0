"""What outlives the leader: read to its end, ended, and named."""

from __future__ import annotations

import os
import signal
import time

import pytest

from calamari_py.process import Limits, SignalInbox, StopReason, Stream
from tests.process.support import (
    PATIENCE,
    Once,
    RecordingSink,
    ends,
    execute,
    python,
    shell,
    state_of,
)

pytestmark = pytest.mark.process

ORPHAN = """
import os, sys, time
leader = os.getpid()
if os.fork():
    os._exit(0)
while os.getppid() == leader:
    time.sleep(0.002)
"""
"""The leader ends; what follows runs in a process that knows it."""


def test_late_output_of_a_grandchild() -> None:
    """What a grandchild still writes after the leader is delivered, and nobody is blamed."""
    sink = RecordingSink()
    ended = execute(python(ORPHAN + "time.sleep(0.2); os.write(1, b'late')"), sink)
    assert (ended.code, ended.left_running, sink.stdout) == (0, (), b"late")


def test_grandchild_that_holds_the_pipe() -> None:
    """A grandchild that keeps the pipe open is read for a while, then ended and named."""
    sink = RecordingSink()
    ended = execute(shell("sleep 60 & echo $!"), sink, kill_delay=0.1)
    pid = int(sink.stdout)
    assert (ended.code, ended.stopped) == (0, None)
    assert ended.left_running == (f"sleep (pid {pid}, holds the step's output)",)
    assert state_of(pid) in {"", "Z"}


def test_background_process_that_closed_its_pipes() -> None:
    """A process left behind in silence is ended at once: there is nothing to wait for."""
    sink = RecordingSink()
    before = time.monotonic()
    ended = execute(shell("sleep 60 >/dev/null 2>&1 & echo $!; exit 4"), sink)
    assert (ended.code, ended.left_running) == (4, (f"sleep (pid {int(sink.stdout)})",))
    assert time.monotonic() - before < PATIENCE / 2


def test_leftover_in_its_own_group() -> None:
    """A process that left the group is still of the session, and ends."""
    sink = RecordingSink()
    script = (
        "import os, subprocess as s\n"
        "print(s.Popen(['sleep', '60'], stdout=s.DEVNULL, stderr=s.DEVNULL,"
        " process_group=0).pid, flush=True)\n"
        "os._exit(0)\n"
    )
    ended = execute(python(script), sink)
    assert ended.left_running == (f"sleep (pid {int(sink.stdout)})",)


def test_term_proof_leftover_is_killed() -> None:
    """A leftover that ignores SIGTERM ends by SIGKILL; what it wrote meanwhile is delivered."""
    script = "import signal; signal.signal(15, lambda *_: os.write(1, b'no'))" + ORPHAN
    sink = RecordingSink()
    ended = execute(
        python("import os\n" + script + "while True: signal.pause()"), sink, kill_delay=0.3
    )
    assert ended.code == 0
    assert len(ended.left_running) == 1
    assert sink.stdout == b"no"


def test_daemon_that_left_the_session() -> None:
    """Without a marker a daemon in a session of its own is waited for no longer than the delay, and
    not ended."""
    sink = RecordingSink()
    script = ORPHAN + "os.setsid()\nos.write(1, b'%d' % os.getpid())\ntime.sleep(60)"
    ended = execute(python(script), sink, kill_delay=2)
    pid = int(sink.stdout)
    daemon = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert (ended.code, ended.left_running) == (0, ())
    assert sorted(sink.closed) == ["stderr", "stdout"]
    assert ends(daemon)


def test_a_signal_after_the_leader_counts() -> None:
    """A signal while a grandchild is read: it is ended at once, and the run was cancelled."""
    inbox = SignalInbox(install=False)
    sink = RecordingSink(on_feed=Once(b"held", lambda: inbox.deliver(signal.SIGINT)))
    script = ORPHAN + "os.write(1, b'held')\ntime.sleep(60)"
    before = time.monotonic()
    ended = execute(python(script), sink, inbox=inbox)
    assert time.monotonic() - before < PATIENCE / 2
    assert (ended.code, ended.stopped, ended.signum) == (0, StopReason.SIGNAL, signal.SIGINT)
    assert len(ended.left_running) == 1
    assert inbox.first == signal.SIGINT
    inbox.close()


def test_a_signal_ends_term_proof_leftovers() -> None:
    """What is left after the leader gets SIGTERM at the first signal and SIGKILL at the next."""
    inbox = SignalInbox(install=False)
    replies = [
        Once(b"held", lambda: inbox.deliver(signal.SIGINT)),
        Once(b"no", lambda: inbox.deliver(signal.SIGTERM)),
    ]

    def on_feed(stream: Stream, data: bytes) -> None:
        for reply in replies:
            reply(stream, data)

    script = (
        "import signal; signal.signal(15, lambda *_: os.write(1, b'no'))"
        + ORPHAN
        + "os.write(1, b'held')\nwhile True: signal.pause()"
    )
    before = time.monotonic()
    sink = RecordingSink(on_feed=on_feed)
    ended = execute(python("import os\n" + script), sink, inbox=inbox)
    assert time.monotonic() - before < PATIENCE / 2
    assert (ended.stopped, ended.signum) == (StopReason.SIGNAL, signal.SIGINT)
    assert sink.stdout == b"heldno"
    inbox.close()


def test_flood_after_the_leader() -> None:
    """A grandchild that writes without end cannot keep the run alive."""
    seen = 0

    def on_feed(stream: Stream, data: bytes) -> None:
        nonlocal seen
        seen += len(data)

    class Counting(RecordingSink):
        def feed(self, stream: Stream, data: bytes) -> None:
            on_feed(stream, data)

    script = ORPHAN + "os.setsid()\nwhile True: os.write(1, b'x' * 65536)"
    sink = Counting()
    ended = execute(python(script), sink, limits=Limits(timeout=PATIENCE), kill_delay=0.2)
    assert ended.code == 0
    assert seen > 65536
    assert sorted(sink.closed) == ["stderr", "stdout"]
