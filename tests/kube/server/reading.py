"""Lists and logs."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from tests.kube.server import matching
from tests.kube.server.failures import ApiError, Body, bad_request, expired
from tests.kube.server.routes import Target
from tests.kube.server.store import Key, Store
from tests.kube.server.tables import table, wants_table
from tests.kube.server.wire import Answer, Request, answer

if TYPE_CHECKING:
    from tests.kube.server.server import KubeServer


def fits(target: Target) -> Callable[[Key], bool]:
    """Whether a key is of what a list or a watch is about."""
    type_, namespace = target.type, target.namespace
    return lambda key: (
        (key.group, key.kind) == (type_.group, type_.kind) and namespace in ("", key.namespace)
    )


def matches(request: Request) -> Callable[[Body], bool]:
    """The selectors of a request."""
    by_label = matching.labels(request.query.get("labelSelector", ""))
    by_field = matching.fields(request.query.get("fieldSelector", ""))
    return lambda body: by_label(body) and by_field(body)


def bodies(store: Store, target: Target, request: Request) -> list[Body]:
    """What a list, or a deletion of many, is about."""
    chosen = matches(request)
    return [
        {**body, "apiVersion": target.type.api_version}
        for _, body in store.items(fits(target))
        if chosen(body)
    ]


def listed(store: Store, target: Target, request: Request, now: datetime) -> Answer:
    """A list, or a page of it; a table for who would rather have one."""
    with store.lock:
        found = bodies(store, target, request)
        version = store.version
    meta: Body = {"resourceVersion": str(version)}
    limit = int(request.query.get("limit") or 0)
    start = 0
    if token := request.query.get("continue"):
        version, start = json.loads(base64.b64decode(token))
        if version < store.oldest:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. "
                "You can start a new list without the continue parameter, or use the continue "
                "token in this response to retrieve the remainder of the results."
            )
        meta["resourceVersion"] = str(version)
    page = found[start : start + limit] if limit else found[start:]
    if limit and start + limit < len(found):
        further = json.dumps([version, start + limit]).encode()
        meta["continue"] = base64.b64encode(further).decode()
        meta["remainingItemCount"] = len(found) - start - limit
    if wants_table(request.accept):
        return answer(table(target.type, page, meta, now))
    return answer(
        {
            "kind": f"{target.type.kind}List",
            "apiVersion": target.type.api_version,
            "metadata": meta,
            "items": page,
        }
    )


def logged(server: KubeServer, target: Target, request: Request, pod: Body) -> Answer:
    """``pods/log``: what a test put there."""
    containers = [one["name"] for one in pod["spec"].get("containers") or ()]
    known = containers + [one["name"] for one in pod["spec"].get("initContainers") or ()]
    name = request.query.get("container", "")
    if not name:
        if len(containers) != 1:
            raise bad_request(
                f"a container name must be specified for pod {target.name}, choose one of: "
                f"[{' '.join(containers)}]"
            )
        name = containers[0]
    if name not in known:
        raise bad_request(f"container {name} is not valid for pod {target.name}")
    previous = request.query.get("previous") == "true"
    text = server.logs.get((target.namespace, target.name, name, previous))
    if text is None and previous:
        raise bad_request(
            f'previous terminated container "{name}" in pod "{target.name}" not found'
        )
    if text is None and _waits(pod, name):
        raise ApiError(
            400,
            "BadRequest",
            f'container "{name}" in pod "{target.name}" is waiting to start: ContainerCreating',
        )
    lines = (text or "").splitlines(keepends=True)
    if (tail := request.query.get("tailLines")) is not None:
        lines = lines[-int(tail) :] if int(tail) else []
    raw = "".join(lines).encode()
    if limit := request.query.get("limitBytes"):
        raw = raw[: int(limit)]
    return Answer(body=raw, content_type="text/plain")


def _waits(pod: Body, container: str) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    states = [one.get("state") or {} for one in statuses if one["name"] == container]
    return not states or "waiting" in states[0]
