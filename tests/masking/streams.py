"""How tests drive a stream of the masker with forms they choose."""

from __future__ import annotations

import random
from collections.abc import Iterable

from calamari_py.masking import Masker, SecretRegistry
from calamari_py.masking.engine import Engine, GramEngine
from calamari_py.masking.index import NeedleIndex
from calamari_py.masking.native import NativeEngine
from calamari_py.masking.stream import MaskStream
from tests.masking.oracle import Wrapped


def native_engine() -> Engine:
    """The native engine, compiled before its first search."""
    return NativeEngine(after=0, start=lambda work: work())


def index_of(
    forms: Iterable[bytes], *, engine: Engine | None = None, ansi: bool = True
) -> NeedleIndex:
    """An index of exactly `forms`, each the only one of a secret that is named by its number."""
    index = NeedleIndex(engine or GramEngine(), ansi_aware=ansi)
    index.add(
        (str(number), "base64" if isinstance(form, Wrapped) else "literal", bytes(form))
        for number, form in enumerate(forms)
    )
    return index


def stream_of(
    forms: Iterable[bytes], *, few: int = 24, engine: Engine | None = None, ansi: bool = True
) -> MaskStream:
    """A stream that looks for exactly `forms`; ``few=0`` forces the search by words."""
    return MaskStream(index_of(forms, engine=engine or GramEngine(few), ansi=ansi))


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
    return cut_in(data, rng, rng.randint(0, 6))


def cut_in(data: bytes, rng: random.Random, cuts: int) -> list[bytes]:
    """The pieces of `data` between so many cuts."""
    places = sorted(rng.randint(0, len(data)) for _ in range(cuts))
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


SEQUENCES = (
    *(b"\x1b[m", b"\x1b[0m", b"\x1b[K", b"\x1b[01;31m\x1b[K", b"\x1b[38;5;196m", b"\x1b[?25l"),
    *(b"\x1b(B", b"\x1b=", b"\x1b[ q", b"\x1bM", b"\x1b]0;a b\x07", b"\x1b]8;;http://ab\x1b\\"),
    *(b"\x1b]8;;\x1b\\", b"\x1bP1ab\x1b\\", b"\x1b[4:3m\x1b]8;;\x07"),
)
BROKEN_SEQUENCES = (
    b"\x1b",
    b"\x1b[",
    b"\x1b[3",
    b"\x1b]ab",
    b"\x1b(",
    b"\x1b[a\n",
    b"\x1b\x1b",
    b"\x1b]a\n",
)


def coloured(data: bytes, rng: random.Random, *, most: int = 8) -> bytes:
    """`data` with escape sequences in it, a few of them broken off."""
    parts = cut_in(data, rng, rng.randint(0, most))
    out = [parts[0]]
    for part in parts[1:]:
        kinds = BROKEN_SEQUENCES if rng.random() < 0.1 else SEQUENCES
        out += (rng.choice(kinds), part)
    return b"".join(out)


def some_wrapped_forms(rng: random.Random, alphabet: bytes) -> list[bytes]:
    """One to four long forms, or a crowd that begins alike; one may be inside another, one does
    not wrap."""
    forms: list[bytes] = []
    if rng.random() < 0.1:
        header = bytes(rng.choices(alphabet, k=rng.choice((16, 20, 40, 90))))
        return [Wrapped(header + bytes(rng.choices(alphabet, k=50))) for _ in range(12)]
    for _ in range(rng.randint(1, 4)):
        form = bytes(rng.choices(alphabet, k=rng.choice((60, 61, 75, 80, 130, 200))))
        if forms and rng.random() < 0.3:
            form = forms[0][: rng.randint(1, 60)] + form
        forms.append(Wrapped(form) if rng.random() < 0.9 else form)
    if rng.random() < 0.3:
        forms.append(forms[0][8:24])
    return forms


def wrapped(form: bytes, rng: random.Random) -> bytes:
    """`form` in lines, as an encoder would, or nearly so, write it."""
    columns = rng.choice((60, 60, 64, 76, 59, 61))
    first = rng.choice((columns, rng.randint(1, 20), rng.randint(1, columns)))
    line_end = rng.choice((b"\n", b"\n", b"\r\n", b"\n  ", b"\n\t", b"\r\r\n", b" ", b" \n"))
    lines = [form[:first]]
    lines += [form[at : at + columns] for at in range(first, len(form), columns)]
    return line_end.join(lines)


def some_wrapped_data(rng: random.Random, alphabet: bytes, forms: list[bytes]) -> bytes:
    """Forms in lines, whole and in part, with noise around them."""
    parts: list[bytes] = []
    for _ in range(rng.randint(1, 3)):
        form = rng.choice(forms)
        text = wrapped(form, rng)
        kind = rng.randrange(6)
        if kind == 0:
            text = text[: rng.randint(0, len(text))]
        elif kind == 1:
            text = text[rng.randint(0, 20) :]
        parts += (bytes(rng.choices(alphabet + b" \n", k=rng.randint(0, 5))), text)
    return b"".join(parts)
