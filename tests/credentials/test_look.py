"""What ``explain`` says of the launcher: presence without a call."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from calamari_py.credentials import ACCOUNT_TYPES, SOURCES, AccountType, look_for_launcher
from calamari_py.credentials.base import Absent, Found, Presence, SourceContext
from calamari_py.masking import SecretRegistry
from tests.credentials.fakes import KEY_ID, ROLE, SECRET_KEY, FakeAws, account, context, jwt

TOKEN = jwt(sub="a")
POD = "http://169.254.170.23/v1/credentials"
FULL = "AWS_CONTAINER_CREDENTIALS_FULL_URI"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking opens no socket."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("looking opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


ROWS = [
    pytest.param("environment", {}, "absent", "AWS_ACCESS_KEY_ID is not set", id="no keys"),
    pytest.param("environment", {"AWS_ACCESS_KEY_ID": " "}, "absent", "not set", id="blank keys"),
    pytest.param("environment", {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_KEY},
                 "present", "are set", id="keys"),
    pytest.param("environment", {"AWS_SECRET_ACCESS_KEY": SECRET_KEY}, "broken",
                 "AWS_ACCESS_KEY_ID is not", id="half a pair"),
    pytest.param("profile", {}, "absent", "AWS_PROFILE is not set", id="no profile"),
    pytest.param("profile", {"AWS_DEFAULT_PROFILE": "ops"}, "absent",
                 "AWS_PROFILE is not set, and AWS_DEFAULT_PROFILE is not read", id="the other one"),
    pytest.param("profile", {"AWS_PROFILE": "ops", "AWS_CONFIG_FILE": "{folder}/config"},
                 "present", "profile 'ops'", id="profile"),
    pytest.param("profile", {"AWS_PROFILE": "two words", "AWS_CONFIG_FILE": "{folder}/config"},
                 "present", "profile 'two words'", id="quoted profile"),
    pytest.param("profile", {"AWS_PROFILE": "ops", "AWS_SHARED_CREDENTIALS_FILE": "{folder}/keys"},
                 "present", "profile 'ops'", id="profile of the credentials file"),
    pytest.param("profile", {"AWS_PROFILE": "ops", "AWS_CONFIG_FILE": "{folder}/keys"},
                 "broken", "profile 'ops': it is not in '{folder}/keys' and '", id="no 'profile '"),
    pytest.param("profile", {"AWS_PROFILE": "opps", "AWS_CONFIG_FILE": "{folder}/config"},
                 "broken", "profile 'opps': it is not in", id="profile misspelt"),
    pytest.param("profile", {"AWS_PROFILE": "ops", "AWS_CONFIG_FILE": "{folder}/nonsense"},
                 "broken", "'{folder}/nonsense' cannot be parsed", id="no config file"),
    pytest.param("profile", {"AWS_PROFILE": "ops", "AWS_CONFIG_FILE": "{folder}/pipe"},
                 "broken", "it is not in", id="a pipe"),
    pytest.param("profile", {"AWS_PROFILE": "ops"}, "broken", "neither of '{folder}/home/.aws/co",
                 id="profile without files"),
    pytest.param("web-identity", {}, "absent", "is not set", id="no web identity"),
    pytest.param("web-identity", {"AWS_ROLE_ARN": ROLE}, "broken",
                 "AWS_WEB_IDENTITY_TOKEN_FILE is not", id="role alone"),
    pytest.param("web-identity",
                 {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "{folder}/token"},
                 "present", f"role {ROLE}, token file", id="web identity"),
    pytest.param("web-identity",
                 {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "{folder}/none"},
                 "broken", "does not exist", id="web identity without its file"),
    pytest.param("web-identity",
                 {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "a\0b"},
                 "broken", "does not exist", id="no path at all"),
    pytest.param("web-identity",
                 {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "{folder}"},
                 "broken", "'{folder}' is no regular file", id="a folder"),
    pytest.param("web-identity",
                 {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "{folder}/token/x"},
                 "broken", "does not exist", id="below a file"),
    pytest.param("container", {}, "absent", f"{FULL} is not set", id="no container"),
    pytest.param("container", {FULL: POD}, "present", "EKS Pod Identity at 169.254.170.23",
                 id="pod identity"),
    pytest.param("container", {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"}, "present",
                 "ECS task role at 169.254.170.2", id="ecs"),
    pytest.param("container", {FULL: "http://evil.test/"}, "broken", "is refused", id="refused"),
    pytest.param("container", {FULL: POD, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/no/such"},
                 "broken", "'/no/such' does not exist", id="no authorization"),
    pytest.param("imds", {}, "unknown", "169.254.169.254 would be asked", id="imds"),
    pytest.param("imds", {"AWS_EC2_METADATA_DISABLED": "TRUE"}, "absent", "is true", id="no imds"),
    pytest.param("imds", {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "nonsense"}, "broken",
                 "is refused", id="imds nonsense"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "variables", "state", "why"), ROWS)
def test_sources(
    name: str, variables: dict[str, str], state: str, why: str, tmp_path: Path
) -> None:
    """Each source by the environment and what files exist; nothing is asked or registered, and
    what is not a name is not shown."""
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "config").write_text(
        f"[profile ops]\nregion = x\ns3 =\n  a = b\n[profile 'two words']\nk = {SECRET_KEY}\n"
    )
    (tmp_path / "keys").write_text(f"[ops]\naws_secret_access_key = {SECRET_KEY}\n")
    (tmp_path / "nonsense").write_text(f"[profile ops]\n{SECRET_KEY}\n[profile ops]\n")
    os.mkfifo(tmp_path / "pipe")
    environ = {"HOME": f"{tmp_path}/home", **{
        key: value.format(folder=tmp_path) for key, value in variables.items()
    }}  # fmt: skip
    registry, aws = SecretRegistry(), FakeAws()
    seen = SOURCES[name].look(context(environ, registry=registry, aws=aws))
    assert seen.state == state
    assert why.format(folder=tmp_path) in seen.why
    assert SECRET_KEY not in seen.why
    assert len(registry) == 0
    assert (aws.exchanged, aws.asked_profiles) == ([], [])


@pytest.mark.parametrize(
    ("fields", "state", "why"),
    [
        pytest.param({}, "absent", "account.access_key_id is not set", id="none"),
        pytest.param({"access_key_id": KEY_ID}, "broken", "alone is set", id="half"),
        pytest.param({"access_key_id": KEY_ID, "secret_access_key": SECRET_KEY}, "present",
                     "its secret are set", id="whole"),
    ],
)  # fmt: skip
def test_account_keys(fields: dict[str, str], state: str, why: str) -> None:
    """The account section's own keys are there or not; they are not shown."""
    section = account(type="access-key", **fields)
    (row,) = look_for_launcher(section, context())
    assert (row.source, row.result) == ("access-key", state)
    assert why in row.why
    assert SECRET_KEY not in row.why


@pytest.mark.parametrize(
    ("fields", "file", "state", "why"),
    [
        pytest.param({"profile": "ops"}, "[ops]", "present", "profile 'ops'", id="named"),
        pytest.param({"profile": "ops"}, "[opps]", "broken", "not in", id="named otherwise"),
        pytest.param({"profile": "ops"}, None, "broken", "neither of", id="named without files"),
        pytest.param({"profile": "default"}, "", "broken", "not in", id="named default"),
        pytest.param({}, "[default]", "unknown", "profile 'default'", id="default"),
        pytest.param({}, "[DEFAULT]", "absent", "not in", id="default in capitals"),
        pytest.param({}, "[ops]", "absent", "profile 'default': it is not in", id="no default"),
        pytest.param({}, None, "absent", "neither of", id="no files"),
        pytest.param({}, "nonsense", "broken", "cannot be parsed", id="no credentials file"),
    ],
)  # fmt: skip
def test_account_profile(
    fields: dict[str, str], file: str | None, state: str, why: str, tmp_path: Path
) -> None:
    """A name that is in no file is certain to fail; what a profile holds only asking tells."""
    if file is not None:
        (tmp_path / ".aws").mkdir()
        (tmp_path / ".aws" / "credentials").write_text(f"{file}\n")
    section = account(type="profile", **fields)
    (row,) = look_for_launcher(section, context({"HOME": str(tmp_path)}))
    assert (row.result, row.used) == (state, state in {"present", "broken"})
    assert why in row.why


@pytest.mark.parametrize(
    ("section", "variables"),
    [
        pytest.param({}, {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "{file}"},
                     id="web identity"),
        pytest.param({}, {FULL: POD, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{file}"},
                     id="container"),
        pytest.param({"type": "oidc", "role_arn": ROLE, "token_file": "{file}"}, {}, id="oidc"),
    ],
)  # fmt: skip
def test_a_token_file_of_somebody_else(
    section: dict[str, str],
    variables: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A token file that may not be read is certain to stop the step."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    # Root may read everything, so that the kernel's answer has to be another's.
    monkeypatch.setattr(os, "access", lambda path, mode: (str(path), mode) != (str(file), os.R_OK))
    fields = {key: value.format(file=file) for key, value in section.items()}
    environ = {key: value.format(file=file) for key, value in variables.items()}
    rows = look_for_launcher(account(**fields), context(environ))
    (row,) = [row for row in rows if row.result == "broken"]
    assert row.why == f"the token file '{file}' cannot be read: permission denied"


@dataclass
class Seen:
    """A source that can only be looked at."""

    name: str
    state: Any = "absent"

    def look(self, context: SourceContext) -> Presence:
        return Presence(state=self.state, why=f"{self.name} {self.state}")

    def resolve(self, context: SourceContext) -> Found | Absent:
        raise AssertionError("looking asks nobody")


@pytest.mark.parametrize(
    ("states", "results", "used"),
    [
        pytest.param("apa", ["absent", "present", "not tried"], 1, id="the first that is there"),
        pytest.param("aau", ["absent", "absent", "unknown"], None, id="depends"),
        pytest.param("aba", ["absent", "broken", "not tried"], 1, id="a broken one stops it"),
        pytest.param("upa", ["unknown", "present", "not tried"], None, id="an unknown one first"),
        pytest.param("aaa", ["absent", "absent", "absent"], None, id="none"),
    ],
)
def test_which_would_win(states: str, results: list[str], used: int | None) -> None:
    """The first that is there would be the launcher, unless an unknown one comes before it."""
    words = {"a": "absent", "b": "broken", "p": "present", "u": "unknown"}
    sources = tuple(Seen(f"s{index}", words[state]) for index, state in enumerate(states))
    found = look_for_launcher(account(), context(), types={"ambient": AccountType(sources=sources)})
    assert [row.result for row in found] == results
    assert [index for index, row in enumerate(found) if row.used] == ([used] if used else [])
    assert not any(row.tried for row in found)


def test_a_pinned_source() -> None:
    """What ``account.source`` names is the only one that counts."""
    found = look_for_launcher(account(source="container"), context({FULL: POD, "AWS_PROFILE": "x"}))
    assert [row.result for row in found] == [
        "not tried", "not tried", "not tried", "present", "not tried"
    ]  # fmt: skip
    assert found[0].why == "account.source is container"
    assert found[-1].why == "container is present"
    assert [row.source for row in found if row.used] == ["container"]


@pytest.mark.parametrize("type_", ACCOUNT_TYPES)
def test_every_account_type(type_: str) -> None:
    """There is a row for every source of every account type."""
    section = account(type=type_, token="x.y.z", role_arn=ROLE)
    found = look_for_launcher(section, context())
    assert [row.source for row in found] == [s.name for s in ACCOUNT_TYPES[type_].sources]
