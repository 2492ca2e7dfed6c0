"""The child's environment: what an identity could hide in is gone, the step's own is there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamari_py.environment import (
    EnvironmentSpec,
    build_child_environment,
    credential_environment,
    owned_by_kind,
    owned_names,
)
from calamari_py.identity import AwsCredentials
from calamari_py.masking import Secret

CANARY = "launcher-canary"
LEADS_TO_AN_IDENTITY = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
    "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_SESSION_NAME", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_CREDENTIAL_EXPIRATION", "AWS_ACCOUNT_ID", "AWS_VAULT", "AMAZON_ACCESS_KEY_ID",
    "BOTO_CONFIG", "ECS_CONTAINER_METADATA_URI", "ECS_CONTAINER_METADATA_URI_V4",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "CI_JOB_JWT",
    "CI_JOB_JWT_V2", "GITLAB_OIDC_TOKEN", "CIRCLE_OIDC_TOKEN", "CIRCLE_OIDC_TOKEN_V2",
    "BITBUCKET_STEP_OIDC_TOKEN",
    "BUILDKITE_AGENT_ACCESS_TOKEN", "BUILDKITE_AGENT_JOB_API_SOCKET", "SYSTEM_ACCESSTOKEN",
    "SYSTEM_OIDCREQUESTURI", "aws_access_key_id", "AWS_SOMETHING_NEW",
)  # fmt: skip


def credentials() -> AwsCredentials:
    return AwsCredentials(
        access_key_id="ASIASTEP",
        secret_access_key=Secret("step-secret"),
        session_token=Secret("step-token"),
    )


@pytest.mark.parametrize("name", LEADS_TO_AN_IDENTITY)
def test_what_leads_to_another_identity_is_gone(name: str) -> None:
    """No name that selects an identity keeps the caller's value."""
    built = build_child_environment(
        EnvironmentSpec(
            inherited={name: CANARY, "PATH": "/bin"},
            credential_names=credential_environment(credentials()),
        )
    )
    assert CANARY not in built.values.values()
    assert name in owned_names([name])


@given(
    st.dictionaries(
        st.from_regex(r"(AWS|AMAZON|ECS|ACTIONS_ID_TOKEN)_[A-Z_]{1,20}", fullmatch=True),
        st.just(CANARY),
    )
)
def test_no_canary_passes(inherited: dict[str, str]) -> None:
    """Whatever the names: only harmless settings keep the caller's value."""
    built = build_child_environment(EnvironmentSpec(inherited=inherited))
    kept = [name for name, value in built.values.items() if value == CANARY]
    assert all(name not in owned_names([name]) for name in kept)


def test_the_step_gets_its_own() -> None:
    """Credentials, expiry, account and region are the step's; profiles are hidden."""
    built = build_child_environment(
        EnvironmentSpec(
            inherited={"PATH": "/bin", "AWS_REGION": "us-west-2", "AWS_PROFILE": "me"},
            credential_names=credential_environment(credentials()),
            account="111111111111",
            region="eu-west-1",
            expires_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        )
    )
    assert dict(built.values) == {
        "PATH": "/bin",
        "AWS_ACCESS_KEY_ID": "ASIASTEP",
        "AWS_SECRET_ACCESS_KEY": "step-secret",
        "AWS_SESSION_TOKEN": "step-token",
        "AWS_CREDENTIAL_EXPIRATION": "2026-01-02T03:04:05Z",
        "AWS_ACCOUNT_ID": "111111111111",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    assert built.removed == ("AWS_PROFILE",)


def test_an_unknown_region_is_not_an_empty_one() -> None:
    """Without a region neither region variable exists: an empty one breaks SDKs."""
    built = build_child_environment(EnvironmentSpec(inherited={"AWS_REGION": "us-west-2"}))
    assert "AWS_REGION" not in built.values
    assert "AWS_DEFAULT_REGION" not in built.values


@pytest.mark.parametrize(
    ("inherit", "kept"),
    [
        pytest.param(True, {"PATH", "HOME", "LC_ALL", "MY_TOOL", "OTHER"}, id="all"),
        pytest.param(False, {"PATH", "HOME", "LC_ALL"}, id="none"),
        pytest.param(("MY_*",), {"PATH", "HOME", "LC_ALL", "MY_TOOL"}, id="list"),
    ],
)
def test_inherit_env(inherit: bool | tuple[str, ...], kept: set[str]) -> None:
    """`inherit_env` narrows what passes; a few names always do."""
    inherited = dict.fromkeys(("PATH", "HOME", "LC_ALL", "MY_TOOL", "OTHER"), "x")
    built = build_child_environment(EnvironmentSpec(inherited=inherited, inherit=inherit))
    assert set(built.passed) == kept


@pytest.mark.parametrize(
    "name", ["AWS_CA_BUNDLE", "AWS_PAGER", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"]
)
def test_harmless_settings_pass(name: str) -> None:
    """What selects no identity passes and may stand under `env`."""
    built = build_child_environment(EnvironmentSpec(inherited={name: "v"}, inherit=False))
    assert built.values[name] == "v"
    assert owned_names([name]) == []


def test_scrub_names_are_dropped_and_owned() -> None:
    """The names that secrets came from do not reach the child."""
    names = frozenset({"API_TOKEN"})
    built = build_child_environment(
        EnvironmentSpec(inherited={"API_TOKEN": CANARY}, scrub_names=names)
    )
    assert "API_TOKEN" not in built.values
    assert owned_names(["API_TOKEN", "OTHER"], names) == ["API_TOKEN"]


def test_prepend_keeps_the_rest() -> None:
    """A list-like name gets the kind's entry first and keeps what `env` or the caller had."""
    built = build_child_environment(
        EnvironmentSpec(
            inherited={"PYTHONPATH": "/theirs"},
            prepend={"PYTHONPATH": "/ours"},
            overlay={"PYTHONPATH": "/manifest"},
        )
    )
    assert built.values["PYTHONPATH"] == "/ours:/manifest"


@pytest.mark.parametrize(
    ("name", "passes"),
    [
        pytest.param("TF_CLI_ARGS_plan", False, id="a pattern"),
        pytest.param("TF_DATA_DIR", False, id="another name of it"),
        pytest.param("TF_TOKEN_app", True, id="excepted by a pattern"),
        pytest.param("TF_CLI_CONFIG_FILE", True, id="excepted by name"),
        pytest.param("PLAIN", False, id="a plain name"),
        pytest.param("PLAINER", True, id="no other name"),
    ],
)
def test_what_a_kind_scrubs(name: str, passes: bool) -> None:
    """A kind keeps names of the caller from its tool, but for those that it excepts; what the
    manifest or the kind itself sets is not the caller's."""
    scrub = ("TF_*", "PLAIN", "!TF_TOKEN_*", "!TF_CLI_CONFIG_FILE")
    built = build_child_environment(EnvironmentSpec(inherited={name: CANARY}, scrub=scrub))
    assert (built.values.get(name) == CANARY) is passes
    assert (name in built.removed) is not passes
    again = EnvironmentSpec(
        inherited={name: CANARY}, scrub=scrub, kind_names={name: "kind"}, overlay={}
    )
    assert build_child_environment(again).values[name] == "kind"
    again = EnvironmentSpec(inherited={name: CANARY}, scrub=scrub, overlay={name: "manifest"})
    assert build_child_environment(again).values[name] == "manifest"


def test_what_a_kind_keeps_for_itself() -> None:
    """Each name has the advice of the first pattern that it matches."""
    owned = {"TF_CLI_ARGS_plan": "one", "TF_CLI_ARGS*": "two", "TF_LOG*": "three"}
    names = ("TF_CLI_ARGS_plan", "TF_CLI_ARGS", "TF_LOG_PATH", "TF_VAR_x", "PATH")
    assert owned_by_kind(names, owned) == {
        "TF_CLI_ARGS_plan": "one", "TF_CLI_ARGS": "two", "TF_LOG_PATH": "three",
    }  # fmt: skip
