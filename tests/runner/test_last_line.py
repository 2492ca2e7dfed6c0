"""The last line of a child: what it was busy with when its time was up."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from calamari_py.masking import SecretRegistry
from calamari_py.output.base import Stream
from calamari_py.process import Limits
from calamari_py.runner.last_line import KEPT, SHOWN, LastLine

SECRET = "s3cr3t-value-of-a-variable"


@dataclass
class Clock:
    """Seconds that a test moves."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def last(*chunks: bytes | tuple[Stream, bytes]) -> str | None:
    """The last line after these writes."""
    line = LastLine(Limits(), clock=Clock())
    for chunk in chunks:
        line.take(*(("stdout", chunk) if isinstance(chunk, bytes) else chunk))
    registry = SecretRegistry()
    registry.add(SECRET, name="T")
    return line.text(registry)


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([b"\n \r\n"], None, id="only blanks"),
        pytest.param([b"one\ntwo\n"], "two", id="a line"),
        pytest.param([b"one\ntw", b"o"], "two", id="in parts, without an end"),
        pytest.param([b"one\n", b"\n\n  \n"], "one", id="blank lines behind it"),
        pytest.param([b"one", *[b"\n"] * 10_000], "one", id="very many of them"),
        pytest.param([b"one", b" ", b"two"], "one two", id="a blank between words"),
        pytest.param([b"one", b"\n\n", b"two"], "two", id="a newline between lines"),
        pytest.param([b"10%\r20%\r30%"], "30%", id="a progress bar"),
        pytest.param(
            [b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07x\x1b(B\x00\n"], "red x", id="escapes"
        ),
        pytest.param([b"out\n", ("stderr", b"err\n")], "err", id="stderr wrote last"),
        pytest.param([b"ou", ("stderr", b"err\n"), b"t\n"], "out", id="stdout goes on"),
        pytest.param([b"out\n", ("stderr", b"\n")], "out", id="a blank line of the other"),
        pytest.param(["é".encode()[1:] + "é─".encode()], "é─", id="half a character"),
    ],
)
def test_the_last_line(chunks: list[bytes | tuple[Stream, bytes]], text: str | None) -> None:
    """The last line with anything to see on it, whichever stream it came from, as plain text."""
    assert last(*chunks) == text


def test_a_long_line_is_shortened() -> None:
    """A line is quoted, not repeated; and no more than the end of a stream is remembered."""
    text = last(b"x" * 200)
    assert text == "x" * (SHOWN - 1) + "…"
    assert len(last(b"y" * (3 * KEPT)) or "") == SHOWN


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(SECRET[:9].encode() + b"\x1b[1m" + SECRET[9:].encode(), id="colour inside"),
        pytest.param(SECRET[:9].encode() + b"\x00" + SECRET[9:].encode(), id="a NUL inside"),
        pytest.param(b"x" * (SHOWN - 10) + SECRET.encode(), id="shortened within it"),
    ],
)
def test_no_secret_in_the_last_line(written: bytes) -> None:
    """What becomes whole or is cut here is masked once more, whole."""
    text = last(written)
    assert text is not None
    assert "***" in text
    assert SECRET[:6] not in text


@pytest.mark.parametrize(
    ("limits", "moments", "text"),
    [
        pytest.param(Limits(timeout=10), [1, 9, 10.5, 11], "9", id="timeout"),
        pytest.param(Limits(idle_timeout=10), [1, 2, 12.5, 13], "2", id="silence"),
        pytest.param(Limits(timeout=10), [1, 2], "2", id="nothing afterwards"),
        pytest.param(Limits(timeout=10), [11], None, id="nothing before"),
        pytest.param(Limits(timeout=60, idle_timeout=10), [1, 12, 20, 29, 38, 47, 56, 61], "56",
                     id="a silence that ended nothing, then the timeout"),
    ],
)  # fmt: skip
def test_what_is_said_after_the_limit_does_not_count(
    limits: Limits, moments: list[float], text: str | None
) -> None:
    """A child that is told to stop says so; what it was waiting for is the line before."""
    clock = Clock()
    line = LastLine(limits, clock=clock)
    for moment in moments:
        clock.now = moment
        line.take("stdout", f"{moment:.0f}\n".encode())
    assert line.text(SecretRegistry()) == text


def test_each_command_begins_anew() -> None:
    """The second command of a step is not judged by the words of the first."""
    line = LastLine(Limits(), clock=Clock())
    line.take("stdout", b"first\n")
    line.begin()
    assert line.text(SecretRegistry()) is None
