"""The operator's policy: what a manifest may name, whatever its author writes."""

from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamari_py.errors import FileMissing, ManifestError, PolicyRefused, Problem, exit_code_of
from calamari_py.identity import RoleArn, RoleRequest
from calamari_py.manifest.types import TokenFrom
from calamari_py.policy import OperatorPolicy, PolicyRules, load_policy
from calamari_py.policy.rules import endpoint_origin
from calamari_py.runner.requests import build_role_requests
from tests.manifest.support import load_text

UNRELATED = "token_commands: [/opt/unrelated]"
"""A policy that limits something, and none of what the test is about."""
DEV = "arn:aws:iam::111111111111:role/DevDeployRole"
PATHED = "arn:aws:iam::111111111111:role/team/a/Deploy"
CHINA = "arn:aws-cn:iam::333333333333:role/Deploy"
WITH_ROLE = f"name: step\nassume_role: {DEV}\nscript: echo\n"
OIDC = (
    "name: step\naccount: {{type: oidc, role_arn: '{role}', token_file: t{more}}}\nscript: echo\n"
)


def policy_of(tmp_path: Path, text: str) -> OperatorPolicy:
    """`text` loaded as a policy file."""
    file = tmp_path / "ops.yaml"
    file.write_text(text, "utf-8")
    return load_policy(file)


def hop(**fields: str) -> str:
    """A manifest with one hop that has `fields`."""
    inner = ", ".join(f"{key}: {value}" for key, value in {"role_arn": DEV, **fields}.items())
    return f"name: step\nassume_role: [{{{inner}}}]\nscript: echo\n"


def check(
    policy: OperatorPolicy,
    text: str,
    *,
    region: str | None = None,
    endpoints: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> list[Problem]:
    """What `policy` refuses of the manifest `text`."""
    step = load_text(text).manifest
    requests = build_role_requests(step, longest_run=None)
    return policy.check(step, requests, region=region, endpoints=endpoints or {}, environ=environ)


def paths(problems: list[Problem]) -> list[str]:
    """Where the problems are."""
    return [problem.path for problem in problems]


@pytest.mark.parametrize(
    ("policy", "refused"),
    [
        pytest.param(f"roles: ['{DEV}']", ["b", "c"], id="roles"),
        pytest.param('accounts: ["111111111111"]', ["c"], id="accounts"),
        pytest.param("partitions: [aws-cn]", ["a", "b", "c"], id="partitions"),
        pytest.param(UNRELATED, [], id="no limit"),
    ],
)
def test_further_roles(policy: str, refused: list[str], tmp_path: Path) -> None:
    """A role that the step hands to AWS is limited as one that it assumes; what is no role ARN is
    refused where roles are limited at all."""
    roles = {"a": DEV, "b": PATHED, "c": "no role"}
    problems = policy_of(tmp_path, policy).check_roles(roles.items())
    assert paths(problems) == refused
    assert all(problem.hint for problem in problems)


RULES = [
    pytest.param('accounts: ["111111111111"]', 'accounts: ["222222222222"]', "accounts: []",
                 WITH_ROLE, "assume_role[0].role_arn", id="accounts"),
    pytest.param(f"roles: ['{DEV}']", "roles: ['arn:aws:iam::111111111111:role/Prod*']",
                 "roles: []", WITH_ROLE, "assume_role[0].role_arn", id="roles"),
    pytest.param("partitions: [aws]", "partitions: [aws-cn]", "partitions: []",
                 WITH_ROLE, "assume_role[0].role_arn", id="partitions"),
    pytest.param("external_ids: [ext-1]", "external_ids: [ext-2]", "external_ids: []",
                 hop(external_id="ext-1"), "assume_role[0].external_id", id="external_ids"),
    pytest.param("session_names: ['pay-*']", "session_names: ['shop-*']", "session_names: []",
                 f"project: pay\n{WITH_ROLE}", "assume_role[0].session_name",
                 id="session_names made by default"),
    pytest.param("session_names: [step, 'x-?']", "session_names: [step]", "session_names: []",
                 hop(session_name="x-1"), "assume_role[0].session_name", id="session_names given"),
    pytest.param("source_identities: ['rel-*']", "source_identities: ['pr-*']",
                 "source_identities: []", hop(source_identity="rel-1"),
                 "assume_role[0].source_identity", id="source_identities"),
    pytest.param("tags: {Project: ['pay*']}", "tags: {Project: [shop]}", "tags: {}",
                 hop(tags="{Project: payments}"), "assume_role[0].tags.Project", id="tags"),
    pytest.param("projects: ['pay*']", "projects: [shop]", "projects: []",
                 f"project: payments\n{WITH_ROLE}", "project", id="projects"),
    pytest.param("environments: [dev, 'test-?']", "environments: [dev]", "environments: []",
                 f"environment: test-1\n{WITH_ROLE}", "environment", id="environments"),
    pytest.param("deployments: ['deployments-*']", "deployments: [deployments]", "deployments: []",
                 f"deployment_id: deployments-4\n{WITH_ROLE}", "deployment_id", id="deployments"),
    pytest.param("sources: [imds, auto]", "sources: [imds]", "sources: []",
                 WITH_ROLE, "account.source", id="sources"),
    pytest.param("account_types: [ambient]", "account_types: [oidc]", "account_types: []",
                 WITH_ROLE, "account.type", id="account_types"),
    pytest.param("profiles: [ops]", "profiles: [dev]", "profiles: []",
                 f"account: {{type: profile, profile: ops}}\n{WITH_ROLE}", "account.profile",
                 id="profiles"),
    pytest.param("endpoints: ['https://s3.corp:443']", "endpoints: ['https://s3.corp:8443']",
                 "endpoints: []",
                 f"env: {{AWS_ENDPOINT_URL_S3: 'https://s3.corp/'}}\n{WITH_ROLE}",
                 "env.AWS_ENDPOINT_URL_S3", id="endpoints"),
    pytest.param(f"accounts: ['111111111111']\nroles: ['{DEV}']", "accounts: ['222222222222']",
                 "roles: []", OIDC.format(role=DEV, more="") + f"assume_role: {DEV}\n",
                 "account.role_arn", id="the role of a token"),
]  # fmt: skip


@pytest.mark.parametrize(("allowed", "refused", "empty", "manifest", "path"), RULES)
def test_every_key(
    tmp_path: Path, allowed: str, refused: str, empty: str, manifest: str, path: str
) -> None:
    """A key lets through what it lists, refuses the rest at its place, and with nothing all."""
    assert check(policy_of(tmp_path, allowed), manifest) == []
    assert path in paths(check(policy_of(tmp_path, refused), manifest))
    assert path in paths(check(policy_of(tmp_path, empty), manifest))
    assert check(policy_of(tmp_path, UNRELATED), manifest) == []


@pytest.mark.parametrize(
    ("rules", "region", "refused"),
    [
        pytest.param("regions: [eu-*]", "eu-west-1", False, id="inside"),
        pytest.param("regions: [eu-*]", "us-east-1", True, id="outside"),
        pytest.param("regions: []", "eu-west-1", True, id="nothing is allowed"),
        pytest.param(UNRELATED, "us-east-1", False, id="absent"),
        pytest.param("regions: [eu-*]", None, False, id="not known yet"),
        pytest.param("regions: [eu-west-?]", "eu-west-10", True, id="one character"),
    ],
)
def test_region(tmp_path: Path, rules: str, region: str | None, refused: bool) -> None:
    """The step's region fits a pattern, when it is known and when it turns up later."""
    policy = policy_of(tmp_path, rules)
    assert paths(check(policy, WITH_ROLE, region=region)) == ["region"] * refused
    assert paths(policy.check_region(region)) == ["region"] * refused


@pytest.mark.parametrize(
    ("pattern", "role", "allowed"),
    [
        pytest.param("arn:aws:iam::111111111111:role/*", PATHED, True, id="a star crosses slashes"),
        pytest.param("arn:aws:iam::111111111111:role/Deploy", PATHED, False, id="the path counts"),
        pytest.param("arn:aws:iam::111111111111:role/devdeployrole", DEV, False, id="case counts"),
        pytest.param("arn:aws:iam::111111111111:role/DevDeployRol?", DEV, True, id="one character"),
        pytest.param("arn:aws:iam::111111111111:role/DevDeploy", DEV, False, id="no prefix match"),
        pytest.param("arn:aws:iam::111111111111:role/DeployRole", DEV, False, id="no suffix match"),
        pytest.param("arn:aws:iam::*:role/Deploy", CHINA, False, id="the partition counts"),
        pytest.param("arn:aws*:iam::*:role/Deploy", CHINA, True, id="any partition"),
        pytest.param("arn:aws:iam::1*1:role/DevDeployRole", DEV, True, id="part of an account"),
        pytest.param("arn:aws:iam::*:role/ops/*",
                     "arn:aws:iam::111111111111:role/x:role/ops/Admin", False,
                     id="a star ends with its part of the ARN"),
        pytest.param("arn:aws:iam::111111111111:role/[D]*", DEV, False, id="brackets are literal"),
        pytest.param("arn:aws:iam::111111111111:role/.*", DEV, False, id="dots are literal"),
    ],
)  # fmt: skip
def test_role_patterns(tmp_path: Path, pattern: str, role: str, allowed: bool) -> None:
    """Patterns are IAM's: `*` and `?` alone, the whole ARN, part by part, letter case included."""
    problems = check(policy_of(tmp_path, f"roles: ['{pattern}']"),
                     f"name: step\nassume_role: {role}\nscript: echo\n")  # fmt: skip
    assert (problems == []) is allowed


@pytest.mark.parametrize(
    "role",
    [
        pytest.param(f"{DEV}\n", id="a newline at the end"),
        pytest.param(
            DEV.replace("e", "\N{CYRILLIC SMALL LETTER IE}"), id="a letter of another script"
        ),
        pytest.param(f"{DEV}\u200b", id="an invisible character"),
        pytest.param(f" {DEV}", id="a space before"),
    ],
)
def test_what_is_no_role_never_gets_to_the_policy(role: str) -> None:
    """A text that only looks like an allowed ARN is no role ARN."""
    with pytest.raises(ValueError, match=r"role ARN|partition"):
        RoleArn.parse(role)


_NAMES = st.text(alphabet=string.ascii_letters + string.digits + "+=,.@_-", min_size=1, max_size=64)
_PATHS = st.just("/") | st.text(
    alphabet=[chr(code) for code in range(0x21, 0x7F)], min_size=1, max_size=40
).map(lambda inner: f"/{inner}/")


@given(account=st.from_regex(r"\A[0-9]{12}\Z"), path=_PATHS, name=_NAMES)
def test_no_other_role_gets_through(account: str, path: str, name: str) -> None:
    """Whatever account, path and name a manifest makes up: outside of the pattern is refused."""
    role = RoleArn.parse(f"arn:aws:iam::{account}:role{path}{name}")
    policy = OperatorPolicy(
        name="ops", rules=PolicyRules(roles=("arn:aws:iam::111111111111:role/ops/Deploy*",))
    )
    step = load_text(WITH_ROLE).manifest
    request = RoleRequest(role=role, session_name="step")
    inside = account == "111111111111" and f"{path}{name}".startswith("/ops/Deploy")
    problems = policy.check(step, (request,), region=None, endpoints={})
    assert (problems == []) is inside


def test_every_hop_is_checked(tmp_path: Path) -> None:
    """A role on the way is a role, too."""
    policy = policy_of(tmp_path, f"roles: ['{DEV}']")
    text = f"name: step\nassume_role: ['{PATHED}', '{DEV}', '{PATHED}2']\nscript: echo\n"
    assert paths(check(policy, text)) == ["assume_role[0].role_arn", "assume_role[2].role_arn"]


def test_a_problem_says_which_policy_and_where_to_ask(tmp_path: Path) -> None:
    """Message and hint name what was refused, the policy's file and its key."""
    policy = policy_of(tmp_path, 'accounts: ["222222222222"]')
    (problem,) = check(policy, WITH_ROLE)
    assert problem.message == (
        f"account '111111111111' is not allowed by the policy '{tmp_path / 'ops.yaml'}'"
    )
    assert problem.hint == "whoever keeps the policy can allow it under 'accounts'"
    assert "222222222222" not in problem.message + problem.hint


def test_external_ids_are_never_shown(tmp_path: Path) -> None:
    """Neither the one that was written nor those that are allowed."""
    policy = policy_of(tmp_path, "external_ids: [right-external-id]")
    (problem,) = check(policy, hop(external_id="wrong-external-id"))
    assert "external-id" not in f"{problem.message}{problem.hint}"


@pytest.mark.parametrize(
    ("rules", "manifest", "refused"),
    [
        pytest.param(UNRELATED, "name: s\nscript: echo\n", False, id="nothing limits it"),
        pytest.param("regions: [eu-*]", "name: s\nscript: echo\n", False, id="no limit on roles"),
        pytest.param(f"roles: ['{DEV}']", "name: s\nscript: echo\n", True, id="roles"),
        pytest.param('accounts: ["111111111111"]', "name: s\nscript: echo\n", True, id="accounts"),
        pytest.param("partitions: [aws]", "name: s\nscript: echo\n", True, id="partitions"),
        pytest.param("session_policy: {Statement: []}", "name: s\nscript: echo\n", True,
                     id="a session policy has nothing to apply to"),
        pytest.param(f"roles: ['{DEV}']\nallow_launcher_as_role: true",
                     "name: s\nscript: echo\n", False, id="said aloud"),
        pytest.param("allow_launcher_as_role: false", "name: s\nscript: echo\n", True, id="never"),
        pytest.param("allow_launcher_as_role: false", WITH_ROLE, False, id="a role is named"),
        pytest.param("allow_launcher_as_role: false", "name: s\naccount: none\nscript: echo\n",
                     False, id="no credentials at all"),
    ],
)  # fmt: skip
def test_the_launcher_as_role(tmp_path: Path, rules: str, manifest: str, refused: bool) -> None:
    """Where the roles are limited, leaving the role out is no way around it."""
    assert paths(check(policy_of(tmp_path, rules), manifest)) == ["assume_role"] * refused


@pytest.mark.parametrize(
    ("rules", "command", "refused"),
    [
        pytest.param("token_commands: [/opt/mint]", "/opt/mint", False, id="listed"),
        pytest.param("token_commands: [/opt/mint]", "/tmp/mint", True, id="another"),
        pytest.param("token_commands: [/opt/mint]", "/opt/../opt/mint", True, id="a detour"),
        pytest.param("token_commands: [/opt/mint]", "mint", True, id="by PATH"),
        pytest.param("token_commands: []", "/opt/mint", True, id="none"),
        pytest.param("regions: [eu-*]", "/tmp/mint", False, id="absent"),
    ],
)
def test_token_commands(tmp_path: Path, rules: str, command: str, refused: bool) -> None:
    """A token is minted by a program that the operator named, to the letter."""
    step = load_text(OIDC.format(role=DEV, more="")).manifest
    account = msgspec.structs.replace(
        step.account, token_file=None, token_from=TokenFrom(command=(command, "--audience", "x"))
    )
    step = msgspec.structs.replace(step, account=account)
    problems = policy_of(tmp_path, rules).check(step, (), region=None, endpoints={})
    assert paths(problems) == ["account.token_from"] * refused


def test_the_launchers_session_name_is_checked(tmp_path: Path) -> None:
    """The session that calamari gets for a token bears a name of the manifest's making."""
    policy = policy_of(tmp_path, "session_names: [fine]")
    text = f"name: forged\nassume_role: [{{role_arn: '{DEV}', session_name: fine}}]\nscript: echo\n"
    assert paths(check(policy, text)) == ["account"]
    key = "account: {type: access-key, access_key_id: AKIA0, secret_access_key: s3cr3t-0}\n"
    assert check(policy, key + text) == []


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        pytest.param("https://sts.corp", True, id="the default port"),
        pytest.param("HTTPS://STS.corp:443/base", True, id="case and path"),
        pytest.param("http://sts.corp", False, id="another scheme"),
        pytest.param("https://sts.corp:444", False, id="another port"),
        pytest.param("https://sts.corp:4430", False, id="a port that begins like it"),
        pytest.param("https://sts.corp.evil.test", False, id="another host"),
        pytest.param("https://sts.corp@evil.test", False, id="a user"),
        pytest.param("https://evil.test\\@sts.corp", False, id="a backslash"),
        pytest.param("https://sts.corp.", False, id="a dot at the end"),
        pytest.param("https://sts.corp\nx", False, id="a newline"),
        pytest.param("https://sts.corp?x=y", False, id="a query"),
        pytest.param("//sts.corp", False, id="no scheme"),
        pytest.param("  ", True, id="blank is not set"),
    ],
)
def test_endpoints_of_the_environment(tmp_path: Path, url: str, allowed: bool) -> None:
    """An endpoint is what scheme, host and port say, in one strict reading."""
    policy = policy_of(tmp_path, "endpoints: ['https://sts.corp']")
    environ = {"AWS_ENDPOINT_URL_STS": url, "": "https://sts.corp"}
    problems = check(policy, WITH_ROLE, endpoints=environ)
    assert (problems == []) is allowed
    for problem in problems:
        assert "AWS_ENDPOINT_URL_STS" in problem.message


def test_a_password_in_an_endpoint_is_not_repeated(tmp_path: Path) -> None:
    """What cannot be read as an endpoint is not quoted."""
    policy = policy_of(tmp_path, "endpoints: []")
    environ = {"AWS_ENDPOINT_URL": "https://user:pa55word-9@sts.corp"}
    (problem,) = check(policy, WITH_ROLE, endpoints=environ)
    assert "pa55word-9" not in f"{problem.message}{problem.hint}"


def test_endpoint_ports() -> None:
    """Scheme and port make the origin."""
    assert endpoint_origin("http://[::1]:08080/x") == "http://[::1]:8080"
    assert endpoint_origin("http://A.test") == "http://a.test:80"


SESSION = "session_policy: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 's3:*'}]}"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        pytest.param({"policy": "{Statement: []}"}, "assume_role[0].policy", id="inline"),
        pytest.param({"policy": "preset:read-only"}, "assume_role[0].policy", id="a preset"),
        pytest.param({"policy_arns": f"['{READ_ONLY}']"}, "assume_role[0].policy_arns", id="arns"),
    ],
)
def test_a_second_session_policy_is_refused(
    tmp_path: Path, fields: dict[str, str], path: str
) -> None:
    """Session policies add up, so the manifest's own would widen the operator's."""
    assert paths(check(policy_of(tmp_path, SESSION), hop(**fields))) == [path]
    assert check(policy_of(tmp_path, UNRELATED), hop(**fields)) == []


def test_the_session_policy_of_a_hop_on_the_way_is_the_manifests(tmp_path: Path) -> None:
    """Only the last role is the step's."""
    text = f"name: s\nassume_role: [{{role_arn: '{DEV}', policy: {{Statement: []}}}}, '{PATHED}']\n"
    policy = policy_of(tmp_path, SESSION)
    assert check(policy, f"{text}script: echo\n") == []


def test_restrict(tmp_path: Path) -> None:
    """The last session is under the operator's policies alone, every one within the duration."""
    policy = policy_of(
        tmp_path, f"{SESSION}\nsession_policy_arns: ['{READ_ONLY}']\nmax_duration: 30m"
    )
    role = RoleArn.parse(DEV)
    first = RoleRequest(role=role, session_name="a1", policy="{}", duration=900)
    last = RoleRequest(role=role, session_name="a2", policy="{}", policy_arns=("arn:x",))
    restricted = policy.restrict((first, last))
    assert restricted[0] == first
    assert restricted[1].duration == 1800
    assert restricted[1].policy == (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*"}]}'
    )
    assert restricted[1].policy_arns == (READ_ONLY,)


def test_restrict_without_limits_changes_nothing(tmp_path: Path) -> None:
    """A policy that says nothing of sessions leaves them alone."""
    request = RoleRequest(role=RoleArn.parse(DEV), session_name="a1", policy="{}", duration=43_200)
    assert policy_of(tmp_path, UNRELATED).restrict((request,)) == (request,)
    assert policy_of(tmp_path, SESSION).restrict(()) == ()


@pytest.mark.parametrize(
    ("more", "hops", "refused"),
    [
        pytest.param(", session_duration: 2h", True, True, id="too long"),
        pytest.param(", session_duration: 30m", True, False, id="within"),
        pytest.param("", True, False, id="not said, and not the step's"),
        pytest.param("", False, True, id="the default of the step's own session"),
    ],
)
def test_the_duration_of_a_tokens_session(
    tmp_path: Path, more: str, hops: bool, refused: bool
) -> None:
    """What cannot be shortened later is refused when it is too long."""
    policy = policy_of(tmp_path, "max_duration: 30m")
    text = OIDC.format(role=DEV, more=more) + (f"assume_role: {DEV}\n" if hops else "")
    assert paths(check(policy, text)) == ["account.session_duration"] * refused


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        pytest.param("", None, "the policy is empty", id="empty"),
        pytest.param("{}", "1:1", "the policy limits nothing", id="no keys"),
        pytest.param("version: 1", "1:1", "the policy limits nothing", id="a version alone"),
        pytest.param("allow_expose_to_step: true\nallow_fallback: true", "1:1",
                     "the policy limits nothing", id="it only allows"),
        pytest.param("- accounts", "1:1", "must be a mapping of keys", id="a list"),
        pytest.param("version: 2", "1:10", "must be 1, is '2'", id="another version"),
        pytest.param("version: null", "1:10", "has no value", id="no version"),
        pytest.param("account: []", "1:1", "unknown key; did you mean 'accounts'?", id="misspelt"),
        pytest.param("accounts: [111111111111]", "1:12",
                     '111111111111 is not quoted; write "111111111111"', id="unquoted account"),
        pytest.param("accounts: '111111111111'", "1:11", "must be a list, is a text",
                     id="no list"),
        pytest.param("roles: null", "1:8", "has no value", id="null does not mean unlimited"),
        pytest.param("roles:", "1:7", "has no value", id="nothing does not mean unlimited"),
        pytest.param("roles: ['*']", "1:9", "'*' is no role ARN pattern; write one like "
                     "arn:aws:iam::111111111111:role/Deploy*", id="a star is no role"),
        pytest.param("roles: ['arn:aws:sts::111111111111:assumed-role/R/*']", "1:9",
                     "is no role ARN pattern", id="a session is no role"),
        pytest.param("regions: [EU]", "1:11", "'EU' is no region pattern", id="region"),
        pytest.param("partitions: [amazon]", "1:14", "'amazon' is no partition", id="partition"),
        pytest.param("external_ids: ['a*']", "1:16", "'a*' is no external id",
                     id="external ids have no patterns"),
        pytest.param("session_names: ['a b']", "1:17", "'a b' is no name pattern", id="name"),
        pytest.param("endpoints: ['sts.corp']", "1:13", "is no plain URL", id="endpoint"),
        pytest.param("endpoints: ['https://a.test/x']", "1:13", "has a path", id="endpoint path"),
        pytest.param("token_commands: [mint]", "1:18", "is not an absolute path", id="command"),
        pytest.param("token_commands: [/opt/../mint]", "1:18", "is not an absolute path",
                     id="a command's detour"),
        pytest.param("account_types: [iam]", "1:17", "'iam' is not one of", id="account type"),
        pytest.param("sources: [irsa]", "1:11", "'irsa' is not one of", id="source"),
        pytest.param("projects: payments", "1:11", "must be a list, is a text", id="one project"),
        pytest.param("environments: [null]", "1:16", "has no value", id="a null is no pattern"),
        pytest.param("allow_launcher_as_role: yes", "1:25", "must be true or false", id="flag"),
        pytest.param("max_duration: 5m", "1:15", "'5m' must be between 15m and 12h", id="duration"),
        pytest.param("session_policy: {Version: x}", "1:17", "has no 'Statement'", id="no policy"),
        pytest.param("session_policy_arns: [ReadOnly]", "1:22", "'ReadOnly' is not a policy ARN",
                     id="no policy ARN"),
        pytest.param("session_policy: {Statement: ['" + "x" * 2100 + "']}", "1:17",
                     "must have 1 to 2048 characters", id="too long for STS"),
        pytest.param("accounts: []\naccounts: []", "2:1", "is there twice", id="twice"),
        pytest.param("accounts: [", None, None, id="no YAML"),
    ],
)  # fmt: skip
def test_policy_files_that_are_refused(
    tmp_path: Path, text: str, place: str | None, message: str | None
) -> None:
    """What is not understood is refused where it stands: it might have limited something."""
    with pytest.raises(ManifestError) as caught:
        policy_of(tmp_path, text)
    (problem,) = caught.value.problems
    file = tmp_path / "ops.yaml"
    assert problem.file == str(file)
    if place:
        assert problem.place == f"{file}:{place}"
    if message:
        assert message in problem.message


def test_all_problems_of_a_policy_at_once(tmp_path: Path) -> None:
    """One bad key hides no other."""
    with pytest.raises(ManifestError) as caught:
        policy_of(tmp_path, "rols: []\naccounts: [1]\nregions: [EU]\n")
    assert [problem.line for problem in caught.value.problems] == [1, 2, 3]


def test_json_is_a_policy_too(tmp_path: Path) -> None:
    """JSON and YAML are read alike, and nothing in them is a template."""
    policy = policy_of(tmp_path, '{"version": 1, "profiles": ["{{ name }}"]}')
    assert policy.rules == PolicyRules(profiles=("{{ name }}",))


def test_a_missing_policy(tmp_path: Path) -> None:
    """A policy that was named and is not there stops the run."""
    with pytest.raises(FileMissing) as caught:
        load_policy(tmp_path / "none.yaml")
    assert "does not exist" in caught.value.problems[0].message


def test_the_exit_code_is_that_of_an_identity() -> None:
    """A manifest outside of the policy is an identity refused."""
    assert exit_code_of(PolicyRefused([Problem(message="x")])) == 77


DOCUMENT = (Path(__file__).parent.parent / "docs" / "policy.md").read_text("utf-8")


def test_the_documented_policy(tmp_path: Path) -> None:
    """The example of the documentation can be loaded and shows every key; the table has them."""
    example = DOCUMENT.partition("```yml\n")[2].partition("```")[0]
    rules = policy_of(tmp_path, example).rules
    keys = set(PolicyRules.__struct_fields__)
    assert {key for key in keys if f"\n{key}:" in f"\n{example}"} == keys
    assert rules.max_duration == 3600
    table = DOCUMENT.partition("| key |")[2]
    assert all(f"`{key}`" in table for key in keys - {"version"})
