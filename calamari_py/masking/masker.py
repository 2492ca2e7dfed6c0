"""Masker: the only way by which a child's bytes leave the process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from calamari_py.masking.secret import MaskedBytes
from calamari_py.masking.stream import MaskStream

if TYPE_CHECKING:
    from calamari_py.masking.registry import SecretRegistry


class Masker:
    """One stream. Several share one registry, and each sees secrets added later at once.

    Nothing here raises. When anything fails inside, `fault` names the kind of error, and from then
    on nothing of this stream is given out: `withheld` counts its bytes.
    """

    def __init__(self, registry: SecretRegistry) -> None:
        self._registry = registry
        self._stream: MaskStream | None = None
        self.withheld = 0
        self.fault: str | None = None

    @property
    def held(self) -> int:
        """How many bytes wait for what follows: they may be the beginning of a secret."""
        return self._stream.held if self._stream and not self.fault else 0

    def feed(self, data: bytes) -> MaskedBytes:
        """What can be shown now that `data` has come; a possible beginning of a secret waits."""
        return self._guarded(lambda stream: stream.feed(data), len(data))

    def idle(self) -> MaskedBytes:
        """Everything held, because nothing follows: at most 3 bytes of a secret, or the mask."""
        return self._guarded(MaskStream.flush, 0)

    def again(self, data: bytes) -> MaskedBytes:
        """`data`, which this gave out and nobody has shown, and what is held, looked at once more
        as one: for secrets that came meanwhile."""

        def act(stream: MaskStream) -> bytes:
            self._stream = stream.begun_anew()
            return self._stream.feed(data + stream.waiting)

        return self._guarded(act, len(data))

    def close(self) -> MaskedBytes:
        """The rest of the stream. A second call gives nothing."""
        rest = self.idle()
        self._stream = None
        return rest

    def _guarded(self, act: Callable[[MaskStream], bytes], incoming: int) -> MaskedBytes:
        pending = incoming
        if self.fault:
            self.withheld += pending
            return MaskedBytes(b"")
        fault: str | None = "interrupted"
        result = b""
        try:
            with self._registry.index() as index:
                if self._stream is None:
                    self._stream = MaskStream(index)
                pending += self._stream.held
                result = act(self._stream)
            fault = None
        except Exception as error:  # noqa: BLE001 - a text that cannot be masked is not shown
            fault = type(error).__name__
        finally:
            # Also when a KeyboardInterrupt passes: the state may be half changed.
            if fault:
                self.fault = fault
                self.withheld += pending
                self._stream = None
        return MaskedBytes(result)
