"""SecretRegistry: every secret of a run, known before anything is written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Literal

from calamari_py.masking import forms
from calamari_py.masking.engine import Engine
from calamari_py.masking.index import NeedleIndex
from calamari_py.masking.native import NativeEngine
from calamari_py.masking.secret import MASK, Masked, MaskedBytes, Secret
from calamari_py.masking.stream import MaskStream

ShortSecrets = Literal["warn", "error", "mask"]


class SecretRegistry:
    """The secrets of one run, shared by every `Masker`; it grows while they work.

        registry = SecretRegistry()
        registry.add(os.environ["DB_PASSWORD"], name="DB_PASSWORD")
        masker = Masker(registry)  # one for each stream
        while data := read():
            write(masker.feed(data))
        write(masker.close())

    `short_secrets` says what becomes of values of up to 3 bytes and of words like ``true``:
    ``warn`` leaves them unmasked and warns, ``error`` refuses them, ``mask`` masks them. With
    `ansi_aware` a secret is found in spite of terminal sequences inside it. `engine` makes what
    searches. Forms and search structures are made when something is masked, not when a secret is
    added. Safe to use from several threads.
    """

    def __init__(
        self,
        short_secrets: ShortSecrets = "warn",
        *,
        engine: Callable[[], Engine] = NativeEngine,
        ansi_aware: bool = True,
    ) -> None:
        self._short_secrets = short_secrets
        self._lock = threading.RLock()
        self._index = NeedleIndex(engine(), ansi_aware=ansi_aware)
        self._use = _Use(self._lock, self._prepared)
        self._seen: set[bytes] = set()
        self._masked = 0
        self._whole = True
        self._pending: list[tuple[str, bytes]] = []
        self._kinds: dict[str, dict[str, None]] = {}
        self._skipped: dict[str, str] = {}
        self._warnings: list[str] = []
        self._taken = 0

    def __len__(self) -> int:
        """How many different values are masked."""
        return self._masked

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the masked secrets, in the order they came."""
        return tuple(self._kinds)

    @property
    def forms(self) -> dict[str, tuple[str, ...]]:
        """Name → the kinds of form (``literal``, ``line``, ``base64``, …) it is masked in."""
        with self.index():
            return {name: tuple(kinds) for name, kinds in self._kinds.items()}

    @property
    def hits(self) -> dict[str, int]:
        """Name → how often the secret was found in output so far, in whatever form."""
        with self._lock:
            return dict(self._index.hits)

    @property
    def skipped(self) -> dict[str, str]:
        """Name → why a value of that name is not masked, for a sentence that begins with it."""
        with self._lock:
            return dict(self._skipped)

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each secret that is not masked, or masks more than it should."""
        return tuple(self._warnings)

    def take_warnings(self) -> tuple[str, ...]:
        """The warnings that came since the last call."""
        with self._lock:
            new = tuple(self._warnings[self._taken :])
            self._taken = len(self._warnings)
            return new

    def add(self, value: bytes | str | Secret, *, name: str) -> None:
        """Mask `value` from now on, in every form. Blank values mean nothing and are ignored.

        `name` is what people read instead of the value. A second value of the same name, as after
        a rotation, is masked beside the first.

        Raises ManifestError for a value that is too short, if ``short_secrets`` is ``error``.
        """
        data = _to_bytes(value).strip()
        if not data:
            return
        with self._lock:
            known = data in self._seen
            if (known and name in self._kinds) or not self._worth_masking(data, name):
                return
            self._kinds.setdefault(name, {})
            if not known:
                self._seen.add(data)
                self._masked += 1
            self._pending.append((name, data))
            self._warn_of(data, name)

    def add_json(self, value: bytes | str | Secret, *, name: str) -> None:
        """Mask `value` and, when it is a JSON document, every string in it (`name.key.0`)."""
        self.add(value, name=name)
        data = _to_bytes(value)
        if not data.lstrip().startswith((b"{", b"[", b'"')):
            return
        import json

        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            return
        waiting = [(name, document)]
        while waiting:
            path, node = waiting.pop()
            if isinstance(node, str):
                self.add(node, name=path)
            elif isinstance(node, dict):
                waiting += [(f"{path}.{key}", child) for key, child in node.items()]
            elif isinstance(node, list):
                waiting += [(f"{path}.{number}", child) for number, child in enumerate(node)]

    def index(self) -> AbstractContextManager[NeedleIndex]:
        """The needles of all secrets added so far, locked against changes meanwhile."""
        return self._use

    def _prepared(self) -> NeedleIndex:
        if self._pending:
            pending, self._pending = self._pending, []
            # Until all of them are in the index, nothing is safe to show.
            self._whole = False
            self._index.add(self._forms_of(pending))
            self._whole = True
        if not self._whole:
            from calamari_py.errors import InternalError

            raise InternalError("the secrets could not be prepared for masking")
        return self._index

    def mask_bytes(self, data: bytes) -> MaskedBytes:
        """`data`, a whole stream, without secrets. Only the mask when masking itself fails."""
        return self._mask_with(data, MaskStream.whole)

    def mask_text(self, text: str) -> Masked:
        """`text` without secrets. Only the mask when masking itself fails.

        A text of ours ends where it was meant to: the step's name ``demo`` is shown even when the
        secret ``demo-4f9c…`` begins like it. Who shortens a text masks it first.
        """
        data = forms.to_bytes(text)
        masked = self._mask_with(data, MaskStream.occurrences)
        if masked == data:
            return Masked(text)
        return Masked(masked.decode("utf-8", "surrogateescape"))

    def _mask_with(self, data: bytes, mask: Callable[[MaskStream, bytes], bytes]) -> MaskedBytes:
        try:
            with self.index() as index:
                return MaskedBytes(mask(MaskStream(index), data))
        except Exception:  # noqa: BLE001 - a text that cannot be masked is not shown
            return MaskedBytes(MASK.encode())

    def holds_secret(self, text: str | bytes) -> bool:
        """Whether any form of any secret stands in `text`; true when that cannot be told."""
        data = forms.to_bytes(text) if isinstance(text, str) else text
        try:
            with self.index() as index:
                return MaskStream(index).holds_match(data)
        except Exception:  # noqa: BLE001 - the caller decides by this what may be shown
            return True

    def values_in(self, text: str) -> list[bytes]:
        """The secrets, **in clear**, that stand in `text` as they were added: for who has to teach
        another program what to mask."""
        data = forms.to_bytes(text)
        with self._lock:
            return sorted(value for value in self._seen if value in data)

    def _worth_masking(self, data: bytes, name: str) -> bool:
        if len(data) <= forms.LONGEST_UNMASKED:
            why = f"is too short to be masked ({len(data)} bytes)"
        elif data.lower() in forms.COMMON_WORDS:
            why = "is a common word and not masked"
        else:
            return True
        if self._short_secrets == "error":
            from calamari_py.errors import ManifestError, Problem

            raise ManifestError(
                [
                    Problem(
                        message=why,
                        path=name,
                        hint="choose a longer value, or allow it with --short-secrets=warn",
                    )
                ],
                subject="secrets",
            )
        if self._short_secrets == "mask":
            return True
        self._skipped[name] = why
        self._warn(f"secret '{name}' {why}")
        return False

    def _warn_of(self, data: bytes, name: str) -> None:
        if len(data) > forms.LARGEST_WITH_ALL_FORMS:
            self._warn(
                f"secret '{name}' is large ({len(data):,} bytes): it is masked as it is, by line, "
                "in base64 and in hex, and in no other notation"
            )
        if any(line.rstrip(b":").isalpha() for line in forms.own_lines(data)):
            self._warn(
                f"secret '{name}' has a line that is a single word, which is masked everywhere"
            )

    def _warn(self, sentence: str) -> None:
        if sentence not in self._warnings:
            self._warnings.append(sentence)

    def _forms_of(self, pending: list[tuple[str, bytes]]) -> Iterator[tuple[str, str, bytes]]:
        for name, data in pending:
            kinds = self._kinds[name]
            for kind, form in forms.literals(data):
                kinds[kind] = None
                yield name, kind, form
            if len(data) <= forms.LONGEST_LITERAL_ONLY:
                continue
            for kind, form in forms.encoded(data):
                kinds[kind] = None
                yield name, kind, form


class _Use:
    """The lock of a registry around its index. Every write of a child passes here, so it is made
    once; a generator would take as long as the search."""

    __slots__ = ("_lock", "_prepared")

    def __init__(self, lock: threading.RLock, prepared: Callable[[], NeedleIndex]) -> None:
        self._lock = lock
        self._prepared = prepared

    def __enter__(self) -> NeedleIndex:
        self._lock.acquire()
        try:
            return self._prepared()
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _to_bytes(value: bytes | str | Secret) -> bytes:
    if isinstance(value, Secret):
        value = value.reveal()
    return value if isinstance(value, bytes) else forms.to_bytes(value)
