"""Base64 and hex in lines, as encoders write them."""

from __future__ import annotations

import base64
import binascii
import random
import shutil
import subprocess

import pytest

from calamari_py.masking.forms import encoded
from tests.masking import oracle
from tests.masking.oracle import Wrapped
from tests.masking.streams import bytewise, registry_of, stream_of, through

SECRET = b"".join(b"%03d:s3cret-key" % number for number in range(17))
FORM = Wrapped(base64.b64encode(bytes(range(180))))


@pytest.mark.process
@pytest.mark.parametrize(
    "before", [b"", b"u", b"user:", b"x" * 40, b"x" * 46, b"y" * 57, b"z" * 100]
)
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["base64"], id="base64"),
        pytest.param(["base64", "-w", "64"], id="base64-w-64"),
        pytest.param(["base64", "-w", "60"], id="base64-w-60"),
        pytest.param(["base64", "-w", "0"], id="base64-w-0"),
        pytest.param(["openssl", "base64"], id="openssl"),
        pytest.param(["xxd", "-p", "-c", "30"], id="xxd-30"),
        pytest.param(["xxd", "-p", "-u", "-c", "32"], id="xxd-upper"),
        pytest.param(["sh", "-c", "base64 -w 0 | fold -w 60"], id="fold-w-60"),
        pytest.param(["sh", "-c", "base64 | sed 's/^/\t  /'"], id="indented"),
        pytest.param(["sh", "-c", "base64 | sed 's/$/\r/'"], id="crlf"),
        pytest.param(["sh", "-c", "printf 'data: '; base64"], id="after-text"),
    ],
)
def test_real_encoders(command: list[str], before: bytes) -> None:
    """P13: what the real tools write is one mask, from any start column."""
    if not shutil.which(command[0]):
        pytest.skip(f"no {command[0]}")
    done = subprocess.run(command, input=before + SECRET + b" end", capture_output=True, check=True)
    registry = registry_of(SECRET)
    masked = registry.mask_bytes(done.stdout)
    assert masked.count(b"***") == 1, masked
    around = len(done.stdout.split()) + len(before) * 2 + 30
    assert len(masked) <= around, masked
    assert through(registry, bytewise(done.stdout)) == masked


def test_mime() -> None:
    """P13: MIME's lines of 76 end with CR LF."""
    data = base64.encodebytes(SECRET).replace(b"\n", b"\r\n")
    masked = registry_of(SECRET).mask_bytes(data)
    assert masked.count(b"***") == 1
    assert len(masked) <= 3 + 1 + len(b"==\r\n")


def lines(form: bytes, first: int, columns: int = 60, end: bytes = b"\n") -> bytes:
    """`form` in lines, of which the first one has `first` columns."""
    pieces = [form[:first]]
    pieces += [form[at : at + columns] for at in range(first, len(form), columns)]
    return end.join(pieces)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\r\n", b"\n    ", b"\n\t"], ids=repr)
@pytest.mark.parametrize("first", range(1, 70))
def test_any_start_column(first: int, end: bytes) -> None:
    """P13: wherever the first line ends, all of it is masked but a first line of three bytes."""
    data = b"-" + lines(FORM, first, end=end) + b"-"
    shown = FORM[:first] + end if first <= 3 else b""
    expected = b"-" + shown + b"***-"
    for chunks in ([data], bytewise(data)):
        stream = stream_of([FORM])
        assert b"".join([*map(stream.feed, chunks), stream.flush()]) == expected
    assert oracle.mask(data, [FORM]) == expected


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lines(FORM, 60, columns=59), id="59-columns"),
        pytest.param(lines(FORM, 10, columns=40), id="40-columns"),
        pytest.param(lines(FORM, 60, end=b" "), id="spaces-are-no-line-end"),
        pytest.param(lines(FORM, 60, end=b" \n"), id="space-before-the-line-end"),
        pytest.param(lines(FORM, 60, end=b"\n" + b" " * 256), id="indented-too-far"),
        pytest.param(lines(FORM, 60, end=b"\n> "), id="quoted"),
    ],
)
def test_not_wrapped(data: bytes) -> None:
    """P13: other ways of breaking a form are none of an encoder's."""
    stream = stream_of([FORM])
    assert stream.feed(data + b"!") + stream.flush() == data + b"!"
    assert oracle.mask(data + b"!", [FORM]) == data + b"!"


@pytest.mark.parametrize("kind", ["literal", "percent", "json"])
def test_only_encoders_wrap(kind: str) -> None:
    """P13: forms of other kinds are not found with line ends in them."""
    stream = stream_of([])
    stream._index.add([("s", kind, bytes(FORM))])
    assert stream.feed(lines(FORM, 60) + b"!") == lines(FORM, 60) + b"!"


@pytest.mark.parametrize(
    ("data", "held"),
    [
        pytest.param(b"text " + FORM[:3] + b"\n", 0, id="three-bytes-and-line-end"),
        pytest.param(b"text " + FORM[:4] + b"\n", 5, id="four-bytes-and-line-end"),
        pytest.param(b"text " + FORM[:3] + b"\n" + FORM[3:5], 2, id="second-line"),
        pytest.param(b"text " + FORM[:15] + b"\n  ", 18, id="indentation"),
        pytest.param(b"text " + FORM[:70] + b"\n", 71, id="full-line"),
        pytest.param(b"text\n", 0, id="a-line"),
        pytest.param(b"text " + FORM[:4] + b"\nX", 0, id="something-else"),
    ],
)
def test_held(data: bytes, held: int) -> None:
    """P2: no line is waited for unless four bytes of a form stand at its end."""
    stream = stream_of([FORM])
    stream.feed(data)
    assert stream.held == held


def test_pauses_in_a_wrapped_form() -> None:
    """P4: the three bytes of a first line count as shown."""
    stream = stream_of([FORM])
    assert stream.feed(FORM[:2] + b"\n") == FORM[:2] + b"\n"
    assert stream.feed(FORM[2:3]) + stream.flush() == FORM[2:3]
    assert stream.feed(FORM[3:4]) + stream.flush() == b"***"
    assert stream.feed(FORM[4:62] + b"\n" + FORM[62:]) + stream.flush() == b""
    assert stream.feed(b"!") == b"!"


def test_which_forms_wrap() -> None:
    """P13: every base64 and hex form of 60 bytes and more of a real secret."""
    registry = registry_of(SECRET)
    for kind, form in encoded(SECRET):
        wraps = kind.startswith(("base64", "hex"))
        masked = registry.mask_bytes(b"<" + lines(form, 40, columns=64) + b">")
        assert (masked == b"<***>") is wraps, kind


@pytest.mark.slow(1)
@pytest.mark.parametrize("header", [16, 40, 100, 600])
def test_wrapped_forms_that_begin_alike(header: int) -> None:
    """P13: tokens with one header are found in lines too, though their heads are long."""
    start = bytes(random.Random(header).choices(b"abcdefghijklmnop", k=header))
    forms = [Wrapped(start + binascii.hexlify(bytes([number]) * 60)) for number in range(40)]
    for first in (5, 33, 64):
        data = b" ".join(lines(form, first, columns=64) for form in forms[::7]) + b" ."
        expected = b" ".join([b"***"] * 6) + b" ."
        for chunks in ([data], bytewise(data)):
            stream = stream_of(forms)
            assert b"".join([*map(stream.feed, chunks), stream.flush()]) == expected
        assert sum(stream._index.hits.values()) == 6
