"""The masker of one stream: secrets that come late, several streams, and faults inside."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from calamari_py.masking import MASK, Masker, SecretRegistry
from calamari_py.masking.engine import Engine, GramEngine
from tests.masking.streams import bytewise, registry_of, through


def test_a_secret_added_while_its_bytes_are_held() -> None:
    """P15, L11: what is held is compared with secrets that were added meanwhile."""
    registry = registry_of("hunter22-long")
    masker = Masker(registry)
    assert masker.feed(b"x hunter22") == b"x "
    registry.add("hunter22", name="late")
    assert masker.idle() == b"***"
    assert masker.feed(b" y") == b" y"


@pytest.mark.parametrize("last", ["feed", "idle", "close"])
def test_every_call_sees_new_secrets(last: str) -> None:
    """P15: whichever call comes next, it knows the secrets of that moment."""
    registry = registry_of("ab-hunter22-long")
    masker = Masker(registry)
    assert masker.feed(b"ab-hunter22") == b""
    registry.add("-hunter22", name="late")
    calls = {
        "feed": lambda: masker.feed(b"!") + masker.close(),
        "idle": lambda: masker.idle() + masker.feed(b"!"),
        "close": lambda: masker.close() + b"!",
    }
    expected = b"***!" if last != "feed" else b"ab***!"
    assert calls[last]() == expected


def test_what_was_shown_stays_context_when_secrets_come() -> None:
    """P4, P15: a new secret does not make the masker forget what a pause has shown."""
    registry = registry_of("0123456789abcdef")
    masker = Masker(registry)
    masker.feed(b"012")
    assert masker.idle() == b"012"
    registry.add("other-secret", name="late")
    assert masker.feed(b"3456789abcdef other-secret.") == b"*** ***."


def test_a_secret_declared_on_one_stream_is_masked_on_the_other() -> None:
    """P16, L13: a secret that is in the registry before a feed is masked on every stream."""
    registry = SecretRegistry()
    leaks = 0
    for number in range(1000):
        one, two = Masker(registry), Masker(registry)
        value = f"token-{number:04d}-xyz".encode()
        one.feed(b"declared\n")
        registry.add(value, name="t")
        out = two.feed(b"use " + value) + one.feed(value) + two.close() + one.close()
        leaks += out != b"use ******"
    assert leaks == 0


def test_streams_do_not_mix() -> None:
    """P7: what one stream holds never comes out of another."""
    registry = registry_of("abcdefghijkl")
    one, two = Masker(registry), Masker(registry)
    assert one.feed(b"1abc") == b"1"
    assert two.feed(b"2abcdefg") == b"2"
    assert (one.held, two.held) == (3, 7)
    assert (one.close(), two.close()) == (b"abc", b"***")


def test_close_twice() -> None:
    """`close` gives the rest once; a pause after it gives nothing."""
    masker = Masker(registry_of("hunter22"))
    masker.feed(b"hu")
    assert masker.close() == b"hu"
    assert (masker.close(), masker.idle(), masker.held) == (b"", b"", 0)


def test_end_inside_a_secret() -> None:
    """L10: a stream that ends inside a secret does not show it."""
    assert through(registry_of("hunter22-and-more"), [b"pw hunter22-and-mor"]) == b"pw ***"


class Faulty:
    """An engine that fails at a chosen call of `scan` or `build`."""

    def __init__(self, *, scan: int = 0, build: int = 0, error: BaseException) -> None:
        self._engine = GramEngine()
        self._scan = scan
        self._build = build
        self._error = error

    def build(self, heads: Sequence[bytes]) -> None:
        """Fail at the chosen call."""
        self._build -= 1
        if self._build == 0:
            raise self._error
        self._engine.build(heads)

    def scan(self, data: bytes, start: int) -> Sequence[tuple[int, bytes]]:
        """Fail at the chosen call."""
        self._scan -= 1
        if self._scan == 0:
            raise self._error
        return self._engine.scan(data, start)


def faulty_registry(engine: Engine) -> SecretRegistry:
    """A registry with one secret on `engine`."""
    registry = SecretRegistry(engine=lambda: engine)
    registry.add("hunter22-hunter22", name="x")
    return registry


@pytest.mark.parametrize("call", range(1, 6))
@pytest.mark.parametrize(
    "error", [RuntimeError("hunter22"), MemoryError(), ValueError("x")], ids=repr
)
def test_a_fault_withholds_the_stream(call: int, error: Exception) -> None:
    """P17: from a fault on, nothing of the stream is given out and every byte is counted."""
    masker = Masker(faulty_registry(Faulty(scan=call, error=error)))
    data = b"abc hunter22-h hunter22-hunter22 end"
    chunks = [data[:10], data[10:20], data[20:28], data[28:30], data[30:]]
    before = b"".join(map(masker.feed, chunks[: call - 1]))
    held = masker.held
    assert masker.fault is None
    assert masker.feed(chunks[call - 1]) == b""
    assert masker.fault == type(error).__name__
    assert masker.withheld == held + len(chunks[call - 1])
    assert [masker.feed(b"xyz"), masker.idle(), masker.close(), masker.close()] == [b""] * 4
    assert masker.withheld == held + len(chunks[call - 1]) + 3
    assert masker.held == 0
    assert b"hunter22" not in before.replace(b"hunter22-h ", b"")


@pytest.mark.parametrize("call", range(1, 5))
def test_a_fault_in_either_view_withholds_the_stream(call: int) -> None:
    """P17: it does not matter whether the data or their text without escapes are searched."""
    masker = Masker(faulty_registry(Faulty(scan=call, error=RuntimeError())))
    out = b"".join(masker.feed(b"\x1b[1mhunter22\x1b[m-hunter22 ") for _ in range(2))
    assert masker.fault == "RuntimeError"
    assert out == (b"" if call <= 2 else b"\x1b[1m*** ")
    assert masker.close() == b""


@pytest.mark.parametrize("act", ["idle", "close"])
def test_a_fault_in_a_pause_or_at_the_end(act: str) -> None:
    """P17: what is held when a pause or the end fails is withheld too."""
    registry = faulty_registry(Faulty(scan=2, error=RuntimeError()))
    masker = Masker(registry)
    assert masker.feed(b"x hunter22") == b"x "
    registry.add("another-secret", name="y")
    assert (masker.idle() if act == "idle" else masker.close()) == b""
    assert (masker.fault, masker.withheld) == ("RuntimeError", 8)
    assert masker.feed(b"hunter22") == b""


def test_a_fault_while_preparing_stops_everything() -> None:
    """P17: when secrets could not be prepared, no later call shows anything, on any stream."""
    registry = faulty_registry(Faulty(build=2, error=MemoryError()))
    early = Masker(registry)
    assert early.feed(b"hello\n") == b"hello\n"
    registry.add("another-secret", name="y")
    assert registry.mask_text("hello") == MASK
    assert registry.mask_bytes(b"hello") == b"***"
    assert registry.holds_secret("hello")
    late = Masker(registry)
    assert (early.feed(b"another-secret"), late.feed(b"hello")) == (b"", b"")
    assert (early.withheld, late.withheld) == (14, 5)
    assert early.fault == late.fault == "InternalError"


def test_an_interrupt_passes_and_withholds() -> None:
    """P17: a KeyboardInterrupt inside is not swallowed, and the stream stays closed after it."""
    masker = Masker(faulty_registry(Faulty(scan=1, error=KeyboardInterrupt())))
    with pytest.raises(KeyboardInterrupt):
        masker.feed(b"hello")
    assert (masker.fault, masker.withheld) == ("interrupted", 5)
    assert masker.feed(b"hello") == b""


def test_whole_values_withhold_on_a_fault() -> None:
    """P17: a text that could not be masked is shown as the mask alone."""
    for call in (1, 2):
        registry = faulty_registry(Faulty(scan=call, error=RuntimeError()))
        texts = [str(registry.mask_text("hello")) for _ in range(3)]
        assert texts.count(MASK) == 1
        assert texts[call - 1] == MASK


@pytest.mark.slow(1)
def test_a_large_secret_in_small_writes() -> None:
    """P20: a key store of 200 KB that comes in small writes is followed, not searched again."""
    lines = [b"%06d-%s" % (number, b"k" * 57) for number in range(3000)]
    registry = registry_of(b"\n".join(lines))
    masker = Masker(registry)
    data = b"begin " + b"\r\n".join(lines) + b" end"
    out = [masker.feed(data[at : at + 64]) for at in range(0, len(data), 64)]
    assert b"".join([*out, masker.close()]) == b"begin *** end"


def test_bytewise_and_whole_agree_over_many_secrets() -> None:
    """P1 with real forms: hundreds of secrets, every one planted, whole and byte by byte."""
    values = [f"s3cr3t/{number:03d}+{'x' * (number % 30)}" for number in range(120)]
    registry = registry_of(*values)
    data = " ".join(f"{value} {value.encode().hex()} {value[:5]}" for value in values).encode()
    whole = registry.mask_bytes(data)
    assert through(registry, bytewise(data)) == whole
    assert whole.startswith(b"*** *** s3cr3 *** ***")
    assert whole.count(b"***") == 2 * len(values) + 1
