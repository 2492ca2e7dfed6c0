"""Escape sequences inside a secret: what programs that colour their output do to it."""

from __future__ import annotations

import random
import shutil
import subprocess

import pytest

from calamari_py.masking import Masker, SecretRegistry
from calamari_py.masking.ansi import LONGEST_HIDDEN
from tests.masking import oracle
from tests.masking.streams import bytewise, registry_of, stream_of, through

SECRET = b"hunter22-s3cret"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(
            b"pw=\x1b[01;31m\x1b[Khunter22\x1b[m\x1b[K-s3cret\n",
            b"pw=\x1b[01;31m\x1b[K***\n",
            id="grep",
        ),
        pytest.param(
            b"hunt\x1b[01;31m\x1b[Ker22\x1b[m\x1b[K-s3cret\x1b[m\x1b[K.",
            b"***\x1b[m\x1b[K.",
            id="grep-in-the-middle",
        ),
        pytest.param(
            b"\x1b[31;1mhunter22\x1b[0m\x1b[36;1m-\x1b[0ms3cret\x1b[0m",
            b"\x1b[31;1m***\x1b[0m",
            id="powershell-error",
        ),
        pytest.param(
            b"\x1b[31m-\x1b[m\x1b[31mhunter22-\x1b[m\x1b[32ms3cret\x1b[m\n",
            b"\x1b[31m-\x1b[m\x1b[31m***\x1b[m\n",
            id="git-diff-color-words",
        ),
        pytest.param(
            b"\x1b]8;;file://h/a\x07hunter22\x1b]8;;\x07-s3cret",
            b"\x1b]8;;file://h/a\x07***",
            id="ls-hyperlink-bel",
        ),
        pytest.param(
            b"hunter22\x1b]8;;https://h/a?b=c\x1b\\-s3\x1b]8;;\x1b\\cret\x1b]8;;\x1b\\",
            b"***\x1b]8;;\x1b\\",
            id="hyperlink-st",
        ),
        pytest.param(
            b"\x1b]8;;https://h/?t=hunter22-s3cret\x1b\\x",
            b"\x1b]8;;https://h/?t=***\x1b\\x",
            id="inside-a-sequence",
        ),
        pytest.param(b"hunter22\x1b(B\x1b[m-s3cret", b"***", id="tput-sgr0"),
        pytest.param(b"hunter\x1b=22\x1b>-s3\x1b7cret", b"***", id="two-bytes"),
        pytest.param(b"h\x1b[?25lu\x1b[2Kn\x1b[1;1Hter22-s3cret", b"***", id="cursor"),
        pytest.param(
            b"hunter22\x1b[31\n-s3cret", b"hunter22\x1b[31\n-s3cret", id="line-end-inside"
        ),
        pytest.param(b"hunter22\x1b[3\x1b[m-s3cret", b"***", id="broken-off"),
        pytest.param(b"hunter22\x1b[31mX-s3cret", b"hunter22\x1b[31mX-s3cret", id="text-inside"),
        pytest.param(b"hunter22-s3cret\x1b[m", b"***\x1b[m", id="after"),
        pytest.param(
            b"hunter22-s3cret\x1b[mhunter22-s3cret", b"***\x1b[m***", id="between-two-secrets"
        ),
        pytest.param(b"\x1b[32mhunter22\x1b[m\n", b"\x1b[32mhunter22\x1b[m\n", id="part-of-one"),
        pytest.param(b"\x1b[32mhu\x1b[mnt", b"\x1b[32m***", id="end-inside"),
        pytest.param(b"\x1b[32mhu\x1b[mn", b"\x1b[32mhu\x1b[mn", id="three-bytes-may-be-shown"),
    ],
)
def test_coloured(data: bytes, expected: bytes) -> None:
    """P12: sequences inside a secret do not hide it and go with it; all others stay."""
    registry = registry_of(SECRET)
    assert registry.mask_bytes(data) == expected
    assert through(registry, bytewise(data)) == expected
    assert oracle.mask(data, [SECRET]) == expected
    assert oracle.mask(data, [SECRET], ansi=False) == run_blind(data)


def run_blind(data: bytes) -> bytes:
    """What comes out without regard to sequences."""
    stream = stream_of([SECRET], ansi=False)
    return stream.feed(data) + stream.flush()


def test_off() -> None:
    """P12: without it, bytes are bytes."""
    data = b"hunter22\x1b[m-s3cret hunter22-s3cret"
    assert run_blind(data) == b"hunter22\x1b[m-s3cret ***"


@pytest.mark.parametrize(
    ("secret", "data"),
    [
        pytest.param("one line\nanother", b"one \x1b[1mline\x1b[m\r\n\x1b[1m  another", id="lines"),
        pytest.param("pass word&more", b"pass%20wo\x1b[1mrd%26more", id="percent"),
        pytest.param("pass word&more", b"cGFzcyB3b3J\x1b[1mkJm1vcm", id="base64"),
        pytest.param("tok\x1b[0mend", b"tok\x1b[0mend", id="esc-of-its-own"),
    ],
)
def test_other_forms_with_sequences(secret: str, data: bytes) -> None:
    """P12: multi-line secrets, encodings, and secrets that hold an ESC."""
    assert registry_of(secret).mask_bytes(data) == b"***"
    assert through(registry_of(secret), bytewise(data)) == b"***"


@pytest.mark.parametrize(
    ("data", "held"),
    [
        pytest.param(b"done \x1b[3", 0, id="unfinished"),
        pytest.param(b"done \x1b]0;title", 0, id="unfinished-title"),
        pytest.param(b"pw: h\x1b[0m", 5, id="after-a-beginning"),
        pytest.param(b"pw: h\x1b[0m\x1b]0;t", 10, id="unfinished-after-a-beginning"),
        pytest.param(b"pw: \x1b[1mhu\x1b[0mnter", 10, id="inside"),
        pytest.param(b"pw: \x1b[1mhu\x1b[0mX", 0, id="something-else"),
    ],
)
def test_held(data: bytes, held: int) -> None:
    """P2: a sequence waits only behind what may be the beginning of a secret."""
    stream = stream_of([SECRET])
    stream.feed(data)
    assert stream.held == held


def test_a_pause_counts_bytes_of_the_secret() -> None:
    """P4: sequences between the shown bytes of a secret do not count, and hide no fourth."""
    stream = stream_of([SECRET])
    out = b""
    for byte in bytewise(SECRET):
        out += stream.feed(b"\x1b[1m" + byte + b"\x1b[0m") + stream.flush()
    assert out.startswith(b"\x1b[1mh\x1b[0m\x1b[1mu\x1b[0m\x1b[1mn\x1b[0m***")
    assert not set(out.replace(b"\x1b[1m", b"").replace(b"\x1b[0m", b"")[3:]) - set(b"*")


@pytest.mark.parametrize("more", [0, 1], ids=["just", "too-much"])
def test_what_a_secret_may_hide_is_bounded(more: int) -> None:
    """P20: an endless run of sequences inside a secret is not waited for."""
    sequences = b"\x1b[m" * (LONGEST_HIDDEN // 3 - 2)
    sequences += b"\x1b[" + b"1" * (LONGEST_HIDDEN + more - len(sequences) - 3) + b"m"
    data = b"hunter22" + sequences + b"-s3cret"
    assert len(data) == len(SECRET) + LONGEST_HIDDEN + more
    expected = data if more else b"***"
    assert oracle.mask(data, [SECRET]) == expected
    for size in (1 << 20, 1000, 7):
        stream = stream_of([SECRET])
        chunks = [data[at : at + size] for at in range(0, len(data), size)]
        assert b"".join([*map(stream.feed, chunks), stream.flush()]) == expected


def test_memory_is_bounded_in_colour() -> None:
    """P20: neither endless sequences nor endless coloured beginnings pile up."""
    stream = stream_of([SECRET])
    stream.feed(b"hun")
    for _ in range(100):
        stream.feed(b"\x1b[1m" * 500)
        assert len(stream._data) <= LONGEST_HIDDEN + len(SECRET)
    assert stream.held == 0
    plain = stream._plain
    assert plain is not None
    for _ in range(300):
        stream.feed(b"\x1b[1m" + b"x" * 1000 + b"h\x1b[m")
    assert len(plain._text) < 20
    assert len(plain._waiting) <= 65
    assert len(plain._places) < 200


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([b"! hun", b"\x1b[1mter22-s3cret !"], id="sequence-after-what-is-held"),
        pytest.param([b"! \x1b[1mhun\x1b[0m", b"ter22-s3cret !"], id="sequence-at-the-end"),
        pytest.param([b"! \x1b[1mhun\x1b[0", b"mter22-s3cret !"], id="sequence-is-cut"),
        pytest.param([b"! \x1b", b"[1mhun\x1b[0mter22-s3cret !"], id="only-esc"),
    ],
)
def test_sequences_beside_what_is_in_no_form(chunks: list[bytes]) -> None:
    """P12: that all sequences before stand where no secret goes on changes nothing."""
    stream = stream_of([SECRET])
    assert b"".join([*map(stream.feed, chunks), stream.flush()]).count(b"***") == 1
    assert stream._index.hits == {"0": 1}


def test_the_end_of_a_sequence_that_was_passed_is_no_text() -> None:
    """P12: what a secret begins with may be a sequence's last byte, and is then none of it."""
    chunks = [b"!\x1b[1m a b", b"\x1b[0m-secret!"]
    stream = stream_of([b"m a b-secret"])
    assert b"".join([*map(stream.feed, chunks), stream.flush()]) == b"".join(chunks)


def test_nothing_is_left_when_colours_end() -> None:
    """P12: the second view is given up when no sequence is in sight, and comes back."""
    stream = stream_of([SECRET])
    plain = stream._plain
    assert plain is not None
    stream.feed(b"\x1b[1mtext\x1b[0m h")
    assert plain.active is False
    stream.feed(b"\x1b[1mu")
    assert plain.active is True
    assert stream.feed(b"nter22-s3cret\n") == b"***\n"
    assert plain.active is False


def test_a_secret_that_comes_late_is_found_in_colour() -> None:
    """P15: what is held in colour is compared with secrets that were added meanwhile."""
    registry = registry_of("hunter22-long")
    masker = Masker(registry)
    assert masker.feed(b"x \x1b[1mhunt\x1b[mer22") == b"x \x1b[1m"
    registry.add("hunter22", name="late")
    assert masker.idle() == b"***"
    assert masker.feed(b"\x1b[m y") == b"\x1b[m y"
    assert registry_hits(registry) == {"late": 1}


def registry_hits(registry: SecretRegistry) -> dict[str, int]:
    """The hits so far."""
    with registry.index() as index:
        return dict(index.hits)


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("grep"), reason="no grep")
@pytest.mark.parametrize("pattern", ["hunter", "er22", "s3", "[a-z]*", "."])
def test_what_grep_colours(pattern: str) -> None:
    """P12: the real ``grep --color=always``, whatever it marks."""
    done = subprocess.run(
        ["grep", "--color=always", pattern],
        input=b"password=" + SECRET + b" end\n",
        capture_output=True,
        check=True,
        env={"LC_ALL": "C"},
    )
    masked = registry_of(SECRET).mask_bytes(done.stdout)
    assert masked.count(b"***") == 1
    text = bytes(masked[at] for at in oracle.places_of_text(masked))
    assert text == b"password=*** end\n"


def test_cuts_inside_sequences() -> None:
    """P1: every cut into two writes and a hundred into three give the same."""
    data = (
        b"a\x1b]8;;http://x\x1b\\hunt\x1b[01;31m\x1b[Ker22\x1b]8;;\x07-s3\x1b(Bcret\x1b[m\x1b[K z"
    )
    expected = b"a\x1b]8;;http://x\x1b\\***\x1b[m\x1b[K z"
    rng = random.Random(3)
    for at in range(len(data)):
        other = rng.randint(at, len(data))
        for chunks in ([data[:at], data[at:]], [data[:at], data[at:other], data[other:]]):
            stream = stream_of([SECRET])
            assert b"".join([*map(stream.feed, chunks), stream.flush()]) == expected
