"""The sensitive values of a plan or a state: what must be masked before anything is shown.

Terraform writes them in clear and marks them beside: a mark that is true holds for all that is in
the value; else it has the value's shape. Where the two do not fit, the whole value is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from calamari_py.masking.forms import COMMON_WORDS, LONGEST_UNMASKED, to_bytes
from calamari_py.steps.base import StepReport
from calamari_py.steps.terraform.reading.attributes import holds_true, step_into

_FEWEST_DIGITS = 4
_UNFIT = "some sensitive values"
"""One name for all that the registry may think not worth masking: it warns once for a name."""
_LONGEST_NAME = 64
_PART = "[A-Za-z]*(?:[0-9]{1,4}[A-Za-z]*)?"
_KEY_NAME = re.compile(f"{_PART}(?:[._/-]{_PART})*")
"""What a key may look like that is a name as ``db_password`` or ``tls.crt`` is one, and no secret:
to mask those would make the output unreadable."""

_Marked = tuple[str, Any, Any]
"""A name, a value and its mark."""


def sensitive_values(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names (``aws_db_instance.main.password``) and texts of all sensitive values of a plan or a
    state, each pair once. Numbers of four digits and more are texts, too; true, false, null and the
    empty text are no secrets. A key of a sensitive map is one unless it looks like a name."""
    told: set[tuple[str, str]] = set()
    for name, value, mark in _marked(document):
        for pair in _texts(name, value, mark):
            if pair not in told:
                told.add(pair)
                yield pair


def hide_all(report: StepReport, values: Iterable[tuple[str, str]]) -> int:
    """Mask all `values` from now on; how many different ones are long enough for that. Those that
    are not are handed on under one name: there is one warning and not a hundred."""
    told: set[str] = set()
    hidden = 0
    for name, text in values:
        if text in told:
            continue
        told.add(text)
        data = to_bytes(text.strip())
        if len(data) <= LONGEST_UNMASKED or data.lower() in COMMON_WORDS:
            report.hide(text, _UNFIT)
        else:
            report.hide(text, name)
            hidden += 1
    return hidden


def _marked(document: Mapping[str, Any]) -> Iterator[_Marked]:
    yield from _variables(document)
    for part in ("resource_drift", "resource_changes"):
        for each in _objects(document.get(part)):
            yield from _changed(str(each.get("address", "")), each.get("change"))
    for each in _objects(document.get("deferred_changes")):
        deferred = _object(each.get("resource_change"))
        yield from _changed(str(deferred.get("address", "")), deferred.get("change"))
    for name, change in _object(document.get("output_changes")).items():
        yield from _changed(f"output.{name}", change)
    for each in _objects(document.get("action_invocations")):
        yield str(each.get("address", "")), each.get("config_values"), each.get("config_sensitive")
    prior = _object(document.get("prior_state"))
    for values in (document.get("values"), prior.get("values"), document.get("planned_values")):
        yield from _state(_object(values))


def _changed(name: str, change: Any) -> Iterator[_Marked]:
    sides = _object(change)
    yield name, sides.get("before"), sides.get("before_sensitive")
    yield name, sides.get("after"), sides.get("after_sensitive")


def _state(values: Mapping[str, Any]) -> Iterator[_Marked]:
    for name, output in _object(values.get("outputs")).items():
        told = _object(output)
        yield f"output.{name}", told.get("value"), told.get("sensitive")
    modules = [_object(values.get("root_module"))]
    while modules:
        module = modules.pop()
        modules += _objects(module.get("child_modules"))
        for each in _objects(module.get("resources")):
            yield str(each.get("address", "")), each.get("values"), each.get("sensitive_values")


def _variables(document: Mapping[str, Any]) -> Iterator[_Marked]:
    """Values of sensitive variables: given, default, and constants in calls of modules."""
    root = _object(_object(document.get("configuration")).get("root_module"))
    given = {
        name: _object(variable).get("value")
        for name, variable in _object(document.get("variables")).items()
    }
    modules: list[tuple[str, dict[str, Any], dict[str, Any]]] = [("", root, given)]
    while modules:
        path, module, values = modules.pop()
        for name, variable in _object(module.get("variables")).items():
            declared = _object(variable)
            mark = declared.get("sensitive")
            yield f"{path}var.{name}", values.get(name), mark
            yield f"{path}var.{name}", declared.get("default"), mark
        for name, call in _object(module.get("module_calls")).items():
            called = _object(call)
            constants = {
                key: _object(expression).get("constant_value")
                for key, expression in _object(called.get("expressions")).items()
            }
            modules.append((f"{path}module.{name}.", _object(called.get("module")), constants))


def _texts(name: str, value: Any, mark: Any) -> Iterator[tuple[str, str]]:
    waiting = [(name, value, mark)]
    while waiting:
        path, one, marked = waiting.pop()
        if marked is True:
            yield from _leaves(path, one)
        elif isinstance(one, dict) and isinstance(marked, dict):
            keys = [key for key in marked if key in one]
            waiting += [(_named(path, key), one[key], marked[key]) for key in reversed(keys)]
        elif isinstance(one, list) and isinstance(marked, list) and len(one) == len(marked):
            waiting += [(f"{path}[{at}]", one[at], marked[at]) for at in reversed(range(len(one)))]
        elif holds_true(marked):
            yield from _leaves(path, one)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    waiting = [(path, value)]
    while waiting:
        name, one = waiting.pop()
        if isinstance(one, dict):
            waiting += [(_named(name, key), one[key]) for key in reversed(one)]
            yield from ((name, key) for key in one if not _is_name(key))
        elif isinstance(one, list):
            waiting += [(f"{name}[{at}]", one[at]) for at in reversed(range(len(one)))]
        elif (text := _text(one)) is not None:
            yield name, text


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    text = str(value)
    return text if sum(map(str.isdigit, text)) >= _FEWEST_DIGITS else None


def _named(path: str, key: str) -> str:
    """The name of a part. A key that may be a secret is no part of a name."""
    return step_into(path, key) if _is_name(key) else f"{path}.*"


def _is_name(key: str) -> bool:
    return len(key) <= _LONGEST_NAME and _KEY_NAME.fullmatch(key) is not None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
