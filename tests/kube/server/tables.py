"""Tables, as kubectl get asks for them: NAME and AGE of what people rarely look at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.kube.server.failures import Body
from tests.kube.server.kinds import Type

Cells = Callable[[Body], list[Any]]


def wants_table(accept: str) -> bool:
    return "as=Table" in accept


def table(type_: Type, bodies: list[Body], meta: Body, now: datetime) -> Body:
    """``bodies`` as rows, each with the object's metadata for who prints names."""
    columns, cells = _COLUMNS.get("" if type_.custom else type_.kind, ([], _none))
    names = ["Name", *columns, "Age"]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": [
            {
                "name": name,
                "type": "string",
                "format": "name" if name == "Name" else "",
                "description": "",
                "priority": 0,
            }
            for name in names
        ],
        "rows": [
            {
                "cells": [body["metadata"]["name"], *cells(body), _age(body, now)],
                "object": {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": body["metadata"],
                },
            }
            for body in bodies
        ],
    }


def _age(body: Body, now: datetime) -> str:
    made = datetime.fromisoformat(body["metadata"]["creationTimestamp"])
    seconds = max(0, int((now - made).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _none(_: Body) -> list[Any]:
    return []


def _status(body: Body) -> Body:
    status: Body = body.get("status") or {}
    return status


def _pod(body: Body) -> list[Any]:
    statuses = _status(body).get("containerStatuses") or []
    ready = sum(bool(one.get("ready")) for one in statuses)
    told = str(_status(body).get("phase", "Unknown"))
    for one in statuses:
        state = one.get("state") or {}
        for sort in ("waiting", "terminated"):
            told = (state.get(sort) or {}).get("reason") or told
    if body["metadata"].get("deletionTimestamp"):
        told = "Terminating"
    restarts = sum(one.get("restartCount", 0) for one in statuses)
    return [f"{ready}/{len(body['spec']['containers'])}", told, str(restarts)]


def _deployment(body: Body) -> list[Any]:
    status = _status(body)
    ready = f"{status.get('readyReplicas', 0)}/{body['spec'].get('replicas', 1)}"
    return [ready, str(status.get("updatedReplicas", 0)), str(status.get("availableReplicas", 0))]


def _service(body: Body) -> list[Any]:
    spec = body["spec"]
    balanced = (_status(body).get("loadBalancer") or {}).get("ingress") or ()
    outside = ",".join(one.get("hostname") or one.get("ip", "") for one in balanced)
    waits = "<pending>" if spec.get("type") == "LoadBalancer" else "<none>"
    ports = ",".join(f"{one['port']}/{one.get('protocol', 'TCP')}" for one in spec.get("ports", ()))
    return [spec.get("type", ""), spec.get("clusterIP", "<none>"), outside or waits, ports]


def _job(body: Body) -> list[Any]:
    status = _status(body)
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    told = next(
        (kind for kind in ("Complete", "Failed") if conditions.get(kind) == "True"), "Running"
    )
    return [told, f"{status.get('succeeded', 0)}/{body['spec'].get('completions', 1)}"]


def _event(body: Body) -> list[Any]:
    about = body.get("involvedObject") or {}
    where = f"{about.get('kind', '').lower()}/{about.get('name', '')}"
    return [body.get("type", ""), body.get("reason", ""), where, body.get("message", "")]


_COLUMNS: dict[str, tuple[list[str], Cells]] = {
    "Pod": (["Ready", "Status", "Restarts"], _pod),
    "Deployment": (["Ready", "Up-to-date", "Available"], _deployment),
    "StatefulSet": (["Ready"], lambda body: _deployment(body)[:1]),
    "Service": (["Type", "Cluster-IP", "External-IP", "Port(s)"], _service),
    "Job": (["Status", "Completions"], _job),
    "Namespace": (["Status"], lambda body: [_status(body).get("phase", "Active")]),
    "ConfigMap": (["Data"], lambda body: [str(len(body.get("data") or ()))]),
    "Secret": (
        ["Type", "Data"],
        lambda body: [body.get("type", ""), str(len(body.get("data") or ()))],
    ),
    "Event": (["Type", "Reason", "Object", "Message"], _event),
}
