"""Programs that print a token: the manifest's own command, and Buildkite's agent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from calamari_py.credentials._programs import TIMEOUT
from calamari_py.credentials.issuers.buildkite import Buildkite
from calamari_py.credentials.issuers.command import Command
from calamari_py.errors import CalamariError, CommandNotFound, SourceBroken
from calamari_py.masking import SecretRegistry
from tests.credentials.fakes import texts_of
from tests.credentials.issuers.support import BEARER, TOKEN, FakeCapture, request
from tests.tools import require_tool

SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIALAUNCHERLAUNCHER",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_SESSION_TOKEN": "x",
    "AWS_PROFILE": "x",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "x",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "x",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x",
    "SYSTEM_ACCESSTOKEN": "x",
    "CIRCLE_OIDC_TOKEN": "x",
    "CI_JOB_JWT_V2": "x",
}
AGENT = {"BUILDKITE_AGENT_ACCESS_TOKEN": BEARER, "BUILDKITE_JOB_ID": "job-1"}


@pytest.fixture
def agent_folder(tmp_path: Path) -> Path:
    """A folder with a program of the agent's name."""
    program = tmp_path / "buildkite-agent"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return tmp_path


def test_a_command() -> None:
    """What it prints is the token, of which the registry hears at once."""
    run, registry = FakeCapture(stdout=f"{TOKEN}\n".encode()), SecretRegistry()
    given = request({"PATH": "/bin", "VAULT_ADDR": "https://v", **SECRETS}, registry=registry)
    minted = Command(argv=("/opt/mint", "--aud", "x"), run=run).mint(given)
    assert minted.token.reveal() == TOKEN
    assert registry.holds_secret(TOKEN)
    ((argv, environment, timeout),) = run.calls
    assert argv == ("/opt/mint", "--aud", "x")
    assert environment["VAULT_ADDR"] == "https://v"
    assert not set(SECRETS) & set(environment)
    assert timeout == TIMEOUT


def test_it_is_run_each_time() -> None:
    """A refresh gets a token of its own."""
    run = FakeCapture(stdout=TOKEN.encode())
    issuer = Command(argv=("/opt/mint",), run=run)
    issuer.mint(request())
    issuer.mint(request())
    assert len(run.calls) == 2


@pytest.mark.parametrize("argv", [(), ("mint",), ("./mint",), ("~/mint",)])
def test_a_path_that_is_not_absolute(argv: tuple[str, ...]) -> None:
    """No PATH decides what is run with the launcher's place in the world."""
    run = FakeCapture(stdout=TOKEN.encode())
    with pytest.raises(SourceBroken, match="absolute path"):
        Command(argv=argv, run=run).mint(request())
    assert run.calls == []


@pytest.mark.parametrize(
    ("run", "why"),
    [
        pytest.param(FakeCapture(stdout=b" \n"), "'/opt/mint' is empty", id="nothing"),
        pytest.param(FakeCapture(code=3), "failed with exit code 3", id="fails"),
        pytest.param(FakeCapture(stdout=TOKEN.encode(), code=1), "exit code 1", id="fails late"),
        pytest.param(FakeCapture(timed_out=True, code=143), "no answer within 20 s", id="hangs"),
        pytest.param(FakeCapture(stdout=f"token: {TOKEN}".encode()), "white space", id="talks"),
        pytest.param(FakeCapture(stdout=b"\xff\xfe" * 20), "non-ASCII", id="binary"),
        pytest.param(FakeCapture(stdout=b"x" * 30_000), "30000 characters", id="huge"),
        pytest.param(FakeCapture(error=CommandNotFound("'/opt/mint' is not there")), "not there",
                     id="missing"),
        pytest.param(FakeCapture(error=CalamariError("wrote more than 9 bytes")), "more than 9",
                     id="floods"),
    ],
)  # fmt: skip
def test_a_command_that_gives_none(run: FakeCapture, why: str) -> None:
    """However it fails, that is a matter of identity, and its output is not shown."""
    registry = SecretRegistry()
    with pytest.raises(SourceBroken, match=why) as caught:
        Command(argv=("/opt/mint",), run=run).mint(request(registry=registry))
    assert caught.value.hint
    assert caught.value.exit_code == 77
    assert TOKEN not in texts_of(caught.value)


def test_complaints_are_shown_masked_and_short() -> None:
    """The end of stderr is evidence: without secrets, what looks like a token, and escapes."""
    registry = SecretRegistry()
    registry.add("hunter2-hunter2", name="password")
    complaint = f"{'x' * 900}\nlogin with hunter2-hunter2 failed\x1b[31m for {TOKEN}\n"
    run = FakeCapture(stderr=complaint.encode(), code=1, stdout=b"half-a-token-half")
    with pytest.raises(SourceBroken) as caught:
        Command(argv=("/opt/mint",), run=run).mint(request(registry=registry))
    (line,) = caught.value.evidence
    assert line.endswith("login with *** failed [31m for ***")
    assert len(line) < 330
    assert registry.holds_secret("half-a-token-half")


def test_buildkite(agent_folder: Path) -> None:
    """The agent on the PATH is asked, with the audience and what it needs of its environment."""
    run, registry = FakeCapture(stdout=f"{TOKEN}\n".encode()), SecretRegistry()
    environ = {"PATH": f"relative:{agent_folder}", "BUILDKITE_BUILD_ID": "b", **SECRETS, **AGENT}
    given = request(environ, registry=registry, audience="me")
    minted = Buildkite(run=run).mint(given)
    assert minted.token.reveal() == TOKEN
    assert minted.description == "Buildkite OIDC"
    assert minted.environment_names == {"BUILDKITE_AGENT_ACCESS_TOKEN"}
    ((argv, environment, _),) = run.calls
    assert argv == (f"{agent_folder}/buildkite-agent", "oidc", "request-token", "--audience", "me")
    assert AGENT.items() <= environment.items()
    assert not set(SECRETS) & set(environment)
    assert registry.holds_secret(BEARER)


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        pytest.param({}, "'BUILDKITE_AGENT_ACCESS_TOKEN' is not set", id="no job"),
        pytest.param({**AGENT, "PATH": "/nonexistent"}, "'buildkite-agent' was not found",
                     id="no agent"),
        pytest.param({**AGENT, "PATH": "."}, "'buildkite-agent' was not found", id="relative"),
    ],
)  # fmt: skip
def test_no_buildkite(environ: dict[str, str], why: str) -> None:
    """Outside of a job, or without the program, the hint says what is needed."""
    run = FakeCapture(stdout=TOKEN.encode())
    with pytest.raises(SourceBroken, match=why) as caught:
        Buildkite(run=run).mint(request(environ))
    assert "BUILDKITE_*" in (caught.value.hint or "")
    assert run.calls == []


def test_buildkites_agent_fails(agent_folder: Path) -> None:
    """Its own complaint is shown."""
    run = FakeCapture(stderr=b"fatal: job is not running", code=1)
    with pytest.raises(SourceBroken, match="exit code 1") as caught:
        Buildkite(run=run).mint(request({"PATH": str(agent_folder), **AGENT}))
    assert caught.value.evidence == ("it said: fatal: job is not running",)


def test_look(tmp_path: Path) -> None:
    """Nothing is run to see that something could be run."""
    run = FakeCapture()
    assert Buildkite(run=run).look(request(AGENT)).state == "present"
    assert Buildkite(run=run).look(request()).state == "absent"
    assert "does not exist" in Command(argv=("/no/such",), run=run).look(request()).why
    assert run.calls == []


@pytest.mark.process
def test_a_real_command(tmp_path: Path) -> None:
    """Through the process door: a script that prints what it was given."""
    shell = require_tool("sh")
    program = tmp_path / "mint"
    program.write_text(f"#!{shell}\nprintf '%s' \"$PART\"{TOKEN[4:]}; env >&2\n")
    program.chmod(0o755)
    environ = {"PATH": os.environ["PATH"], "PART": TOKEN[:4], **SECRETS}
    assert Command(argv=(str(program),)).mint(request(environ)).token.reveal() == TOKEN
