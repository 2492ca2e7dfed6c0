"""What the masking benchmark searches: secrets of several kinds, logs, and inputs made to hurt."""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from typing import NamedTuple

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ALPHANUMERIC = _LETTERS.upper() + _LETTERS + "0123456789"
_BASE64 = _ALPHANUMERIC + "+/"
_PUNCTUATED = _BASE64 + "!\"#$%&'()*,-.:;<=>?@[]^_`{|}~"
_HEX = "0123456789abcdef"
_COLOURS = (31, 32, 33, 36)


def make_secrets(count: int) -> Sequence[str]:
    """The first `count` of a fixed mix: half look like AWS's secret keys, the others like hashes,
    passwords with punctuation, tokens and database addresses."""
    source = random.Random(4711)
    return [_secret(source, number) for number in range(count)]


def _secret(source: random.Random, number: int) -> str:
    def of(alphabet: str, size: int) -> str:
        return "".join(source.choices(alphabet, k=size))

    match number % 10:
        case 1:
            return of(_HEX, 32)
        case 3:
            return of(_PUNCTUATED, 20)
        case 5:
            return f"ghp_{of(_ALPHANUMERIC, 36)}"
        case 7:
            return of(_HEX, 64)
        case 9:
            return f"postgres://{of(_LETTERS, 6)}:{of(_ALPHANUMERIC, 16)}@db-{number}.internal/app"
    return of(_BASE64, 40)


def make_log(size: int, *, planted: int = 1000, coloured: int = 0, secrets: int = 1) -> bytes:
    """About `size` bytes of build log in lines of some 130 bytes: one in `planted` holds a secret
    (none when it is 0), `coloured` of a hundred hold terminal colours."""
    source = random.Random(1147)
    values = make_secrets(secrets)
    words = ["".join(source.choices(_LETTERS, k=length)) for length in range(2, 14)] * 3
    words += ["12:04:17", "/usr/lib/app", "https://example.com/x?y=1", "[INFO]", "id=7f3a9c", "{}"]
    lines = []
    for number in range(10_000):
        words_of_line = source.choices(words, k=16)
        if source.randrange(100) < coloured:
            for place in source.sample(range(16), 4):
                colour = source.choice(_COLOURS)
                words_of_line[place] = f"\x1b[1;{colour}m{words_of_line[place]}\x1b[0m"
        line = " ".join(words_of_line)
        if planted and number % planted == 0:
            line = f"{line[:85]} token={values[number // planted % len(values)]}"
        lines.append(line)
    block = ("\n".join(lines) + "\n").encode()
    return (block * (size // len(block) + 1))[:size]


class Degenerate(NamedTuple):
    """Secrets and an input that a careless search needs quadratic time for."""

    name: str
    secrets: Sequence[str]
    data: bytes
    chunk: int = 65_536


def degenerate_inputs() -> Sequence[Degenerate]:
    """One of each kind."""
    source = random.Random(99)
    nested = "".join(source.choices(_LETTERS, k=400))
    header = base64.urlsafe_b64encode(b'{"alg":"RS256","typ":"JWT","kid":"0123456789"}').decode()
    tokens = [f"{header}.{''.join(source.choices(_ALPHANUMERIC, k=200))}" for _ in range(1000)]
    urls = [f"https://{''.join(source.choices(_LETTERS, k=30))}.example.com/" for _ in range(100)]
    lines = ["".join(source.choices(_BASE64, k=64)) for _ in range(200_000 // 65)]
    key = "\n".join(lines)
    log = make_log(1_000_000, planted=0)
    return (
        Degenerate("a*4096+b over a*1MB", ["a" * 4096 + "b"], b"a" * 1_000_000),
        Degenerate("ab*500+c over ab*1MB", ["ab" * 500 + "c"], b"ab" * 500_000),
        Degenerate(
            "100 nested prefixes over the longest",
            [nested[: 4 * number] for number in range(1, 101)],
            nested.encode() * 2500,
        ),
        Degenerate(
            "head common in the log (https://)", urls, log.replace(b"12:04:17", b"https://")
        ),
        Degenerate(
            "1000 JWTs with one header, one a line",
            tokens,
            "\n".join(source.choices(tokens, k=4000)).encode(),
        ),
        Degenerate("200 KB multi-line secret in 64-byte writes", [key], key.encode(), 64),
        Degenerate("a*64+newline+b over newlines", ["a" * 64 + "\n" + "b" * 64], b"a\n" * 100_000),
        Degenerate(
            "newlines after the first line",
            ["a" * 64 + "\n" + "b" * 64],
            (b"a" * 64 + b"\n" * 300) * 2000,
        ),
        Degenerate(
            "every second word coloured", make_secrets(100), b"\x1b[32mok\x1b[0m word " * 50_000
        ),
        Degenerate("nothing but escape sequences", make_secrets(100), b"\x1b[0m" * 250_000),
        Degenerate("an endless escape sequence", make_secrets(100), b"\x1b[" + b"0;" * 500_000),
        Degenerate("0 for ever, a secret of zeroes", ["0" * 40], b"0" * 1_000_000),
        Degenerate("small writes of words", make_secrets(100), make_log(200_000, planted=0), 16),
    )
