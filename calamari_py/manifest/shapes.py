"""What a type of the manifest accepts: the one table that parsing and the schema share."""

from __future__ import annotations

import functools
import types
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

import msgspec
import msgspec.structs

from calamari_py.manifest.scalars import Rule

GIVEN: Final = "given"
"""An annotation: the field may be left out, but null is no value for it."""


class About(NamedTuple):
    """An annotation: what a field is, for editors; `hint` says what to write instead of what does
    not belong there."""

    text: str
    hint: str | None = None


class Field(NamedTuple):
    """One field of a section type."""

    name: str
    type: Any
    required: bool
    about: str


class Shape(NamedTuple):
    """The alternatives of a type, by what the file may hold.

    `words` are the texts of a Literal (with the values they stand for); `item` is the type of a
    list's items, `entry` of a mapping's values; `struct` has named fields. `given` says that what
    is written must not be null, though the field may be left out; `hint` goes with what does
    not fit.
    """

    none: bool = False
    words: Mapping[str, Any] | None = None
    rule: Rule | None = None
    bool_: bool = False
    int_: bool = False
    text: bool = False
    item: Any = None
    entry: Any = None
    struct: type[msgspec.Struct] | None = None
    any_: bool = False
    given: bool = False
    hint: str | None = None

    @property
    def expected(self) -> str:
        """What may stand here, in words."""
        known = [
            ("a text", self.text or bool(self.words)),
            (f"a {self.rule.name}" if self.rule else "", self.rule is not None),
            ("true or false", self.bool_),
            ("a whole number", self.int_),
            ("a mapping", self.struct is not None or self.entry is not None),
            ("a list", self.item is not None),
        ]
        return " or ".join(word for word, there in known if there)


@functools.cache
def shape_of(type_: Any) -> Shape:
    """The shape of `type_`; TypeError for what no section may use."""
    if get_origin(type_) in (Union, types.UnionType):
        shape = Shape()
        for alternative in get_args(type_):
            found = shape_of(alternative)
            changes = {key: value for key, value in found._asdict().items() if value}
            shape = shape._replace(**changes)
        return shape
    return _single(type_)


def _single(type_: Any) -> Shape:
    simple = {
        type(None): Shape(none=True),
        Any: Shape(any_=True),
        str: Shape(text=True),
        bool: Shape(bool_=True),
        int: Shape(int_=True),
    }
    if type_ in simple:
        return simple[type_]
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:])
    if origin is Literal:
        return Shape(words={str(value): value for value in arguments})
    if origin in (tuple, list):
        return Shape(item=arguments[0])
    if origin in (dict, Mapping):
        return Shape(entry=arguments[1])
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return Shape(struct=type_)
    raise TypeError(f"{type_!r} has no form in a manifest")


def _annotated(type_: Any, extras: tuple[Any, ...]) -> Shape:
    rules = [extra for extra in extras if isinstance(extra, Rule)]
    shape = Shape(rule=rules[0]) if rules else shape_of(type_)
    if GIVEN in extras:
        shape = shape._replace(none=False, given=True)
    hints = [extra.hint for extra in extras if isinstance(extra, About) and extra.hint]
    return shape._replace(hint=hints[0]) if hints else shape


def _about(type_: Any) -> str:
    extras = get_args(type_)[1:] if get_origin(type_) is Annotated else ()
    return next((extra.text for extra in extras if isinstance(extra, About)), "")


@functools.cache
def fields_of(struct: type[msgspec.Struct]) -> Mapping[str, Field]:
    """The fields of `struct` by the key that stands in the file."""
    return {
        field.encode_name: Field(field.name, field.type, field.required, _about(field.type))
        for field in msgspec.structs.fields(struct)
    }
