"""A command on a pty of its own, and somebody at our terminal who types."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.process.seat import SECRET, Seat, seat, shell
from tests.process.support import PATIENCE, ends, state_of

__all__ = ["seat"]

pytestmark = pytest.mark.process

BASH = ("/bin/bash", "--norc", "--noprofile", "-i")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param("exit 0", 0, id="success"),
        pytest.param("exit 42", 42, id="any code"),
        pytest.param("kill -TERM $$", 143, id="SIGTERM"),
        pytest.param("kill -KILL $$", 137, id="SIGKILL"),
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


def test_a_secret_typed_slowly_is_masked(seat: Seat) -> None:
    """However long somebody takes for each key, at most three bytes of it are shown."""
    seat.start(*shell(f'read line; [ "$line" = "{SECRET}" ] && echo same'))
    seat.until(lambda: seat.raw, "raw")
    for key in SECRET:
        seat.type(key.encode())
        while seat.read():  # as long as it takes to fall silent
            pass
    seat.type(b"\r")
    seat.until(lambda: seat.seen.endswith(b"same\r\n"), "same")
    assert bytes(seat.seen) in {SECRET[:shown].encode() + b"***\r\nsame\r\n" for shown in range(4)}
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
    seat.start(*argv, timeout=3, stop_signal=stop_signal)
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
    seat.expect(b"ValueError: broken\r\n")
    assert seat.runner is not None
    seat.runner.wait(PATIENCE)
    assert not seat.raw


def test_program_that_is_missing(seat: Seat) -> None:
    """What cannot be started leaves our terminal as it was."""
    seat.start("/nowhere/tool")
    seat.expect(b"CommandNotFound")
    assert seat.runner is not None
    seat.runner.wait(PATIENCE)
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
    seat.start(*shell("stty raw -echo; echo up; sleep 0.5; echo alive; sleep 60"), timeout=4)
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
