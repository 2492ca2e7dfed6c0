"""Values as Helm is handed them: one document each, in files that nobody else can read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from calamari_py.errors import Problem
from calamari_py.manifest import nodes
from calamari_py.manifest.launcher_files import launchers_file
from calamari_py.manifest.nodes import Malformed, Node, Scalar, describe, parse_document
from calamari_py.steps._checks import Checks
from calamari_py.steps.base import ParseContext
from calamari_py.variables import SourceUnreadable, from_file

_FILE_LIMIT = 4_000_000
"""Bytes of one file: a release of more than 1 MiB finds no place in its Secret anyway."""
_ELEMENT = re.compile(r"\[[0-9]*\]")


def read_values(
    values: tuple[str | dict[str, Any], ...],
    given: Mapping[str, Any],
    *,
    render: bool,
    checks: Checks,
    context: ParseContext,
) -> tuple[bytes, ...]:
    """The documents of ``values``, later ones win, and a last one of ``set``.

    A file is handed on byte by byte: only Helm's own reader knows what ``on`` and ``0755`` mean
    to it. It is parsed for what is wrong with it.
    """
    found = []
    for index, each in enumerate(values):
        field = f"values[{index}]"
        if isinstance(each, str):
            found.append(_file(field, each, render=render, checks=checks, context=context))
        else:
            found.append(_to_json(each))
    if given:
        found.append(_to_json(nested_values(given, checks)))
    return tuple(found)


def nested_values(given: Mapping[str, Any], checks: Checks) -> dict[str, Any]:
    """``{a.b: 1}`` as ``{a: {b: 1}}``; ``\\.`` is a dot within a name."""
    root: dict[str, Any] = {}
    ends: dict[tuple[str, ...], str] = {}
    for written, value in given.items():
        field = f"set.{written}"
        parts = _parts(written)
        if not all(parts):
            checks.refuse(field, "has an empty part", "write names with dots between: image.tag")
            continue
        if any(_ELEMENT.search(part) for part in parts):
            hint = "write the whole list under 'values': a list there replaces the chart's"
            checks.refuse(field, "names an element of a list", hint)
            continue
        clash = next(
            (
                other
                for path, other in ends.items()
                if path[: len(parts)] == parts or parts[: len(path)] == path
            ),
            None,
        )
        if clash is not None:
            checks.refuse(field, f"says the same as '{clash}', or a part of it", "remove one")
            continue
        ends[parts] = written
        place = root
        for part in parts[:-1]:
            place = place.setdefault(part, {})
        place[parts[-1]] = value
    return root


def _parts(written: str) -> tuple[str, ...]:
    parts, escaped = [""], False
    for letter in written:
        if letter == "." and not escaped:
            parts.append("")
        elif letter == "\\" and not escaped:
            escaped = True
            continue
        else:
            parts[-1] += letter
        escaped = False
    return tuple(parts)


def _file(
    field: str, written: str, *, render: bool, checks: Checks, context: ParseContext
) -> bytes:
    """The text of a file that holds a mapping, or nothing."""
    path = context.folder / written
    if not written.strip():
        checks.refuse(field, "is blank", "remove it, or name a values file")
        return b""
    if context.launchers(path):
        checks.refuse(field, *launchers_file(written))
        return b""
    try:
        text = from_file(path, shown=written, limit=_FILE_LIMIT)
    except SourceUnreadable as error:
        hint = error.hint
        if error.message.endswith("does not exist"):
            hint = f"correct the path; it is relative to {context.folder}"
        (checks.missing if error.missing else checks.refuse)(field, error.message, hint)
        return b""
    if render:
        with checks.found:
            text = context.render(text, f"{context.path}.{field}")
            _check_text(field, written, text, checks)
            return text.encode("utf-8", "surrogateescape")
        return b""
    _check_text(field, written, text, checks)
    return text.encode("utf-8", "surrogateescape")


def _check_text(field: str, written: str, text: str, checks: Checks) -> None:
    problems: list[Problem] = []
    try:
        root = parse_document(text, written, problems)
    except Malformed as error:
        checks.found.problems.extend(error.problems)
        return
    checks.found.problems.extend(problems)
    if root is not None and not isinstance(root, nodes.Mapping) and not _is_nothing(root):
        message = f"'{written}' holds {describe(root)} and no mapping"
        checks.refuse(field, message, "write names and values: {image: {tag: v1}}")


def _is_nothing(root: Node) -> bool:
    return isinstance(root, Scalar) and root.kind == "null" and not root.quoted


def _to_json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")
