"""A success is one that Terraform itself tells of: exit codes get lost in wrappers."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.process.base import StopReason
from tests.steps.terraform.world import (
    CREATED,
    DESTROYED,
    TerraformWorld,
    begun,
    change,
    completed,
    failed,
    message,
    summed_up,
)

_STATE = b'{"version": 4, "serial": 1}'
_READ = change("data.aws_x.m", "read")
_MOVED = {**change("terraform_data.b", "no-op"), "previous_address": "terraform_data.a"}
_OUTPUT = {"output_changes": {"o": {"actions": ["create"]}}}


def _refused(world: TerraformWorld, **spec: Any) -> ToolFailed:
    error = world.fail(**spec)
    assert isinstance(error, ToolFailed)
    return error


@pytest.mark.parametrize("action", ["deploy", "apply", "destroy"])
def test_an_apply_with_errors_failed_whatever_its_code_is(
    world: TerraformWorld, action: str
) -> None:
    """The error is the failure; nothing is published, and a plan that was left stays."""
    world.leaves_plan(CREATED)
    world.applies(begun(), failed("Broken"))
    error = _refused(world, action=action)
    assert "failed: Broken" in error.message
    assert world.report.has_changed is True
    assert "output" not in world.verbs
    assert not world.report.last_words.startswith("applied: ")
    assert world.plan_file.exists() or action == "apply"


def test_an_apply_that_never_finished(world: TerraformWorld) -> None:
    """Its stream broke off, and the code was lost: the lock is looked for, too."""
    world.plans(CREATED)
    world.applies(begun(), breaks_off=True)
    error = _refused(world)
    assert "ended with 0 and never said that it had finished" in error.message
    assert world.report.has_changed is True
    assert "untaint" in world.verbs
    assert "output" not in world.verbs


def test_the_summary_of_a_plan_is_no_end_of_an_apply(world: TerraformWorld) -> None:
    """A wrapper that plans instead has applied nothing."""
    world.plans(CREATED)
    world.applies(summed_up("plan"), breaks_off=True)
    assert "never said" in _refused(world).message


def test_a_late_signal_does_not_make_a_success(world: TerraformWorld) -> None:
    """Ended by us, with code 0 and no word of its end: nothing says that it was applied."""
    world.leaves_plan(CREATED)
    world.applies(begun(), breaks_off=True, stopped=StopReason.SIGNAL, signum=15)
    world.run(action="apply")
    assert "applied: " not in world.report.last_words
    assert world.plan_file.exists()


def test_a_success_that_left_a_state(world: TerraformWorld) -> None:
    """It is kept, and the step has failed."""
    world.plans(CREATED)
    lost = world.directory / "errored.tfstate"
    note = message("diagnostic", "Warning", diagnostic={"severity": "warning", "summary": "x",
                   "detail": "see errored.tfstate"})  # fmt: skip
    world.applies(begun(), completed(), note, act=lambda: lost.write_bytes(_STATE))
    error = _refused(world)
    assert "did not save its state" in error.message
    assert world.report.kept["errored.tfstate"] == _STATE
    assert world.report.has_changed is True


def test_an_error_beside_the_stream_is_no_error_of_a_success(world: TerraformWorld) -> None:
    """Other programs write to the same streams."""
    world.plans(CREATED)
    world.applies("Error: a linter's", begun(), completed())
    assert world.run().changed


def test_a_plan_with_errors_failed_whatever_its_code_is(world: TerraformWorld) -> None:
    """Nothing of it is applied or left."""
    world.plans(CREATED, said=[failed("Broken")])
    assert "plan failed: Broken" in _refused(world, action="plan").message
    assert not world.plan_file.exists()


@pytest.mark.parametrize(
    ("changes", "more", "code", "why"),
    [
        pytest.param([CREATED], {}, 0, "nothing to do", id="changes and 0"),
        pytest.param([CREATED], {"applyable": None}, 0, "nothing to do", id="of old versions"),
        pytest.param([_MOVED], {"applyable": None}, 0, "nothing to do", id="a move and 0"),
        pytest.param([], {**_OUTPUT, "applyable": None}, 0, "nothing to do", id="an output and 0"),
        pytest.param([], {}, 2, "there are changes", id="nothing and 2"),
        pytest.param([], {"applyable": None}, 2, "there are changes", id="2 of old versions"),
        pytest.param([CREATED], {"errored": True}, 2, "its plan says that it failed", id="half"),
    ],
)
def test_a_plan_and_its_code_agree(
    world: TerraformWorld, changes: list[Any], more: dict[str, Any], code: int, why: str
) -> None:
    """Where they do not, nobody knows what was planned."""
    world.plans(*changes, code=code, **more)
    assert why in _refused(world).message
    assert "apply" not in world.verbs


@pytest.mark.parametrize(
    ("changes", "more", "code"),
    [
        pytest.param([_READ], {}, 2, id="reads"),
        pytest.param([_READ], {"applyable": None}, 0, id="reads of old versions"),
        pytest.param([_MOVED], {}, 2, id="moves"),
        pytest.param([], {**_OUTPUT}, 2, id="outputs"),
        pytest.param([change("terraform_data.a", "forget")], {}, 2, id="forgets"),
        pytest.param([], {"resource_drift": [DESTROYED]}, 0, id="drift that changes nothing"),
    ],
)
def test_what_terraform_says_of_such_a_plan(
    world: TerraformWorld, changes: list[Any], more: dict[str, Any], code: int
) -> None:
    """Seen of Terraform 1.11."""
    world.plans(*changes, code=code, **more)
    world.run()


def test_drift_that_old_versions_do_not_list(world: TerraformWorld) -> None:
    """They end with 2 for what only is written in another way."""
    world.plans(code=2, applyable=None)
    world.run(action="drift")
    assert world.report.outputs["DriftDetected"] == "false"


@pytest.mark.parametrize("action", ["deploy", "apply"])
def test_a_state_in_place_of_the_plan(world: TerraformWorld, action: str) -> None:
    """The policy would find nothing in it."""
    world.leaves_plan(DESTROYED)
    world.on(" ".join(world.shown_by), stdout=b'{"format_version": "1.0"}')
    assert "is not a plan" in _refused(world, action=action).message
    assert "apply" not in world.verbs


def test_an_applied_refresh(world: TerraformWorld) -> None:
    """What was changed outside is written down: that is a change, and outputs may be new."""
    drift = change("terraform_data.b", "update", before={"input": "x"}, after={"input": "y"})
    world.leaves_plan()
    world.plans(resource_drift=[drift], applyable=True, code=2)
    world.outputs(url="new")
    outcome = world.run(action="apply")
    assert outcome.changed is True
    assert world.report.last_words == "applied: the state was refreshed"
    assert world.report.outputs == {"Outputs.url": "new"}


def test_the_approved_hash_outlives_init(world: TerraformWorld) -> None:
    """What init, or anything else, puts in the place of the private copy is not applied."""
    world.leaves_plan(CREATED)

    def swap() -> None:
        world.initialise()
        world.plan_path.write_bytes(world.plan_file.read_bytes() + b"x")

    world.on("init", act=swap)
    assert "was changed after it was made" in _refused(world, action="apply").message
    assert "apply" not in world.verbs
