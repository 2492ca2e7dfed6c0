"""Variables that the root module calls sensitive or ephemeral, and the values they are given.

A plan tells those values only once it is made, and ephemeral ones never; but what goes wrong while
it is made quotes them. So they are read from where Terraform reads them. What cannot be read here
fails nothing: Terraform says why it cannot read it either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from calamari_py.steps.terraform.reading.sensitive import (
    FEWEST_DIGITS,
    FEWEST_OF_ALL,
    sensitive_values,
    whole,
)
from calamari_py.steps.terraform.reading.written import read_json
from calamari_py.steps.terraform.running.hcl import Argument, Block, Token, items_of, tokens_of
from calamari_py.steps.terraform.spec import TerraformSpec

_MODULE = (".tf", ".tofu", ".tf.json", ".tofu.json")
_LARGEST = 4 * 1024 * 1024

Values = list[Any]
"""JSON values that belong to one variable."""


@dataclass(frozen=True, slots=True)
class Declared:
    """The variables whose values are secrets, each with its default, and which of them no plan
    keeps."""

    defaults: Mapping[str, Values] = field(default_factory=dict, repr=False)
    ephemeral: frozenset[str] = frozenset()


def declared_in(directory: Path) -> Declared:
    """What the files of the root module declare."""
    defaults: dict[str, Values] = {}
    ephemeral: set[str] = set()
    for path in _files(directory, lambda name: name.endswith(_MODULE)):
        for one in _variables(path):
            if one.is_sensitive or one.is_ephemeral:
                defaults.setdefault(one.name, []).extend(one.default)
            if one.is_ephemeral:
                ephemeral.add(one.name)
    return Declared(defaults, frozenset(ephemeral))


def given_secrets(
    declared: Declared, spec: TerraformSpec, environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Names (``var.token``) and texts of all values that those variables are given, whichever of
    them wins: in the manifest, in files, in files that Terraform finds by itself, and in
    `environment`."""
    for name, values in declared.defaults.items():
        yield from _secrets(name, values)
    if not declared.defaults:
        return
    for given in _all_given(spec, environment):
        for name in given.keys() & declared.defaults.keys():
            yield from _secrets(name, given[name])


def files_with(names: Iterable[str], files: Iterable[Path]) -> tuple[Path, ...]:
    """Those of `files` that give one of the variables `names` a value."""
    wanted = set(names)
    return tuple(path for path in files if wanted & _given_in(path).keys())


def _all_given(
    spec: TerraformSpec, environment: Mapping[str, str]
) -> Iterator[Mapping[str, Values]]:
    yield {name: [value] for name, value in spec.variables.items()}
    own = ("terraform.tfvars", "terraform.tfvars.json")
    ends = (".auto.tfvars", ".auto.tfvars.json")
    found = _files(spec.directory, lambda name: name in own or name.endswith(ends))
    for path in (*spec.variable_files, *found):
        yield _given_in(path)
    yield {
        name.removeprefix("TF_VAR_"): [text, *_parts(text)]
        for name, text in environment.items()
        if name.startswith("TF_VAR_")
    }


def _parts(text: str) -> Iterator[Any]:
    """The literals of a list or a map in an environment variable."""
    return _literals(tokens_of(text)) if text.lstrip()[:1] in ("[", "{") else iter(())


def _given_in(path: Path) -> Mapping[str, Values]:
    """The variables that a file gives values to."""
    if path.suffix == ".json":
        document = _document(path)
        return {name: [value] for name, value in document.items()}
    items = items_of(tokens_of(_text(path)))
    return {one.name: list(_literals(one.tokens)) for one in items if isinstance(one, Argument)}


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str
    default: Values
    is_sensitive: bool
    is_ephemeral: bool


def _variables(path: Path) -> Iterator[_Variable]:
    """The ``variable`` blocks of a file. What is not plainly false may be true."""
    if path.suffix == ".json":
        for named in _objects(_document(path).get("variable")):
            for name, bodies in named.items():
                for body in _objects(bodies):
                    sensitive, ephemeral = (
                        body.get(mark) not in (None, False, "false")
                        for mark in ("sensitive", "ephemeral")
                    )
                    yield _Variable(name, [body.get("default")], sensitive, ephemeral)
        return
    for block in items_of(tokens_of(_text(path))):
        if isinstance(block, Block) and block.type == "variable" and len(block.labels) == 1:
            said = {
                one.name: one.tokens for one in items_of(block.tokens) if isinstance(one, Argument)
            }
            sensitive, ephemeral = (
                _written(said.get(mark, ())) not in ("", "null", "false")
                for mark in ("sensitive", "ephemeral")
            )
            default = list(_literals(said.get("default", ())))
            yield _Variable(block.labels[0], default, sensitive, ephemeral)


def _literals(tokens: Sequence[Token]) -> Iterator[Any]:
    """The texts and longer numbers of an expression; a key of a map as one of a map."""
    fewest = FEWEST_OF_ALL if len(tokens) == 1 else FEWEST_DIGITS
    for token, after in zip_longest(tokens, tokens[1:], fillvalue=Token("end", "")):
        if token.kind == "text":
            yield {token.value: None} if after.value in ("=", ":") else token.value
        elif token.kind == "number" and sum(map(str.isdigit, token.value)) >= fewest:
            yield token.value


def _written(tokens: Sequence[Token]) -> str:
    return "".join(token.value for token in tokens).strip()


def _secrets(name: str, values: Values) -> Iterator[tuple[str, str]]:
    values = [whole(value) for value in values]
    marked = {"root_module": {"variables": {name: {"sensitive": True}}}}
    yield from sensitive_values({"variables": {name: {"value": values}}, "configuration": marked})


def _files(directory: Path, fits: Callable[[str], bool]) -> Iterator[Path]:
    with suppress(OSError):
        yield from sorted(path for path in directory.iterdir() if fits(path.name))


def _text(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return ""
        return path.read_text("utf-8-sig", "replace")
    except OSError:
        return ""


def _document(path: Path) -> dict[str, Any]:
    try:
        document = read_json(_text(path))
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    """Terraform takes a list of objects for one object, and the other way round."""
    each = value if isinstance(value, list) else [value]
    return [one for one in each if isinstance(one, dict)]
