"""JSON to nodes with places: the standard library's parser keeps none."""

from __future__ import annotations

import functools
import json
import re
from typing import NoReturn

from calamari_py.errors import Problem
from calamari_py.manifest.nodes import (
    DEPTH_LIMIT,
    Entry,
    Malformed,
    Mapping,
    Node,
    Place,
    Scalar,
    Sequence,
    child_path,
    duplicate_key,
    kind_of,
)

_BLANK = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')
_WORD = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_KEY_AHEAD = re.compile(r'[ \t\r\n\ufeff]*[{\[]\s*["{\[}\]]')


def parse(text: str, file: str, problems: list[Problem]) -> Node:
    """`text` as a node; keys that are there twice go to `problems`. Raises Malformed."""
    reader = _Reader(text, file, problems)
    reader.skip()
    node = reader.value(0)
    reader.skip()
    if reader.at < len(text):
        reader.fail("there is text after the end of the JSON document")
    return node


def looks_like_json(text: str) -> bool:
    """Whether the writer of `text` most likely meant JSON, and not YAML in braces."""
    return _KEY_AHEAD.match(text) is not None


class _Reader:
    def __init__(self, text: str, file: str, problems: list[Problem]) -> None:
        self.text = text
        self.file = file
        self.problems = problems
        self.at = 1 if text.startswith("\ufeff") else 0
        self._path: list[str | int] = []
        self._line = 1
        self._line_start = self.at
        self._counted = self.at

    def place(self) -> Place:
        """The place of the next character; it only ever moves on."""
        new = self.text.count("\n", self._counted, self.at)
        if new:
            self._line += new
            self._line_start = self.text.rindex("\n", self._counted, self.at) + 1
        self._counted = self.at
        return Place(self.file, self._line, self.at - self._line_start + 1)

    def fail(self, message: str, hint: str = "correct the JSON") -> NoReturn:
        raise Malformed([self.place().problem(message, hint=hint)])

    def skip(self) -> None:
        """Move over blanks."""
        match = _BLANK.match(self.text, self.at)
        assert match
        self.at = match.end()

    def value(self, depth: int) -> Node:
        """The value that begins here."""
        if depth >= DEPTH_LIMIT:
            self.fail(f"is nested more than {DEPTH_LIMIT} levels deep", "write it flatter")
        place = self.place()
        start = self.text[self.at : self.at + 1]
        if start == "{":
            return self.mapping(place, depth)
        if start == "[":
            return self.sequence(place, depth)
        if start == '"':
            return Scalar(place, self.string(), quoted=True)
        word = _WORD.match(self.text, self.at)
        if not word:
            self.fail("a JSON value is missing or has no valid form here")
        self.at = word.end()
        return Scalar(place, word[0], kind=kind_of(word[0]))

    def string(self) -> str:
        """The text in quotes that begins here."""
        match = _STRING.match(self.text, self.at)
        if not match:
            self.fail("a JSON text is not closed or holds a bad escape")
        self.at = match.end()
        if "\\" not in match[0]:
            return match[0][1:-1]
        text: str = json.loads(match[0])
        return text

    def mapping(self, place: Place, depth: int) -> Mapping:
        """The object that begins here."""
        entries: dict[str, Entry] = {}
        while self.another("}", first=not entries):
            key_place = self.place()
            if self.text[self.at : self.at + 1] != '"':
                self.fail("a key in double quotes is missing")
            key = self.string()
            self.skip()
            if self.text[self.at : self.at + 1] != ":":
                self.fail("a ':' is missing after the key")
            self.at += 1
            self.skip()
            self._path.append(key)
            entry = Entry(key_place, self.value(depth + 1))
            if key in entries:
                path = functools.reduce(child_path, self._path, "")
                self.problems.append(duplicate_key(path, key_place, entries[key].key))
            else:
                entries[key] = entry
            self._path.pop()
        return Mapping(place, entries)

    def sequence(self, place: Place, depth: int) -> Sequence:
        """The array that begins here."""
        items: list[Node] = []
        while self.another("]", first=not items):
            self._path.append(len(items))
            items.append(self.value(depth + 1))
            self._path.pop()
        return Sequence(place, tuple(items))

    def another(self, end: str, *, first: bool) -> bool:
        """Move to the next member; False when `end` closes the collection instead."""
        if first:
            self.at += 1
        self.skip()
        found = self.text[self.at : self.at + 1]
        if found == end:
            self.at += 1
            return False
        if not first:
            if found != ",":
                self.fail(f"',' or '{end}' is missing")
            self.at += 1
            self.skip()
        return True
