"""Deploy and destroy: a plan is made once, and that very plan is applied."""

from __future__ import annotations

import pytest

from calamari_py.errors import Cancelled, ToolFailed
from calamari_py.process.base import StopReason
from calamari_py.steps.terraform.spec import PlanPolicy
from tests.steps.terraform.world import (
    CREATED,
    DESTROYED,
    SECRET,
    SECRET_CREATED,
    STATE_SECRET,
    UPDATED,
    TerraformWorld,
    begun,
    change,
    completed,
    failed,
    message,
    stream,
)

PROTECTED = PlanPolicy(protect=("aws_db_instance.*",))
DEPRECATED = message(
    "diagnostic",
    "Warning: Argument is deprecated",
    level="warn",
    diagnostic={"severity": "warning", "summary": "Argument is deprecated", "detail": "use b"},
)


def test_the_plan_that_was_made_is_the_one_that_is_applied(world: TerraformWorld) -> None:
    """One plan, shown once, applied by its file: nothing is planned a second time."""
    world.plans(CREATED)
    world.applies(begun(), completed())
    outcome = world.run()
    assert (outcome.code, outcome.changed, outcome.pending) == (0, True, False)
    assert world.verbs == ["version", "init", "show", "plan", "show", "apply", "show", "output"]
    assert f"-out={world.plan_path}" in world.tool.called("plan")[0].argv
    assert world.tool.called("apply")[0].argv[-1] == str(world.plan_path)
    assert world.report.last_words == "applied: 1 created"


def test_nothing_is_applied_where_nothing_changes(world: TerraformWorld) -> None:
    """Terraform is asked for a plan and no more; the outputs are published all the same."""
    world.outputs(url="https://example.test")
    outcome = world.run()
    assert (outcome.code, outcome.changed) == (0, False)
    assert "apply" not in world.verbs
    assert world.report.outputs == {"Outputs.url": "https://example.test"}
    assert not world.report.has_changed


def test_secrets_of_the_state_are_hidden_before_anything_is_planned(world: TerraformWorld) -> None:
    """A plan quotes the state it begins with."""
    world.run()
    assert STATE_SECRET in world.report.hidden
    name = world.report.hidden[STATE_SECRET]
    assert world.place_of("hide", name) < world.place_of("command", "plan")


def test_secrets_of_the_plan_are_hidden_before_it_is_shown(world: TerraformWorld) -> None:
    """The summary comes after, and the apply, whose provisioners print what they like, too."""
    world.plans(SECRET_CREATED)
    world.run()
    hidden = world.place_of("hide", world.report.hidden[SECRET])
    assert hidden < world.place_of("line", "terraform_data.a")
    assert hidden < world.place_of("command", "apply")
    assert SECRET not in world.report.everything


def test_a_refused_plan_is_not_applied(world: TerraformWorld) -> None:
    """The policy is held against the very plan; the message says what it would have done."""
    world.plans(CREATED, DESTROYED)
    error = world.fail(policy=PROTECTED)
    assert isinstance(error, ToolFailed)
    assert "the policy refuses this plan" in error.message
    assert "aws_db_instance.main" in error.message
    assert "apply" not in world.verbs
    assert not world.report.has_changed


def test_every_refusal_is_told(world: TerraformWorld) -> None:
    """The first in the message, the others as evidence: none twice."""
    world.plans(DESTROYED, change("aws_db_instance.other", "delete"))
    error = world.fail(policy=PROTECTED)
    assert isinstance(error, ToolFailed)
    assert "and 1 more" in error.message
    assert len(error.evidence) == 1


def test_a_refused_plan_was_shown(world: TerraformWorld) -> None:
    """Whoever reads why it is refused sees the whole of it."""
    world.plans(CREATED, DESTROYED)
    world.fail(policy=PROTECTED)
    assert world.place_of("line", "terraform_data.a")


@pytest.mark.parametrize(
    ("action", "ending"),
    [
        pytest.param("deploy", "would apply: ", id="deploy"),
        pytest.param("destroy", "would destroy: ", id="destroy"),
    ],
)
def test_a_rehearsal_stops_before_anything_is_changed(
    world: TerraformWorld, action: str, ending: str
) -> None:
    """It tells what it would do; that is pending, and no change."""
    world.plans(DESTROYED)
    outcome = world.run(action=action, dry_run=True)
    assert (outcome.code, outcome.changed, outcome.pending) == (0, None, True)
    assert world.verbs[-1] == "show"
    assert world.report.last_words.startswith(ending)
    assert world.report.outputs == {}


def test_a_rehearsal_of_nothing_says_so(world: TerraformWorld) -> None:
    """Nothing pending, nothing changed."""
    outcome = world.run(dry_run=True)
    assert (outcome.changed, outcome.pending) == (False, False)


def test_a_refused_plan_fails_a_rehearsal(world: TerraformWorld) -> None:
    """It would fail: that is what a rehearsal is for."""
    world.plans(DESTROYED)
    assert isinstance(world.fail(dry_run=True, policy=PROTECTED), ToolFailed)


def test_outputs_alone_are_a_change(world: TerraformWorld) -> None:
    """Terraform says 2 where only an output changes: it is applied."""
    output = {"actions": ["create"], "before": None, "after": 1, "after_unknown": False}
    world.plans(code=2, output_changes={"n": output})
    assert world.run().changed is True
    assert "apply" in world.verbs
    assert world.report.last_words == "applied: only outputs changed"


def test_something_may_be_changed_from_the_first_resource_on(world: TerraformWorld) -> None:
    """However the apply ends, the result says that something was changed."""
    world.plans(CREATED, UPDATED)
    world.applies(begun(), failed("creating the thing"), code=1)
    error = world.fail()
    assert isinstance(error, ToolFailed)
    assert "creating the thing" in error.message
    assert world.report.has_changed
    assert "output" not in world.verbs


def test_an_apply_that_never_began_has_changed_nothing(world: TerraformWorld) -> None:
    """A stale plan is refused by Terraform itself."""
    world.plans(CREATED)
    world.applies(failed("Saved plan is stale"), code=1)
    assert "stale" in str(world.fail())
    assert not world.report.has_changed


def test_data_that_is_read_is_no_change(world: TerraformWorld) -> None:
    """Terraform says 2, and begins something: nothing was changed all the same."""
    data = change("data.aws_ami.a", "read") | {"mode": "data"}
    world.plans(data)
    world.applies(begun("data.aws_ami.a", "read"), completed("data.aws_ami.a", "read"))
    assert world.run().changed is False
    assert not world.report.has_changed
    assert "apply" in world.verbs


@pytest.mark.parametrize("action", ["plan", "drift", "plan-destroy"])
def test_a_plan_that_reads_data_changes_nothing(world: TerraformWorld, action: str) -> None:
    """A data source is begun on while the plan is made."""
    world.plans(said=[begun("data.aws_ami.a", "read"), completed("data.aws_ami.a", "read")])
    assert world.run(action=action).changed is False
    assert not world.report.has_changed


@pytest.mark.parametrize(
    ("code", "stopped"),
    [pytest.param(1, None, id="failed"), pytest.param(1, StopReason.TIMEOUT, id="timeout")],
)
def test_a_bad_end_says_how_far_it_came(
    world: TerraformWorld, code: int, stopped: StopReason | None
) -> None:
    """Of what was planned, whatever ended it."""
    world.plans(CREATED, UPDATED)
    world.applies(begun(), completed(), failed("Broken"), code=code, stopped=stopped)
    try:
        world.run()
    except ToolFailed:
        assert stopped is None
    assert world.report.last_words == "applied 1 of 2"
    assert world.report.facts["applied"] == {"done": 1, "planned": 2}


def test_a_plan_of_targets_says_so_in_a_line(world: TerraformWorld) -> None:
    """Older versions do not say it in the plan."""
    world.plans(CREATED)
    world.run(targets=("terraform_data.a",))
    assert "  only the targets were planned" in world.report.said("line")


def test_a_plan_that_fails_is_neither_shown_nor_applied(world: TerraformWorld) -> None:
    """Its first error is the message, with its place."""
    place = {"filename": "main.tf", "start": {"line": 3, "column": 1, "byte": 0},
             "end": {"line": 3, "column": 9, "byte": 8}}  # fmt: skip
    world.on("plan", 1, stdout=stream(failed("Unsupported attribute", range=place)))
    error = world.fail()
    assert isinstance(error, ToolFailed)
    assert "Unsupported attribute" in error.message
    assert "main.tf:3" in error.message
    assert world.verbs[-1] == "plan"


def test_a_failure_names_the_program_that_was_run(world: TerraformWorld) -> None:
    """OpenTofu's errors are not called Terraform's."""
    world.on("plan", 1, stdout=stream(failed("Unsupported attribute")))
    assert str(world.fail(binary_name="/opt/bin/tofu")).startswith("tofu plan failed")


def test_a_plan_that_was_swapped_is_not_applied(world: TerraformWorld) -> None:
    """What is applied is what was shown, to the byte."""
    world.plans(CREATED)
    world.on(
        " ".join(world.shown_by),
        stdout=world.shown,
        act=lambda: world.plan_path.write_bytes(b"another plan"),
    )
    assert "was changed after it was made" in str(world.fail())
    assert "apply" not in world.verbs


def test_destroy_plans_with_destroy_and_publishes_nothing(world: TerraformWorld) -> None:
    """The same way as a deployment: plan, policy, that very plan."""
    world.plans(DESTROYED)
    outcome = world.run(action="destroy")
    assert outcome.changed is True
    assert "-destroy" in world.tool.called("plan")[0].argv
    assert world.verbs[-2:] == ["apply", "show"]
    assert world.report.last_words == "destroyed 1"


def test_destroy_keeps_to_the_policy(world: TerraformWorld) -> None:
    """A protected resource is not destroyed by the action that is there to destroy."""
    world.plans(DESTROYED)
    assert isinstance(world.fail(action="destroy", policy=PROTECTED), ToolFailed)
    assert "apply" not in world.verbs


def test_destroying_nothing_changes_nothing(world: TerraformWorld) -> None:
    """An empty state has nothing to destroy, and that is said once."""
    assert world.run(action="destroy").changed is False
    assert "destroy  no changes" in world.report.said("line")
    assert world.report.last_words == ""


def test_the_facts_say_what_was_done_by_what(world: TerraformWorld) -> None:
    """The action, the program's version, and how much of what the plan did."""
    world.plans(CREATED)
    world.run()
    assert world.report.facts["action"] == "deploy"
    assert world.report.facts["terraform"] == "1.11.4"
    assert world.report.facts["changes"]["create"] == 1


def test_the_log_says_that_credentials_are_renewed(world: TerraformWorld) -> None:
    """Once, where they are."""
    world.run()
    assert "Terraform 1.11.4" in world.report.said("line")
    world.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://127.0.0.1:1/credentials"
    world.run()
    (line,) = (text for text in world.report.said("line") if "renewed" in text)
    assert line == "Terraform 1.11.4, with the step's renewed credentials (endpoint)"


def test_a_backend_of_somebody_else_gets_no_such_line(world: TerraformWorld) -> None:
    """It would not be true."""
    world.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://127.0.0.1:1/credentials"
    world.run(backend={"profile": "prod"})
    assert "renewed" not in world.report.everything


@pytest.mark.parametrize("action", ["deploy", "destroy", "apply"])
def test_nothing_was_changed_before_anything_was_applied(
    world: TerraformWorld, action: str
) -> None:
    """Of a refused plan that is known; of an apply that never began it is not."""
    world.leaves_plan(DESTROYED)
    world.fail(action=action, policy=PROTECTED)
    assert world.report.has_changed is False
    world.plan_path.unlink()
    world.applies(failed("Saved plan is stale"), code=1)
    world.fail(action=action)
    assert world.report.has_changed is None


@pytest.mark.parametrize("action", ["deploy", "apply"])
def test_to_read_data_is_no_change(world: TerraformWorld, action: str) -> None:
    """Terraform says 2 and is let apply it; nothing was changed."""
    world.leaves_plan(change("data.aws_ami.a", "read"))
    world.plans(change("data.aws_ami.a", "read"), code=2)
    assert world.run(action=action).changed is False
    assert "apply" in world.verbs
    assert world.report.has_changed is False
    assert world.report.last_words == "applied"


def test_a_signal_between_two_commands_passes_through(world: TerraformWorld) -> None:
    """Nothing more is started, not even a look at the lock: no plan was begun."""

    def interrupted() -> None:
        raise Cancelled(15)

    world.plans(CREATED)
    world.on("plan", act=interrupted)
    assert isinstance(world.fail(), Cancelled)
    assert world.verbs[-1] == "plan"


def test_warnings_of_the_apply_are_told(world: TerraformWorld) -> None:
    """A diagnostic of the stream reaches people though the apply goes well."""
    world.plans(CREATED)
    world.applies(DEPRECATED, begun(), completed())
    world.run()
    assert "Argument is deprecated" in world.report.everything


def test_a_warning_of_the_plan_is_told_once(world: TerraformWorld) -> None:
    """The apply repeats it: nobody needs to read it twice."""
    world.plans(CREATED, said=(DEPRECATED,))
    world.applies(DEPRECATED, begun(), completed())
    world.run()
    lines = "\n".join(world.report.said("line"))
    assert lines.count("Argument is deprecated") == 1
