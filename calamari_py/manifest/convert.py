"""Nodes to typed values: every field by itself, so that one bad field hides no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from calamari_py.manifest.nodes import (
    Mapping,
    Node,
    Place,
    Scalar,
    Sequence,
    child_path,
    describe,
)
from calamari_py.manifest.report import Report
from calamari_py.manifest.shapes import Shape, fields_of, shape_of
from calamari_py.templates import is_template


class _Bad:
    def __repr__(self) -> str:
        return "BAD"


BAD: Final = _Bad()
"""The value of what could not be parsed; why is in the report."""


class Leaf(NamedTuple):
    """A scalar's text after rendering. `late` names the late variables it still waits for."""

    text: str
    templated: bool = False
    sensitive: bool = False
    late: frozenset[str] = frozenset()


LeafReader = Callable[[Scalar, str, bool], Leaf | None]
"""Node, path, whether it is a script body → its text; None when a problem was reported."""


class Converter:
    """Parses nodes into values of the given types. `read` renders the scalars.

    `places` maps the path of everything to where it stands, `parsed` the path of everything that
    is sound to its value; a section with wrong fields is there without them.
    """

    def __init__(self, report: Report, read: LeafReader, *, late_allowed: bool = False) -> None:
        self._report = report
        self._read = read
        self.late_allowed = late_allowed
        self.places: dict[str, Place] = {}
        self.parsed: dict[str, Any] = {}

    def convert(self, node: Node, type_: Any, path: str, *, body: bool = False) -> Any:
        """`node` as a `type_`, or BAD. `body` marks a script text, which is not rendered."""
        self.places[path] = node.place
        value = self._convert(node, shape_of(type_), path, body=body)
        if value is not BAD:
            self.parsed[path] = value
        return value

    def _convert(self, node: Node, shape: Shape, path: str, *, body: bool) -> Any:
        if shape.any_:
            return self._anything(node, path)
        if isinstance(node, Scalar):
            return self._scalar(node, shape, path, body=body)
        if isinstance(node, Sequence) and shape.item is not None:
            return self._items(node, shape.item, path)
        if isinstance(node, Mapping):
            if shape.struct is not None:
                return self._struct(node, shape.struct, path)
            if shape.entry is not None:
                return self._entries(node, shape.entry, path)
        return self._mismatch(node, shape, path)

    def unknown_key(self, key: str, place: Place, path: str, known: list[str]) -> str | None:
        """Report a key that does not exist; the known key that was meant, if one is near."""
        near = self._report.suggest(key, known)
        message = f"unknown key; did you mean '{near}'?" if near else "unknown key"
        hint = None if near else f"known here: {', '.join(known)}"
        self._report.add(place, path, message, hint)
        return near

    def _mismatch(self, node: Node, shape: Shape, path: str) -> _Bad:
        message = f"must be {shape.expected}, is {describe(node)}"
        return self._fail(node, path, message, shape.hint)

    def _fail(self, node: Node, path: str, message: str, hint: str | None = None) -> _Bad:
        self._report.add(node.place, path, message, hint)
        return BAD

    def _null(self, node: Scalar, shape: Shape, path: str) -> Any:
        if shape.entry is not None:
            return {}
        if shape.none and node.text:
            return None
        empty = shape.text and not shape.given
        hint = 'write "" for the empty text' if empty else "write one, or remove the key"
        return self._fail(node, path, "has no value", hint)

    def _scalar(self, node: Scalar, shape: Shape, path: str, *, body: bool) -> Any:
        if node.kind == "null" and not node.quoted:
            return self._null(node, shape, path)
        leaf = self._read(node, path, body)
        if leaf is None:
            return BAD
        if leaf.late and not (self.late_allowed and shape.text):
            names = ", ".join(f"'{name}'" for name in sorted(leaf.late))
            return self._fail(
                node,
                path,
                f"may not use {names}, which is fetched with the step's own credentials",
                "take the value from elsewhere: this is needed before there are credentials",
            )
        return self._typed(node, leaf, shape, path)

    def _typed(self, node: Scalar, leaf: Leaf, shape: Shape, path: str) -> Any:
        if shape.rule is not None:
            return self._ruled(node, leaf, shape, path)
        if shape.words is not None and not shape.text:
            return self._word(node, leaf, shape, path)
        value: bool | int | str | None = _as_bool(node, leaf) if shape.bool_ else None
        if value is None and shape.int_:
            value = _as_int(node, leaf)
        if value is None and shape.text:
            value = leaf.text
        return value if value is not None else self._wrong_scalar(node, leaf, shape, path)

    def _wrong_scalar(self, node: Scalar, leaf: Leaf, shape: Shape, path: str) -> _Bad:
        if not (shape.bool_ or shape.int_):
            return self._mismatch(node, shape, path)
        hint = "remove the quotes" if node.quoted and not leaf.templated else None
        if shape.bool_ and leaf.text.lower() in ("yes", "no", "on", "off"):
            hint = "write true or false"
        return self._fail(node, path, f"must be {shape.expected}, is {_shown(leaf)}", hint)

    def _ruled(self, node: Scalar, leaf: Leaf, shape: Shape, path: str) -> Any:
        rule = shape.rule
        assert rule is not None
        if rule.quoted_digits and not node.quoted and node.kind in ("int", "float"):
            return self._fail(
                node,
                path,
                f'{node.text} is not quoted; write "{node.text}"',
                "unquoted digits are a number, and lose their leading zeros elsewhere",
            )
        try:
            return rule.parse(leaf.text)
        except ValueError as error:
            return self._fail(node, path, f"{_shown(leaf)} {error}")

    def _word(self, node: Scalar, leaf: Leaf, shape: Shape, path: str) -> Any:
        words = shape.words
        assert words is not None
        if leaf.text in words:
            return words[leaf.text]
        known = ", ".join(words)
        if len(words) == 1:
            return self._fail(node, path, f"must be {known}, is {_shown(leaf)}")
        near = None if leaf.sensitive else self._report.suggest(leaf.text, words)
        end = f"; did you mean '{near}'?" if near else ""
        return self._fail(node, path, f"{_shown(leaf)} is not one of {known}{end}", shape.hint)

    def _items(self, node: Sequence, type_: Any, path: str) -> Any:
        items = [
            self.convert(item, type_, child_path(path, index))
            for index, item in enumerate(node.items)
        ]
        return BAD if any(item is BAD for item in items) else tuple(items)

    def _entries(self, node: Mapping, type_: Any, path: str) -> Any:
        values = {
            key: self.convert(entry.value, type_, child_path(path, key)) for key, entry in node
        }
        return BAD if any(value is BAD for value in values.values()) else values

    def _struct(self, node: Mapping, struct: type[msgspec.Struct], path: str) -> Any:
        fields = fields_of(struct)
        values: dict[str, Any] = {}
        render = self._renders_body(node, path) if "render" in fields else True
        for key, entry in node:
            inner = child_path(path, key)
            if key not in fields:
                self.unknown_key(key, entry.key, inner, list(fields))
                values[key] = BAD
                continue
            # A kind's own script, written as a text, is what ``script`` itself is.
            is_script = key == "script" and isinstance(entry.value, Scalar)
            body = is_script or (key == "run" and not render)
            values[fields[key].name] = self.convert(entry.value, fields[key].type, inner, body=body)
        for key, field in fields.items():
            if field.required and key not in node.entries:
                self._report.add(node.place, child_path(path, key), "is missing")
                values[key] = BAD
        good = {name: value for name, value in values.items() if value is not BAD}
        if not all(field.name in good for field in fields.values() if field.required):
            return BAD
        try:
            self.parsed[path] = struct(**good)
        except (TypeError, ValueError) as error:
            return self._fail(node, path, str(error))
        return self.parsed[path] if len(good) == len(values) else BAD

    def _renders_body(self, node: Mapping, path: str) -> bool:
        """Whether ``render: true`` makes the section's script text a template."""
        asked = node.get("render")
        if not isinstance(asked, Scalar):
            return False
        if is_template(asked.text):
            self._fail(asked, child_path(path, "render"), "must be true or false, written out")
            return False
        return _as_bool(asked, Leaf(asked.text)) is True

    def _anything(self, node: Node, path: str) -> Any:
        """Plain data (an inline policy): as JSON would have it."""
        if isinstance(node, Sequence):
            items = self._items(node, Any, path)
            return items if items is BAD else list(items)
        if isinstance(node, Mapping):
            return self._entries(node, Any, path)
        if node.quoted or node.kind == "text":
            leaf = self._read(node, path, False)
            return BAD if leaf is None else leaf.text
        return self._plain(node, path)

    def _plain(self, node: Scalar, path: str) -> Any:
        if node.kind == "null":
            return None
        if node.kind == "bool":
            return node.text.lower() == "true"
        number = _as_int(node, Leaf(node.text))
        if number is None or str(number) != node.text:
            return self._fail(node, path, f'{node.text} is not quoted; write "{node.text}"')
        return number


def _as_bool(node: Scalar, leaf: Leaf) -> bool | None:
    if node.kind != "bool" and not leaf.templated:
        return None
    return {"true": True, "false": False}.get(leaf.text.strip().lower())


def _as_int(node: Scalar, leaf: Leaf) -> int | None:
    text = leaf.text.strip() if leaf.templated else leaf.text
    if (node.kind != "int" and not leaf.templated) or len(text) > 18:
        return None
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() else None


def _shown(leaf: Leaf) -> str:
    """The text as messages show it: never one that came from a secret."""
    if leaf.sensitive:
        return "its value"
    text = leaf.text if len(leaf.text) <= 200 else f"{leaf.text[:200]}…"
    return f"'{text}'"
