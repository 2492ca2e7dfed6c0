"""A step kind that calls AWS itself, as stacks are deployed: its credentials are renewed too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from calamari_py.errors import CommandNotFound
from calamari_py.process import Command
from calamari_py.steps import STEP_KINDS
from calamari_py.steps.base import (
    KindEnvironment,
    ParseContext,
    PlannedCommand,
    StepContext,
    StepKind,
    StepOutcome,
)
from tests.fakes import Running, refusal, step_key_id
from tests.runner.world import DEV, HEAD, World


class Probe(StepKind):
    """Works for three hours and asks for credentials before each of its calls."""

    name = "probe"
    section: Any = str
    default_grace = 1.0
    default_delivery = "env"
    argument_fields: tuple[str, ...] = ()

    def __init__(self, world: World) -> None:
        self.world = world
        self.seen: list[str] = []

    def parse(self, section: str, context: ParseContext) -> str:
        return section

    def environment(self, spec: str) -> KindEnvironment:
        return KindEnvironment()

    def preview(self, spec: str) -> tuple[PlannedCommand, ...]:
        return ()

    def execute(self, spec: str, context: StepContext) -> StepOutcome:
        if spec.startswith("run "):
            for name in spec.split()[1:]:
                ended = context.run(
                    Command(argv=(f"/bin/{name}",), environment={}, directory=self.world.folder)
                )
            return StepOutcome(code=ended.code, exit=ended)
        for _ in range(12):
            credentials = context.credentials()
            assert credentials.expires_at is not None
            assert credentials.expires_at > self.world.clock.now
            self.seen.append(credentials.access_key_id)
            self.world.clock.advance(900)
        return StepOutcome(code=0, changed=True)


@pytest.fixture
def probe(world: World) -> Iterator[Probe]:
    kind = Probe(world)
    STEP_KINDS[kind.name] = kind
    yield kind
    del STEP_KINDS[kind.name]


def test_a_kind_that_calls_aws_has_valid_credentials(probe: Probe, world: World) -> None:
    """Whatever the delivery is, the kind itself never holds expired keys."""
    result = world.run(HEAD + "probe: go\n")
    assert (result.exit_code, result.changed) == (0, True)
    assert list(dict.fromkeys(probe.seen)) == [step_key_id(n) for n in range(1, 5)]


def test_a_kind_without_credentials_any_more_fails(probe: Probe, world: World) -> None:
    """When nothing can be renewed and the old keys are gone, the step ends as an identity error."""
    world.aws.fail_at[2] = world.aws.fail_at[3] = refusal("AccessDenied")
    world.aws.fail_at[4] = world.aws.fail_at[5] = refusal("AccessDenied")
    result = world.run(HEAD + "probe: go\n")
    assert result.exit_code == 77
    assert DEV in world.reporter.failure.message


def test_a_kind_of_a_step_without_an_account(probe: Probe, world: World) -> None:
    """There is nothing to give, and that is said."""
    world.run("name: d\naccount: none\nprobe: go\n")
    assert world.reporter.failure.message.startswith("the step has no credentials")
    assert probe.seen == []


@pytest.mark.parametrize(
    ("commands", "cleaned"),
    [
        pytest.param("run none", 0, id="nothing ran"),
        pytest.param("run first none", 1, id="one ran before"),
    ],
)
def test_finally_runs_when_any_command_did(
    commands: str, cleaned: int, probe: Probe, world: World
) -> None:
    """A second command that is not there leaves the first one's traces to clean up."""

    def child(running: Running) -> int:
        if running.command.argv[0] == "/bin/none":
            raise CommandNotFound("command 'none' was not found")
        return 0

    world.run(HEAD + f"probe: {commands}\nfinally: echo bye\n", child, child, child)
    ran = [command.argv[0] for command in world.child.commands]
    assert len([name for name in ran if name.endswith("bash")]) == cleaned
