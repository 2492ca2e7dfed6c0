"""What a cluster's controllers would do, one pass at a time: children made, status written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tests.kube import pods

Body = Mapping[str, Any]
NODES = 2
"""How many pods a DaemonSet has."""
REVISION = "deployment.kubernetes.io/revision"
"""Which ReplicaSet is the newest."""
HOSTNAME = "a1b2c3.elb.us-east-1.amazonaws.com"


class World(Protocol):
    """The cluster as controllers see it. Bodies are copies."""

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Every object of `kind`."""
        ...

    def make(self, body: dict[str, Any]) -> None:
        """Store a new object, unless there is one."""
        ...

    def remove(self, body: Body) -> None:
        """Delete an object with all that it owns."""
        ...

    def tell(self, body: Body, status: Mapping[str, Any]) -> None:
        """Write an object's status, where it is another one."""
        ...

    def scale(self, body: Body, replicas: int) -> None:
        """Have an object want so many."""
        ...

    def annotate(self, body: Body, name: str, text: str) -> None:
        """Give an object an annotation."""
        ...

    def warn(self, body: Body, reason: str, message: str) -> None:
        """A Warning event about an object; the same one again is none."""
        ...

    def age(self, body: Body) -> float:
        """Seconds since an object is there."""
        ...


def deployment(world: World, body: Body) -> None:
    """One ReplicaSet per template; those of old templates go once the newest's pods are ready."""
    spec, name = body["spec"], body["metadata"]["name"]
    wanted = int(spec.get("replicas", 1))
    newest = f"{name}-{_hash(spec['template'])}"
    owned = _owned(world, body, "ReplicaSet")
    old = [each for each in owned if each["metadata"]["name"] != newest]
    new = next((each for each in owned if each["metadata"]["name"] == newest), None)
    revision = str(max([0, *(_revision(each) for each in old)]) + 1)
    if new is None:
        new = _child(body, "ReplicaSet", newest, {
            "replicas": wanted, "selector": spec["selector"], "template": spec["template"],
        })  # fmt: skip
        new["metadata"]["annotations"] = {REVISION: revision}
        world.make(new)
        world.annotate(body, REVISION, revision)
    elif _revision(new) < int(revision):
        world.annotate(new, REVISION, revision)
        world.annotate(body, REVISION, revision)
    if new["spec"].get("replicas") != wanted:
        world.scale(new, wanted)
    updated, ready = _counts(new)
    if ready >= wanted:
        for each in old:
            world.remove(each)
        old = []
    older = sum(_counts(each)[1] for each in old)
    late = world.age(new) if "uid" in new["metadata"] else 0.0
    deadline = float(spec.get("progressDeadlineSeconds", 600))
    reason = "NewReplicaSetAvailable" if ready >= wanted and not old else "ReplicaSetUpdated"
    if ready < wanted and late > deadline:
        reason = "ProgressDeadlineExceeded"
    world.tell(body, {
        "observedGeneration": body["metadata"].get("generation", 1),
        "replicas": updated + older, "updatedReplicas": updated,
        "readyReplicas": ready + older, "availableReplicas": ready + older,
        "unavailableReplicas": max(wanted - ready - older, 0),
        "conditions": [
            _condition("Available", ready + older >= wanted, "MinimumReplicasAvailable"),
            _condition("Progressing", reason != "ProgressDeadlineExceeded", reason),
            *_failures_of(new),
        ],
    })  # fmt: skip


def replica_set(world: World, body: Body) -> None:
    """As many pods as it wants; an image ``quota:…`` is refused each of them."""
    spec = body["spec"]
    wanted = int(spec.get("replicas", 1))
    status: dict[str, Any] = {"observedGeneration": body["metadata"].get("generation", 1)}
    if pods.image_of(spec["template"]["spec"])[0] == "quota":
        message = f'pods "{body["metadata"]["name"]}-x" is forbidden: exceeded quota: compute'
        world.warn(body, "FailedCreate", message)
        failure = {**_condition("ReplicaFailure", True, "FailedCreate"), "message": message}
        world.tell(body, {**status, "replicas": 0, "conditions": [failure]})
        return
    there = _pods(world, body, [f"{body['metadata']['name']}-{_word(n)}" for n in range(wanted)])
    ready = sum(map(_is_ready, there))
    world.tell(body, {
        **status, "replicas": len(there), "fullyLabeledReplicas": len(there),
        "readyReplicas": ready, "availableReplicas": ready,
    })  # fmt: skip


def stateful_set(world: World, body: Body) -> None:
    """Pods by number; those of an old template are replaced at once."""
    spec, name = body["spec"], body["metadata"]["name"]
    wanted, revision = int(spec.get("replicas", 1)), f"{name}-{_hash(spec['template'])}"
    for pod in _owned(world, body, "Pod"):
        if pod["metadata"]["labels"].get("controller-revision-hash") != revision:
            world.remove(pod)
    labels = {"controller-revision-hash": revision}
    there = _pods(world, body, [f"{name}-{number}" for number in range(wanted)], labels)
    ready = sum(map(_is_ready, there))
    world.tell(body, {
        "observedGeneration": body["metadata"].get("generation", 1), "replicas": len(there),
        "readyReplicas": ready, "availableReplicas": ready, "currentReplicas": len(there),
        "updatedReplicas": len(there), "currentRevision": revision, "updateRevision": revision,
    })  # fmt: skip


def daemon_set(world: World, body: Body) -> None:
    """A pod on each node."""
    spec, name = body["spec"], body["metadata"]["name"]
    revision = _hash(spec["template"])
    for pod in _owned(world, body, "Pod"):
        if pod["metadata"]["labels"].get("controller-revision-hash") != revision:
            world.remove(pod)
    labels = {"controller-revision-hash": revision}
    there = _pods(world, body, [f"{name}-{_word(n)}" for n in range(NODES)], labels)
    ready = sum(map(_is_ready, there))
    world.tell(body, {
        "observedGeneration": body["metadata"].get("generation", 1),
        "desiredNumberScheduled": NODES, "currentNumberScheduled": len(there),
        "updatedNumberScheduled": len(there), "numberReady": ready, "numberAvailable": ready,
        "numberUnavailable": NODES - ready, "numberMisscheduled": 0,
    })  # fmt: skip


def job(world: World, body: Body) -> None:
    """One pod; a failed one is the end of it."""
    there = _pods(world, body, [f"{body['metadata']['name']}-{_word(0)}"])
    phase = there[0].get("status", {}).get("phase") if there else "Pending"
    status: dict[str, Any] = {"active": 1, "startTime": "2026-03-01T09:30:00Z"}
    if phase == "Succeeded":
        done = _condition("Complete", True, "CompletionsReached")
        status |= {"active": 0, "succeeded": 1, "conditions": [done]}
    if phase == "Failed":
        lost = _condition("Failed", True, "BackoffLimitExceeded")
        lost["message"] = "Job has reached the specified backoff limit"
        status |= {"active": 0, "failed": 1, "conditions": [lost]}
    world.tell(body, status)


def pod(world: World, body: Body) -> None:
    """Its image says what becomes of it."""
    owners = {owner["kind"] for owner in body["metadata"].get("ownerReferences", ())}
    world.tell(body, pods.status_of(body["spec"], world.age(body), of_job="Job" in owners))
    for reason, message in pods.warnings_of(body["spec"], world.age(body)):
        world.warn(body, reason, message)


def service(world: World, body: Body) -> None:
    """A load balancer has a host name after a moment."""
    if body["spec"].get("type") == "LoadBalancer" and world.age(body) >= pods.READY_AFTER:
        world.tell(body, {"loadBalancer": {"ingress": [{"hostname": HOSTNAME}]}})


def ingress(world: World, body: Body) -> None:
    """It has an address after a moment."""
    if world.age(body) >= pods.READY_AFTER:
        world.tell(body, {"loadBalancer": {"ingress": [{"hostname": HOSTNAME}]}})


def claim(world: World, body: Body) -> None:
    """A PersistentVolumeClaim is bound after a moment."""
    bound = world.age(body) >= pods.READY_AFTER
    world.tell(body, {"phase": "Bound" if bound else "Pending"})


def definition(world: World, body: Body) -> None:
    """A CustomResourceDefinition is established after a moment."""
    if world.age(body) >= pods.READY_AFTER:
        world.tell(body, {
            "acceptedNames": body["spec"]["names"],
            "storedVersions": [version["name"] for version in body["spec"]["versions"]],
            "conditions": [
                _condition("NamesAccepted", True, "NoConflicts"),
                _condition("Established", True, "InitialNamesAccepted"),
            ],
        })  # fmt: skip


CONTROLLERS: dict[str, Callable[[World, Body], None]] = {
    "CustomResourceDefinition": definition,
    "Deployment": deployment,
    "ReplicaSet": replica_set,
    "StatefulSet": stateful_set,
    "DaemonSet": daemon_set,
    "Job": job,
    "Pod": pod,
    "Service": service,
    "Ingress": ingress,
    "PersistentVolumeClaim": claim,
}
"""Owners stand before what they own."""


def _owned(world: World, body: Body, kind: str) -> list[dict[str, Any]]:
    uid = body["metadata"]["uid"]
    return [
        each
        for each in world.all(kind)
        if any(o["uid"] == uid for o in each["metadata"].get("ownerReferences", ()))
    ]


def _pods(
    world: World, body: Body, names: list[str], labels: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """The pods that `body` owns and wants; missing ones are made, others removed."""
    there = {each["metadata"]["name"]: each for each in _owned(world, body, "Pod")}
    for name, each in there.items():
        if name not in names:
            world.remove(each)
    for name in names:
        if name not in there:
            child = _child(body, "Pod", name, body["spec"]["template"]["spec"])
            own = body["spec"]["template"].get("metadata", {}).get("labels") or {}
            child["metadata"]["labels"] = {**own, **(labels or {})}
            world.make(child)
    return [each for name, each in there.items() if name in names]


def _child(owner: Body, kind: str, name: str, spec: Body) -> dict[str, Any]:
    metadata = owner["metadata"]
    template = owner["spec"].get("template", {})
    reference = {
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": metadata["name"],
        "uid": metadata["uid"], "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    return {
        "apiVersion": "v1" if kind == "Pod" else "apps/v1",
        "kind": kind,
        "metadata": {
            "name": name, "namespace": metadata.get("namespace", "default"),
            "labels": dict(template.get("metadata", {}).get("labels") or {}),
            "ownerReferences": [reference],
        },
        "spec": json.loads(json.dumps(spec)),
    }  # fmt: skip


def _condition(kind: str, truth: bool, reason: str) -> dict[str, Any]:
    return {"type": kind, "status": "True" if truth else "False", "reason": reason}


def _counts(replica_set: Body) -> tuple[int, int]:
    status = replica_set.get("status") or {}
    return int(status.get("replicas") or 0), int(status.get("readyReplicas") or 0)


def _revision(replica_set: Body) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, 0))


def _failures_of(replica_set: Body) -> list[Any]:
    return list((replica_set.get("status") or {}).get("conditions") or [])


def _is_ready(pod: Body) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _hash(template: Body) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def _word(number: int) -> str:
    return f"p{number:04d}"
