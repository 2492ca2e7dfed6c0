"""What a run's result document says of its masking."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from calamari_py.errors import FileMissing, ManifestError, Problem
from calamari_py.variables import VALUE_LIMIT, SourceUnreadable, from_file


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """A run that is over. `hits` are occurrences in its output by the secret's name, `unmasked`
    the secrets that were not masked, with why; `off` says that nothing was."""

    step: str
    ended_at: datetime
    hits: Mapping[str, int]
    unmasked: Mapping[str, str]
    off: bool


def load_last_run(path: Path) -> LastRun:
    """The run whose result document is at `path`.

    FileMissing, or ManifestError with the place of what is wrong, also where the document is from
    a calamari that did not count.
    """
    document = _parse(path)
    masking = _field(path, document, "masking", dict)
    hits: dict[Any, Any] = _field(path, masking, "masking.hits", dict)
    unmasked: dict[Any, Any] = _field(path, masking, "masking.unmasked", dict)
    for name, count in hits.items():
        if type(count) is not int or count < 0:
            raise _broken(path, f"masking.hits.{name}", "is no number of occurrences")
    for name, why in unmasked.items():
        if not isinstance(why, str):
            raise _broken(path, f"masking.unmasked.{name}", "is no text")
    try:
        ended_at = datetime.fromisoformat(_field(path, document, "ended_at", str))
    except ValueError:
        raise _broken(path, "ended_at", "is no time") from None
    if ended_at.tzinfo is None:
        raise _broken(path, "ended_at", "is a time without its zone")
    return LastRun(
        step=_field(path, document, "step", str),
        ended_at=ended_at,
        hits=hits,
        unmasked=unmasked,
        off=_field(path, masking, "masking.off", bool),
    )


def _parse(path: Path) -> dict[str, Any]:
    name = str(path)
    try:
        document = json.loads(from_file(path, shown=name, limit=VALUE_LIMIT))
    except SourceUnreadable as error:
        problem = Problem(message=error.message, hint=error.hint)
        kind = FileMissing if error.missing else ManifestError
        raise kind([problem], subject=name) from None
    except json.JSONDecodeError as error:
        place = Problem(
            message=f"is no JSON: {error.msg.lower()}", file=name, line=error.lineno,
            column=error.colno, hint=_HINT,
        )  # fmt: skip
        raise ManifestError([place], subject=name) from None
    except RecursionError:
        raise _broken(path, "", "is nested too deep") from None
    if not isinstance(document, dict):
        raise _broken(path, "", "is no result document")
    return document


_HINT = "name what `calamari run --result FILE` wrote"


def _field(path: Path, document: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    value = document.get(name.rpartition(".")[2])
    if value is None:
        raise _broken(path, name, "is missing", hint=f"{_HINT}, with this version of calamari")
    if type(value) is not kind:
        kinds = {dict: "object", str: "text", bool: "true or false"}
        raise _broken(path, name, f"is no {kinds[kind]}")
    return value


def _broken(path: Path, field: str, message: str, *, hint: str = _HINT) -> ManifestError:
    problem = Problem(message=message, path=field, file=str(path), hint=hint)
    return ManifestError([problem], subject=str(path))
