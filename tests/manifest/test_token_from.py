"""``account.token_from``: its forms, and the variable that ``octopus`` is short for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from calamari_py.credentials.issuers import ISSUERS
from calamari_py.manifest.types import TokenFrom, TokenIssuer, as_token_from
from tests.manifest.support import MINIMAL, ROLE, brief, load_text, problems_of

NAMED = "{type: oidc, name: AWS Account, role_arn: '%s', token_from: %s}"
OCTOPUS = "variables:\n  AWS Account.OpenIdConnect.Jwt: eyJ-the-token\n  Other: x\n"


def account(token_from: str) -> str:
    """A manifest with this ``token_from``."""
    return f"{MINIMAL}account: {NAMED % (ROLE, token_from)}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("gitlab", TokenFrom(ci="gitlab"), id="name"),
        pytest.param("{ci: gitlab}", TokenFrom(ci="gitlab"), id="ci"),
        pytest.param("{from_env: JWT}", TokenFrom(from_env="JWT"), id="from-env"),
        pytest.param("{command: [/bin/mint, --aud, 7]}",
                     TokenFrom(command=("/bin/mint", "--aud", "7")), id="command"),
        pytest.param("{ci: github-actions, audience: me}",
                     TokenFrom(ci="github-actions", audience="me"), id="audience"),
        pytest.param("{ci: azure-devops, service_connection: 1-2}",
                     TokenFrom(ci="azure-devops", service_connection="1-2"), id="connection"),
    ],
)  # fmt: skip
def test_forms(text: str, expected: TokenFrom) -> None:
    """A CI's name is short for ``{ci: NAME}``."""
    written = load_text(account(text)).manifest.account.token_from
    assert written is not None
    assert as_token_from(written) == expected


ABSOLUTE = "command does not begin with the absolute path of a program"
NAMELESS = "'octopus' needs account.name: the name of the account variable in Octopus"


@pytest.mark.parametrize(
    ("asked", "column", "problem"),
    [
        pytest.param("{}", 93, " has no origin of a token", id="none"),
        pytest.param("{from_env: A, ci: gitlab}", 93, " has 'from_env' and 'ci'", id="two"),
        pytest.param("{from_env: ''}", 104, ".from_env is empty", id="blank"),
        pytest.param(
            "github-action",
            93,
            " 'github-action' is not one of github-actions, gitlab, buildkite, circleci, "
            "bitbucket, azure-devops, octopus; did you mean 'github-actions'?",
            id="typo",
        ),
        pytest.param(
            "{ci: gitlab, audience: x}",
            116,
            ".audience is for github-actions and buildkite, not for 'gitlab'",
            id="audience",
        ),
        pytest.param(
            "{command: [/bin/x], audience: x}",
            123,
            ".audience is for github-actions and buildkite, not for 'command'",
            id="audience-of-a-command",
        ),
        pytest.param(
            "{ci: github-actions, service_connection: x}",
            134,
            ".service_connection is for azure-devops, not for 'github-actions'",
            id="connection",
        ),
        pytest.param("{ci: buildkite, audience: ' '}", 119, ".audience is empty", id="no-audience"),
        pytest.param("{command: [vault, read]}", 103, f".{ABSOLUTE}", id="a-name"),
        pytest.param("{command: []}", 103, f".{ABSOLUTE}", id="nothing-to-run"),
        pytest.param("octopus", 93, f" {NAMELESS}", id="octopus"),
        pytest.param("{ci: octopus}", 93, f" {NAMELESS}", id="octopus-in-full"),
    ],
)
def test_what_does_not_fit_together(asked: str, column: int, problem: str) -> None:
    """One way to a token, with what this way can use, is told where it stands."""
    text = f"{MINIMAL}account: {{type: oidc, role_arn: '{ROLE}', token_from: {asked}}}\n"
    found = [brief(problem) for problem in problems_of(text)]
    assert found == [f"3:{column} account.token_from{problem}"]


def test_a_secret_in_a_command() -> None:
    """Arguments are in the process list, which everybody may read."""
    text = account("{command: [/bin/x, '{{ P }}']}")
    (problem,) = problems_of(text + "variables: {P: {value: hunter2, sensitive: true}}\n")
    assert problem.path == "account.token_from.command"
    assert "process list" in problem.message


def test_every_issuer_can_be_written() -> None:
    """What the manifest takes is what there is, and octopus, which is a variable."""
    assert set(get_args(TokenIssuer)) == {*ISSUERS, "octopus"}


@pytest.mark.parametrize("text", ["octopus", "{ci: octopus}"])
def test_octopus(text: str) -> None:
    """The account variable's token is used, masked, and kept from the step."""
    loaded = load_text(account(text) + OCTOPUS)
    section = loaded.manifest.account
    assert (section.token, section.token_from) == ("eyJ-the-token", None)
    assert "eyJ-the-token" in {secret.reveal() for _, secret in loaded.known_secrets}
    assert dict(loaded.child_variables()).keys() == {"Other"}


@pytest.mark.parametrize("name", ['A "B"', "A\\B", "Konto Österreich", "it's"])
def test_octopus_takes_any_name(name: str) -> None:
    """The account's name is data, whatever characters it has."""
    quoted = name.replace("'", "''")
    text = f"{MINIMAL}account:\n  type: oidc\n  name: '{quoted}'\n  role_arn: '{ROLE}'\n"
    text += f"  token_from: octopus\nvariables:\n  '{quoted}.OpenIdConnect.Jwt': eyJ-the-token\n"
    assert load_text(text).manifest.account.token == "eyJ-the-token"


def test_octopus_as_the_documentation_shows_it() -> None:
    """The manifest of docs/launchers.md loads with the variables that Octopus has."""
    page = (Path(__file__).parents[2] / "docs" / "launchers.md").read_text("utf-8")
    text = re.findall(r"```yml\n(name: deploy.*?)```", page, re.DOTALL)[0]
    text += (
        f"variables:\n  AWS Account.RoleArn: {ROLE}\n  AWS Account.OpenIdConnect.Jwt: eyJ-token\n"
    )
    section = load_text(text).manifest.account
    assert (section.role_arn, section.token) == (ROLE, "eyJ-token")


def test_octopus_without_the_variable() -> None:
    """A variable that Octopus did not hand over is told where ``token_from`` stands."""
    (problem,) = problems_of(account("octopus"))
    assert "AWS Account.OpenIdConnect.Jwt" in problem.message
    assert problem.line == 3


@pytest.mark.parametrize(
    ("token_from", "sensitive"),
    [
        pytest.param("gitlab", True, id="gitlab"),
        pytest.param("{ci: gitlab}", True, id="in full"),
        pytest.param("circleci", False, id="another"),
    ],
)
def test_gitlabs_variable_is_a_secret_where_it_is_the_launchers(
    token_from: str, sensitive: bool
) -> None:
    """A job may have a token of that name for its own use: only the launcher's is withheld."""
    text = account(token_from) + "variables: {Mine: {from_env: GITLAB_OIDC_TOKEN}}\n"
    loaded = load_text(text, environ={"GITLAB_OIDC_TOKEN": "eyJ-the-token"})
    assert dict(loaded.variables.items())["Mine"].sensitive is sensitive
