"""Masking of what is made of many texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from calamari_py.result import format_time


def mask_fields(fields: Mapping[str, Any], mask: Callable[[str], str]) -> dict[str, Any]:
    """`fields` as JSON values with every text in them masked. Their names are ours and stay, for
    who reads them must find them; names further down may be anybody's."""
    return {name: mask_value(value, mask) for name, value in fields.items()}


def mask_value(value: Any, mask: Callable[[str], str]) -> Any:
    """`value` as a JSON value with every text in it masked, times in UTC."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, Mapping):
        return {mask(str(key)): mask_value(each, mask) for key, each in value.items()}
    if isinstance(value, (set, frozenset)):
        value = sorted(value)
    if isinstance(value, (list, tuple)):
        return [mask_value(each, mask) for each in value]
    return mask(str(value))
