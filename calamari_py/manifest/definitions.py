"""Definitions: what the manifest, variable files and the command line say of each variable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from calamari_py.manifest.convert import BAD, Converter, Leaf
from calamari_py.manifest.loaded import Overrides
from calamari_py.manifest.nodes import (
    Entry,
    Malformed,
    Node,
    Place,
    Scalar,
    Sequence,
    child_path,
    parse_document,
)
from calamari_py.manifest.nodes import Mapping as MappingNode
from calamari_py.manifest.report import Report
from calamari_py.manifest.types import VariableSpec
from calamari_py.templates import is_template
from calamari_py.variables import LateSource, SourceUnreadable, from_file, is_text

VariableSource = Literal["value", "from_env", "from_file", LateSource]
SOURCES: tuple[VariableSource, ...] = (
    "value", "from_env", "from_file", "from_ssm", "from_secretsmanager",
)  # fmt: skip
LATE_SOURCES = get_args(LateSource)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One variable as it is defined in one place.

    `text` is the value, or what the source is asked for (a file, an environment variable, a
    parameter). `template` says whether `text` has to be rendered: only what the manifest wrote.
    `text_place` is where `text` stands.
    """

    name: str
    source: VariableSource
    text: str = field(repr=False)
    path: str
    place: Place
    text_place: Place
    block: bool = False
    template: bool = False
    sensitive: bool = False
    mask: bool = True
    reason: str | None = None

    @property
    def is_late(self) -> bool:
        """Whether the value needs the step's own credentials."""
        return self.source in LATE_SOURCES


def read_section(node: Node | None, report: Report, *, data: bool) -> Iterator[Definition]:
    """The definitions of a ``variables`` section, or of a variable file, which is `data`."""
    if node is None:
        return
    path = "" if data else "variables"
    if data and isinstance(node, Sequence):
        yield from _octopus_list(node, report)
        return
    if not isinstance(node, MappingNode):
        if not (isinstance(node, Scalar) and node.kind == "null" and not node.quoted):
            report.add(node.place, path, "must be a mapping of names to values")
        return
    for name, entry in node:
        definition = _definition(name, entry, child_path(path, name), report, data=data)
        if definition is not None:
            yield definition


def _definition(
    name: str, entry: Entry, path: str, report: Report, *, data: bool
) -> Definition | None:
    if not _check_name(name, entry.key, path, report):
        return None
    node = entry.value
    converter = Converter(report, lambda scalar, at, _: _written(scalar, at, report))
    spec: Any = converter.convert(node, str | VariableSpec, path)
    if spec is BAD:
        return None
    if isinstance(spec, str):
        spec = VariableSpec(value=spec)
    if not _check_spec(spec, node.place, path, report):
        return None
    source = next(source for source in SOURCES if getattr(spec, source) is not None)
    text = getattr(spec, source)
    inner = node.get(source) if isinstance(node, MappingNode) else node
    return Definition(
        name=name,
        source=source,
        text=text,
        path=path,
        place=node.place,
        text_place=inner.place if inner else node.place,
        block=isinstance(inner, Scalar) and inner.block,
        template=not data and not spec.literal and is_template(text),
        sensitive=spec.sensitive or source == "from_secretsmanager",
        mask=spec.mask,
        reason=spec.reason,
    )


def _written(node: Scalar, path: str, report: Report) -> Leaf | None:
    """The text as it is written: values are rendered when they are read."""
    return Leaf(node.text) if check_text(node, path, report) else None


def check_text(node: Scalar, path: str, report: Report) -> bool:
    """Whether the text can be handed to a process: no NUL, no half of a surrogate pair."""
    if "\0" in node.text:
        report.add(node.place, path, "holds a NUL character", "remove it")
        return False
    if not is_text(node.text):
        report.add(node.place, path, "holds half of a surrogate pair", "write the character out")
        return False
    return True


def _check_name(name: str, place: Place, path: str, report: Report) -> bool:
    if name.strip() and name.isprintable():
        return True
    report.add(place, path, f"{name!r} is no variable name", "write a name of printable characters")
    return False


def _check_spec(spec: VariableSpec, place: Place, path: str, report: Report) -> bool:
    given = [source for source in SOURCES if getattr(spec, source) is not None]
    good = True
    if len(given) != 1:
        found = f"has {' and '.join(given)}" if given else "has no source"
        report.add(place, path, found, f"write exactly one of {', '.join(SOURCES)}")
        good = False
    elif given[0] != "value" and not str(getattr(spec, given[0])).strip():
        report.add(place, child_path(path, given[0]), "is empty", "name what to read")
        good = False
    if not spec.mask and not (spec.reason or "").strip():
        report.add(place, path, "'mask: false' needs a reason", "write why it is no secret: reason")
        good = False
    if not spec.mask and not spec.sensitive:
        report.add(
            place,
            path,
            "'mask: false' is only for sensitive variables",
            "remove it; others are not masked",
        )
        good = False
    return good


def _octopus_list(node: Sequence, report: Report) -> Iterator[Definition]:
    """Octopus's own form: a list of ``{"k": name, "v": value, "s": sensitive}``."""
    for index, item in enumerate(node.items):
        path = child_path("", index)
        name = item.get("k") if isinstance(item, MappingNode) else None
        value = item.get("v") if isinstance(item, MappingNode) else None
        if not isinstance(name, Scalar) or (value is not None and not isinstance(value, Scalar)):
            report.add(item.place, path, 'must be {"k": name, "v": value, "s": sensitive}')
            continue
        if value is None or (value.kind == "null" and not value.quoted):
            continue
        assert isinstance(item, MappingNode)
        flag = item.get("s")
        definition = _definition(
            name.text, Entry(name.place, value), child_path(path, "v"), report, data=True
        )
        if definition is not None:
            sensitive = isinstance(flag, Scalar) and flag.text.lower() == "true"
            yield replace(definition, sensitive=sensitive)


def read_variable_file(
    path: Path, shown: str, wanted: Place, at: str, report: Report
) -> list[Definition]:
    """The definitions of the variable file `path`, called `shown`; `wanted` and `at` say who
    named it."""
    problems = report.problems
    try:
        text = from_file(path, shown=shown)
        node = parse_document(text, shown, problems)
    except SourceUnreadable as error:
        report.add(wanted, at, error.message, error.hint, missing=error.missing)
        return []
    except Malformed as error:
        problems.extend(error.problems)
        return []
    return list(read_section(node, report, data=True))


def read_overrides(overrides: Overrides, report: Report) -> Iterator[Definition]:
    """The definitions of ``--var`` and ``--sensitive-var``."""
    for option, values in (
        ("--var", overrides.variables),
        ("--sensitive-var", overrides.sensitive),
    ):
        for name, value in values.items():
            place = Place(option)
            if not _check_name(name, place, name, report):
                continue
            if "\0" in value or not is_text(value):
                report.add(place, name, "is not valid UTF-8 text", "encode it, for example base64")
                continue
            yield Definition(
                name=name,
                source="value",
                text=value,
                path=name,
                place=place,
                text_place=place,
                sensitive=option == "--sensitive-var",
            )


def merge(layers: Iterable[Iterable[Definition]]) -> dict[str, Definition]:
    """The definitions that count: a later one wins, but what any layer calls sensitive stays so."""
    merged: dict[str, Definition] = {}
    for layer in layers:
        for definition in layer:
            before = merged.get(definition.name)
            if before is not None and before.sensitive and not definition.sensitive:
                definition = replace(definition, sensitive=True)  # noqa: PLW2901
            merged[definition.name] = definition
    return merged


def secret_environment_names(
    layers: Iterable[Iterable[Definition]], merged: Mapping[str, Definition]
) -> frozenset[str]:
    """The environment variables that sensitive variables come from, overridden or not."""
    return frozenset(
        definition.text
        for layer in layers
        for definition in layer
        if definition.source == "from_env"
        and not definition.template
        and merged[definition.name].sensitive
    )
