"""Secret: a value that cannot be printed by accident."""

from __future__ import annotations

from typing import NewType, NoReturn

MASK = "***"
"""What stands in place of every secret, whatever its length."""

Masked = NewType("Masked", str)
"""Text in which every registered secret is masked. Only `calamari_py.masking` makes one."""

MaskedBytes = NewType("MaskedBytes", bytes)
"""The same for a child's output, which need not be text."""


class Secret:
    """A sensitive text. ``str``, ``repr`` and ``format`` show the mask; `reveal` the value.

    Bytes that are no UTF-8 are kept with the ``surrogateescape`` error handler.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str | bytes) -> None:
        self._value = (
            value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
        )

    def reveal(self) -> str:
        """The value itself. Who may call this is held by the architecture test."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        import hmac  # it loads OpenSSL, which few runs need

        return hmac.compare_digest(
            self._value.encode("utf-8", "surrogateescape"),
            other._value.encode("utf-8", "surrogateescape"),
        )

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")
