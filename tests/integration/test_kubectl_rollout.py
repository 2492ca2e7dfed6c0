"""A rollout with the real kubectl: what fails early and why, and how long it may take."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import pytest

from calamari_py.sandbox import Sandbox
from tests.kube.cluster import SESSIONS, Cluster, Kube, cluster, deployment, kube, running_kube

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
    cluster.write("k8s/web.json", deployment("web", "slow:4"))
    cluster.manifest("kubectl", {"files": ["k8s"], "wait": {"timeout": 1, "stable_for": 0}})
    late = cluster.run()
    assert late.code == 1, late.text
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


@pytest.mark.slow(10)
def test_a_rollout_longer_than_the_life_of_a_token(cluster: Cluster, short: Kube) -> None:
    """It succeeds, since each token is a new one; with one token for all it does not."""
    namespaces = [short.server.add_namespace(f"{cluster.namespace}-{end}") for end in "ab"]
    renewed, fixed = (each["metadata"]["name"] for each in namespaces)
    cluster.write("k8s/web.json", deployment("web", f"slow:{LIFE * 2}"))
    wait = {"timeout": "30s", "stable_for": 0}
    cluster.manifest(
        "kubectl",
        {"cluster": {"eks": "short"}, "namespace": renewed, "files": ["k8s"], "wait": wait},
    )
    long_one = cluster.start()

    token = one_token(cluster)
    (cluster.folder / "ca.pem").write_text(short.server.ca_pem)
    own = {"server": short.server.url, "certificate_authority": "ca.pem", "token": "{{ Token }}"}
    step = {
        "name": "fixed", "region": "us-east-1",
        "assume_role": "arn:aws:iam::111111111111:role/DevDeployRole",
        "variables": {"Token": {"from_env": "TOKEN", "sensitive": True}},
        "kubectl": {"cluster": own, "namespace": fixed, "files": ["k8s"], "wait": wait},
    }  # fmt: skip
    (cluster.folder / "fixed.yaml").write_text(json.dumps(step))
    control = cluster.calamari("run", "fixed.yaml", env=cluster.env({"TOKEN": token}))
    out, err = long_one.communicate(timeout=60)
    assert long_one.returncode == 0, out + err
    assert control.code == 1, control.err
    assert token not in control.out + control.err
    assert all(caller.startswith(SESSIONS) for caller in short.server.callers())
    assert any(each.status == 401 for each in short.server.requests)
    assert len(short.tokens) > 2


def one_token(cluster: Cluster) -> str:
    """What the exec plugin says, by hand, within the step."""
    plugin = [sys.executable, "-P", "-m", "calamari_py", "eks-token"]
    ran = cluster.calamari(
        "exec", "step.yaml", "--", "sh", "-c",
        f"{' '.join(plugin)} --cluster-name short --region us-east-1 > token.json",
        env=cluster.env(),
    )  # fmt: skip
    assert ran.code == 0, ran.err
    token: str = json.loads((cluster.folder / "token.json").read_text())["status"]["token"]
    return token
