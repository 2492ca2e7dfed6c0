"""``credential_process``: how the program is asked for, and what its answers are worth."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from calamari_py.aws import BotoAws
from calamari_py.errors import IdentityError, PartialCredentials, SourceBroken
from tests.aws.aws_world import DEPLOY, World

COMMAND = "/opt/vault/bin/get-keys --role 'deploy role' \"$HOME\" ; rm -rf /"
ARGV = ["/opt/vault/bin/get-keys", "--role", "deploy role", "$HOME", ";", "rm", "-rf", "/"]
KEYS = {
    "Version": 1,
    "AccessKeyId": "ASIAVAULTVAULTVAULTV",
    "SecretAccessKey": "secret/key+of-the-vault",
    "SessionToken": "session-token-of-the-vault",
    "Expiration": "2099-01-01T00:00:00Z",
}


class Program:
    """A credential_process that remembers how it was called."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.calls: list[list[str]] = []

    def __call__(self, argv: Sequence[str]) -> bytes:
        self.calls.append(list(argv))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def printed(**changes: Any) -> bytes:
    """The answer with `changes`; None leaves a field out."""
    fields = {name: value for name, value in {**KEYS, **changes}.items() if value is not None}
    return json.dumps(fields).encode()


def door(
    world: World,
    tmp_path: Path,
    run: Callable[[Sequence[str]], bytes] | None,
    command: str = COMMAND,
    more: str = "",
) -> BotoAws:
    """AWS with a profile ``p`` whose program is `run`."""
    folder = tmp_path / ".aws"
    folder.mkdir(exist_ok=True)
    (folder / "config").write_text(f"[profile p]\ncredential_process = {command}\n{more}")
    return world.aws({"HOME": str(tmp_path)}, run_process=run)


def test_the_command_is_split_without_a_shell(world: World, tmp_path: Path) -> None:
    """Quotes are honoured, nothing is expanded, and the keys come back with their expiry."""
    program = Program(printed())
    found = door(world, tmp_path, program).profile_credentials("p")
    assert program.calls == [ARGV]
    assert found is not None
    assert found.credentials.access_key_id == KEYS["AccessKeyId"]
    assert found.credentials.secret_access_key.reveal() == KEYS["SecretAccessKey"]
    assert found.credentials.expires_at == datetime(2099, 1, 1, tzinfo=UTC)
    assert found.is_session


def test_a_process_below_a_role(world: World, tmp_path: Path) -> None:
    """A source profile's program gives the keys that the role is assumed with."""
    launcher = world.launcher
    answer = printed(
        AccessKeyId=launcher.access_key_id,
        SecretAccessKey=launcher.secret_access_key,
        SessionToken=None,
        Expiration=None,
    )
    more = f"[profile dev]\nrole_arn = {DEPLOY}\nsource_profile = p\n"
    found = door(world, tmp_path, Program(answer), more=more).profile_credentials("dev")
    assert found is not None
    assert found.arn is not None
    assert world.sts.requests[0].access_key_id == launcher.access_key_id


def test_keys_without_an_end(world: World, tmp_path: Path) -> None:
    """Neither token nor expiry are needed: keys of a user."""
    answer = printed(SessionToken=None, Expiration=None)
    found = door(world, tmp_path, Program(answer)).profile_credentials("p")
    assert found is not None
    assert not found.is_session
    assert found.credentials.expires_at is None


def test_a_program_runs_once(world: World, tmp_path: Path) -> None:
    """Keys that end soon are no reason to ask three times, as botocore would."""
    soon = datetime.fromtimestamp(datetime.now(UTC).timestamp() + 120, UTC)
    program = Program(printed(Expiration=soon.isoformat()))
    assert door(world, tmp_path, program).profile_credentials("p") is not None
    assert len(program.calls) == 1


def test_secrets_are_registered(world: World, tmp_path: Path) -> None:
    """By name, and named for where they came from."""
    door(world, tmp_path, Program(printed())).profile_credentials("p")
    assert world.registry.holds_secret(str(KEYS["SecretAccessKey"]))
    assert world.registry.holds_secret(str(KEYS["SessionToken"]))


BAD = [
    pytest.param(b"", SourceBroken, "no JSON object", id="nothing"),
    pytest.param(b"export AWS_SECRET_ACCESS_KEY=x", SourceBroken, "no JSON object", id="text"),
    pytest.param(b"\xff\xfe{}", SourceBroken, "no JSON object", id="bytes"),
    pytest.param(b"[1]", SourceBroken, "no JSON object", id="a list"),
    pytest.param(b"[" * 100_000, SourceBroken, "no JSON object", id="deep"),
    pytest.param(printed(Version=2), SourceBroken, "in version 2", id="version 2"),
    pytest.param(printed(Version=None), SourceBroken, "without a version", id="no version"),
    pytest.param(printed(Version="1"), SourceBroken, "without a version", id="version as text"),
    pytest.param(printed(Version=True), SourceBroken, "version", id="version true"),
    pytest.param(printed(AccessKeyId=None), PartialCredentials, "no AccessKeyId", id="no id"),
    pytest.param(printed(SecretAccessKey=" "), PartialCredentials, "no SecretAcc", id="blank"),
    pytest.param(printed(SecretAccessKey=7), PartialCredentials, "no SecretAcc", id="a number"),
    pytest.param(printed(SessionToken=[]), PartialCredentials, "SessionToken", id="no token"),
    pytest.param(printed(Expiration="soon"), SourceBroken, "no time", id="no time"),
    pytest.param(printed(Expiration=12), SourceBroken, "no time", id="a number as time"),
    pytest.param(
        printed(Expiration="2099-01-01T00:00:00"), SourceBroken, "no time", id="no time zone"
    ),
    pytest.param(
        printed(Expiration="2020-01-01T01:00:00+01:00"),
        SourceBroken,
        "expired at 2020-01-01T00:00:00Z",
        id="expired",
    ),
]


@pytest.mark.parametrize(("answer", "kind", "text"), BAD)
def test_an_answer_that_is_none(
    world: World, tmp_path: Path, answer: bytes, kind: type[IdentityError], text: str
) -> None:
    """One sentence and a cure, without anything of what was printed."""
    program = Program(answer)
    with pytest.raises(kind, match=text) as caught:
        door(world, tmp_path, program).profile_credentials("p")
    shown = f"{caught.value}{caught.value.hint}"
    assert "credential_process of profile 'p'" in shown
    assert caught.value.hint
    assert str(KEYS["SecretAccessKey"]) not in shown
    assert "AWS_SECRET_ACCESS_KEY" not in shown
    assert len(program.calls) == 1


def test_a_rejected_answers_secrets_are_registered_all_the_same(
    world: World, tmp_path: Path
) -> None:
    """What is not used was still seen."""
    with pytest.raises(SourceBroken):
        door(world, tmp_path, Program(printed(Version=2))).profile_credentials("p")
    assert world.registry.holds_secret(str(KEYS["SecretAccessKey"]))


def test_what_the_runner_of_processes_raises_is_passed_on(world: World, tmp_path: Path) -> None:
    """A program that fails or hangs is said in the words of who ran it."""
    program = Program(SourceBroken("'get-keys' did not end within 60 s", hint="run it by hand"))
    with pytest.raises(SourceBroken, match="did not end within 60 s"):
        door(world, tmp_path, program).profile_credentials("p")


@pytest.mark.parametrize(
    ("command", "text"),
    [
        pytest.param("/bin/keys 'unclosed", "quotation", id="quotes"),
        pytest.param("''", "''|empty|p", id="an empty name"),
    ],
)
def test_a_command_that_is_none(world: World, tmp_path: Path, command: str, text: str) -> None:
    """A command that cannot be split is the profile's fault, no traceback."""
    run = Program(SourceBroken("'' is no program of profile p"))
    with pytest.raises(SourceBroken, match=text):
        door(world, tmp_path, run, command).profile_credentials("p")


def test_without_a_runner_nothing_is_started(world: World, tmp_path: Path) -> None:
    """No process is ever started from here: a marker file would show it."""
    marker = tmp_path / "marker"
    with pytest.raises(SourceBroken, match="cannot be run here") as caught:
        door(world, tmp_path, None, f"/bin/touch {marker}").profile_credentials("p")
    assert caught.value.hint
    assert not marker.exists()


def test_other_regions_run_processes_too(world: World, tmp_path: Path) -> None:
    """The door of another region is the same door."""
    program = Program(printed())
    assert door(world, tmp_path, program).in_region("eu-north-1").profile_credentials("p")
    assert len(program.calls) == 1
