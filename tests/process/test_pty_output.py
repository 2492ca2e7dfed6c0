"""A command on a pty that nobody types at: it shows what it would show on our terminal."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from calamari_py.errors import ToolMissing
from calamari_py.process import Command
from calamari_py.process.isolate import isolation_problem
from calamari_py.process.terminal import Terminal
from tests.process.seat import SECRET, Seat, seat, shell
from tests.process.support import PATIENCE, RUNNER

__all__ = ["seat"]

pytestmark = pytest.mark.process

SH = ("/bin/sh", "-c")
"""Unlike bash it takes no terminal that it is not given."""


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

    def refuse() -> tuple[int, int]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "openpty", refuse)
    command = Command(argv=("/bin/true",), environment={}, directory=Path("/"), terminal=True)
    with pytest.raises(ToolMissing, match="no terminal for the command can be made: no space left"):
        Terminal(command)


def test_nothing_can_be_read_from_it(seat: Seat) -> None:
    """Who waits for a key from stdout or stderr gets an error, and does not wait for ever."""
    seat.start(*SH, "cat <&1; echo $?; cat <&2; echo $?", stdin="null")
    seat.expect(b"\r\n1\r\n")
    seat.expect(b"\r\n1\r\n")
    assert seat.leave() == [0, None, []]


@pytest.mark.parametrize(
    ("stdin", "named"),
    [
        pytest.param("null", b"PAGER=cat\r\nGIT_PAGER=cat\r\nAWS_PAGER=\r\n", id="without keys"),
        pytest.param("inherit", b"", id="with keys"),
    ],
)
def test_pagers(seat: Seat, stdin: str, named: bytes) -> None:
    """A pager is named where somebody can type, and nowhere else."""
    script = "for name in PAGER GIT_PAGER AWS_PAGER; do env | grep ^$name=; done; echo end"
    seat.start(*SH, script, stdin=stdin)
    seat.until(lambda: seat.seen.endswith(b"end\r\n"), "end")
    assert seat.seen == named + b"end\r\n"
    assert seat.leave() == [0, None, []]


@pytest.mark.parametrize("isolated", [False, True])
def test_window_size_is_followed(seat: Seat, isolated: bool) -> None:
    """A resize of our window reaches the command as SIGWINCH, although no kernel sends it."""
    if isolated and (problem := isolation_problem()):
        pytest.skip(problem)
    script = "trap 'stty size <&1; exit 5' WINCH; echo waiting; while :; do sleep 0.05; done"
    seat.start(*SH, script, stdin="null", isolated=isolated)
    seat.expect(b"waiting")
    seat.resize(41, 99)
    seat.expect(b"41 99")
    assert seat.leave() == [5, None, []]


@pytest.mark.parametrize("stdin", ["null", "inherit"])
def test_errors_that_go_elsewhere(seat: Seat, stdin: str) -> None:
    """`2> errors` keeps its meaning: stdout is a terminal, stderr is a pipe, both are masked."""
    script = f"test -t 1 && echo out {SECRET}; test -t 2 || echo err {SECRET} >&2"
    seat.start(*SH, script, stdin=stdin, errors_apart=True)
    assert seat.leave() == [0, None, []]
    assert seat.seen == b"out ***\r\n"
    assert seat.runner is not None
    assert seat.runner.stderr is not None
    assert seat.runner.stderr.read() == b"err ***\n"


@pytest.mark.parametrize("stdin", ["null", "inherit"])
def test_isolated(seat: Seat, stdin: str) -> None:
    """What is isolated has the terminal all the same, and keys only where it is given them."""
    if problem := isolation_problem():
        pytest.skip(problem)
    script = "test -t 1 -a -t 2; echo $?; if test -t 0; then read x </dev/tty; echo <$x>; fi"
    seat.start(*SH, script.replace("<$x>", "'<'$x'>'"), stdin=stdin, isolated=True)
    seat.expect(b"0\r\n")
    if stdin == "inherit":
        seat.type(b"typed\r")
        seat.expect(b"<typed>\r\n")
    assert seat.leave() == [0, None, []]


@pytest.mark.parametrize(
    ("key", "code"),
    [
        pytest.param(b"\x03", [130, "signal", []], id="interrupt"),
        # Nobody catches it: the runner ends, and the command with it.
        pytest.param(b"\x1c", None, id="quit"),
    ],
)
def test_keys_are_ours(seat: Seat, key: bytes, code: list[object] | None) -> None:
    """^C and ^\\ have the meaning that they have for every program."""
    seat.start(*SH, "echo up; exec sleep 60", stdin="null")
    seat.expect(b"up")
    assert not seat.raw
    seat.type(key)
    if code is None:
        assert seat.end() == -3
        assert not seat.raw
    else:
        assert seat.leave() == code


def test_without_any_terminal() -> None:
    """In a job there is no terminal at all: then it has a usual size, and goes into a pipe."""
    script = "stty size <&1; test -t 2 && echo err >&2; printf 'a\\nb\\n'"
    ended = subprocess.run(
        [sys.executable, "-c", RUNNER + f"go({script!r}, terminal=True)"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    assert (ended.stdout, ended.stderr) == (b"24 80\nerr\na\nb\n", b"")
