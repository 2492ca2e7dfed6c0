"""Action ``watch``: whoever began it, what it came to."""

from __future__ import annotations

import pytest

from calamari_py.errors import Cancelled, StackFailed
from calamari_py.steps.cloudformation.spec import Parameter, Template
from tests.fake_cloudformation import Fault
from tests.steps.cloudformation.sets.world import EAST, NAME, ONE, THREE, TWO, SetWorld, group

URL = "https://artifacts.s3.us-east-1.amazonaws.com/roles.json"


@pytest.fixture
def world() -> SetWorld:
    """Nothing is there."""
    return SetWorld()


def _left(world: SetWorld) -> None:
    """A run that was ended while an operation is at work."""

    def kill() -> None:
        raise Cancelled(9)

    world.there()
    world.aws.clock.at(12, kill)
    assert isinstance(world.fail(), Cancelled)


def test_a_run_that_was_killed_is_taken_up(world: SetWorld) -> None:
    """The operation that still runs is followed to its end, with every result."""
    _left(world)
    outcome = world.run(action="watch")
    assert (outcome.code, outcome.changed) == (0, None)
    assert len(world.report.events) == 2
    assert world.aws.changing() == []
    assert f"Instances.{TWO}.{EAST}" in world.report.outputs
    assert "following the creation 'calamari-payments-dev-" in world.report.everything


def test_its_failure_is_the_step_s(world: SetWorld) -> None:
    """The outcome is that of the operation."""
    world.aws.fails[TWO, EAST] = "no"
    _left(world)
    error = world.fail(action="watch")
    assert isinstance(error, StackFailed)
    assert f"account {TWO}" in error.message


def test_the_last_of_many(world: SetWorld) -> None:
    """One that is over counts like one that runs: the newest is meant."""
    world.there((ONE, EAST), (TWO, EAST))
    world.aws.begin(NAME, token="first", seconds=1)
    world.aws.clock.advance(10)
    world.aws.begin(NAME, token="second", seconds=1)
    world.aws.clock.advance(10)
    world.aws.sets[NAME].operations.reverse()
    world.run(action="watch")
    assert "'second'" in world.report.everything


def test_what_is_left_to_do_is_a_failure(world: SetWorld) -> None:
    """The operation has succeeded; the deployment that was to make more of them has not."""
    world.there((ONE, EAST))
    world.aws.begin(NAME, seconds=5)
    error = world.fail(action="watch", instances=(group(ONE, THREE),))
    assert isinstance(error, StackFailed)
    assert f"has no instance in account {THREE}, {EAST}" in error.message
    assert "add them\tcalamari run step.yaml --action deploy" in error.evidence


def test_what_is_behind_is_a_failure(world: SetWorld) -> None:
    """An operation that the last one came after has failed there."""
    found = world.there((ONE, EAST), (TWO, EAST))
    found.instances[TWO, EAST].status = "OUTDATED"
    world.aws.begin(NAME, seconds=5)
    error = world.fail(action="watch")
    assert isinstance(error, StackFailed)
    assert f"account {TWO}" in error.message


def test_no_set(world: SetWorld) -> None:
    """There is nothing to watch."""
    error = world.fail(action="watch")
    assert isinstance(error, StackFailed)
    assert f"there is no stack set '{NAME}' in us-east-1" in error.message


def test_no_operation(world: SetWorld) -> None:
    """A set that was only made."""
    world.there()
    assert world.run(action="watch", instances=()).code == 0
    assert "no operation ever ran" in world.report.everything


def test_a_rehearsal_only_looks(world: SetWorld) -> None:
    """It does not wait."""
    world.there()
    world.aws.begin(NAME, seconds=500)
    assert world.run(action="watch", dry_run=True).code == 0
    assert world.aws.clock.monotonic() == 0
    assert "is RUNNING: only looked" in world.report.everything


def test_a_set_that_is_gone_at_the_end(world: SetWorld) -> None:
    """A deletion was followed: that the set is not there any longer is its success."""
    world.there()
    world.aws.begin(NAME, action="DELETE", seconds=8)
    gone = Fault(operation="DescribeStackSet", error="StackSetNotFoundException", after=1)
    world.aws.faults.append(gone)
    assert world.run(action="watch").code == 0
    assert world.report.last_words == f"{NAME}: deleted"


def test_a_deletion_leaves_nothing_to_do(world: SetWorld) -> None:
    """Nobody is told to add what was just taken out."""
    world.there()
    world.aws.begin(NAME, action="DELETE", seconds=8)
    assert world.run(action="watch").code == 0
    (warning,) = world.report.said("warning")
    assert "still there, with no instances" in warning
    assert "--action deploy" not in world.report.everything


def test_a_deletion_that_was_not_finished(world: SetWorld) -> None:
    """What the manifest names and is still there is told, with the way on."""
    world.there((TWO, EAST), (THREE, EAST))
    world.aws.begin(NAME, action="DELETE", seconds=8)
    assert world.run(action="watch").code == 0
    (warning,) = world.report.said("warning")
    assert "with 1 of the instances that the manifest names" in warning
    assert "--action delete" in world.report.hints[0]


@pytest.mark.parametrize("action", ["watch", "delete", "deploy"])
def test_a_hidden_parameter_of_a_template_in_s3_is_masked(world: SetWorld, action: str) -> None:
    """For every action: a reason may quote it."""
    world.there((ONE, EAST), (TWO, EAST))
    world.aws.pages = {URL: {"Parameters": [{"ParameterKey": "Secret", "NoEcho": True}]}}
    template = Template(shown=URL, url=URL)
    secret = (Parameter(key="Secret", value="hunter22"),)
    world.run(action=action, template=template, parameters=secret)
    assert "hunter22" in world.report.hidden


def test_a_template_that_cannot_be_read_keeps_nobody_from_watching(world: SetWorld) -> None:
    """What may be hidden is masked all the same."""
    world.there((ONE, EAST), (TWO, EAST))
    broken = Fault(operation="GetTemplateSummary", error="ValidationError")
    world.aws.faults.append(broken)
    template = Template(shown=URL, url=URL)
    secret = (Parameter(key="Secret", value="hunter22"),)
    assert world.run(action="watch", template=template, parameters=secret).code == 0
    assert "hunter22" in world.report.hidden
