"""The tree of an object: what it made, down to its pods."""

from __future__ import annotations

from collections.abc import Iterator

from calamari_py.identity import count_text
from calamari_py.steps.kubernetes.rollout.rules.family import Family
from calamari_py.steps.kubernetes.rollout.rules.fields import (
    Body,
    mapping,
    name_of,
    number,
    rows,
    text,
    uid_of,
)
from calamari_py.steps.kubernetes.rollout.rules.pod_status import pod_status, readiness, restarts

MOST_PODS = 10
"""Of one owner: the others look alike."""


def tree(body: Body, family: Family, label: str, message: str) -> list[str]:
    """Lines, each deeper one further in. Old ReplicaSets without pods are left out."""
    return [f"{label}  {message}", *_below(body, family, 1)]


def _below(body: Body, family: Family, depth: int) -> Iterator[str]:
    margin = "  " * depth
    newest = family.newest_replica_set(body) if body.get("kind") == "Deployment" else None
    for one in family.children(body, "ReplicaSet"):
        is_newest = newest is not None and uid_of(one) == uid_of(newest)
        if is_newest or number(one, "status", "replicas") or number(one, "spec", "replicas"):
            wanted = number(one, "spec", "replicas", default=1)
            counted = f"{number(one, 'status', 'readyReplicas')} of {wanted} ready"
            age = "" if is_newest else ", old"
            yield f"{margin}replicaset/{name_of(one)}  {counted}{age}"
            yield from _below(one, family, depth + 1)
    pods = sorted(family.children(body, "Pod"), key=_is_well)
    for pod in pods[:MOST_PODS]:
        yield f"{margin}pod/{name_of(pod)}  {pod_text(pod)}"
    if len(pods) > MOST_PODS:
        yield f"{margin}and {count_text(len(pods) - MOST_PODS, 'other pod')}"


def pod_text(pod: Body) -> str:
    """``ImagePullBackOff, 0 of 1 ready, 2 restarts, nginx:nope``."""
    able, wanted = readiness(pod)
    parts = [pod_status(pod), f"{able} of {wanted} ready"]
    if times := restarts(pod):
        parts.append(count_text(times, "restart"))
    if node := text(pod, "spec", "nodeName"):
        parts.append(f"on {node}")
    images = [text(one, "image") for one in rows(pod, "spec", "containers")]
    return ", ".join([*parts, *filter(None, dict.fromkeys(images))])


def _is_well(pod: Body) -> bool:
    able, wanted = readiness(pod)
    return able == wanted and bool(mapping(pod, "status"))
