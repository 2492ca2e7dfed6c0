"""Every engine against the naive search, and how the native one takes over from the other."""

from __future__ import annotations

import importlib
import platform
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from calamari_py.masking.engine import Engine, GramEngine
from calamari_py.masking.native import Database, IncompleteError, NativeEngine, Work

ROOT = Path(__file__).parents[2]
ALWAYS_THERE = sys.platform == "linux" and platform.machine() in {"x86_64", "aarch64"}


def at_once() -> NativeEngine:
    """Compiles before the first search, in this thread."""
    if not ALWAYS_THERE:
        pytest.importorskip("hyperscan")
    return NativeEngine(after=0, start=lambda work: work())


ENGINES = {
    "words": lambda: GramEngine(0),
    "few-words": lambda: GramEngine(3),
    "gram": GramEngine,
    "hyperscan": at_once,
    "hyperscan-not-yet": lambda: NativeEngine(start=lambda work: None, after=0),
}
every_engine = pytest.mark.parametrize("make", ENGINES.values(), ids=ENGINES)


def naive(heads: set[bytes], data: bytes, start: int) -> list[tuple[int, bytes]]:
    """Every place of every head, tried one by one."""
    places = range(start, len(data))
    return sorted((at, head) for at in places for head in heads if data.startswith(head, at))


def random_heads(rng: random.Random, alphabet: bytes) -> set[bytes]:
    """Twenty heads of all sizes."""
    sizes = rng.choices((1, 2, 3, 4, 5, 6, 7, 8, 11, 14, 15, 16, 17, 23, 32, 64, 512), k=20)
    return {bytes(rng.choices(alphabet, k=size)) for size in sizes}


def random_data(rng: random.Random, heads: set[bytes]) -> bytes:
    """Heads, one after the other, and what may join two of them to a third."""
    return b"".join([rng.choice([*heads, b"", b"a", b"bcd"]) for _ in range(25)])


@pytest.mark.slow(1)
@every_engine
@pytest.mark.parametrize("alphabet", [b"ab", b"abcdefgh", bytes(range(256))], ids=len)
def test_finds_what_is_there(make: Callable[[], Engine], alphabet: bytes) -> None:
    """Every head is found at every place, once, whatever its length and the alignment."""
    rng = random.Random(len(alphabet))
    for _ in range(25):
        heads = random_heads(rng, alphabet)
        data = random_data(rng, heads)
        engine = make()
        first = sorted(heads)[:5]
        engine.build(first)
        start = rng.randint(0, 20)
        assert sorted(engine.scan(data, start)) == naive(set(first), data, start)
        engine.build([head for head in heads if head not in first])
        assert sorted(engine.scan(data, start)) == naive(heads, data, start)


@every_engine
@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"ab\0cd-and-so-on", id="nul-inside"),
        pytest.param(b"\0\0\0\0leading", id="nul-first"),
        pytest.param(b"one\ntwo\r\nthree", id="line-ends"),
        pytest.param(b".*(?i)[^a]$|\\x41", id="looks-like-an-expression"),
        pytest.param(b"\xff\xfe\xc3\x28\x80", id="no-utf-8"),
        pytest.param(b"x" * 15 + b"y", id="repeated-then-other"),
        pytest.param(b"y" + b"x" * 15, id="repeated-at-the-end"),
        pytest.param(b"AbCd" * 4, id="upper-and-lower"),
    ],
)
def test_bytes_mean_themselves(make: Callable[[], Engine], head: bytes) -> None:
    """No byte of a head has a meaning of its own, and none ends it."""
    engine = make()
    engine.build([head])
    for data in (head, b"ab" + head + head + b"\0", head.swapcase(), head[:-1], head * 3):
        assert sorted(engine.scan(data, 0)) == naive({head}, data, 0)


@every_engine
@pytest.mark.parametrize("data", [b"", b"a", b"abcdefg"])
def test_short_data(make: Callable[[], Engine], data: bytes) -> None:
    """Data shorter than a word holds no long head and raises nothing."""
    engine = make()
    engine.build([b"0123456789abcdef", b"01234567", b"0123"])
    assert engine.scan(data, 0) == []
    assert engine.scan(data, len(data)) == []


class Later:
    """Work that is done when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Work] = []

    def __call__(self, work: Work) -> None:
        self.waiting.append(work)

    def do(self) -> None:
        """Everything that waits."""
        while self.waiting:
            self.waiting.pop(0)()


@pytest.mark.slow(1)
@pytest.mark.parametrize("largest", [25, 100_000])
@pytest.mark.parametrize("seed", range(2))
def test_no_head_is_lost_while_databases_come_and_go(seed: int, largest: int) -> None:
    """Whenever heads are added and whenever a compilation ends, every search finds all of them."""
    at_once()
    rng = random.Random(seed)
    alphabet = rng.choice((b"abc", b"abcdefgh"))
    later = Later()
    engine = NativeEngine(after=50, largest=largest, start=later)
    heads: set[bytes] = set()
    for _ in range(60):
        entering = random_heads(rng, alphabet) if rng.random() < 0.1 else {rng.randbytes(9)}
        entering -= heads
        heads |= entering
        engine.build(sorted(entering))
        data = random_data(rng, heads)
        assert sorted(engine.scan(data, 0)) == naive(heads, data, 0)
        if rng.random() < 0.5:
            later.do()
    for _ in range(2 + len(heads)):
        later.do()
        engine.scan(b"x" * 60, 0)
    assert engine.settled
    assert max(len(database.heads) for database in engine._databases) <= largest
    assert len(engine._databases) <= max(4, 2 * len(heads) / largest)


def test_little_output_loads_no_library() -> None:
    """Nothing native is touched before some output has been searched."""
    later = Later()
    engine = NativeEngine(after=1000, start=later)
    engine.build([b"hunter22"])
    engine.scan(b"x" * 999, 0)
    assert (later.waiting, engine.settled) == ([], False)
    engine.scan(b"x", 0)
    assert len(later.waiting) == 1
    engine.scan(b"x" * 5000, 0)
    assert len(later.waiting) == 1


def test_only_new_bytes_count() -> None:
    """What is searched again, because a head may have begun in it, is no new output."""
    later = Later()
    engine = NativeEngine(after=1000, start=later)
    engine.build([b"hunter22"])
    for _ in range(10):
        engine.scan(b"x" * 990, 980)
    assert later.waiting == []


def refuses(work: Work) -> None:
    """As `threading.Thread.start` does when the system gives no thread."""
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize(
    ("start", "missing"),
    [
        pytest.param(refuses, False, id="no-thread"),
        pytest.param(lambda work: None, False, id="never-ready"),
        pytest.param(lambda work: work(), True, id="no-library"),
    ],
)
def test_without_a_database_the_other_engine_goes_on(
    start: Callable[[Work], None], missing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no native search, every head is still found, also those that come later."""
    if missing:
        monkeypatch.setitem(sys.modules, "hyperscan", None)
    engine = NativeEngine(after=0, start=start)
    engine.build([b"hunter22"])
    assert engine.scan(b"a hunter22", 0) == [(2, b"hunter22")]
    engine.build([b"password"])
    assert sorted(engine.scan(b"hunter22password", 0)) == [(0, b"hunter22"), (8, b"password")]
    assert not engine.settled


def test_what_the_library_refuses_is_found_by_the_other_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Heads that hyperscan does not compile are not lost."""
    hyperscan = pytest.importorskip("hyperscan")

    class Refusing:
        def __init__(self, **_: object) -> None:
            pass

        def compile(self, **_: object) -> None:
            raise hyperscan.error

    monkeypatch.setattr(hyperscan, "Database", Refusing)
    with pytest.raises(hyperscan.error):
        Database([b"password"])
    engine = at_once()
    engine.build([b"password", b"hunter22"])
    found = sorted(engine.scan(b"hunter22password", 0))
    assert found == [(0, b"hunter22"), (8, b"password")]
    assert not engine.settled


@pytest.mark.parametrize(
    "heads",
    [
        pytest.param([b"a" * 20_000, b"hunter22"], id="long"),
        pytest.param([b"x1password", b"y2password", b"password", b"word"], id="one-end"),
    ],
)
def test_what_is_in_front_of_the_bytes_that_hyperscan_looks_for_counts(heads: list[bytes]) -> None:
    """Heads are found whole and only where all of their bytes are, from `start` on."""
    engine = at_once()
    engine.build(heads)
    data = b"x1password z3password " + b" ".join(heads)
    for start in (0, 1, 2, 3, 25):
        expected = {
            (at, head)
            for head in heads
            for at in range(start, len(data))
            if data.startswith(head, at)
        }
        found = engine.scan(data, start)
        assert set(found) == expected
        assert len(found) == len(expected)
    assert engine.settled


def test_a_database_that_misses_a_head_is_not_used() -> None:
    """Every database has to find its own heads before it is asked for anything else."""
    at_once()

    class Blind(Database):
        def scan(self, data: bytes, start: int, hits: list[tuple[int, bytes]]) -> None:
            super().scan(data, start, hits)
            del hits[:1]

    with pytest.raises(IncompleteError):
        Blind([b"hunter22", b"password"])


@pytest.mark.process
@pytest.mark.parametrize("wait", [0, 0.002, 0.02, 0.1])
def test_a_program_ends_while_a_database_is_compiled(wait: float) -> None:
    """The end of the program waits for no compilation and is not disturbed by it."""
    code = (
        "import random, sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from calamari_py.masking.native import NativeEngine\n"
        "engine = NativeEngine(after=0)\n"
        "engine.build([random.randbytes(16) for _ in range(20_000)])\n"
        "engine.scan(b'x', 0); time.sleep(float(sys.argv[2])); print(time.time()); sys.exit(7)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT), str(wait)], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (7, b"")


@pytest.mark.process
def test_a_real_thread_compiles() -> None:
    """As it is used, the engine gets its database beside the search and finds the same."""
    at_once()
    engine = NativeEngine(after=0)
    engine.build([b"hunter22"])
    for _ in range(1_000_000):
        assert engine.scan(b"a hunter22", 0) == [(2, b"hunter22")]
        if engine.settled:
            break
    assert engine.settled


@pytest.mark.skipif(not ALWAYS_THERE, reason="has a wheel on Linux for x86_64 and aarch64")
def test_the_library_is_there() -> None:
    """Where our packages depend on hyperscan, its absence is a failure and no skip."""
    importlib.import_module("hyperscan")
