"""Ninety simulated minutes on keys that live for fifteen, asked for by real SDKs in 20 threads.

The clock of the step and of the fake AWS is simulated, so is the one by which boto3 finds that its
keys get old. Signatures are made and judged by the real clock: other processes have no other.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path

import pytest
from botocore.exceptions import CredentialRetrievalError
from botocore.loaders import Loader

from tests.fake_sts import FakeSts
from tests.integration.long_step import (
    ROLE,
    SESSION_NAME,
    STEP_ARN,
    Call,
    Client,
    SimulatedClock,
    Step,
    boto3_call,
    cli_call,
    left,
    terraform_call,
)
from tests.tools import require_tool

pytestmark = pytest.mark.process

THREADS = 20
LIFE = 900


@pytest.fixture
def step(tmp_path: Path) -> Iterator[Step]:
    clock = SimulatedClock()
    with FakeSts(clock=clock, signing_clock=lambda: datetime.now(UTC)) as sts:
        launcher = sts.add_user("arn:aws:iam::123456789012:user/launcher")
        sts.add_role(ROLE, trust=[launcher.arn])
        yield Step(folder=tmp_path, clock=clock, sts=sts, launcher=launcher)


def check_served(step: Step, *, longer_than: float) -> None:
    """Every document was one whole answer of STS that lived for longer than so many seconds."""
    for at, document in step.served:
        keys = step.sts.keys[document["AccessKeyId"]]
        assert document["SecretAccessKey"] == keys.secret_access_key
        assert document["Token"] == keys.session_token
        assert keys.expires_at is not None
        assert document["Expiration"] == f"{keys.expires_at:%Y-%m-%dT%H:%M:%SZ}"
        assert left(keys, at) > longer_than


@pytest.mark.slow(35)
def test_no_client_ever_has_keys_that_do_not_work(step: Step) -> None:
    """Ninety minutes, every few of them new keys, three SDKs: no request is refused, no document
    is mixed or about to expire, and STS is asked no more often than one client would."""
    tools = {name: path for name in ("aws", "terraform") if (path := shutil.which(name))}
    # Before these rounds everybody is idle until the newest keys live for so many seconds.
    idle_until = {8: 200.0, 16: 30.0, 24: -60.0}

    def tick(rounds: int) -> bool:
        idle = step.seconds_left() - idle_until.get(rounds, math.inf)
        step.clock.advance(max(idle, 75))
        return step.clock.elapsed < 90 * 60

    def child(environment: Mapping[str, str]) -> None:
        clients = list(islice(clients_of(step, environment, tools), THREADS))
        assert len(clients) == THREADS
        step.play(clients, tick)

    assert step.run(child).exit_code == 0
    assert step.clock.elapsed >= 90 * 60
    assert step.reporter.warnings == []
    assert [(log.action, str(refusal)) for log, refusal in step.sts.refusals] == []
    # A client may come while a renewal is under way, as long as the old keys live for five minutes;
    # a round may then take as many seconds as there are threads.
    check_served(step, longer_than=300 - THREADS - 1)
    check_sessions(step)
    check_requests(step)
    assert step.calls["boto3"] >= 16 * 30
    assert all(step.calls[tool] >= 6 for tool in tools)
    for missing in {"aws", "terraform"} - set(tools):
        require_tool(missing)


def clients_of(
    step: Step, environment: Mapping[str, str], tools: Mapping[str, str]
) -> Iterator[Client]:
    """More than enough of them; boto3 comes last and stands in for a tool that is missing."""

    def client(kind: str, call: Call, every: int = 1) -> Client:
        def counted() -> None:
            call()
            step.calls[kind] += 1
            # Time goes on while the others are still asking.
            step.clock.advance(1)

        return Client(call=counted, every=every)

    for number in range(2):
        if aws := tools.get("aws"):
            yield client("aws", cli_call(aws, environment), every=10)
        if terraform := tools.get("terraform"):
            folder = step.folder / f"terraform{number}"
            yield client("terraform", terraform_call(terraform, environment, folder), every=6)
    loader = Loader()
    for number in range(THREADS // 2):
        # Two threads share a client, and with it the keys it holds.
        shared = boto3_call(step, environment, loader, keeps=number % 2 == 0)
        yield client("boto3", shared)
        yield client("boto3", shared)


def check_sessions(step: Step) -> None:
    """STS was asked by the launcher alone, under the step's name, once for each set of keys."""
    asked = step.sts.requests_of(step.launcher)
    sessions = step.sessions()
    assert [log.action for log in asked] == ["AssumeRole"] * len(sessions)
    assert {log.params["RoleSessionName"] for log in asked} == {SESSION_NAME}
    assert {keys.arn for keys in sessions} == {STEP_ARN}
    pauses = [(b.at - a.at).total_seconds() for a, b in pairwise(asked)]
    # Keys of 15 minutes are renewed when half their life is left, at most a tenth of that earlier.
    assert min(pauses) >= LIFE / 2 * 0.9
    assert max(pauses) <= LIFE + 60 + THREADS


def check_requests(step: Step) -> None:
    """All sets of keys were used, no others, and none in its last minute."""
    sessions = {keys.access_key_id: keys for keys in step.sessions()}
    requests = [log for log in step.sts.requests if log.action != "AssumeRole"]
    assert {log.access_key_id for log in requests} == set(sessions)
    assert all(left(sessions[str(log.access_key_id)], log.at) > 60 for log in requests)


def test_an_outage_of_sts_serves_no_dying_keys(step: Step) -> None:
    """While STS says no the old keys go round until their last minute; then clients get an error,
    and none of them ever sends a request with keys that are dead."""
    refused: list[float] = []

    def tolerant(call: Call) -> Call:
        def tries() -> None:
            try:
                call()
            except CredentialRetrievalError:
                refused.append(step.seconds_left())

        return tries

    def tick(rounds: int) -> bool:
        step.clock.advance(LIFE - 200 if rounds == 1 else 15)
        return step.seconds_left() > -45

    def child(environment: Mapping[str, str]) -> None:
        loader = Loader()
        calls = [tolerant(boto3_call(step, environment, loader)) for _ in range(8)]
        step.sts.fail_next(403, "AccessDenied", times=1000, action="AssumeRole")
        step.play([Client(call=call) for call in calls], tick)

    assert step.run(child).exit_code == 0
    assert step.sts.refusals == []
    check_served(step, longer_than=60)
    assert len(refused) >= 8
    assert max(refused) <= 60
    assert any("could not be renewed" in text for text in step.reporter.warnings)
