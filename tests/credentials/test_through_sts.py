"""Sources through the real AWS door, against the strict STS on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from calamari_py.aws import AwsSettings, BotoAws
from calamari_py.credentials import SourceContext, profile_credential_source, resolve_launcher
from calamari_py.errors import SourceBroken
from calamari_py.identity import AwsCredentials
from calamari_py.masking import SecretRegistry
from tests.credentials.fakes import KEY_ID, ROLE, SECRET_KEY, account, jwt, texts_of
from tests.fake_metadata import FakeImds
from tests.fake_sts import FakeSts

TOKEN = jwt(aud="sts.amazonaws.com", sub="system:serviceaccount:octopus:worker", exp=4_000_000_000)


def context(sts: FakeSts, environ: Mapping[str, str] | None = None) -> SourceContext:
    """A context whose AWS is `sts`, profiles included."""
    environ, registry = environ or {}, SecretRegistry()

    def credential_source(name: str) -> AwsCredentials:
        return profile_credential_source(name, given)

    settings = AwsSettings(region="eu-west-1", endpoints={"": sts.url})
    given = SourceContext(
        environ=environ,
        aws=BotoAws(settings, registry, environ, credential_source=credential_source),
        registry=registry,
        session_name="payments-dev-deploy",
    )
    return given


def irsa(folder: Path, token: str = TOKEN) -> dict[str, str]:
    """What EKS sets."""
    (folder / "token").write_text(f"{token}\n")
    return {"AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "token"), "AWS_ROLE_ARN": ROLE}


def test_web_identity(tmp_path: Path) -> None:
    """A pod's token becomes the launcher role's session by one unsigned call."""
    with FakeSts() as sts:
        sts.add_role(ROLE)
        sts.add_token(TOKEN, roles=[ROLE])
        given = context(sts, irsa(tmp_path))
        resolution = resolve_launcher(account(), given)
        assert sts.actions() == ["AssumeRoleWithWebIdentity"]
        assert sts.requests[0].access_key_id is None
    launcher = resolution.launcher
    assert launcher
    assert launcher.arn == (
        "arn:aws:sts::123456789012:assumed-role/OctoLauncherRole/payments-dev-deploy"
    )
    assert launcher.credentials.access_key_id.startswith("ASIA")
    assert launcher.credentials.expires_at
    assert given.registry.holds_secret(launcher.credentials.secret_access_key.reveal())
    assert given.registry.holds_secret(TOKEN)


def test_oidc() -> None:
    """A minted token becomes a session of the length that the manifest asks for."""
    with FakeSts() as sts:
        sts.add_role(ROLE)
        sts.add_token(TOKEN, roles=[ROLE])
        section = account(type="oidc", role_arn=ROLE, token=TOKEN, session_duration=900)
        launcher = resolve_launcher(section, context(sts)).launcher
        assert sts.requests[0].params["DurationSeconds"] == "900"
    assert launcher
    assert launcher.source == "oidc"
    assert launcher.is_session


def test_an_expired_token_is_fatal(tmp_path: Path) -> None:
    """A pod whose token has run out never becomes its node, and the error shows the claims."""
    with FakeSts() as sts, FakeImds() as imds:
        sts.add_role(ROLE)
        sts.add_token(TOKEN, roles=[ROLE], expired=True)
        environ = irsa(tmp_path) | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}
        with pytest.raises(SourceBroken, match="ExpiredToken") as caught:
            resolve_launcher(account(), context(sts, environ))
        assert imds.connections == 0
    assert "has run out" in (caught.value.hint or "")
    assert any("token sub: system:serviceaccount:octopus" in line for line in caught.value.evidence)
    assert [row.result for row in caught.value.trace] == [
        "absent", "absent", "broken", "not tried", "not tried",
    ]  # fmt: skip
    assert TOKEN not in texts_of(caught.value)


def test_a_role_that_does_not_trust_the_token(tmp_path: Path) -> None:
    """A refusal's hint is the line that the trust policy lacks."""
    with FakeSts() as sts:
        sts.add_role(ROLE)
        sts.add_token(TOKEN, roles=[])
        with pytest.raises(SourceBroken, match="AccessDenied") as caught:
            resolve_launcher(account(), context(sts, irsa(tmp_path)))
    assert '"issuer.example:sub": "system:serviceaccount:octopus:worker"' in (
        caught.value.hint or ""
    )


def test_a_profile_whose_credential_source_is_ours(tmp_path: Path) -> None:
    """``credential_source = Environment`` takes the keys that our own source finds."""
    config = tmp_path / "config"
    config.write_text(f"[profile ops]\nrole_arn = {ROLE}\ncredential_source = Environment\n")
    with FakeSts() as sts:
        keys = sts.add_user("arn:aws:iam::123456789012:user/me", access_key_id=KEY_ID)
        sts.add_role(ROLE, trust=[keys.arn])
        environ = {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
            "AWS_CONFIG_FILE": str(config),
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }
        section = account(type="profile", profile="ops")
        launcher = resolve_launcher(section, context(sts, environ)).launcher
        assert sts.actions() == ["AssumeRole"]
        assert sts.requests[0].access_key_id == KEY_ID
    assert launcher
    assert launcher.source == "profile"
    assert launcher.credentials.secret_access_key.reveal() != SECRET_KEY
