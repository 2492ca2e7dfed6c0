"""How tests drive a stream of the masker with forms they choose."""

from __future__ import annotations

import random
from collections.abc import Iterable

from calamari_py.masking import Masker, SecretRegistry
from calamari_py.masking.engine import GramEngine
from calamari_py.masking.index import NeedleIndex
from calamari_py.masking.stream import MaskStream


def stream_of(forms: Iterable[bytes], *, few: int = 24) -> MaskStream:
    """A stream that looks for exactly `forms`; ``few=0`` forces the search by words."""
    index = NeedleIndex(GramEngine(few))
    index.add(forms)
    return MaskStream(index)


def registry_of(*values: bytes | str) -> SecretRegistry:
    """A registry of `values`, named s0, s1, …"""
    registry = SecretRegistry()
    for number, value in enumerate(values):
        registry.add(value, name=f"s{number}")
    return registry


def through(registry: SecretRegistry, chunks: Iterable[bytes]) -> bytes:
    """What comes out of a masker that is fed `chunks` and closed."""
    masker = Masker(registry)
    return b"".join([*(masker.feed(chunk) for chunk in chunks), masker.close()])


def bytewise(data: bytes) -> list[bytes]:
    """One write a byte."""
    return [data[at : at + 1] for at in range(len(data))]


def cut(data: bytes, rng: random.Random) -> list[bytes]:
    """Some writes, some of them empty."""
    places = sorted(rng.randint(0, len(data)) for _ in range(rng.randint(0, 6)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


ALPHABETS = {
    2: b"ab",
    3: b"ab\n",
    4: b"abc ",
    13: b"abcdef12+/\n\r ",
    256: bytes(range(256)),
}


def some_forms(rng: random.Random, alphabet: bytes) -> list[bytes]:
    """One to six forms: short and long, nested, repeating, over several lines."""
    forms: list[bytes] = []
    while len(forms) < rng.randint(1, 6):
        size = rng.choice((1, 2, 3, 4, 5, 7, 8, 12, 17, 33))
        kind = rng.randrange(5)
        form = bytes(rng.choices(alphabet, k=size))
        if kind == 0 and forms:
            base = rng.choice(forms)
            form = base[rng.randint(0, len(base) // 2) :] + form
        elif kind == 1:
            form = form[: rng.randint(1, 3)] * rng.randint(2, 12) + form[-1:]
        elif kind == 2:
            form = form + b"\n" + bytes(rng.choices(alphabet, k=size))
        if form := form.strip():
            forms.append(form)
    return forms


def some_data(rng: random.Random, alphabet: bytes, forms: list[bytes]) -> bytes:
    """Noise, whole forms, pieces of forms, other line ends; sometimes cut short at the end."""
    parts: list[bytes] = []
    for _ in range(rng.randint(1, 6)):
        form = rng.choice(forms)
        kind = rng.randrange(5)
        if kind == 0:
            parts.append(bytes(rng.choices(alphabet, k=rng.randint(0, 12))))
        elif kind == 1:
            parts.append(form)
        elif kind == 2:
            parts.append(form[: rng.randint(0, len(form))])
        elif kind == 3:
            parts.append(form[rng.randint(0, len(form)) :])
        else:
            parts.append(form.replace(b"\n", rng.choice((b"\r\n", b" ", b"\n\n    ", b"\r\r\n"))))
    return b"".join(parts)
