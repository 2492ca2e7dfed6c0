"""A plan that an earlier step has left is applied if it is the one that was approved."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from calamari_py.errors import ToolFailed
from calamari_py.steps.terraform.spec import PlanPolicy
from tests.steps.terraform.world import (
    CREATED,
    DESTROYED,
    PLAN_BYTES,
    SECRET,
    SECRET_CREATED,
    TerraformWorld,
    begun,
    completed,
    failed,
)

SHA256 = hashlib.sha256(PLAN_BYTES).hexdigest()


def test_the_approved_plan_is_applied(world: TerraformWorld) -> None:
    """A private copy of it, without planning anything; its outputs are published."""
    world.leaves_plan(CREATED)
    world.applies(begun(), completed())
    world.outputs(url="u")
    outcome = world.run(action="apply", plan_sha256=SHA256)
    assert outcome.changed is True
    assert world.verbs == ["version", "init", "show", "show", "apply", "show", "output"]
    assert world.tool.called("apply")[0].argv[-1] == str(world.plan_path)
    assert world.plan_path.read_bytes() == PLAN_BYTES
    assert world.report.outputs == {"Outputs.url": "u"}
    assert world.report.said("warning") == []


def test_an_altered_plan_is_refused_before_anything_is_asked(world: TerraformWorld) -> None:
    """Both hashes are named; no command is started; the file stays for whoever looks into it."""
    world.leaves_plan(CREATED, content=b"altered")
    error = world.fail(action="apply", plan_sha256=SHA256)
    assert isinstance(error, ToolFailed)
    altered = hashlib.sha256(b"altered").hexdigest()
    assert error.evidence == (f"its SHA-256\t{altered}", f"approved\t{SHA256}")
    assert world.verbs == []
    assert world.plan_file.exists()


def test_without_a_hash_the_log_says_unverified(world: TerraformWorld) -> None:
    """It is applied, and the hash that would have been asked for is told."""
    world.leaves_plan(CREATED)
    assert world.run(action="apply").changed
    (warning,) = world.report.said("warning")
    assert "unverified" in warning
    assert SHA256 in warning


def test_the_copy_is_applied_whatever_becomes_of_the_file(world: TerraformWorld) -> None:
    """What was hashed and shown is what is applied."""
    world.leaves_plan(CREATED)

    def swap() -> None:
        world.initialise()
        world.plan_file.write_bytes(b"swapped")

    world.on("init", act=swap)
    applied: list[bytes] = []
    world.on("apply", act=lambda: applied.append(world.plan_path.read_bytes()))
    world.run(action="apply", plan_sha256=SHA256)
    assert applied == [PLAN_BYTES]
    assert world.plan_file.read_bytes() == b"swapped"


def test_the_secrets_of_a_plan_are_hidden_before_it_is_shown(world: TerraformWorld) -> None:
    """It is shown once more, like one that is made now."""
    world.leaves_plan(SECRET_CREATED)
    world.run(action="apply", plan_sha256=SHA256)
    hidden = world.place_of("hide", world.report.hidden[SECRET])
    assert hidden < world.place_of("line", "terraform_data.a") < world.place_of("command", "apply")


def test_an_approved_plan_keeps_to_the_policy(world: TerraformWorld) -> None:
    """An approval does not overrule what no plan may do."""
    world.leaves_plan(DESTROYED)
    error = world.fail(
        action="apply", plan_sha256=SHA256, policy=PlanPolicy(protect=("aws_db_instance.*",))
    )
    assert "the policy refuses this plan" in str(error)
    assert "apply" not in world.verbs


def test_an_applied_plan_is_removed(world: TerraformWorld) -> None:
    """It holds secrets, and cannot be applied again."""
    world.leaves_plan(CREATED)
    world.run(action="apply", plan_sha256=SHA256)
    assert not world.plan_file.exists()


def _linked(world: TerraformWorld) -> Path:
    """Where the plan is to which `plan_file` now leads."""
    mounted = world.plan_file.parent / "mounted"
    world.leaves_plan(CREATED)
    world.plan_file.rename(mounted)
    world.plan_file.symlink_to(mounted)
    return mounted


def test_an_applied_plan_behind_a_link_is_removed(world: TerraformWorld) -> None:
    """Not the link alone: the secrets are in what it leads to."""
    mounted = _linked(world)
    world.run(action="apply", plan_sha256=SHA256)
    assert not mounted.exists()
    assert not world.plan_file.is_symlink()
    assert world.report.said("warning") == []


def test_what_is_behind_a_link_and_was_not_applied_stays(world: TerraformWorld) -> None:
    """Whatever the link leads to by now is not deleted unseen; that is said."""
    mounted = _linked(world)
    world.on("apply", act=lambda: mounted.write_bytes(b"something else"))
    world.run(action="apply", plan_sha256=SHA256)
    assert mounted.read_bytes() == b"something else"
    assert f"'{mounted}' is not the plan that was applied any more: it stays" in (
        world.report.said("warning")
    )


def test_a_plan_that_could_not_be_applied_stays(world: TerraformWorld) -> None:
    """Terraform says why: a stale plan is not tried a second time by us."""
    world.leaves_plan(CREATED)
    world.applies(failed("Saved plan is stale", "The given plan file can no longer be applied"),
                  code=1)  # fmt: skip
    error = world.fail(action="apply", plan_sha256=SHA256)
    assert isinstance(error, ToolFailed)
    assert "Saved plan is stale" in error.message
    assert "plan" in (error.hint or "")
    assert world.plan_file.exists()
    assert "still lies there, and holds secrets" in world.report.said("warning")[0]
    assert not world.report.has_changed


def test_a_rehearsal_applies_nothing(world: TerraformWorld) -> None:
    """It is verified, shown and held against the policy; the file stays."""
    world.leaves_plan(CREATED)
    outcome = world.run(action="apply", plan_sha256=SHA256, dry_run=True)
    assert outcome.pending
    assert "apply" not in world.verbs
    assert world.plan_file.exists()


def test_a_plan_without_changes_is_applied_and_changes_nothing(world: TerraformWorld) -> None:
    """Terraform says whether it is still good."""
    world.leaves_plan()
    outcome = world.run(action="apply", plan_sha256=SHA256)
    assert outcome.changed is False
    assert "apply" in world.verbs
    assert not world.report.has_changed


def test_ephemeral_variables_are_given_once_more(world: TerraformWorld) -> None:
    """They are in no plan. All others are, and some versions refuse to be told them again."""
    world.leaves_plan(CREATED)
    world.configures('variable "token" { ephemeral = true }\nvariable "stage" {}\n')
    (world.directory / "more.tfvars").write_text('token = "x"\n')
    (world.directory / "other.tfvars").write_text('stage = "x"\n')
    files = tuple(world.directory / name for name in ("more.tfvars", "other.tfvars"))
    variables = {"token": SECRET, "stage": "dev"}
    world.run(action="apply", plan_sha256=SHA256, variables=variables, variable_files=files)
    words = world.tool.called("apply")[0].argv
    first, own = (word.removeprefix("-var-file=") for word in words if "-var-file=" in word)
    assert first == str(files[0])
    assert json.loads(Path(own).read_bytes()) == {"token": SECRET}
    assert SECRET not in " ".join(words)


def test_no_variable_is_said_twice(world: TerraformWorld) -> None:
    """Where none is ephemeral the plan holds all."""
    world.leaves_plan(CREATED)
    world.configures('variable "token" { sensitive = true }\n')
    world.run(action="apply", plan_sha256=SHA256, variables={"token": SECRET})
    assert "-var-file" not in world.tool.called("apply")[0].words
