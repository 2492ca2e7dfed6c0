"""Credentials that outlive their first hour: renewal, its guard, and what is foreseen."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from calamari_py.aws import Parameter
from calamari_py.aws.eks_token import bearer_token, presigned_url
from calamari_py.identity import AwsCredentials, LauncherCredentials
from calamari_py.masking import Secret
from calamari_py.runner import AdHocCommand
from tests.fakes import LAUNCHER_KEY_ID, AwsCall, Running, ends, refusal, step_key_id, throttled
from tests.runner.world import DEV, HUB, SCRIPT, World

HEAD = f"name: deploy\nregion: eu-west-1\nassume_role: {{role_arn: '{DEV}', duration: 1h}}\n"
ENDPOINT = HEAD + "credentials: {delivery: endpoint}\n"


def ask(environment: Mapping[str, str]) -> Any:
    """What an SDK in the child is told by the step's endpoint; the status where it is refused."""
    request = urllib.request.Request(
        environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
        headers={"Authorization": environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"]},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_endpoint_renews_what_a_long_step_needs(world: World) -> None:
    """A step of three hours has valid keys of one role all the time, and no keys in its
    environment."""
    seen: list[tuple[str, str]] = []

    def child(running: Running) -> int:
        assert "AWS_ACCESS_KEY_ID" not in running.environment
        assert "AWS_CREDENTIAL_EXPIRATION" not in running.environment
        for _ in range(18):
            document = ask(running.environment)
            assert document["Expiration"] > f"{world.clock.now:%Y-%m-%dT%H:%M:%SZ}"
            seen.append((document["AccessKeyId"], document["SecretAccessKey"]))
            world.clock.advance(600)
        return 0

    assert world.run(ENDPOINT + SCRIPT, child).exit_code == 0
    keys = list(dict.fromkeys(seen))
    assert [key for key, _ in keys] == [step_key_id(n + 1) for n in range(len(keys))]
    assert len(keys) >= 4
    assert all(request.role.name == "DevDeployRole" for request in world.aws.requests())
    assert all(secret not in world.reporter.text for _, secret in keys)


def test_a_token_of_a_cluster_is_masked(world: World) -> None:
    """It is the base64 of a URL that holds the session token, and whoever has it is the role: with
    the first keys and with renewed ones."""
    tokens: list[str] = []

    def child(running: Running) -> int:
        for _ in range(2):
            keys = ask(running.environment)
            url = presigned_url(
                "blue", "eu-west-1", key_id=keys["AccessKeyId"], secret=keys["SecretAccessKey"],
                session_token=keys["Token"], now=world.clock.now.timestamp(),
            )  # fmt: skip
            tokens.append(bearer_token(url))
            running.write(f"{tokens[-1]}\n".encode())
            world.clock.advance(3500)
        return 0

    assert world.run(ENDPOINT + SCRIPT, child).exit_code == 0
    shown = world.reporter.shown("stdout").decode().split()
    assert len({*tokens, *shown}) == 4
    assert all("***" in text for text in shown)


def test_every_hop_is_walked_again(world: World) -> None:
    """A renewal goes the whole chain from the launcher on, as the first time."""

    def child(running: Running) -> int:
        ask(running.environment)
        world.clock.advance(3000)
        ask(running.environment)
        return 0

    text = ENDPOINT.replace(f"{{role_arn: '{DEV}', duration: 1h}}", f"['{HUB}', '{DEV}']")
    world.run(text + SCRIPT, child)
    callers = [call.caller for call in world.aws.calls if call.operation == "AssumeRole"]
    assert callers == [LAUNCHER_KEY_ID, step_key_id(1), LAUNCHER_KEY_ID, step_key_id(3)]


def test_a_renewal_that_fails_is_no_empty_answer(world: World) -> None:
    """While the old keys live they are served; then the endpoint has an error, never blanks."""
    answers: list[Any] = []

    def child(running: Running) -> int:
        answers.append(ask(running.environment)["AccessKeyId"])
        world.aws.refuse[DEV] = refusal("AccessDenied")
        world.clock.advance(3000)
        answers.append(ask(running.environment)["AccessKeyId"])
        world.clock.advance(700)
        answers.append(ask(running.environment))
        running.write(b"going on\n")
        return 0

    world.run(ENDPOINT + SCRIPT, child)
    assert answers[:2] == [step_key_id(1)] * 2
    assert answers[2] in range(500, 600)
    told = [text for text in world.reporter.warnings if "could not be renewed" in text]
    assert len(told) == 1
    assert DEV in told[0]


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param("arn:aws:sts::999999999999:assumed-role/DevDeployRole/x", id="account"),
        pytest.param("arn:aws:sts::111111111111:assumed-role/OtherRole/x", id="role"),
        pytest.param("arn:aws-cn:sts::111111111111:assumed-role/DevDeployRole/x", id="partition"),
    ],
)
def test_a_renewal_never_becomes_somebody_else(changed: str, world: World) -> None:
    """What the endpoint serves is the identity the step began with, or nothing new."""
    answers: list[Any] = []

    def child(running: Running) -> int:
        world.aws.arn_instead[DEV] = changed
        world.clock.advance(3000)
        answers.append(ask(running.environment)["AccessKeyId"])
        world.clock.advance(700)
        answers.append(ask(running.environment))
        return 0

    world.run(ENDPOINT + SCRIPT, child)
    assert answers[0] == step_key_id(1)
    assert answers[1] in range(500, 600)


def test_the_endpoint_is_gone_with_the_step(world: World) -> None:
    """After the step nothing answers, and `finally` has an endpoint of its own."""
    environments: list[Mapping[str, str]] = []

    def child(running: Running) -> int:
        environments.append(running.environment)
        assert ask(running.environment)["AccessKeyId"].startswith("ASIA")
        return 0

    world.run(ENDPOINT + SCRIPT + "finally: echo bye\n", child, child)
    assert len({env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] for env in environments}) == 2
    for environment in environments:
        with pytest.raises(urllib.error.URLError):
            ask(environment)


def test_a_later_attempt_has_time_for_itself(world: World) -> None:
    """An attempt whose time limit the old keys would not outlive begins with new ones."""

    def child(running: Running) -> int:
        world.clock.advance(2400)
        return 7

    text = HEAD + SCRIPT + "timeout: 30m\nretry: {attempts: 2, delay: 0s, on_exit_codes: [7]}\n"
    world.run(text, child, ends(0))
    keys = [env["AWS_ACCESS_KEY_ID"] for env in world.child.environments]
    assert keys == [step_key_id(1), step_key_id(2)]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        pytest.param("timeout: 2h\n", True, id="longer than the credentials"),
        pytest.param("timeout: 20m\n", False, id="shorter"),
        pytest.param("", False, id="no limit"),
        pytest.param("timeout: 2h\ncredentials: {delivery: endpoint}\n", False, id="renewed"),
    ],
)
def test_the_forecast(settings: str, told: bool, world: World) -> None:
    """A step that may outlive its credentials is warned before it starts, with the cure."""
    world.run(HEAD + SCRIPT + settings)
    warned = [text for text in world.reporter.warnings if "mid-step" in text]
    assert bool(warned) is told
    if told:
        assert "credentials.delivery: endpoint" in warned[0]
        (report,) = world.reporter.told("identity")
        assert not report.renewed


@pytest.mark.parametrize(
    ("settings", "duration"),
    [
        pytest.param("", 3600, id="nobody knows how long"),
        pytest.param("timeout: 5m\n", 900, id="never below what STS takes"),
        pytest.param("timeout: 20m\n", 1200 + 30 + 5 + 300, id="as long as the step may take"),
        pytest.param("timeout: 3h\n", 3600, id="never more than an hour unasked"),
        pytest.param("timeout: 5m\ncredentials: {min_validity: 30m}\n", 2100, id="min_validity"),
        pytest.param("timeout: 5m\ncredentials: {delivery: endpoint}\n", 3600, id="renewed"),
    ],
)
def test_credentials_live_no_longer_than_the_step_needs(
    settings: str, duration: int, world: World
) -> None:
    """Without a duration of its own a role is assumed for what the step may take, and a role on
    the way for the least there is."""
    text = f"name: deploy\nregion: eu-west-1\nassume_role: ['{HUB}', '{DEV}']\n{SCRIPT}{settings}"
    world.run(text)
    assert [request.duration for request in world.aws.requests()[:2]] == [900, duration]


IRSA = "arn:aws:iam::123456789012:role/PodRole"


def of_a_pod(world: World) -> None:
    """The environment of an EKS pod with a role for its service account."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del world.environ[name]
    (world.folder / "token").write_text("first.web.token\n")
    world.environ.update(AWS_WEB_IDENTITY_TOKEN_FILE=str(world.folder / "token"), AWS_ROLE_ARN=IRSA)


def test_the_launcher_is_found_anew(world: World) -> None:
    """A token file is read and exchanged again at every renewal: the first session may be over."""
    of_a_pod(world)

    def child(running: Running) -> int:
        ask(running.environment)
        world.clock.advance(3000)
        ask(running.environment)
        return 0

    world.run(ENDPOINT + SCRIPT, child)
    assert world.aws.operations() == ["AssumeRoleWithWebIdentity", "AssumeRole"] * 2
    assert world.aws.calls[3].caller == step_key_id(3)


@pytest.mark.parametrize(
    ("minutes", "served"),
    [
        pytest.param(50, True, id="the launcher's own session still lives"),
        pytest.param(61, False, id="it is over"),
    ],
)
def test_a_launcher_that_cannot_be_found_anew(minutes: int, served: bool, world: World) -> None:
    """A source that fails for a while costs nothing while its last credentials live."""
    of_a_pod(world)
    answers: list[Any] = []

    def child(running: Running) -> int:
        (world.folder / "token").unlink()
        world.clock.advance(minutes * 60)
        answers.append(ask(running.environment))
        running.write(b"on\n")
        return 0

    world.run(ENDPOINT + SCRIPT, child)
    assert isinstance(answers[0], dict) is served
    if served:
        assert answers[0]["AccessKeyId"] == step_key_id(3)
    assert [text for text in world.reporter.warnings if "token" in text]


def test_the_steps_time_limit_means_nothing_to_who_works_by_hand(world: World) -> None:
    """A command in the place of the step has the hour that AWS gives, and no time limit."""
    command = AdHocCommand(argv=("bash", "-c", "id"), directory=world.folder)
    world.run(
        f"name: d\nregion: eu-west-1\nassume_role: {DEV}\ntimeout: 1m\n{SCRIPT}", command=command
    )
    assert world.aws.requests()[0].duration == 3600
    (running,) = world.child.started
    assert running.limits.timeout is None
    assert running.command.argv[1:] == ("-c", "id")
    assert running.command.stdin == "inherit"


@pytest.mark.parametrize("minutes", [-46, 46], ids=["ahead of AWS", "behind AWS"])
def test_lives_are_counted_by_awss_clock(minutes: int, world: World) -> None:
    """A machine whose clock is off renews as early as any other, and says how long is left."""
    world.aws.offset = timedelta(minutes=minutes)
    served: list[str] = []

    def child(running: Running) -> int:
        for _ in range(5):
            served.append(ask(running.environment)["AccessKeyId"])
            world.clock.advance(900)
        return 0

    text = ENDPOINT.replace("endpoint}", "endpoint, min_validity: 30m}") + SCRIPT
    assert world.run(text, child).exit_code == 0
    (report,) = world.reporter.told("identity")
    assert report.seconds_left == 3600
    assert served == [step_key_id(n) for n in (1, 1, 1, 2, 2)]


def test_sts_cannot_be_reached_and_the_trace_is_there(world: World) -> None:
    """Worth another run, and how the launcher was found is told all the same."""
    world.aws.refuse[DEV] = throttled()
    assert world.run(HEAD + SCRIPT).exit_code == 75
    assert [row.source for row in world.reporter.failure.trace if row.used] == ["environment"]
    world.reporter.events.clear()
    world.run(HEAD + SCRIPT, trace_credentials=True)
    assert len(world.reporter.told("trace")) == 1


def test_keys_that_nobody_names_are_not_swapped(world: World) -> None:
    """Without a region nobody can ask whose keys they are: only the same ones are the same."""
    text = "name: d\ncredentials: {delivery: endpoint}\naccount: {type: profile, profile: p}\n"
    answers: list[Any] = []

    def keys(number: int) -> LauncherCredentials:
        return LauncherCredentials(
            credentials=AwsCredentials(
                access_key_id=f"ASIA{number}",
                secret_access_key=Secret(f"secret-number-{number}"),
                session_token=Secret(f"token-number-{number}"),
                expires_at=world.clock.now + timedelta(hours=1),
            ),
            source="profile",
            description="profile p",
        )

    def child(running: Running) -> int:
        world.aws.profiles["p"] = keys(2)
        world.clock.advance(3000)
        answers.append(ask(running.environment)["AccessKeyId"])
        world.clock.advance(700)
        answers.append(ask(running.environment))
        return 0

    world.aws.profiles["p"] = keys(1)
    assert world.run(text + SCRIPT, child).exit_code == 0
    assert answers[0] == "ASIA1"
    assert answers[1] in range(500, 600)


def test_the_region_is_the_first_ones_at_every_renewal(world: World) -> None:
    """A source that no longer knows the region, or knows another, changes nothing."""
    regions = iter(["eu-west-1", None, "us-east-1"])

    def keys() -> LauncherCredentials:
        return LauncherCredentials(
            credentials=AwsCredentials(
                access_key_id="AKIAX", secret_access_key=Secret("secret-number-1")
            ),
            source="profile",
            description="profile p",
            region=next(regions),
        )

    def during(call: AwsCall) -> None:
        if call.operation == "profile":
            world.aws.profiles["p"] = keys()

    def child(running: Running) -> int:
        for _ in range(3):
            ask(running.environment)
            world.clock.advance(2600)
        return 0

    world.aws.during = during
    text = ENDPOINT.replace("region: eu-west-1\n", "") + "account: {type: profile, profile: p}\n"
    assert world.run(text + SCRIPT, child).exit_code == 0
    assert {call.region for call in world.aws.calls if call.operation == "AssumeRole"} == {
        "eu-west-1"
    }


def test_a_defect_in_a_renewal_does_not_take_the_keys(world: World) -> None:
    """Whatever fails while the old keys live, they are served, and it is told."""
    answers: list[Any] = []

    def child(running: Running) -> int:
        world.aws.refuse[DEV] = OverflowError("date value out of range")
        world.clock.advance(3000)
        answers.append(ask(running.environment)["AccessKeyId"])
        answers.append(ask(running.environment)["AccessKeyId"])
        running.write(b"on\n")
        return 0

    world.run(ENDPOINT + SCRIPT, child)
    assert answers == [step_key_id(1)] * 2
    assert len(world.aws.requests()) == 2
    assert any("defect in calamari (OverflowError)" in text for text in world.reporter.warnings)


def test_a_command_stays_one_when_variables_come_late(world: World) -> None:
    """What SSM holds completes the variables; it is the command that runs, and no `finally`."""
    world.aws.parameters["/app/license"] = Parameter(value=Secret("licence-4711"), sensitive=True)
    command = AdHocCommand(argv=("bash", "-c", "id"), directory=world.folder)
    text = "variables: {License: {from_ssm: /app/license}}\nfinally: echo bye\ntimeout: 1m\n"
    assert world.run(HEAD + SCRIPT + text, command=command).exit_code == 0
    (running,) = world.child.started
    assert running.command.argv[1:] == ("-c", "id")
    assert running.limits.timeout is None
