"""An object as lines of YAML for people, keys in order: what differences are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from calamari_py.manifest.kube_scalars import plain_value

LONGEST = 2000
"""Characters of a value in one line. A cut one might show half of a secret, which nothing masks:
what is longer is named by its length instead."""
_DEEPEST = 400
"""Columns. What is deeper is not written out."""
_RETURN = "\r"
_NOT_AT_FIRST = frozenset("!&*?:,[]{}#|>@`\"'%=~<")


class Line(NamedTuple):
    """A line, and the path of what it stands in (``spec.template``)."""

    text: str
    path: str


class Numbers:
    """Gives values that are not shown a number: equal ones the same, so that a change is seen."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def __call__(self, value: Any) -> int:
        """The number of `value`, from 1."""
        key = json.dumps(value, sort_keys=True)
        return self._known.setdefault(key, len(self._known) + 1)


def lines_of(value: Mapping[str, Any], numbers: Numbers) -> list[Line]:
    """`value` as YAML that is close to what kubectl prints. Values that are too long are named by
    their length and one of `numbers`."""
    writer = _Writer(numbers)
    writer.mapping(value, "", "")
    return writer.lines


class _Writer:
    def __init__(self, numbers: Numbers) -> None:
        self.lines: list[Line] = []
        self._numbers = numbers

    def mapping(self, value: Mapping[str, Any], path: str, indent: str) -> None:
        """The keys of `value`, which stands at `path`."""
        for key in sorted(value):
            child = value[key]
            begin = f"{indent}{scalar(key, self._numbers)}:"
            if not _is_tree(child, indent):
                self._leaf(f"{begin} ", child, path, indent)
                continue
            self.lines.append(Line(begin, path))
            inside = f"{path}.{key}" if path else key
            if isinstance(child, list):
                self._list(child, inside, indent)
            else:
                self.mapping(child, inside, f"{indent}  ")

    def _list(self, value: list[Any], path: str, indent: str) -> None:
        for at, child in enumerate(value):
            if not _is_tree(child, indent):
                self._leaf(f"{indent}- ", child, path, indent)
                continue
            first, inside, deeper = len(self.lines), f"{path}[{at}]", f"{indent}  "
            if isinstance(child, list):
                self._list(child, inside, deeper)
            else:
                self.mapping(child, inside, deeper)
            text, where = self.lines[first]
            self.lines[first] = Line(f"{indent}- {text[len(deeper) :]}", where)

    def _leaf(self, begin: str, value: Any, path: str, indent: str) -> None:
        if not isinstance(value, str) or "\n" not in value or not _is_block(value):
            self.lines.append(Line(f"{begin}{scalar(value, self._numbers)}", path))
            return
        ending = "" if value.endswith("\n") else "-"
        if value.endswith("\n\n") or value == "\n":
            ending = "+"
        self.lines.append(Line(f"{begin}|{ending}", path))
        for line in value.removesuffix("\n").split("\n"):
            # What ends in a carriage return is another line to a program, and the same to the eye.
            shown = f"{line.removesuffix(_RETURN)}\\r" if line.endswith(_RETURN) else line
            self.lines.append(Line(f"{indent}  {_short(shown, self._numbers)}", path))


def _is_tree(value: Any, indent: str) -> bool:
    return isinstance(value, dict | list) and bool(value) and len(indent) < _DEEPEST


def _is_block(text: str) -> bool:
    return all(
        line.removesuffix(_RETURN).replace("\t", "").isprintable() for line in text.split("\n")
    )


def scalar(value: Any, numbers: Numbers) -> str:
    """A value in one line."""
    if isinstance(value, str):
        return _short(value if _is_plain(value) else _quoted(value), numbers)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, Mapping | list) and value:
        return "…"
    return json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _is_plain(text: str) -> bool:
    """Whether `text` means itself without quotes."""
    return (
        text.isprintable()
        and text == text.strip()
        and isinstance(plain_value(text), str)
        and text[0] not in _NOT_AT_FIRST
        and not text.startswith("- ")
        and text != "-"
        and ": " not in text
        and " #" not in text
        and not text.endswith(":")
    )


def _short(text: str, numbers: Numbers) -> str:
    if len(text) <= LONGEST:
        return text
    return f"({len(text):,} characters, no. {numbers(text)})"
