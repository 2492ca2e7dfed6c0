"""The child's environment holds nothing of the launcher, whatever the caller's holds."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamari_py.environment import EnvironmentSpec, build_child_environment
from tests.integration.conftest import Calamari
from tests.integration.promises import (
    DELIVERIES,
    Cloud,
    assert_nowhere,
    first_line,
    head,
    started,
    without,
)

PREFIXES = ("AWS_", "AMAZON_", "ECS_", "ACTIONS_ID_TOKEN_", "CI_JOB_JWT", "CIRCLE_OIDC_TOKEN",
            "BUILDKITE_AGENT_JOB_API_", "CALAMARI_")  # fmt: skip
NAMES = ("BOTO_CONFIG", "BITBUCKET_STEP_OIDC_TOKEN", "BUILDKITE_AGENT_ACCESS_TOKEN",
         "SYSTEM_ACCESSTOKEN", "SYSTEM_OIDCREQUESTURI")  # fmt: skip
KNOWN = (
    *(f"AWS_{rest}" for rest in (
        "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "SECURITY_TOKEN", "PROFILE",
        "DEFAULT_PROFILE", "ROLE_ARN", "ROLE_SESSION_NAME", "WEB_IDENTITY_TOKEN_FILE",
        "CONTAINER_CREDENTIALS_FULL_URI", "CONTAINER_CREDENTIALS_RELATIVE_URI",
        "CONTAINER_AUTHORIZATION_TOKEN", "CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "CREDENTIAL_EXPIRATION", "CREDENTIAL_FILE", "ACCOUNT_ID", "CONFIG_FILE",
        "SHARED_CREDENTIALS_FILE", "SDK_LOAD_CONFIG", "EC2_METADATA_SERVICE_ENDPOINT",
        "EC2_METADATA_SERVICE_ENDPOINT_MODE", "EC2_METADATA_DISABLED", "VAULT",
        "SSO_ACCESS_TOKEN", "LOGIN_CACHE_DIRECTORY", "EXECUTION_ENV", "LAMBDA_RUNTIME_API",
        "DATA_PATH",
    )),
    "AMAZON_ACCESS_KEY_ID", "ECS_CONTAINER_METADATA_URI_V4", "ECS_AGENT_URI",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "CI_JOB_JWT",
    "CI_JOB_JWT_V2", "CIRCLE_OIDC_TOKEN", "CIRCLE_OIDC_TOKEN_V2", "BUILDKITE_AGENT_JOB_API_TOKEN",
    "BUILDKITE_AGENT_JOB_API_SOCKET", *NAMES,
)  # fmt: skip
"""What selects an identity, or leads to one, on a worker or in a CI system."""

HARMLESS = ("AWS_CA_BUNDLE", "AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE", "AWS_PAGER",
            "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_SDK_UA_APP_ID")  # fmt: skip
SET = {"AWS_CREDENTIAL_EXPIRATION", "AWS_ACCOUNT_ID", "AWS_REGION", "AWS_DEFAULT_REGION",
       "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"}  # fmt: skip
"""The names that every delivery's child has."""

DELIVERED = {
    "env": {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"},
    "endpoint": {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"},
    "profile": {"AWS_PROFILE", "AWS_SDK_LOAD_CONFIG"},
}


def is_harmless(name: str) -> bool:
    return name in HARMLESS or name.startswith("AWS_ENDPOINT_URL")


def in_any_case(name: str) -> st.SearchStrategy[str]:
    """`name`, and mixtures of upper and lower case."""
    mixed = st.tuples(*(st.sampled_from((letter, letter.lower())) for letter in name))
    return st.just(name) | mixed.map("".join)


tails = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789", max_size=30)
made_up = st.tuples(st.sampled_from(PREFIXES), tails).map("".join)
names = (st.sampled_from(KNOWN) | made_up).flatmap(in_any_case).filter(
    lambda name: not is_harmless(name)
)  # fmt: skip


@given(st.lists(names, unique=True, max_size=40), st.booleans())
def test_no_name_keeps_a_canary(found: list[str], inherit: bool) -> None:
    """Every name that selects or leads to an identity, known or not, in any case, is dropped."""
    inherited = {name: f"canary of {name}" for name in found} | {"PATH": "/bin"}
    built = build_child_environment(EnvironmentSpec(inherited=inherited, inherit=inherit))
    assert not [name for name, value in built.values.items() if value.startswith("canary")]


def canaries() -> dict[str, str]:
    """A caller's environment full of other identities: the known names, and many made up."""
    chance = random.Random(7)
    made = ["".join(chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", k=12)) for _ in range(60)]
    found = [*KNOWN, *(f"{chance.choice(PREFIXES)}{tail}" for tail in made)]
    found += [name.lower() for name in found[::3]]
    return {name: f"canary-of-{name}" for name in found if not is_harmless(name)}


@pytest.mark.process
@pytest.mark.parametrize(
    ("command", "delivery"), [("exec", "env"), *(("run", delivery) for delivery in DELIVERIES)]
)
def test_a_real_child(command: str, delivery: str, trusted: Calamari, cloud: Cloud) -> None:
    """What a process in the step really has: no canary, no value of the launcher, and of AWS's
    names exactly those that the step owns.
    """
    show = "cat /proc/$$/environ > environ; echo done; read -r _"
    keys = {"Key": "AWS_ACCESS_KEY_ID", "Secret": "AWS_SECRET_ACCESS_KEY",
            "Token": "AWS_SESSION_TOKEN"}  # fmt: skip
    variables = "".join(f"  {name}: {{from_env: L_{name}, sensitive: true}}\n" for name in keys)
    trusted.write(
        head(delivery).replace(
            "variables: {Password: {from_env: STEP_PASSWORD, sensitive: true}}\n",
            "variables:\n  Password: {from_env: STEP_PASSWORD, sensitive: true}\n" + variables,
        )
        + "account:\n  type: access-key\n  access_key_id: '{{ Key }}'\n"
        "  secret_access_key: '{{ Secret }}'\n  session_token: '{{ Token }}'\n"
        f"script: '{show}'\n"
    )
    given_keys = {f"L_{name}": trusted.environment[variable] for name, variable in keys.items()}
    bare = Calamari(trusted.folder, without(list(keys.values()), trusted.environment))
    arguments = {
        "run": ["run", "step.yaml", "--interactive"],
        "exec": ["exec", "step.yaml", "--", "bash", "-c", show],
    }[command]
    with started(bare, *arguments, env={**canaries(), **given_keys}) as process:
        assert first_line(process) == "done"
        text = (trusted.folder / "environ").read_text()
        process.communicate(b"\n", timeout=30)
    child = dict(entry.partition("=")[::2] for entry in text.split("\0") if entry)
    assert not [name for name, value in child.items() if "canary-of-" in value]
    launcher = cloud.launcher
    values = (launcher.access_key_id, launcher.secret_access_key, str(launcher.session_token))
    assert_nowhere(values, {"the environment": text})
    aws = {name for name in child if name.upper().startswith("AWS_") and not is_harmless(name)}
    expected = SET | DELIVERED[delivery]
    assert aws == (expected if delivery == "env" else expected - {"AWS_CREDENTIAL_EXPIRATION"})
    assert not [n for n in child if n.startswith(PREFIXES[1:-1]) or n in NAMES or n[:2] == "L_"]


@pytest.mark.process
@pytest.mark.preloaded
@pytest.mark.parametrize("delivery", DELIVERIES)
def test_no_session_is_kept_for_another(delivery: str, trusted: Calamari, cloud: Cloud) -> None:
    """Every run assumes its role with its own launcher: there is no cache between them."""
    other = cloud.sts.add_session(cloud.launcher.role_arn or "", "another")
    keys = {
        "AWS_ACCESS_KEY_ID": other.access_key_id,
        "AWS_SECRET_ACCESS_KEY": other.secret_access_key,
        "AWS_SESSION_TOKEN": str(other.session_token),
    }
    trusted.write(head(delivery) + "script: 'true'\n")
    for extra in ({}, keys):
        assert trusted("run", "step.yaml", env=extra).code == 0
    callers = [log.access_key_id for log in cloud.sts.requests if log.action == "AssumeRole"]
    assert callers == [cloud.launcher.access_key_id, other.access_key_id]
    assert list(Path(trusted.environment["HOME"]).iterdir()) == []
