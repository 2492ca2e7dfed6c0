"""P20: how often what has come is searched does not grow with what is held."""

from __future__ import annotations

from collections.abc import Sequence

from calamari_py.masking import Masker, SecretRegistry
from calamari_py.masking.engine import GramEngine, Hit

PIECE = 64


class Counting(GramEngine):
    """Counts the bytes that it is given to search."""

    searched = 0

    def scan(self, data: bytes, start: int) -> list[Hit]:
        self.searched += len(data) - start
        return super().scan(data, start)


def searched(lines: Sequence[bytes]) -> int:
    """Bytes searched while a secret of `lines`, all of it held to its end, comes in small reads."""
    engine = Counting()
    registry = SecretRegistry(engine=lambda: engine, ansi_aware=False)
    registry.add(b"\n".join(lines), name="store")
    masker = Masker(registry)
    data = b"\r\n".join(lines) + b"."
    out = [masker.feed(data[at : at + PIECE]) for at in range(0, len(data), PIECE)]
    assert b"".join([*out, masker.close()]) == b"***."
    return engine.searched


def test_what_is_held_is_not_searched_again() -> None:
    """Eight times the secret, held eight times as long: eight times the work, not sixty-four."""
    lines = [b"%06d-%s" % (number, b"k" * 57) for number in range(800)]
    assert searched(lines) < 10 * searched(lines[:100])
