"""NativeEngine: hyperscan as soon as there is enough to search, `GramEngine` until then.

A step that writes little is over before a native library is loaded and has compiled its database,
so nothing of it is touched before some output has been searched. It is then compiled in a thread
while the other engine goes on, and taken over between two scans. Heads that come later are found
by the other engine too, until they have a database of their own. No head is ever without one of
the two: where hyperscan cannot be loaded, refuses to compile or misses what it was compiled for,
everything stays as it was, only slower.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from calamari_py.masking.engine import GramEngine, Hit

WORTH_COMPILING = 1 << 17
"""Bytes that are searched with heads of no database before it is made."""
SOUGHT = 8
"""So many bytes, a head's last ones, are what hyperscan looks for: with more it takes twice the
time for both compiling and searching. Heads that begin alike differ at their ends."""
LARGEST = 60_000
"""Heads of one database: compiling takes some 2.5 KB and 0.05 ms for each of them."""
_MANY = 5_000
"""So many heads leave megabytes behind when they are compiled."""
_MERGED = 4
"""A new database takes in the one before it unless that has so many times its heads: two or three
databases are searched hardly slower than one, dozens are."""

_BYTES = tuple(f"\\x{byte:02x}" for byte in range(256))

Work = Callable[[], None]


def _in_thread(work: Work) -> None:
    # A daemon: what is compiled for nothing need not be waited for at the end.
    threading.Thread(target=work, name="masking-engine", daemon=True).start()


class NativeEngine:
    """The engine of choice. When `after` bytes were searched it compiles what has no database yet,
    up to `largest` heads at a time, by handing the work to `start`."""

    def __init__(
        self,
        *,
        after: int = WORTH_COMPILING,
        largest: int = LARGEST,
        start: Callable[[Work], None] = _in_thread,
    ) -> None:
        self._after = after
        self._largest = largest
        self._start = start
        self._databases: list[Database] = []
        self._fresh: list[bytes] = []
        self._grams = GramEngine()
        self._searched = 0
        self._compilation: _Compilation | None = None

    @property
    def settled(self) -> bool:
        """Whether every head has its place in a database."""
        return not self._fresh

    def build(self, heads: Sequence[bytes]) -> None:
        """See `Engine`."""
        self._grams.build(heads)
        self._fresh += heads

    def scan(self, data: bytes, start: int) -> list[Hit]:
        """See `Engine`."""
        hits: list[Hit] = []
        if self._fresh:
            self._go_on(len(data) - start)
        if self._fresh:
            hits = self._grams.scan(data, start)
        for database in self._databases:
            database.scan(data, start, hits)
        return hits

    def _go_on(self, searched: int) -> None:
        """Compile when that is due, and take over what is compiled."""
        self._searched += searched
        if self._compilation is None and self._searched >= self._after:
            self._searched = 0
            self._compile()
        if self._compilation is not None and self._compilation.database is not None:
            self._take_over(self._compilation, self._compilation.database)
            self._compilation = None

    def _compile(self) -> None:
        heads = self._fresh[: self._largest]
        fresh, replaced = len(heads), 0
        for database in reversed(self._databases):
            known = len(database.heads)
            if known > _MERGED * len(heads) or known + len(heads) > self._largest:
                break
            heads += database.heads
            replaced += 1
        self._compilation = _Compilation(heads, fresh=fresh, replaced=replaced)
        # Where no thread can be started the compilation never ends, and the other engine goes on.
        with suppress(RuntimeError):
            self._start(self._compilation.run)

    def _take_over(self, compilation: _Compilation, database: Database) -> None:
        later = self._fresh[compilation.fresh :]
        grams = GramEngine()
        grams.build(later)
        kept = len(self._databases) - compilation.replaced
        self._databases = [*self._databases[:kept], database]
        self._grams, self._fresh = grams, later


class Database:
    """A compiled set of heads.

    Raises ImportError where there is no hyperscan, ``hyperscan.error`` when it refuses, and
    `IncompleteError` when it does not find what it was given.
    """

    def __init__(self, heads: Sequence[bytes]) -> None:
        import hyperscan

        self.heads = heads
        groups: dict[bytes, list[tuple[bytes, int]]] = {}
        for head in heads:
            groups.setdefault(head[-SOUGHT:], []).append((head, len(head)))
        self._groups = tuple(map(tuple, groups.values()))
        # Its literal interface ends at NUL; as expressions all bytes are alike, and as fast.
        expressions = ["".join(map(_BYTES.__getitem__, end)) for end in groups]
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(expressions=expressions)
        self._prove()

    def scan(self, data: bytes, start: int, hits: list[Hit]) -> None:
        """Enter every place at or after `start` where a head stands whole."""
        groups, enter, stands = self._groups, hits.append, data.startswith

        def note(number: int, _from: int, end: int, _flags: int, _context: object) -> None:
            for head, length in groups[number]:
                at = start + end - length
                if at >= start and stands(head, at):
                    enter((at, head))

        searched = memoryview(data)[start:] if start else data
        self._database.scan(searched, note)  # type: ignore[type-var]  # it takes any buffer

    def _prove(self) -> None:
        """Search the heads themselves: what is not found there would be shown one day."""
        hits: list[Hit] = []
        self.scan(b"\n".join(self.heads), 0, hits)
        if {head for _, head in hits} != set(self.heads):
            raise IncompleteError


class IncompleteError(Exception):
    """A database does not find its own heads."""


class _Compilation:
    """A database in the making. `database` is set when it may be used; never, when that failed."""

    def __init__(self, heads: Sequence[bytes], *, fresh: int, replaced: int) -> None:
        self.database: Database | None = None
        self.fresh = fresh
        self.replaced = replaced
        self._heads = heads

    def run(self) -> None:
        """Make the database, in whatever thread this is."""
        try:
            import hyperscan
        except ImportError:
            return
        with suppress(hyperscan.error, MemoryError, IncompleteError):
            self.database = Database(self._heads)
            if len(self._heads) >= _MANY:
                _give_memory_back()


def _give_memory_back() -> None:
    """Compiling takes ten times the memory of the database, and glibc would keep it."""
    try:
        import ctypes
    except ImportError:
        return
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
