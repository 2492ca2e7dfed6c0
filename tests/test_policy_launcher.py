"""The operator's policy on who a manifest may start as."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from calamari_py.manifest.types import Account
from calamari_py.policy.rules import PolicyRules
from tests.test_policy import DEV, OIDC, UNRELATED, WITH_ROLE, check, paths, policy_of

KEYS = "access_key_id: AKIA0, secret_access_key: s3cr3t-0"


@pytest.mark.parametrize(
    ("account", "environ", "refused"),
    [
        pytest.param("{type: profile, profile: ops}", "dev", None, id="the manifest names it"),
        pytest.param("{type: profile, profile: dev}", "ops", "account.profile", id="another"),
        pytest.param("{type: profile, profile: default}", "", "account.profile", id="default"),
        pytest.param("{type: profile, profile: OPS}", "", "account.profile", id="case counts"),
        pytest.param("{type: profile, profile: ' ops '}", "", None, id="spaces do not count"),
        pytest.param("profile", "", "account", id="nothing names it: default"),
        pytest.param("profile", "  ", "account", id="a blank name names nothing"),
        pytest.param("profile", "ops", None, id="the environment names it"),
        pytest.param("profile", " ops ", None, id="the environment's spaces do not count"),
        pytest.param("profile", "dev", "account", id="the environment names another"),
        pytest.param("{type: profile, profile: ' '}", "dev", "account", id="blank in the manifest"),
        pytest.param("ambient", "ops", None, id="ambient finds it"),
        pytest.param("ambient", "dev", "account", id="ambient would find another"),
        pytest.param("ambient", "", None, id="ambient has no default profile"),
        pytest.param("auto", "dev", "account", id="auto would find another"),
        pytest.param("auto", "", None, id="auto has no default profile"),
        pytest.param("{source: imds}", "dev", None, id="a pinned source reads no profile"),
        pytest.param(f"{{type: access-key, {KEYS}}}", "dev", None, id="keys read no profile"),
        pytest.param("none", "dev", None, id="nobody"),
    ],
)
def test_the_profile_that_would_be_used(
    tmp_path: Path, account: str, environ: str, refused: str | None
) -> None:
    """The one that the manifest, else AWS_PROFILE, else AWS's own default names."""
    policy = policy_of(tmp_path, "profiles: [ops]")
    role = "" if account == "none" else f"assume_role: {DEV}\n"
    text = f"name: step\naccount: {account}\n{role}script: echo\n"
    problems = check(policy, text, environ={"AWS_PROFILE": environ})
    assert paths(problems) == [refused] * (refused is not None)
    if not environ:
        assert check(policy, text) == problems


def test_a_profile_that_the_manifest_does_not_name_is_named(tmp_path: Path) -> None:
    """Who reads the refusal sees which profile it was."""
    policy = policy_of(tmp_path, "profiles: [ops]")
    (problem,) = check(policy, f"account: profile\n{WITH_ROLE}")
    assert problem.message.startswith("profile 'default' is not allowed by the policy '")
    assert problem.hint == "whoever keeps the policy can allow it under 'profiles'"


@pytest.mark.parametrize(
    ("sources", "account", "refused"),
    [
        pytest.param("[web-identity]", "{source: web-identity}", False, id="listed"),
        pytest.param("[web-identity]", "{source: imds}", True, id="the node's role"),
        pytest.param("[web-identity]", "ambient", True, id="auto is a source like the others"),
        pytest.param("[web-identity]", "{source: auto}", True, id="auto said aloud"),
        pytest.param("[auto]", "ambient", False, id="auto is listed"),
        pytest.param("[auto]", "{source: imds}", True, id="auto lists no other"),
        pytest.param("[web-identity]", f"{{type: auto, {KEYS}}}", True, id="type auto is auto"),
        pytest.param("[auto]", f"{{type: auto, {KEYS}}}", False, id="type auto as well"),
        pytest.param("[]", "profile", False, id="a profile is no source"),
        pytest.param("[]", f"{{type: access-key, {KEYS}}}", False, id="keys are no source"),
    ],
)  # fmt: skip
def test_sources(tmp_path: Path, sources: str, account: str, refused: bool) -> None:
    """Where the launcher is looked for is the operator's to say, searching everywhere included."""
    policy = policy_of(tmp_path, f"sources: {sources}")
    problems = check(policy, f"account: {account}\n{WITH_ROLE}")
    assert paths(problems) == ["account.source"] * refused


def test_the_sources_are_the_manifests() -> None:
    """Whatever a manifest can pin, a policy can list."""
    of_policy = get_args(get_args(get_type_hints(PolicyRules)["sources"])[0])[0]
    assert get_args(of_policy) == get_args(get_type_hints(Account)["source"])


@pytest.mark.parametrize("type_", ["ambient", "auto"])
@pytest.mark.parametrize(
    ("rules", "refused"),
    [
        pytest.param(UNRELATED, True, id="any policy"),
        pytest.param(f"{UNRELATED}\nallow_fallback: false", True, id="no"),
        pytest.param(f"{UNRELATED}\nallow_fallback: true", False, id="yes"),
    ],
)
def test_a_broken_source_is_not_passed_over(
    tmp_path: Path, rules: str, refused: bool, type_: str
) -> None:
    """Under a policy no manifest goes on to the next identity, unless the policy says so."""
    policy = policy_of(tmp_path, rules)
    text = f"account: {{type: {type_}, fallback: true}}\n{WITH_ROLE}"
    assert paths(check(policy, text)) == ["account.fallback"] * refused
    assert check(policy, text.replace("true", "false")) == []


def test_the_launcher_is_not_exposed(tmp_path: Path) -> None:
    """Under any policy the launcher's values stay with the launcher, unless it says otherwise."""
    text = f"account: {{type: ambient, expose_to_step: true}}\n{WITH_ROLE}"
    assert paths(check(policy_of(tmp_path, UNRELATED), text)) == ["account.expose_to_step"]
    allowing = policy_of(tmp_path, f"{UNRELATED}\nallow_expose_to_step: true")
    assert check(allowing, text) == []


def test_the_session_name_that_a_profiles_role_gets(tmp_path: Path) -> None:
    """calamari names the session of a profile's role, where the profile does not."""
    policy = policy_of(tmp_path, "session_names: [fine]")
    text = f"name: forged\nassume_role: [{{role_arn: '{DEV}', session_name: fine}}]\nscript: echo\n"
    assert paths(check(policy, f"account: profile\n{text}")) == ["account"]


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param("token_file: /run/token", id="any file"),
        pytest.param("token_from: {from_env: TOKEN}", id="any variable"),
        pytest.param("token_from: gitlab", id="a CI system"),
    ],
)
def test_a_token_is_limited_by_its_role(tmp_path: Path, origin: str) -> None:
    """Wherever a token is from, it becomes no role that the policy does not list."""
    text = OIDC.format(role=DEV, more="").replace("token_file: t", origin)
    other = policy_of(tmp_path, "roles: ['arn:aws:iam::111111111111:role/Other']")
    assert "account.role_arn" in paths(check(other, text))
    allowing = policy_of(tmp_path, f"roles: ['{DEV}']\nallow_launcher_as_role: true")
    assert check(allowing, text) == []
    assert paths(check(policy_of(tmp_path, "account_types: [ambient]"), text)) == ["account.type"]
