"""YAML to nodes with places, from the parser's events.

Events, because composing is recursive in C (a deep document ends the process), keeps no text of
``1.10`` and resolves ``no`` and ``012345678901`` by YAML 1.1's rules.
"""

from __future__ import annotations

from typing import Any, Protocol

from calamari_py.errors import Problem
from calamari_py.manifest.nodes import (
    ALIAS_LIMIT,
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

_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = ("!", f"{_TAG}str")
_PLAIN_TAGS = tuple(_TAG + name for name in ("int", "float", "bool", "null"))
_PLAIN_FUNCTIONS = ("!Ref", "!Condition")
_MERGE = "<<"


class _Events(Protocol):
    def get_event(self) -> Any: ...


def parse(text: str, file: str, problems: list[Problem], *, functions: bool = False) -> Node | None:
    """`text` as a node, None when there is nothing in it. Raises Malformed.

    With `functions`, a short tag is what CloudFormation means by it: ``!Sub x`` is
    ``{Fn::Sub: x}``. Other documents have no tags.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    source = text.removeprefix("\ufeff")
    builder = _FunctionBuilder if functions else _Builder
    try:
        return builder(loader(source), file, problems).document()
    except yaml.MarkedYAMLError as error:
        raise Malformed([syntax_problem(error, source, file)]) from None
    except yaml.YAMLError as error:
        raise Malformed(
            [Place(file).problem(f"is no valid YAML: {str(error).splitlines()[0]}")]
        ) from None


class _Builder:
    """Puts nodes together from one parser's events; keeps the open collections on a list."""

    def __init__(self, events: _Events, file: str, problems: list[Problem]) -> None:
        self._events = events
        self._file = file
        self._problems = problems
        self._anchors: dict[str, Node | None] = {}
        self._sizes: dict[int, int] = {}
        self._through_aliases = 0
        self._open: list[_Open] = []

    def document(self) -> Node | None:
        """The only document of the stream."""
        root: Node | None = None
        seen = False
        while True:
            event = self._events.get_event()
            name = type(event).__name__
            if name == "StreamEndEvent":
                return root
            if name == "DocumentStartEvent":
                if seen:
                    self._fail(event, "a second document begins here", "keep one document a file")
                seen = True
            elif name.endswith(("StartEvent", "ScalarEvent", "AliasEvent", "EndEvent")):
                done = self._take(name, event)
                if done is not None:
                    root = done

    def _take(self, name: str, event: Any) -> Node | None:
        """One event of the document; the root node when it is complete."""
        if name == "ScalarEvent":
            return self._finished(self._tagged(self._scalar(event), event.tag), event.anchor)
        if name == "AliasEvent":
            return self._finished(self._alias(event), None)
        if name in ("MappingStartEvent", "SequenceStartEvent"):
            self._check_tag(event, "map" if name == "MappingStartEvent" else "seq")
            if len(self._open) >= DEPTH_LIMIT:
                self._fail(
                    event, f"is nested more than {DEPTH_LIMIT} levels deep", "write it flatter"
                )
            if event.anchor:
                self._anchors[event.anchor] = None
            is_mapping = name == "MappingStartEvent"
            self._open.append(_Open(self._place(event), event.anchor, event.tag, is_mapping))
        elif name in ("MappingEndEvent", "SequenceEndEvent"):
            collection = self._open.pop()
            node = self._tagged(self._close(collection), collection.tag)
            return self._finished(node, collection.anchor)
        return None

    def _finished(self, node: Node, anchor: str | None) -> Node | None:
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            return node
        self._open[-1].parts.append(node)
        return None

    def _tagged(self, node: Node, tag: str | None) -> Node:  # noqa: ARG002
        """What `node` is under its `tag`."""
        return node

    def _close(self, collection: _Open) -> Node:
        parts = collection.parts
        node: Node
        if not collection.is_mapping:
            node = Sequence(collection.place, tuple(parts))
        else:
            node = Mapping(collection.place, self._entries(parts))
        self._sizes[id(node)] = 1 + sum(self._sizes.get(id(part), 1) for part in parts)
        return node

    def _entries(self, parts: list[Node]) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        merged: list[Mapping] = []
        for key, value in zip(parts[::2], parts[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._note(key.place, "is a key, and keys are texts", "write a text as the key")
            elif key.text == _MERGE and not key.quoted:
                merged.extend(self._merged(value))
            elif key.kind == "null" and not key.quoted:
                self._note(key.place, "a key is missing before the ':'", "write the key")
            elif key.text in entries:
                path = child_path(self._path(), key.text)
                self._problems.append(duplicate_key(path, key.place, entries[key.text].key))
            else:
                entries[key.text] = Entry(key.place, value)
        for mapping in merged:
            for name, entry in mapping:
                entries.setdefault(name, entry)
        return entries

    def _merged(self, value: Node) -> list[Mapping]:
        nodes = value.items if isinstance(value, Sequence) else (value,)
        found = [node for node in nodes if isinstance(node, Mapping)]
        if len(found) < len(nodes):
            self._note(value.place, "'<<' takes a mapping or a list of mappings", "name an anchor")
        return found

    def _scalar(self, event: Any) -> Scalar:
        place = self._place(event)
        quoted = bool(event.style)
        if event.tag in _TEXT_TAGS:
            quoted = True
        elif event.tag in _PLAIN_TAGS:
            quoted = False
        elif event.tag is not None:
            self._refuse_tag(event)
        kind = "text" if quoted else kind_of(event.value)
        return Scalar(place, event.value, quoted, kind, block=event.style == "|")

    def _alias(self, event: Any) -> Node:
        if event.anchor not in self._anchors:
            self._fail(event, f"there is no anchor '&{event.anchor}' above", "define it first")
        node = self._anchors[event.anchor]
        if node is None:
            self._fail(event, f"'*{event.anchor}' stands inside itself", "write the value out")
        assert node is not None
        self._through_aliases += self._sizes.get(id(node), 1)
        if self._through_aliases > ALIAS_LIMIT:
            self._fail(event, "the aliases make a document that is too large", "use fewer aliases")
        return node

    def _check_tag(self, event: Any, own: str) -> None:
        if event.tag not in (None, "!", _TAG + own):
            self._refuse_tag(event)

    def _refuse_tag(self, event: Any) -> None:
        tag = event.tag
        shown = f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag
        self._note(
            self._place(event),
            f"the tag '{shown}' has no meaning here",
            "remove it; quote the value if it is a text",
        )

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self._file, mark.line + 1, mark.column + 1)

    def _path(self) -> str:
        """The path of the collection that was just closed."""
        path = ""
        for collection in self._open:
            parts = collection.parts
            if collection.is_mapping:
                key = parts[-1] if len(parts) % 2 else None
                path = child_path(path, key.text if isinstance(key, Scalar) else "?")
            else:
                path = child_path(path, len(parts))
        return path

    def _note(self, place: Place, message: str, hint: str) -> None:
        self._problems.append(place.problem(message, hint=hint))

    def _fail(self, event: Any, message: str, hint: str) -> None:
        raise Malformed([self._place(event).problem(message, hint=hint)])


class _FunctionBuilder(_Builder):
    """Reads short tags as CloudFormation's functions, in their long form."""

    def _tagged(self, node: Node, tag: str | None) -> Node:
        if tag is None or not _is_function(tag):
            return node
        name = tag[1:] if tag in _PLAIN_FUNCTIONS else f"Fn::{tag[1:]}"
        called = Mapping(node.place, {name: Entry(node.place, node)})
        self._sizes[id(called)] = 1 + self._sizes.get(id(node), 1)
        return called

    def _refuse_tag(self, event: Any) -> None:
        if not _is_function(event.tag):
            super()._refuse_tag(event)


def _is_function(tag: str) -> bool:
    return tag.startswith("!") and tag != "!"


class _Open:
    """A collection whose end was not read yet."""

    __slots__ = ("anchor", "is_mapping", "parts", "place", "tag")

    def __init__(self, place: Place, anchor: str | None, tag: str | None, is_mapping: bool) -> None:
        self.place = place
        self.anchor = anchor
        self.tag = tag
        self.is_mapping = is_mapping
        self.parts: list[Node] = []


def syntax_problem(error: Any, source: str, file: str) -> Problem:
    """What a parser's MarkedYAMLError says of `source`."""
    mark = error.problem_mark or error.context_mark
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
    what = str(error.problem or error.context or "")
    lines = source.split("\n", mark.line + 1) if mark else []
    start = lines[mark.line][: mark.column + 1] if mark and mark.line < len(lines) else ""
    if "\t" in start and not start.strip():
        return place.problem("is indented with a tab", hint="indent YAML with spaces")
    context = f" {error.context}" if error.problem and error.context else ""
    return place.problem(
        f"is no valid YAML: {what}{context}", hint="correct the indentation or quote the text"
    )
