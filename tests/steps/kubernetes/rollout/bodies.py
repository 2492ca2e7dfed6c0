"""Objects as an API server gives them, as small as the rules allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Body = dict[str, Any]
_VERSIONS = {
    "Deployment": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1", "Job": "batch/v1", "CronJob": "batch/v1",
    "Ingress": "networking.k8s.io/v1", "HorizontalPodAutoscaler": "autoscaling/v2",
    "PodDisruptionBudget": "policy/v1", "StorageClass": "storage.k8s.io/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "APIService": "apiregistration.k8s.io/v1", "Certificate": "cert-manager.io/v1",
}  # fmt: skip
_OF_CLUSTER = {"StorageClass", "CustomResourceDefinition", "APIService", "Namespace"}
TEMPLATE: Body = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "app", "image": "nginx:1.27"}]},
}
SELECTOR: Body = {"matchLabels": {"app": "web"}}


_NAMES: Body = {"kind": "Web", "plural": "webs"}
_VERSION: Body = {
    "name": "v1", "served": True, "storage": True,
    "schema": {"openAPIV3Schema": {"type": "object"}},
}  # fmt: skip
_LEAST: dict[str, tuple[Body, Body]] = {
    "Deployment": ({"selector": SELECTOR, "template": TEMPLATE}, {}),
    "ReplicaSet": ({"selector": SELECTOR, "template": TEMPLATE}, {}),
    "CronJob": ({"jobTemplate": {"spec": {"template": TEMPLATE}}}, {}),
    "HorizontalPodAutoscaler": ({}, {"desiredReplicas": 2}),
    "PodDisruptionBudget": ({}, {"disruptionsAllowed": 0, "expectedPods": 2}),
    "DaemonSet": (
        {},
        {"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0,
         "numberReady": 0},
    ),
    "CustomResourceDefinition": (
        {"group": "acme.example", "scope": "Namespaced", "names": _NAMES, "versions": [_VERSION]},
        {},
    ),
}  # fmt: skip
"""What the API asks of a spec and of a status, beside what a test is about."""


def body(
    kind: str,
    name: str = "web",
    *,
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    generation: int | None = None,
    owner: Mapping[str, Any] | None = None,
    conditions: Sequence[Mapping[str, Any]] = (),
    **metadata: Any,
) -> Body:
    """An object; `metadata` are further fields of its metadata."""
    meta: Body = {"name": name, "uid": f"uid-{kind.lower()}-{name}", **metadata}
    if kind not in _OF_CLUSTER:
        meta.setdefault("namespace", "app")
    if generation is not None:
        meta["generation"] = generation
    if owner is not None:
        meta["ownerReferences"] = [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                "controller": True,
            }
        ]
    found: Body = {"apiVersion": _VERSIONS.get(kind, "v1"), "kind": kind, "metadata": meta}
    least, least_status = _LEAST.get(kind, ({}, {}))
    if spec is not None or least:
        found["spec"] = {**least, **(spec or {})}
    if status is not None or conditions:
        found["status"] = {**least_status, **(status or {})}
    if conditions:
        found["status"]["conditions"] = [*conditions]
    return found


def condition(
    type_: str, status: str = "True", reason: str = "", message: str = "", *, updated: str = ""
) -> Body:
    """A status condition."""
    found = {"type": type_, "status": status, "reason": reason or type_, "message": message}
    return found | ({"lastUpdateTime": updated} if updated else {})


def deployment(
    wanted: int = 3,
    *,
    updated: int | None = None,
    available: int | None = None,
    total: int | None = None,
    generation: int = 2,
    observed: int | None = None,
    name: str = "web",
    paused: bool = False,
    conditions: Sequence[Mapping[str, Any]] = (),
    revision: int = 2,
) -> Body:
    """One that is done unless told otherwise."""
    updated = wanted if updated is None else updated
    spec: Body = {"replicas": wanted, "selector": SELECTOR, "template": TEMPLATE}
    if paused:
        spec["paused"] = True
    status = {
        "observedGeneration": generation if observed is None else observed,
        "replicas": updated if total is None else total,
        "updatedReplicas": updated,
        "availableReplicas": wanted if available is None else available,
        "readyReplicas": wanted if available is None else available,
    }
    return body(
        "Deployment",
        name,
        spec=spec,
        status=status,
        generation=generation,
        conditions=conditions,
        annotations={"deployment.kubernetes.io/revision": str(revision)},
    )


def replica_set(
    owner: Body, name: str = "web-new", *, revision: int = 2, wanted: int = 3, ready: int = 0,
    conditions: Sequence[Mapping[str, Any]] = (),
) -> Body:  # fmt: skip
    """One of a Deployment."""
    return body(
        "ReplicaSet",
        name,
        spec={"replicas": wanted, "selector": SELECTOR, "template": TEMPLATE},
        status={"replicas": wanted, "readyReplicas": ready, "observedGeneration": 1},
        generation=1,
        owner=owner,
        conditions=conditions,
        annotations={"deployment.kubernetes.io/revision": str(revision)},
    )


def stateful_set(
    *, wanted: int = 3, strategy: Mapping[str, Any] | None = None, observed: int = 2,
    min_ready: int = 0, parallel: bool = False, **status: Any,
) -> Body:  # fmt: skip
    """One whose status is `status`."""
    spec: Body = {
        "replicas": wanted,
        "serviceName": "web",
        "selector": SELECTOR,
        "template": TEMPLATE,
        "updateStrategy": strategy or {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
    }
    if min_ready:
        spec["minReadySeconds"] = min_ready
    if parallel:
        spec["podManagementPolicy"] = "Parallel"
    given = {"replicas": wanted, "observedGeneration": observed, **status}
    return body("StatefulSet", spec=spec, status=given, generation=2)


def daemon_set(*, on_delete: bool = False, observed: int = 2, **status: int) -> Body:
    """One whose status is `status`."""
    strategy = {"type": "OnDelete" if on_delete else "RollingUpdate"}
    spec = {"selector": SELECTOR, "template": TEMPLATE, "updateStrategy": strategy}
    given = {"observedGeneration": observed, **status}
    return body("DaemonSet", spec=spec, status=given, generation=2)


def job(
    *conditions: Mapping[str, Any], spec: Mapping[str, Any] | None = None,
    generation: int | None = None, **status: int,
) -> Body:  # fmt: skip
    """A job."""
    pod = {"containers": TEMPLATE["spec"]["containers"], "restartPolicy": "Never"}
    given = {"template": {**TEMPLATE, "spec": pod}, **(spec or {})}
    return body(
        "Job", "migrate", spec=given, status=status, conditions=conditions, generation=generation
    )


def container(
    name: str = "app", *, state: Mapping[str, Any] | None = None, ready: bool = False,
    restarts: int = 0, last: Mapping[str, Any] | None = None, image: str = "nginx:1.27",
    started: bool | None = None,
) -> Body:  # fmt: skip
    """A container's status."""
    found: Body = {
        "name": name,
        "image": image,
        "imageID": "",
        "ready": ready,
        "restartCount": restarts,
        "state": dict(state or {}),
        "lastState": {"terminated": dict(last)} if last else {},
    }
    if started is not None:
        found["started"] = started
    return found


def waits(reason: str, message: str = "") -> Body:
    """A container that waits."""
    return {"waiting": {"reason": reason, "message": message}}


def ended(code: int = 1, reason: str = "Error", **more: Any) -> Body:
    """How one ended."""
    return {"exitCode": code, "reason": reason, **more}


RUNS: Body = {"running": {"startedAt": "2026-03-01T09:30:00Z"}}


def pod(
    name: str = "web-1",
    *states: Mapping[str, Any],
    phase: str = "Running",
    owner: Mapping[str, Any] | None = None,
    initial: Sequence[Mapping[str, Any]] = (),
    sidecars: Sequence[str] = (),
    conditions: Sequence[Mapping[str, Any]] | None = None,
    policy: str = "Always",
    image: str = "nginx:1.27",
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    **metadata: Any,
) -> Body:
    """A pod with the container statuses `states` and `initial`."""
    names = [str(state["name"]) for state in states] or ["app"]
    given: Body = {
        "restartPolicy": policy,
        "containers": [{"name": name, "image": image} for name in names],
    }
    if initial:
        given["initContainers"] = [
            {
                "name": str(one["name"]),
                "image": image,
                **({"restartPolicy": "Always"} if one["name"] in sidecars else {}),
            }
            for one in initial
        ]
    said: Body = {"phase": phase, **(status or {})}
    if states:
        said["containerStatuses"] = [*states]
    if initial:
        said["initContainerStatuses"] = [*initial]
    if conditions is None:
        is_ready = bool(states) and all(state["ready"] for state in states)
        conditions = [condition("Ready", "True" if is_ready else "False")]
        if not initial:
            conditions.append(condition("Initialized"))
    return body(
        "Pod", name, spec={**given, **(spec or {})}, status=said, owner=owner,
        conditions=conditions, **metadata,
    )  # fmt: skip


def event(
    about: Mapping[str, Any], reason: str, message: str, *, when: str = "2026-03-01T09:31:00Z",
    type_: str = "Warning", count: int = 1,
) -> Body:  # fmt: skip
    """An event about an object."""
    found = body("Event", f"{about['metadata']['name']}.{reason.lower()}")
    involved = {"kind": about["kind"], "namespace": "app", **{
        key: about["metadata"][key] for key in ("name", "uid")
    }}  # fmt: skip
    return {
        **found, "involvedObject": involved, "reason": reason, "message": message, "type": type_,
        "count": count, "lastTimestamp": when,
    }  # fmt: skip
