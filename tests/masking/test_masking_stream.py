"""The stream against an independent oracle: every cut, every pause, what is held and shown."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamari_py.masking.stream import MaskStream
from tests.conftest import THOROUGH
from tests.masking import oracle
from tests.masking.streams import (
    ALPHABETS,
    SEQUENCES,
    bytewise,
    coloured,
    cut,
    native_engine,
    some_data,
    some_forms,
    some_wrapped_data,
    some_wrapped_forms,
    stream_of,
)

ROUNDS = 10 if THOROUGH else 1
Case = tuple[list[bytes], bytes]


def run(stream: MaskStream, chunks: list[bytes]) -> bytes:
    """All output of `stream` for `chunks`."""
    return b"".join([*map(stream.feed, chunks), stream.flush()])


def plain_case(rng: random.Random, size: int) -> Case:
    """Forms of one alphabet, and data that holds them."""
    forms = some_forms(rng, ALPHABETS[size])
    return forms, some_data(rng, ALPHABETS[size], forms)


def coloured_case(rng: random.Random, size: int) -> Case:
    """The same with escape sequences in the data, and sometimes in the forms."""
    forms, data = plain_case(rng, size)
    return forms, coloured(data, rng)


def wrapped_case(rng: random.Random, size: int) -> Case:
    """Long forms in lines; every third time with escape sequences among them."""
    alphabet = bytes(range(97, 97 + size))
    forms = some_wrapped_forms(rng, alphabet)
    data = some_wrapped_data(rng, alphabet, forms)
    return forms, coloured(data, rng) if rng.random() < 0.3 else data


def between_words_case(rng: random.Random, size: int) -> Case:
    """Escape sequences mostly where no form goes on: beside line ends and what is in no form."""
    make = wrapped_case if rng.random() < 0.5 else plain_case
    forms, data = make(rng, size)
    pieces = [_sequence(rng) + line + _sequence(rng) for line in data.split(b"\n")]
    parts = [
        part
        for piece in (b"\n".join(pieces), b"\n".join(pieces[:2]))
        for part in (_sequence(rng), rng.choice(NOISE), piece, rng.choice(NOISE), _sequence(rng))
    ]
    return forms, b"".join(parts)


def _sequence(rng: random.Random) -> bytes:
    return rng.choice(SEQUENCES) if rng.random() < 0.4 else b""


NOISE = (b"", b" ", b"\n", b"\r\n", b"  ", b" x ", b"!", b" x y")
CASES: dict[str, tuple[Callable[[random.Random, int], Case], int, int]] = {
    **{f"plain-{size}": (plain_case, size, 60 * ROUNDS) for size in ALPHABETS},
    **{f"coloured-{size}": (coloured_case, size, 30 * ROUNDS) for size in ALPHABETS},
    **{f"wrapped-{size}": (wrapped_case, size, 20 * ROUNDS) for size in (2, 8, 26)},
    **{f"between-words-{size}": (between_words_case, size, 30 * ROUNDS) for size in (2, 3)},
}


@pytest.mark.slow(1)
@pytest.mark.parametrize("kind", CASES)
def test_every_cut_gives_what_the_whole_gives(kind: str) -> None:
    """P1: however the input is cut into writes, the output is the mask of the whole."""
    make, size, cases = CASES[kind]
    rng = random.Random(kind)
    for case in range(cases):
        forms, data = make(rng, size)
        ansi = rng.random() < 0.9
        expected = oracle.mask(data, forms, ansi=ansi)
        few = 0 if case % 2 else 24
        for chunks in ([data], bytewise(data), cut(data, rng), cut(data, rng)):
            assert run(stream_of(forms, few=few, ansi=ansi), chunks) == expected, (forms, chunks)


@pytest.mark.parametrize("kind", CASES)
def test_the_native_engine_gives_the_same(kind: str) -> None:
    """P1 on the native engine."""
    pytest.importorskip("hyperscan")
    make, size, _ = CASES[kind]
    rng = random.Random(kind)
    for _ in range(8):
        forms, data = make(rng, size)
        expected = oracle.mask(data, forms)
        for chunks in ([data], cut(data, rng)):
            stream = stream_of(forms, engine=native_engine())
            assert run(stream, chunks) == expected, (forms, chunks)


@pytest.mark.slow(1)
@pytest.mark.parametrize("kind", CASES)
def test_pauses_show_little_and_hold_nothing(kind: str) -> None:
    """P2, P4: what is held after a read, shown in a pause and masked later follows the rules."""
    make, size, _ = CASES[kind]
    rng = random.Random(kind + " with pauses")
    for case in range(10 * ROUNDS):
        forms, data = make(rng, size)
        data = data[:170]
        stream = stream_of(forms, few=0 if case % 2 else 24)
        follower = oracle.Follower(forms)
        output = b""
        for chunk in cut(data, rng) if case % 3 else bytewise(data[:90]):
            output += stream.feed(chunk)
            follower.feed(chunk)
            assert (stream.held, output) == (follower.held, follower.output), (forms, data)
            if rng.random() < 0.4 or case % 3 == 0:
                output += stream.flush()
                follower.idle()
                assert (stream.held, output) == (0, follower.output), (forms, data)
        output += stream.flush()
        follower.idle()
        assert output == follower.output, (forms, data)
        if all(b"\n" not in form and b"\r" not in form for form in forms):
            assert follower.most_shown() <= 0, (forms, data)


small = st.sampled_from((b"a", b"b", b"ab", b"\n", b" ", b"\x00", b"\xff"))
texts = st.lists(small, max_size=24).map(b"".join)
secrets = st.lists(texts.map(bytes.strip).filter(bool), min_size=1, max_size=4)


@settings(derandomize=True, database=None)
@given(forms=secrets, chunks=st.lists(texts, max_size=5))
def test_cuts_found_by_hypothesis(forms: list[bytes], chunks: list[bytes]) -> None:
    """P1 once more, with the cases Hypothesis thinks of."""
    assert run(stream_of(forms), chunks) == oracle.mask(b"".join(chunks), forms)


@settings(derandomize=True, database=None)
@given(data=st.binary(max_size=80), pauses=st.lists(st.integers(0, 80), max_size=5))
def test_without_secrets_nothing_changes(data: bytes, pauses: list[int]) -> None:
    """P7: input without secrets comes out byte for byte, with pauses and without."""
    stream = stream_of([b"0123456789 not in there"])
    out = b""
    for number, byte in enumerate(bytewise(data)):
        out += stream.feed(byte)
        if number in pauses:
            out += stream.flush()
    assert out + stream.flush() == data


@pytest.mark.parametrize(
    ("forms", "data", "expected"),
    [
        pytest.param([b"abcdefgh"], b"x abcdefgh y", b"x *** y", id="plain"),
        pytest.param([b"abcd", b"cdef"], b"-abcdef-", b"-***-", id="overlap"),
        pytest.param([b"abcdefgh", b"cdef"], b"-abcdefgh-", b"-***-", id="inside"),
        pytest.param([b"foo", b"foobar"], b"foobar foo", b"*** ***", id="prefix-of-another"),
        pytest.param([b"abab"], b"-ababab-", b"-***-", id="overlaps-itself"),
        pytest.param([b"abcd", b"efgh"], b"-abcdefgh-", b"-***-", id="touching-is-one"),
        pytest.param([b"abcd"], b"abcdabcd abcd", b"*** ***", id="touching-itself"),
        pytest.param([b"***"], b"a***b", b"a***b", id="the-token-itself"),
        pytest.param([b"a*", b"bcde"], b"a*bcde", b"***", id="token-is-not-rescanned"),
        pytest.param([b"\0ab\0cd"], b"\0ab\0cd\0", b"***\0", id="nul"),
        pytest.param([b"\xff\xfe\xfd"], b"\xc3\xff\xfe\xfd\xa9", b"\xc3***\xa9", id="no-utf-8"),
        pytest.param([b"abcdefgh"], b"\x1b[31mabcdefgh\r", b"\x1b[31m***\r", id="esc-and-cr"),
        pytest.param([b"ab\ncd"], b"ab\r\n  cd", b"***", id="lines-crlf-indented"),
        pytest.param([b"ab\ncd"], b"ab cd ab" + b" " * 256 + b"cd", b"*** ***", id="lines-spaces"),
        pytest.param(
            [b"ab\ncd"],
            b"ab" + b" " * 257 + b"cd",
            b"ab" + b" " * 257 + b"cd",
            id="line-end-too-wide",
        ),
        pytest.param([b"ab\ncd"], b"abcd", b"abcd", id="no-line-end"),
    ],
)
def test_union(forms: list[bytes], data: bytes, expected: bytes) -> None:
    """P5, P6, P7, P14a: all occurrences as a union, one token a run, other bytes untouched."""
    assert run(stream_of(forms), [data]) == expected
    assert run(stream_of(forms, few=0), bytewise(data)) == expected
    assert oracle.mask(data, forms) == expected


@pytest.mark.parametrize(
    ("data", "held"),
    [
        pytest.param(b"progress...", 0, id="starts-nothing"),
        pytest.param(b"line\n", 0, id="line-end"),
        pytest.param(b"password: s", 1, id="one-byte"),
        pytest.param(b"password: secret-to", 9, id="prefix"),
        pytest.param(b"secret-token1234 s", 1, id="after-a-match"),
        pytest.param(b"sssss", 1, id="only-the-longest"),
        pytest.param(b"secret-token12345", 0, id="whole"),
        pytest.param(b"first line", 0, id="a-line-that-stands-alone"),
    ],
)
def test_held(data: bytes, held: int) -> None:
    """P2: only what may be the beginning of a secret is held, and never a line."""
    stream = stream_of([b"secret-token12345", b"first line\nsecond", b"first line"])
    stream.feed(data)
    assert stream.held == held


@pytest.mark.parametrize(
    ("form", "there", "shown"),
    [
        pytest.param(b"abcd", 1, True, id="4-shows-1"),
        pytest.param(b"abcd", 2, False, id="4-hides-2"),
        pytest.param(b"abcdefgh", 2, True, id="8-shows-2"),
        pytest.param(b"abcdefgh", 3, False, id="8-hides-3"),
        pytest.param(b"abcdefghijkl", 3, True, id="12-shows-3"),
        pytest.param(b"abcdefghijkl" * 9, 4, False, id="108-hides-4"),
        pytest.param(b"abcdefghijkl" * 9, 40, False, id="108-hides-40"),
        pytest.param(b"abc", 1, False, id="3-shows-none"),
    ],
)
def test_reveal_limit(form: bytes, there: int, shown: bool) -> None:
    """P4: a pause inside a secret shows at most min(3, a quarter) of it, and the rest never."""
    stream = stream_of([form])
    assert stream.feed(b"> " + form[:there]) == b"> "
    assert stream.flush() == (form[:there] if shown else b"***")
    rest = stream.feed(form[there:] + b"!") + stream.flush()
    assert rest == (b"***!" if shown else b"!")


def test_one_byte_a_pause_shows_three() -> None:
    """P4: a secret that comes one byte a pause shows three bytes and one mask."""
    form = b"0123456789abcdef-0123456789"
    stream = stream_of([form])
    shown = b"".join(stream.feed(byte) + stream.flush() for byte in bytewise(form + b"$"))
    assert shown == b"012***$"


def test_masked_in_a_pause_stays_masked() -> None:
    """P4: what a pause masked is not shown when it turns out to be something else."""
    stream = stream_of([b"abcdefghijkl"])
    stream.feed(b"abcdef")
    assert stream.flush() == b"***"
    assert stream.feed(b"XY") == b"XY"


PEM = (
    b"-----BEGIN RSA PRIVATE KEY-----\n"
    b"MIIEowIBAAKCAQEA\nq83vEjRWeJqrze8S\n"
    b"-----END RSA PRIVATE KEY-----"
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"-----BEGIN ", b"-----BEGIN ", id="armour-begun"),
        pytest.param(PEM[:31], PEM[:31], id="armour"),
        pytest.param(PEM[:31] + b"\r\n  ", PEM[:31] + b"\r\n  ", id="armour-and-line-end"),
        pytest.param(PEM[:35], PEM[:35], id="three-bytes-after-armour"),
        pytest.param(PEM[:36], b"***", id="four-bytes-after-armour"),
        pytest.param(PEM, b"***", id="whole"),
    ],
)
def test_pem_armour_is_public(data: bytes, expected: bytes) -> None:
    """P4: PEM armour does not count as part of the secret that a pause may show."""
    assert run(stream_of([PEM]), [data]) == expected
    assert run(stream_of([PEM]), bytewise(data)) == expected
    assert oracle.mask(data, [PEM]) == expected
    stream = stream_of([PEM])
    assert stream.feed(b"key: " + data) + stream.flush() == b"key: " + expected


def test_many_secrets_that_begin_alike() -> None:
    """Hundreds of tokens with one header are told apart, also when they come byte by byte."""
    header = b"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOi"
    tokens = [header + b"%05d" % number + b"x" * (number % 7) for number in range(300)]
    data = b" ".join([*tokens[::50], header + b"99999", header])
    expected = b" ".join([b"***"] * 6 + [header + b"99999"]) + b" ***"
    assert run(stream_of(tokens), [data]) == expected
    assert run(stream_of(tokens), bytewise(data)) == expected


def test_needles_added_one_by_one_are_all_found() -> None:
    """An index that grew by single needles finds what one built at once finds."""
    rng = random.Random(7)
    forms = [bytes(rng.choices(b"abc", k=rng.choice((5, 9, 16, 24, 40)))) for _ in range(200)]
    data = bytes(rng.choices(b"abc", k=60)) + b"".join(forms[::20])
    grown = stream_of([])
    for form in forms:
        grown._index.add([("secret", "literal", form)])
    assert run(grown, cut(data, rng)) == run(stream_of(forms), [data])


def test_memory_is_bounded() -> None:
    """P20: the buffer never keeps more than the longest unfinished secret."""
    form = b"ab" * 400 + b"c"
    stream = stream_of([form])
    for _ in range(200):
        stream.feed(b"ab" * 50)
        assert len(stream._data) < len(form)
    assert len(stream._search._candidates) <= len(form)


@pytest.mark.parametrize("few", [0, 24])
@pytest.mark.parametrize("size", [0, 1, 4_000, 5_000, 70_000])
def test_large_reads_after_what_is_held(size: int, few: int) -> None:
    """P1: wherever a read ends inside a secret, the next one, however large, completes it."""
    forms = [b"hunter22-s3cret-and-more", b"and-more!"]
    rest = b" " + b"." * size + b" <hunter22-s3cret-and-more> hunter22-s3"
    for at in range(len(forms[0]) + 1):
        stream = stream_of(forms, few=few)
        chunks = [b"\n" + forms[0][:at], forms[0][at:] + rest, b"cret-and-more!"]
        output = b"".join([*map(stream.feed, chunks), stream.flush()])
        assert output == b"\n*** " + b"." * size + b" <***> ***"
