"""The objects of a cluster, who changed them last, and what follows from a deletion."""

from __future__ import annotations

import builtins
import copy
import secrets
import threading
import traceback
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from tests.kube.server.failures import Body

_UNCOUNTED = {"", "autoscaling", "coordination.k8s.io"}
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


class Key(NamedTuple):
    """What an object is known by."""

    group: str
    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of what watches read; `before` is None for what was made."""

    version: int
    event: Literal["ADDED", "MODIFIED", "DELETED"]
    key: Key
    body: Body
    before: Body | None


def group_of(body: Mapping[str, object]) -> str:
    """The group in an object's apiVersion."""
    return str(body["apiVersion"]).rpartition("/")[0]


def key_of(body: Body) -> Key:
    meta = body["metadata"]
    return Key(group_of(body), body["kind"], meta.get("namespace", ""), meta["name"])


def random_suffix(length: int = 5) -> str:
    """As generateName ends its names."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _without(body: Body | None, *names: str) -> Body:
    return {key: value for key, value in (body or {}).items() if key not in names}


def _same(before: Body, after: Body) -> bool:
    """Whether nothing but times of managed fields and the version differ."""

    def told(body: Body) -> tuple[Body, Body, list[Body]]:
        meta = body["metadata"]
        fields = [_without(entry, "time") for entry in meta.get("managedFields") or ()]
        return (
            _without(body, "metadata"),
            _without(meta, "managedFields", "resourceVersion", "generation"),
            fields,
        )

    return told(before) == told(after)


class Store:
    """Objects by their key. Threads may use it at once; what it gives out are copies.

    `get`, `list`, `add`, `edit`, `set_status` and `remove` are for tests and scripted controllers:
    they are let do anything. `read`, `write` and `delete` are for the API.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.faults: list[str] = []
        self.version = 1
        self.oldest = 0
        self._clock = clock
        self._objects: dict[Key, Body] = {}
        self._changes: list[Change] = []
        self._callbacks: list[Callable[[Body], None]] = []
        self._removals: list[Callable[[Body], None]] = []
        self._untold: deque[Change] = deque()
        self._telling = False
        self._depth = 0

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Nobody else reads or changes anything; callbacks are told after it, without the lock:
        they may have locks of their own."""
        with self.lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
        self._tell()

    # --- for tests and controllers ---------------------------------------------------------------

    def get(self, kind: str, name: str, namespace: str = "", *, group: str = "*") -> Body | None:
        """The object of that name, or None. `group` "*" is whichever has it."""
        with self.lock:
            for key, body in self._objects.items():
                if key[1:] == (kind, namespace, name) and group in ("*", key.group):
                    return copy.deepcopy(body)
        return None

    def list(
        self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> builtins.list[Body]:
        """All of a kind, by namespace and name, narrowed to what has all of `labels`."""
        wanted = dict(labels or {}).items()
        return [
            body
            for _, body in self.items(
                lambda key: key.kind == kind and namespace in (None, key.namespace)
            )
            if wanted <= (body["metadata"].get("labels") or {}).items()
        ]

    def add(self, body: Body) -> Body:
        """Store a new object (or put it in the place of the one of that name), status included."""
        return self.write(copy.deepcopy(body))

    def edit(
        self, kind: str, name: str, namespace: str, change: Callable[[Body], None]
    ) -> Body | None:
        """Let `change` alter an object in place; None where there is none."""
        with self.changing():
            body = self.get(kind, name, namespace)
            if body is None:
                return None
            change(body)
            return self.write(body)

    def set_status(self, body: Body, **status: object) -> Body | None:
        """Put these fields into the status of the object that `body` is a copy of."""

        def change(now: Body) -> None:
            now.setdefault("status", {}).update(copy.deepcopy(status))

        key = key_of(body)
        return self.edit(key.kind, key.name, key.namespace, change)

    def remove(self, kind: str, name: str, namespace: str = "") -> bool:
        """Delete an object and all that belongs to it."""
        with self.changing():
            body = self.get(kind, name, namespace)
            return body is not None and self.delete(key_of(body)) is not None

    def on_change(self, callback: Callable[[Body], None]) -> None:
        """Have `callback` told each object after it was stored, one after the other."""
        self._callbacks.append(callback)

    def on_removal(self, callback: Callable[[Body], None]) -> None:
        """Have `callback` told each object after it has gone."""
        self._removals.append(callback)

    def compact(self) -> None:
        """Forget what happened: older versions can no longer be watched from (410)."""
        with self.lock:
            self.oldest = self.version
            self._changes.clear()

    # --- for the API -----------------------------------------------------------------------------

    def items(
        self, which: Callable[[Key], bool] = lambda _: True
    ) -> builtins.list[tuple[Key, Body]]:
        """The objects whose key fits, by key."""
        with self.lock:
            keys = sorted(key for key in self._objects if which(key))
            return [(key, copy.deepcopy(self._objects[key])) for key in keys]

    def read(self, key: Key) -> Body | None:
        with self.lock:
            body = self._objects.get(key)
            return None if body is None else copy.deepcopy(body)

    def since(self, version: int) -> Iterator[Change]:
        """What was changed after `version`, as far as it is known now."""
        with self.lock:
            # The versions are in order, and a watch mostly wants the last few.
            found = 0
            for change in reversed(self._changes):
                if change.version <= version:
                    break
                found += 1
            return iter(self._changes[len(self._changes) - found :])

    def complete(self, body: Body, before: Body | None) -> Body:
        """`body` with what a server fills in: uid, times and generation."""
        meta = body["metadata"]
        old = (before or {}).get("metadata") or {}
        meta["uid"] = old.get("uid") or meta.get("uid") or str(uuid.uuid4())
        meta["creationTimestamp"] = (
            old.get("creationTimestamp") or meta.get("creationTimestamp") or self.stamp()
        )
        if "spec" in body and group_of(body) not in _UNCOUNTED:
            changed = before is not None and _without(
                before, "metadata", "status", "apiVersion"
            ) != (_without(body, "metadata", "status", "apiVersion"))
            meta["generation"] = old.get("generation", 0 if before else 1) + changed
        return body

    def stamp(self) -> str:
        """The time as objects tell it."""
        return self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    def write(self, body: Body) -> Body:
        """Store `body`; nothing happens where nothing differs. What is left of it after."""
        with self.changing():
            key = key_of(body)
            before = self._objects.get(key)
            body = self.complete(body, before)
            if before is not None and _same(before, body):
                return copy.deepcopy(before)
            if body["metadata"].get("deletionTimestamp") and not _held(body):
                self._erase(key, body)
            else:
                self._put("MODIFIED" if before else "ADDED", key, body, before)
            return copy.deepcopy(body)

    def delete(self, key: Key, *, policy: str = "Background") -> Body | None:
        """Delete as the server does: held back by finalizers, dependents after or before it."""
        with self.changing():
            body = self._objects.get(key)
            if body is None:
                return None
            body = copy.deepcopy(body)
            if policy == "Orphan":
                self._let_go(body)
            elif policy == "Foreground":
                self._delete_dependents(body)
            if key.kind == "Namespace":
                self._end_namespace(body)
            elif _held(body):
                self._mark(body)
            else:
                self._erase(key, body)
            return body

    def _put(
        self, event: Literal["ADDED", "MODIFIED"], key: Key, body: Body, before: Body | None
    ) -> None:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        stored = copy.deepcopy(body)
        self._objects[key] = stored
        self._record(Change(self.version, event, key, stored, before))

    def _erase(self, key: Key, body: Body) -> None:
        before = self._objects.pop(key)
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self._record(Change(self.version, "DELETED", key, copy.deepcopy(body), before))
        self._delete_dependents(body)
        home = self._objects.get(Key("", "Namespace", "", key.namespace))
        if home is not None and home["metadata"].get("deletionTimestamp"):
            self._end_namespace(copy.deepcopy(home))

    def _mark(self, body: Body) -> None:
        meta = body["metadata"]
        if not meta.get("deletionTimestamp"):
            before = self._objects[key_of(body)]
            meta["deletionTimestamp"] = self.stamp()
            meta["deletionGracePeriodSeconds"] = 0
            self._put("MODIFIED", key_of(body), body, before)

    def _end_namespace(self, body: Body) -> None:
        name = body["metadata"]["name"]
        body["status"] = {"phase": "Terminating"}
        self._mark(body)
        for key in [key for key in self._objects if key.namespace == name]:
            self.delete(key)
        empty = not any(key.namespace == name for key in self._objects)
        if empty and key_of(body) in self._objects and not _held(body):
            self._erase(key_of(body), body)

    def _dependents(self, owner: Body) -> builtins.list[Body]:
        uid = owner["metadata"]["uid"]
        return [
            copy.deepcopy(body)
            for body in self._objects.values()
            if any(one["uid"] == uid for one in body["metadata"].get("ownerReferences") or ())
        ]

    def _delete_dependents(self, owner: Body) -> None:
        for body in self._dependents(owner):
            self.delete(key_of(body))

    def _let_go(self, owner: Body) -> None:
        uid = owner["metadata"]["uid"]
        for body in self._dependents(owner):
            meta = body["metadata"]
            meta["ownerReferences"] = [one for one in meta["ownerReferences"] if one["uid"] != uid]
            self.write(body)

    def _record(self, change: Change) -> None:
        self._changes.append(change)
        self._untold.append(change)
        self.changed.notify_all()

    def _tell(self) -> None:
        """Tell what was changed, in order, to one after the other; a callback may change more."""
        while True:
            with self.lock:
                if self._depth or self._telling or not self._untold:
                    return
                self._telling = True
                change = self._untold.popleft()
            try:
                for callback in self._removals if change.event == "DELETED" else self._callbacks:
                    callback(copy.deepcopy(change.body))
            except Exception:  # noqa: BLE001  whatever a test's controller does wrong is told at the end
                self.faults.append(traceback.format_exc())
            finally:
                with self.lock:
                    self._telling = False


def _held(body: Body) -> bool:
    return bool(body["metadata"].get("finalizers"))
