"""Unmasked: what stands in a Masker's place where the manifest allows ``--no-mask``."""

from __future__ import annotations

from calamari_py.masking.secret import MaskedBytes


class Unmasked:
    """One stream that is shown as it is. It holds nothing back and cannot fail.

    For a child's output alone: what calamari itself writes goes through the registry all the same.
    """

    def __init__(self) -> None:
        self.withheld = 0
        self.fault: str | None = None

    @property
    def held(self) -> int:
        """As `Masker.held`: nothing."""
        return 0

    def feed(self, data: bytes) -> MaskedBytes:
        """`data`."""
        return MaskedBytes(data)

    def again(self, data: bytes) -> MaskedBytes:
        """`data`."""
        return MaskedBytes(data)

    def idle(self) -> MaskedBytes:
        """Nothing: nothing was held."""
        return MaskedBytes(b"")

    def close(self) -> MaskedBytes:
        """Nothing: nothing was held."""
        return MaskedBytes(b"")
