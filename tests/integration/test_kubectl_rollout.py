"""A rollout with the real kubectl: what fails early and why, and how long it may take."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from http.client import HTTPSConnection
from typing import Any

import pytest

from calamari_py.sandbox import Sandbox
from tests.kube.cluster import (
    SESSIONS,
    STATIC,
    Cluster,
    Kube,
    cluster,
    deployment,
    kube,
    running_kube,
)

__all__ = ["cluster", "kube"]

pytestmark = [pytest.mark.process, pytest.mark.sandbox]

LIFE = 3.0
"""How long a token of the short-lived cluster is good for."""


@pytest.fixture(scope="module")
def short(kube: Kube, sandbox: Sandbox) -> Iterator[Kube]:
    """A cluster that refuses a token after a moment."""
    with running_kube(sandbox, kube.eks, name="short", life=LIFE) as running:
        yield running


@pytest.mark.preloaded
@pytest.mark.slow(6)
def test_what_goes_wrong_early_is_told(cluster: Cluster) -> None:
    """Long before the time is over: the tree, the reasons, the events, the last lines."""
    bodies = [deployment("web", "bad:1"), deployment("api", "crash:1"), deployment("good")]
    cluster.write("k8s/web.json", *bodies)
    wait = {"timeout": "50s", "stable_for": 0, "fail_after": 1}
    cluster.manifest("kubectl", {"files": ["k8s"], "wait": wait})
    began = time.monotonic()
    ran = cluster.run()
    assert ran.code == 1, ran.text
    assert time.monotonic() - began < 25
    told = ["pod/web-", "ImagePullBackOff", "bad:1", "Failed to pull image"]
    told += ["pod/api-", "CrashLoopBackOff", "panic: cannot reach the database"]
    assert [text for text in told if text not in ran.text] == [], ran.text
    assert {each["action"] for each in ran.details["objects"]} == {"created"}


@pytest.mark.preloaded
@pytest.mark.slow(3)
def test_a_rollout_that_is_not_done_in_time(cluster: Cluster) -> None:
    """The step fails when its time is over, and the objects are followed later by another one."""
    cluster.write("k8s/web.json", deployment("web", "never:1"))
    cluster.manifest("kubectl", {"files": ["k8s"], "wait": {"timeout": 1, "stable_for": 0}})
    late = cluster.run()
    assert late.code == 1, late.text
    cluster.kube.server.store.edit("Deployment", "web", cluster.namespace, repaired)
    cluster.manifest("kubectl", {
        "action": "rollout-status", "resources": ["deployment/web"],
        "wait": {"timeout": 20, "stable_for": 0},
    })  # fmt: skip
    followed = cluster.run()
    assert followed.code == 0, followed.text
    assert followed.result["changed"] is False
    cluster.manifest("kubectl", {
        "action": "wait", "resources": ["deployment/web"], "condition": "condition=Available",
        "wait": {"timeout": 5},
    })  # fmt: skip
    assert cluster.run().code == 0


def repaired(body: dict[str, Any]) -> None:
    """Somebody gives a Deployment another image."""
    body["spec"]["template"]["spec"]["containers"][0]["image"] = "web:1"
    body["metadata"]["generation"] += 1


@pytest.mark.preloaded
@pytest.mark.slow(8)
def test_a_rollout_longer_than_the_life_of_a_token(cluster: Cluster, short: Kube) -> None:
    """It succeeds, since each token is a new one: the first is good for nothing at its end."""
    namespace = short.server.add_namespace(cluster.namespace)["metadata"]["name"]
    cluster.write("k8s/web.json", deployment("web", f"slow:{LIFE * 2}"))
    cluster.manifest(
        "kubectl",
        {
            "cluster": {"eks": "short"}, "namespace": namespace, "files": ["k8s"],
            "wait": {"timeout": "30s", "stable_for": 0},
        },
    )  # fmt: skip
    ran = cluster.run()
    assert ran.code == 0, ran.text
    assert all(caller.startswith(SESSIONS) for caller in short.server.callers())
    assert len(short.tokens) > 2

    refused = [token for token in short.tokens if not answers(short, token)]
    assert refused
    assert answers(short, STATIC)


def answers(kube: Kube, token: str) -> bool:
    """Whether the cluster takes `token`, now."""
    tls = ssl.create_default_context(cadata=kube.server.ca_pem)
    asking = HTTPSConnection("127.0.0.1", kube.server.port, timeout=10, context=tls)
    asking.request("GET", "/api", headers={"Authorization": f"Bearer {token}"})
    status = asking.getresponse().status
    asking.close()
    assert status in (200, 401)
    return status == 200
