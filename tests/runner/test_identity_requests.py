"""What STS is asked for, and where."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import Any

import pytest

from calamari_py.identity import AwsCredentials, LauncherCredentials
from calamari_py.masking import Secret
from tests.fakes import LAUNCHER_KEY_ID, LAUNCHER_TOKEN, START, refusal, step_key_id
from tests.runner.world import DEV, HUB, SCRIPT, World, sandbox


def manifest(head: str = "name: deploy\nregion: eu-west-1\n", **hop: Any) -> str:
    """A manifest with one hop of these options."""
    return f"{head}assume_role: {json.dumps({'role_arn': DEV, **hop})}\n{SCRIPT}"


def test_every_option_of_a_hop_reaches_sts(world: World) -> None:
    """What the manifest says of a hop is what STS is asked."""
    world.run(
        manifest(
            session_name="octopus-4711",
            duration="30m",
            external_id="ext:1",
            policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"],
            tags={"Project": "payments"},
            transitive_tags=["Project"],
            source_identity="release-1",
        )
    )
    (request,) = world.aws.requests()
    assert str(request.role) == DEV
    assert request.session_name == "octopus-4711"
    assert request.duration == 1800
    assert request.external_id == "ext:1"
    assert request.policy is None
    assert request.policy_arns == ("arn:aws:iam::aws:policy/ReadOnlyAccess",)
    assert request.tags == {"Project": "payments"}
    assert request.transitive_tags == ("Project",)
    assert request.source_identity == "release-1"


def test_an_inline_policy_is_compact_json(world: World) -> None:
    """An inline session policy counts against 2048 characters: no blanks are sent."""
    world.run(manifest(policy={"Version": "2012-10-17", "Statement": []}))
    assert world.aws.requests()[0].policy == '{"Version":"2012-10-17","Statement":[]}'


def test_a_policy_file_lies_beside_the_manifest(world: World) -> None:
    """A session policy by path is read from the manifest's folder."""
    world.write('{ "Version": "2012-10-17" }', "policy.json")
    world.run(manifest(policy="policy.json"))
    assert world.aws.requests()[0].policy == '{"Version":"2012-10-17"}'


@pytest.mark.parametrize(
    ("role", "preset"),
    [
        pytest.param(DEV, "arn:aws:iam::aws:policy/ReadOnlyAccess", id="aws"),
        pytest.param(
            DEV.replace(":aws:", ":aws-cn:"),
            "arn:aws-cn:iam::aws:policy/ReadOnlyAccess",
            id="china",
        ),
    ],
)
def test_the_read_only_preset(role: str, preset: str, world: World) -> None:
    """`preset:read-only` is AWS's own policy, in the partition of the role."""
    other = "arn:aws:iam::aws:policy/SecurityAudit"
    region = "cn-north-1" if ":aws-cn:" in role else "eu-west-1"
    head = f"name: deploy\nregion: {region}\n"
    world.run(manifest(head, role_arn=role, policy="preset:read-only", policy_arns=[other]))
    (request,) = world.aws.requests()
    assert request.policy is None
    assert request.policy_arns == (other, preset)


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        pytest.param(None, 66, "does not exist", id="missing"),
        pytest.param("{", 65, "is no JSON", id="no json"),
        pytest.param('"' + "x" * 2050 + '"', 65, "2048", id="too long"),
    ],
)
def test_a_bad_policy_file(content: str | None, code: int, message: str, world: World) -> None:
    """A policy file that cannot be used is a problem of the manifest, before any call."""
    if content is not None:
        world.write(content, "policy.json")
    assert world.run(manifest(policy="policy.json")).exit_code == code
    assert message in world.reporter.failure.problems[0].message
    assert world.aws.calls == []


def test_a_policy_file_is_never_waited_for(world: World) -> None:
    """A FIFO in place of the policy file of a later hop is refused with that hop's place."""
    os.mkfifo(world.folder / "policy.json")
    hops = json.dumps([{"role_arn": HUB}, {"role_arn": DEV, "policy": "policy.json"}])
    result = world.run(f"name: deploy\nregion: eu-west-1\nassume_role: {hops}\n{SCRIPT}")
    assert result.exit_code == 66
    (problem,) = world.reporter.failure.problems
    assert problem.path == "assume_role[1].policy"
    assert problem.place.startswith("step.yaml:3:")
    assert problem.hint


@pytest.mark.parametrize(
    ("head", "name"),
    [
        pytest.param("name: deploy\n", "deploy", id="name alone"),
        pytest.param(
            "name: deploy\nproject: payments\nenvironment: dev\ndeployment_id: d-1\n",
            "payments-dev-deploy-d-1",
            id="all parts",
        ),
        pytest.param("name: 'a b/ü'\n", "a-b-", id="characters that STS refuses"),
        pytest.param("name: x\n", "x-", id="too short"),
    ],
)
def test_the_default_session_name(head: str, name: str, world: World) -> None:
    """CloudTrail names the step: project, environment, name, deployment."""
    world.run(manifest(f"{head}region: eu-west-1\n"))
    assert world.aws.requests()[0].session_name == name


def test_a_long_session_name_stays_apart(world: World) -> None:
    """Two long names with one head are two sessions of 64 characters."""
    for last in "ab":
        world.run(manifest(f"name: {'n' * 80}{last}\nregion: eu-west-1\n"))
    first, second = (request.session_name for request in world.aws.requests())
    assert len(first) == len(second) == 64
    assert first[:50] == second[:50]
    assert first != second


def test_a_chain_walks_from_role_to_role(world: World) -> None:
    """Each hop is asked with the credentials of the one before, and the child has the last."""
    world.run(f"name: deploy\nregion: eu-west-1\nassume_role: [{HUB}, {DEV}]\n{SCRIPT}")
    assert [call.caller for call in world.aws.calls] == [LAUNCHER_KEY_ID, step_key_id(1)]
    assert [str(request.role) for request in world.aws.requests()] == [HUB, DEV]
    assert world.child.environments[0]["AWS_ACCESS_KEY_ID"] == step_key_id(2)
    report = world.reporter.told("identity")[0]
    assert [arn.split(":")[4] for arn in report.hops] == ["222222222222", "111111111111"]
    assert report.role == report.hops[-1]


@pytest.mark.parametrize("second", ["12h", "1h30m"])
def test_a_chained_duration_is_clamped_aloud(second: str, world: World) -> None:
    """AWS ends chained sessions after an hour: a longer wish is cut, and that is said."""
    hops = [{"role_arn": HUB, "duration": "2h"}, {"role_arn": DEV, "duration": second}]
    world.run(f"name: x1\nregion: eu-west-1\nassume_role: {json.dumps(hops)}\n{SCRIPT}")
    assert [request.duration for request in world.aws.requests()] == [7200, 3600]
    (warning,) = (w for w in world.reporter.warnings if "chaining" in w)
    assert DEV in warning
    assert f"instead of {second}" in warning


def test_a_launcher_session_makes_the_first_hop_chained(world: World) -> None:
    """A launcher that is a session itself is chaining, too."""
    world.environ["AWS_SESSION_TOKEN"] = LAUNCHER_TOKEN
    world.run(manifest(duration="2h"))
    assert world.aws.requests()[0].duration == 3600
    assert any("chaining" in warning for warning in world.reporter.warnings)


def test_a_short_duration_is_not_touched(world: World) -> None:
    """A wish within the limit gives no warning."""
    world.environ["AWS_SESSION_TOKEN"] = LAUNCHER_TOKEN
    world.run(manifest(duration="15m"))
    assert world.aws.requests()[0].duration == 900
    assert world.reporter.warnings == []


def test_what_sts_warns_of_is_said(world: World) -> None:
    """Warnings of the door (a clock that is off, a shorter session) reach the log."""
    world.aws.warnings = ("the clock is 400 s late",)
    world.run(manifest())
    assert "the clock is 400 s late" in world.reporter.warnings


@pytest.mark.parametrize(
    ("least", "lives", "code"),
    [
        pytest.param("10m", 1200, 0, id="enough"),
        pytest.param("10m", 600, 0, id="just enough"),
        pytest.param("10m", 599, 77, id="too little"),
    ],
)
def test_min_validity(least: str, lives: int, code: int, world: World) -> None:
    """Credentials that end too soon start nothing."""
    world.aws.lifetime = lives
    result = world.run(f"{manifest()}credentials: {{min_validity: {least}}}\n")
    assert result.exit_code == code
    assert len(world.child.commands) == (code == 0)


# --- region -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "head", "region", "source"),
    [
        pytest.param({"AWS_REGION": "eu-north-1"}, "region: eu-west-1\n", "eu-west-1", "manifest",
                     id="manifest"),
        pytest.param({"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "",
                     "eu-north-1", "AWS_REGION", id="AWS_REGION"),
        pytest.param({"AWS_REGION": " ", "AWS_DEFAULT_REGION": "eu-west-2"}, "", "eu-west-2",
                     "AWS_DEFAULT_REGION", id="AWS_DEFAULT_REGION"),
    ],
)  # fmt: skip
def test_where_the_region_comes_from(
    environ: dict[str, str], head: str, region: str, source: str, world: World
) -> None:
    """The region is the first one named; calls, child and header agree on it."""
    world.environ.update(environ)
    world.run(manifest(f"name: deploy\n{head}"))
    report = world.reporter.told("identity")[0]
    assert (report.region, report.region_source) == (region, source)
    assert {call.region for call in world.aws.calls} == {region}
    child = world.child.environments[0]
    assert child["AWS_REGION"] == child["AWS_DEFAULT_REGION"] == region


def test_the_launchers_own_region_comes_last(world: World) -> None:
    """A profile's region is used where nobody else names one."""
    world.environ["AWS_PROFILE"] = "me"
    world.aws.profiles["me"] = LauncherCredentials(
        credentials=AwsCredentials(
            access_key_id=LAUNCHER_KEY_ID, secret_access_key=Secret("profile-secret")
        ),
        source="profile",
        description="profile me",
        region="ap-southeast-2",
    )
    result = world.run(manifest("name: deploy\naccount: {type: profile, profile: me}\n"))
    assert result.exit_code == 0
    assert world.aws.calls[-1].region == "ap-southeast-2"
    assert world.reporter.told("identity")[0].region_source == "profile"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(manifest("name: deploy\n"), id="role"),
        pytest.param(f"name: x\nexpect: {{account: '111111111111'}}\n{SCRIPT}", id="expect"),
    ],
)
def test_no_region_is_a_problem_of_the_manifest(text: str, world: World) -> None:
    """Assuming a role, or checking who runs the step, needs a region: 65, and how to name one."""
    assert world.run(text).exit_code == 65
    problem = world.reporter.failure.problems[0]
    assert problem.path == "region"
    assert problem.hint is not None
    assert "AWS_REGION" in problem.hint
    assert world.aws.calls == []
    assert world.child.commands == []


def test_without_role_and_region_the_step_runs_nameless(world: World) -> None:
    """No role, no region, no guard: nobody is asked, and the key id stands for the ARN."""
    assert world.run("name: deploy\n" + SCRIPT).exit_code == 0
    assert world.aws.calls == []
    assert any(LAUNCHER_KEY_ID in warning for warning in world.reporter.warnings)
    assert "AWS_REGION" not in world.child.environments[0]


# --- where calls go -----------------------------------------------------------------------------


def test_the_sandbox_replaces_every_endpoint(world: World) -> None:
    """With --sandbox no call of ours or of the child can reach the real AWS by its own endpoint."""
    world.environ.update(
        AWS_ENDPOINT_URL_STS="https://sts.example.com",
        AWS_ENDPOINT_URL_S3="https://s3.example.com",
        AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true",
    )
    result = world.run(manifest("name: deploy\n"), sandbox=sandbox())
    assert result.exit_code == 0
    assert world.aws.settings[0].endpoints == {"": "http://127.0.0.1:4566"}
    child = world.child.environments[0]
    endpoints = {k: v for k, v in child.items() if "ENDPOINT" in k}
    assert endpoints == {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}
    assert world.aws.calls[0].caller == "AKIASANDBOX"
    assert any("sandbox" in warning for warning in world.reporter.warnings)
    assert world.reporter.told("identity")[0].region_source == "sandbox"


def test_the_sandbox_gives_nothing_to_account_none(world: World) -> None:
    """Account type none means none, in the sandbox too."""
    world.run("name: deploy\naccount: none\n" + SCRIPT, sandbox=sandbox())
    assert "AWS_ACCESS_KEY_ID" not in world.child.environments[0]
    assert world.aws.calls == []


@pytest.mark.parametrize(
    ("allow", "code"), [pytest.param(False, 77, id="refused"), pytest.param(True, 0, id="allowed")]
)
def test_plain_http_elsewhere(allow: bool, code: int, world: World) -> None:
    """An STS endpoint in clear text needs the option that says so."""
    world.environ["AWS_ENDPOINT_URL_STS"] = "http://10.0.0.1:4566"
    assert world.run(manifest(), allow_http_endpoint=allow).exit_code == code
    assert bool(world.aws.calls) == allow


def test_an_unusable_launcher_without_role(world: World) -> None:
    """Without a role the launcher is asked who it is; a refusal is an identity failure."""
    world.aws.fail_at[1] = refusal("ExpiredToken", operation="GetCallerIdentity")
    assert world.run("name: deploy\nregion: eu-west-1\n" + SCRIPT).exit_code == 77
    assert world.child.commands == []
    assert world.reporter.failure.hint


def test_the_result_says_who_it_was(world: World) -> None:
    """The result document names the role session, its account, region and end; no secret."""
    world.run(manifest(), result=world.folder / "result.json")
    identity = world.document()["identity"]
    arn = "arn:aws:sts::111111111111:assumed-role/DevDeployRole/deploy"
    assert identity == {
        "launcher_arn": None,
        "hops": [arn],
        "arn": arn,
        "account": "111111111111",
        "region": "eu-west-1",
        "expires_at": f"{START + timedelta(hours=1):%Y-%m-%dT%H:%M:%S}.000Z",
    }


def test_a_secret_in_a_session_name_is_masked_in_the_result(world: World) -> None:
    """An ARN that holds a secret is masked wherever it is told."""
    world.run(
        manifest(session_name="{{ T }}")
        + "variables: {T: {value: s3cr3t-value, sensitive: true}}\n",
        result=world.folder / "result.json",
    )
    assert world.document()["identity"]["arn"].endswith("/DevDeployRole/***")
    assert "s3cr3t-value" not in world.everything()


METADATA = (
    "name: deploy\nregion: eu-west-1\nproject: pay ments\nenvironment: dev\n"
    "deployment_id: 'deployments#4711'\n"
)


@pytest.mark.parametrize(
    ("head", "hop", "tags"),
    [
        pytest.param("name: deploy\nregion: eu-west-1\n", {}, {}, id="no metadata"),
        pytest.param(
            METADATA,
            {},
            {
                "calamari:project": "pay ments",
                "calamari:environment": "dev",
                "calamari:deployment": "deployments-4711",
                "calamari:step": "deploy",
            },
            id="metadata",
        ),
        pytest.param(METADATA, {"default_tags": False}, {}, id="not wanted"),
    ],
)
def test_default_tags_say_which_step_it_is(
    head: str, hop: dict[str, Any], tags: dict[str, str], world: World
) -> None:
    """The metadata go with the session, beside the manifest's own tags."""
    world.run(manifest(head, tags={"Cost": "1"}, **hop))
    (request,) = world.aws.requests()
    assert (dict(request.default_tags), dict(request.tags)) == (tags, {"Cost": "1"})


def test_only_the_last_role_is_tagged(world: World) -> None:
    """A role on the way need not allow tags for the step's sake."""
    world.run(f"{METADATA}assume_role: ['{HUB}', '{DEV}']\n{SCRIPT}")
    first, last = world.aws.requests()
    assert not first.default_tags
    assert last.default_tags


@pytest.mark.parametrize("key", ["calamari:step", "Calamari:anything"])
def test_no_manifest_sets_a_tag_of_calamaris(key: str, world: World) -> None:
    """What says which step it was cannot be written by the step's author."""
    assert world.run(manifest(tags={key: "other"})).exit_code == 65
    assert not world.aws.calls


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("AWS_REGION", "nonsense", id="no region"),
        pytest.param("AWS_REGION", "eu_west_1", id="underscores"),
        pytest.param("AWS_DEFAULT_REGION", "eu-west-1.evil.test", id="a host name"),
    ],
)
def test_the_environments_region_is_looked_at(name: str, value: str, world: World) -> None:
    """What becomes part of a host name is held to the form of a region before any call."""
    world.environ[name] = value
    assert world.run(manifest("name: deploy\n")).exit_code == 65
    assert not world.aws.calls
    assert name in world.reporter.failure.problems[0].message


@pytest.mark.parametrize(
    ("region", "partition", "code"),
    [
        pytest.param("eu-west-1", "aws", 0, id="aws"),
        pytest.param("cn-north-1", "aws-cn", 0, id="china"),
        pytest.param("us-gov-west-1", "aws-us-gov", 0, id="government"),
        pytest.param("us-isob-east-1", "aws-iso-b", 0, id="isolated"),
        pytest.param("us-gov-west-1", "aws", 65, id="government and aws"),
        pytest.param("us-east-1", "aws-cn", 65, id="aws and china"),
        pytest.param("us-iso-east-1", "aws-iso-b", 65, id="two isolated ones"),
    ],
)
def test_region_and_role_lie_in_one_partition(
    region: str, partition: str, code: int, world: World
) -> None:
    """A role of another partition is refused before a token or key goes to the wrong one."""
    role = DEV.replace(":aws:", f":{partition}:")
    text = manifest(f"name: deploy\nregion: {region}\n", role_arn=role)
    assert world.run(text).exit_code == code
    assert bool(world.aws.calls) is (code == 0)
    if code:
        world.environ["AWS_ENDPOINT_URL_STS"] = "http://127.0.0.1:1"
        assert world.run(text).exit_code == 0
