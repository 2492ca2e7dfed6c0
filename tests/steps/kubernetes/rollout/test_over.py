"""What is shown of a rollout when nobody goes on with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from calamari_py.errors import TimedOut
from calamari_py.process.base import StopReason
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.kubernetes.rollout.failed import RolloutFailed
from calamari_py.steps.kubernetes.values import ObjectRef
from tests.steps.kubernetes.fakes import Answer
from tests.steps.kubernetes.rollout.bodies import RUNS, container, deployment, pod, replica_set
from tests.steps.kubernetes.rollout.room import Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """See `Cluster`."""
    return Cluster(tmp_path)


def unready(cluster: Cluster) -> ObjectRef:
    """A deployment whose one pod runs and is not ready."""
    web = deployment(wanted=1, available=0)
    owner = replica_set(web, wanted=1)
    return cluster.has(web, owner, pod("web-1", container(state=RUNS), owner=owner))


OVER = Answer(code=124, stopped=StopReason.TIMEOUT)


def test_one_look_shows_what_a_deadline_would(cluster: Cluster) -> None:
    """Tree, log and reason of what is not ready, though nothing is wrong with it for certain."""
    with pytest.raises(RolloutFailed) as failed:
        cluster.rollout(unready(cluster), timeout=90).look_once()
    assert "is not done after 90s" in failed.value.message
    assert any("pod/web-1" in line for line in cluster.lines)
    assert cluster.tool.called("kubectl logs")
    assert cluster.clock.slept == []


def test_one_look_at_what_is_ready(cluster: Cluster) -> None:
    """Nothing is raised, and nothing is said to have become ready."""
    cluster.rollout(cluster.has(deployment()), timeout=90).look_once()
    assert not any("is ready after" in line for line in cluster.lines)


@pytest.mark.parametrize(
    ("stopped", "is_shown"),
    [pytest.param(StopReason.TIMEOUT, True, id="time"),
     pytest.param(StopReason.SIGNAL, False, id="signal")],
)  # fmt: skip
def test_the_steps_own_time_is_over(stopped: StopReason, is_shown: bool, cluster: Cluster) -> None:
    """Tree and reason are those of the last look, a moment ago: no command is started any more."""
    rollout = cluster.rollout(unready(cluster))
    over = replace(OVER, stopped=stopped)
    cluster.at(12, lambda: cluster.tool.on("kubectl get", over))
    with pytest.raises(Stopped):
        rollout.wait_until_ready()
    assert any("pod/web-1" in line for line in cluster.lines) == is_shown
    assert any("was not ready at the last look" in line for line in cluster.lines) == is_shown
    assert not cluster.tool.called("kubectl logs")


def test_the_time_is_over_between_two_commands(cluster: Cluster) -> None:
    """The same where no command was there to be ended."""

    def no_more(_call: object) -> Answer:
        raise TimedOut("the step's time is over")

    rollout = cluster.rollout(unready(cluster))
    cluster.at(12, lambda: cluster.tool.on("kubectl get", no_more))
    with pytest.raises(TimedOut):
        rollout.wait_until_ready()
    assert any("was not ready at the last look" in line for line in cluster.lines)
