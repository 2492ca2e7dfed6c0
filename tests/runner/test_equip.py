"""What a kind sets for commands that others wrote for its step: `finally`, `exec`, `shell`."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from calamari_py.channel import write_private
from calamari_py.errors import Cancelled, ToolFailed
from calamari_py.result import Outcome
from calamari_py.runner.adhoc import AdHocCommand
from calamari_py.steps.base import StepContext
from tests.fakes import START, Child, Running, ends, refusal
from tests.runner.reading import Probe
from tests.runner.world import DEV, HEAD, World

STEP = f"{HEAD}probe: {{}}\n"
FINALLY = "finally: echo bye\n"
STACKS = {"Stacks": [{"StackName": "app", "CreationTime": START}]}


def equips(context: StepContext) -> Mapping[str, str]:
    """A private file, and what AWS says."""
    file = context.private / "config"
    write_private(file, b"x")
    found = context.aws.call("cloudformation", "DescribeStacks", {})
    return {"PROBE_CONFIG": str(file), "PROBE_STACK": found["Stacks"][0]["StackName"]}


def by_hand(world: World, **more: Any) -> AdHocCommand:
    """A command in the step's place."""
    return AdHocCommand(argv=("sh",), directory=world.folder, **more)


def tells_start_up(texts: list[str]) -> Child:
    """A shell whose start-up file is read."""

    def child(running: Running) -> int:
        texts.append(Path(running.environment["RC"]).read_text(encoding="utf-8"))
        return 0

    return child


def test_finally_is_equipped(probe: Probe, world: World) -> None:
    """It gets the names, and the files they name lie in a folder of its own; the step itself gets
    nothing of it."""
    world.aws.answers["cloudformation:DescribeStacks"] = STACKS
    probe.equips = equips
    assert world.run(STEP + FINALLY).exit_code == 0
    (given,) = world.child.environments
    assert (given["PROBE_HAS"], given["PROBE_STACK"]) == ("probe", "app")
    assert given["PROBE_CONFIG"].endswith("/finally/config")


def test_finally_runs_unequipped(probe: Probe, world: World) -> None:
    """What it cleans up may be elsewhere: that it lacks something is said, and is no failure."""

    def fails(_context: StepContext) -> Mapping[str, str]:
        raise ToolFailed("the cluster is gone")

    probe.equips = fails
    assert world.run(STEP + FINALLY).exit_code == 0
    assert "PROBE_HAS" not in world.child.environments[0]
    (warning,) = world.reporter.warnings
    assert warning.endswith("step sets: the cluster is gone")


def test_a_signal_while_finally_is_equipped(probe: Probe, world: World) -> None:
    """Nobody waits for a call to AWS after it: the step was cancelled."""

    def told(_context: StepContext) -> Mapping[str, str]:
        raise Cancelled(signal.SIGTERM)

    probe.equips = told
    result = world.run(STEP + FINALLY)
    assert (result.outcome, world.child.commands) == (Outcome.CANCELLED, [])


@pytest.mark.parametrize("late", [False, True], ids=["known", "late"])
def test_a_command_by_hand_is_equipped(late: bool, probe: Probe, world: World) -> None:
    """So are `exec` and `shell`, whose start-up file is told the names; also where the section is
    only known when AWS was asked."""
    world.aws.answers["cloudformation:DescribeStacks"] = STACKS
    probe.equips = equips
    text, tool = STEP, "probe"
    if late:
        world.aws.secrets["s"] = tool = "late-tool"
        text = (
            f"{HEAD}variables: {{T: {{from_secretsmanager: s}}}}\nprobe: {{tool: '{{{{ T }}}}'}}\n"
        )
    texts: list[str] = []
    command = by_hand(world, names={"RC": "{private}/rc"}, files={"rc": "({equipped})"})
    assert world.run(text, tells_start_up(texts), command=command).exit_code == 0
    (given,) = world.child.environments
    assert (given["PROBE_HAS"], given["PROBE_STACK"]) == (tool, "app")
    assert texts == ["(PROBE_HAS|PROBE_CONFIG|PROBE_STACK)"]


def test_a_command_by_hand_that_cannot_be_equipped(probe: Probe, world: World) -> None:
    """It does not run without: it would find nothing, or something else."""
    world.aws.answers["cloudformation:DescribeStacks"] = refusal(
        service="cloudformation", operation="DescribeStacks"
    )
    probe.equips = equips
    assert world.run(STEP, command=by_hand(world)).exit_code != 0
    assert world.child.commands == []
    assert "not authorized" in world.reporter.failure.message


def test_a_script_has_nothing_more(world: World) -> None:
    """A kind without a word of its own sets nothing, and says so to a start-up file."""
    texts: list[str] = []
    command = by_hand(world, names={"RC": "{private}/rc"}, files={"rc": "({equipped})"})
    assert (
        world.run(f"{HEAD}script: echo hi\n", tells_start_up(texts), command=command).exit_code == 0
    )
    assert texts == ["(-)"]


def test_who_the_step_is(probe: Probe, world: World) -> None:
    """A kind knows the role as the manifest names it, with its path, and who STS says it is."""
    role = "arn:aws:iam::111111111111:role/deploy/web/DevDeployRole"
    assert world.run(STEP.replace(DEV, role)).exit_code == 0
    (context,) = probe.contexts
    assert context.aws.role == role
    assert context.aws.arn is not None
    assert context.aws.arn.startswith("arn:aws:sts::111111111111:assumed-role/DevDeployRole/")


def test_nobody_in_particular(probe: Probe, world: World) -> None:
    """Without a role there is no ARN of one; without an account nobody is anybody."""
    assert world.run("name: x\naccount: none\nprobe: {}\n", ends(0)).exit_code == 0
    (context,) = probe.contexts
    assert (context.aws.role, context.aws.arn) == (None, None)
