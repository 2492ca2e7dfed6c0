"""A YAML or JSON document as plain nodes: every one with its place, every scalar with its text."""

from __future__ import annotations

import collections.abc
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

from calamari_py.errors import Problem

DEPTH_LIMIT = 64
"""Levels of nesting of one document."""
ALIAS_LIMIT = 100_000
"""Nodes that a document may have more through aliases than it is written with."""

ScalarKind = Literal["text", "int", "float", "bool", "null"]

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|"
                    r"\.(nan|NaN|NAN)")  # fmt: skip
_BOOL = ("true", "True", "TRUE", "false", "False", "FALSE")
_NULL = ("", "~", "null", "Null", "NULL")


class Place(NamedTuple):
    """Where something stands; `line` and `column` count from 1, 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def problem(self, message: str, path: str = "", hint: str | None = None) -> Problem:
        """A problem at this place."""
        return Problem(
            message=message,
            path=path,
            file=self.file,
            line=self.line or None,
            column=self.column or None,
            hint=hint,
        )

    def below(self, lines: int) -> Place:
        """The start of the line `lines` further down."""
        return Place(self.file, self.line + lines, 1) if self.line and lines else self


class Scalar(msgspec.Struct, frozen=True):
    """One text as it is written. `kind` is what an unquoted text means in YAML 1.2.

    `quoted` is also true for block scalars; `block` for ``|``, whose first line is the one below
    its place.
    """

    place: Place
    text: str
    quoted: bool = False
    kind: ScalarKind = "text"
    block: bool = False

    def __repr__(self) -> str:
        return f"Scalar({self.place})"


class Sequence(msgspec.Struct, frozen=True):
    """A list."""

    place: Place
    items: tuple[Node, ...]


class Entry(NamedTuple):
    """One key of a mapping with its place, and its value."""

    key: Place
    value: Node


class Mapping(msgspec.Struct, frozen=True):
    """Keys, by their text, in the order of the file."""

    place: Place
    entries: dict[str, Entry]

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        return iter(self.entries.items())

    def get(self, key: str) -> Node | None:
        """The value under `key`, if any."""
        entry = self.entries.get(key)
        return entry.value if entry else None


Node = Scalar | Sequence | Mapping


PlaceIndex = collections.abc.Mapping[str, Place]


class Malformed(Exception):
    """A text that is no document; `problems` say why and where."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems[0].message)
        self.problems = problems


def kind_of(text: str) -> ScalarKind:
    """What an unquoted `text` means: YAML 1.2's core schema, so ``no`` and ``1:30`` are texts."""
    if text in _NULL:
        return "null"
    if text in _BOOL:
        return "bool"
    if _INT.fullmatch(text):
        return "int"
    if _FLOAT.fullmatch(text):
        return "float"
    return "text"


def describe(node: Node) -> str:
    """What `node` is, in a word with its article."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    if node.quoted or node.kind == "text":
        return "a text"
    return {"int": "a number", "float": "a number", "bool": "true or false", "null": "empty"}[
        node.kind
    ]


def parse_document(
    text: str, file: str, problems: list[Problem], *, functions: bool = False
) -> Node | None:
    """`text` as a node, None when there is nothing in it. Raises Malformed.

    Defects that leave a document to look at (a key that is there twice) go to `problems`. What
    begins with ``{`` or ``[`` is JSON if it can be: JSON in all its forms (tabs, ``\\/``,
    surrogate pairs) is more than YAML reads. `functions` is for CloudFormation's templates: a YAML
    tag is one of its functions (``!Ref x`` is ``{Ref: x}``).
    """
    from calamari_py.manifest import json_text, yaml_text

    if text.lstrip(" \t\r\n\ufeff")[:1] not in ("{", "["):
        return yaml_text.parse(text, file, problems, functions=functions)
    found: list[Problem] = []
    try:
        node: Node | None = json_text.parse(text, file, found)
    except Malformed as not_json:
        found.clear()
        try:
            node = yaml_text.parse(text, file, found, functions=functions)
        except Malformed as not_yaml:
            raise (not_json if json_text.looks_like_json(text) else not_yaml) from None
    problems.extend(found)
    return node


def child_path(path: str, key: str | int) -> str:
    """The YAML path of what stands under `key` at `path`: ``env.NAME``, ``assume_role[0]``."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def nearest_place(places: PlaceIndex, path: str) -> Place | None:
    """Where `path` stands, or the closest thing around it that stands in the file."""
    while path:
        if path in places:
            return places[path]
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return None


def placed(problem: Problem, places: PlaceIndex) -> Problem:
    """`problem` with the place of its path, if it has none."""
    if problem.line is not None or problem.file:
        return problem
    place = nearest_place(places, problem.path)
    return place.problem(problem.message, problem.path, problem.hint) if place else problem


def duplicate_key(path: str, second: Place, first: Place) -> Problem:
    """The problem of a key that is there twice."""
    return second.problem(f"is there twice, first on line {first.line}", path, "remove one of them")


def unprintable(text: str, file: str) -> Problem | None:
    """The first character that no document may hold, as a problem."""
    found = _UNPRINTABLE.search(text)
    if not found:
        return None
    line = text.count("\n", 0, found.start()) + 1
    column = found.start() - text.rfind("\n", 0, found.start())
    what = "a NUL character" if found[0] == "\0" else f"the control character {found[0]!r}"
    return Place(file, line, column).problem(
        f"holds {what}", hint="save the file as plain UTF-8 text"
    )


_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
