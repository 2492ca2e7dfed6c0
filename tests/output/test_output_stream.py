"""Writing to streams that are raw, non-blocking, or gone."""

from __future__ import annotations

import errno
import io
import os
import socket
import threading
from typing import Any

import pytest

from calamari_py.errors import OutputNotWritable
from calamari_py.masking.secret import Masked, MaskedBytes
from calamari_py.output import FORMATS
from calamari_py.output._stream import same_place, write_all
from tests.output.output_samples import header, options, result


class Stingy(io.BytesIO):
    """A raw stream that takes three bytes at a time."""

    def write(self, data: Any, /) -> int:
        return super().write(bytes(data)[:3])


class Failing(io.BytesIO):
    """A stream whose writes fail with one errno."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, data: Any, /) -> int:
        raise OSError(self.number, os.strerror(self.number))


def test_short_writes_are_continued() -> None:
    """A raw stream that takes a part only still gets everything, in order."""
    stream = Stingy()
    write_all(stream, b"0123456789")
    assert stream.getvalue() == b"0123456789"


@pytest.mark.parametrize("buffering", [pytest.param(0, id="raw"), pytest.param(-1, id="buffered")])
def test_non_blocking_pipe(buffering: int) -> None:
    """A full non-blocking pipe is waited for: nothing is lost, nothing is written twice."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    data = bytes(range(256)) * 2000
    received = bytearray()

    def read() -> None:
        while chunk := os.read(reader, 65536):
            received.extend(chunk)

    thread = threading.Thread(target=read, daemon=True)
    with open(writer, "wb", buffering=buffering) as stream:
        thread.start()
        write_all(stream, data)
    thread.join(timeout=30)
    os.close(reader)
    assert bytes(received) == data


def test_a_socket_gets_everything() -> None:
    """A socket that is full is waited for; it stays as it was for everybody who shares it."""
    ours, theirs = socket.socketpair()
    data = bytes(range(256)) * 4000
    received = bytearray()

    def read() -> None:
        while chunk := theirs.recv(65536):
            received.extend(chunk)

    def once() -> None:
        if thread.ident is None:
            thread.start()

    thread = threading.Thread(target=read, daemon=True)
    with theirs, open(ours.detach(), "wb", buffering=0) as stream:
        write_all(stream, data, once)
        assert os.get_blocking(stream.fileno())
        stream.close()
        thread.join(timeout=30)
    assert bytes(received) == data


def test_a_pipe_ends_with_its_stream() -> None:
    """After a large write nothing of ours keeps the pipe open: its reader sees the end."""
    reader, writer = os.pipe()
    with open(writer, "wb", buffering=0) as stream:
        write_all(stream, b"x" * 20_000)
    os.set_blocking(reader, False)
    assert (len(os.read(reader, 65536)), os.read(reader, 1)) == (20_000, b"")
    os.close(reader)


def test_a_pipe_that_is_not_ours_to_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe of another user, or without Linux's /proc, is written in pieces that do not block."""

    def refused(*_: object) -> int:
        raise PermissionError

    pieces: list[int] = []
    reader, writer = os.pipe()
    monkeypatch.setattr(os, "open", refused)
    with open(writer, "wb", buffering=0) as stream:
        write_all(stream, b"x" * 10_000, wrote=pieces.append)
    assert (pieces, len(os.read(reader, 65536))) == ([4096, 4096, 1808], 10_000)
    os.close(reader)


def test_a_large_write_without_a_reader() -> None:
    """A pipe whose reader is gone is a broken pipe, however much is written at once."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as stream, pytest.raises(BrokenPipeError):
        write_all(stream, b"x" * 100_000)


@pytest.mark.parametrize("format_name", list(FORMATS))
def test_reader_gone(format_name: str) -> None:
    """A reader that went away raises BrokenPipeError, from our text and from the child's."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as stream:
        reporter = FORMATS[format_name](options(stdout=stream, stderr=stream))
        with pytest.raises(BrokenPipeError):
            reporter.started(header())
        with pytest.raises(BrokenPipeError):
            reporter.output("stdout", MaskedBytes(b"x"))
        with pytest.raises(BrokenPipeError):
            reporter.finished(result())


def test_closed_terminal_is_a_broken_pipe() -> None:
    """A terminal that was closed (EIO) is a reader that went away."""
    with pytest.raises(BrokenPipeError):
        write_all(Failing(errno.EIO), b"x")


def test_full_disk_is_not_a_broken_pipe() -> None:
    """A full disk is told as what it is."""
    with pytest.raises(OutputNotWritable, match="no space"):
        write_all(Failing(errno.ENOSPC), b"x")


def test_same_place() -> None:
    """Two descriptors of one pipe are one place; two buffers are not."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as one, open(os.dup(writer), "wb") as two:
        assert same_place(one, two)
        with open(os.devnull, "wb") as other:
            assert not same_place(one, other)
    assert not same_place(io.BytesIO(), io.BytesIO())
    both = io.BytesIO()
    assert same_place(both, both)


class Interrupted(Stingy):
    """A stream that gives another thread the chance to come between the parts of one write."""

    def __init__(self, between: threading.Thread) -> None:
        super().__init__()
        self.between = between

    def write(self, data: Any, /) -> int:
        taken = super().write(data)
        if self.between.ident is None:
            self.between.start()
            self.between.join(timeout=0.1)
        return taken


@pytest.mark.parametrize("format_name", list(FORMATS))
def test_threads_do_not_mix_their_lines(format_name: str) -> None:
    """A warning from another thread comes after a line, not inside it."""
    other = threading.Thread(target=lambda: reporter.warning(Masked("second")))
    stream = Interrupted(other)
    reporter = FORMATS[format_name](options(stdout=stream, stderr=stream))
    reporter.warning(Masked("first"))
    other.join()
    lines = [
        line
        for line in stream.getvalue().decode().splitlines()
        if not line.startswith("##octopus[stdout-")
    ]
    assert ["first" in line for line in lines] == [True, False]
    assert ["second" in line for line in lines] == [False, True]
