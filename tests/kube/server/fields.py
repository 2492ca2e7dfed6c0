"""Who owns which field: managedFields, and apply patches that go by them.

A path is what fieldsV1 calls its members, such as ``f:spec``, ``k:{"name":"web"}``, ``v:"word"``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.kube.server.failures import ApiError, Body, Cause, apply_conflict
from tests.kube.server.kinds import KEY_DEFAULTS, Fields, Type, is_atomic, is_set, keys_of

Path = tuple[str, ...]
_UNOWNED = {"apiVersion", "kind"}
_UNOWNED_META = {
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
    "managedFields", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds",
}  # fmt: skip


@dataclass(slots=True)
class Entry:
    """What one manager owns by one operation."""

    name: str
    operation: str
    subresource: str
    version: str
    time: str
    paths: set[Path] = field(default_factory=set)

    @property
    def who(self) -> tuple[str, str, str, str]:
        # Different versions of updates are different owners; an applier is one.
        version = "" if self.operation == "Apply" else self.version
        return (self.name, self.operation, self.subresource, version)

    def told(self) -> str:
        """As a conflict names it."""
        text = json.dumps(self.name)
        if self.subresource:
            text += f" with subresource {json.dumps(self.subresource)}"
        if self.operation == "Update":
            text += f" using {self.version} at {self.time}"
        return text


def entries_of(body: Body) -> list[Entry]:
    """The managers in an object."""
    return [
        Entry(
            name=entry.get("manager", ""),
            operation=entry["operation"],
            subresource=entry.get("subresource", ""),
            version=entry["apiVersion"],
            time=entry.get("time", ""),
            paths=set(_decoded(entry.get("fieldsV1") or {}, ())),
        )
        for entry in body["metadata"].get("managedFields") or ()
    ]


def put_entries(body: Body, entries: Collection[Entry]) -> None:
    """Write the managers that own anything into an object."""
    told = [
        {
            "manager": entry.name,
            "operation": entry.operation,
            "apiVersion": entry.version,
            "time": entry.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": _encoded(entry.paths),
            **({"subresource": entry.subresource} if entry.subresource else {}),
        }
        for entry in entries
        if entry.paths
    ]
    if told:
        body["metadata"]["managedFields"] = told
    else:
        body["metadata"].pop("managedFields", None)


def _decoded(fields: Body, at: Path) -> Iterator[Path]:
    for name, inner in fields.items():
        if name == ".":
            yield at
        elif inner:
            yield from _decoded(inner, (*at, name))
        else:
            yield (*at, name)


def _encoded(paths: Collection[Path]) -> Body:
    result: Body = {}
    for path in sorted(paths):
        here = result
        for name in path:
            here = here.setdefault(name, {})
    for path in paths:
        here = result
        for name in path:
            here = here[name]
        if here:
            here["."] = {}
    return result


# --- paths of an object --------------------------------------------------------------------------


def owned_by(type_: Type, body: Body) -> dict[Path, Any]:
    """Every path that can be owned in `body`, and the value there (None for an item)."""
    found: dict[Path, Any] = {}
    for name, value in body.items():
        if name == "metadata":
            for key, inner in value.items():
                if key not in _UNOWNED_META:
                    _walk(type_, (name, key), (f"f:{name}", f"f:{key}"), inner, found)
        elif name not in _UNOWNED:
            _walk(type_, (name,), (f"f:{name}",), value, found)
    return found


def _walk(type_: Type, fields: Fields, path: Path, value: Any, found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and value and not is_atomic(type_, fields):
        for name, inner in value.items():
            _walk(type_, (*fields, name), (*path, f"f:{name}"), inner, found)
    elif isinstance(value, list) and (keys := keys_of(type_, fields)):
        for item in value:
            at = (*path, _item_key(keys, item))
            found[at] = None
            for name, inner in item.items():
                _walk(type_, (*fields, name), (*at, f"f:{name}"), inner, found)
    elif isinstance(value, list) and is_set(fields):
        for word in value:
            found[*path, f"v:{json.dumps(word)}"] = word
    else:
        found[path] = value


def _item_key(keys: tuple[str, ...], item: Body) -> str:
    told = {key: item.get(key, KEY_DEFAULTS.get(key)) for key in keys}
    told = {key: value for key, value in sorted(told.items()) if value is not None}
    return "k:" + json.dumps(told, separators=(",", ":"))


def told_path(path: Path) -> str:
    """``.spec.template.spec.containers[name="web"].image``."""
    text = ""
    for name in path:
        sort, _, rest = name.partition(":")
        if sort == "f":
            text += f".{rest}"
        elif sort == "v":
            text += f"[={rest}]"
        else:
            keys = ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(rest).items())
            text += f"[{keys}]"
    return text


# --- changing ------------------------------------------------------------------------------------


def record_update(type_: Type, before: Body | None, after: Body, entry: Entry) -> None:
    """Give what differs to who updated it, and take it from all others."""
    entries = entries_of(after)
    old = {} if before is None else owned_by(type_, before)
    new = owned_by(type_, after)
    changed = {path for path, value in new.items() if path not in old or old[path] != value}
    mine = next((one for one in entries if one.who == entry.who), None)
    for one in entries:
        one.paths &= new.keys()
        if one is not mine:
            one.paths -= {path for path in changed if new[path] is not None}
    if changed:
        if mine is None:
            entries.append(entry)
            mine = entry
        mine.paths |= changed
        mine.time = entry.time
    put_entries(after, entries)


def apply(type_: Type, live: Body | None, patch: Body, entry: Entry, *, force: bool) -> Body:
    """What an apply patch of `entry` makes of `live`; 409 for what others own and differs."""
    base: Body = {"metadata": {}} if live is None else copy.deepcopy(live)
    wanted = owned_by(type_, patch)
    entries = entries_of(base)
    _settle_conflicts(entries, entry, wanted, owned_by(type_, base), force=force)
    mine = next((one for one in entries if one.who == entry.who), None)
    stale = (mine.paths if mine else set()) - wanted.keys()
    held = set().union(*(one.paths for one in entries if one is not mine))
    merged: Body = _merged(type_, (), base, patch)
    for path in sorted(stale, key=len, reverse=True):
        if not any(other[: len(path)] == path for other in held):
            _remove(merged, path)
    if mine is None:
        entries.append(entry)
        mine = entry
    mine.version = entry.version
    if mine.paths != wanted.keys():
        mine.paths, mine.time = set(wanted), entry.time
    present = owned_by(type_, merged)
    for one in entries:
        one.paths = {path for path in one.paths if path in present or one is mine}
    put_entries(merged, entries)
    return merged


def _settle_conflicts(
    entries: list[Entry],
    entry: Entry,
    wanted: dict[Path, Any],
    live: dict[Path, Any],
    *,
    force: bool,
) -> None:
    conflicts: dict[str, list[Path]] = {}
    for other in entries:
        if other.who == entry.who:
            continue
        lost = {
            path for path in other.paths & wanted.keys()
            if wanted[path] is not None and live.get(path) != wanted[path]
        }  # fmt: skip
        if lost and force:
            other.paths -= lost
        elif lost:
            conflicts.setdefault(other.told(), []).extend(sorted(lost))
    if conflicts:
        raise _conflict(conflicts)


def _conflict(conflicts: dict[str, list[Path]]) -> ApiError:
    causes = [
        Cause(reason="FieldManagerConflict", message=f"conflict with {who}", field=told_path(path))
        for who, paths in conflicts.items()
        for path in paths
    ]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}"
        return apply_conflict(causes, message)
    lines = []
    for who in sorted(conflicts):
        lines += [f"conflicts with {who}:", *(f"- {told_path(path)}" for path in conflicts[who])]
    return apply_conflict(causes, f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines))


def _merged(type_: Type, fields: Fields, base: Any, patch: Any) -> Any:
    if isinstance(patch, dict) and not (fields and is_atomic(type_, fields)):
        result = dict(base) if isinstance(base, dict) else {}
        for name, value in patch.items():
            result[name] = _merged(type_, (*fields, name), result.get(name), value)
        return result
    if isinstance(patch, list) and fields and (keys := keys_of(type_, fields)):
        items = {_item_key(keys, item): item for item in base or ()}
        # The order is that of who applies; what is only on the server comes after.
        wanted = {_item_key(keys, item): item for item in patch}
        result = {key: _merged(type_, fields, items.get(key), item) for key, item in wanted.items()}
        return [*result.values(), *(item for key, item in items.items() if key not in wanted)]
    if isinstance(patch, list) and fields and is_set(fields):
        return [*dict.fromkeys([*(base or ()), *patch])]
    return copy.deepcopy(patch)


def _remove(body: Any, path: Path) -> None:
    trail: list[tuple[Any, str]] = []
    here = body
    for name in path:
        trail.append((here, name))
        found = _step(here, name)
        if found is None:
            return
        here = found[1]
    for parent, name in reversed(trail):
        at, value = _step(parent, name) or (None, None)
        last = parent is trail[-1][0]
        if not last and (value or name.startswith("k:")):
            return
        del parent[at]


def _step(parent: Any, name: str) -> tuple[Any, Any] | None:
    """Where the member `name` of `parent` is, and what is there."""
    sort, _, rest = name.partition(":")
    if sort == "f":
        if not isinstance(parent, dict) or rest not in parent:
            return None
        return rest, parent[rest]
    if not isinstance(parent, list):
        return None
    wanted = json.loads(rest)
    for at, item in enumerate(parent):
        if sort == "v" and item == wanted:
            return at, item
        if sort == "k" and isinstance(item, dict):
            told = {key: item.get(key, KEY_DEFAULTS.get(key)) for key in wanted}
            if told == wanted:
                return at, item
    return None
