"""The manifest's JSON Schema, made from the types that parse it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from calamari_py.manifest.scalars import TEMPLATE_PATTERN
from calamari_py.manifest.shapes import Shape, fields_of, shape_of
from calamari_py.manifest.types import ManifestFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLE = "calamari step manifest, version 1"

_TEMPLATE = {"type": "string", "pattern": TEMPLATE_PATTERN}
_TEXT = {"type": ["string", "number", "boolean"]}
_UNTEMPLATED = ("version",)


def build_schema(sections: Mapping[str, Any], finally_section: Any) -> dict[str, Any]:
    """The schema of a manifest whose kinds have the given `sections`.

    Typed fields also allow templates; texts also allow what YAML reads as a number. What no
    schema can say (fields of an account type, STS's limits) is checked by ``validate`` alone.
    """
    definitions = _Definitions()
    properties = {
        key: _described(definitions.of(field.type, template=key not in _UNTEMPLATED), field.about)
        for key, field in fields_of(ManifestFile).items()
    }
    for key, type_ in {**sections, "finally": finally_section}.items():
        struct = shape_of(type_).struct
        about = _first_sentence(struct) if struct else ""
        properties[key] = _described(definitions.of(type_), about)
    return {
        "$schema": DIALECT,
        "title": TITLE,
        "type": "object",
        "properties": properties,
        "required": [key for key, field in fields_of(ManifestFile).items() if field.required],
        "oneOf": [{"required": [key]} for key in sections],
        "additionalProperties": False,
        "$defs": definitions.known,
    }


class _Definitions:
    """Schemas of section types, each written once."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def of(self, type_: Any, *, template: bool = True) -> dict[str, Any]:
        """The schema of `type_`."""
        shape = shape_of(type_)
        if shape.any_:
            return {}
        choices = [*_scalar_choices(shape, template=template), *self._collections(shape)]
        return choices[0] if len(choices) == 1 else {"anyOf": choices}

    def _collections(self, shape: Shape) -> list[dict[str, Any]]:
        choices: list[dict[str, Any]] = []
        if shape.item is not None:
            choices.append({"type": "array", "items": self.of(shape.item)})
        if shape.entry is not None:
            choices.append(
                {"type": ["object", "null"], "additionalProperties": self.of(shape.entry)}
            )
        if shape.struct is not None:
            choices.append({"$ref": f"#/$defs/{self._struct(shape.struct)}"})
        return choices

    def _struct(self, struct: type[msgspec.Struct]) -> str:
        name = struct.__name__
        if name not in self.known:
            self.known[name] = {}
            fields = fields_of(struct)
            self.known[name] = {
                "type": "object",
                "description": _first_sentence(struct),
                "properties": {
                    key: _described(self.of(field.type), field.about)
                    for key, field in fields.items()
                },
                "required": [key for key, field in fields.items() if field.required],
                "additionalProperties": False,
            }
        return name


def _scalar_choices(shape: Shape, *, template: bool) -> list[dict[str, Any]]:
    choices: list[dict[str, Any]] = []
    if shape.rule is not None:
        choices.append(dict(shape.rule.schema))
    if shape.words is not None:
        choices.append({"enum": list(shape.words.values())})
    if shape.bool_:
        choices.append({"type": "boolean"})
    if shape.int_:
        choices.append({"type": "integer"})
    if shape.text:
        choices.append(dict(_TEXT))
    elif template and (shape.words or shape.bool_ or shape.int_):
        choices.append(dict(_TEMPLATE))
    if shape.none:
        choices.append({"type": "null"})
    return choices


def _described(schema: dict[str, Any], about: str) -> dict[str, Any]:
    return {**schema, "description": about} if about else schema


def _first_sentence(struct: type) -> str:
    return (struct.__doc__ or "").strip().split("\n\n", 1)[0].replace("\n", " ").replace("``", "`")
