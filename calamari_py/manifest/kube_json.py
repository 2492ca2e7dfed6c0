"""The JSON documents of a kube manifest: several may stand behind each other."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NamedTuple

from calamari_py.errors import Problem
from calamari_py.manifest import json_text
from calamari_py.manifest.kube_scalars import INT64
from calamari_py.manifest.nodes import DEPTH_LIMIT, Malformed, Place

_BLANK = re.compile(r"[ \t\r\n]*")
_UNSAFE_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_SURROGATES = range(0xD800, 0xE000)


class JsonDocument(NamedTuple):
    """A value, what it was read from, and where that begins."""

    value: Any
    source: str
    place: Place


def read_json(chunk: str, start: Place, problems: list[Problem]) -> list[JsonDocument]:
    """The documents of a JSON stream, which stand behind each other."""
    found: list[JsonDocument] = []
    at, place = 0, start
    while True:
        blank = _BLANK.match(chunk, at)
        assert blank
        place, at = _moved(place, blank[0]), blank.end()
        if at == len(chunk):
            return found
        value, end = _json_value(chunk, at, place, problems)
        source = chunk[at:end]
        if value is not None:
            found.append(JsonDocument(value, source, place))
        place, at = _moved(place, source), end


def _json_value(chunk: str, at: int, place: Place, problems: list[Problem]) -> tuple[Any, int]:
    """The value that begins at `at`, and its end. The standard library is quick, and knows no
    places: what it does not take is read once more to tell where the defect is."""
    repeats: list[bool] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            repeats.append(True)
        return made

    decoder = json.JSONDecoder(
        object_pairs_hook=collect, parse_float=_finite, parse_constant=_finite
    )
    try:
        value, end = decoder.raw_decode(chunk, at)
    except (ValueError, RecursionError):
        _read_again(chunk[at:], place)
        message = "holds a number that is too large"
        raise Malformed([place.problem(message, hint="write it in quotes")]) from None
    if repeats or _is_too_deep(value):
        problems.extend(_read_again(chunk[at:end], place))
    return value, end


def _read_again(source: str, place: Place) -> list[Problem]:
    """Its repeated keys. Raises Malformed."""
    found: list[Problem] = []
    json_text.parse("\n" * (place.line - 1) + " " * (place.column - 1) + source, place.file, found)
    return found


def _finite(text: str) -> int | float:
    """As Go has it once it was written again: what is whole is a whole number."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return int(number) if number.is_integer() and int(number) in INT64 else number


def _is_too_deep(value: Any) -> bool:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEPTH_LIMIT:
            return True
        level = [
            child
            for each in level
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, dict | list)
        ]
    return False


def json_for_yaml(value: Any) -> bytes:
    """`value` as JSON in one line, which a YAML reader takes for the same."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _UNSAFE_IN_YAML.sub(_escaped, text).encode()


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    # Half of a pair: Go reads it as the character for what cannot be read.
    return "\ufffd" if code in _SURROGATES else f"\\u{code:04x}"


def _moved(place: Place, text: str) -> Place:
    """The place behind `text`, which begins at `place`."""
    lines = text.count("\n")
    if not lines:
        return place._replace(column=place.column + len(text))
    return Place(place.file, place.line + lines, len(text) - text.rindex("\n"))


def shifted(place: Place, base: Place) -> Place:
    """`place` in a text that begins at `base`."""
    column = place.column + (base.column - 1 if place.line == 1 else 0)
    return Place(place.file, place.line + base.line - 1, column)
