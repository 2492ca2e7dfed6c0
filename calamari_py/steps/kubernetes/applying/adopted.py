"""Objects of a client-side ``kubectl apply`` that are applied on the server's side.

kubectl hands the fields over from one to the other, but not in a rehearsal: what its last file had
and the new one has not goes, and the server's answer to a rehearsal still has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_NEVER_GO = frozenset({"apiVersion", "kind", "status"})
_OF_METADATA = frozenset({"labels", "annotations"})


def without_dropped(
    wanted: Mapping[str, Any], live: Mapping[str, Any] | None, file: Mapping[str, Any]
) -> Mapping[str, Any]:
    """`wanted`, the answer to a rehearsal of `file`, without what goes beside: what was applied to
    `live` on the client's side and is not in `file`. Items of lists are told apart by their
    names."""
    annotations = ((live or {}).get("metadata") or {}).get("annotations") or {}
    try:
        last = json.loads(annotations.get(LAST_APPLIED, ""))
    except ValueError:
        return wanted
    if not isinstance(last, dict):
        return wanted
    dropped: Mapping[str, Any] = _without(wanted, _droppable(last), _droppable(file))
    return dropped


def _droppable(body: Mapping[str, Any]) -> dict[str, Any]:
    """The part of `body` that can go, as a server keeps it."""
    part = {name: value for name, value in body.items() if name not in _NEVER_GO}
    metadata = part.pop("metadata", None) or {}
    part["metadata"] = {name: metadata.get(name) or {} for name in _OF_METADATA}
    if body.get("kind") == "Secret" and "stringData" in part:
        part["data"] = {**(part.get("data") or {}), **(part.pop("stringData") or {})}
    return part


def _without(wanted: Any, last: Any, file: Any) -> Any:
    if all(isinstance(each, Mapping) for each in (wanted, last, file)):
        return {
            key: _without(value, last.get(key), file.get(key))
            for key, value in wanted.items()
            if key in file or last.get(key) is None
        }
    if all(_is_named(each) for each in (wanted, last, file)):
        olds, news = _by_name(last), _by_name(file)
        return [
            _without(item, olds.get(item["name"]), news.get(item["name"]))
            for item in wanted
            if item["name"] in news or item["name"] not in olds
        ]
    return wanted


def _is_named(items: Any) -> bool:
    return isinstance(items, list) and all(
        isinstance(item, Mapping) and "name" in item for item in items
    )


def _by_name(items: list[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {item["name"]: item for item in items}
