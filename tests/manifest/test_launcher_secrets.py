"""What the launcher's secret is made of is secret, whether or not the manifest calls it so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from calamari_py.errors import ManifestError
from calamari_py.manifest import Overrides
from calamari_py.manifest.launcher_only import AMBIENT_SECRETS
from tests.manifest.support import MINIMAL, ROLE, brief, load_text, problems_of, secrets_of

KEYS = "account: {type: access-key, access_key_id: '{{ Id }}', secret_access_key: '{{ Key }}'%s}\n"
OIDC = f"account: {{type: oidc, role_arn: '{ROLE}', %s}}\n"
PARTS = (
    "variables:\n  Id: AKIAEXAMPLE\n  Base: s3cret\n  Key: 'x{{ Base }}'\n"
    "  Made: '{{ Key }}!'\n  OfId: '{{ Id }}!'\n  Mine: '1'\n"
)
HINT = "remove it, or set account.expose_to_step: true if the step really needs it"


def sensitive_of(text: str, **environ: str) -> set[str]:
    """The names of the sensitive variables of `text`."""
    loaded = load_text(text, environ=environ)
    return {name for name, variable in loaded.variables.items() if variable.sensitive}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(KEYS % "" + PARTS, {"Base", "Key", "Made"}, id="through-another"),
        pytest.param(KEYS % ", expose_to_step: true" + PARTS, {"Base", "Key", "Made"},
                     id="exposed"),
        pytest.param(KEYS % ", session_token: '{{ Mine }}'" + PARTS,
                     {"Base", "Key", "Made", "Mine"}, id="session-token"),
        pytest.param("account: {type: access-key, access_key_id: '{{ Id }}', "
                     "secret_access_key: written}\n" + PARTS, set(), id="key-id-alone"),
        pytest.param(OIDC % "token: '{{ Key | trim }}'" + PARTS, {"Base", "Key", "Made"},
                     id="token"),
        pytest.param(OIDC % "token: '{{ T }}'" + "variables: {T: {from_env: '{{ N }}'}, N: X}\n",
                     {"T"}, id="not-the-name-of-a-variable"),
        pytest.param(OIDC % "token_file: '{{ F }}'" + "variables: {F: a.jwt}\n", set(),
                     id="not-the-name-of-a-file"),
        pytest.param(OIDC % "token_from: {from_env: X}" + "variables: {A: {from_env: X}, "
                     "B: {from_env: '{{ N }}'}, C: {from_env: Y}, N: X}\n", {"A", "B"},
                     id="token-from"),
        pytest.param(OIDC % "token: '{{ T }}'" + "variables: {T: {from_env: X}, "
                     "A: {from_env: X}, C: {from_env: Y}}\n", {"T", "A"}, id="read-twice"),
    ],
)  # fmt: skip
def test_what_the_launchers_secret_is_made_of_is_sensitive(text: str, expected: set[str]) -> None:
    """Whatever feeds a secret field of ``account`` is sensitive, and so is what is made of it."""
    assert sensitive_of(MINIMAL + text, X="s3cret", Y="y") == expected


def test_a_file_that_holds_the_launchers_token_is_secret_by_any_path(tmp_path: Path) -> None:
    """A variable that is read from the launcher's token file is sensitive, however it is named."""
    for name in ("a.jwt", "b.jwt"):
        (tmp_path / name).write_text(f"content of {name}")
    loaded = load_text(
        MINIMAL + OIDC % "token_file: a.jwt" + "variables:\n  A: {from_file: ./a.jwt}\n"
        f"  B: {{from_file: b.jwt}}\n  C: {{from_file: '{tmp_path}/a.jwt'}}\n",
        folder=tmp_path,
    )
    assert [name for name, v in loaded.variables.items() if v.sensitive] == ["A", "C"]
    assert dict(loaded.child_variables()).keys() == {"B"}


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """An environment whose launcher's files are below `tmp_path`, and hold canaries."""
    home, pod = tmp_path / "home", tmp_path / "pod"
    for name in (".aws/sso/cache/s.json", ".aws/config", "own-credentials", "token", "of-profile"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("canary: launcher")
    (home / ".aws" / "config").write_text(
        f"[profile p]\nrole_arn = x\n web_identity_token_file = {home}/of-profile \n"
    )
    (pod / "..1").mkdir(parents=True)
    (pod / "..1" / "token").write_text("canary: launcher")
    (pod / "..data").symlink_to("..1")
    (pod / "token").symlink_to("..data/token")
    (home / "link").symlink_to("token")
    os.link(home / "token", home / "same")
    (tmp_path / "mine").write_text("mine: yes")
    return {
        "HOME": str(home),
        "AWS_WEB_IDENTITY_TOKEN_FILE": f"{home}/token",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f" {pod}/token ",
        "AWS_SHARED_CREDENTIALS_FILE": "~/own-credentials",
    }


OF_THE_LAUNCHER = [
    pytest.param("home/token", id="web-identity"),
    pytest.param("home/link", id="through-a-link"),
    pytest.param("home/same", id="by-another-name"),
    pytest.param("home/.aws/sso/../../token", id="through-dots"),
    pytest.param("pod/token", id="container"),
    pytest.param("pod/..1/token", id="where-links-lead-to"),
    pytest.param("home/own-credentials", id="home-sign"),
    pytest.param("home/.aws/config", id="default-config"),
    pytest.param("home/.aws/sso/cache/s.json", id="below-a-folder"),
    pytest.param("home/of-profile", id="token-of-a-profile"),
]


@pytest.mark.parametrize("account", ["", "account: none\n"])
@pytest.mark.parametrize("file", OF_THE_LAUNCHER)
def test_a_launchers_file_is_no_variable_of_the_step(
    file: str, account: str, machine: dict[str, str], tmp_path: Path
) -> None:
    """What is read from a file that the launcher's environment names is sensitive and withheld, by
    any path, and refused where it would be handed over."""
    text = (
        f"{MINIMAL}{account}variables:\n  V: {{from_file: {file}}}\n  W: 'x{{{{ V }}}}'\n"
        "  Mine: {from_file: mine}\n"
    )
    loaded = load_text(text, environ=machine, folder=tmp_path)
    assert {name for name, v in loaded.variables.items() if v.sensitive} == {"V", "W"}
    assert set(loaded.child_variables()) == {"Mine"}
    problems = problems_of(text + "env: {A: '{{ W }}'}\n", environ=machine, folder=tmp_path)
    assert [problem.path for problem in problems] == ["env.A"]


@pytest.mark.parametrize("file", OF_THE_LAUNCHER)
def test_a_launchers_file_is_no_variable_file(
    file: str, machine: dict[str, str], tmp_path: Path
) -> None:
    """It is refused where it is named, and not read."""
    text = f"{MINIMAL}variable_files: [mine, {file}]\n"
    (found,) = problems_of(text, environ=machine, folder=tmp_path)
    assert brief(found) == f"3:24 variable_files[1] '{file}' belongs to the launcher"


def test_the_accounts_own_token_is_no_variable_file(tmp_path: Path) -> None:
    """What only the manifest calls the launcher's is refused, too."""
    (tmp_path / "a.jwt").write_text("canary: launcher")
    text = f"{MINIMAL}{OIDC % 'token_file: a.jwt'}variable_files: [./a.jwt]\n"
    assert [p.path for p in problems_of(text, folder=tmp_path)] == ["variable_files[0]"]


def test_the_files_of_the_accounts_secret_are_known(tmp_path: Path) -> None:
    """Those that its secret fields are read from; to hide them, links must not be resolved."""
    for name in ("key", "id", "other"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("key")
    loaded = load_text(
        f"{MINIMAL}{KEYS % ''}variables:\n  Id: {{from_file: id}}\n  Key: 'x{{{{ Base }}}}'\n"
        "  Base: {from_file: link}\n  Other: {from_file: other}\n  Same: {from_file: key}\n",
        folder=tmp_path,
    )
    assert loaded.launcher_files == (tmp_path / "link",)
    assert set(loaded.child_variables()) == {"Other"}


def test_it_is_registered_before_anything_is_said() -> None:
    """The registry gets the variables and the account's own text, as for sensitive ones."""
    assert secrets_of(load_text(MINIMAL + KEYS % "" + PARTS)) == {
        "Base": "s3cret",
        "Key": "xs3cret",
        "Made": "xs3cret!",
        "account.secret_access_key": "xs3cret",
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("jwt-of-ci", {"account.token_from": "jwt-of-ci"}, id="set"),
        pytest.param(" ", {}, id="blank"),
    ],
)
def test_the_token_of_an_environment_variable_is_registered(
    value: str, expected: dict[str, str]
) -> None:
    """What ``token_from`` names is a secret although no variable reads it."""
    loaded = load_text(MINIMAL + OIDC % "token_from: {from_env: JWT}", environ={"JWT": value})
    assert secrets_of(loaded) == expected
    assert loaded.scrub_names == {"JWT"}


def test_the_step_gets_neither_it_nor_what_is_made_of_it() -> None:
    """The variables of a step are without the launcher's secret in any form."""
    loaded = load_text(MINIMAL + KEYS % "" + PARTS)
    assert {n: v.text for n, v in loaded.child_variables().items()} == {
        "OfId": "AKIAEXAMPLE!",
        "Mine": "1",
    }


def test_the_names_it_came_from_are_scrubbed() -> None:
    """Environment variables that feed the secret do not reach the child, overridden or not."""
    text = (
        MINIMAL + KEYS % "" + "variables:\n  Id: A\n  Key: '{{ One }}{{ Two }}'\n"
        "  One: {from_env: ONE}\n  Two: {from_env: TWO}\n  Other: {from_env: OTHER}\n"
    )
    environ = {"ONE": "1", "TWO": "2", "OTHER": "3"}
    loaded = load_text(text, environ=environ, overrides=Overrides(variables={"One": "given"}))
    assert loaded.scrub_names == {"ONE", "TWO"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("env: {X: '{{ Key }}'}", "'Base', 'Key'", id="env"),
        pytest.param("env: {X: '{{ Made | upper }}'}", "'Base', 'Key'", id="made-of-it"),
        pytest.param("env: {X: '{{ Base }}'}", "'Base'", id="part-of-it"),
        pytest.param("env: {X: \"{{ 'y' if Base else 'n' }}\"}", "'Base'", id="condition"),
        pytest.param("finally: {run: x, args: ['{{ Base }}']}", "'Base'", id="finally"),
        pytest.param("finally: {run: 'a {{ Base }}', render: true}", "'Base'", id="script-text"),
    ],
)
def test_a_text_for_the_step_may_not_use_it(text: str, expected: str) -> None:
    """Outside ``account`` and ``assume_role`` it is refused, as a sensitive variable would be."""
    (found,) = problems_of(f"{MINIMAL}{KEYS % ''}{PARTS}{text}\n")
    assert found.message == f"would hand the launcher's secret {expected} to the step"
    assert found.hint == HINT
    exposed = KEYS % ", expose_to_step: true"
    assert load_text(f"{MINIMAL}{exposed}{PARTS}{text}\n").manifest.account.expose_to_step


def test_a_second_variable_of_the_same_source_is_refused_as_well() -> None:
    """Reading the launcher's token under another name does not hand it to the step."""
    text = (
        f"{MINIMAL}{OIDC % 'token_from: {from_env: JWT}'}"
        "variables: {Mine: {from_env: JWT}}\nenv: {X: '{{ Mine }}'}\n"
    )
    assert [brief(p) for p in problems_of(text, environ={"JWT": "jwt"})] == [
        "5:10 env.X would hand the launcher's secret 'Mine' to the step"
    ]


def test_a_rendered_file_may_not_use_it() -> None:
    """A script file is held to the same rule as a text in the manifest."""
    loaded = load_text("name: x\nscript: {file: a.sh}\n" + KEYS % "" + PARTS)
    with pytest.raises(ManifestError) as caught:
        loaded.render_text("echo {{ Base }}", "script.file")
    assert "launcher's secret 'Base'" in caught.value.problems[0].message


def test_the_role_may_use_it() -> None:
    """``assume_role`` is the launcher's own business: no problem, and a secret."""
    role = f"assume_role: {{role_arn: '{ROLE}', external_id: '{{{{ Base }}}}'}}\n"
    assert (
        secrets_of(load_text(MINIMAL + KEYS % "" + PARTS + role))["assume_role.external_id"]
        == "s3cret"
    )


def test_an_empty_one_is_refused() -> None:
    """An empty environment variable is no secret: CI systems give one for what does not exist."""
    text = f"{MINIMAL}{KEYS % ''}variables: {{Id: A, Key: {{from_env: K}}}}\n"
    messages = [p.message for p in problems_of(text, environ={"K": ""})]
    assert "the environment variable 'K' is empty, and a secret is expected" in messages


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("{{ Base }}{{ nope }}", id="unknown-name"),
        pytest.param("{{ Key }}{{ nope }}", id="unknown-name-and-through-another"),
        pytest.param('{{ variables["Base"] }}{{ 1 + }}', id="syntax"),
        pytest.param("{{ Bad }}", id="through-what-fails"),
    ],
)
def test_no_problem_shows_it_even_when_it_cannot_be_rendered(key: str) -> None:
    """A broken template in ``account`` does not make its parts fit to be shown."""
    text = (
        f"{MINIMAL}account: {{type: access-key, access_key_id: A, secret_access_key: '{key}'}}\n"
        f"{PARTS}  Bad: '{{{{ Base }}}}{{{{ nope }}}}'\ntimeout: '{{{{ Base }}}}'\n"
        "expect: {role: '{{ Base }} x'}\n"
    )
    found = problems_of(text)
    assert {"timeout", "expect.role"} <= {p.path for p in found}
    assert all("s3cret" not in f"{p.message} {p.hint}" for p in found)


@pytest.mark.parametrize("account", ["", "account: ambient\n", "account: {source: environment}\n"])
@pytest.mark.parametrize("name", AMBIENT_SECRETS)
def test_an_ambient_launchers_secret_is_no_variable_of_the_step(account: str, name: str) -> None:
    """What holds the launcher's secret in the environment cannot be handed on by its name."""
    variables = f"variables:\n  V: {{from_env: {name}}}\n  W: 'x{{{{ V }}}}'\n  Mine: '1'\n"
    loaded = load_text(MINIMAL + account + variables, environ={name: "launcher-canary"})
    assert set(loaded.child_variables()) == {"Mine"}
    assert name in loaded.scrub_names
    problems = problems_of(
        MINIMAL + account + variables + "env: {A: '{{ W }}'}\n", environ={name: "launcher-canary"}
    )
    assert [problem.path for problem in problems] == ["env.A"]


def test_a_region_of_the_environment_is_no_secret() -> None:
    """Names that hold no secret can be read like any other."""
    loaded = load_text(
        MINIMAL + "variables: {R: {from_env: AWS_REGION}}\n", environ={"AWS_REGION": "eu-west-1"}
    )
    assert loaded.child_variables()["R"].text == "eu-west-1"
