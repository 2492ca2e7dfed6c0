"""What `explain` foresees is what a run does, and it does nothing of it."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from calamari_py.output.explanation import Check, Explanation
from calamari_py.runner import Corridor, Doors, RunOptions, visit
from calamari_py.runner.explain import explain
from calamari_py.runner.explain.reach import takes_connections
from tests.fakes import LAUNCHER_ARN, refusal
from tests.runner.world import DEV, HEAD, HUB, SCRIPT, World

SECRET = "s3cr3t-canary-0123456789"
TOKEN = "session-token-canary-0123456789"
ROLE = "arn:aws:iam::123456789012:role/OctoLauncherRole"
CHAIN = (
    "name: deploy\nregion: eu-west-1\n"
    f"assume_role: [{HUB}, {{role_arn: '{DEV}', duration: 2h}}]\n{SCRIPT}"
)


@dataclass
class Explained:
    """One visit: what was explained, None when it came to no explanation, and the exit code."""

    code: int = 0
    all: list[Explanation] = field(default_factory=list)

    @property
    def it(self) -> Explanation:
        (one,) = self.all
        return one

    def check(self, name: str) -> Check:
        (one,) = [check for check in self.it.checks if check.name == name]
        return one


Explain = Callable[..., Explained]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def look(world: World) -> Explain:
    """Explains a manifest text in `world`; `answering` are the addresses that take connections."""

    def call(
        manifest: str, *, online: bool = False, answering: tuple[str, ...] = (), **options: Any
    ) -> Explained:
        world.write(manifest)
        explained = Explained()

        def way(corridor: Corridor) -> None:
            with corridor.opened():
                explained.all.append(
                    explain(corridor, online=online, answers=lambda address: address in answering)
                )

        explained.code = visit(
            RunOptions(
                manifest="step.yaml",
                cwd=world.folder,
                environ=world.environ,
                stdin=io.BytesIO(),
                **options,
            ),
            world.reporter,
            Doors(make_aws=world.aws.door, run=world.child, now=world.clock, install_signals=False),
            way,
        )
        return explained

    return call


def test_nothing_happens(world: World, look: Explain) -> None:
    """No call, no process, no private folder."""
    assert look(HEAD + SCRIPT).it.exit_code == 0
    assert world.aws.calls == []
    assert world.child.started == []
    assert list(world.private.iterdir()) == []


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(HEAD + SCRIPT, id="env"),
        pytest.param(HEAD + "credentials: {delivery: endpoint}\n" + SCRIPT, id="endpoint"),
        pytest.param(HEAD + "credentials: {delivery: profile}\n" + SCRIPT, id="profile"),
        pytest.param(CHAIN, id="chain"),
        pytest.param(HEAD + "env: {HOME: /other, STAGE: dev}\n" + SCRIPT, id="env section"),
        pytest.param(HEAD + "inherit_env: [AGENT_*]\n" + SCRIPT, id="narrowed"),
        pytest.param("name: x\naccount: none\n" + SCRIPT, id="no account"),
    ],
)
def test_what_is_foreseen_is_what_the_child_gets(
    manifest: str, world: World, look: Explain
) -> None:
    """The three lists hold the names of the child's environment, all of them and no other."""
    world.environ |= {"AGENT_NAME": "a", "OTHER": "b", "AWS_REGION": "eu-west-1", "AWS_PROFILE": ""}
    names = look(manifest).it.names
    assert world.run(manifest).exit_code == 0, world.reporter.text
    assert {*names.added, *names.passed} == set(world.child.environments[0])
    assert not set(names.added) & set(names.passed)
    assert set(names.removed) == set(world.environ) - set(world.child.environments[0])


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(HEAD + SCRIPT, id="one role"),
        pytest.param(CHAIN, id="chain"),
        pytest.param(HEAD.replace(DEV, f"{{role_arn: {DEV}, session_name: me}}") + SCRIPT,
                     id="session name"),
    ],
)  # fmt: skip
def test_the_identity_is_the_one_a_run_gets(manifest: str, world: World, look: Explain) -> None:
    """ARN, account, region and lifetime are known before any call, and the same online."""
    offline = look(manifest).it
    online = look(manifest, online=True).it
    result = world.run(manifest)
    assert (offline.found, online.found) == (False, True)
    assert offline.identity == online.identity
    assert offline.hops == online.hops
    assert offline.identity.arn == result.identity.arn
    assert offline.identity.account == "111111111111"
    assert offline.identity.seconds == 3600


def test_online_the_launcher_is_asked_who_it_is(world: World, look: Explain) -> None:
    """What was found replaces what was foreseen."""
    offline, online = look(HEAD + SCRIPT).it, look(HEAD + SCRIPT, online=True).it
    assert (offline.launcher.source, offline.launcher.arn) == ("environment", None)
    assert (online.launcher.source, online.launcher.arn) == ("environment", LAUNCHER_ARN)
    assert [row.result for row in online.launcher.sources if row.used] == ["found"]
    assert world.child.started == []


def test_a_refusal_is_a_check(world: World, look: Explain) -> None:
    """An identity that is refused fails with the code of a run; the page is there all the same."""
    world.aws.refuse[DEV] = refusal()
    explained = look(HEAD + SCRIPT, online=True)
    assert explained.code == 0
    assert explained.it.exit_code == world.run(HEAD + SCRIPT).exit_code == 77
    assert DEV in explained.check("identity").evidence
    assert explained.check("identity").hint
    assert not explained.it.found
    assert explained.it.verdict.startswith("the step would not start: 1 check failed")


def test_a_region_that_nobody_knows(look: Explain) -> None:
    """Online, too, it is the problem that is told, not that there is one."""
    explained = look(f"name: x\nassume_role: {DEV}\n{SCRIPT}", online=True)
    assert explained.it.exit_code == 65
    assert explained.check("identity").evidence.startswith("region is not known")
    assert "AWS_REGION" in (explained.check("identity").hint or "")


ROLE_OF = """\
  - role_arn: {arn}
    duration: 2h
    external_id: external-canary
    policy: preset:read-only
    tags: {{Project: payments}}
    transitive_tags: [Project]
    source_identity: release-1
"""


def test_a_hop_says_all_but_the_external_id(world: World, look: Explain) -> None:
    """Duration, policies, tags; of the external id only that there is one."""
    text = (
        f"name: x\nproject: p\nregion: eu-west-1\nassume_role:\n{ROLE_OF.format(arn=DEV)}{SCRIPT}"
    )
    explained = look(text).it
    (hop,) = explained.hops
    assert (hop.duration, hop.clamped, hop.external_id, hop.policy) == (7200, False, True, False)
    assert hop.policy_arns == ("arn:aws:iam::aws:policy/ReadOnlyAccess",)
    assert (dict(hop.tags), hop.transitive_tags) == ({"Project": "payments"}, ("Project",))
    assert hop.source_identity == "release-1"
    assert "calamari:project" in hop.default_tags
    assert "external-canary" not in json.dumps(explained.to_document())


@pytest.mark.parametrize(
    ("environ", "clamped"),
    [
        pytest.param({}, False, id="long-lived keys"),
        pytest.param({"AWS_SESSION_TOKEN": TOKEN}, True, id="session"),
    ],
)
def test_a_chained_hop_is_clamped(
    environ: dict[str, str], clamped: bool, world: World, look: Explain
) -> None:
    """Whether the launcher is a session shows in its variables."""
    world.environ |= environ
    text = f"name: x\nregion: eu-west-1\nassume_role:\n{ROLE_OF.format(arn=DEV)}{SCRIPT}"
    explained = look(text).it
    (hop,) = explained.hops
    assert hop.clamped is clamped
    assert hop.duration == explained.identity.seconds == (3600 if clamped else 7200)
    assert TOKEN not in json.dumps(explained.to_document())


OIDC = f"account: {{type: oidc, role_arn: '{ROLE}', token_from: {{from_env: ID_TOKEN}}}}\n"


@pytest.mark.parametrize(
    ("account", "ignored"),
    [
        pytest.param("", ("AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"), id="environment wins"),
        pytest.param(
            OIDC,
            ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE",
             "AWS_WEB_IDENTITY_TOKEN_FILE"),
            id="oidc",
        ),
        pytest.param(
            "account: {type: profile, profile: mine}\n",
            ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE",
             "AWS_WEB_IDENTITY_TOKEN_FILE"),
            id="named profile",
        ),
        pytest.param(
            "account: {type: profile}\n",
            ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE"),
            id="profile of the environment",
        ),
    ],
)  # fmt: skip
def test_ambient_selectors_that_do_not_count(
    account: str, ignored: tuple[str, ...], world: World, look: Explain
) -> None:
    """The manifest wins; what would select another identity elsewhere is named."""
    world.environ |= {
        "AWS_PROFILE": "x", "AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "ID_TOKEN": "a.b.c-long-token",
    }  # fmt: skip
    assert look(HEAD + account + SCRIPT).it.launcher.ignored == ignored


def test_a_token_leads_to_a_known_role(world: World, look: Explain) -> None:
    """Whoever STS exchanges a token for is known before; a step without a role runs as it."""
    world.environ["ID_TOKEN"] = TOKEN
    explained = look(f"name: step\nregion: eu-west-1\n{OIDC}{SCRIPT}")
    arn = "arn:aws:sts::123456789012:assumed-role/OctoLauncherRole/step"
    assert explained.it.launcher.arn == explained.it.identity.arn == arn
    assert explained.check("role").state == "warn"
    assert TOKEN not in json.dumps(explained.it.to_document())


EXPECT = "expect: {account: '%s', role: %s, region: eu-west-1}\n"


@pytest.mark.parametrize(
    ("manifest", "state", "code", "evidence"),
    [
        pytest.param(HEAD + EXPECT % ("1" * 12, "DevDeployRole"), "ok", 0, "ARN says so", id="met"),
        pytest.param(HEAD + EXPECT % ("2" * 12, "DevDeployRole"), "fail", 77,
                     "account is 111111111111, expected 222222222222", id="account"),
        pytest.param(HEAD + EXPECT % ("1" * 12, "Other"), "fail", 77, "expected Other", id="role"),
        pytest.param("name: x\nregion: eu-west-1\n" + EXPECT % ("1" * 12, "Other"), "warn", 0,
                     "only a call tells", id="no role"),
    ],
)  # fmt: skip
def test_expect_is_held_against_the_role(
    manifest: str, state: str, code: int, evidence: str, look: Explain
) -> None:
    """A manifest that contradicts itself is found without a call."""
    explained = look(manifest + SCRIPT)
    assert explained.check("expect").state == state
    assert evidence in explained.check("expect").evidence
    assert explained.it.exit_code == code


@pytest.mark.parametrize(
    ("more", "state"),
    [
        pytest.param("timeout: 30m\n", "ok", id="fits"),
        pytest.param("timeout: 2h\n", "warn", id="longer"),
        pytest.param("timeout: 2h\ncredentials: {delivery: endpoint}\n", "ok", id="renewed"),
        pytest.param("", None, id="no timeout"),
    ],
)
def test_credentials_beside_the_timeout(more: str, state: str | None, look: Explain) -> None:
    """A step that may outlive its credentials is warned of."""
    checks = look(HEAD + more + SCRIPT).it.checks
    assert [check.state for check in checks if check.name == "lifetime"] == ([state] * bool(state))


@pytest.mark.parametrize(
    ("more", "state"),
    [
        pytest.param("", "warn", id="all"),
        pytest.param("inherit_env: [NPM_TOKEN]\n", None, id="asked for"),
        pytest.param("inherit_env: false\n", None, id="none"),
        pytest.param("variables: {T: {from_env: NPM_TOKEN, sensitive: true}}\n", "ok", id="taken"),
    ],
)
def test_names_like_secrets_that_pass_on(
    more: str, state: str | None, world: World, look: Explain
) -> None:
    """By name only; what the manifest lists itself is meant."""
    world.environ["NPM_TOKEN"] = SECRET
    explained = look(HEAD + more + SCRIPT)
    checks = [check for check in explained.it.checks if check.name == "inherited"]
    assert [check.state for check in checks] == [state] * bool(state)
    assert [check for check in checks if "NPM_TOKEN" in check.evidence] == (
        checks if state == "warn" else []
    )
    assert SECRET not in json.dumps(explained.it.to_document())


def test_files_that_lead_to_the_launcher(world: World, look: Explain) -> None:
    """Readable ones are named, and hidden by `--isolate`."""
    assert look(HEAD + SCRIPT).check("files").state == "ok"
    folder = world.folder / ".aws"
    folder.mkdir()
    open_, hidden = look(HEAD + SCRIPT), look(HEAD + SCRIPT, isolate=True)
    assert (open_.check("files").state, hidden.check("files").state) == ("warn", "ok")
    assert str(folder) in open_.check("files").evidence
    assert "--isolate" in (open_.check("files").hint or "")
    assert hidden.it.bounds.isolated


@pytest.mark.parametrize(
    ("online", "answering", "state", "evidence"),
    [
        pytest.param(False, ("169.254.169.254",), "warn", "not tried", id="offline"),
        pytest.param(True, (), "ok", "nothing takes a connection", id="silent"),
        pytest.param(True, ("169.254.170.2",), "warn", "ECS agent (169.254.170.2)", id="one"),
    ],
)
def test_metadata_addresses(
    online: bool, answering: tuple[str, ...], state: str, evidence: str, look: Explain
) -> None:
    """Whether the step could ask them; nobody connects without `--online`."""
    check = look(HEAD + SCRIPT, online=online, answering=answering).check("metadata")
    assert check.state == state
    assert evidence in check.evidence


def test_a_connection_is_tried() -> None:
    """Something that listens takes it, and gets nothing; what is closed does not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert takes_connections("127.0.0.1", port)
        taken, _ = server.accept()
        with taken:
            assert taken.recv(1) == b""
    assert not takes_connections("127.0.0.1", port)


@pytest.mark.parametrize(("uid", "state"), [(0, "warn"), (1000, "ok")])
def test_root(uid: int, state: str, look: Explain, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against root nothing is promised, and that is said."""
    monkeypatch.setattr("os.geteuid", lambda: uid)
    assert look(HEAD + SCRIPT).check("user").state == state


@pytest.mark.parametrize(
    ("manifest", "environ", "check", "code"),
    [
        pytest.param(HEAD + "script: {run: x, shell: [nothere, '{file}']}\n", {}, "tools", 127,
                     id="program"),
        pytest.param(HEAD + "account: {source: web-identity}\n" + SCRIPT, {}, "launcher", 77,
                     id="launcher"),
        pytest.param(HEAD + SCRIPT, {"AWS_SECRET_ACCESS_KEY": ""}, "launcher", 77, id="half pair"),
        pytest.param(HEAD + "account: {source: web-identity}\n" + SCRIPT,
                     {"AWS_WEB_IDENTITY_TOKEN_FILE": "/none", "AWS_ROLE_ARN": ROLE}, "launcher", 77,
                     id="token file"),
        pytest.param(HEAD + f"account: {{type: oidc, role_arn: '{ROLE}', token_file: none}}\n"
                     + SCRIPT, {}, "launcher", 77, id="manifest's token file"),
        pytest.param(f"name: x\nassume_role: {DEV}\n" + SCRIPT,
                     {"AWS_EC2_METADATA_DISABLED": "true"}, "region", 65, id="region"),
    ],
)  # fmt: skip
def test_what_keeps_a_step_from_starting(
    manifest: str, environ: dict[str, str], check: str, code: int, world: World, look: Explain
) -> None:
    """A failed check has the exit code of the run that it foresees."""
    world.environ |= environ
    explained = look(manifest)
    assert explained.check(check).state == "fail"
    assert explained.check(check).hint
    assert explained.it.exit_code == code == world.run(manifest).exit_code


def test_a_broken_source_that_may_be_passed_over(world: World, look: Explain) -> None:
    """`account.fallback` makes a warning of it."""
    world.environ["AWS_SECRET_ACCESS_KEY"] = ""
    explained = look(HEAD + "account: {fallback: true}\n" + SCRIPT)
    assert explained.check("launcher").state == "warn"
    assert explained.it.exit_code == 0


@pytest.mark.parametrize(
    ("manifest", "code"),
    [
        pytest.param("name: x\nnonsense: 1\n" + SCRIPT, 65, id="invalid"),
        pytest.param(HEAD + "script: {file: none.sh}\n", 66, id="missing file"),
    ],
)
def test_an_invalid_manifest_is_told_as_by_a_run(
    manifest: str, code: int, world: World, look: Explain
) -> None:
    """With its problems, and no explanation."""
    explained = look(manifest)
    assert (explained.code, explained.all) == (code, [])
    assert world.reporter.failure.problems


def test_the_operators_policy(world: World, look: Explain) -> None:
    """What it allows is a check; what it refuses is told as by a run."""
    (world.folder / "good.yaml").write_text("accounts: ['111111111111']\n")
    (world.folder / "bad.yaml").write_text("accounts: ['222222222222']\n")
    good = look(HEAD + SCRIPT, policy=world.folder / "good.yaml")
    assert "good.yaml" in good.check("policy").evidence
    bad = look(HEAD + SCRIPT, policy=world.folder / "bad.yaml")
    assert (bad.code, bad.all) == (77, [])


def test_variables_and_masks_by_name(world: World, look: Explain) -> None:
    """Each with what is true of it, and never its value."""
    world.environ["API_TOKEN"] = SECRET
    explained = look(
        HEAD + "variables:\n"
        "  Plain: plain-canary\n"
        "  Token: {from_env: API_TOKEN, sensitive: true}\n"
        "  Known: {value: known-canary-x, sensitive: true, mask: false, reason: public}\n"
        "  Late: {from_ssm: /app/x}\n"
        "  Secret: {from_secretsmanager: app/db}\n"
        "  Arn: external-canary\n"
        "env: {LATE: '{{ Late }}'}\n"
        "script: {run: x, args: ['{{ Late }}', '{{ Plain }}']}\n"
    ).it
    said = {v.name: (v.sensitive, v.masked, v.withheld, v.late) for v in explained.variables}
    assert said == {
        "Plain": (False, False, False, None),
        "Token": (True, True, False, None),
        "Known": (True, False, False, None),
        "Late": (False, False, False, "from_ssm"),
        "Secret": (True, True, False, "from_secretsmanager"),
        "Arn": (False, False, False, None),
    }
    assert {mask.name for mask in explained.masks} == {"Token"}
    assert "base64" in explained.masks[0].forms
    assert explained.commands[0].argv[-2:] == ("(not fetched yet)", "plain-canary")
    text = json.dumps(explained.to_document())
    for canary in (SECRET, "known-canary-x", world.environ["AWS_SECRET_ACCESS_KEY"]):
        assert canary not in text


def test_withheld_variables(look: Explain) -> None:
    """What only the launcher needs is marked: the step does not get it."""
    explained = look(
        f"name: x\nregion: eu-west-1\nvariables: {{Role: '{DEV}'}}\n"
        f"assume_role: '{{{{ Role }}}}'\n{SCRIPT}"
    ).it
    assert [v.withheld for v in explained.variables] == [True]


def test_a_secret_does_not_stand_in_any_text(look: Explain) -> None:
    """Whatever text a secret turns up in is masked; calamari's own words are not."""
    explained = look(
        HEAD + "variables:\n  S: {value: DevDeployRole, sensitive: true}\n"
        "  W: {value: warn, sensitive: true}\n  E: {value: environment, sensitive: true}\n" + SCRIPT
    ).it
    assert explained.hops[0].role_arn == "arn:aws:iam::111111111111:role/***"
    assert "DevDeployRole" not in json.dumps(explained.to_document())
    assert {check.state for check in explained.checks} == {"ok", "warn"}
    assert explained.launcher.source == "environment"


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        pytest.param({}, ("https://sts.eu-west-1.amazonaws.com", None, None), id="rules"),
        pytest.param({"AWS_USE_FIPS_ENDPOINT": "true"},
                     ("https://sts-fips.eu-west-1.amazonaws.com", None, None), id="fips"),
        pytest.param({"AWS_ENDPOINT_URL_STS": "https://vpce.example"},
                     ("https://vpce.example", "AWS_ENDPOINT_URL_STS", None), id="set for sts"),
        pytest.param({"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "HTTPS_PROXY": "http://u:pw@p:1"},
                     ("http://127.0.0.1:1", "AWS_ENDPOINT_URL", None), id="set, no proxy"),
        pytest.param({"HTTPS_PROXY": "http://u:pw@p:1"},
                     ("https://sts.eu-west-1.amazonaws.com", None, "HTTPS_PROXY"), id="proxy"),
    ],
)  # fmt: skip
def test_where_sts_is_asked(
    environ: dict[str, str], endpoint: tuple[Any, ...], world: World, look: Explain
) -> None:
    """The URL, who set it, and the proxy by its variable's name."""
    world.environ |= environ
    sts = look(HEAD + SCRIPT).it.sts
    assert sts is not None
    assert (sts.url, sts.set_by, sts.proxy) == endpoint


def test_the_command_and_finally(world: World, look: Explain) -> None:
    """What is started: program, folder, limits."""
    explained = look(HEAD + SCRIPT + "timeout: 5m\ngrace: 7s\nfinally: {run: x, timeout: 1m}\n").it
    (command,), (last,) = explained.commands, explained.finally_commands
    assert command.argv[0] == last.argv[0] == str(world.folder / "bin/bash")
    assert command.argv[-1] == "{private}/script.sh"
    assert command.directory == str(world.folder)
    bounds = explained.bounds
    assert (bounds.timeout, bounds.grace, bounds.attempts) == (300, 7, 1)
    assert bounds.finally_timeout == 60


def test_what_the_manifest_allows_its_output(look: Explain) -> None:
    """Commands in the output, no masking, a limit, another attempt: all of it is shown."""
    explained = look(
        HEAD + SCRIPT + "service_messages: true\nallow_no_mask: true\noutput_limit: 5000\n"
        "retry: {attempts: 3, on_exit_codes: [75, 7]}\n"
    )
    assert (explained.it.service_messages, explained.it.allow_no_mask) == (True, True)
    bounds = explained.it.bounds
    assert (bounds.attempts, bounds.retry_codes, bounds.retry_delay) == (3, (75, 7), 10.0)
    assert bounds.output_limit == 5000
    assert explained.check("output").state == "warn"


def test_no_account(look: Explain) -> None:
    """A step without credentials says so, and asks nobody."""
    explained = look("name: x\naccount: none\n" + SCRIPT)
    assert explained.it.identity.delivery is None
    assert (explained.it.sts, explained.it.hops) == (None, ())
    assert "account: none" in explained.check("launcher").evidence
