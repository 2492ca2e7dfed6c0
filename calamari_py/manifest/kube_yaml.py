"""One YAML document of a kube manifest as kubectl's own reader takes it: plain values.

From the parser's events, as `yaml_text` does it and for its reasons; without nodes, for a manifest
may have hundreds of thousands of them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from calamari_py.errors import Problem
from calamari_py.manifest.kube_scalars import plain_value
from calamari_py.manifest.nodes import (
    ALIAS_LIMIT,
    DEPTH_LIMIT,
    Malformed,
    Place,
    child_path,
    duplicate_key,
)
from calamari_py.manifest.yaml_text import syntax_problem

_TAG = "tag:yaml.org,2002:"
_TYPES: dict[str, tuple[type, ...]] = {
    f"{_TAG}int": (int,),
    f"{_TAG}float": (int, float),
    f"{_TAG}bool": (bool,),
    f"{_TAG}null": (type(None),),
}
_MERGE = object()
_NO_KEY = object()


def parse(text: str, file: str, first_line: int, problems: list[Problem]) -> Any:
    """The value of `text`, which begins in line `first_line` of `file`; None for nothing.

    What leaves a value to look at goes to `problems`, and means what it means to kubectl: of keys
    that are there twice the last one counts. Raises Malformed.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Builder(loader(text), file, first_line, problems).document()
    except yaml.MarkedYAMLError as error:
        problem = syntax_problem(error, text, file)
        line = problem.line + first_line - 1 if problem.line else first_line
        raise Malformed([replace(problem, line=line)]) from None
    except yaml.YAMLError as error:
        what = f"is no valid YAML: {str(error).splitlines()[0]}"
        raise Malformed([Place(file, first_line, 1).problem(what)]) from None


class _Open:
    """A collection whose end was not read yet. `lines` are the places of the keys that it was
    written with, `merge` the last ``<<`` in it, `nodes` what was counted before it."""

    __slots__ = ("anchor", "height", "is_mapping", "key", "lines", "merge", "nodes", "value")

    def __init__(self, *, is_mapping: bool, anchor: str | None, nodes: int) -> None:
        self.is_mapping = is_mapping
        self.anchor = anchor
        self.nodes = nodes
        self.value: Any = {} if is_mapping else []
        self.key: Any = _NO_KEY
        self.lines: dict[str, Any] = {}
        self.merge: Any = None
        self.height = 1


class _Anchored:
    """A value with a name, how many nodes it has and how many levels."""

    __slots__ = ("height", "nodes", "value")

    def __init__(self, value: Any, nodes: int, height: int) -> None:
        self.value = value
        self.nodes = nodes
        self.height = height


class _Builder:
    """Puts values together from one parser's events; keeps the open collections on a list."""

    def __init__(self, events: Any, file: str, first_line: int, problems: list[Problem]) -> None:
        self._events = events
        self._file = file
        self._first_line = first_line
        self._problems = problems
        self._anchors: dict[str, _Anchored | None] = {}
        self._open: list[_Open] = []
        self._nodes = 0
        self._through_aliases = 0
        self._root: Any = None

    def document(self) -> Any:
        """The only document of the stream."""
        import yaml

        get, opened = self._events.get_event, self._open
        while True:
            event = get()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._nodes += 1
                if opened and opened[-1].is_mapping and opened[-1].key is _NO_KEY:
                    self._take_key(event)
                else:
                    self._put(self._scalar(event), event.anchor)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._begin(event, is_mapping=kind is yaml.MappingStartEvent)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._end()
            elif kind is yaml.AliasEvent:
                self._take_alias(event)
            elif kind is yaml.StreamEndEvent:
                return self._root

    def _begin(self, event: Any, *, is_mapping: bool) -> None:
        if event.tag not in (None, "!", f"{_TAG}map" if is_mapping else f"{_TAG}seq"):
            self._refuse_tag(event)
        if len(self._open) >= DEPTH_LIMIT:
            self._fail(event, f"is nested more than {DEPTH_LIMIT} levels deep", "write it flatter")
        if self._open and self._open[-1].is_mapping and self._open[-1].key is _NO_KEY:
            self._fail(event, "is a key, and keys are texts", "write a text as the key")
        if event.anchor:
            self._anchors[event.anchor] = None
        self._nodes += 1
        self._open.append(_Open(is_mapping=is_mapping, anchor=event.anchor, nodes=self._nodes))

    def _end(self) -> None:
        closed = self._open.pop()
        if closed.anchor:
            nodes = self._nodes - closed.nodes + 1
            self._anchors[closed.anchor] = _Anchored(closed.value, nodes, closed.height)
        if self._open and self._open[-1].height <= closed.height:
            self._open[-1].height = closed.height + 1
        self._put(closed.value, None)

    def _take_alias(self, event: Any) -> None:
        name = event.anchor
        if name not in self._anchors:
            self._fail(event, f"there is no anchor '&{name}' above", "define it first")
        found = self._anchors[name]
        if found is None:
            self._fail(event, f"'*{name}' stands inside itself", "write the value out")
        assert found is not None
        self._nodes += found.nodes
        self._through_aliases += found.nodes
        if self._through_aliases > ALIAS_LIMIT:
            self._fail(event, "the aliases make a document that is too large", "use fewer aliases")
        if len(self._open) + found.height > DEPTH_LIMIT:
            self._fail(event, f"is nested more than {DEPTH_LIMIT} levels deep", "write it flatter")
        if not self._open:
            self._fail(event, "is an alias, and no document", "write the object out")
        top = self._open[-1]
        top.height = max(top.height, found.height + 1)
        if top.is_mapping and top.key is _NO_KEY:
            self._fail(event, "is a key, and keys are texts", "write a text as the key")
        self._put(found.value, None)

    def _put(self, value: Any, anchor: str | None) -> None:
        """`value` where the next one belongs."""
        if anchor:
            self._anchors[anchor] = _Anchored(value, 1, 0)
        if not self._open:
            self._root = value
            return
        top = self._open[-1]
        if not top.is_mapping:
            top.value.append(value)
            return
        key, top.key = top.key, _NO_KEY
        if key is _MERGE:
            self._merge(top, value)
        else:
            top.value[key] = value

    def _merge(self, top: _Open, value: Any) -> None:
        """kubectl's reader lets what comes later win, of the key ``<<`` as of every other."""
        merged = value if isinstance(value, list) else [value]
        if not all(isinstance(each, dict) for each in merged):
            self._note(top.merge, "'<<' takes a mapping or a list of mappings", "name an anchor")
            return
        for each in reversed(merged):
            lost = next((key for key in each if key in top.lines), None)
            if lost is not None:
                message = f"'<<' replaces '{lost}', which is written above it"
                self._note(top.merge, message, "write '<<' first: kubectl lets what comes last win")
            top.value.update(each)

    def _take_key(self, event: Any) -> None:
        top = self._open[-1]
        if not event.style and event.tag is None and event.value == "<<":
            top.key, top.merge = _MERGE, event
            return
        key = self._key(event)
        mark = event.start_mark
        if key in top.lines:
            first = top.lines[key]
            path = child_path(self._path(), key)
            first_place = Place(self._file, first.line + self._first_line, first.column + 1)
            self._problems.append(duplicate_key(path, self._place(event), first_place))
        else:
            top.lines[key] = mark
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(key, 1, 0)
        top.key = key

    def _key(self, event: Any) -> str:
        value = self._scalar(event)
        if isinstance(value, str):
            return value
        if value is None:
            self._note(event, "a key is missing before the ':'", "write the key")
            return ""
        read = str(value).lower()
        if isinstance(value, int) and not isinstance(value, bool) and read == event.value:
            return read
        self._note(event, f"is a key that kubectl reads as '{read}'", "put the key in quotes")
        return read

    def _scalar(self, event: Any) -> Any:
        tag = event.tag
        text: str = event.value
        if tag is None:
            value = text if event.style else plain_value(text)
        elif tag in _TYPES:
            value = plain_value(text)
            fits = _TYPES[tag]
            if not isinstance(value, fits) or (isinstance(value, bool) and bool not in fits):
                shown = tag.removeprefix(_TAG)
                self._note(event, f"is no value of the type '!!{shown}'", "remove the tag")
        else:
            if tag not in ("!", f"{_TAG}str"):
                self._refuse_tag(event)
            return text
        if isinstance(value, float) and not math.isfinite(value):
            self._note(event, "is a number that JSON does not have", "quote it if it is a text")
            return text
        return value

    def _refuse_tag(self, event: Any) -> None:
        tag = event.tag
        shown = f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag
        message = f"the tag '{shown}' has no meaning here"
        self._note(event, message, "remove it; quote the value if it is a text")

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self._file, mark.line + self._first_line, mark.column + 1)

    def _path(self) -> str:
        """The path of the innermost open collection."""
        path = ""
        for collection in self._open[:-1]:
            step = collection.key if collection.is_mapping else len(collection.value)
            path = child_path(path, step if isinstance(step, str | int) else "<<")
        return path

    def _note(self, event: Any, message: str, hint: str) -> None:
        self._problems.append(self._place(event).problem(message, hint=hint))

    def _fail(self, event: Any, message: str, hint: str) -> None:
        raise Malformed([self._place(event).problem(message, hint=hint)])
