"""What comes before what: nothing is asked for an invalid step, nothing runs unguarded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calamari_py.result import Outcome
from tests.fakes import LAUNCHER_SECRET, prints, refusal, throttled
from tests.runner.world import DEV, HEAD, HUB, SCRIPT, World

CHAIN = f"name: deploy\nregion: eu-west-1\nassume_role: [{HUB}, {DEV}]\n"
NO_ROLE = "name: deploy\nregion: eu-west-1\n"


def test_the_corridor_in_order(world: World) -> None:
    """Manifest, header, role, guard, child, result: in this order."""
    world.run(HEAD + SCRIPT, prints(b"hi\n"))
    asked = [entry for entry in world.journal if entry not in {"note", "warning"}]
    assert asked == ["started", "AssumeRole", "identity", "run", "output", "finished"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("nme: x\nscript: hi\n", 65, id="unknown key"),
        pytest.param(HEAD, 65, id="no kind"),
        pytest.param(HEAD + SCRIPT + "env: {X: '{{ Nobody }}'}\n", 65, id="undefined name"),
        pytest.param(HEAD + "script: {file: none.sh}\n", 66, id="missing script"),
        pytest.param(HEAD + "script: {run: x, shell: [nothere, '{file}']}\n", 127, id="no shell"),
        pytest.param(HEAD + SCRIPT + "env: {AWS_PROFILE: me}\n", 65, id="owned name"),
        pytest.param(HEAD + SCRIPT + "env: {CALAMARI_TEMP: x}\n", 65, id="own name"),
        pytest.param(
            f"name: n\nassume_role: {{role_arn: '{DEV}', external_id: 'a b'}}\n{SCRIPT}",
            65,
            id="external id",
        ),
        pytest.param(HEAD + SCRIPT + "finally: {file: none.sh}\n", 66, id="missing finally"),
    ],
)
def test_nothing_is_asked_for_an_invalid_step(text: str, code: int, world: World) -> None:
    """No call and no child before everything that can be known is known to be right."""
    result = world.run(text, result=world.folder / "result.json")
    assert (result.exit_code, result.outcome) == (code, Outcome.NOT_STARTED)
    assert world.journal == ["failed", "finished"]
    assert world.document()["exit_code"] == code
    assert world.document()["problems"]


def test_a_missing_manifest(world: World) -> None:
    """A manifest that is not there is 66, and the result is written all the same."""
    assert world.run(None, result=world.folder / "result.json").exit_code == 66
    assert world.document()["outcome"] == "not_started"


def test_secrets_are_known_before_the_first_line(world: World) -> None:
    """Even the first event is masked: names and metadata may hold what a variable marks."""
    world.run(
        "name: deploy-s3cr3t-value\nregion: eu-west-1\nproject: s3cr3t-value\n"
        f"assume_role: {{role_arn: '{DEV}', session_name: plain}}\n{SCRIPT}"
        "variables: {T: {value: s3cr3t-value, sensitive: true}}\n"
    )
    (header,) = world.reporter.told("started")
    assert (header.step, header.project) == ("deploy-***", "***")
    assert "s3cr3t-value" not in world.reporter.text


WRONG = [
    pytest.param("account: '999999999999'", "account is", id="account"),
    pytest.param("role: OtherRole", "role is", id="role"),
    pytest.param("region: us-east-1", "region is eu-west-1", id="region"),
    pytest.param("partition: aws-cn", "partition is aws,", id="partition"),
]


@pytest.mark.parametrize("head", [HEAD, CHAIN, NO_ROLE], ids=["one role", "chain", "no role"])
@pytest.mark.parametrize(("expect", "message"), WRONG)
def test_the_guard_is_before_the_child(expect: str, message: str, head: str, world: World) -> None:
    """An identity that is not the expected one starts nothing, on every path."""
    result = world.run(f"{head}expect: {{{expect}}}\n{SCRIPT}")
    assert (result.exit_code, result.outcome) == (77, Outcome.NOT_STARTED)
    assert world.child.commands == []
    assert message in world.reporter.failure.message
    assert world.reporter.failure.hint
    assert "identity" not in world.journal


def test_the_guard_believes_sts_not_the_manifest(world: World) -> None:
    """What counts is the ARN that STS returned, whatever was asked for."""
    world.aws.arn_instead[DEV] = "arn:aws:sts::333333333333:assumed-role/DevDeployRole/x"
    result = world.run(f"{HEAD}expect: {{account: '111111111111'}}\n{SCRIPT}")
    assert result.exit_code == 77
    assert world.child.commands == []


def test_a_met_expectation_runs(world: World) -> None:
    """A guard that is met lets the step run, and the header says that it was checked."""
    result = world.run(
        f"{HEAD}expect: {{account: '111111111111', role: DevDeployRole, region: eu-west-1, "
        f"partition: aws}}\n{SCRIPT}"
    )
    assert result.exit_code == 0
    assert world.reporter.told("identity")[0].expected


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken", "InvalidClientTokenId"])
def test_a_refused_role_has_no_fallback(code: str, world: World) -> None:
    """A role that cannot be assumed never falls back to the launcher."""
    world.aws.refuse[DEV] = refusal(code)
    result = world.run(HEAD + SCRIPT)
    assert (result.exit_code, result.outcome) == (77, Outcome.NOT_STARTED)
    assert world.child.commands == []
    assert world.aws.operations() == ["AssumeRole", "GetCallerIdentity"]
    failure = world.reporter.failure
    assert f"cannot assume role '{DEV}'" in failure.message
    assert code in failure.message
    assert failure.hint
    assert [row.source for row in failure.trace if row.used] == ["environment"]


def test_a_refused_second_hop_names_the_first(world: World) -> None:
    """In a chain the caller that was refused is the role before, not the launcher."""
    world.aws.refuse[DEV] = refusal()
    result = world.run(CHAIN + SCRIPT)
    assert result.exit_code == 77
    assert world.child.commands == []
    assert "as 'arn:aws:sts::222222222222:assumed-role/HubRole/deploy'" in (
        world.reporter.failure.message
    )


def test_throttling_is_temporary(world: World) -> None:
    """STS out of reach is 75: safe to run again."""
    world.aws.refuse[DEV] = throttled()
    result = world.run(HEAD + SCRIPT)
    assert (result.exit_code, result.outcome) == (75, Outcome.NOT_STARTED)
    assert world.child.commands == []


def test_no_launcher(world: World, tmp_path: Path) -> None:
    """A pinned source that is absent is an identity failure with its trace."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del world.environ[name]
    result = world.run(f"{HEAD}account: {{source: environment}}\n{SCRIPT}")
    assert result.exit_code == 77
    assert world.journal == ["started", "failed", "finished"]
    rows = {row.source: row.result for row in world.reporter.failure.trace}
    assert rows["environment"] == "absent"
    assert rows["imds"] == "not tried"


def test_no_role_is_said_before_the_child(world: World) -> None:
    """Without assume_role the launcher itself runs the step, and a warning says so first."""
    result = world.run(NO_ROLE + SCRIPT)
    assert result.exit_code == 0
    assert any(
        "no assume_role: the step runs as the launcher" in w for w in world.reporter.warnings
    )
    assert world.journal.index("warning") < world.journal.index("run")
    assert world.child.environments[0]["AWS_SECRET_ACCESS_KEY"] == LAUNCHER_SECRET


def test_account_none(world: World) -> None:
    """Account type none: nothing is asked, nothing is given, not even a stray key."""
    result = world.run("name: local\naccount: none\n" + SCRIPT)
    assert result.exit_code == 0
    assert world.aws.calls == []
    given = {name for name in world.child.environments[0] if name.startswith("AWS_")}
    assert given == {
        "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"
    }  # fmt: skip
    assert result.identity.arn is None
    assert world.reporter.told("identity")[0].launcher is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(HEAD + "account: none\n", id="role"),
        pytest.param("name: x\naccount: none\nexpect: {region: eu-west-1}\n", id="expect"),
        pytest.param(
            "name: x\naccount: none\nvariables: {V: {from_ssm: /a}}\nenv: {V: '{{ V }}'}\n",
            id="late",
        ),
    ],
)
def test_account_none_is_not_combined_with_aws(text: str, world: World) -> None:
    """Nothing that needs a launcher stands beside account type none."""
    assert world.run(text + SCRIPT).exit_code == 65
    assert world.child.commands == []


def test_the_trace_is_shown_to_those_who_ask(world: World) -> None:
    """`--trace-credentials` shows every source of a run that succeeds, too."""
    world.run(HEAD + SCRIPT, trace_credentials=True)
    (rows,) = world.reporter.told("trace")
    assert [row.source for row in rows if row.used] == ["environment"]
    assert len(rows) == 5
    assert LAUNCHER_SECRET not in world.reporter.text


@pytest.mark.parametrize("option", ["result", "outputs", "artifacts"])
def test_broken_targets_are_refused_first(option: str, world: World) -> None:
    """A result, outputs file or artifacts folder that cannot be written stops the run at once."""
    (world.folder / "file").write_text("")
    options: dict[str, Any] = {option: world.folder / "file" / "below"}
    result = world.run(HEAD + SCRIPT, **options)
    assert (result.exit_code, result.outcome) == (2, Outcome.NOT_STARTED)
    assert f"'{world.folder / 'file'}" in world.reporter.failure.message
    assert "started" not in world.journal
    assert world.child.commands == []
