"""Profiles of the shared config files, against real files and the fake STS."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from calamari_py.aws import AwsSettings, BotoAws
from calamari_py.errors import CloudError, IdentityError, PartialCredentials, SourceBroken
from calamari_py.identity import AwsCredentials, LauncherCredentials
from calamari_py.masking.secret import Secret
from tests.aws.aws_world import DEPLOY, EXTERNAL, SECOND, World, credentials_of
from tests.fake_sts_rules import Keys

TOKEN = "eyJhbGciOi.eyJzdWIiOiJzdGVwIn0.c2lnbmF0dXJl"


def static(keys: Keys) -> str:
    lines = [
        f"aws_access_key_id = {keys.access_key_id}",
        f"aws_secret_access_key = {keys.secret_access_key}",
    ]
    if keys.session_token:
        lines.append(f"aws_session_token = {keys.session_token}")
    return "\n".join(lines) + "\n"


def home(tmp_path: Path, config: str = "", credentials: str = "") -> dict[str, str]:
    """An environment whose HOME holds the two files."""
    folder = tmp_path / "people" / ".aws"
    folder.mkdir(parents=True)
    if config:
        (folder / "config").write_text(config)
    if credentials:
        (folder / "credentials").write_text(credentials)
    return {"HOME": str(folder.parent)}


def resolve(aws: BotoAws, profile: str | None) -> LauncherCredentials:
    found = aws.profile_credentials(profile)
    assert found is not None
    return found


def test_static_keys_with_region(world: World, tmp_path: Path) -> None:
    """Keys of the credentials file, the region of the config file, the secret registered."""
    keys = world.launcher
    environ = home(tmp_path, "[profile dev]\nregion = eu-north-1\n", f"[dev]\n{static(keys)}")
    found = resolve(world.aws(environ), "dev")
    assert found.credentials == credentials_of(keys)
    assert (found.source, found.description) == ("profile", "profile 'dev'")
    assert (found.region, found.arn, found.is_session) == ("eu-north-1", None, False)
    assert world.registry.holds_secret(keys.secret_access_key)
    assert world.sts.requests == []


def test_a_session_token_comes_along(world: World, tmp_path: Path) -> None:
    """Temporary keys in a file are a session: assuming a role from them is chaining."""
    keys = world.sts.add_session(DEPLOY, "laptop")
    found = resolve(world.aws(home(tmp_path, credentials=f"[t]\n{static(keys)}")), "t")
    assert found.is_session
    assert found.credentials == credentials_of(keys)
    assert keys.session_token
    assert world.registry.holds_secret(keys.session_token)


def test_a_role_of_a_source_profile(world: World, tmp_path: Path) -> None:
    """role_arn and source_profile make one call, by our own endpoint, with every option."""
    config = (
        f"[profile base]\n{static(world.launcher)}"
        f"[profile dev]\nrole_arn = {EXTERNAL}\nsource_profile = base\nregion = eu-north-1\n"
        "external_id = known-to-both\nrole_session_name = laptop\nduration_seconds = 900\n"
    )
    found = resolve(world.aws(home(tmp_path, config)), "dev")
    assert found.arn == "arn:aws:sts::111111111111:assumed-role/ExternalRole/laptop"
    assert found.is_session
    assert found.credentials.expires_at is not None
    assert world.sts.requests[0].params["DurationSeconds"] == "900"
    assert world.sts.requests[0].access_key_id == world.launcher.access_key_id
    assert world.registry.holds_secret(world.launcher.secret_access_key)
    assert world.registry.holds_secret(found.credentials.secret_access_key.reveal())


def test_a_chain_of_profiles(world: World, tmp_path: Path) -> None:
    """Each source_profile is assumed with the one below it."""
    config = (
        f"[profile base]\n{static(world.launcher)}"
        f"[profile first]\nrole_arn = {DEPLOY}\nsource_profile = base\n"
        f"[profile second]\nrole_arn = {SECOND}\nsource_profile = first\n"
    )
    found = resolve(world.aws(home(tmp_path, config)), "second")
    assert found.arn is not None
    assert ":assumed-role/SecondRole/" in found.arn
    assert [entry.params["RoleArn"] for entry in world.sts.requests] == [DEPLOY, SECOND]


@pytest.mark.parametrize(
    ("written", "given", "expected"),
    [
        pytest.param("", "payments-dev", "payments-dev", id="the step's"),
        pytest.param("role_session_name = laptop\n", "payments-dev", "laptop", id="the profile's"),
        pytest.param("", None, "botocore-session-", id="nobody's"),
    ],
)
@pytest.mark.parametrize("kind", ["source_profile", "web_identity_token_file"])
@pytest.mark.parametrize("region", ["eu-west-1", None], ids=["region", "profile's region"])
def test_session_names(
    world: World, tmp_path: Path, written: str, given: str | None, expected: str, kind: str,
    region: str | None,
) -> None:  # fmt: skip
    """CloudTrail shows the step, unless the profile has a name of its own, at every hop."""
    (tmp_path / "token").write_text(TOKEN)
    world.sts.add_token(TOKEN, roles=[DEPLOY])
    value = {"source_profile": "base", "web_identity_token_file": f"{tmp_path}/token"}[kind]
    config = (
        f"[profile base]\n{static(world.launcher)}"
        f"[profile first]\nrole_arn = {DEPLOY}\n{kind} = {value}\n{written}"
        f"[profile dev]\nrole_arn = {SECOND}\nsource_profile = first\nregion = eu-north-1\n"
        f"{written}"
    )
    resolve(world.aws(home(tmp_path, config), session_name=given, region=region), "dev")
    names = [entry.params["RoleSessionName"] for entry in world.sts.requests]
    assert len(names) == 2
    assert all(name.startswith(expected) for name in names)
    assert given is None or set(names) == {expected}


def test_the_profiles_region_serves_when_the_step_has_none(world: World, tmp_path: Path) -> None:
    """A laptop's profile knows its region; the step need not."""
    config = (
        f"[profile base]\n{static(world.launcher)}"
        f"[profile dev]\nrole_arn = {DEPLOY}\nsource_profile = base\nregion = eu-north-1\n"
    )
    resolve(world.aws(home(tmp_path, config), region=None), "dev")
    assert "/eu-north-1/sts/" in world.sts.requests[0].headers["Authorization"]


def test_web_identity_in_a_profile(world: World, tmp_path: Path) -> None:
    """The token file is read, stripped, registered, sent."""
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    world.sts.add_token(TOKEN, roles=[DEPLOY])
    config = f"[profile ci]\nrole_arn = {DEPLOY}\nweb_identity_token_file = {token}\n"
    found = resolve(world.aws(home(tmp_path, config)), "ci")
    assert found.arn is not None
    assert world.sts.requests[0].access_key_id is None
    assert world.registry.holds_secret(TOKEN)


def test_credential_source_is_answered_by_our_own_sources(world: World, tmp_path: Path) -> None:
    """botocore's own EC2, ECS and environment lookups are not asked."""
    asked: list[str] = []

    def ask(name: str) -> AwsCredentials:
        asked.append(name)
        return credentials_of(world.launcher)

    config = f"[profile c]\nrole_arn = {DEPLOY}\ncredential_source = EcsContainer\n"
    found = resolve(world.aws(home(tmp_path, config), credential_source=ask), "c")
    assert asked == ["EcsContainer"]
    assert found.arn is not None
    assert world.sts.requests[0].access_key_id == world.launcher.access_key_id


def test_what_a_credential_source_raises_is_passed_on(world: World, tmp_path: Path) -> None:
    """The trace of the inner source is not lost."""

    def ask(name: str) -> AwsCredentials:
        raise SourceBroken(f"'{name}' is broken", hint="repair it")

    config = f"[profile c]\nrole_arn = {DEPLOY}\ncredential_source = Environment\n"
    with pytest.raises(SourceBroken, match="'Environment' is broken"):
        world.aws(home(tmp_path, config), credential_source=ask).profile_credentials("c")


BROKEN = [
    pytest.param(
        "[profile p]\naws_access_key_id = AKIAONLY\n",
        PartialCredentials,
        "incomplete",
        id="no secret",
    ),
    pytest.param(
        "[profile p]\naws_secret_access_key = only\n",
        PartialCredentials,
        "no aws_access_key_id",
        id="no id",
    ),
    pytest.param(
        "[profile p]\naws_access_key_id = AKIAONLY\naws_secret_access_key =\n",
        PartialCredentials,
        "blank",
        id="blank secret",
    ),
    pytest.param(
        f"[profile p]\nrole_arn = {DEPLOY}\nsource_profile = q\n"
        f"[profile q]\nrole_arn = {DEPLOY}\nsource_profile = p\n",
        SourceBroken,
        "leads back to itself",
        id="loop",
    ),
    pytest.param(
        f"[profile p]\nrole_arn = {DEPLOY}\nsource_profile = p\n",
        SourceBroken,
        "leads back to itself",
        id="itself",
    ),
    pytest.param(
        f"[profile p]\nrole_arn = {DEPLOY}\nsource_profile = gone\n",
        SourceBroken,
        "'gone'",
        id="source_profile missing",
    ),
    pytest.param(
        f"[profile p]\nrole_arn = {DEPLOY}\n", PartialCredentials, "source_profile", id="no source"
    ),
    pytest.param(
        f"[profile p]\nrole_arn = {DEPLOY}\ncredential_source = Cloud\n",
        SourceBroken,
        "'Cloud'",
        id="unknown credential_source",
    ),
    pytest.param(
        f"[profile p]\nrole_arn = {DEPLOY}\ncredential_source = Environment\n",
        SourceBroken,
        "not available",
        id="credential_source without sources",
    ),
    pytest.param(
        f"[profile p]\nrole_arn = {DEPLOY}\nsource_profile = b\nmfa_serial = arn:aws:iam::1:mfa/x\n"
        "[profile b]\naws_access_key_id = AKIAONLY\naws_secret_access_key = some-secret\n",
        SourceBroken,
        "MFA",
        id="MFA",
    ),
    pytest.param(
        "[profile p]\nsso_start_url = https://x.example.com\nsso_region = eu-west-1\n"
        "sso_account_id = 111111111111\nsso_role_name = Dev\n",
        SourceBroken,
        "SSO session",
        id="SSO, not signed in",
    ),
    pytest.param(
        "[profile p]\nsso_session = corp\nsso_account_id = 111111111111\nsso_role_name = Dev\n"
        "[sso-session corp]\nsso_start_url = https://x.example.com\nsso_region = eu-west-1\n",
        SourceBroken,
        "SSO session",
        id="SSO session, not signed in",
    ),
    pytest.param(
        f"[profile p]\nrole_arn = {DEPLOY}\nsource_profile = b\ncredential_source = Environment\n"
        "[profile b]\naws_access_key_id = AKIAONLY\naws_secret_access_key = some-secret\n",
        SourceBroken,
        "source_profile",
        id="two sources",
    ),
    pytest.param(
        f"[profile p]\nrole_arn = {DEPLOY}\nsource_profile = b\n[profile b]\nregion = x\n",
        SourceBroken,
        "'b'",
        id="source_profile without credentials",
    ),
    pytest.param(
        "[profile p]\nlogin_session = arn:aws:iam::111111111111:user/me\n",
        SourceBroken,
        "p",
        id="aws login",
    ),
    pytest.param("[profile p]\nregion = eu-west-1\n", SourceBroken, "no credentials", id="empty"),
    pytest.param("[profile q]\nregion = eu-west-1\n", SourceBroken, "does not exist", id="missing"),
    pytest.param("[profile p\n", SourceBroken, "cannot be read", id="no INI"),
    pytest.param(
        f"[profile p]\nrole_arn = {DEPLOY}\nweb_identity_token_file = /nonexistent/token\n",
        SourceBroken,
        "/nonexistent/token",
        id="token file missing",
    ),
]


@pytest.mark.parametrize(("config", "kind", "text"), BROKEN)
def test_a_profile_that_is_named_works_or_is_broken(
    world: World, tmp_path: Path, config: str, kind: type[IdentityError], text: str
) -> None:
    """Never passed over, always with a cure, never a traceback, never a secret."""
    with pytest.raises(kind, match=text) as caught:
        world.aws(home(tmp_path, config)).profile_credentials("p")
    assert caught.value.hint
    assert "some-secret" not in f"{caught.value}{caught.value.hint}"


def test_a_role_that_sts_refuses_keeps_awss_answer(world: World, tmp_path: Path) -> None:
    """An AccessDenied behind a profile is still an AccessDenied, with its request id."""
    config = (
        f"[profile base]\n{static(world.launcher)}"
        f"[profile dev]\nrole_arn = {SECOND}\nsource_profile = base\n"
    )
    with pytest.raises(CloudError) as caught:
        world.aws(home(tmp_path, config)).profile_credentials("dev")
    assert caught.value.code == "AccessDenied"
    assert caught.value.request_id


@pytest.mark.parametrize(
    ("environ", "profile", "expected"),
    [
        pytest.param({}, "a", "AKIAAAAAAAAAAAAAAAAA", id="named"),
        pytest.param({"AWS_PROFILE": "b"}, None, "AKIABBBBBBBBBBBBBBBB", id="AWS_PROFILE"),
        pytest.param({"AWS_PROFILE": "b"}, "a", "AKIAAAAAAAAAAAAAAAAA", id="the name wins"),
        pytest.param({"AWS_PROFILE": " "}, None, "AKIADEFAULTDEFAULTDE", id="blank"),
        pytest.param({}, None, "AKIADEFAULTDEFAULTDE", id="default"),
        pytest.param(
            {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "x"},
            "a",
            "AKIAAAAAAAAAAAAAAAAA",
            id="environment keys are another source",
        ),
    ],
)
def test_which_profile(
    world: World, tmp_path: Path, environ: dict[str, str], profile: str | None, expected: str
) -> None:
    """The manifest's name, then AWS_PROFILE, then ``default``."""
    sections = {
        "a": "AKIAAAAAAAAAAAAAAAAA",
        "b": "AKIABBBBBBBBBBBBBBBB",
        "default": "AKIADEFAULTDEFAULTDE",
    }
    text = "".join(
        f"[{name}]\naws_access_key_id={key}\naws_secret_access_key=some-secret\n"
        for name, key in sections.items()
    )
    found = resolve(world.aws({**home(tmp_path, credentials=text), **environ}), profile)
    assert found.credentials.access_key_id == expected
    assert found.credentials.secret_access_key == Secret("some-secret")


def test_files_may_lie_elsewhere(world: World, tmp_path: Path) -> None:
    """AWS's two variables name the files, a tilde is the given home, not the machine's."""
    environ = home(tmp_path)
    Path(environ["HOME"], "other").write_text(f"[d]\n{static(world.launcher)}")
    (tmp_path / "config").write_text("[profile d]\nregion=eu-south-1\n")
    environ["AWS_SHARED_CREDENTIALS_FILE"] = "~/other"
    environ["AWS_CONFIG_FILE"] = str(tmp_path / "config")
    found = resolve(world.aws(environ), "d")
    assert found.region == "eu-south-1"
    assert found.credentials == credentials_of(world.launcher)


@pytest.mark.parametrize(
    ("line", "variable"),
    [
        pytest.param("endpoint_url = http://localhost:4566", "AWS_ENDPOINT_URL", id="endpoint"),
        pytest.param("services = local", "AWS_ENDPOINT_URL_STS", id="services"),
        pytest.param("ca_bundle = /etc/corp.pem", "AWS_CA_BUNDLE", id="CA bundle"),
        pytest.param("use_fips_endpoint = true", "AWS_USE_FIPS_ENDPOINT", id="FIPS"),
        pytest.param(
            "use_dualstack_endpoint = true", "AWS_USE_DUALSTACK_ENDPOINT", id="dual-stack"
        ),
        pytest.param("sts_regional_endpoints = legacy", "step's region", id="legacy STS"),
    ],
)
def test_what_a_profile_says_of_the_way_to_aws_is_ignored_aloud(
    world: World, tmp_path: Path, line: str, variable: str
) -> None:
    """Endpoints and certificates are the environment's: a warning names the profile, of the source
    profile as well, and the variable.
    """
    config = (
        f"[profile base]\n{line}\n{static(world.launcher)}"
        f"[profile dev]\nrole_arn = {DEPLOY}\nsource_profile = base\nregion = eu-north-1\n"
        "[services local]\nsts =\n  endpoint_url = http://localhost:4566\n"
    )
    settings = AwsSettings(region=None, endpoints={"": world.sts.url})
    aws = BotoAws(settings, world.registry, home(tmp_path, config), pace=world.time.pace())
    resolve(aws, "dev")
    (warning,) = aws.take_warnings()
    assert warning.startswith("ignored: ")
    assert "'base'" in warning
    assert variable in warning
    assert len(world.sts.requests) == 1


def test_a_setting_that_the_environment_overrides_is_not_worth_a_word(
    world: World, tmp_path: Path
) -> None:
    """The environment's endpoint wins over the profile's everywhere."""
    config = f"[profile d]\nendpoint_url = http://localhost:4566\n{static(world.launcher)}"
    aws = world.aws(home(tmp_path, config))
    resolve(aws, "d")
    assert aws.take_warnings() == ()


def test_the_request_id_of_the_profiles_role_is_kept(world: World, tmp_path: Path) -> None:
    """The way back to CloudTrail begins at the launcher."""
    config = (
        f"[profile base]\n{static(world.launcher)}"
        f"[profile dev]\nrole_arn = {DEPLOY}\nsource_profile = base\n"
    )
    assert resolve(world.aws(home(tmp_path, config)), "dev").request_id


@pytest.mark.parametrize(
    "config",
    [
        pytest.param("", id="no file"),
        pytest.param("[profile other]\nregion = eu-west-1\n", id="no default"),
        pytest.param("[default]\nregion = eu-west-1\n", id="default without credentials"),
    ],
)
def test_without_a_name_nothing_is_nothing(world: World, tmp_path: Path, config: str) -> None:
    """Only where nobody named a profile, its absence is no error."""
    assert world.aws(home(tmp_path, config)).profile_credentials(None) is None


def test_the_machines_own_environment_is_not_asked(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read is what was passed in."""
    monkeypatch.setenv("AWS_PROFILE", "machine")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMACHINE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "machine-secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    found = resolve(world.aws(home(tmp_path, credentials=f"[d]\n{static(world.launcher)}")), "d")
    assert found.credentials == credentials_of(world.launcher)
