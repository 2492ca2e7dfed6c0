"""The environment and the variables that the corridor hands to a child."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes import LAUNCHER_KEY_ID, LAUNCHER_SECRET, LAUNCHER_TOKEN, Running, step_key_id
from tests.runner.world import DEV, HEAD, SCRIPT, World

ACCESS_KEY = (
    f"name: deploy\nregion: eu-west-1\nassume_role: {DEV}\n"
    "account: {type: access-key, access_key_id: '{{ KeyId }}', secret_access_key: '{{ Key }}'%s}\n"
    "variables:\n"
    f"  KeyId: {LAUNCHER_KEY_ID}\n"
    "  Key: {from_env: LAUNCHER_KEY, sensitive: true}\n"
    "  Other: fine\n" + SCRIPT
)


def variables_of(world: World, text: str) -> dict[str, str]:
    """The variables a child finds, both by file and in the JSON document."""
    found: list[dict[str, str]] = []

    def child(running: Running) -> int:
        folder = Path(running.environment["CALAMARI_VARIABLES"])
        by_file = {path.name: path.read_text() for path in folder.iterdir()}
        document = json.loads(Path(running.environment["CALAMARI_VARIABLES_JSON"]).read_text())
        assert by_file == document
        found.append(document)
        return 0

    assert world.run(text, child).exit_code == 0
    return found[0]


def test_the_child_has_the_role_and_nothing_of_the_launcher(world: World) -> None:
    """No value of the launcher is anywhere in the child's environment."""
    canary = "launcher-canary"
    world.environ.update(
        dict.fromkeys(
            ("AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_WEB_IDENTITY_TOKEN_FILE",
             "AWS_SECURITY_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "CI_JOB_JWT_V2", "BOTO_CONFIG",
             "ECS_CONTAINER_METADATA_URI", "CALAMARI_OUTPUT"),
            canary,
        ),
        AWS_SESSION_TOKEN=LAUNCHER_TOKEN,
        MY_SETTING="kept",
    )  # fmt: skip
    world.run(HEAD + SCRIPT)
    child = world.child.environments[0]
    values = set(child.values())
    assert not {canary, LAUNCHER_KEY_ID, LAUNCHER_SECRET, LAUNCHER_TOKEN} & values
    assert child["AWS_ACCESS_KEY_ID"] == step_key_id(1)
    assert child["AWS_ACCOUNT_ID"] == "111111111111"
    assert child["AWS_CREDENTIAL_EXPIRATION"] == "2026-03-01T10:30:00Z"
    assert child["AWS_CONFIG_FILE"] == child["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert child["MY_SETTING"] == "kept"


@pytest.mark.parametrize(
    ("inherit", "kept"),
    [
        pytest.param("true", {"MY_A", "MY_B", "OTHER"}, id="all"),
        pytest.param("false", set(), id="none"),
        pytest.param("[MY_*]", {"MY_A", "MY_B"}, id="prefix"),
        pytest.param("[OTHER]", {"OTHER"}, id="name"),
    ],
)
def test_inherit_env(inherit: str, kept: set[str], world: World) -> None:
    """`inherit_env` says what passes; PATH and HOME always do."""
    names = {"MY_A", "MY_B", "OTHER"}
    world.environ.update(dict.fromkeys(names, "x"))
    world.run(f"{HEAD}{SCRIPT}inherit_env: {inherit}\n")
    child = world.child.environments[0]
    assert names & set(child) == kept
    assert {"PATH", "HOME", "TMPDIR"} <= set(child)


@pytest.mark.parametrize(
    "name",
    ["AWS_PROFILE", "AWS_REGION", "AWS_ACCESS_KEY_ID", "CALAMARI_OUTPUT", "BOTO_CONFIG", "TOKEN"],
)
def test_owned_names_under_env_are_refused(name: str, world: World) -> None:
    """What selects an identity, or held a secret, cannot be set by the manifest."""
    world.environ["TOKEN"] = "value-of-the-token"
    text = f"{HEAD}{SCRIPT}variables: {{T: {{from_env: TOKEN, sensitive: true}}}}\n"
    assert world.run(f"{text}env: {{{name}: x}}\n").exit_code == 65
    (problem,) = world.reporter.failure.problems
    assert problem.path == f"env.{name}"
    assert problem.place.startswith("step.yaml:6:")
    assert problem.hint


def test_harmless_settings_may_be_set(world: World) -> None:
    """A setting that selects no identity is the manifest's to set."""
    world.run(HEAD + SCRIPT + "env: {AWS_PAGER: '', AWS_RETRY_MODE: adaptive}\n")
    child = world.child.environments[0]
    assert (child["AWS_PAGER"], child["AWS_RETRY_MODE"]) == ("", "adaptive")


def test_env_wins_over_what_is_inherited(world: World) -> None:
    """The manifest's `env` is rendered and laid over everything else."""
    world.environ["STAGE"] = "inherited"
    world.run(HEAD + SCRIPT + "environment: dev\nenv: {STAGE: 'is {{ environment }}'}\n")
    assert world.child.environments[0]["STAGE"] == "is dev"


def test_names_that_held_secrets_do_not_pass(world: World) -> None:
    """A sensitive variable's own environment variable is gone, other ones pass."""
    world.environ.update(API_TOKEN="value-of-the-token", PLAIN="plain")
    world.run(
        HEAD + SCRIPT + "variables:\n  T: {from_env: API_TOKEN, sensitive: true}\n"
        "  P: {from_env: PLAIN}\n"
    )
    child = world.child.environments[0]
    assert "API_TOKEN" not in child
    assert child["PLAIN"] == "plain"


def test_removed_names_are_told_and_no_values(world: World) -> None:
    """Who asks for more is told which names were removed."""
    world.environ.update(API_TOKEN="value-of-the-token", AWS_PROFILE_HINT="profile-canary")
    world.run(HEAD + SCRIPT + "variables: {T: {from_env: API_TOKEN, sensitive: true}}\n")
    (note,) = (note for note in world.reporter.notes if "not passed on" in note)
    assert {"API_TOKEN", "AWS_PROFILE_HINT"} <= set(note.partition(": ")[2].split(", "))
    for value in ("value-of-the-token", "profile-canary", LAUNCHER_SECRET):
        assert value not in world.reporter.text


def test_the_launchers_variables_are_withheld(world: World) -> None:
    """What only the account uses is neither a variable nor in the environment of the step."""
    world.environ["LAUNCHER_KEY"] = LAUNCHER_SECRET
    assert variables_of(world, ACCESS_KEY % "") == {"Other": "fine"}
    assert "LAUNCHER_KEY" not in world.child.environments[0]
    assert LAUNCHER_SECRET not in world.reporter.text


def test_expose_to_step_hands_them_over_aloud(world: World) -> None:
    """`expose_to_step: true` hands them over, and a warning names them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del world.environ[name]
    world.environ["LAUNCHER_KEY"] = LAUNCHER_SECRET
    variables = variables_of(world, ACCESS_KEY % ", expose_to_step: true")
    assert variables["Key"] == LAUNCHER_SECRET
    (warning,) = (w for w in world.reporter.warnings if "expose_to_step" in w)
    assert "'Key'" in warning
    assert LAUNCHER_SECRET not in world.reporter.text


def test_the_launchers_secret_is_not_smuggled_out(world: World) -> None:
    """A text outside `account` that uses the launcher's secret is refused."""
    world.environ["LAUNCHER_KEY"] = LAUNCHER_SECRET
    assert world.run(ACCESS_KEY % "" + "env: {K: '{{ Key }}'}\n").exit_code == 65
    assert world.aws.calls == []


def test_variables_of_the_command_line(world: World) -> None:
    """A sensitive override is a variable of the step and masked from the start."""
    found: list[str] = []

    def child(running: Running) -> int:
        found.append(
            Path(running.environment["CALAMARI_VARIABLES"], "T").read_text(encoding="utf-8")
        )
        running.write(b"typed-in-value")
        return 0

    world.run(HEAD + SCRIPT, child, sensitive={"T": "typed-in-value"})
    assert found == ["typed-in-value"]
    assert world.reporter.shown() == b"***"


@pytest.mark.parametrize(
    ("section", "path"),
    [
        pytest.param("script: {run: x, args: [a, '{{ T }}']}\n", "script.args[1]", id="argument"),
        pytest.param("script: {run: x, args: ['--t={{ Made }}']}\n", "script.args[0]", id="made"),
        pytest.param(
            "script: {run: x, shell: [bash, '{{ T }}', '{file}']}\n", "script.shell[1]", id="shell"
        ),
        pytest.param(
            SCRIPT + "finally: {run: x, args: ['{{ T }}']}\n", "finally.args[0]", id="finally"
        ),
    ],
)
def test_no_secret_becomes_an_argument(section: str, path: str, world: World) -> None:
    """The whole machine can read a command line: a secret on it is a problem of the manifest."""
    variables = "variables:\n  T: {value: s3cr3t-value, sensitive: true}\n  Made: 'x{{ T }}'\n"
    assert world.run(HEAD + section + variables).exit_code == 65
    (problem,) = world.reporter.failure.problems
    assert problem.path == path
    assert problem.place
    assert problem.hint is not None
    assert "env" in problem.hint
    assert "s3cr3t-value" not in world.reporter.text
