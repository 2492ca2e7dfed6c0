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
from calamari_py.steps.terraform.reading.written import mapping, read_json

FEWEST_DIGITS = 6
"""A port or a year that is a part of something sensitive would be masked wherever its digits stand,
within a hash as well."""
FEWEST_OF_ALL = 4
"""The same of a number that is sensitive by itself: a PIN, which somebody has to hide."""
_UNFIT = "some sensitive values"
"""One name for all that the registry may think not worth masking: it warns once for a name."""
_LONGEST_NAME = 20
_WORD = "(?:[A-Z]?[a-z]+|[A-Z]+|[0-9]{1,3})?"
_KEY_NAME = re.compile(f"{_WORD}(?:[._/-]{_WORD})*")
"""What a key may look like that is a name as ``LOG_LEVEL`` or ``tls.crt`` is one, and no secret:
to mask those would make the output unreadable. What mixes letters of both cases, or letters and
digits, is taken for a secret."""
_REFERENCE = re.compile(r"var\.([^.\[]+)")
_STEP = re.compile(r"\.([^.\[]+)|\[(?:(\d+)|\"((?:[^\"\\]|\\.)*)\")\]")

_Marked = tuple[str, Any, Any]
"""A name, a value and its mark."""
_Values = dict[str, list[Any]]
"""What the variables of a module may be, by name."""


def sensitive_values(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names (``aws_db_instance.main.password``) and texts of all sensitive values of a plan or a
    state, each pair once. Numbers of six digits and more are texts, too, and of four where they are
    all of a variable or an output; true, false, null and the empty text are no secrets. A key of a
    sensitive map is one unless it looks like a name, and no key of it is in a name. What is in a
    sensitive text that is JSON is a value of its own."""
    told: set[tuple[str, str]] = set()
    for name, value, mark in _marked(document):
        for pair in _texts(name, value, mark):
            if pair not in told:
                told.add(pair)
                yield pair


def hide_all(report: StepReport, values: Iterable[tuple[str, str]]) -> None:
    """Mask all `values` from now on. Those that are unfit for that come last, for the report may
    refuse them, under one name: there is one warning and not a hundred."""
    told: set[str] = set()
    unfit: list[str] = []
    for name, text in values:
        if text in told:
            continue
        told.add(text)
        data = to_bytes(text.strip())
        if len(data) <= LONGEST_UNMASKED or data.lower() in COMMON_WORDS:
            unfit.append(text)
        else:
            report.hide(text, name)
    for text in unfit:
        report.hide(text, _UNFIT)


def _marked(document: Mapping[str, Any]) -> Iterator[_Marked]:
    yield from _variables(document)
    for part in ("resource_drift", "resource_changes"):
        for each in _objects(document.get(part)):
            yield from _changed(str(each.get("address", "")), each.get("change"))
    for each in _objects(document.get("deferred_changes")):
        deferred = mapping(each.get("resource_change"))
        yield from _changed(str(deferred.get("address", "")), deferred.get("change"))
    for name, change in mapping(document.get("output_changes")).items():
        yield from _changed(f"output.{name}", change)
    for each in _objects(document.get("action_invocations")):
        yield str(each.get("address", "")), each.get("config_values"), each.get("config_sensitive")
    prior = mapping(document.get("prior_state"))
    for values in (document.get("values"), prior.get("values"), document.get("planned_values")):
        yield from _state(mapping(values))


def _changed(name: str, change: Any) -> Iterator[_Marked]:
    sides = mapping(change)
    yield name, sides.get("before"), sides.get("before_sensitive")
    yield name, sides.get("after"), sides.get("after_sensitive")


def _state(values: Mapping[str, Any]) -> Iterator[_Marked]:
    for name, output in mapping(values.get("outputs")).items():
        told = mapping(output)
        yield f"output.{name}", told.get("value"), told.get("sensitive")
    modules = [mapping(values.get("root_module"))]
    while modules:
        module = modules.pop()
        modules += _objects(module.get("child_modules"))
        for each in _objects(module.get("resources")):
            yield str(each.get("address", "")), each.get("values"), each.get("sensitive_values")


def _variables(document: Mapping[str, Any]) -> Iterator[_Marked]:
    """Values of sensitive variables: given, default, and what calls of modules hand on."""
    root = mapping(mapping(document.get("configuration")).get("root_module"))
    given = {
        name: [mapping(variable).get("value")]
        for name, variable in mapping(document.get("variables")).items()
    }
    modules: list[tuple[str, dict[str, Any], _Values]] = [("", root, given)]
    while modules:
        path, module, handed = modules.pop()
        values: _Values = {}
        for name, variable in mapping(module.get("variables")).items():
            declared = mapping(variable)
            values[name] = [*handed.get(name, ()), declared.get("default")]
            for value in values[name]:
                yield f"{path}var.{name}", value, declared.get("sensitive")
        for name, call in mapping(module.get("module_calls")).items():
            called = mapping(call)
            inner = mapping(called.get("module"))
            modules.append((f"{path}module.{name}.", inner, _handed_on(called, values)))


def _handed_on(call: Mapping[str, Any], values: _Values) -> _Values:
    """What the arguments of a module call may be. One that is made of variables is not in the
    document itself: those variables are, and any of them may be the secret in it."""
    each = _references(call.get("for_each_expression"))
    found: _Values = {}
    for name, expression in mapping(call.get("expressions")).items():
        references = _references(expression)
        if any(text.startswith("each.") for text in references):
            references += each
        constant = mapping(expression).get("constant_value")
        found[name] = [constant, *(part for text in references for part in _referred(text, values))]
    return found


def _references(expression: Any) -> list[str]:
    """The most exact ones: Terraform names ``var.a.b`` and ``var.a``."""
    told = mapping(expression).get("references")
    texts = [text for text in told if isinstance(text, str)] if isinstance(told, list) else []
    return [
        text
        for text in texts
        if not any(other.startswith((f"{text}.", f"{text}[")) for other in texts)
    ]


def _referred(reference: str, values: _Values) -> Iterator[Any]:
    """What ``var.name`` may be, or the part of it that ``var.name.key[0]`` means."""
    found = _REFERENCE.match(reference)
    for value in values.get(found[1], ()) if found else ():
        part = value
        for attribute, index, key in _STEP.findall(reference, found.end() if found else 0):
            step: Any = int(index) if index else attribute or key
            if (isinstance(part, dict) and step in part) or (
                isinstance(part, list) and isinstance(step, int) and step < len(part)
            ):
                part = part[step]
            else:
                break
        yield part


def whole(value: Any) -> Any:
    """`value`, as a text where it is a number that may be a secret by itself."""
    return _text(value, fewest=FEWEST_OF_ALL) or value


def _texts(name: str, value: Any, mark: Any) -> Iterator[tuple[str, str]]:
    waiting = [(name, whole(value) if mark is True else value, mark)]
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
            inside = f"{name}.*"
            waiting += [(inside, one[key]) for key in reversed(one)]
            yield from ((inside, key) for key in one if not _is_name(key))
        elif isinstance(one, list):
            waiting += [(f"{name}[{at}]", one[at]) for at in reversed(range(len(one)))]
        elif (text := _text(one)) is not None:
            yield name, text
            waiting += [(name, part) for part in _parts_of_json(text)]


def _parts_of_json(text: str) -> tuple[Any, ...]:
    """What a text holds that is an object or a list; nothing where it is neither."""
    if not text.lstrip().startswith(("{", "[")):
        return ()
    try:
        return (read_json(text),)
    except (ValueError, RecursionError):
        return ()


def _text(value: Any, *, fewest: int = FEWEST_DIGITS) -> str | None:
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    text = str(value)
    return text if sum(map(str.isdigit, text)) >= fewest else None


def _named(path: str, key: str) -> str:
    """The name of a part. A key that may be a secret is no part of a name."""
    return step_into(path, key) if _is_name(key) else f"{path}.*"


def _is_name(key: str) -> bool:
    return len(key) <= _LONGEST_NAME and _KEY_NAME.fullmatch(key) is not None


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
