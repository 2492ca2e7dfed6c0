"""A plan is left for a later apply: a secret, named by its hash."""

from __future__ import annotations

import hashlib
import stat

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.steps.terraform.spec import PlanPolicy
from tests.steps.terraform.world import (
    CREATED,
    DESTROYED,
    PLAN_BYTES,
    SECRET,
    SECRET_CREATED,
    TerraformWorld,
    failed,
    stream,
)

SHA256 = hashlib.sha256(PLAN_BYTES).hexdigest()
PROTECTED = PlanPolicy(protect=("aws_db_instance.*",))


def test_a_plan_is_left_and_its_hash_published(world: TerraformWorld) -> None:
    """The file is what Terraform made, for its owner alone; `PlanSha256` is what `sha256sum` says,
    and stands in the log."""
    world.plans(CREATED)
    outcome = world.run(action="plan")
    assert (outcome.code, outcome.changed, outcome.pending) == (0, None, True)
    assert world.plan_file.read_bytes() == PLAN_BYTES
    assert stat.S_IMODE(world.plan_file.stat().st_mode) == 0o600
    assert world.report.outputs == {"PlanSha256": SHA256}
    assert world.report.last_words == "plan left: 1 to create"
    assert world.place_of("line", SHA256)
    assert world.verbs[-1] == "show"


def test_the_log_says_that_a_plan_is_a_secret(world: TerraformWorld) -> None:
    """Whoever hands it on knows what it is; the secret itself is not in the log."""
    world.plans(SECRET_CREATED)
    world.run(action="plan")
    assert world.place_of("line", "holds secrets")
    assert SECRET not in world.report.everything


def test_a_plan_without_changes_is_left_too(world: TerraformWorld) -> None:
    """What a pipeline applies next is there, and nothing was to be changed."""
    outcome = world.run(action="plan")
    assert (outcome.changed, outcome.pending) == (False, False)
    assert world.plan_file.exists()
    assert world.report.last_words == "plan left"


def test_a_plan_to_destroy_is_made_with_destroy(world: TerraformWorld) -> None:
    """It is left as any other."""
    world.plans(DESTROYED)
    assert world.run(action="plan-destroy").pending
    assert "-destroy" in world.tool.called("plan")[0].argv
    assert world.report.last_words == "plan left: 1 to destroy"
    assert world.plan_file.exists()


def test_a_refused_plan_is_not_left(world: TerraformWorld) -> None:
    """Nobody can apply what the policy forbids."""
    world.plans(DESTROYED)
    assert isinstance(world.fail(action="plan", policy=PROTECTED), ToolFailed)
    assert not world.plan_file.exists()
    assert world.report.outputs == {}


@pytest.mark.parametrize(
    "policy",
    [pytest.param(PROTECTED, id="refused"), pytest.param(PlanPolicy(), id="terraform failed")],
)
def test_a_plan_of_an_earlier_run_is_named(world: TerraformWorld, policy: PlanPolicy) -> None:
    """It stays, and nobody takes it for this run's."""
    world.plan_file.write_bytes(b"older")
    world.plans(DESTROYED)
    if policy == PlanPolicy():
        world.on("plan", 1, stdout=stream(failed("Unsupported attribute")))
    world.fail(action="plan", policy=policy)
    assert world.plan_file.read_bytes() == b"older"
    assert "earlier run" in " ".join(world.report.said("warning"))


def test_a_rehearsal_leaves_no_plan(world: TerraformWorld) -> None:
    """It shows what there is to do, and no more."""
    world.plans(CREATED)
    assert world.run(action="plan", dry_run=True).pending
    assert not world.plan_file.exists()
    assert world.report.outputs == {}
