"""Names of the attributes that change, never a value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from calamari_py.steps.terraform.reading.document import ChangeDocument

SENSITIVE = " (sensitive)"
_NAMED = 12
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def step_into(path: str, step: str | int) -> str:
    """``tags`` and ``Owner`` are ``tags.Owner``; what is no name is ``tags["a/b"]``."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    if not _NAME.fullmatch(step):
        return f"{path}[{json.dumps(step, ensure_ascii=False)}]"
    return f"{path}.{step}" if path else step


def below(mark: Any, step: str | int) -> Any:
    """The mark of one part of a value whose own mark is not true."""
    if isinstance(mark, dict):
        return mark.get(step)
    if isinstance(mark, list) and isinstance(step, int) and 0 <= step < len(mark):
        return mark[step]
    return None


def changed_attributes(change: ChangeDocument) -> tuple[tuple[str, ...], int]:
    """The paths that differ, a dozen at most, and how many more there are. What is in a sensitive
    value stays unnamed: its keys may be secrets, too."""
    found: dict[str, None] = {}
    for path in _differences(change):
        found[path] = None
    paths = tuple(found)
    return paths[:_NAMED], max(0, len(paths) - _NAMED)


def replace_paths(change: ChangeDocument) -> tuple[str, ...]:
    """The paths that force a replacement, as far as they are not inside of a sensitive value."""
    paths = change.replace_paths if isinstance(change.replace_paths, list) else []
    named = [_named(steps, change) for steps in paths if isinstance(steps, list)]
    return tuple(dict.fromkeys(named))


def _named(steps: Sequence[Any], change: ChangeDocument) -> str:
    path = ""
    marks = [change.before_sensitive, change.after_sensitive]
    for step in steps:
        path = step_into(path, step if isinstance(step, int) else str(step))
        marks = [below(mark, step) for mark in marks]
        if True in marks:
            return path + SENSITIVE
    return path or "it"


def _differences(change: ChangeDocument) -> Iterator[str]:
    marks = (change.before_sensitive, change.after_sensitive)
    waiting: list[tuple[str, Any, Any, Any, tuple[Any, Any]]] = [
        ("", change.before, change.after, change.after_unknown, marks)
    ]
    while waiting:
        path, before, after, unknown, marks = waiting.pop()
        marked = [holds_true(mark) for mark in marks]
        if not holds_true(unknown) and _are_equal(before, after) and marked[0] == marked[1]:
            continue
        steps = None if True in marks else _common_steps(before, after, unknown)
        if steps is None:
            yield (path or "it") + (SENSITIVE if any(marked) else "")
            continue
        waiting += [
            (
                step_into(path, step),
                _part(before, step),
                _part(after, step),
                below(unknown, step),
                (below(marks[0], step), below(marks[1], step)),
            )
            for step in reversed(steps)
        ]


def _common_steps(before: Any, after: Any, unknown: Any) -> Sequence[str | int] | None:
    """The parts to compare one by one; None where it is the whole that differs."""
    if unknown is True:
        return None
    if isinstance(before, dict) and isinstance(after, dict):
        more = unknown if isinstance(unknown, dict) else {}
        return list(dict.fromkeys([*before, *after, *more]))
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        holds_objects = any(isinstance(each, dict) for each in before)
        return list(range(len(before))) if holds_objects else None
    return None


def _are_equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except RecursionError:
        return False


def _part(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    return value[step] if isinstance(value, list) and isinstance(step, int) else None


def holds_true(mark: Any) -> bool:
    """Whether a mark is true for any part of a value."""
    waiting = [mark]
    while waiting:
        one = waiting.pop()
        if one is True:
            return True
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return False
