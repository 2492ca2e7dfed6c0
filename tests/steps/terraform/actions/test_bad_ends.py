"""A step that is ended, killed, or cannot lock or save the state: what it says and keeps."""

from __future__ import annotations

import pytest

from calamari_py.errors import Cancelled, ToolFailed, ToolMissing
from calamari_py.process.base import StopReason
from tests.steps.terraform.fakes import Answer
from tests.steps.terraform.world import (
    CREATED,
    LOCK_ID,
    LOCK_INFO,
    STATE_SECRET,
    TerraformWorld,
    begun,
    completed,
    failed,
    message,
    stream,
)

STATE = b'{"version": 4, "serial": 7, "resources": []}'
STOPS = [
    pytest.param(StopReason.SIGNAL, 15, id="signal"),
    pytest.param(StopReason.TIMEOUT, None, id="timeout"),
]


def lose_state(world: TerraformWorld) -> None:
    """Terraform leaves what it could not save."""
    (world.directory / "errored.tfstate").write_bytes(STATE)


@pytest.mark.parametrize(("reason", "signum"), STOPS)
def test_an_apply_that_is_ended_is_an_outcome(
    world: TerraformWorld, reason: StopReason, signum: int | None
) -> None:
    """The corridor makes the exit code of how it was ended; that something was changed is known,
    the lock was looked at, and nothing is published."""
    world.plans(CREATED)
    world.applies(begun(), code=1, stopped=reason, signum=signum)
    outcome = world.run()
    assert outcome.exit is not None
    assert outcome.exit.stopped is reason
    assert outcome.code == 1
    assert world.report.has_changed
    assert world.verbs[-2:] == ["apply", "show"]
    assert "not locked" in world.report.everything
    assert world.report.outputs == {}


@pytest.mark.parametrize(("reason", "signum"), STOPS)
def test_a_plan_that_is_ended_has_changed_nothing(
    world: TerraformWorld, reason: StopReason, signum: int | None
) -> None:
    """It holds a lock as well: that is looked at."""
    world.on("plan", 1, stdout=stream(message("version")), stopped=reason, signum=signum)
    outcome = world.run()
    assert outcome.exit is not None
    assert world.verbs[-1] == "plan"
    assert not world.report.has_changed


@pytest.mark.parametrize("action", ["deploy", "apply"])
def test_a_signal_that_came_too_late_ends_nothing(world: TerraformWorld, action: str) -> None:
    """All was applied: that is said, and the plan is of no use any more; the step counts as
    stopped."""
    world.leaves_plan(CREATED)
    world.applies(begun(), completed(), stopped=StopReason.SIGNAL, signum=15)
    outcome = world.run(action=action)
    assert outcome.exit is not None
    assert world.report.has_changed
    assert world.report.last_words == "applied: 1 created"
    assert world.plan_file.exists() is (action == "deploy")


@pytest.mark.parametrize(
    ("lines", "is_saved"),
    [
        pytest.param((failed("Odd"),), False, id="never begun"),
        pytest.param((begun(), failed("Odd")), True, id="begun"),
        pytest.param((begun(), failed("Failed to save state")), False, id="not saved"),
    ],
)
def test_what_was_done_is_only_called_saved_where_it_is(
    lines: tuple[str, ...], is_saved: bool, world: TerraformWorld
) -> None:
    """The advice of a failed apply depends on what was begun, and on what is said of the state."""
    world.plans(CREATED)
    world.applies(*lines, code=1)
    error = world.fail()
    assert ("is in the state" in (getattr(error, "hint", None) or "")) is is_saved


def test_an_init_that_is_ended_is_an_outcome(world: TerraformWorld) -> None:
    """It holds no lock: nothing is asked any more."""
    world.on("init", 1, stopped=StopReason.SIGNAL, signum=15)
    outcome = world.run()
    assert outcome.exit is not None
    assert world.verbs == ["version", "init"]


def test_a_lock_that_was_left_is_reported_with_its_line(world: TerraformWorld) -> None:
    """Killed by somebody else: the lock, its holder, and what frees it."""
    world.plans(CREATED)
    world.applies(begun(), code=137)
    world.on("untaint", 1, stderr=LOCK_INFO.encode())
    assert isinstance(world.fail(), ToolFailed)
    assert LOCK_ID in world.report.everything
    assert "ci@runner-7" in world.report.everything
    assert "force-unlock" in world.report.everything
    assert world.report.facts["lock"]["id"] == LOCK_ID


def test_an_apply_whose_reader_went_away_looks_at_the_lock(world: TerraformWorld) -> None:
    """Nobody reads it, but the result says so."""

    def gone() -> None:
        raise Cancelled(13)

    world.plans(CREATED)
    world.applies(begun(), act=gone)
    world.on("untaint", 1, stderr=LOCK_INFO.encode())
    assert isinstance(world.fail(), Cancelled)
    assert world.report.facts["lock"]["id"] == LOCK_ID


@pytest.mark.parametrize("action", ["deploy", "destroy", "drift", "plan"])
def test_a_held_lock_names_its_holder(world: TerraformWorld, action: str) -> None:
    """A plan that cannot have the lock fails with who has it, and what can be done."""
    locked = failed("Error acquiring the state lock", LOCK_INFO)
    world.on("plan", 1, stdout=stream(locked))
    error = world.fail(action=action)
    assert isinstance(error, ToolFailed)
    assert "ci@runner-7" in error.message
    assert LOCK_ID in " ".join(error.evidence)


def test_a_lock_that_could_not_be_released_is_looked_at(world: TerraformWorld) -> None:
    """The apply has failed, and its lock may be there."""
    world.plans(CREATED)
    released = failed("Error releasing the state lock", "Lock Info:\n  ID: x")
    world.applies(begun(), completed(), released, code=1)
    world.fail()
    assert world.verbs[-1] == "untaint"


def test_a_state_that_could_not_be_saved_is_kept(world: TerraformWorld) -> None:
    """As it is, as an artifact; the failure is Terraform's own, and the line that saves it is
    told."""
    world.plans(CREATED)
    artifacts = world.folder / "artifacts"
    artifacts.mkdir()
    world.report.folder = artifacts
    world.applies(
        begun(), failed("Failed to save state", "no route"), code=1, act=lambda: lose_state(world)
    )
    error = world.fail()
    assert isinstance(error, ToolFailed)
    assert "Failed to save state" in error.message
    assert (artifacts / "errored.tfstate").read_bytes() == STATE
    assert "errored.tfstate" in world.report.unmasked
    assert not (world.directory / "errored.tfstate").exists()
    assert "state push" in world.report.everything


def test_a_state_is_kept_whoever_ends_the_apply(world: TerraformWorld) -> None:
    """A signal, a time limit, or a reader that went away."""
    world.plans(CREATED)
    world.applies(
        begun(), code=1, stopped=StopReason.SIGNAL, signum=15, act=lambda: lose_state(world)
    )
    world.run()
    assert world.report.kept == {"errored.tfstate": STATE}


def test_a_defect_of_ours_loses_no_state(world: TerraformWorld) -> None:
    """What Terraform left is kept, and the defect is raised."""

    def break_off() -> None:
        lose_state(world)
        raise ZeroDivisionError

    world.plans(CREATED)
    world.applies(begun(), act=break_off)
    with pytest.raises(ZeroDivisionError):
        world.run()
    assert world.report.kept == {"errored.tfstate": STATE}


@pytest.mark.parametrize("action", ["deploy", "apply", "destroy"])
def test_nothing_is_applied_to_an_older_state(world: TerraformWorld, action: str) -> None:
    """What an earlier run could not save comes first; nothing is asked of AWS."""
    world.leaves_plan(CREATED)
    lose_state(world)
    error = world.fail(action=action)
    assert isinstance(error, ToolFailed)
    assert "errored.tfstate" in error.message
    assert world.verbs == ["version"]


@pytest.mark.parametrize("action", ["plan", "drift", "output"])
def test_whoever_only_looks_may_look(world: TerraformWorld, action: str) -> None:
    """A state that was not saved keeps nobody from looking; what is seen is not all."""
    lose_state(world)
    assert world.run(action=action).code == 0
    (warning,) = world.report.said("warning")
    assert "errored.tfstate" in warning
    assert "state push" in world.report.hints[0]


def test_secrets_of_the_state_are_hidden_though_the_plan_fails(world: TerraformWorld) -> None:
    """The error may quote one."""
    world.on("plan", 1, stdout=stream(failed(f"invalid value {STATE_SECRET}")))
    world.fail()
    name = world.report.hidden[STATE_SECRET]
    assert world.place_of("hide", name) < world.place_of("command", "plan")


def test_terraforms_own_log_is_kept_of_a_failure(world: TerraformWorld) -> None:
    """As an artifact, masked."""
    world.writes_log("plan", Answer(code=1, stdout=stream(failed("broken"))))
    assert isinstance(world.fail(log_level="trace"), ToolFailed)
    assert world.report.kept.keys() == {"terraform.log"}
    assert world.report.unmasked == set()


def test_terraforms_own_log_is_kept_of_what_was_ended(world: TerraformWorld) -> None:
    """A time limit is a bad end, too."""
    world.writes_log("plan", Answer(code=1, stopped=StopReason.TIMEOUT))
    world.run(log_level="trace")
    assert "terraform.log" in world.report.kept


def test_terraforms_own_log_is_kept_of_a_setback(world: TerraformWorld) -> None:
    """The step has failed though the apply went well."""
    world.writes_log("output", Answer(code=1))
    world.run(log_level="trace")
    assert world.report.said("setback")
    assert "terraform.log" in world.report.kept


def test_the_log_of_a_success_is_not_kept(world: TerraformWorld) -> None:
    """It goes with the folder that it is in."""
    world.writes_log("output", Answer(stdout=b"{}"))
    assert world.run(log_level="trace").code == 0
    assert world.report.kept == {}


def test_a_program_that_leaves_no_plan_is_none_of_ours(world: TerraformWorld) -> None:
    """A wrapper that says it has made one: that is told, and nothing applied."""
    world.on("plan", 2)
    assert "the plan cannot be read" in str(world.fail())
    assert "apply" not in world.verbs


def test_a_log_is_kept_when_init_fails(world: TerraformWorld) -> None:
    """That is when it is needed."""
    world.writes_log("init", Answer(code=1, stderr=b"Error: Failed to query provider\n"))
    world.fail(log_level="debug")
    assert "terraform.log" in world.report.kept


def test_a_log_that_cannot_be_kept_says_how(world: TerraformWorld) -> None:
    """There was no folder for artifacts."""
    world.report.takes_artifacts = False
    world.writes_log("plan", Answer(code=1))
    world.fail(log_level="trace")
    assert "--artifacts" in " ".join(world.report.hints)


def test_without_log_level_there_is_no_log(world: TerraformWorld) -> None:
    """Terraform is not asked for one."""
    world.on("plan", 1)
    world.fail()
    assert "TF_LOG" not in world.tool.called("plan")[0].command.environment
    assert world.report.kept == {}


def test_no_terraform_at_all_is_a_missing_tool(world: TerraformWorld) -> None:
    """The program on the path is another one."""
    world.on("version -json", 64)
    world.on("version", stdout=b"ruby 3.3.0\n")
    assert isinstance(world.fail(), ToolMissing)
    assert "init" not in world.verbs
