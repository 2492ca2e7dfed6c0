"""What runs on a cluster of the tests: controllers that go over its objects again and again."""

from __future__ import annotations

import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Self

from tests.kube.pods import CRASHED_WITH, image_of
from tests.kube.server.store import Store
from tests.kube.workloads import CONTROLLERS, Body

_PAUSE = 0.03
_AT_LEAST_EVERY = 0.15
"""Statuses change by age alone, too."""


class Controllers:
    """Drives the objects of `store`; a context manager, whose thread calls `look` all the time.

    A test that wants to see each step calls `look` itself, with a clock of its own. `said` is
    called with namespace, pod and container, and what it wrote, of each that crashes.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float] = time.monotonic,
        said: Callable[[str, str, str, str], None] = lambda *_: None,
    ) -> None:
        self.faults: list[str] = []
        self._store = store
        self._clock = clock
        self._said = said
        self._born: dict[str, float] = {}
        self._told: set[tuple[str, str]] = set()
        self._seen: dict[str, list[dict[str, Any]]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="controllers", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def look(self) -> None:
        """Let every controller see every object of its kind once, as they are now."""
        self._seen = defaultdict(list)
        for key, body in self._store.items():
            self._seen[key.kind].append(body)
            self._born.setdefault(body["metadata"]["uid"], self._clock())
        for kind, control in CONTROLLERS.items():
            for body in self._seen[kind]:
                if not body["metadata"].get("deletionTimestamp"):
                    control(self, body)

    def _work(self) -> None:
        version, next_look = 0, 0.0
        while not self._ended.wait(_PAUSE):
            if self._store.version == version and self._clock() < next_look:
                continue
            version, next_look = self._store.version, self._clock() + _AT_LEAST_EVERY
            try:
                self.look()
            except Exception:  # noqa: BLE001  the test shows it: `faults` are empty at its end
                self.faults.append(traceback.format_exc())

    def all(self, kind: str) -> list[dict[str, Any]]:
        return self._seen[kind]

    def make(self, body: dict[str, Any]) -> None:
        metadata = body["metadata"]
        if self._store.get(body["kind"], metadata["name"], metadata["namespace"]) is None:
            self._store.add(body)

    def remove(self, body: Body) -> None:
        metadata = body["metadata"]
        self._store.remove(body["kind"], metadata["name"], metadata.get("namespace", ""))

    def tell(self, body: Body, status: Mapping[str, Any]) -> None:
        now = body.get("status") or {}
        if any(now.get(name) != value for name, value in status.items()):
            self._store.set_status(dict(body), **status)
        if body["kind"] == "Pod" and image_of(body["spec"])[0] == "crash":
            metadata = body["metadata"]
            for container in body["spec"]["containers"]:
                self._said(metadata["namespace"], metadata["name"], container["name"], CRASHED_WITH)

    def scale(self, body: Body, replicas: int) -> None:
        metadata = body["metadata"]
        self._store.edit(
            body["kind"], metadata["name"], metadata["namespace"],
            lambda now: now["spec"].update(replicas=replicas),
        )  # fmt: skip

    def annotate(self, body: Body, name: str, text: str) -> None:
        metadata = body["metadata"]
        self._store.edit(
            body["kind"], metadata["name"], metadata["namespace"],
            lambda now: now["metadata"].setdefault("annotations", {}).update({name: text}),
        )  # fmt: skip

    def warn(self, body: Body, reason: str, message: str) -> None:
        metadata = body["metadata"]
        if (metadata["uid"], reason) in self._told:
            return
        self._told.add((metadata["uid"], reason))
        namespace = metadata.get("namespace", "default")
        self._store.add({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name']}.{len(self._told):04x}", "namespace": namespace,
            },
            "involvedObject": {
                "apiVersion": body["apiVersion"], "kind": body["kind"], "namespace": namespace,
                "name": metadata["name"], "uid": metadata["uid"],
            },
            "type": "Warning", "reason": reason, "message": message, "count": 1,
            "firstTimestamp": self._store.stamp(), "lastTimestamp": self._store.stamp(),
            "source": {"component": "tests"},
        })  # fmt: skip

    def age(self, body: Body) -> float:
        return self._clock() - self._born[body["metadata"]["uid"]]
