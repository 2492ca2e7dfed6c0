"""Tokens that CI systems and orchestrators mint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calamari_py.credentials.oidc import TOKEN_ADVICE, TOKEN_VARIABLES, OidcSource
from calamari_py.errors import SourceBroken
from calamari_py.manifest.types import TokenFrom
from calamari_py.masking import SecretRegistry
from tests.credentials.fakes import ROLE, FakeAws, FakeTime, context, found, jwt, texts_of
from tests.fake_metadata import HANG_UP, Answer, FakeServer, Heard, Reply

TOKEN = jwt(sub="repo:acme/app:ref:refs/heads/main", aud="sts.amazonaws.com")
URL, BEARER = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
RUNNER_TOKEN = "runner-token-0123456789"


def source() -> OidcSource:
    """The source with pauses that take no time."""
    return OidcSource(client=FakeTime().client(), timeout=5.0)


class FakeGitHub(FakeServer):
    """GitHub's token service: one bearer, and an audience that must be named."""

    def tell(self, heard: Heard) -> Answer:
        if heard.headers.get("authorization") != f"Bearer {RUNNER_TOKEN}":
            return Reply(401, '{"message": "no"}')
        if not heard.path.endswith("audience=sts.amazonaws.com"):
            return Reply(400, "which audience?")
        return Reply(200, f'{{"count": 1, "value": "{TOKEN}"}}')


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


@pytest.mark.parametrize(
    ("token_from", "variables", "description", "names"),
    [
        (TokenFrom(from_env="MY_JWT"), {"MY_JWT": f"{TOKEN}\n"}, "OIDC", {"MY_JWT"}),
        (
            "circleci",
            {"CIRCLE_OIDC_TOKEN": TOKEN},
            "CircleCI OIDC",
            {"CIRCLE_OIDC_TOKEN", "CIRCLE_OIDC_TOKEN_V2"},
        ),
        (
            "circleci",
            {"CIRCLE_OIDC_TOKEN": "older-token", "CIRCLE_OIDC_TOKEN_V2": TOKEN},
            "CircleCI OIDC",
            {"CIRCLE_OIDC_TOKEN", "CIRCLE_OIDC_TOKEN_V2"},
        ),
        (
            "bitbucket",
            {"BITBUCKET_STEP_OIDC_TOKEN": TOKEN},
            "Bitbucket Pipelines OIDC",
            {"BITBUCKET_STEP_OIDC_TOKEN"},
        ),
    ],
    ids=["from_env", "circleci", "circleci v2", "bitbucket"],
)
def test_a_token_from_a_variable(
    token_from: str | TokenFrom, variables: dict[str, str], description: str, names: set[str]
) -> None:
    """The variable's token is used, and every name that was looked at is scrubbed later."""
    aws = FakeAws()
    given = context(variables, type="oidc", role_arn=ROLE, token_from=token_from, aws=aws)
    launcher = found(source().resolve(given)).launcher
    assert aws.exchanged[0][0] == TOKEN
    assert launcher.description == description
    assert launcher.environment_names == names


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
        pytest.param({"token_from": "bitbucket"}, "BITBUCKET", "oidc: true", id="bitbucket"),
        pytest.param({"token_from": "gitlab"}, "no fixed name", "id_tokens", id="gitlab"),
        pytest.param({"token_from": "buildkite"}, "no fixed name", "buildkite-agent", id="bk"),
        pytest.param({"token_from": "octopus"}, "no fixed name", "OpenIdConnect", id="octopus"),
        pytest.param({"token_from": "github"}, "no CI system", "'github-actions'?", id="typo"),
        pytest.param({"token_from": "zzz"}, "no CI system", "from_env: NAME", id="unknown"),
        pytest.param({"token_from": "github-actions"}, URL, "id-token: write", id="github"),
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


def test_the_systems_are_told_apart() -> None:
    """A CI system either has a variable or advice."""
    assert not set(TOKEN_VARIABLES) & set(TOKEN_ADVICE)
    assert all(title and names and hint for title, names, hint in TOKEN_VARIABLES.values())


@pytest.mark.parametrize(
    "path", ["/token?api-version=2.0", "/token"], ids=["with a query", "without"]
)
@pytest.mark.parametrize("answers", [[], [Reply(503), HANG_UP]], ids=["at once", "after faults"])
def test_github(path: str, answers: list[Answer]) -> None:
    """GitHub is asked for a token with STS as audience, by the runner's bearer."""
    aws, registry = FakeAws(), SecretRegistry()
    with FakeGitHub() as github:
        joint = "&" if "?" in path else "?"
        github.inject(f"{path}{joint}audience=sts.amazonaws.com", *answers)
        given = context(
            {URL: f"{github.url}{path}", BEARER: RUNNER_TOKEN},
            type="oidc",
            role_arn=ROLE,
            token_from="github-actions",
            session_duration=1800,
            aws=aws,
            registry=registry,
        )
        launcher = found(source().resolve(given)).launcher
        assert len(github.heard) == len(answers) + 1
    assert aws.exchanged == [(TOKEN, ROLE, "payments-dev-deploy", 1800)]
    assert launcher.description == "GitHub Actions OIDC"
    assert launcher.environment_names == {URL, BEARER}
    assert registry.holds_secret(RUNNER_TOKEN)
    assert registry.holds_secret(TOKEN)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        pytest.param([Reply(403, "forbidden")], "answered 403", id="403"),
        pytest.param([Reply(500)] * 3, "answered 500", id="500"),
        pytest.param([HANG_UP] * 3, "gave no answer", id="hangs up"),
        pytest.param([Reply(200, "<html>")], "GitHub's answer is empty", id="HTML"),
        pytest.param([Reply(200, '{"value": 7}')], "GitHub's answer is empty", id="a number"),
        pytest.param([Reply(200, '{"value": "a b c d"}')], "white space", id="spaces"),
        pytest.param([Reply(302, "", {"Location": "http://10.0.0.1/"})], "302", id="redirect"),
    ],
)
def test_github_says_no(answers: list[Answer], why: str) -> None:
    """Whatever GitHub answers that is no token is broken; the runner's token is never shown."""
    with FakeGitHub() as github:
        github.inject("/?audience=sts.amazonaws.com", *answers)
        given = context(
            {URL: github.url, BEARER: RUNNER_TOKEN},
            type="oidc",
            role_arn=ROLE,
            token_from="github-actions",
        )
        with pytest.raises(SourceBroken, match=why) as caught:
            source().resolve(given)
    assert RUNNER_TOKEN not in texts_of(caught.value)


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({URL: "http://evil.test/", BEARER: RUNNER_TOKEN}, "no https URL"),
        ({URL: "http://localhost/", BEARER: RUNNER_TOKEN}, "no https URL"),
        ({URL: "https://a@evil.test/", BEARER: RUNNER_TOKEN}, "is refused"),
        ({URL: "https://github.example/", BEARER: " "}, f"'{BEARER}' is not set"),
        ({URL: "https://github.example/", BEARER: "a\r\nb-c-d-e"}, "white space"),
    ],
)
def test_where_the_bearer_never_goes(variables: dict[str, str], why: str) -> None:
    """The runner's token goes out by https only, or stays on this machine."""
    given = context(variables, type="oidc", role_arn=ROLE, token_from="github-actions")
    with pytest.raises(SourceBroken, match=why) as caught:
        source().resolve(given)
    assert RUNNER_TOKEN not in texts_of(caught.value)
