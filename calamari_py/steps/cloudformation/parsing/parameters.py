"""Parameters as the manifest or a file gives them: a map, AWS CLI's lists, CodePipeline's file.

What stands in a file is data: nothing of it is rendered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from calamari_py.errors import Findings, ManifestError, Problem
from calamari_py.manifest import nodes
from calamari_py.manifest.nodes import Malformed, Node, Place, Scalar, Sequence, describe
from calamari_py.steps.base import ParseContext
from calamari_py.steps.cloudformation.parsing.files import read_text
from calamari_py.steps.cloudformation.sections import Parameters, ParameterSection
from calamari_py.steps.cloudformation.spec import Parameter

_CLI_KEYS = ("ParameterKey", "ParameterValue", "UsePreviousValue", "ResolvedValue")
_PIPELINE = ("Parameters", "Tags", "StackPolicy")
_FORMS = (
    "write a map of names and values, the AWS CLI's list of ParameterKey and ParameterValue or of "
    "NAME=VALUE, or CodePipeline's mapping with 'Parameters'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What was given: `lists` are the parameters that were written as a list. Of a file in
    CodePipeline's form there are tags and a policy, too. `places` says where in a file each
    parameter (``Parameters.Stage``) or tag (``Tags.Owner``) stands, and `prefix` is what the
    parameters' paths in the file begin with. What has no value that can be read is there without
    one; `complete` is False when even a name could not be read."""

    parameters: tuple[Parameter, ...] = ()
    lists: frozenset[str] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict)
    stack_policy: dict[str, Any] | None = None
    places: Mapping[str, Place] = field(default_factory=dict)
    prefix: str = ""
    complete: bool = True


def read_given(written: Parameters, context: ParseContext, found: Findings) -> Given:
    """The parameters of a section, or of the file it names with all that it may hold beside them.
    What is wrong goes to `found`. Raises ManifestError where nothing could be read, FileMissing."""
    if isinstance(written, str):
        text = read_text(written, context, "parameters")
        return _File(written, found).read(text)
    values = {
        key: _value(value, f"{context.path}.parameters.{key}", found)
        for key, value in written.items()
    }
    return Given(
        parameters=tuple(Parameter(key=key, value=value) for key, value in values.items()),
        lists=frozenset(key for key, value in written.items() if isinstance(value, tuple)),
    )


def _value(
    written: str | tuple[str, ...] | ParameterSection, path: str, found: Findings
) -> str | None:
    """The text of a parameter in the manifest; None for one that is kept, or refused."""
    if isinstance(written, str):
        return written
    if isinstance(written, ParameterSection):
        if not written.use_previous:
            hint = "write one, or {use_previous: true} to keep the stack's own"
            found.problems.append(Problem(path=path, message="has no value", hint=hint))
        return None
    commas = [index for index, item in enumerate(written) if "," in item]
    found.problems += [
        Problem(path=f"{path}[{index}]", message=_COMMA, hint=_COMMA_HINT) for index in commas
    ]
    return None if commas else ",".join(written)


_COMMA = "holds a comma, which would make two items of it"
_COMMA_HINT = "write the whole value as one text, if that is what you mean"


class _File:
    """One file; collects every problem with its line."""

    def __init__(self, name: str, found: Findings) -> None:
        self._name = name
        self._found = found
        self._places: dict[str, Place] = {}
        self._complete = True

    def read(self, text: str) -> Given:
        """What the text of the file gives. Raises ManifestError where that is nothing at all."""
        root = self._document(text)
        if isinstance(root, Sequence):
            parameters = tuple(self._list(root))
            return Given(parameters=parameters, places=self._places, complete=self._complete)
        if isinstance(root, nodes.Mapping):
            return self._pipeline(root) if self._is_pipeline(root) else self._map(root)
        message = f"is {describe(root)}, and no parameters"
        raise ManifestError([root.place.problem(message, hint=_FORMS)])

    def _document(self, text: str) -> Node:
        wrong = nodes.unprintable(text, self._name)
        if wrong:
            raise ManifestError([wrong])
        try:
            root = nodes.parse_document(text, self._name, self._found.problems)
        except Malformed as error:
            raise ManifestError(error.problems) from None
        if root is None:
            problem = Place(self._name).problem("is empty", hint="write {} for no parameters")
            raise ManifestError([problem])
        return root

    def _refuse(self, place: Place, message: str, path: str = "", hint: str | None = None) -> None:
        self._found.problems.append(place.problem(message, path, hint))

    def _is_pipeline(self, root: nodes.Mapping) -> bool:
        """A mapping under 'Parameters' cannot be a value, so it is CodePipeline's form."""
        return _is_section(root.get("Parameters")) or (
            bool(root.entries)
            and all(name in _PIPELINE and _is_section(entry.value) for name, entry in root)
        )

    def _map(self, root: nodes.Mapping, prefix: str = "") -> Given:
        parameters, lists = [], set()
        for key, entry in root:
            path = f"{prefix}{key}"
            self._places[f"Parameters.{key}"] = entry.value.place
            parameters.append(self._parameter(key, entry.value, path))
            if isinstance(entry.value, Sequence):
                lists.add(key)
        return Given(
            parameters=tuple(parameters),
            lists=frozenset(lists),
            places=dict(self._places),
            prefix=prefix,
        )

    def _parameter(self, key: str, node: Node, path: str) -> Parameter:
        if isinstance(node, nodes.Mapping):
            previous = node.get("use_previous")
            if set(node.entries) != {"use_previous"} or not _is_true(previous):
                hint = "a value is a text or a list of texts; {use_previous: true} keeps its own"
                self._refuse(node.place, "must be a text, is a mapping", path, hint)
            return Parameter(key=key, value=None)
        if not isinstance(node, Sequence):
            return Parameter(key=key, value=self._text(node, path))
        texts = []
        for index, item in enumerate(node.items):
            at = f"{path}[{index}]"
            text = self._text(item, at)
            if text is not None and "," in text:
                self._refuse(item.place, _COMMA, at, _COMMA_HINT)
            elif text is not None:
                texts.append(text)
        complete = len(texts) == len(node.items)
        return Parameter(key=key, value=",".join(texts) if complete else None)

    def _text(self, node: Node | None, path: str) -> str | None:
        if isinstance(node, Scalar):
            if node.kind != "null" or node.quoted:
                return node.text
            self._refuse(node.place, "has no value", path, 'write "" for the empty text')
        elif node is not None:
            self._refuse(node.place, f"must be a text, is {describe(node)}", path)
        return None

    def _list(self, root: Sequence) -> Iterator[Parameter]:
        for index, item in enumerate(root.items):
            path = f"[{index}]"
            named = self._named(item, path)
            if named is None:
                self._complete = False
                continue
            key, value = named
            first = self._places.setdefault(f"Parameters.{key}", item.place)
            if first is not item.place:
                message = f"'{key}' is there twice, first on line {first.line}"
                self._refuse(item.place, message, path, "remove one of them")
            elif isinstance(item, nodes.Mapping):
                yield self._cli_item(item, key, path)
            else:
                yield Parameter(key=key, value=value)

    def _named(self, item: Node, path: str) -> tuple[str, str] | None:
        """The name of a list's item, and the value of one that is written ``NAME=VALUE``."""
        if isinstance(item, nodes.Mapping) and item.get("ParameterKey"):
            key = self._text(item.get("ParameterKey"), f"{path}.ParameterKey")
            return None if key is None else (key, "")
        key, assigned, value = self._assignment(item)
        if assigned and key:
            return key, value
        message = "must be a mapping with 'ParameterKey', or a text like Stage=dev"
        if isinstance(item, nodes.Mapping):
            message = "has no 'ParameterKey'"
        self._refuse(item.place, message, path, _FORMS)
        return None

    def _assignment(self, item: Node) -> tuple[str, str, str]:
        """``NAME=VALUE``, the form of ``aws cloudformation deploy --parameter-overrides``."""
        return item.text.partition("=") if isinstance(item, Scalar) else ("", "", "")

    def _cli_item(self, item: nodes.Mapping, key: str, path: str) -> Parameter:
        for name, entry in item:
            if name not in _CLI_KEYS:
                hint = f"known here: {', '.join(_CLI_KEYS)}"
                self._refuse(entry.key, "unknown key", f"{path}.{name}", hint)
        value, previous = item.get("ParameterValue"), _is_true(item.get("UsePreviousValue"))
        if (value is not None) == previous:
            message = f"'{key}' has a value and keeps the previous one, too"
            if value is None:
                message = f"'{key}' has no value"
            hint = "write ParameterValue, or UsePreviousValue: true"
            self._refuse(item.place, message, path, hint)
            return Parameter(key=key, value=None)
        return Parameter(key=key, value=self._text(value, f"{path}.ParameterValue"))

    def _pipeline(self, root: nodes.Mapping) -> Given:
        for name, entry in root:
            if name not in _PIPELINE:
                hint = f"beside 'Parameters' there are {' and '.join(_PIPELINE[1:])} only"
                self._refuse(entry.key, "mixes two forms of a parameter file", name, hint)
        inner, tags = root.get("Parameters"), root.get("Tags")
        given = Given()
        if isinstance(inner, nodes.Mapping):
            given = self._map(inner, "Parameters.")
        return Given(
            parameters=given.parameters,
            lists=given.lists,
            tags=self._tags(tags),
            stack_policy=self._policy(root.get("StackPolicy")),
            places=self._places,
            prefix="Parameters.",
        )

    def _tags(self, node: Node | None) -> dict[str, str]:
        if node is None:
            return {}
        if not isinstance(node, nodes.Mapping):
            self._refuse(node.place, f"must be a mapping, is {describe(node)}", "Tags")
            return {}
        tags = {}
        for key, entry in node:
            self._places[f"Tags.{key}"] = entry.value.place
            tags[key] = self._text(entry.value, f"Tags.{key}") or ""
        return tags

    def _policy(self, node: Node | None) -> dict[str, Any] | None:
        if node is None:
            return None
        if not isinstance(node, nodes.Mapping):
            self._refuse(node.place, f"must be a mapping, is {describe(node)}", "StackPolicy")
            return None
        self._places["StackPolicy"] = node.place
        policy: dict[str, Any] = plain(node)
        return policy


def _is_section(node: Node | None) -> bool:
    return isinstance(node, nodes.Mapping) and "use_previous" not in node.entries


def _is_true(node: Node | None) -> bool:
    return isinstance(node, Scalar) and node.text.lower() == "true"


def plain(node: Node) -> Any:
    """A document's node as JSON values."""
    if isinstance(node, nodes.Mapping):
        return {key: plain(entry.value) for key, entry in node}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    if node.quoted or node.kind == "text":
        return node.text
    try:
        return json.loads(node.text.lower() if node.kind == "bool" else node.text)
    except ValueError:
        return None if node.kind == "null" else node.text
