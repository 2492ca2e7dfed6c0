"""Who a step would be, for somebody who only asks: whoami, credentials, console."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from calamari_py.errors import SourceBroken
from calamari_py.identity import AwsCredentials, LauncherCredentials
from calamari_py.masking import Secret
from calamari_py.output._identity_page import IdentityPage, page_document
from calamari_py.runner import Corridor, Doors, RunOptions, visit
from calamari_py.runner.inquiry import console, credentials, is_service, reveal_url, whoami
from tests.credentials.fakes import jwt
from tests.fakes import (
    LAUNCHER_ARN,
    LAUNCHER_KEY_ID,
    LAUNCHER_SECRET,
    LAUNCHER_TOKEN,
    refusal,
    step_key_id,
    step_secrets,
    throttled,
)
from tests.runner.world import DEV, HEAD, HUB, SCRIPT, World

CHAIN = f"name: deploy\nregion: eu-west-1\nassume_role: [{HUB}, {DEV}]\n{SCRIPT}"
NO_ROLE = f"name: deploy\nregion: eu-west-1\n{SCRIPT}"
NONE = f"name: deploy\naccount: none\n{SCRIPT}"
DEV_SESSION = "arn:aws:sts::111111111111:assumed-role/DevDeployRole/deploy"
HUB_SESSION = "arn:aws:sts::222222222222:assumed-role/HubRole/deploy"
OIDC = (
    "name: deploy\nregion: eu-west-1\n"
    f"account: {{type: oidc, role_arn: {DEV}, token: %s}}\n{SCRIPT}"
)
TOKEN = jwt(iss="https://token.actions.githubusercontent.com", aud="sts.amazonaws.com",
            sub="repo:acme/app:ref:refs/heads/main")  # fmt: skip
READER = LauncherCredentials(
    credentials=AwsCredentials(access_key_id="AKIAREADER", secret_access_key=Secret("reader-key")),
    source="profile",
    description="profile 'admin'",
)
TRUSTS_NOBODY = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole",
     "Principal": {"AWS": "arn:aws:iam::999999999999:role/Somebody"}},
]}  # fmt: skip
TRUSTS_BRANCH = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
     "Principal": {"Federated": "arn:aws:iam::111111111111:oidc-provider/"
                                "token.actions.githubusercontent.com"},
     "Condition": {"StringEquals": {"token.actions.githubusercontent.com:sub":
                                    "repo:acme/app:ref:refs/heads/release"}}},
]}  # fmt: skip


def go(world: World, manifest: str, way: Callable[[Corridor], None], **options: Any) -> int:
    """Go `way` with this manifest; the exit code. Whatever the outcome, nothing may have run."""
    world.write(manifest)
    code = visit(
        RunOptions(
            manifest="step.yaml", cwd=world.folder, environ=world.environ, stdin=io.BytesIO(),
            **options,
        ),
        world.reporter,
        Doors(make_aws=world.aws.door, run=world.child, now=world.clock, install_signals=False),
        way,
    )  # fmt: skip
    assert world.child.started == []
    assert list(world.private.iterdir()) == []
    return code


def page_of(world: World, manifest: str, **options: Any) -> IdentityPage:
    """The page that whoami shows of a step with an identity."""
    shown: list[IdentityPage] = []
    code = go(world, manifest, lambda corridor: whoami(corridor, shown.append, **options))
    assert code == 0, world.reporter.text
    (page,) = shown
    return page


def printed(world: World, manifest: str, *, of_launcher: bool = False) -> Any:
    """The document of the credential process."""
    out: list[bytes] = []
    code = go(world, manifest, lambda corridor: credentials(corridor, out.append,
                                                            of_launcher=of_launcher))  # fmt: skip
    assert code == 0, world.reporter.text
    return json.loads(b"".join(out))


def urls(world: World, manifest: str, **options: Any) -> tuple[int, list[Secret]]:
    """The exit code, and the URLs that somebody was given."""
    given: list[Secret] = []
    code = go(world, manifest, lambda corridor: console(corridor, given.append, **options))
    return code, given


def failed_whoami(world: World, manifest: str, code: int = 77, **options: Any) -> None:
    shown: list[IdentityPage] = []
    assert go(world, manifest, lambda c: whoami(c, shown.append, **options)) == code
    assert shown == []


# --- whoami -------------------------------------------------------------------------------------


def test_every_hop_is_told(world: World) -> None:
    """Launcher, each session with its ARN, its life and STS's request id, the final identity."""
    document = page_document(page_of(world, CHAIN + 'expect: {account: "111111111111"}\n'))
    assert document["launcher"]["arn"] == LAUNCHER_ARN
    assert document["launcher"]["source"] == "environment"
    assert [(hop["role_arn"], hop["arn"], hop["request_id"]) for hop in document["hops"]] == [
        (HUB, HUB_SESSION, "req-1"),
        (DEV, DEV_SESSION, "req-2"),
    ]
    assert document["hops"][1]["expires_at"] == "2026-03-01T10:30:00.000Z"
    assert (document["arn"], document["account"]) == (DEV_SESSION, "111111111111")
    assert (document["as_expected"], document["region_source"]) == (True, "manifest")
    assert (document["delivery"], document["renewed"], document["trace"]) == ("env", False, None)


def test_the_launcher_is_always_asked_for_its_name(world: World) -> None:
    """Where the source does not say, AWS does."""
    page_of(world, HEAD + SCRIPT)
    assert world.aws.operations() == ["GetCallerIdentity", "AssumeRole"]


def test_the_trace_is_on_the_page(world: World) -> None:
    """The sources that were looked at, when they are asked for."""
    page = page_of(world, HEAD + SCRIPT, with_trace=True)
    assert page.trace is not None
    assert [row.source for row in page.trace if row.used] == ["environment"]
    assert world.reporter.told("trace") == []


@pytest.mark.parametrize(
    ("manifest", "arn", "delivery"),
    [
        pytest.param(NONE, None, None, id="account none"),
        pytest.param(NO_ROLE, LAUNCHER_ARN, "env", id="no role"),
    ],
)
def test_without_a_role(manifest: str, arn: str | None, delivery: str | None, world: World) -> None:
    """There are no hops; the launcher itself, or nobody."""
    document = page_document(page_of(world, manifest))
    assert (document["hops"], document["arn"], document["delivery"]) == ([], arn, delivery)
    assert (document["launcher"] is None) == (arn is None)


def test_what_the_page_says_is_masked(world: World) -> None:
    """A session name may be made from a secret."""
    manifest = (
        "name: deploy\nregion: eu-west-1\nvariables: {S: {value: canary-4f9c, sensitive: true}}\n"
        f'assume_role: {{role_arn: {DEV}, session_name: "x-{{{{ S }}}}"}}\n{SCRIPT}'
    )
    document = json.dumps(page_document(page_of(world, manifest)))
    assert "assumed-role/DevDeployRole/***" in document
    assert "canary" not in document
    assert "canary" not in world.reporter.text


@pytest.mark.parametrize(
    ("manifest", "code", "words"),
    [
        pytest.param(HEAD + SCRIPT + "expect: {role: OtherRole}\n", 77, "expect", id="expect"),
        pytest.param("name: x\n", 65, "1 problem", id="invalid"),
        pytest.param(f"name: d\nassume_role: {DEV}\n{SCRIPT}", 65, "1 problem", id="no region"),
    ],
)  # fmt: skip
def test_no_identity_no_page(manifest: str, code: int, words: str, world: World) -> None:
    """A failure is told as `run` tells it, with its code."""
    failed_whoami(world, manifest, code)
    assert words in world.reporter.failure.message


def test_the_operators_rules_hold(world: World) -> None:
    """A policy refuses before any call; the audit log takes what was obtained."""
    policy = world.write('version: 1\naccounts: ["222222222222"]\n', "policy.yaml")
    shown: list[IdentityPage] = []
    way = lambda corridor: whoami(corridor, shown.append)  # noqa: E731
    assert go(world, HEAD + SCRIPT, way, policy=policy) == 77
    assert (world.aws.calls, shown) == ([], [])
    log = world.folder / "audit.log"
    assert go(world, HEAD + SCRIPT, way, audit_log=log) == 0
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [event["event"] for event in events] == ["launcher", "assumed"]
    assert events[1]["arn"] == DEV_SESSION


# --- the trust policy of a refused role -----------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "profile", "expected"),
    [
        pytest.param(TRUSTS_NOBODY, "admin", "read with profile 'admin':", id="read"),
        pytest.param(refusal(), "admin", "cannot compare with the trust policy", id="refused"),
        pytest.param(
            refusal("NoSuchEntity"), "admin", "no profile of account 111111111111", id="elsewhere"
        ),
        pytest.param(TRUSTS_NOBODY, "none", "'none' has no credentials", id="no profile"),
    ],
)
def test_a_refused_hop_and_its_trust_policy(
    policy: Any, profile: str, expected: str, world: World
) -> None:
    """It is read with the profile, and the differences join the evidence of the failure."""
    world.aws.refuse[DEV] = refusal()
    world.aws.trust_policies[DEV] = policy
    world.aws.profiles["admin"] = replace(READER, region="us-east-2")
    failed_whoami(world, CHAIN, trust_profile=profile)
    evidence = world.reporter.failure.evidence
    assert any(expected in line for line in evidence), evidence
    readers = [call.caller for call in world.aws.calls if call.operation == "GetRole"]
    assert readers == ([] if profile == "none" else ["AKIAREADER"])
    if expected.startswith("read"):
        assert any("999999999999" in line for line in evidence), evidence


def test_a_refused_token_and_its_trust_policy(world: World) -> None:
    """The token's claims are held against what the role wants."""
    world.aws.refuse[DEV] = refusal(operation="AssumeRoleWithWebIdentity")
    world.aws.trust_policies[DEV] = TRUSTS_BRANCH
    world.aws.profiles["admin"] = READER
    failed_whoami(world, OIDC % TOKEN, trust_profile="admin")
    evidence = "\n".join(world.reporter.failure.evidence)
    assert "refs/heads/release" in evidence
    assert TOKEN not in world.reporter.text


def test_a_broken_trust_profile_does_not_hide_the_failure(world: World) -> None:
    """What was refused is told, and why the policy could not be read."""
    world.aws.refuse[DEV] = refusal()

    def broken(call: Any) -> None:
        if call.operation == "profile":
            raise SourceBroken("profile 'admin' does not exist", hint="aws configure list-profiles")

    world.aws.during = broken
    failed_whoami(world, HEAD + SCRIPT, trust_profile="admin")
    assert world.reporter.failure.message.startswith("cannot assume role")
    assert any("does not exist" in line for line in world.reporter.failure.evidence)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(None, 0, id="all is well"),
        pytest.param(throttled(), 75, id="AWS cannot be reached"),
        pytest.param(refusal("ExpiredToken"), 77, id="not for the trust policy"),
    ],
)
def test_the_trust_profile_is_used_for_refusals_only(
    answer: Exception | None, code: int, world: World
) -> None:
    """Nobody's profile is touched where a trust policy explains nothing."""
    if answer is not None:
        world.aws.refuse[DEV] = answer
    assert (
        go(world, HEAD + SCRIPT, lambda c: whoami(c, lambda _: None, trust_profile="admin")) == code
    )
    assert not {"profile", "GetRole"} & set(world.aws.operations())


# --- credentials --------------------------------------------------------------------------------


def test_the_steps_credentials(world: World) -> None:
    """The document of a credential process, version 1, of the role's session."""
    key, token = step_secrets(2)
    assert printed(world, CHAIN) == {
        "Version": 1,
        "AccessKeyId": step_key_id(2),
        "SecretAccessKey": key,
        "SessionToken": token,
        "Expiration": "2026-03-01T10:30:00Z",
        "AccountId": "111111111111",
    }


def test_the_launchers_credentials(world: World) -> None:
    """No role is assumed for them; long-lived keys have no token and no end."""
    assert printed(world, HEAD + SCRIPT, of_launcher=True) == {
        "Version": 1,
        "AccessKeyId": LAUNCHER_KEY_ID,
        "SecretAccessKey": LAUNCHER_SECRET,
    }
    assert world.aws.operations() == []


@pytest.mark.parametrize("of_launcher", [False, True], ids=["step", "launcher"])
def test_no_credentials_to_print(of_launcher: bool, world: World) -> None:
    """`account: none` is a failure here: an SDK asks for credentials."""
    out: list[bytes] = []
    code = go(world, NONE, lambda c: credentials(c, out.append, of_launcher=of_launcher))
    assert (code, out) == (77, [])
    assert "account: none" in world.reporter.failure.message


@pytest.mark.parametrize("of_launcher", [False, True], ids=["step", "launcher"])
def test_printed_secrets_go_nowhere_else(of_launcher: bool, world: World) -> None:
    """The reporter, the audit log and every file are without them."""
    world.environ["AWS_SESSION_TOKEN"] = LAUNCHER_TOKEN
    out: list[bytes] = []
    way = lambda c: credentials(c, out.append, of_launcher=of_launcher)  # noqa: E731
    assert go(world, HEAD + SCRIPT, way, audit_log=world.folder / "audit.log") == 0
    printed = json.loads(out[0])
    everything = world.everything()
    assert printed["AccessKeyId"] in everything
    for name in ("SecretAccessKey", "SessionToken"):
        assert printed[name] not in everything


def test_a_launcher_that_is_not_there_is_noted(world: World) -> None:
    """A refusal is in the audit log, too."""
    world.environ.pop("AWS_SECRET_ACCESS_KEY")
    log = world.folder / "audit.log"
    way = lambda c: credentials(c, lambda _: None, of_launcher=True)  # noqa: E731
    assert go(world, HEAD + SCRIPT, way, audit_log=log) == 77
    assert json.loads(log.read_text())["event"] == "refused"


# --- console ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        pytest.param({}, ("/console/home?region=eu-west-1", None, None), id="home page"),
        pytest.param({"destination": "s3"}, ("/s3/home?region=eu-west-1", None, None), id="name"),
        pytest.param(
            {"destination": "https://console.aws.amazon.com/x"},
            ("https://console.aws.amazon.com/x", None, None),
            id="url",
        ),
        pytest.param(
            {"duration": 3600}, ("/console/home?region=eu-west-1", None, 3600), id="duration"
        ),
    ],
)  # fmt: skip
def test_signing_in(options: dict[str, Any], asked: tuple[Any, ...], world: World) -> None:
    """The step's own session signs in; the URL goes to the caller and nowhere else."""
    code, given = urls(world, HEAD + SCRIPT, **options)
    assert code == 0
    assert reveal_url(given[0]) == f"{world.aws.sign_in}\n".encode()
    (call,) = [call for call in world.aws.calls if call.operation == "GetSigninToken"]
    assert (call.caller, call.asked) == (step_key_id(1), asked)
    assert "fake-sign-in-token" not in world.everything()
    assert world.reporter.warnings == []


@pytest.mark.parametrize(("duration", "warned"), [(3600, True), (None, False)])
def test_a_duration_for_chained_roles(duration: int | None, warned: bool, world: World) -> None:
    """AWS does not take one, which is said to who asks for one."""
    code, given = urls(world, CHAIN, duration=duration)
    assert (code, len(given)) == (0, 1)
    assert any("chained" in warning for warning in world.reporter.warnings) is warned


@pytest.mark.parametrize(
    ("manifest", "code", "hint"),
    [
        pytest.param(NO_ROLE, 77, "assume_role", id="keys of a user"),
        pytest.param(NONE, 77, "assume_role", id="account none"),
        pytest.param(f"name: deploy\n{SCRIPT}", 65, "AWS_REGION", id="no region"),
    ],
)
def test_who_cannot_sign_in(manifest: str, code: int, hint: str, world: World) -> None:
    """It is refused before AWS is asked, with what to do."""
    if code == 65:
        world.environ["AWS_SESSION_TOKEN"] = LAUNCHER_TOKEN
    assert urls(world, manifest) == (code, [])
    assert "GetSigninToken" not in world.aws.operations()
    failure = world.reporter.failure
    assert hint in (failure.hint or failure.problems[0].hint or "")


def test_a_refused_sign_in(world: World) -> None:
    """AWS's own words are told; the code is that of a call that failed."""
    world.aws.sign_in = refusal("SignInRefused", service="signin", operation="GetSigninToken")
    assert urls(world, HEAD + SCRIPT) == (1, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("s3", True), ("systems-manager", True), ("https://x", False), ("", False), ("S3", False)],
)
def test_names_of_services(text: str, expected: bool) -> None:
    """A service is a plain word, so that it cannot become another host or page."""
    assert is_service(text) is expected


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        pytest.param("accounts: ['111111111111']\n", 77, id="its roles are chosen"),
        pytest.param("regions: [eu-west-1]\n", 0, id="no word on roles"),
        pytest.param("accounts: ['111111111111']\nallow_launcher_as_role: true\n", 0, id="allowed"),
    ],
)
def test_the_launcher_is_handed_out_as_the_policy_says(
    policy: str, code: int, world: World
) -> None:
    """Under a policy by which no step is the launcher nobody gets its credentials."""
    path = world.write(policy, "policy.yaml")
    printed: list[bytes] = []

    def way(corridor: Corridor) -> None:
        credentials(corridor, printed.append, of_launcher=True)

    assert go(world, HEAD + SCRIPT, way, policy=path) == code
    assert bool(printed) is (code == 0)
