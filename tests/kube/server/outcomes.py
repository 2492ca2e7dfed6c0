"""What an object is after a request, and what the answer says instead of it."""

from __future__ import annotations

import copy
from typing import Any

from tests.kube.server import patches
from tests.kube.server.failures import Body, not_allowed, unsupported_media
from tests.kube.server.routes import Target
from tests.kube.server.wire import Request


def establish(body: Body, now: str) -> None:
    """Let a CustomResourceDefinition be served."""
    names = body["spec"]["names"]
    conditions = [
        {"type": kind, "status": "True", "reason": reason, "message": text,
         "lastTransitionTime": now}
        for kind, reason, text in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]  # fmt: skip
    body["status"] = {
        "acceptedNames": copy.deepcopy(names),
        "conditions": conditions,
        "storedVersions": [one["name"] for one in body["spec"]["versions"] if one.get("storage")],
    }


def policy_of(request: Request, options: Body) -> str:
    given = options.get("propagationPolicy") or request.query.get("propagationPolicy")
    if options.get("orphanDependents"):
        return "Orphan"
    return str(given or "Background")


def gone(target: Target, body: Body) -> Body:
    details = {"name": target.name, "kind": target.type.plural, "uid": body["metadata"]["uid"]}
    if target.type.group:
        details["group"] = target.type.group
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }


def patched(target: Target, request: Request, before: Body) -> Body:
    sort = request.content_type
    document: Any = request.document()
    if sort == "application/json-patch+json":
        return patches.json_patch(before, document)
    if sort == "application/merge-patch+json":
        return dict(patches.merge(before, document))
    if sort == "application/strategic-merge-patch+json":
        return patches.strategic(target.type, copy.deepcopy(before), document)
    raise unsupported_media(sort)


def kept(target: Target, before: Body, after: Body) -> Body:
    """`after` with what this request may not change: all but the status, or the status."""
    after = copy.deepcopy(after)
    if target.subresource in ("status", "finalize"):
        part = "status" if target.subresource == "status" else "spec"
        result = copy.deepcopy(before)
        if part in after:
            result[part] = after[part]
        return result
    if target.subresource:
        raise not_allowed()
    if target.type.statused:
        after.pop("status", None)
        if "status" in before:
            after["status"] = copy.deepcopy(before["status"])
    return after


def keep_meta(before: Body | None, body: Body) -> None:
    """What a client cannot change about an object that is there."""
    if before is None:
        return
    for name in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
        body["metadata"].pop(name, None)
        if name in before["metadata"]:
            body["metadata"][name] = before["metadata"][name]
    body["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
    if "managedFields" not in body["metadata"] and "managedFields" in before["metadata"]:
        body["metadata"]["managedFields"] = copy.deepcopy(before["metadata"]["managedFields"])


def fields_given(before: Body | None, body: Body) -> bool:
    """Whether a client wrote the managed fields itself, as kubectl does when it migrates them."""
    given = body["metadata"].get("managedFields")
    return before is not None and given != before["metadata"].get("managedFields")


def scale_of(target: Target, body: Body) -> Body:
    if not target.type.scaled:
        raise target.missing()
    meta = body["metadata"]
    selector = (body["spec"].get("selector") or {}).get("matchLabels") or {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            name: meta[name]
            for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
            if name in meta
        },
        "spec": {"replicas": body["spec"].get("replicas", 0)},
        "status": {
            "replicas": (body.get("status") or {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in selector.items()),
        },
    }
