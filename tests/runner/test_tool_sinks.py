"""Where the output of a command goes that is read: lines, limits, and what happens on a fault."""

from __future__ import annotations

import signal

import pytest

from calamari_py.errors import Cancelled, ToolFailed
from calamari_py.runner.tool_sinks import Lines, MemorySink, ReaderSink
from tests.runner.reading import Heard


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        pytest.param([b""], [], id="nothing"),
        pytest.param([b"a"], [b"a"], id="no end"),
        pytest.param([b"a\n"], [b"a"], id="one"),
        pytest.param([b"a\n\n\nb"], [b"a", b"", b"", b"b"], id="blank lines"),
        pytest.param([b"a\r\nb\r", b"\nc\rd\n"], [b"a", b"b", b"c\rd"], id="CR"),
        pytest.param([b"a", b"b", b"c\nd", b"e\n"], [b"abc", b"de"], id="pieces"),
        pytest.param([b"123456\n7\n"], [b"123456", b"7"], id="as long as may be"),
        pytest.param([b"1234567\n8\n"], [b"123456", b"8"], id="too long"),
        pytest.param([b"1234", b"567", b"89", b"\n0"], [b"123456", b"0"], id="too long in pieces"),
    ],
)
def test_lines(pieces: list[bytes], lines: list[bytes]) -> None:
    """However a stream is cut, the same lines come of it; of a long one the beginning."""
    found: list[bytes] = []
    cut: list[None] = []
    splitter = Lines(found.append, lambda: cut.append(None), limit=6)
    for piece in pieces:
        splitter.feed(piece)
    splitter.close()
    splitter.close()
    assert found == lines
    assert len(cut) == (b"7" in b"".join(pieces) and b"123456" in lines and b"7" not in lines)


def reader_sink(heard: Heard) -> ReaderSink:
    return ReaderSink(heard, listen=lambda: None, warn=lambda _: None)


def test_a_reader_that_fails_hears_nothing_more() -> None:
    """The loop is told that nobody reads, and what was raised is raised at the end."""

    def complain(_line: bytes) -> None:
        raise ValueError("no JSON")

    heard = Heard(act=complain)
    sink = reader_sink(heard)
    with pytest.raises(BrokenPipeError):
        sink.feed("stdout", b"a\nb\n")
    sink.before_feed({"stderr": b"c\n"})
    sink.feed("stderr", b"c\n")
    sink.idle()
    sink.close("stdout")
    assert not sink.holding()
    assert heard.lines == [("stdout", b"a")]
    assert heard.silences == 0
    with pytest.raises(ValueError, match="no JSON"):
        sink.raise_what_waits(stopped=True)


def test_an_impatient_signal_passes() -> None:
    """Who waits no longer is not asked for patience."""

    def interrupted(_line: bytes) -> None:
        raise Cancelled(signal.SIGTERM)

    sink = reader_sink(Heard(act=interrupted))
    with pytest.raises(Cancelled):
        sink.feed("stdout", b"a\n")
    sink.raise_what_waits(stopped=True)


@pytest.mark.parametrize("stopped", [True, False])
def test_nobody_reads_us(stopped: bool) -> None:
    """That is how the command ended, where it was stopped for it, else how the step does."""

    def gone(_line: bytes) -> None:
        raise Cancelled(signal.SIGPIPE)

    sink = reader_sink(Heard(act=gone))
    with pytest.raises(BrokenPipeError):
        sink.feed("stdout", b"a\n")
    if stopped:
        sink.raise_what_waits(stopped=True)
    else:
        with pytest.raises(Cancelled):
            sink.raise_what_waits(stopped=False)


def test_too_much_to_keep() -> None:
    """What would fill the memory stops the command, with an error that names it."""
    sink = MemorySink("/bin/probe", 10, listen=lambda: None)
    sink.feed("stdout", b"12345")
    sink.feed("stderr", b"67890")
    with pytest.raises(BrokenPipeError):
        sink.feed("stdout", b"1")
    with pytest.raises(ToolFailed, match="'/bin/probe' wrote more than 10 bytes"):
        sink.raise_what_waits(stopped=True)
