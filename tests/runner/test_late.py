"""Variables that are fetched with the step's own credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.aws import Parameter
from calamari_py.masking import Secret
from calamari_py.result import Outcome
from tests.fakes import Running, prints, refusal, step_key_id, throttled
from tests.runner.world import DEV, HEAD, SCRIPT, World

SSM = "variables:\n  License: {from_ssm: /app/license}\n"
SECRET = "variables:\n  Db: {from_secretsmanager: app/db}\n"


def test_late_values_are_fetched_as_the_role(world: World) -> None:
    """The role reads them, after the guard, before the child; what uses them is rendered then."""
    world.aws.parameters["/app/license"] = Parameter(value=Secret("abc-123"), sensitive=False)
    result = world.run(HEAD + SSM + "env: {LICENSE: 'v={{ License }}'}\n" + SCRIPT)
    assert result.exit_code == 0
    assert world.aws.operations() == ["AssumeRole", "GetParameter"]
    assert world.aws.calls[1].caller == step_key_id(1)
    assert world.child.environments[0]["LICENSE"] == "v=abc-123"
    assert "variables" in result.durations


def test_late_values_reach_the_script_too(world: World) -> None:
    """A late variable is among the step's variables by its exact bytes."""
    world.aws.parameters["/app/license"] = Parameter(value=Secret("a\nb"), sensitive=False)
    seen: list[bytes] = []

    def child(running: Running) -> int:
        folder = Path(running.environment["CALAMARI_VARIABLES"])
        seen.append((folder / "License").read_bytes())
        return 0

    world.run(HEAD + SSM + SCRIPT, child)
    assert seen == [b"a\nb"]


@pytest.mark.parametrize(
    ("parameter", "shown"),
    [
        pytest.param(Parameter(value=Secret("late-value-1"), sensitive=True), b"***", id="secure"),
        pytest.param(
            Parameter(value=Secret("late-value-1"), sensitive=False), b"late-value-1", id="plain"
        ),
    ],
)
def test_a_secure_string_is_masked(parameter: Parameter, shown: bytes, world: World) -> None:
    """A SecureString is a secret though the manifest does not say so."""
    world.aws.parameters["/app/license"] = parameter
    world.run(HEAD + SSM + SCRIPT, prints(b"late-value-1"))
    assert world.reporter.shown() == shown


def test_a_plain_parameter_can_be_marked_sensitive(world: World) -> None:
    """What the manifest calls sensitive is masked, whatever type the parameter has."""
    world.aws.parameters["/app/license"] = Parameter(value=Secret("late-value-1"), sensitive=False)
    text = HEAD + SSM.replace("}", ", sensitive: true}") + SCRIPT
    world.run(text, prints(b"late-value-1"))
    assert world.reporter.shown() == b"***"


def test_every_leaf_of_a_json_secret_is_masked(world: World) -> None:
    """Of a JSON secret every string is masked, and what is rendered from it."""
    world.aws.secrets["app/db"] = '{"user": "app-user", "list": ["deep-leaf-1"], "port": 5432}'
    world.run(
        HEAD + SECRET + "env: {DB: 'x {{ Db }}'}\n" + SCRIPT,
        prints(b"app-user ", b"deep-leaf-1 ", b"5432"),
    )
    assert world.reporter.shown() == b"*** *** 5432"
    assert world.child.environments[0]["DB"].startswith("x {")
    assert "deep-leaf-1" not in world.reporter.text


def test_late_secrets_are_counted_in_the_header(world: World) -> None:
    """The header comes after they are known, and counts them."""
    world.run(HEAD + SCRIPT)
    without = world.reporter.told("identity")[0].secrets
    world.aws.secrets["app/db"] = "late-value-1"
    world.run(HEAD + SECRET + SCRIPT)
    # Two more for the second session's keys, one for the late value.
    assert world.reporter.told("identity")[1].secrets == without + 1
    assert world.journal.index("GetSecretValue") < len(world.journal) - 1


@pytest.mark.parametrize("section", [SSM, SECRET], ids=["ssm", "secrets manager"])
def test_a_missing_value_is_a_problem_with_its_place(section: str, world: World) -> None:
    """What does not exist is 65, and names the line of the variable."""
    result = world.run(HEAD + section + SCRIPT)
    assert (result.exit_code, result.outcome) == (65, Outcome.NOT_STARTED)
    (problem,) = world.reporter.failure.problems
    assert problem.place.startswith("step.yaml:5:")
    assert problem.hint
    assert world.child.commands == []


def test_all_missing_values_are_told_at_once(world: World) -> None:
    """One run names every variable that is not there."""
    both = SSM + "  Db: {from_secretsmanager: app/db}\n"
    world.run(HEAD + both + SCRIPT)
    paths = {problem.path for problem in world.reporter.failure.problems}
    assert paths == {"variables.License", "variables.Db"}


def test_a_denied_value_is_an_identity_failure(world: World) -> None:
    """What the role may not read is 77, with the permission to grant and the trace."""
    world.aws.parameters["/app/license"] = refusal(
        "AccessDeniedException", service="ssm", operation="GetParameter"
    )
    result = world.run(HEAD + SSM + SCRIPT)
    assert (result.exit_code, result.outcome) == (77, Outcome.NOT_STARTED)
    failure = world.reporter.failure
    assert "/app/license" in failure.message
    assert failure.hint is not None
    assert "ssm:GetParameter" in failure.hint
    assert failure.trace
    assert world.child.commands == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(throttled(), 75, id="throttled"),
        pytest.param(refusal("InternalServiceError", service="ssm"), 1, id="other"),
    ],
)
def test_other_answers_keep_their_code(error: Exception, code: int, world: World) -> None:
    """What is neither missing nor denied means what AWS's door says."""
    world.aws.parameters["/app/license"] = error
    assert world.run(HEAD + SSM + SCRIPT).exit_code == code
    assert world.child.commands == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "name: x\nregion: eu-west-1\naccount: {type: access-key, access_key_id: AKIAX, "
            "secret_access_key: '{{ License }}'}\n",
            id="account",
        ),
        pytest.param(
            f"name: x\nregion: eu-west-1\nassume_role: {{role_arn: '{DEV}', "
            "external_id: '{{ License }}'}\n",
            id="assume_role",
        ),
        pytest.param(HEAD + "expect: {role: '{{ License }}'}\n", id="expect"),
        pytest.param(HEAD + "credentials: {min_validity: '{{ License }}'}\n", id="credentials"),
    ],
)
def test_the_identity_cannot_depend_on_late_values(text: str, world: World) -> None:
    """What is read with the step's credentials cannot decide about them: 65, before any call."""
    assert world.run(text + SSM + SCRIPT).exit_code == 65
    assert world.aws.calls == []
    assert any("License" in problem.message for problem in world.reporter.failure.problems)


def test_a_late_secret_is_no_argument(world: World) -> None:
    """A SecureString that turns up in an argument list stops the step before the child."""
    world.aws.parameters["/app/license"] = Parameter(value=Secret("late-value-1"), sensitive=True)
    result = world.run(HEAD + SSM + "script: {run: x, args: ['{{ License }}']}\n")
    assert result.exit_code == 65
    assert world.reporter.failure.problems[0].path == "script.args[0]"
    assert world.child.commands == []


def test_a_late_secret_too_short_to_mask_is_named(world: World) -> None:
    """A late value that cannot be masked safely is warned about, by name."""
    world.aws.secrets["app/db"] = "ab"
    world.run(HEAD + SECRET + SCRIPT)
    assert any("too short to be masked" in warning for warning in world.reporter.warnings)
