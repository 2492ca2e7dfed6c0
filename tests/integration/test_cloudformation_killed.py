"""A deployment that is killed, and what another run finds out about it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.fake_cloudformation import ONE_BUCKET, FakeCloudFormation, RunningClock
from tests.fake_cloudformation.server import CloudFormationServer
from tests.integration.conftest import Calamari

pytestmark = [pytest.mark.process, pytest.mark.socket]

STEP = """
name: deploy
region: eu-west-1
assume_role: arn:aws:iam::111111111111:role/DevDeployRole
cloudformation:
  stack_name: my-app
  template: template.json
  poll_interval: 1s
"""
TWO = {**ONE_BUCKET, "Resources": {**ONE_BUCKET["Resources"], "Queue": {"Type": "AWS::SQS::Queue"}}}


@pytest.fixture
def server() -> Iterator[CloudFormationServer]:
    """AWS, thirty times as fast as the real one, with a stack of one bucket."""
    fake = FakeCloudFormation(RunningClock(speed=30))
    fake.add_stack("my-app", template=ONE_BUCKET)
    with CloudFormationServer(fake) as running:
        yield running


def test_a_watch_finds_the_true_outcome(calamari: Calamari, server: CloudFormationServer) -> None:
    """SIGKILL in the middle of an update; CloudFormation goes on and fails, and the next run's
    watch tells why, before anything else."""
    server.fake.script("Queue", seconds=120, fail="A queue of that name was deleted just now.")
    calamari.write(STEP)
    calamari.write(json.dumps(TWO), "template.json")
    killed = calamari.start(["run", "step.yaml"], env=server.environment)
    try:
        assert killed.stdout is not None
        assert any(b"CREATE_IN_PROGRESS" in line and b"Queue" in line for line in killed.stdout)
    finally:
        killed.kill()
        killed.communicate()
    assert server.fake.stack("my-app").status == "UPDATE_IN_PROGRESS"

    watched = calamari(
        "run", "step.yaml", "--action", "watch", "--result", "result.json", env=server.environment
    )
    assert watched.code == 1, watched.err
    (failure, *_) = [
        line for line in watched.err.splitlines() if line.startswith("calamari: Queue")
    ]
    assert failure.startswith("calamari: Queue (AWS::SQS::Queue) could not be created: A queue of")
    result = json.loads((calamari.folder / "result.json").read_text("utf-8"))
    assert result["details"]["status"] == "UPDATE_ROLLBACK_COMPLETE"
    assert result["details"]["first_cause"]["logical_id"] == "Queue"
