"""Deployment, ReplicaSet, StatefulSet, DaemonSet: as ``kubectl rollout status`` judges them, with
the cases that it leaves out."""

from __future__ import annotations

from calamari_py.identity import count_text
from calamari_py.steps.kubernetes.rollout.rules.family import Family
from calamari_py.steps.kubernetes.rollout.rules.fields import (
    Body,
    condition,
    flag,
    mapping,
    number,
    said,
    text,
    unseen,
)
from calamari_py.steps.kubernetes.rollout.rules.judgement import (
    Judgement,
    failed,
    progressing,
    ready,
)

_ON_DELETE = "a pod is only renewed when somebody deletes it (OnDelete)"


def deployment(body: Body, family: Family) -> Judgement:
    """All replicas are of the newest template and available, and no old one is left."""
    if behind := unseen(body):
        return behind
    wanted = number(body, "spec", "replicas", default=1)
    updated = number(body, "status", "updatedReplicas")
    available = number(body, "status", "availableReplicas")
    old = max(number(body, "status", "replicas") - updated, 0)
    counted = f"{updated} of {wanted} updated, {available} available"
    if updated >= wanted and available >= updated and not old:
        return ready(_available(wanted))
    if flag(body, "spec", "paused"):
        return ready(f"paused, nothing is rolled out: {counted}", told="warning")
    late = condition(body, "Progressing")
    if late is not None and late.get("reason") == "ProgressDeadlineExceeded":
        return failed("ProgressDeadlineExceeded", f"{counted}: {said(late)}")
    if updated >= wanted and old:
        counted += f", {old} old still there"
    return progressing(counted, _holdup(family.refusal(body)))


def replica_set(body: Body, family: Family) -> Judgement:
    """All replicas are available."""
    if behind := unseen(body):
        return behind
    wanted = number(body, "spec", "replicas", default=1)
    available = number(body, "status", "availableReplicas")
    if available >= wanted and number(body, "status", "replicas") <= wanted:
        return ready(_available(wanted))
    return progressing(f"{available} of {wanted} available", _holdup(family.refusal(body)))


def stateful_set(body: Body, _: Family) -> Judgement:
    """All replicas are ready, and those above the partition are of the newest template. In which
    order its pods come (podManagementPolicy) makes no difference to when it is done."""
    if behind := unseen(body):
        return behind
    wanted = number(body, "spec", "replicas", default=1)
    able = _able(body)
    strategy = mapping(body, "spec", "updateStrategy")
    if strategy.get("type") == "OnDelete":
        return _on_delete(wanted, able, is_renewed=_is_of_one_revision(body))
    partition = number(strategy, "rollingUpdate", "partition")
    renewed = wanted if _is_of_one_revision(body) else number(body, "status", "updatedReplicas")
    due = max(wanted - partition, 0)
    if renewed < due or able < wanted or number(body, "status", "replicas") > wanted:
        return progressing(f"{renewed} of {due} updated, {able} of {wanted} ready")
    if renewed < wanted:
        updated = f"{renewed} of them updated (partition {partition})"
        return ready(f"{_ready(wanted)}, {updated}", told="warning")
    return ready(_ready(wanted))


def _on_delete(wanted: int, able: int, *, is_renewed: bool) -> Judgement:
    if able < wanted:
        return progressing(f"{able} of {wanted} ready")
    if is_renewed:
        return ready(_ready(wanted))
    return ready(f"{_ready(wanted)}; {_ON_DELETE}", told="warning")


def daemon_set(body: Body, _: Family) -> Judgement:
    """Each node that should has an available pod of the newest template."""
    if behind := unseen(body):
        return behind
    wanted = number(body, "status", "desiredNumberScheduled")
    available = number(body, "status", "numberAvailable")
    updated = number(body, "status", "updatedNumberScheduled")
    if text(body, "spec", "updateStrategy", "type") == "OnDelete":
        if available < wanted:
            return progressing(f"available on {available} of {count_text(wanted, 'node')}")
        if updated < wanted:
            nodes = count_text(wanted, "node")
            return ready(f"available on {nodes}; {_ON_DELETE}", told="warning")
    if updated < wanted or available < wanted:
        nodes = count_text(wanted, "node")
        return progressing(f"updated on {updated} of {nodes}, available on {available}")
    return ready(f"available on {count_text(wanted, 'node')}" if wanted else "no node wants it")


def _able(body: Body) -> int:
    """Pods that count: with minReadySeconds only those that were ready for so long."""
    able = number(body, "status", "readyReplicas")
    if number(body, "spec", "minReadySeconds"):
        return min(able, number(body, "status", "availableReplicas"))
    return able


def _is_of_one_revision(body: Body) -> bool:
    newest = text(body, "status", "updateRevision")
    return newest == text(body, "status", "currentRevision")


def _holdup(refusal: Body | None) -> str:
    """Why its controller cannot make pods, in a word."""
    return text(refusal, "reason") if refusal is not None else ""


def _available(wanted: int) -> str:
    return f"{wanted} available" if wanted else "scaled to 0"


def _ready(wanted: int) -> str:
    return f"{wanted} ready" if wanted else "scaled to 0"
