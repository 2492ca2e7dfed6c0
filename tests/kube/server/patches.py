"""JSON patch, merge patch and strategic merge patch."""

from __future__ import annotations

import copy
from typing import Any

from tests.kube.server.failures import ApiError, Body, bad_request
from tests.kube.server.kinds import Fields, Type, is_set, keys_of


def merge(target: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


def json_patch(body: Body, operations: list[Body]) -> Body:
    """A JSON patch (RFC 6902); 422 for what cannot be done, as the server says it."""
    body = copy.deepcopy(body)
    for operation in operations:
        _operate(body, operation)
    return body


def _operate(body: Body, operation: Body) -> None:
    does, path = operation["op"], operation["path"]
    if does in ("move", "copy"):
        parent, name = _find(body, operation["from"])
        value = copy.deepcopy(_at(parent, name))
        if does == "move":
            del parent[name]
    else:
        value = copy.deepcopy(operation.get("value"))
    parent, name = _find(body, path)
    if does == "test":
        if _at(parent, name) != value:
            raise _impossible()
    elif does == "remove":
        _at(parent, name)
        del parent[name]
    elif isinstance(parent, list) and does != "replace":
        parent.insert(len(parent) if name == "-" else int(name), value)
    else:
        if does == "replace":
            _at(parent, name)
        parent[name] = value


def _find(body: Body, pointer: str) -> tuple[Any, Any]:
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    parent: Any = body
    for part in way:
        parent = _at(parent, int(part) if isinstance(parent, list) else part)
    if isinstance(parent, list) and last != "-":
        return parent, int(last)
    return parent, last


def _at(parent: Any, name: Any) -> Any:
    try:
        return parent[name]
    except (LookupError, TypeError) as error:
        raise _impossible() from error


def _impossible() -> ApiError:
    """The real one does not say what, either."""
    message = "the server rejected our request due to an error in our request"
    return ApiError(422, "Invalid", message, details={})


def strategic(type_: Type, target: Body, patch: Body) -> Body:
    """A strategic merge patch, with its directives."""
    if type_.custom:
        raise ApiError(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, "
            "application/apply-patch+yaml",
        )
    merged = _strategic(type_, (), target, patch)
    if not isinstance(merged, dict):
        raise bad_request("a patch must be an object")
    return merged


def _strategic(type_: Type, at: Fields, target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    directive = patch.get("$patch")
    if directive == "delete":
        return {}
    plain = {name: value for name, value in patch.items() if not name.startswith("$")}
    if directive == "replace":
        return copy.deepcopy(plain)
    result = dict(target) if isinstance(target, dict) else {}
    if "$retainKeys" in patch:
        result = {name: result[name] for name in result if name in patch["$retainKeys"]}
    for name, value in plain.items():
        merged = _member(type_, (*at, name), result.get(name), value)
        result[name] = merged
        if merged is None:
            del result[name]
    for name, words in patch.items():
        if name.startswith("$deleteFromPrimitiveList/"):
            field = name.partition("/")[2]
            result[field] = [word for word in result.get(field) or [] if word not in words]
        elif name.startswith("$setElementOrder/"):
            _reorder(type_, at, name.partition("/")[2], words, result)
    return result


def _member(type_: Type, field: Fields, target: Any, value: Any) -> Any:
    """One field; None is that it goes."""
    if isinstance(value, list) and (keys := _keys(type_, field)):
        return _items(type_, field, keys[0], target or [], value)
    if isinstance(value, list) and is_set(field):
        return [*dict.fromkeys([*(target or []), *value])]
    if value is None or (isinstance(value, dict) and value.get("$patch") == "delete"):
        return None
    return _strategic(type_, field, target, value)


def _keys(type_: Type, field: Fields) -> tuple[str, ...]:
    """What a strategic merge goes by: only ever the first of the keys."""
    return keys_of(type_, field)[:1]


def _items(type_: Type, at: Fields, key: str, target: list[Body], patch: list[Body]) -> list[Body]:
    if any(item.get("$patch") == "replace" for item in patch):
        return [copy.deepcopy(item) for item in patch if "$patch" not in item]
    result = {item.get(key): item for item in target}
    for item in patch:
        if item.get("$patch") == "delete":
            result.pop(item.get(key), None)
        else:
            result[item.get(key)] = _strategic(type_, at, result.get(item.get(key)), item)
    return list(result.values())


def _reorder(type_: Type, at: Fields, name: str, words: list[Any], result: Body) -> None:
    keys = _keys(type_, (*at, name))
    present = result.get(name)
    if not present:
        return
    wanted = [word.get(keys[0]) if keys else word for word in words]

    def place(item: Any) -> int:
        told = item.get(keys[0]) if keys else item
        return wanted.index(told) if told in wanted else len(wanted)

    result[name] = sorted(present, key=place)
