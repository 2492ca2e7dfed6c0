"""A whole run of the kind, from the manifest to the exit code, with both doors faked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calamari_py.process.base import ProcessExit, StopReason
from calamari_py.steps.base import Wishes
from tests.fakes import Running, prints
from tests.runner.world import HEAD, World
from tests.steps.terraform.world import (
    DESTROYED,
    PLAN_BYTES,
    SECRET,
    SECRET_CREATED,
    acts_as_terraform,
    begun,
    completed,
    failed,
    message,
    outputs_document,
    provisioned,
    stream,
)

STEP = HEAD + "terraform:\n  directory: infra\n  backend: {bucket: states, key: dev}\n"
PROTECT = "  policy: {protect: ['aws_db_instance.*']}\n"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    (made.folder / "infra").mkdir()
    made.write('resource "terraform_data" "a" {}', "infra/main.tf")
    tool = made.folder / "bin" / "terraform"
    tool.write_text("never run\n")
    tool.chmod(0o755)
    acts_as_terraform(made.child)
    return made


def outputs(**values: Any) -> bytes:
    return json.dumps(outputs_document(sensitive=["password"], **values)).encode()


def verbs(world: World) -> list[str]:
    return [command.argv[1] for command in world.child.commands]


def test_a_deployment_from_manifest_to_result(world: World) -> None:
    """Typed outputs, what was changed, what the plan was."""
    world.child.answers["output"] = prints(outputs(ports=[80, 443], password=SECRET))
    result = world.run(STEP)
    assert (result.exit_code, result.changed) == (0, True)
    document = result.to_document()
    assert document["outputs"]["Outputs.ports"] == {"value": "[80,443]", "sensitive": False}
    assert document["outputs"]["Outputs.password"]["sensitive"] is True
    assert document["details"]["changes"]["create"] == 1
    assert SECRET not in world.reporter.text
    assert list(world.private.iterdir()) == []


def test_the_identity_is_known_before_init(world: World) -> None:
    """A step of the wrong account starts no Terraform."""
    result = world.run(STEP + "expect: {account: '999999999999'}\n")
    assert result.exit_code == 77
    assert world.child.commands == []


def test_credentials_come_from_an_endpoint(world: World) -> None:
    """They are renewed, no key is in the environment, and the log says so."""
    world.run(STEP)
    environment = world.child.environments[0]
    assert environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"].startswith("http://127.0.0.1:")
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert "renewed credentials" in world.reporter.text


def test_nothing_of_the_callers_decides_the_plan(world: World) -> None:
    """Terraform's own variables of whoever started us do not reach it."""
    hostile = {
        "TF_CLI_ARGS_plan": "-destroy",
        "TF_CLI_ARGS": "-lock=false",
        "TF_WORKSPACE": "prod",
        "TF_VAR_stage": "prod",
        "TF_LOG": "trace",
        "AWS_PROFILE": "prod",
    }
    world.environ |= hostile
    world.run(STEP)
    assert world.child.environments
    for environment in world.child.environments:
        assert environment.keys() & hostile.keys() == set()


def test_what_a_provisioner_prints_is_masked(world: World) -> None:
    """The plan's secrets are known before anything is applied."""
    acts_as_terraform(world.child, SECRET_CREATED)
    world.child.answers["apply"] = prints(
        stream(begun(), provisioned(f"connecting with {SECRET}"), completed())
    )
    world.run(STEP)
    assert "connecting with ***" in world.reporter.text
    assert SECRET not in world.reporter.text


def test_a_refused_plan_exits_with_1_and_says_why(world: World) -> None:
    """It is a failure of the step, not of the manifest."""
    acts_as_terraform(world.child, DESTROYED)
    result = world.run(STEP + PROTECT)
    assert (result.exit_code, result.changed) == (1, False)
    assert "the policy refuses this plan" in world.reporter.failure.message
    assert "apply" not in verbs(world)


def test_a_failure_in_the_middle_has_changed_something(world: World) -> None:
    """Terraform failed: 1, and the result says that something was changed."""
    world.child.answers["apply"] = prints(stream(begun(), failed("creating the thing")), code=1)
    result = world.run(STEP)
    assert (result.exit_code, result.changed) == (1, True)
    assert "creating the thing" in world.reporter.failure.message


def test_outputs_that_fail_make_the_step_fail(world: World) -> None:
    """Though the apply succeeded."""
    world.child.answers["output"] = prints(b"Error: no\n", code=1, stream="stderr")
    result = world.run(STEP)
    assert (result.exit_code, result.changed) == (1, True)
    assert "the plan was applied" in world.reporter.text


def test_a_timeout_is_124(world: World) -> None:
    """Terraform was told to end, and did."""

    def late(running: Running) -> ProcessExit:
        running.write(stream(message("version")))
        return ProcessExit(code=1, stopped=StopReason.TIMEOUT)

    world.child.answers["plan"] = late
    assert world.run(STEP).exit_code == 124
    assert verbs(world)[-1] == "plan"


def test_without_terraform_the_step_is_unavailable(world: World) -> None:
    """The tool is looked for before anybody is asked for credentials."""
    (world.folder / "bin" / "terraform").unlink()
    assert world.run(STEP).exit_code == 69
    assert world.aws.calls == []


@pytest.mark.parametrize(
    ("action", "code"),
    [
        pytest.param("deploy", 2, id="changed"),
        pytest.param("plan", 2, id="something to change"),
        pytest.param("output", 0, id="nothing"),
    ],
)
def test_scripts_may_tell_changes_by_the_exit_code(world: World, action: str, code: int) -> None:
    """As ``terraform plan -detailed-exitcode`` does."""
    result = world.run(
        STEP + "  plan_file: left.tfplan\n", wishes=Wishes(action=action), detailed_exitcode=True
    )
    assert result.exit_code == code
    assert result.outcome == "succeeded"


def test_a_plan_is_handed_on_and_applied_by_its_hash(world: World) -> None:
    """Two steps: what the first one publishes is what the second one asks for."""
    step = STEP + "  plan_file: left.tfplan\n"
    planned = world.run(step, wishes=Wishes(action="plan"))
    assert planned.exit_code == 0
    sha256 = planned.to_document()["outputs"]["PlanSha256"]["value"]
    left = world.folder / "left.tfplan"
    assert left.read_bytes() == PLAN_BYTES
    assert (
        world.run(f"{step}  plan_sha256: '{sha256}'\n", wishes=Wishes(action="apply")).exit_code
        == 0
    )
    assert not left.exists()


def test_a_plan_that_was_altered_starts_nothing(world: World) -> None:
    """Its hash is another one: exit 1, and no command was run."""
    world.write("altered", "left.tfplan")
    result = world.run(
        f"{STEP}  plan_file: left.tfplan\n  plan_sha256: '{'0' * 64}'\n",
        wishes=Wishes(action="apply"),
    )
    assert result.exit_code == 1
    assert world.child.commands == []
