"""SecretRegistry: every secret of a run, known before anything is written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from calamari_py.masking import forms
from calamari_py.masking.engine import Engine, GramEngine
from calamari_py.masking.index import NeedleIndex
from calamari_py.masking.secret import MASK, Masked, MaskedBytes, Secret
from calamari_py.masking.stream import MaskStream

ShortSecrets = Literal["warn", "error", "mask"]


class SecretRegistry:
    """The secrets of one run, shared by every `Masker`; it grows while they work.

    `short_secrets` says what becomes of values of up to 3 bytes and of words like ``true``:
    ``warn`` leaves them unmasked and warns, ``error`` refuses them, ``mask`` masks them. Forms and
    search structures are made when something is masked, not when a secret is added. Safe to use
    from several threads.
    """

    def __init__(
        self,
        short_secrets: ShortSecrets = "warn",
        *,
        engine: Callable[[], Engine] = GramEngine,
    ) -> None:
        self._short_secrets = short_secrets
        self._lock = threading.RLock()
        self._index = NeedleIndex(engine())
        self._seen: set[bytes] = set()
        self._masked = 0
        self._whole = True
        self._pending: list[tuple[str, bytes]] = []
        self._kinds: dict[str, dict[str, None]] = {}
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
            self._warn_of_words(data, name)

    def add_json(self, value: bytes | str | Secret, *, name: str) -> None:
        """Mask `value` and, when it is a JSON document, every string in it (`name.key.0`)."""
        import json

        self.add(value, name=name)
        try:
            document = json.loads(_to_bytes(value))
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

    @contextmanager
    def index(self) -> Iterator[NeedleIndex]:
        """The needles of all secrets added so far, locked against changes meanwhile."""
        with self._lock:
            if self._pending:
                pending, self._pending = self._pending, []
                # Until all of them are in the index, nothing is safe to show.
                self._whole = False
                self._index.add(self._forms_of(pending))
                self._whole = True
            if not self._whole:
                from calamari_py.errors import InternalError

                raise InternalError("the secrets could not be prepared for masking")
            yield self._index

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
                        message=f"secret '{name}' {why}",
                        path=name,
                        hint="choose a longer value, or allow it with --short-secrets=warn",
                    )
                ],
                subject="secrets",
            )
        if self._short_secrets == "mask":
            return True
        self._warn(f"secret '{name}' {why}")
        return False

    def _warn_of_words(self, data: bytes, name: str) -> None:
        if any(line.rstrip(b":").isalpha() for line in forms.own_lines(data)):
            self._warn(
                f"secret '{name}' has a line that is a single word, which is masked everywhere"
            )

    def _warn(self, sentence: str) -> None:
        if sentence not in self._warnings:
            self._warnings.append(sentence)

    def _forms_of(self, pending: list[tuple[str, bytes]]) -> Iterator[bytes]:
        for name, data in pending:
            kinds = self._kinds[name]
            for kind, form in forms.literals(data):
                kinds[kind] = None
                yield form
            if len(data) <= forms.LONGEST_LITERAL_ONLY:
                continue
            for kind, form in forms.encoded(data):
                kinds[kind] = None
                yield form


def _to_bytes(value: bytes | str | Secret) -> bytes:
    if isinstance(value, Secret):
        value = value.reveal()
    return value if isinstance(value, bytes) else forms.to_bytes(value)
