"""``account.expose_to_step``: the launcher's own values as variables, only where that is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes import LAUNCHER_KEY_ID, LAUNCHER_SECRET, LAUNCHER_TOKEN, Running
from tests.runner.world import DEV, SCRIPT, World

TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzcGFjZTpkZWZhdWx0In0.c2lnbmF0dXJl"
ROLE = "arn:aws:iam::123456789012:role/test-role"
HEAD = f"name: deploy\nregion: eu-west-1\nassume_role: {DEV}\n"
KEYS = """account:
  type: access-key
  name: AWS Account
  access_key_id: AKIALAUNCHERLAUNCHER
  secret_access_key: '{{ Key }}'
variables: {Key: {from_env: KEY, sensitive: true}}
"""
OIDC = """account:
  type: oidc
  name: AWS Account
  role_arn: arn:aws:iam::123456789012:role/test-role
  session_duration: 2h
  token_from: {from_env: JWT}
"""


def variables(world: World, text: str) -> dict[str, str]:
    """All the variables that the child finds."""
    found: dict[str, str] = {}

    def child(running: Running) -> int:
        found.update(json.loads(Path(running.environment["CALAMARI_VARIABLES_JSON"]).read_text()))
        running.write(repr(found).encode())
        return 0

    world.environ.update(KEY=LAUNCHER_SECRET, JWT=TOKEN)
    assert world.run(text, child).exit_code == 0
    return found


def exposing(account: str) -> str:
    return account.replace("name: AWS", "expose_to_step: true\n  name: AWS")


def test_an_access_key_account(world: World) -> None:
    """The names are Octopus's; the secret one is masked wherever it is printed."""
    found = variables(world, HEAD + exposing(KEYS) + SCRIPT)
    assert found["AWS Account"] == "AWS Account"
    assert found["AWS Account.AccessKey"] == LAUNCHER_KEY_ID
    assert found["AWS Account.SecretKey"] == LAUNCHER_SECRET
    assert "AWS Account.SessionToken" not in found
    assert LAUNCHER_SECRET.encode() not in world.reporter.shown()
    assert any("AWS Account.SecretKey" in text for text in world.reporter.warnings)


def test_an_oidc_account(world: World) -> None:
    """The role, how long, and the token, which is masked."""
    found = variables(world, HEAD + exposing(OIDC) + SCRIPT)
    assert found["AWS Account.RoleArn"] == ROLE
    assert found["AWS Account.SessionDuration"] == "7200"
    assert found["AWS Account.OpenIdConnect.Jwt"] == TOKEN
    assert TOKEN.encode() not in world.reporter.shown()


def test_an_ambient_account(world: World) -> None:
    """Whatever launcher is found has its keys handed over, the session token with them."""
    world.environ["AWS_SESSION_TOKEN"] = LAUNCHER_TOKEN
    text = "account: {name: AWS Account, expose_to_step: true}\n"
    found = variables(world, HEAD + text + SCRIPT)
    assert found["AWS Account.SecretKey"] == LAUNCHER_SECRET
    assert found["AWS Account.SessionToken"] == LAUNCHER_TOKEN


@pytest.mark.parametrize("account", [KEYS, OIDC], ids=["access-key", "oidc"])
def test_nothing_is_exposed_unasked(account: str, world: World) -> None:
    """A name alone makes no variable, and the log has nothing to say."""
    found = variables(world, HEAD + account + SCRIPT)
    assert not [name for name in found if name.startswith("AWS Account")]
    assert not [text for text in world.reporter.warnings if "expose" in text]


def test_templates_may_use_them(world: World) -> None:
    """They are known late, like what is fetched with the step's own credentials."""
    text = "env: {THEIRS: '{{ variables[\"AWS Account.SecretKey\"] }}'}\n"
    variables(world, HEAD + exposing(KEYS) + text + SCRIPT)
    assert world.child.environments[0]["THEIRS"] == LAUNCHER_SECRET


def test_a_variable_of_that_name_stays_what_it_is(world: World) -> None:
    """Who defined one of the names means what they wrote."""
    text = KEYS.replace("{Key:", "{'AWS Account.AccessKey': mine, Key:")
    assert variables(world, HEAD + exposing(text) + SCRIPT)["AWS Account.AccessKey"] == "mine"


def test_nothing_to_hand_over_is_said(world: World) -> None:
    """Who asks for it without a name gets no variable, and learns why."""
    variables(world, HEAD + "account: {expose_to_step: true}\n" + SCRIPT)
    assert any("give the account a name" in text for text in world.reporter.warnings)
