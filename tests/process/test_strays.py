"""Processes that left the session of their command: found, ended, named; and nobody else."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from calamari_py.process import Limits, ProcessExit, SignalInbox, StopReason
from tests.process.support import (
    PATH,
    PATIENCE,
    Once,
    RecordingSink,
    comes_true,
    execute,
    python,
    shell,
    state_of,
)

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows enough"),
]

SLEEPER = """
import os, signal
def sleeper(*, say=True, hold=False, bare=False, deaf=False):
    '''What has left: says its pid, holds our output or not, and sleeps.'''
    if say:
        os.write(1, b'%d\\n' % os.getpid())
    if not hold:
        null = os.open('/dev/null', os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 2)
    if deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.execve('/bin/sleep', ['sleep', '60'], {} if bare else dict(os.environ))
def away(**how):
    '''A daemon: two forks, a session between.'''
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            sleeper(**how)
        os._exit(0)
    os.wait()
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One with a variable that nobody else has."""
    return {"PATH": PATH, "MARK": str(tmp_path)}


def alive(pid: int) -> bool:
    """Whether a process still works."""
    return state_of(pid) not in {"", "Z"}


@pytest.fixture
def strangers() -> Iterator[list[int]]:
    """Pids of processes that are none of the command's, ended afterwards."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("script", "held"),
    [
        pytest.param("if os.fork() == 0:\n os.setsid(); sleeper()", "", id="setsid"),
        pytest.param("away()", "", id="daemon known by its marker"),
        pytest.param("away(bare=True, hold=True)", ", holds the step's output", id="by its output"),
        pytest.param(
            "if os.fork() == 0:\n"
            " os.setsid()\n"
            " if os.fork() == 0: os.setsid(); sleeper(bare=True)\n"
            " sleeper(say=False)",
            "",
            id="by its parent",
        ),
        pytest.param("away(deaf=True)", "", id="deaf to SIGTERM"),
    ],
)
def test_what_left_the_session_ends(script: str, held: str, environment: dict[str, str]) -> None:
    """However it left: it ends with the command, is named, and collected."""
    sink = RecordingSink()
    wait = "\nimport time; time.sleep(0.2)" if "setsid" in script else ""
    ended = execute(
        python(SLEEPER + script + wait),
        sink,
        environment=environment,
        marker="MARK",
        kill_delay=0.3,
    )
    pid = int(sink.stdout)
    assert ended.code == 0
    assert f"sleep (pid {pid}{held})" in ended.left_running
    assert state_of(pid) == ""


def test_an_ended_command_takes_strays_along(environment: dict[str, str]) -> None:
    """A stop reaches what left the session too: nothing is left to be ended afterwards."""
    inbox = SignalInbox(install=False)
    sink = RecordingSink(on_feed=Once(b"\n", lambda: inbox.deliver(signal.SIGTERM)))
    ended = execute(
        python(SLEEPER + "away()\nsignal.pause()"),
        sink,
        inbox=inbox,
        environment=environment,
        marker="MARK",
    )
    inbox.close()
    assert (ended.code, ended.stopped, ended.left_running) == (143, StopReason.SIGNAL, ())
    assert state_of(int(sink.stdout)) == ""


def test_a_process_whose_first_thread_has_ended(environment: dict[str, str]) -> None:
    """It looks like one that waits to be collected, and works on in another thread."""
    threads = (
        "import ctypes, os, threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "ctypes.CDLL(None).pthread_exit(None)\n"
    )
    script = f"""
import os, sys
child = os.fork()
if child == 0:
    null = os.open('/dev/null', os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.execv(sys.executable, [sys.executable, '-I', '-S', '-c', {threads!r}])
def state():
    return open(f'/proc/{{child}}/stat').read().rpartition(')')[2].split()[0]
while state() != 'Z': pass
os.write(1, b'%d' % child)
"""
    sink = RecordingSink()
    ended = execute(python(script), sink, environment=environment, marker="MARK")
    pid = int(sink.stdout)
    assert (ended.code, len(ended.left_running)) == (0, 1)
    assert f"(pid {pid}" in ended.left_running[0]
    assert state_of(pid) == ""


def test_seen_before_it_hid(environment: dict[str, str]) -> None:
    """Whom a stop has met as a descendant stays known when nothing else tells any more."""
    inbox = SignalInbox(install=False)
    sink = RecordingSink(on_feed=Once(b"\n", lambda: inbox.deliver(signal.SIGINT)))
    script = (
        "signal.signal(signal.SIGINT, lambda *_: os._exit(0))\n"
        "if os.fork() == 0:\n"
        " os.setsid()\n"
        " signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        " sleeper(bare=True)\n"
        "signal.pause()"
    )
    ended = execute(
        python(SLEEPER + script), sink, inbox=inbox, environment=environment, marker="MARK"
    )
    inbox.close()
    assert (ended.code, ended.stopped) == (0, StopReason.SIGNAL)
    assert len(ended.left_running) == 1
    assert state_of(int(sink.stdout)) == ""


def test_a_polite_signal_comes_once(environment: dict[str, str]) -> None:
    """Who looks after a process in a session of its own passes the signal on; we do not as well."""
    inbox = SignalInbox(install=False)
    sink = RecordingSink(on_feed=Once(b"ready", lambda: inbox.deliver(signal.SIGINT)))
    script = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {2})
child = os.fork()
if child == 0:
    os.setsid()
    os.write(1, b'ready')
    signal.sigwait({2})
    os._exit(40 if signal.sigtimedwait({2}, 0.3) is None else 41)
signal.signal(2, lambda *_: os.kill(child, 2))
signal.pthread_sigmask(signal.SIG_UNBLOCK, {2})
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    ended = execute(python(script), sink, inbox=inbox, environment=environment, marker="MARK")
    inbox.close()
    assert ended.code == 40


def test_an_orphan_hears_the_polite_signal(environment: dict[str, str]) -> None:
    """Nobody else would pass it on to a daemon of the command."""
    inbox = SignalInbox(install=False)
    sink = RecordingSink(on_feed=Once(b"ready", lambda: inbox.deliver(signal.SIGINT)))
    script = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {2})
if os.fork() == 0:
    os.setsid()
    middle = os.getpid()
    if os.fork() == 0:
        while os.getppid() == middle:
            pass
        os.write(1, b'ready')
        signal.sigwait({2})
        os.write(1, b' heard')
    os._exit(0)
signal.sigwait({2})
"""
    ended = execute(python(script), sink, inbox=inbox, environment=environment, marker="MARK")
    inbox.close()
    assert (ended.code, sink.stdout) == (0, b"ready heard")


def test_a_child_of_somebody_else_survives(
    environment: dict[str, str], strangers: list[int]
) -> None:
    """A process that this program started meanwhile is not touched, and its exit code is its own's,
    also when it ended while the command ran."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        for script in ("exec sleep 60", "exit 5"):
            process = subprocess.Popen(shell(script), start_new_session=True)
            started.append(process)
        strangers.append(started[0].pid)
        comes_true(lambda: state_of(started[1].pid) == "Z")

    sink = RecordingSink(on_feed=Once(b"\n", start))
    ended = execute(
        python(SLEEPER + "away()"), sink, environment=environment, marker="MARK", kill_delay=0.3
    )
    assert len(ended.left_running) == 1
    assert started[0].poll() is None
    assert started[1].wait() == 5
    started[0].kill()
    assert started[0].wait() == -signal.SIGKILL


def test_a_daemon_of_somebody_else_survives(
    environment: dict[str, str], strangers: list[int]
) -> None:
    """An orphan that came to us from elsewhere in this program is not the command's."""

    def start() -> None:
        script = SLEEPER + "away()"
        said = subprocess.run(python(script), capture_output=True, env={"PATH": PATH}).stdout
        strangers.append(int(said))

    sink = RecordingSink(on_feed=Once(b"\n", start))
    ended = execute(python(SLEEPER + "away()"), sink, environment=environment, marker="MARK")
    assert len(ended.left_running) == 1
    assert alive(strangers[0])


def test_a_daemon_without_any_trace_is_let_be(
    environment: dict[str, str], strangers: list[int]
) -> None:
    """Nothing is ended that is not proven to be the command's."""
    sink = RecordingSink()
    ended = execute(
        python(SLEEPER + "away(bare=True)"), sink, environment=environment, marker="MARK"
    )
    strangers.append(int(sink.stdout))
    assert ended.left_running == ()
    assert alive(strangers[0])


def test_two_commands_at_once(tmp_path: Path) -> None:
    """Each ends its own daemons only."""
    sinks = [RecordingSink(), RecordingSink()]
    release = tmp_path / "release"

    def run_one(number: int) -> ProcessExit:
        wait = f"import time\nwhile not os.path.exists({str(release)!r}): time.sleep(0.01)\n"
        return execute(
            python(SLEEPER + "away()\n" + (wait if number else "")),
            sinks[number],
            environment={"PATH": PATH, "MARK": f"{tmp_path}/{number}"},
            marker="MARK",
        )

    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(run_one, 1)
        assert comes_true(lambda: bool(sinks[1].stdout))
        first = threads.submit(run_one, 0).result()
        still_there = alive(int(sinks[1].stdout))
        release.touch()
        second = slow.result()
    assert still_there
    assert [len(ended.left_running) for ended in (first, second)] == [1, 1]


def test_orphans_are_adopted_only_meanwhile(environment: dict[str, str]) -> None:
    """Afterwards this program is to its descendants what it was before."""
    answers: list[int] = []

    def ask() -> None:
        answer = ctypes.c_int()
        assert ctypes.CDLL(None).prctl(37, ctypes.byref(answer), 0, 0, 0) == 0
        answers.append(answer.value)

    ask()
    sink = RecordingSink(on_feed=Once(b"x", ask))
    execute(shell("echo x"), sink, environment=environment, marker="MARK")
    ask()
    assert answers == [0, 1, 0]


def test_ended_orphans_are_collected_meanwhile(environment: dict[str, str]) -> None:
    """A command that makes orphans for hours does not use up all process numbers."""
    script = """
import os, time
for _ in range(5):
    if os.fork() == 0:
        if os.fork() == 0:
            while os.getppid() != runner: pass
        os._exit(0)
    os.wait()
def zombies():
    for entry in filter(str.isdigit, os.listdir('/proc')):
        try:
            fields = open(f'/proc/{entry}/stat').read().rpartition(')')[2].split()
        except OSError:
            continue
        if fields[0] == 'Z' and int(fields[1]) == runner and int(fields[3]) == os.getpid():
            yield entry
while len(list(zombies())) < 1: time.sleep(0.01)
while list(zombies()): time.sleep(0.05)
"""
    ended = execute(
        python(f"runner = {os.getpid()}" + script),
        RecordingSink(),
        limits=Limits(timeout=PATIENCE, grace=1.0),
        environment=environment,
        marker="MARK",
    )
    assert (ended.code, ended.stopped) == (0, None)


def test_an_orphan_that_nobody_saw_is_collected(environment: dict[str, str]) -> None:
    """One that had left the session and ended before any look leaves no entry behind."""
    script = """
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    middle = os.getpid()
    if os.fork() == 0:
        while os.getppid() == middle: pass
        os.write(writer, b'%d' % os.getpid())
    os._exit(0)
pid = os.read(reader, 9).decode()
os.wait()
def state():
    try:
        return open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[0]
    except OSError:
        return 'Z'
while state() != 'Z': pass
os.write(1, pid.encode())
"""
    sink = RecordingSink()
    ended = execute(python("import os" + script), sink, environment=environment, marker="MARK")
    assert (ended.code, ended.left_running) == (0, ())
    assert state_of(int(sink.stdout)) == ""


def test_what_it_holds_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    """The port it listens on and the file it has locked."""
    script = """
import fcntl, os, socket
if os.fork() == 0:
    listener = socket.create_server(('127.0.0.1', 0))
    lock = open(os.environ['MARK'] + '/state.lock', 'w')
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.write(1, b'%d' % listener.getsockname()[1])
    os.close(1); os.close(2)
    import signal
    signal.pause()
while not os.path.exists(os.environ['MARK'] + '/go'): pass
"""
    sink = RecordingSink(on_feed=lambda *_: (tmp_path / "go").touch())
    ended = execute(python(script), sink, environment=environment, marker="MARK")
    (named,) = ended.left_running
    port = sink.stdout.decode()
    assert named.endswith(f", listens on port {port}, has a lock on '{tmp_path}/state.lock')")


def test_what_an_orphan_used_counts(environment: dict[str, str]) -> None:
    """CPU time of a daemon is the command's too."""
    burn = "import time\nwhile time.process_time() < 0.3: pass\n"
    script = f"import os\nif os.fork() == 0:\n os.setsid()\n exec({burn!r})\n os._exit(0)\n"
    ended = execute(
        python(script + "os._exit(0)"), RecordingSink(), environment=environment, marker="MARK"
    )
    assert ended.cpu_time is not None
    assert 0.3 <= ended.cpu_time < 2.0
