"""Ends of Helm that nobody wished for, and what is told of them."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from calamari_py.process.base import ProcessExit, StopReason
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.kubernetes.helm.following import Follower, follow
from tests.steps.kubernetes.fakes import Answer, list_of
from tests.steps.kubernetes.helm.room import CONFIG_MAP, HelmWorld, live, row

OVER = ProcessExit(code=124, stopped=StopReason.TIMEOUT)
FAILED = 'Upgrade "web" failed: context canceled'


@pytest.fixture
def world(tmp_path: Path) -> HelmWorld:
    """See `HelmWorld`."""
    return HelmWorld(tmp_path)


def test_a_rollback_that_is_stopped_itself(world: HelmWorld) -> None:
    """What it had no time to write down is taken back: the next run can upgrade."""
    world.upgrades(row(1, "deployed"), row(2, "failed", FAILED), code=1, stderr=b"Error: x\n")
    pending = row(3, "pending-rollback", "Rollback to 1")

    def killed(_call: object) -> Answer:
        world.has(row(1, "superseded"), row(2, "failed", FAILED), pending)
        return Answer(code=137, stopped=StopReason.SIGNAL, signum=15)

    world.tool.on("helm rollback", killed, Answer())
    outcome = world.step()
    assert outcome.exit is not None
    first, second = world.tool.called("helm rollback")
    assert (first.last_words, second.argv[-2:]) == (None, ("web", "1"))
    assert second.last_words is not None


def test_behind_an_error_nothing_is_looked_at(world: HelmWorld) -> None:
    """What Helm writes then is how it came to it: it is told as the error, and no warning."""
    context, rollout = world.context(), Mock()
    work = Mock(spec=["clock", "report", "helm"], clock=context.clock, report=context.report)
    follower = Follower(work, objects=rollout)
    follower.line("stderr", b"Error: UPGRADE FAILED: no")
    world.clock.sleep(60)
    follower.line("stderr", b"WARNING: not one of ours")
    follower.idle()
    assert not rollout.look.called
    assert not work.helm.tell_warnings.called
    assert b"not one of ours" in follower.stderr


@pytest.mark.parametrize(
    ("target", "words"),
    [
        pytest.param(CONFIG_MAP % 1, "no object would differ", id="the same"),
        pytest.param(CONFIG_MAP % 2, "to what 1 was", id="another"),
    ],
)
def test_a_rehearsed_rollback(target: str, words: str, world: HelmWorld) -> None:
    """It says where nothing would come of it."""
    world.has(row(1, "superseded"), row(2, "deployed"))
    manifests = Answer(stdout=(CONFIG_MAP % 1).encode()), Answer(stdout=target.encode())
    world.tool.on("helm get manifest", *manifests)
    world.step(action="rollback", dry_run=True)
    (line,) = [line for line in world.report.said("line") if line.startswith("would roll back")]
    assert line.endswith(words)


def test_what_the_chart_says_to_keep(world: HelmWorld) -> None:
    """It is in no chart any more and stays: it is neither deleted nor unchanged."""
    policy = {"helm.sh/resource-policy": "keep"}
    old = live("ConfigMap", "web")
    old["metadata"]["annotations"] = policy
    world.would_have((CONFIG_MAP % 1).replace("name: web", "name: new"))
    new = Answer(stdout=list_of(old, live("ConfigMap", "new")))
    there = Answer(stdout=list_of(live("Namespace", "app"), old))
    world.tool.on("kubectl get", there, there, new)
    world.upgrades(row(1, "superseded"), row(2, "deployed"))
    world.step()
    told = [(each["name"], each["action"]) for each in world.report.facts["objects"]]
    assert told == [("new", "created"), ("web", "kept")]


def test_the_steps_time_is_over_while_helm_waits(world: HelmWorld) -> None:
    """What was not ready at the last look is shown, though Helm is not."""
    work = Mock(helm=Mock(read=Mock(side_effect=Stopped("helm upgrade", OVER))))
    work.clock.monotonic.return_value = 0.0
    rollout = Mock()
    with pytest.raises(Stopped):
        follow(work, "upgrade", ("helm",), objects=rollout, doing="upgrade it")
    assert rollout.tell_unfinished.called
