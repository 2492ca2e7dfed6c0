"""A plan that was applied in part cannot be applied again: it is removed, and nobody tries."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.process.base import StopReason
from tests.fakes import prints
from tests.runner.world import HEAD, World
from tests.steps.terraform.test_kind_runs import verbs, world
from tests.steps.terraform.world import (
    PLAN_BYTES,
    TerraformWorld,
    begun,
    completed,
    failed,
    stream,
)

__all__ = ["world"]

DONE = (begun(), completed())
DENIED = (begun("terraform_data.b"), failed("creating: AccessDenied"))
STALE = (failed("Saved plan is stale", "The given plan file can no longer be applied"),)
LOCKED = (failed("Error acquiring the state lock", "Lock Info:\n  ID: 1"),)
STEP = (
    HEAD + "retry: {attempts: 3, delay: 0s, on_exit_codes: [1]}\n"
    "terraform:\n  directory: infra\n  action: apply\n  plan_file: left.tfplan\n"
)


@pytest.mark.parametrize(
    ("said", "attempts", "is_there"),
    [
        pytest.param((*DONE, *DENIED), 1, False, id="in-part"),
        pytest.param(DENIED, 3, True, id="nothing-was-done"),
        pytest.param(STALE, 1, True, id="stale"),
        pytest.param(LOCKED, 3, True, id="locked"),
    ],
)
def test_a_spent_plan_is_not_tried_again(
    said: tuple[str, ...], attempts: int, is_there: bool, world: World
) -> None:
    """Another attempt is made only where it may go well; a plan that may still be of use stays."""
    plan = world.folder / "left.tfplan"
    plan.write_bytes(PLAN_BYTES)
    world.child.answers["apply"] = prints(stream(*said), code=1)
    assert world.run(STEP).exit_code == 1
    assert verbs(world).count("apply") == attempts
    assert plan.exists() is is_there
    text = world.reporter.text
    assert ("attempt 1 of 3 was the last: no other can succeed" in text) is (attempts == 1)
    assert ("was applied in part, cannot be applied again" in text) is not is_there
    assert ("still lies there, and holds secrets" in text) is is_there


def test_a_plan_that_was_stopped_in_the_middle_is_removed(tmp_path: Path) -> None:
    """However it ended early: what was done made it stale."""
    own = TerraformWorld(tmp_path)
    own.leaves_plan()
    own.applies(*DONE, begun("terraform_data.b"), code=143, stopped=StopReason.SIGNAL)
    assert own.run(action="apply").code == 143
    assert not own.plan_file.exists()
    assert any("was applied in part" in line for line in own.report.said("line"))


def test_a_deployment_plans_anew_at_each_attempt(world: World) -> None:
    """What was done by the one before is not done again: its plan is another."""
    world.child.answers["apply"] = prints(stream(*DONE, *DENIED), code=1)
    step = STEP.replace("  action: apply\n", "")
    assert world.run(step).exit_code == 1
    assert (verbs(world).count("plan"), verbs(world).count("apply")) == (3, 3)
