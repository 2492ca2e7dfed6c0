"""When an object of each kind is done: a row for each thing that can be true of it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from calamari_py.steps.kubernetes.rollout.rules.family import Family
from calamari_py.steps.kubernetes.rollout.rules.jobs import end_by_events
from calamari_py.steps.kubernetes.rollout.rules.judge import RULES, has_state, judge
from calamari_py.steps.kubernetes.values import ObjectRef
from tests.steps.kubernetes.rollout.bodies import (
    RUNS,
    body,
    condition,
    container,
    daemon_set,
    deployment,
    ended,
    event,
    job,
    pod,
    stateful_set,
    waits,
)

LATE = condition(
    "Progressing", "False", "ProgressDeadlineExceeded", 'ReplicaSet "web-5d" has timed out.'
)
QUOTA = condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota: pods")
ON_DELETE: dict[str, Any] = {"type": "OnDelete"}


def partition(number: int) -> dict[str, Any]:
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": number}}


REVISIONS: dict[str, Any] = {"currentRevision": "web-a", "updateRevision": "web-b"}
SAME: dict[str, Any] = {"currentRevision": "web-b", "updateRevision": "web-b"}

DEPLOYMENTS = [
    pytest.param(deployment(), "ready", "3 available", id="done"),
    pytest.param(deployment(0), "ready", "scaled to 0", id="no replicas"),
    pytest.param(deployment(observed=1), "progressing", "not seen", id="not observed"),
    pytest.param(
        body("Deployment", spec={}, generation=1), "progressing", "not seen", id="just made"
    ),
    pytest.param(
        deployment(updated=2, available=3, total=4),
        "progressing", "2 of 3 updated, 3 available", id="updating",
    ),
    pytest.param(
        deployment(available=1), "progressing", "3 of 3 updated, 1 available", id="not available"
    ),
    pytest.param(
        deployment(total=4), "progressing", "1 old still there", id="old ones left"
    ),
    pytest.param(
        deployment(updated=1, available=0, paused=True), "ready", "paused", id="paused"
    ),
    pytest.param(
        deployment(updated=1, available=0, conditions=[LATE]),
        "failed", "1 of 3 updated, 0 available: ReplicaSet", id="late",
    ),
    pytest.param(
        deployment(conditions=[LATE]), "ready", "3 available", id="late, and done after all"
    ),
    pytest.param(
        deployment(observed=1, updated=1, conditions=[LATE]),
        "progressing", "not seen", id="the one before was late",
    ),
]  # fmt: skip

REPLICA_SETS = [
    pytest.param(
        body("ReplicaSet", spec={"replicas": 2}, generation=1,
             status={"replicas": 2, "availableReplicas": 2, "observedGeneration": 1}),
        "ready", "2 available", id="done",
    ),
    pytest.param(
        body("ReplicaSet", spec={"replicas": 2}, generation=1, conditions=[QUOTA],
             status={"replicas": 0, "observedGeneration": 1}),
        "progressing", "0 of 2 available", id="quota",
    ),
    pytest.param(
        body("ReplicationController", spec={"replicas": 1}, generation=1,
             status={"replicas": 2, "availableReplicas": 1, "observedGeneration": 1}),
        "progressing", "1 of 1 available", id="one too many",
    ),
]  # fmt: skip

STATEFUL_SETS = [
    pytest.param(stateful_set(readyReplicas=3, updatedReplicas=3, **SAME), "ready", "3 ready",
                 id="done"),
    pytest.param(stateful_set(readyReplicas=3, **SAME), "ready", "3 ready",
                 id="nothing to update"),
    pytest.param(stateful_set(readyReplicas=3, observed=1, **SAME), "progressing", "not seen",
                 id="not observed"),
    pytest.param(stateful_set(readyReplicas=2, **SAME), "progressing", "2 of 3 ready",
                 id="not ready"),
    pytest.param(stateful_set(readyReplicas=3, updatedReplicas=1, **REVISIONS), "progressing",
                 "1 of 3 updated, 3 of 3 ready", id="updating"),
    pytest.param(
        stateful_set(readyReplicas=3, updatedReplicas=1, strategy=partition(2), **REVISIONS),
        "ready", "1 of them updated (partition 2)", id="partition reached"),
    pytest.param(
        stateful_set(readyReplicas=3, updatedReplicas=1, strategy=partition(1), **REVISIONS),
        "progressing", "1 of 2 updated", id="partition not reached"),
    pytest.param(
        stateful_set(readyReplicas=3, updatedReplicas=0, strategy=partition(5), **REVISIONS),
        "ready", "0 of them updated", id="partition beyond all"),
    pytest.param(stateful_set(readyReplicas=3, strategy=ON_DELETE, **REVISIONS), "ready",
                 "OnDelete", id="on delete"),
    pytest.param(stateful_set(readyReplicas=1, strategy=ON_DELETE, **REVISIONS), "progressing",
                 "1 of 3 ready", id="on delete, not ready"),
    pytest.param(stateful_set(readyReplicas=3, availableReplicas=1, min_ready=10, **SAME),
                 "progressing", "1 of 3 ready", id="minReadySeconds"),
    pytest.param(stateful_set(wanted=0, replicas=0), "ready", "scaled to 0", id="no replicas"),
    pytest.param(stateful_set(wanted=1, replicas=3, readyReplicas=3, **SAME), "progressing",
                 "3 of 1 ready", id="scaling down"),
]  # fmt: skip

DAEMON_SETS = [
    pytest.param(
        daemon_set(desiredNumberScheduled=2, updatedNumberScheduled=2, numberAvailable=2),
        "ready", "available on 2 nodes", id="done"),
    pytest.param(
        daemon_set(desiredNumberScheduled=2, updatedNumberScheduled=1, numberAvailable=2),
        "progressing", "updated on 1 of 2 nodes", id="updating"),
    pytest.param(
        daemon_set(desiredNumberScheduled=1, updatedNumberScheduled=1, numberAvailable=0),
        "progressing", "available on 0", id="not available"),
    pytest.param(daemon_set(desiredNumberScheduled=0), "ready", "no node wants it", id="no node"),
    pytest.param(daemon_set(observed=1), "progressing", "not seen", id="not observed"),
    pytest.param(
        daemon_set(on_delete=True, desiredNumberScheduled=2, numberAvailable=2),
        "ready", "OnDelete", id="on delete"),
    pytest.param(
        daemon_set(on_delete=True, desiredNumberScheduled=2, numberAvailable=1),
        "progressing", "available on 1 of 2 nodes", id="on delete, not available"),
]  # fmt: skip

JOBS = [
    pytest.param(job(condition("Complete"), succeeded=1), "ready", "completed", id="complete"),
    pytest.param(job(active=1), "progressing", "0 succeeded, 1 active", id="active"),
    pytest.param(
        job(spec={"completions": 3}, active=1, succeeded=1, failed=2),
        "progressing", "1 of 3 succeeded, 1 active, 2 failed", id="counted"),
    pytest.param(
        job(condition("Failed", reason="BackoffLimitExceeded",
                      message="Job has reached the specified backoff limit")),
        "failed", "reached the specified backoff limit", id="backoff limit"),
    pytest.param(
        job(condition("Failed", reason="DeadlineExceeded")), "failed", "DeadlineExceeded",
        id="deadline"),
    pytest.param(
        job(condition("FailureTarget", reason="PodFailurePolicy", message="exit code 42")),
        "failed", "exit code 42", id="about to fail"),
    pytest.param(
        job(condition("SuccessCriteriaMet"), active=1), "progressing", "1 active",
        id="about to succeed"),
    pytest.param(
        job(condition("Suspended"), spec={"suspend": True}), "ready", "suspended",
        id="suspended"),
    pytest.param(
        job(condition("Failed", "False"), active=1), "progressing", "active",
        id="not failed, it says"),
    pytest.param(
        body("CronJob", spec={"schedule": "5 * * * *"}), "ready", "runs at 5 * * * *", id="cron"),
    pytest.param(
        body("CronJob", spec={"schedule": "5 * * * *", "suspend": True}), "ready", "suspended",
        id="suspended cron"),
]  # fmt: skip

PODS = [
    pytest.param(pod("a", container(state=RUNS, ready=True)), "ready", "running", id="running"),
    pytest.param(pod("a", container(state=RUNS)), "progressing", "0 of 1 containers ready",
                 id="not ready"),
    pytest.param(pod("a", phase="Succeeded", policy="Never"), "ready", "completed", id="through"),
    pytest.param(
        pod("a", container(state=RUNS, ready=True), policy="Never"), "ready", "running",
        id="ends by itself"),
    pytest.param(
        pod("a", container(state={"terminated": ended(3)}), phase="Failed", policy="Never"),
        "failed", "the pod has failed (Error)", id="failed"),
    pytest.param(
        pod("a", phase="Failed", status={"reason": "Evicted", "message": "low on memory"}),
        "failed", "low on memory", id="evicted"),
    pytest.param(
        pod("a", phase="Pending", conditions=[
            condition("PodScheduled", "False", "Unschedulable", "0/3 nodes")]),
        "progressing", "Pending", id="unschedulable"),
    pytest.param(
        pod("a", container(state=waits("PodInitializing")), phase="Pending",
            initial=[container("init", state=RUNS)]),
        "progressing", "Init:0/1", id="initialising"),
]  # fmt: skip

WAITING_CLASS = body("StorageClass", "gp3", volumeBindingMode="x") | {
    "volumeBindingMode": "WaitForFirstConsumer"
}
PENDING = body(
    "PersistentVolumeClaim", spec={"storageClassName": "gp3"}, status={"phase": "Pending"}
)

OTHERS = [
    pytest.param(body("PersistentVolumeClaim", status={"phase": "Bound"}), "ready", "bound",
                 id="claim bound"),
    pytest.param(body("PersistentVolumeClaim", status={"phase": "Lost"}), "failed", "gone",
                 id="claim lost"),
    pytest.param(PENDING, "progressing", "not bound (Pending)", id="claim pending"),
    pytest.param(body("Service", spec={"type": "ClusterIP"}), "ready", "exists", id="service"),
    pytest.param(body("Service", spec={"type": "LoadBalancer"}, status={"loadBalancer": {}}),
                 "progressing", "no address", id="balancer without"),
    pytest.param(
        body("Service", spec={"type": "LoadBalancer"}, status={"loadBalancer": {"ingress": [
            {"hostname": "a1.elb.eu-west-1.amazonaws.com"}]}}),
        "ready", "a1.elb.eu-west-1.amazonaws.com", id="balancer by name"),
    pytest.param(
        body("Service", spec={"type": "LoadBalancer"},
             status={"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}),
        "ready", "192.0.2.7", id="balancer by address"),
    pytest.param(body("Service", spec={"type": "LoadBalancer", "externalIPs": ["192.0.2.8"]}),
                 "ready", "192.0.2.8", id="balancer by hand"),
    pytest.param(body("Ingress"), "progressing", "no address", id="ingress without"),
    pytest.param(
        body("Ingress", status={"loadBalancer": {"ingress": [{"hostname": "k8s.elb"}]}}),
        "ready", "k8s.elb", id="ingress"),
    pytest.param(body("HorizontalPodAutoscaler"), "progressing", "not looked", id="hpa new"),
    pytest.param(
        body("HorizontalPodAutoscaler", status={"currentReplicas": 2}, conditions=[
            condition("AbleToScale"), condition("ScalingActive")]),
        "ready", "2 replicas", id="hpa"),
    pytest.param(
        body("HorizontalPodAutoscaler", conditions=[condition("AbleToScale"), condition(
            "ScalingActive", "False", "FailedGetResourceMetric", "no metrics")]),
        "ready", "cannot scale for now: no metrics", id="hpa without metrics"),
    pytest.param(
        body("HorizontalPodAutoscaler", conditions=[
            condition("AbleToScale", "False", "FailedGetScale", "no such deployment")]),
        "ready", "no such deployment", id="hpa without target"),
    pytest.param(
        body("HorizontalPodAutoscaler", conditions=[
            condition("AbleToScale"), condition("ScalingActive", "False", "ScalingDisabled")]),
        "ready", "scaled to 0", id="hpa at rest"),
    pytest.param(
        body("HorizontalPodAutoscaler", status={"currentReplicas": 3}, annotations={
            "autoscaling.alpha.kubernetes.io/conditions": json.dumps(
                [condition("AbleToScale"), condition("ScalingActive")])}),
        "ready", "3 replicas", id="hpa v1"),
    pytest.param(
        body("PodDisruptionBudget", generation=1, status={"observedGeneration": 1,
             "currentHealthy": 2, "desiredHealthy": 2, "expectedPods": 3}),
        "ready", "2 healthy", id="budget"),
    pytest.param(
        body("PodDisruptionBudget", generation=1, status={"observedGeneration": 1,
             "currentHealthy": 1, "desiredHealthy": 2, "expectedPods": 3}),
        "ready", "1 of 2 healthy", id="budget too low"),
    pytest.param(
        body("PodDisruptionBudget", generation=1, status={"observedGeneration": 1,
             "currentHealthy": 0, "desiredHealthy": 1, "expectedPods": 0}),
        "ready", "0 of 1 healthy", id="budget of none"),
    pytest.param(
        body("PodDisruptionBudget", generation=2, status={"observedGeneration": 1,
             "currentHealthy": 2, "desiredHealthy": 2}),
        "progressing", "not seen", id="budget not observed"),
    pytest.param(
        body("CustomResourceDefinition", conditions=[
            condition("NamesAccepted"), condition("Established")]),
        "ready", "established", id="definition"),
    pytest.param(
        body("CustomResourceDefinition", conditions=[
            condition("NamesAccepted"), condition("Established", "False", "Installing")]),
        "progressing", "Installing", id="definition on its way"),
    pytest.param(
        body("CustomResourceDefinition", conditions=[
            condition("NamesAccepted", "False", "PluralConflict", '"webs" is already in use')]),
        "failed", "already in use", id="definition refused"),
    pytest.param(body("CustomResourceDefinition"), "progressing", "not established",
                 id="definition new"),
    pytest.param(body("APIService", conditions=[condition("Available")]), "ready", "available",
                 id="api service"),
    pytest.param(
        body("APIService", conditions=[
            condition("Available", "False", "MissingEndpoints", "no endpoints")]),
        "progressing", "no endpoints", id="api service without"),
    pytest.param(body("Namespace", status={"phase": "Active"}), "ready", "active",
                 id="namespace"),
    pytest.param(
        body("Namespace", status={"phase": "Terminating"}, deletionTimestamp="2026-03-01T00:00:00Z",
             finalizers=["acme.example/wait"]),
        "failed", "being deleted (finalizers: acme.example/wait)", id="namespace goes"),
    pytest.param(body("Service", spec={}, deletionTimestamp="2026-03-01T00:00:00Z"), "failed",
                 "being deleted", id="any goes"),
]  # fmt: skip

CONDITIONS = [
    pytest.param(body("Certificate"), "ready", "no controller has written a status", id="none"),
    pytest.param(body("Certificate", status={"phase": "New"}), "ready", "exists", id="phase"),
    pytest.param(body("Certificate", conditions=[condition("Ready")]), "ready", "ready",
                 id="ready"),
    pytest.param(
        body("Certificate", conditions=[condition("Ready", "False", "Issuing", "is issued")]),
        "progressing", "is issued", id="not ready"),
    pytest.param(body("Certificate", conditions=[condition("Ready", "Unknown")]), "progressing",
                 "Ready", id="unknown"),
    pytest.param(body("Certificate", conditions=[condition("Available")]), "ready", "available",
                 id="available"),
    pytest.param(
        body("Certificate", conditions=[condition("Ready", "False"), condition("Available")]),
        "progressing", "Ready", id="ready counts first"),
    pytest.param(
        body("Certificate", conditions=[
            condition("Ready"), condition("Reconciling", message="renews")]),
        "progressing", "renews", id="reconciling"),
    pytest.param(
        body("Certificate", conditions=[
            condition("Reconciling"), condition("Stalled", message="no issuer")]),
        "failed", "no issuer", id="stalled"),
    pytest.param(
        body("Certificate", conditions=[condition("Stalled", "False"), condition("Ready")]),
        "ready", "ready", id="not stalled"),
    pytest.param(
        body("Certificate", generation=3, status={"observedGeneration": 2},
             conditions=[condition("Ready")]),
        "progressing", "not seen", id="not observed"),
    pytest.param(
        body("Certificate", generation=3,
             conditions=[{**condition("Ready"), "observedGeneration": 2}]),
        "progressing", "not seen", id="condition not observed"),
    pytest.param(body("Certificate", conditions=[condition("Synced", "False")]), "ready",
                 "exists", id="others do not count"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "status", "message"),
    [
        *DEPLOYMENTS, *REPLICA_SETS, *STATEFUL_SETS, *DAEMON_SETS, *JOBS, *PODS, *OTHERS,
        *CONDITIONS,
    ],
)  # fmt: skip
def test_an_object_is_judged(found: dict[str, Any], status: str, message: str) -> None:
    """The status of an object follows from what the API server says of it, in words."""
    judgement = judge(found, Family([found]))
    assert (judgement.status, message in judgement.message) == (status, True), judgement


@pytest.mark.parametrize(
    ("claim", "classes", "status"),
    [
        pytest.param(PENDING, [WAITING_CLASS], "ready", id="named class"),
        pytest.param(
            body("PersistentVolumeClaim", spec={}, status={"phase": "Pending"}),
            [
                WAITING_CLASS
                | {
                    "metadata": {
                        "name": "gp3",
                        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
                    }
                }
            ],
            "ready",
            id="default class",
        ),
        pytest.param(
            PENDING,
            [WAITING_CLASS | {"volumeBindingMode": "Immediate"}],
            "progressing",
            id="binds at once",
        ),
        pytest.param(
            body(
                "PersistentVolumeClaim",
                spec={"storageClassName": "gp3"},
                status={"phase": "Pending"},
                annotations={"volume.kubernetes.io/selected-node": "node-1"},
            ),
            [WAITING_CLASS],
            "progressing",
            id="its consumer came",
        ),
    ],
)
def test_a_claim_may_wait_for_its_consumer(
    claim: dict[str, Any], classes: list[dict[str, Any]], status: str
) -> None:
    """A claim that binds with its first pod is done without one."""
    assert judge(claim, Family([claim, *classes])).status == status


@pytest.mark.parametrize(
    ("reason", "status", "told"),
    [
        pytest.param("WaitForFirstConsumer", "ready", "", id="waits"),
        pytest.param("ProvisioningFailed", "progressing", "", id="is provisioned"),
        pytest.param("", "ready", "note", id="nobody says"),
    ],
)
def test_a_claim_tells_itself_where_classes_may_not_be_listed(
    reason: str, status: str, told: str
) -> None:
    """Its newest event says what its class would; without one it is said that nobody knows."""
    events = [event(PENDING, "Provisioning", "begins", when="2026-03-01T09:30:00Z")]
    events += [event(PENDING, reason, "as it is", type_="Normal")]
    family = Family([PENDING, *(events if reason else [])], has_classes=False)
    judgement = judge(PENDING, family)
    assert (judgement.status, judgement.told) == (status, told)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        pytest.param(deployment(updated=1, paused=True), "warning", id="paused"),
        pytest.param(deployment(paused=True), "", id="paused, and done"),
        pytest.param(stateful_set(readyReplicas=3, strategy=ON_DELETE, **REVISIONS), "warning",
                     id="StatefulSet on delete"),
        pytest.param(stateful_set(readyReplicas=3, strategy=ON_DELETE, **SAME), "",
                     id="StatefulSet on delete, renewed"),
        pytest.param(
            stateful_set(readyReplicas=3, updatedReplicas=1, strategy=partition(2), **REVISIONS),
            "warning", id="partition"),
        pytest.param(stateful_set(readyReplicas=3, strategy=partition(2), **SAME), "",
                     id="partition, renewed"),
        pytest.param(daemon_set(on_delete=True, desiredNumberScheduled=2, numberAvailable=2),
                     "warning", id="DaemonSet on delete"),
        pytest.param(
            daemon_set(on_delete=True, desiredNumberScheduled=2, numberAvailable=2,
                       updatedNumberScheduled=2), "", id="DaemonSet on delete, renewed"),
        pytest.param(job(spec={"suspend": True}), "warning", id="suspended"),
        pytest.param(
            body("HorizontalPodAutoscaler", conditions=[
                condition("AbleToScale"), condition("ScalingActive", "False", "NoMetrics")]),
            "note", id="hpa without metrics"),
        pytest.param(body("Certificate", generation=1), "note", id="no status"),
        pytest.param(body("Namespace"), "", id="nothing to tell"),
    ],
)  # fmt: skip
def test_what_is_not_as_ready_as_one_may_think_is_told(found: dict[str, Any], told: str) -> None:
    """Done for Kubernetes is not always what was asked for."""
    judgement = judge(found, Family([found]))
    assert (judgement.status, judgement.told) == ("ready", told)


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([event(job(), "SuccessfulCreate", "pod", type_="Normal"),
          event(job(), "Completed", "Job completed", type_="Normal")], "ready"),
        ([event(job(), "BackoffLimitExceeded", "limit")], "failed"),
        ([event(job(), "SuccessfulCreate", "pod", type_="Normal")], None),
    ],
)  # fmt: skip
def test_the_end_of_a_job_that_is_gone(events: list[dict[str, Any]], status: str | None) -> None:
    """Its controller has said how it went."""
    judgement = end_by_events(events)
    assert (judgement and judgement.status) == status


def test_every_rule_has_a_row() -> None:
    """No kind is judged by a rule that no table knows."""
    assert {kind for _, kind in RULES} <= {each["kind"] for each in _of_kubernetes()}


def test_the_rows_are_objects_that_there_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes' own schema takes them all: no rule is right about fields that nobody sends."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    # It reads large files anew for each object.
    for name in ("schema_contents", "all_versions"):
        reads = getattr(kubernetes_validate.utils, name)
        monkeypatch.setattr(kubernetes_validate.utils, name, cache(reads))
    for each in _of_kubernetes():
        kubernetes_validate.validate(each, "1.32", strict=True)


def _of_kubernetes() -> list[dict[str, Any]]:
    """The rows of Kubernetes' own kinds."""
    rows = [
        *DEPLOYMENTS, *REPLICA_SETS, *STATEFUL_SETS, *DAEMON_SETS, *JOBS, *PODS, *OTHERS,
    ]  # fmt: skip
    found: list[Any] = [row.values[0] for row in rows]
    return found


@pytest.mark.parametrize("found", [[], {}, {"status": []}, {"status": {"conditions": {"a": 1}}}])
@pytest.mark.parametrize(("group", "kind"), [*RULES, ("acme.example", "Widget")])
def test_no_rule_falls_over_what_is_not_there(group: str, kind: str, found: Any) -> None:
    """Whatever the API server leaves out, or sends in another type, an object has a judgement."""
    odd: dict[str, Any] = {
        "apiVersion": f"{group}/v1" if group else "v1",
        "kind": kind,
        "metadata": None,
    }
    odd |= found if isinstance(found, dict) else {"status": None, "spec": 7}
    assert judge(odd, Family([odd])).status in {"ready", "progressing"}


@pytest.mark.parametrize(
    ("group", "kind", "has"),
    [
        ("", "Secret", False),
        ("", "ConfigMap", False),
        ("rbac.authorization.k8s.io", "RoleBinding", False),
        ("apps", "Deployment", True),
        ("acme.example", "Secret", True),
    ],
)
def test_what_has_no_state_is_not_asked_for(group: str, kind: str, has: bool) -> None:
    """Nobody reads all Secrets of a namespace to learn that one exists."""
    assert has_state(ObjectRef(group=group, kind=kind, name="x")) is has
