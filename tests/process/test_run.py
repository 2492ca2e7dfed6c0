"""run(): what a child gets, what comes back, and in which order."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from calamari_py.errors import InternalError
from calamari_py.process import Command, Limits, SignalInbox, Stream, run
from tests.process.support import (
    RUNNER,
    RecordingSink,
    ends,
    execute,
    open_descriptors,
    python,
    shell,
)

pytestmark = pytest.mark.process


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param("exit 0", 0, id="success"),
        pytest.param("exit 1", 1, id="failure"),
        pytest.param("exit 42", 42, id="any code"),
        pytest.param("exit 255", 255, id="highest code"),
        pytest.param("kill -TERM $$", 143, id="SIGTERM"),
        pytest.param("kill -KILL $$", 137, id="SIGKILL"),
        pytest.param("kill -PIPE $$", 141, id="SIGPIPE has its default back"),
        pytest.param("ulimit -c 0; kill -SEGV $$", 139, id="a crash"),
    ],
)
def test_exit_code(script: str, code: int) -> None:
    """The child's code comes back unchanged, a death by signal N as 128 + N."""
    sink = RecordingSink()
    ended = execute(shell(script), sink)
    assert (ended.code, ended.stopped, ended.signum, ended.left_running) == (code, None, None, ())
    assert sorted(sink.closed) == ["stderr", "stdout"]


def test_bytes_are_unchanged() -> None:
    """NUL, invalid UTF-8, CR and a missing last newline arrive as written, each on its stream."""
    sink = RecordingSink()
    script = r"import os; os.write(1, b'a\0\xff\r\nend'); os.write(2, b'\x1b[1merr')"
    assert execute(python(script), sink).code == 0
    assert (sink.stdout, sink.stderr) == (b"a\0\xff\r\nend", b"\x1b[1merr")


def test_megabytes_on_both_streams() -> None:
    """10 MB on stderr, then 10 MB on stdout are all read: no stream waits for the other."""
    sink = RecordingSink()
    script = "import sys\nfor f in (sys.stderr.buffer, sys.stdout.buffer): f.write(b'x' * 10**7)"
    assert execute(python(script), sink).code == 0
    assert (len(sink.stdout), len(sink.stderr)) == (10**7, 10**7)


def test_order_within_a_stream() -> None:
    """Lines of one stream keep their order."""
    sink = RecordingSink()
    script = "import sys\nfor n in range(20000): print(n, file=(sys.stdout, sys.stderr)[n % 2])"
    assert execute(python(script), sink).code == 0
    assert [int(line) for line in sink.stdout.split()] == list(range(0, 20000, 2))
    assert [int(line) for line in sink.stderr.split()] == list(range(1, 20000, 2))


def test_before_feed_precedes_what_lets_bytes_go() -> None:
    """Declarations are taken in before every feed and every close, once a cycle."""
    sink = RecordingSink()
    execute(shell("echo a; echo b >&2; echo c"), sink)
    assert sink.calls[0] == "before_feed"
    cycles = " ".join(sink.calls).split("before_feed")[1:]
    for cycle in cycles:
        streams = [word for word in cycle.split() if word in {"stdout", "stderr"}]
        assert streams in (["stdout"], ["stderr"], ["stdout", "stderr"])


def test_declared_in_a_file_before_used(tmp_path: Path) -> None:
    """A file written before some bytes is there when `before_feed` is called for those bytes."""
    known: set[str] = set()
    late: list[str] = []

    class Declared(RecordingSink):
        def before_feed(self, reads: Mapping[Stream, bytes]) -> None:
            known.update(os.listdir(tmp_path))

        def feed(self, stream: Stream, data: bytes) -> None:
            late.extend(word for word in data.decode().split() if word not in known)
            super().feed(stream, data)

    script = (
        "import os, sys\n"
        "for n in range(1000):\n"
        "    open(os.path.join(sys.argv[1], str(n)), 'w').close()\n"
        "    os.write(1 + n % 2, b'%d\\n' % n)\n"
    )
    sink = Declared()
    assert execute((*python(script), str(tmp_path)), sink).code == 0
    assert len(sink.stdout.split()) + len(sink.stderr.split()) == 1000
    assert late == []


def test_declared_on_stdout_before_used_on_stderr() -> None:
    """What a child wrote to stdout before something on stderr is fed before it."""
    known: set[bytes] = set()
    late: list[bytes] = []

    def check(stream: Stream, data: bytes) -> None:
        if stream == "stdout":
            known.update(data.split())
        else:
            late.extend(word for word in data.split() if word not in known)

    script = (
        "import os\n"
        "for n in range(1000, 6000):\n"
        "    os.write(1, b'%d\\n' % n)\n"
        "    os.write(2, b'%d\\n' % n)\n"
    )
    sink = RecordingSink(on_feed=check)
    assert execute(python(script), sink).code == 0
    # Pipes are read in pieces of 64 KiB, which may cut a word of five bytes: these are four.
    assert len(sink.stderr.split()) == 5000
    assert late == []


def test_idle_when_silent(tmp_path: Path) -> None:
    """Held bytes are let go once the child is silent, without any further output."""
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    held = True

    def release() -> None:
        nonlocal held
        held = False
        fifo.write_text("go\n")

    sink = RecordingSink(on_idle=release, holds=lambda: held)
    ended = execute((*shell('printf abc; read x < "$0"; exit 5'), str(fifo)), sink)
    assert ended.code == 5
    assert sink.calls.count("idle") == 1
    assert sink.calls[sink.calls.index("idle") - 1] == "before_feed"


def test_idle_while_the_other_stream_talks(tmp_path: Path) -> None:
    """A chatty stderr does not keep what is held of stdout back for ever."""
    flag = tmp_path / "flag"
    held = True

    def release() -> None:
        nonlocal held
        held = False
        flag.touch()

    script = (
        "import os, sys, time\n"
        "os.write(1, b'abc')\n"
        "while not os.path.exists(sys.argv[1]):\n"
        "    os.write(2, b'.')\n"
        "    time.sleep(0.002)\n"
    )
    sink = RecordingSink(on_idle=release, holds=lambda: held)
    assert execute((*python(script), str(flag)), sink, idle_flush=0.02).code == 0
    assert sink.calls.count("idle") == 1


def test_closed_pipes_do_not_end_the_run(tmp_path: Path) -> None:
    """A child that closes both streams and goes on is waited for."""
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    closed: list[Stream] = []

    def on_close(stream: Stream) -> None:
        closed.append(stream)
        if len(closed) == 2:
            fifo.write_text("go\n")

    sink = RecordingSink(on_close=on_close)
    script = 'exec >&- 2>&-; read x < "$0"; exit 9'
    assert execute((*shell(script), str(fifo)), sink).code == 9
    assert sorted(closed) == ["stderr", "stdout"]


@pytest.fixture
def inheritable_descriptor() -> Iterator[int]:
    """A descriptor that a careless parent left open for all its children."""
    descriptor = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    yield descriptor
    os.close(descriptor)


def test_three_descriptors(inheritable_descriptor: int) -> None:
    """The child sees the descriptors 0, 1 and 2, whatever we have open."""
    sink = RecordingSink()
    script = "import os\nfor fd in os.listdir('/proc/self/fd'): print(fd)"
    before = open_descriptors()
    assert execute(python(script), sink).code == 0
    # The fourth is the listing itself.
    assert sorted(sink.stdout.split()) == [b"0", b"1", b"2", b"3"]
    assert open_descriptors() == before


def test_environment_is_exactly_as_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child gets the given mapping and nothing else, byte for byte."""
    monkeypatch.setenv("OF_THE_PARENT", "1")
    given = {"A": "1", "lower.case": "ä\n", "BYTES": "\udcff", "EMPTY": ""}
    sink = RecordingSink()
    script = "import os; os.write(1, open('/proc/self/environ', 'rb').read())"
    assert execute(python(script), sink, environment=given).code == 0
    expected = {b"A=1", "lower.case=ä\n".encode(), b"BYTES=\xff", b"EMPTY="}
    assert set(sink.stdout.rstrip(b"\0").split(b"\0")) == expected


def test_place_of_the_child(tmp_path: Path) -> None:
    """The child leads its own session, in the given folder, with an empty stdin."""
    sink = RecordingSink()
    script = (
        "import os, sys\n"
        "print(os.getsid(0) == os.getpid() == os.getpgrp(), os.getcwd(), len(sys.stdin.read()))"
    )
    assert execute(python(script), sink, directory=tmp_path).code == 0
    assert sink.stdout.decode().strip() == f"True {tmp_path.resolve()} 0"


def test_stdin_is_passed_on_request() -> None:
    """With ``stdin="inherit"`` the child reads what we are given."""
    script = RUNNER + "go('read line; echo got $line', stdin='inherit')"
    ended = subprocess.run(
        [sys.executable, "-c", script], input=b"this\n", capture_output=True, timeout=30
    )
    assert (ended.stdout, ended.stderr) == (b"got this\n", b"")


def test_child_of_a_killed_runner_ends() -> None:
    """When calamari is killed by SIGKILL its child is told to end."""
    script = RUNNER + "go('echo $$; exec sleep 60')"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as runner:
        assert runner.stdout is not None
        child = os.pidfd_open(int(runner.stdout.readline()))
        runner.kill()
        assert ends(child)


def test_duration_and_values() -> None:
    """The exit says how long the child lived, in seconds of the given clock."""
    ticks = iter(range(0, 100_000, 10))
    sink = RecordingSink()
    inbox = SignalInbox(install=False)
    command = Command(argv=shell("exit 0"), environment={}, directory=Path("/"))
    ended = run(command, sink, Limits(), inbox, clock=lambda: float(next(ticks)))
    inbox.close()
    assert ended.duration >= 10.0


def test_without_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a kernel that cannot announce a child's end it is noticed all the same."""

    def refuse(pid: int) -> int:
        raise OSError(errno.ENOSYS, "not implemented")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    sink = RecordingSink()
    ended = execute(shell("echo x; exec >&- 2>&-; exit 6"), sink)
    assert (ended.code, sink.stdout) == (6, b"x\n")


def test_lost_exit_code() -> None:
    """When somebody else collects our child that is an error, not a success."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(InternalError, match="exit code"):
            execute(shell("exit 3"), RecordingSink())
    finally:
        signal.signal(signal.SIGCHLD, before)
