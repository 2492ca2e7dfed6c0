"""Profiles of IAM Identity Center: the portal and its tokens, by our own road."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calamari_py.aws import AwsSettings, BotoAws
from calamari_py.errors import SourceBroken, Temporary
from calamari_py.identity import LauncherCredentials
from tests.aws.aws_world import DEPLOY, World

URL = "https://corp.example.com/start"
LEGACY = (
    f"[profile s]\nsso_start_url = {URL}\nsso_region = eu-central-1\n"
    "sso_account_id = 111111111111\nsso_role_name = Dev\n"
)
SESSION = (
    "[profile s]\nsso_session = corp\nsso_account_id = 111111111111\nsso_role_name = Dev\n"
    f"[sso-session corp]\nsso_start_url = {URL}\nsso_region = eu-central-1\n"
)
LATER = "2099-01-01T00:00:00Z"


def in_minutes(minutes: int) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def signed_in(tmp_path: Path, config: str, **token: Any) -> dict[str, str]:
    """A home whose user has a token, for the start URL and for the session's name."""
    cache = tmp_path / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    (tmp_path / ".aws" / "config").write_text(config)
    content = {
        "accessToken": "the-sso-access-token",
        "expiresAt": LATER,
        "startUrl": URL,
        "region": "eu-central-1",
        **token,
    }
    for key in (URL, "corp"):
        name = hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()
        (cache / f"{name}.json").write_text(json.dumps(content))
    return {"HOME": str(tmp_path)}


def portal_answer(world: World) -> bytes:
    keys = world.sts.add_session(DEPLOY, "me")
    return json.dumps(
        {
            "roleCredentials": {
                "accessKeyId": keys.access_key_id,
                "secretAccessKey": keys.secret_access_key,
                "sessionToken": keys.session_token,
                "expiration": 4070908800000,
            }
        }
    ).encode()


def resolve(world: World, environ: dict[str, str]) -> LauncherCredentials:
    found = world.aws(environ).profile_credentials("s")
    assert found is not None
    return found


@pytest.mark.parametrize(
    "config", [pytest.param(LEGACY, id="start URL"), pytest.param(SESSION, id="sso-session")]
)
def test_a_user_who_signed_in(world: World, tmp_path: Path, config: str) -> None:
    """The token cache below the given home leads to keys, and all of it is registered."""
    world.sts.answer_next(portal_answer(world), content_type="application/json")
    found = resolve(world, signed_in(tmp_path, config))
    keys = world.sts.keys[found.credentials.access_key_id]
    assert found.credentials.expires_at == datetime(2099, 1, 1, tzinfo=UTC)
    assert found.is_session
    assert world.registry.holds_secret(keys.secret_access_key)
    assert world.registry.holds_secret("the-sso-access-token")
    (log,) = world.sts.requests
    assert log.action == "GetRoleCredentials"
    assert log.params == {"role_name": "Dev", "account_id": "111111111111"}
    assert log.headers["x-amz-sso_bearer_token"] == "the-sso-access-token"
    assert "Authorization" not in log.headers


def test_the_machines_own_environment_is_not_asked(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither endpoints nor profiles nor certificates of this process reach the portal's client."""
    for name, value in {
        "AWS_ENDPOINT_URL_SSO": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_CA_BUNDLE": "/nonexistent",
        "AWS_PROFILE": "machine",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HOME": "/nonexistent",
    }.items():
        monkeypatch.setenv(name, value)
    world.sts.answer_next(portal_answer(world), content_type="application/json")
    resolve(world, signed_in(tmp_path, SESSION))
    assert len(world.sts.requests) == 1


def test_the_portals_own_endpoint_variable(world: World, tmp_path: Path) -> None:
    """AWS_ENDPOINT_URL_SSO of the given environment wins over the general one."""
    world.sts.answer_next(portal_answer(world), content_type="application/json")
    environ = signed_in(tmp_path, LEGACY) | {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_SSO": world.sts.url,
    }
    resolve(world, environ)
    assert len(world.sts.requests) == 1


def test_the_portal_lies_in_its_own_region(world: World, tmp_path: Path) -> None:
    """The profile's sso_region counts, whatever the step's region is."""
    environ = {**signed_in(tmp_path, LEGACY), "https_proxy": "http://127.0.0.1:9"}
    settings = AwsSettings(region="eu-west-1", endpoints={})
    aws = BotoAws(settings, world.registry, environ, pace=world.time.pace())
    with pytest.raises(Temporary, match=r"portal\.sso\.eu-central-1\.amazonaws\.com"):
        aws.profile_credentials("s")


def test_a_token_about_to_end_is_renewed(world: World, tmp_path: Path) -> None:
    """The refresh token buys a new one, which is used, registered, and cached for other tools."""
    environ = signed_in(
        tmp_path,
        SESSION,
        expiresAt=in_minutes(5),
        refreshToken="the-refresh-token",
        clientId="client",
        clientSecret="the-client-secret",
        registrationExpiresAt=LATER,
    )
    new = {
        "accessToken": "the-new-access-token",
        "refreshToken": "the-new-refresh-token",
        "expiresIn": 3600,
    }
    world.sts.answer_next(json.dumps(new).encode(), content_type="application/json")
    world.sts.answer_next(portal_answer(world), content_type="application/json")
    resolve(world, environ)
    assert world.sts.actions() == ["CreateToken", "GetRoleCredentials"]
    assert world.sts.requests[1].headers["x-amz-sso_bearer_token"] == "the-new-access-token"
    for secret in (
        "the-new-access-token",
        "the-new-refresh-token",
        "the-refresh-token",
        "the-client-secret",
    ):
        assert world.registry.holds_secret(secret)
    name = hashlib.sha1(b"corp", usedforsecurity=False).hexdigest()
    cached = json.loads((tmp_path / ".aws" / "sso" / "cache" / f"{name}.json").read_text())
    assert cached["accessToken"] == "the-new-access-token"
    assert cached["expiresAt"].endswith("Z")


def test_a_renewal_that_fails_leaves_a_token_that_still_works(world: World, tmp_path: Path) -> None:
    """Minutes that are left are used."""
    environ = signed_in(
        tmp_path,
        SESSION,
        expiresAt=in_minutes(12),
        refreshToken="the-refresh-token",
        clientId="client",
        clientSecret="the-client-secret",
        registrationExpiresAt=LATER,
    )
    world.sts.fail_next(400, "InvalidGrantException", "no", action="CreateToken")
    world.sts.answer_next(
        portal_answer(world), content_type="application/json", action="GetRoleCredentials"
    )
    resolve(world, environ)
    assert world.sts.requests[-1].headers["x-amz-sso_bearer_token"] == "the-sso-access-token"


@pytest.mark.parametrize(
    ("config", "token"),
    [
        pytest.param(LEGACY, {"expiresAt": "2020-01-01T00:00:00Z"}, id="start URL, expired"),
        pytest.param(SESSION, {"expiresAt": "2020-01-01T00:00:00Z"}, id="session, expired"),
        pytest.param(SESSION, {"accessToken": None}, id="no token"),
    ],
)
def test_an_expired_sign_in_says_how_to_renew_it(
    world: World, tmp_path: Path, config: str, token: dict[str, Any]
) -> None:
    """The command that helps stands in the hint, and nothing was asked."""
    with pytest.raises(SourceBroken, match="SSO session of profile 's'") as caught:
        world.aws(signed_in(tmp_path, config, **token)).profile_credentials("s")
    assert caught.value.hint == "sign in: aws sso login --profile s"
    assert world.sts.requests == []


def test_a_damaged_token_file_is_no_traceback(world: World, tmp_path: Path) -> None:
    """A token without a readable end is the profile's fault, in one sentence."""
    with pytest.raises(SourceBroken, match="profile 's' does not work"):
        world.aws(signed_in(tmp_path, LEGACY, expiresAt="soon")).profile_credentials("s")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param(401, "UnauthorizedException", id="token not taken"),
        pytest.param(403, "ForbiddenException", id="no such role for this user"),
    ],
)
def test_a_portal_that_refuses(world: World, tmp_path: Path, status: int, code: str) -> None:
    """A sentence of ours with the cure, without the token."""
    world.sts.fail_next(status, code, "No access", action="GetRoleCredentials")
    with pytest.raises(SourceBroken, match="SSO session of profile 's'") as caught:
        world.aws(signed_in(tmp_path, LEGACY)).profile_credentials("s")
    assert caught.value.hint == "sign in: aws sso login --profile s"
    assert "the-sso-access-token" not in str(caught.value)
    assert len(world.sts.requests) == 1


def test_a_portal_that_is_busy_is_temporary(world: World, tmp_path: Path) -> None:
    """Throttled for the whole budget stays what it is: worth another run."""
    world.sts.fail_next(
        429, "TooManyRequestsException", "slow down", times=999, action="GetRoleCredentials"
    )
    with pytest.raises(Temporary):
        world.aws(signed_in(tmp_path, LEGACY)).profile_credentials("s")
