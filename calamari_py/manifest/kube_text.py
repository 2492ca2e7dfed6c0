"""Kube manifests: the documents of a YAML or JSON text, as kubectl's own reader takes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from calamari_py.errors import Problem
from calamari_py.manifest import json_text, kube_yaml, nodes
from calamari_py.manifest.kube_json import json_for_yaml, read_json, shifted
from calamari_py.manifest.nodes import Malformed, Node, Place, unprintable

_SEPARATOR = re.compile(r"^---(.*)$\n?", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class KubeDocument:
    """One document. `text` is as it was written, but for what is in braces: that is JSON, which may
    stand in a YAML stream, too. `value` is never None. It begins at `start`; `source` is what was
    read for it, from `base` on."""

    text: bytes = field(repr=False)
    value: Any = field(repr=False)
    start: Place
    base: Place
    source: str = field(repr=False)

    def place(self, *path: str | int) -> Place:
        """Where the value at `path` stands, or what of the way there is."""
        node, found = self._node, self.start
        for step in path:
            if isinstance(node, nodes.Mapping) and isinstance(step, str):
                entry = node.entries.get(step)
                place, node = (entry.key, entry.value) if entry else (None, None)
            elif isinstance(node, nodes.Sequence) and isinstance(step, int):
                node = node.items[step] if step < len(node.items) else None
                place = node.place if node else None
            else:
                place = None
            if place is None:
                break
            found = shifted(place, self.base)
        return found

    @cached_property
    def _node(self) -> Node | None:
        """For places alone, which few documents are asked for."""
        try:
            return nodes.parse_document(self.source, self.start.file, [])
        except Malformed:
            return None


def decoded(data: bytes, file: str) -> str:
    """The text of `data`, which messages call `file`. Raises Malformed."""
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        what = "is UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "is not valid UTF-8"
        problem = Place(file, line, column).problem(what, hint="save the file as UTF-8")
        raise Malformed([problem]) from None
    if problem_found := unprintable(text, file):
        raise Malformed([problem_found])
    return text


def read_documents(
    text: str, file: str, problems: list[Problem], doubts: list[Problem]
) -> list[KubeDocument]:
    """The documents of `text` but those with nothing in them; messages call it `file`.

    What cannot be read goes to `problems`, and no document to the result. One that kubectl reads,
    though hardly as it was meant, is in the result as it does, and what is wrong with it in
    `doubts`: two equal keys, of which the last counts.
    """
    found: list[KubeDocument] = []
    for line, chunk in _chunks(text, file, problems):
        try:
            found.extend(_read_chunk(chunk, Place(file, line, 1), doubts))
        except Malformed as error:
            problems.extend(error.problems)
    return found


def _chunks(text: str, file: str, problems: list[Problem]) -> Iterator[tuple[int, str]]:
    """The texts between lines that begin with ``---``, wherever these stand: kubectl looks for
    them before it reads YAML. Each with the number of its first line."""
    begin, line = 0, 1
    for match in _SEPARATOR.finditer(text):
        yield line, text[begin : match.start()]
        line += text.count("\n", begin, match.end())
        begin = match.end()
        rest = match[1].strip()
        if rest and not rest.startswith("#"):
            here = Place(file, line - match[0].count("\n"), 1)
            hint = "write the document in the lines below it; indent the line if it is a text"
            problems.append(here.problem("'---' has text behind it in its line", hint=hint))
    yield line, text[begin:]


def _read_chunk(chunk: str, start: Place, doubts: list[Problem]) -> list[KubeDocument]:
    in_braces = chunk.lstrip().startswith("{")
    if in_braces:
        noted: list[Problem] = []
        try:
            found = read_json(chunk, start, noted)
        except Malformed:
            # What is in braces may be YAML, too, though kubectl takes it for JSON.
            if json_text.looks_like_json(chunk):
                raise
        else:
            doubts.extend(noted)
            return [
                KubeDocument(
                    text=json_for_yaml(value), value=value, start=at, base=at, source=source
                )
                for value, source, at in found
            ]
    value = kube_yaml.parse(chunk, start.file, start.line, doubts)
    if value is None:
        return []
    begin = start.below(_lines_before(chunk))
    text = json_for_yaml(value) if in_braces else chunk.encode()
    return [KubeDocument(text=text, value=value, start=begin, base=start, source=chunk)]


def _lines_before(chunk: str) -> int:
    """How many lines stand before the first that holds something but a comment."""
    lines = (line.strip() for line in chunk.split("\n"))
    return next((at for at, line in enumerate(lines) if line and not line.startswith("#")), 0)
