"""Tokens for a role: from the account section, a file, a variable, a command, a CI system."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from calamari_py.credentials.oidc import OidcSource
from calamari_py.errors import SourceBroken
from calamari_py.manifest.types import TokenFrom
from calamari_py.masking import SecretRegistry
from tests.credentials.fakes import REQUEST_ID, ROLE, FakeAws, context, found, jwt, texts_of

TOKEN = jwt(sub="repo:acme/app:ref:refs/heads/main", aud="sts.amazonaws.com")


def source() -> OidcSource:
    """The source itself."""
    return OidcSource()


def test_a_token(tmp_path: Path) -> None:
    """A token in the manifest becomes the role's session, under the step's session name."""
    aws, registry = FakeAws(), SecretRegistry()
    given = context(type="oidc", role_arn=ROLE, token=f" {TOKEN}\n", aws=aws, registry=registry)
    launcher = found(source().resolve(given)).launcher
    assert aws.exchanged == [(TOKEN, ROLE, "payments-dev-deploy", 3600)]
    assert (launcher.source, launcher.description) == ("oidc", "OIDC")
    assert launcher.environment_names == frozenset()
    assert registry.holds_secret(TOKEN)


@pytest.mark.parametrize("absolute", [True, False])
def test_a_token_file(tmp_path: Path, absolute: bool) -> None:
    """A file's path may be relative to the manifest's folder."""
    (tmp_path / "jwt").write_text(f"{TOKEN}\n")
    aws = FakeAws()
    path = str(tmp_path / "jwt") if absolute else "jwt"
    folder = Path("/nonexistent") if absolute else tmp_path
    given = context(type="oidc", role_arn=ROLE, token_file=path, aws=aws, folder=folder)
    found(source().resolve(given))
    assert aws.exchanged[0][0] == TOKEN


def test_a_variable() -> None:
    """A variable's token is used, and its name is scrubbed later."""
    aws = FakeAws()
    given = context(
        {"MY_JWT": f"{TOKEN}\n"},
        type="oidc", role_arn=ROLE, token_from=TokenFrom(from_env="MY_JWT"), aws=aws,
    )  # fmt: skip
    launcher = found(source().resolve(given)).launcher
    assert aws.exchanged[0][0] == TOKEN
    assert launcher.description == "OIDC"
    assert launcher.environment_names == {"MY_JWT"}
    assert launcher.token
    assert launcher.token.reveal() == TOKEN
    assert launcher.request_id == REQUEST_ID


def test_the_token_is_read_anew_each_time(tmp_path: Path) -> None:
    """A refresh hours later finds the token that is there then, whatever the file's age."""
    aws, other = FakeAws(), jwt(sub="another")
    (tmp_path / "jwt").write_text(TOKEN)
    given = context(type="oidc", role_arn=ROLE, token_file="jwt", aws=aws, folder=tmp_path)
    found(source().resolve(given))
    stat = (tmp_path / "jwt").stat()
    (tmp_path / "jwt").write_text(other)
    os.utime(tmp_path / "jwt", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    found(source().resolve(given))
    assert [token for token, *_ in aws.exchanged] == [TOKEN, other]


@pytest.mark.parametrize("form", ["gitlab", TokenFrom(ci="gitlab")], ids=["name", "mapping"])
def test_a_ci_system(form: str | TokenFrom) -> None:
    """Both forms of a CI's name lead to its issuer."""
    aws = FakeAws()
    given = context(
        {"GITLAB_OIDC_TOKEN": TOKEN}, type="oidc", role_arn=ROLE, token_from=form, aws=aws
    )
    launcher = found(source().resolve(given)).launcher
    assert aws.exchanged[0][0] == TOKEN
    assert launcher.description == "GitLab CI OIDC"


@pytest.mark.parametrize(
    ("fields", "why", "hint"),
    [
        pytest.param({}, "names 0 tokens", "exactly one", id="none"),
        pytest.param(
            {"token": TOKEN, "token_file": "x"}, "names 2 tokens", "exactly one", id="two"
        ),
        pytest.param({"token": "  "}, "'account.token' is empty", "", id="blank token"),
        pytest.param({"token": TOKEN, "role_arn": None}, "role_arn' is empty", "", id="no role"),
        pytest.param({"token": TOKEN, "role_arn": "nonsense"}, "not a role ARN", "", id="bad role"),
        pytest.param(
            {"token": TOKEN, "session_duration": 60}, "60 s", "15m", id="too short a session"
        ),
        pytest.param({"token_file": "missing"}, "no such file", "path", id="missing file"),
        pytest.param(
            {"token_from": TokenFrom(from_env="MY_JWT")}, "'MY_JWT' is not", "MY_JWT", id="unset"
        ),
        pytest.param({"token_from": "circleci"}, "CIRCLE_OIDC_TOKEN_V2", "context", id="circleci"),
        pytest.param({"token_from": "zzz"}, "no CI system", "from_env: NAME", id="unknown"),
        pytest.param({"token_from": TokenFrom(command=("mint",))}, "absolute path", "/usr/bin",
                     id="command"),
    ],
)  # fmt: skip
def test_no_token(fields: dict[str, Any], why: str, hint: str) -> None:
    """A token that was promised and is not there is broken, and the hint says what gives one."""
    aws = FakeAws()
    with pytest.raises(SourceBroken, match=why) as caught:
        source().resolve(context(aws=aws, **{"type": "oidc", "role_arn": ROLE, **fields}))
    assert aws.exchanged == []
    assert hint in (caught.value.hint or "")
    assert caught.value.hint
    assert TOKEN not in texts_of(caught.value)


@pytest.mark.parametrize(
    ("fields", "variables", "state", "why"),
    [
        pytest.param({"token": TOKEN}, {}, "present", "account.token", id="token"),
        pytest.param({"token_file": "jwt"}, {}, "present", "/jwt'", id="file"),
        pytest.param({"token_file": "no"}, {}, "broken", "does not exist", id="no file"),
        pytest.param({"token_from": TokenFrom(from_env="X")}, {"X": TOKEN}, "present", "X is set",
                     id="variable"),
        pytest.param({"token_from": TokenFrom(from_env="X")}, {"X": " "}, "absent", "X is not set",
                     id="blank variable"),
        pytest.param({"token_from": TokenFrom(command=("/bin/sh", "-c", TOKEN))}, {}, "present",
                     "'/bin/sh' would be run", id="command"),
        pytest.param({"token_from": TokenFrom(command=("/no/such",))}, {}, "broken",
                     "'/no/such' does not exist", id="no command"),
        pytest.param({"token_from": "gitlab"}, {}, "absent", "GITLAB_OIDC_TOKEN", id="ci"),
    ],
)  # fmt: skip
def test_look(
    fields: dict[str, Any], variables: dict[str, str], state: str, why: str, tmp_path: Path
) -> None:
    """What would be tried shows without a call, and no token is read or shown."""
    (tmp_path / "jwt").write_text(TOKEN)
    registry = SecretRegistry()
    given = context(
        variables, type="oidc", role_arn=ROLE, folder=tmp_path, registry=registry, **fields
    )
    seen = source().look(given)
    assert seen.state == state
    assert why in seen.why
    assert TOKEN not in seen.why
    assert len(registry) == 0
