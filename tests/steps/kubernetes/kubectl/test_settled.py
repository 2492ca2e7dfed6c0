"""Whether anything was changed, and how long anything is waited for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.steps.kubernetes.fakes import Answer, body_of, list_of, to_json
from tests.steps.kubernetes.kubectl.test_actions import READY, STATUS, UNREADY, holds
from tests.steps.kubernetes.world import KubeWorld

ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: web}\n"


@pytest.fixture
def world(tmp_path: Path) -> KubeWorld:
    """See `KubeWorld`."""
    return KubeWorld(tmp_path)


def test_a_namespace_alone_is_a_change(world: KubeWorld) -> None:
    """It is made for objects of which none is changed."""
    world.writes("k8s/web.yaml", ROLE)
    role = body_of("ClusterRole", "web", apiVersion="rbac.authorization.k8s.io/v1",
                   metadata={"namespace": None})  # fmt: skip
    holds(world, role)
    there = world.tool
    there.on("kubectl get -f", Answer(stdout=list_of()), Answer(stdout=list_of(role)))
    there.on("kubectl apply", Answer(stdout=b"clusterrole/web serverside-applied\n"))
    section = {"cluster": {"eks": "blue"}, "namespace": "app", "create_namespace": True,
               "files": ["k8s"], "wait": False}  # fmt: skip
    assert world.run("kubectl", section).changed is True
    told = [(each["kind"], each["action"]) for each in world.report.facts["objects"]]
    assert told == [("Namespace", "created"), ("ClusterRole", "unchanged")]


@pytest.mark.parametrize("seconds", [7, 90])
def test_a_rollout_is_followed_as_long_as_it_says(seconds: int, world: KubeWorld) -> None:
    """``wait.timeout`` is that of the section."""
    world.tool.on("kubectl get deployment/web", Answer(stdout=to_json(READY)))
    world.tool.on("kubectl get", Answer(stdout=list_of(UNREADY)))
    wait = {"timeout": seconds, "stable_for": 0, "fail_after": 5}
    error = world.fail("kubectl", {**STATUS, "wait": wait})
    assert f"after {seconds}s" in str(error)
    assert sum(world.clock.slept) == pytest.approx(seconds)
