"""A command on a pty of its own, and somebody at our terminal who types."""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.process.support import PATIENCE, ends, state_of

pytestmark = pytest.mark.process

SECRET = "hunter2-correct-horse-battery-staple"

_RUNNER = """
import json, sys
from pathlib import Path
from calamari_py.masking import Masker, SecretRegistry
from calamari_py.output._stream import write_all
from calamari_py.process import Command, Limits, Pulse, SignalInbox, run

options = json.loads(sys.argv[1])
registry = SecretRegistry()
registry.add(options['secret'], name='secret')
pulse = Pulse()

class Sink:
    masker = Masker(registry)
    def show(self, data):
        if options.get('broken'):
            raise ValueError('broken')
        write_all(sys.stdout.buffer, data, pulse.beat)
    def before_feed(self): pass
    def feed(self, stream, data):
        assert stream == 'stdout'
        self.show(self.masker.feed(data))
    def holding(self): return bool(self.masker.held)
    def idle(self): self.show(self.masker.idle())
    def close(self, stream):
        if stream == 'stdout':
            self.show(self.masker.close())

command = Command(argv=tuple(options['argv']), directory=Path('/'), terminal=True,
                  environment={'PATH': '/usr/bin:/bin', 'TERM': 'xterm', 'PS1': 'ready> '},
                  stdin=options['stdin'], stop_signal=options['stop_signal'])
limits = Limits(timeout=options['timeout'], grace=5)
with SignalInbox() as inbox:
    ended = run(command, Sink(), limits, inbox, pulse=pulse, kill_delay=options['kill_delay'])
with open(options['result'], 'w') as file:
    json.dump([ended.code, ended.stopped, ended.left_running], file)
"""

_TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


class Seat:
    """Somebody in front of a terminal in which a runner runs a command on a pty."""

    def __init__(self, result: Path) -> None:
        self.seen = bytearray()
        self.result = result
        self.glass, self.tty = os.openpty()
        os.set_blocking(self.glass, False)
        self.resize(30, 100)
        self.modes = termios.tcgetattr(self.tty)
        self.runner: subprocess.Popen[bytes] | None = None

    def start(
        self,
        *argv: str,
        stdin: str = "inherit",
        input_from: int | None = None,
        timeout: float = PATIENCE,
        stop_signal: int | None = None,
        kill_delay: float = PATIENCE,
        broken: bool = False,
    ) -> None:
        """Run `argv` with our terminal as stdin, stdout and controlling terminal."""
        options = json.dumps(
            {
                "argv": argv,
                "stdin": stdin,
                "secret": SECRET,
                "timeout": timeout,
                "stop_signal": stop_signal,
                "kill_delay": kill_delay,
                "broken": broken,
                "result": str(self.result),
            }
        )
        program = ["-c", _RUNNER, options]
        if input_from is None:
            program = ["-c", _TAKE_TERMINAL, *program]
        self.runner = subprocess.Popen(
            [sys.executable, *program],
            stdin=self.tty if input_from is None else input_from,
            stdout=self.tty,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def type(self, keys: bytes) -> None:
        """Press keys."""
        assert os.write(self.glass, keys) == len(keys)

    def read(self) -> bool:
        """Look at the screen for a moment; False when there was nothing."""
        if not select.select([self.glass], [], [], 0.02)[0]:
            return False
        with suppress(BlockingIOError):
            self.seen += os.read(self.glass, 65_536)
        return True

    def expect(self, word: bytes) -> None:
        """Look at the screen until `word` is there, and forget it and what was before."""
        self.until(lambda: word in self.seen, word)
        self.seen = bytearray(self.seen.partition(word)[2])

    def until(self, condition: Callable[[], bool], what: object) -> None:
        """Look at the screen until `condition` holds."""
        give_up = time.monotonic() + PATIENCE
        while not condition():
            self.read()
            assert time.monotonic() < give_up, (what, self.seen[-2000:])

    def resize(self, rows: int, columns: int) -> None:
        """Make the window another size; the kernel tells the runner."""
        termios.tcsetwinsize(self.tty, (rows, columns))

    @property
    def raw(self) -> bool:
        """Whether the runner has taken the keys' meaning away."""
        return termios.tcgetattr(self.tty) != self.modes

    def leave(self) -> list[Any]:
        """Wait for the runner; code, stopped, left_running. All modes are as they were."""
        assert self.runner is not None
        self.until(lambda: self.runner is None or self.runner.poll() is not None, "the end")
        while self.read():
            pass
        assert not self.raw
        assert self.runner.stderr is not None
        text = self.runner.stderr.read().decode()
        assert self.result.exists(), text
        ended: list[Any] = json.loads(self.result.read_text())
        return ended

    def close(self) -> None:
        """Leave nothing behind."""
        if self.runner is not None:
            if self.runner.poll() is None:
                self.runner.kill()
            self.runner.communicate()
        for descriptor in (self.glass, self.tty):
            with suppress(OSError):
                os.close(descriptor)


@pytest.fixture
def seat(tmp_path: Path) -> Iterator[Seat]:
    """A terminal of 30 rows and 100 columns."""
    made = Seat(tmp_path / "result.json")
    yield made
    made.close()


def shell(script: str) -> tuple[str, ...]:
    """The argv of a shell script."""
    return ("/bin/bash", "-c", script)


BASH = ("/bin/bash", "--norc", "--noprofile", "-i")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param("exit 0", 0, id="success"),
        pytest.param("exit 42", 42, id="any code"),
        pytest.param("kill -TERM $$", 143, id="SIGTERM"),
    ],
)
def test_exit_code(seat: Seat, script: str, code: int) -> None:
    """The child's code comes back as with pipes, and our terminal its modes."""
    seat.start(*shell(script))
    assert seat.leave() == [code, None, []]


def test_a_question_is_answered(seat: Seat) -> None:
    """A prompt without a newline appears, and the answer typed then reaches the child."""
    seat.start(*shell('read -p "really (y/n)? " answer; echo "got <$answer>"'))
    seat.expect(b"really (y/n)? ")
    assert seat.raw
    seat.type(b"y\r")
    seat.expect(b"y\r\ngot <y>\r\n")
    assert seat.leave() == [0, None, []]


def test_all_three_are_the_terminal(seat: Seat) -> None:
    """stdin, stdout and stderr are one terminal, the controlling one, of our size."""
    # bash would take any terminal for its controlling one.
    script = "test -t 0 -a -t 1 -a -t 2; echo $?; tty >/dev/tty; stty size; echo e >&2"
    seat.start("/bin/sh", "-c", script)
    seat.expect(b"0\r\n/dev/pts/")
    seat.expect(b"\r\n30 100\r\ne\r\n")
    assert seat.leave() == [0, None, []]


def test_colour_stays(seat: Seat) -> None:
    """A program that colours on a terminal only does, and its bytes come unchanged."""
    seat.start("/bin/ls", "--color=auto", "-d", "/")
    seat.expect(b"\x1b[01;34m/\x1b[0m")
    assert seat.leave() == [0, None, []]


_JOB = """
import os, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGCONT, lambda *_: os.write(1, b'resumed\\n'))
os.write(1, b'begun\\n')
while True:
    signal.pause()
"""


def test_a_shell_with_job_control(seat: Seat, tmp_path: Path) -> None:
    """^C ends the command in the foreground and not the shell, ^Z stops it, ^D ends the shell."""
    job = tmp_path / "job.py"
    job.write_text(_JOB)
    start = f"{sys.executable} -I -S {job}\r".encode()
    seat.start(*BASH)
    seat.until(lambda: b"ready> " in seat.seen, "prompt")
    assert b"no job control" not in seat.seen
    seat.type(start)
    seat.expect(b"begun\r\n")
    seat.type(b"\x03")
    seat.expect(b"ready> ")
    seat.type(b"echo code $?; " + start)
    seat.expect(b"code 130\r\nbegun\r\n")
    seat.type(b"\x1a")
    seat.expect(b"Stopped")
    seat.expect(b"ready> ")
    seat.type(b"fg\r")
    seat.expect(b"resumed\r\n")
    seat.type(b"\x03")
    seat.expect(b"ready> ")
    seat.type(b"sh -c 'exit 7'\r")
    seat.expect(b"ready> ")
    seat.type(b"\x04")
    assert seat.leave() == [7, None, []]


def test_end_of_file_key(seat: Seat) -> None:
    """^D is the end of file for the child."""
    seat.start("/bin/cat")
    seat.until(lambda: seat.raw, "raw")
    seat.type(b"line\r\x04")
    seat.expect(b"line\r\nline\r\n")
    assert seat.leave() == [0, None, []]


def test_window_size_is_followed(seat: Seat) -> None:
    """A resize of our window reaches the child as SIGWINCH, with the new size."""
    seat.start(*shell("trap 'stty size; exit 5' WINCH; echo waiting; while :; do sleep 0.05; done"))
    seat.expect(b"waiting")
    seat.resize(41, 99)
    seat.expect(b"41 99")
    assert seat.leave() == [5, None, []]


def test_a_pasted_secret_is_masked(seat: Seat) -> None:
    """The echo of a secret is masked, what is around it appears; the child gets it whole."""
    seat.start(*shell(f'read line; [ "$line" = "a {SECRET} b" ] && echo same'))
    seat.until(lambda: seat.raw, "raw")
    seat.type(f"a {SECRET} b\r".encode())
    seat.expect(b"a *** b\r\nsame\r\n")
    assert seat.leave() == [0, None, []]


def test_the_beginning_of_a_secret_appears(seat: Seat) -> None:
    """What could become a secret is shown once the child falls silent: echo is not kept."""
    seat.start("/bin/cat")
    seat.until(lambda: seat.raw, "raw")
    seat.type(SECRET[:2].encode())
    seat.expect(SECRET[:2].encode())
    seat.type(b"\x03")
    assert seat.leave()[:2] == [130, None]


def test_megabytes(seat: Seat) -> None:
    """10 MB arrive complete, in order and masked, although the child ends at once after them."""
    line = "x" * 60
    script = (
        "import sys\n"
        f"for n in range(100_000): sys.stdout.write(f'{{n:06}} {line} {SECRET[:12]}'"
        f" '{SECRET[12:]}\\n')"
    )
    seat.start(sys.executable, "-I", "-S", "-c", script)
    assert seat.leave() == [0, None, []]
    assert SECRET.encode() not in seat.seen
    assert seat.seen == b"".join(b"%06d %s ***\r\n" % (n, line.encode()) for n in range(100_000))


@pytest.mark.parametrize(
    ("argv", "stop_signal", "code"),
    [
        pytest.param(shell("echo up; exec sleep 60"), None, 143, id="a program"),
        pytest.param(BASH, signal.SIGHUP, 129, id="an interactive shell"),
    ],
)
def test_timeout(seat: Seat, argv: tuple[str, ...], stop_signal: int | None, code: int) -> None:
    """A time limit ends the command and gives our terminal back."""
    seat.start(*argv, timeout=1, stop_signal=stop_signal)
    seat.until(lambda: seat.raw, "raw")
    assert seat.leave() == [code, "timeout", []]


@pytest.mark.parametrize("signum", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_signal_to_the_runner(seat: Seat, signum: int) -> None:
    """A signal sent to the runner ends the command and gives our terminal back."""
    seat.start(*shell("echo up; exec sleep 60"))
    seat.expect(b"up")
    assert seat.raw
    assert seat.runner is not None
    seat.runner.send_signal(signum)
    assert seat.leave() == [128 + signum, "signal", []]


@pytest.mark.parametrize("signum", [signal.SIGQUIT, signal.SIGUSR1])
def test_deadly_signal(seat: Seat, signum: int) -> None:
    """Also a signal that nobody takes finds our terminal with its own modes."""
    seat.start(*shell("echo up; exec sleep 60"))
    seat.expect(b"up")
    assert seat.raw
    assert seat.runner is not None
    seat.runner.send_signal(signum)
    assert seat.runner.wait(PATIENCE) == -signum
    assert not seat.raw


def test_broken_sink(seat: Seat) -> None:
    """An exception of ours ends the command and gives our terminal back."""
    seat.start(*shell("echo up; exec sleep 60"), broken=True)
    assert seat.runner is not None
    _, text = seat.runner.communicate(timeout=PATIENCE)
    assert text.endswith(b"ValueError: broken\n")
    assert not seat.raw


def test_program_that_is_missing(seat: Seat) -> None:
    """What cannot be started leaves our terminal as it was."""
    seat.start("/nowhere/tool")
    assert seat.runner is not None
    _, text = seat.runner.communicate(timeout=PATIENCE)
    assert b"CommandNotFound" in text
    assert not seat.raw


def test_jobs_in_groups_of_their_own(seat: Seat) -> None:
    """What an interactive shell left in the background is ended and named."""
    seat.start(*BASH, kill_delay=0.2)
    seat.expect(b"ready> ")
    seat.type(b"sleep 60 & exit\r")
    code, stopped, left = seat.leave()
    assert (code, stopped) == (0, None)
    assert [name.split()[0] for name in left] == ["sleep"]


def test_modes_come_back_with_the_end_of_the_child(seat: Seat) -> None:
    """While the rest of the session is waited for, ^C is ours again and ends the wait."""
    seat.start(*shell("trap '' HUP; sleep 60 & exit 3"))
    seat.until(lambda: seat.raw, "raw")
    seat.until(lambda: bool(termios.tcgetattr(seat.tty)[3] & termios.ISIG), "modes")
    seat.type(b"\x03")
    code, stopped, left = seat.leave()
    assert (code, stopped) == (3, "signal")
    assert [name.split()[0] for name in left] == ["sleep"]


def test_keys_that_nobody_reads(seat: Seat) -> None:
    """A child that does not read its keys blocks nobody: output and time limit go on."""
    seat.start(*shell("stty raw -echo; echo up; sleep 0.5; echo alive; sleep 60"), timeout=2)
    seat.expect(b"up")
    with suppress(BlockingIOError):
        for _ in range(100):
            os.write(seat.glass, b"x" * 1000)
    seat.expect(b"alive")
    assert seat.leave()[:2] == [143, "timeout"]


def test_screen_that_nobody_looks_at(seat: Seat) -> None:
    """A terminal that takes no output does not keep a command beyond its time limit."""
    seat.start("/usr/bin/yes", timeout=0.5, kill_delay=0.2)
    assert seat.runner is not None
    seat.runner.wait(PATIENCE)
    assert seat.leave()[:2] == [143, "timeout"]


def test_keys_pass_while_our_terminal_does_not_read(seat: Seat, tmp_path: Path) -> None:
    """^C reaches a command whose output our terminal does not take."""
    flag = tmp_path / "flag"
    script = (
        "import os, sys\n"
        "try:\n"
        "    while True: os.write(1, b'y' * 100)\n"
        "except KeyboardInterrupt:\n"
        "    open(sys.argv[1], 'w').close()\n"
    )
    seat.start(sys.executable, "-I", "-S", "-c", script, str(flag))
    give_up = time.monotonic() + PATIENCE
    while select.select([], [seat.tty], [], 0)[1]:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    seat.type(b"\x03")
    while not flag.exists():
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert seat.leave()[:2] == [0, None]


def test_terminal_closed_by_the_child(seat: Seat, tmp_path: Path) -> None:
    """A command that lets go of its terminal and opens it again later still has it."""
    flag = tmp_path / "flag"
    os.mkfifo(flag)
    script = f"exec 0<&- >&- 2>&-; echo x > {flag}; sleep 0.1; echo again > /dev/tty"
    seat.start(*shell(script))
    assert flag.read_text() == "x\n"
    seat.expect(b"again\r\n")
    assert seat.leave() == [0, None, []]


@pytest.mark.parametrize("controlling", [True, False])
def test_our_terminal_is_closed(seat: Seat, controlling: bool) -> None:
    """When our terminal hangs up the command gets SIGHUP, whether or not the kernel tells us."""
    seat.start(*shell("echo $$; exec sleep 60"), input_from=None if controlling else seat.tty)
    seat.until(lambda: b"\r\n" in seat.seen, "pid")
    child = os.pidfd_open(int(seat.seen))
    os.close(seat.glass)
    os.close(seat.tty)
    assert ends(child)
    assert seat.runner is not None
    seat.runner.communicate(timeout=PATIENCE)
    code, stopped, _ = json.loads(seat.result.read_text())
    assert (code, stopped) == (129, "signal")


def test_without_keys(seat: Seat) -> None:
    """With an empty stdin there is colour and size, bytes as written, but nobody to type."""
    script = "test -t 1 -a -t 2 && stty size <&1; : < /dev/tty || echo none; cat; printf 'a\\nb\\n'"
    seat.start(*shell(script), stdin="null")
    seat.until(lambda: seat.seen.endswith(b"b\r\n"), "end")
    # Our own terminal adds the carriage returns: it was never raw.
    assert b"30 100\r\n" in seat.seen
    assert seat.seen.endswith(b"none\r\na\r\nb\r\n")
    assert seat.leave() == [0, None, []]


def test_stdin_that_is_no_terminal(seat: Seat) -> None:
    """A pipe on stdin is handed over as it is, with its own end of file."""
    reader, writer = os.pipe()
    os.write(writer, b"\x03\x04 piped")
    os.close(writer)
    try:
        seat.start(*shell("od -An -tx1; test -t 1; exit $?"), input_from=reader)
    finally:
        os.close(reader)
    seat.expect(b"03 04 20 70 69 70 65 64")
    assert seat.leave() == [0, None, []]


def test_no_terminal_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without a free pty is an error that says so."""
    from calamari_py.errors import ToolMissing
    from calamari_py.process import Command
    from calamari_py.process.terminal import Terminal

    def refuse() -> tuple[int, int]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "openpty", refuse)
    command = Command(argv=("/bin/true",), environment={}, directory=Path("/"), terminal=True)
    with pytest.raises(ToolMissing, match="no terminal for the command can be made: no space left"):
        Terminal(command)


def test_runner_is_killed(seat: Seat) -> None:
    """A runner that is killed takes its command with it."""
    seat.start(*shell("echo $$; exec sleep 60"))
    seat.until(lambda: b"\r\n" in seat.seen, "pid")
    pid = int(seat.seen)
    child = os.pidfd_open(pid)
    assert seat.runner is not None
    seat.runner.kill()
    assert ends(child)
    assert state_of(pid) in {"", "Z"}
