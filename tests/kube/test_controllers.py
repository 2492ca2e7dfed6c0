"""The controllers of the tests: what becomes of each kind, and of each image."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.kube.controllers import Controllers
from tests.kube.server.store import Store
from tests.kube.workloads import REVISION

META = {"name": "web", "namespace": "app"}


class Cluster:
    """A store, its controllers, and a clock that only `pass_time` moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.said: list[tuple[str, ...]] = []
        self.store = Store(lambda: datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
        self.controllers = Controllers(
            self.store, clock=lambda: self.now, said=lambda *words: self.said.append(words)
        )

    def pass_time(self, seconds: float = 0.0) -> None:
        self.now += seconds
        for _ in range(6):
            self.controllers.look()

    def status(self, kind: str) -> dict[str, Any]:
        (body,) = self.store.list(kind)
        status: dict[str, Any] = body.get("status") or {}
        return status


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def workload(kind: str, image: str = "web:1", **spec: Any) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    }
    selector = {"matchLabels": {"app": "web"}}
    version = "batch/v1" if kind == "Job" else "apps/v1"
    return {
        "apiVersion": version, "kind": kind, "metadata": dict(META),
        "spec": {"template": template, "selector": selector, **spec},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "field", "wanted"),
    [
        pytest.param("Deployment", "availableReplicas", 1, id="deployment"),
        pytest.param("StatefulSet", "readyReplicas", 1, id="stateful-set"),
        pytest.param("DaemonSet", "numberReady", 2, id="daemon-set"),
        pytest.param("Job", "succeeded", 1, id="job"),
    ],
)
def test_a_workload_is_ready_after_a_moment(
    cluster: Cluster, kind: str, field: str, wanted: int
) -> None:
    """Not at once, then it is."""
    cluster.store.add(workload(kind))
    cluster.pass_time()
    assert not cluster.status(kind).get(field)
    cluster.pass_time(1)
    assert cluster.status(kind)[field] == wanted


def test_a_new_template_is_rolled_out(cluster: Cluster) -> None:
    """The old pods stay until the new ones are ready."""
    cluster.store.add(workload("Deployment"))
    cluster.pass_time()
    cluster.pass_time(1)
    cluster.store.add(workload("Deployment", "slow:5"))
    cluster.pass_time(1)
    assert len(cluster.store.list("Pod")) == 2
    assert sorted(
        each["metadata"]["annotations"][REVISION] for each in cluster.store.list("ReplicaSet")
    ) == ["1", "2"]  # fmt: skip
    assert cluster.store.list("Deployment")[0]["metadata"]["annotations"][REVISION] == "2"
    assert cluster.status("Deployment")["observedGeneration"] == 2
    cluster.pass_time(5)
    (pod,) = cluster.store.list("Pod")
    assert pod["spec"]["containers"][0]["image"] == "slow:5"


@pytest.mark.parametrize("replicas", [1, 3])
def test_a_deployment_is_scaled(cluster: Cluster, replicas: int) -> None:
    """Its ReplicaSet is another size then, and no other one."""
    cluster.store.add(workload("Deployment", replicas=2))
    cluster.pass_time()
    cluster.store.add(workload("Deployment", replicas=replicas))
    cluster.pass_time()
    cluster.pass_time(1)
    assert cluster.status("ReplicaSet")["readyReplicas"] == replicas
    assert len(cluster.store.list("Pod")) == replicas


@pytest.mark.parametrize(
    ("image", "reason", "event"),
    [
        pytest.param("bad:1", "ImagePullBackOff", "Failed", id="bad"),
        pytest.param("crash:1", "CrashLoopBackOff", "BackOff", id="crash"),
        pytest.param("config:1", "CreateContainerConfigError", "Failed", id="config"),
        pytest.param("huge:1", "Unschedulable", "FailedScheduling", id="huge"),
    ],
)
def test_an_image_says_what_goes_wrong(
    cluster: Cluster, image: str, reason: str, event: str
) -> None:
    """The reason stands in the pod's status, and there is one event of it."""
    cluster.store.add(workload("Deployment", image))
    cluster.pass_time()
    cluster.pass_time(1)
    cluster.pass_time(1)
    assert reason in str(cluster.status("Pod"))
    assert [each["reason"] for each in cluster.store.list("Event")] == [event]
    assert bool(cluster.said) == (image == "crash:1")


def test_a_quota_refuses_pods(cluster: Cluster) -> None:
    """The Deployment says so."""
    cluster.store.add(workload("Deployment", "quota:1"))
    cluster.pass_time(1)
    conditions = cluster.status("Deployment")["conditions"]
    assert (
        "exceeded quota" in next(c for c in conditions if c["type"] == "ReplicaFailure")["message"]
    )


def test_a_job_fails(cluster: Cluster) -> None:
    """Its only pod failed."""
    cluster.store.add(workload("Job", "fail:1"))
    cluster.pass_time()
    cluster.pass_time(1)
    assert cluster.status("Job")["conditions"][0]["reason"] == "BackoffLimitExceeded"


def test_a_deadline(cluster: Cluster) -> None:
    """A Deployment that is not done in time says so."""
    cluster.store.add(workload("Deployment", "never:1", progressDeadlineSeconds=5))
    cluster.pass_time()
    cluster.pass_time(6)
    reasons = [c["reason"] for c in cluster.status("Deployment")["conditions"]]
    assert "ProgressDeadlineExceeded" in reasons


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        pytest.param(
            {"apiVersion": "v1", "kind": "Service", "spec": {"type": "LoadBalancer"}},
            "elb.us-east-1", id="service",
        ),
        pytest.param(
            {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": {}},
            "elb.us-east-1", id="ingress",
        ),
        pytest.param(
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": {}}, "Bound", id="pvc"
        ),
        pytest.param(
            {
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "spec": {"names": {"kind": "Db"}, "versions": [{"name": "v1"}]},
            },
            "Established", id="crd",
        ),
    ],
)  # fmt: skip
def test_what_is_given_after_a_moment(cluster: Cluster, body: dict[str, Any], wanted: str) -> None:
    """An address, a volume, an established type."""
    cluster.store.add({**body, "metadata": dict(META)})
    cluster.pass_time()
    assert wanted not in str(cluster.status(body["kind"]))
    cluster.pass_time(1)
    assert wanted in str(cluster.status(body["kind"]))
