"""JSON as it is written: a number keeps its digits, and nothing need be what it should be."""

from __future__ import annotations

import json
from typing import Any, Self


class Fraction(float):
    """A number with a point, whose text is the one that was read: ``0.0000001``, not ``1e-07``."""

    _text: str

    def __new__(cls, text: str) -> Self:
        made = super().__new__(cls, text)
        made._text = text
        return made

    def __str__(self) -> str:
        return self._text


def read_json(text: str | bytes) -> Any:
    """What `text` holds. Raises ValueError, and RecursionError for what is nested too deeply."""
    return json.loads(text, parse_float=Fraction)


def mapping(value: Any) -> dict[str, Any]:
    """`value` where it is an object; else an empty one."""
    return value if isinstance(value, dict) else {}
