"""What an operator sets over every manifest: the policy, and the audit log."""

from __future__ import annotations

import json
from typing import Any

import pytest

from calamari_py.identity import LauncherCredentials
from tests.fakes import LAUNCHER_KEY_ID, LAUNCHER_SECRET, Running, refusal, step_key_id
from tests.runner.test_lifetime import ENDPOINT, ask
from tests.runner.world import DEV, HEAD, HUB, SCRIPT, World

POLICY = """version: 1
accounts: ["111111111111"]
roles: ["arn:aws:iam::111111111111:role/Dev*"]
regions: ["eu-*"]
external_ids: [ours]
session_names: ["deploy*"]
endpoints: ["https://sts.eu-west-1.amazonaws.com"]
token_commands: [/usr/bin/token]
"""


def hop(**fields: Any) -> str:
    return f"name: deploy\nregion: eu-west-1\nassume_role: {json.dumps(fields)}\n{SCRIPT}"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(HEAD + SCRIPT, 0, id="within it"),
        pytest.param(hop(role_arn=DEV, external_id="ours"), 0, id="an external id it lists"),
        pytest.param(hop(role_arn=DEV, external_id="theirs"), 77, id="another external id"),
        pytest.param(hop(role_arn=HUB), 77, id="another account"),
        pytest.param(hop(role_arn=DEV.replace("Dev", "Prod")), 77, id="another role"),
        pytest.param(hop(role_arn=DEV, session_name="innocent"), 77, id="a session name"),
        pytest.param(hop(role_arn=DEV).replace("eu-west-1", "us-east-1"), 77, id="region"),
        pytest.param(f"name: deploy\nregion: eu-west-1\n{SCRIPT}", 77, id="as the launcher"),
        pytest.param(
            HEAD + SCRIPT + "env: {AWS_ENDPOINT_URL_STS: 'https://evil.test'}\n", 77, id="endpoint"
        ),
        pytest.param(
            HEAD + SCRIPT + "account: {type: oidc, role_arn: '" + DEV
            + "', token_from: {command: [/tmp/evil]}}\n",
            77,
            id="a token command",
        ),
        pytest.param(
            HEAD + SCRIPT + "account: {name: A, expose_to_step: true}\n", 77, id="exposing"
        ),
    ],
)  # fmt: skip
def test_a_manifest_outside_of_the_policy(text: str, code: int, world: World) -> None:
    """It is refused before any call and with its place; one within it runs."""
    policy = world.write(POLICY, "policy.yaml")
    result = world.run(text, policy=policy)
    assert result.exit_code == code
    if code:
        assert not world.aws.calls
        assert not world.child.started
        assert all(
            problem.place.startswith("step.yaml") for problem in world.reporter.failure.problems
        )
        assert "policy.yaml" in world.reporter.text


def test_the_environments_endpoint_is_held_against_it(world: World) -> None:
    """An endpoint that the machine names is the operator's to allow."""
    world.environ["AWS_ENDPOINT_URL_STS"] = "https://sts.evil.test"
    assert world.run(HEAD + SCRIPT, policy=world.write(POLICY, "policy.yaml")).exit_code == 77
    assert not world.aws.calls


def test_a_region_that_only_the_launcher_knows(world: World) -> None:
    """It is held against the policy before a role is assumed in it."""
    keys = world.aws.profiles
    world.environ["AWS_PROFILE"] = "x"
    del world.environ["AWS_ACCESS_KEY_ID"], world.environ["AWS_SECRET_ACCESS_KEY"]
    from calamari_py.identity import AwsCredentials
    from calamari_py.masking import Secret

    keys["x"] = LauncherCredentials(
        credentials=AwsCredentials(
            access_key_id=LAUNCHER_KEY_ID, secret_access_key=Secret(LAUNCHER_SECRET)
        ),
        source="profile",
        description="profile x",
        region="us-east-1",
    )
    text = (HEAD + SCRIPT).replace("region: eu-west-1\n", "")
    assert world.run(text, policy=world.write(POLICY, "policy.yaml")).exit_code == 77
    assert world.aws.operations() == ["profile"]


def test_the_policys_session_policy_is_applied(world: World) -> None:
    """What the operator wants every step to be limited to goes with its last role."""
    text = POLICY + "session_policy: {Version: '2012-10-17', Statement: []}\nmax_duration: 20m\n"
    world.run(HEAD + SCRIPT, policy=world.write(text, "policy.yaml"))
    (request,) = world.aws.requests()
    assert request.policy is not None
    assert json.loads(request.policy)["Version"] == "2012-10-17"
    assert request.duration == 1200


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(None, 66, id="missing"),
        pytest.param("rolls: []\n", 65, id="unknown key"),
        pytest.param("version: 2\n", 65, id="another version"),
    ],
)
def test_a_policy_that_cannot_be_used(text: str | None, code: int, world: World) -> None:
    """Without a policy that can be read nothing runs: it is never passed over."""
    path = world.folder / "policy.yaml"
    if text is not None:
        path.write_text(text)
    assert world.run(HEAD + SCRIPT, policy=path).exit_code == code
    assert not world.aws.calls


def lines(world: World) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (world.folder / "audit.jsonl").read_text().splitlines()]


def test_the_audit_log_leads_from_cloudtrail_to_the_step(world: World) -> None:
    """One line for the launcher, one for the role, one for each renewal; the same session name."""

    def child(running: Running) -> int:
        ask(running.environment)
        world.clock.advance(3000)
        ask(running.environment)
        return 0

    text = "project: pay\ndeployment_id: '4711'\n" + ENDPOINT + SCRIPT
    world.run(text, child, audit_log=world.folder / "audit.jsonl")
    found = lines(world)
    assert [line["event"] for line in found] == ["launcher", "assumed", "renewed"]
    assumed = found[1]
    assert assumed["session_name"] == world.aws.requests()[0].session_name
    assert assumed["access_key_id"] == step_key_id(1)
    assert (assumed["step"], assumed["project"], assumed["deployment_id"]) == (
        "deploy", "pay", "4711",
    )  # fmt: skip
    assert assumed["source"] == "environment"
    assert assumed["chain"] == [assumed["arn"]]
    assert assumed["request_ids"] == ["req-1"]
    assert found[2]["access_key_id"] == step_key_id(2)
    assert LAUNCHER_SECRET not in (world.folder / "audit.jsonl").read_text()


def test_a_refusal_is_noted_too(world: World) -> None:
    """Who was refused what stands in the log as well."""
    world.aws.refuse[DEV] = refusal("AccessDenied")
    world.run(HEAD + SCRIPT, audit_log=world.folder / "audit.jsonl")
    refused = lines(world)[-1]
    assert (refused["event"], refused["code"]) == ("refused", "AccessDenied")
    assert refused["request_ids"] == ["req-1"]
    assert (refused["role_arn"], refused["account"]) == (DEV, "111111111111")


def test_a_refusal_in_a_chain_says_how_far_it_came(world: World) -> None:
    """The hops that were made before are in the line, with their request ids."""
    world.aws.refuse[DEV] = refusal("AccessDenied")
    text = f"name: deploy\nregion: eu-west-1\nassume_role: ['{HUB}', '{DEV}']\n{SCRIPT}"
    world.run(text, audit_log=world.folder / "audit.jsonl")
    refused = lines(world)[-1]
    assert [arn.split("/")[1] for arn in refused["chain"]] == ["HubRole"]
    assert refused["request_ids"] == ["req-1", "req-1"]
    assert refused["role_arn"] == DEV


def test_a_log_that_cannot_be_written_stops_the_step(world: World) -> None:
    """An identity that cannot be noted is not obtained."""
    assert world.run(HEAD + SCRIPT, audit_log=world.folder / "none" / "audit.jsonl").exit_code
    assert not world.aws.calls


def test_a_renewal_that_is_refused_or_cannot_be_noted(world: World) -> None:
    """A refused renewal is noted; one that cannot be noted is not used."""
    answers: list[Any] = []
    log = world.folder / "audit.jsonl"

    def child(running: Running) -> int:
        world.aws.refuse[DEV] = refusal("AccessDenied")
        world.clock.advance(3000)
        answers.append(ask(running.environment)["AccessKeyId"])
        world.aws.refuse.clear()
        world.clock.advance(300)
        log.rename(world.folder / "old.jsonl")
        log.mkdir()
        answers.append(ask(running.environment)["AccessKeyId"])
        return 0

    world.run(ENDPOINT + SCRIPT, child, audit_log=log)
    noted = [json.loads(line) for line in (world.folder / "old.jsonl").read_text().splitlines()]
    assert [line["event"] for line in noted] == ["launcher", "assumed", "refused"]
    assert answers == [step_key_id(1)] * 2
    assert len(world.aws.requests()) == 3


def test_the_profile_of_the_environment_is_held_against_the_policy(world: World) -> None:
    """What AWS_PROFILE names counts like a profile that the manifest names."""
    policy = world.write("profiles: [ops]\n", "policy.yaml")
    world.environ["AWS_PROFILE"] = "admin"
    text = HEAD + SCRIPT + "account: profile\n"
    assert world.run(text, policy=policy).exit_code == 77
    assert not world.aws.calls
