"""Input variables: their names, and values that JSON has a form for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from calamari_py.steps._checks import Checks

_NAME = re.compile(r"[^\W\d][\w-]*")
"""Source: developer.hashicorp.com/terraform/language/syntax/configuration, identifiers."""


def is_name(text: str) -> bool:
    """Whether a variable or an output can be called so."""
    return _NAME.fullmatch(text) is not None


def check_variables(variables: Mapping[str, Any], checks: Checks) -> None:
    """Refuse what no configuration can declare, and what cannot be handed over."""
    for name, value in variables.items():
        field = f"variables.{name}"
        if not is_name(name):
            hint = "use letters, digits, '_' and '-', and begin with a letter or '_'"
            checks.refuse(field, f"'{name}' is no name of a variable", hint)
        check_value(field, value, checks)


def check_value(field: str, value: Any, checks: Checks) -> None:
    """Refuse what has no form in JSON."""
    for place, part in _leaves(field, value):
        if part is None or isinstance(part, str | bool | int):
            continue
        if isinstance(part, float) and math.isfinite(part):
            continue
        checks.refuse(place, "has no form in JSON", "write it in quotes")


def texts(field: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every text in `value` with its place below `field`."""
    return ((place, part) for place, part in _leaves(field, value) if isinstance(part, str))


def _leaves(field: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _leaves(f"{field}.{key}", child)
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from _leaves(f"{field}[{index}]", child)
    else:
        yield field, value
