"""The kind itself: what it promises before it does anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from calamari_py.steps.base import PlannedCommand
from calamari_py.steps.terraform.kind import TerraformKind
from calamari_py.steps.terraform.spec import Workspace
from tests.steps.terraform.fakes import tool_spec
from tests.steps.terraform.world import CREATED, TerraformWorld

RUNS: list[Any] = [
    pytest.param({"action": "deploy"}, id="deploy"),
    pytest.param({"action": "deploy", "dry_run": True}, id="rehearsal of deploy"),
    pytest.param({"action": "destroy"}, id="destroy"),
    pytest.param({"action": "destroy", "dry_run": True}, id="rehearsal of destroy"),
    pytest.param({"action": "plan"}, id="plan"),
    pytest.param({"action": "plan-destroy"}, id="plan-destroy"),
    pytest.param({"action": "apply"}, id="apply"),
    pytest.param({"action": "apply", "dry_run": True}, id="rehearsal of apply"),
    pytest.param({"action": "drift"}, id="drift"),
    pytest.param({"action": "output"}, id="output"),
    pytest.param({"workspace": Workspace(name="dev")}, id="workspace"),
    pytest.param({"variables": {"a": 1}, "backend": {"bucket": "b"}}, id="private files"),
]


@pytest.fixture
def world(tmp_path: Path) -> TerraformWorld:
    return TerraformWorld(tmp_path)


def fits(planned: PlannedCommand, ran: tuple[str, ...]) -> bool:
    """Whether `ran` is what `planned` foresaw; folders are known only when it runs."""
    shapes = [re.escape(word).replace(re.escape("{private}"), "/.+") for word in planned.argv[1:]]
    return len(shapes) == len(ran) and all(map(re.fullmatch, shapes, ran))


@pytest.mark.parametrize("changes", RUNS)
def test_what_is_foreseen_is_what_runs(world: TerraformWorld, changes: dict[str, Any]) -> None:
    """`validate` shows the commands of each action, in order, with every argument."""
    world.leaves_plan(CREATED)
    world.run(**changes)
    foreseen = TerraformKind().preview(tool_spec(world.directory, **changes))
    ran = [call.argv for call in world.tool.calls]
    assert len(foreseen) == len(ran), world.verbs
    for planned, argv in zip(foreseen, ran, strict=True):
        assert fits(planned, argv), (planned.argv, argv)
        assert planned.directory == world.directory


@pytest.mark.parametrize("changes", RUNS)
def test_every_command_is_terraforms_alone(world: TerraformWorld, changes: dict[str, Any]) -> None:
    """Each has a data folder of this run, in the step's own folder, and none is asked anything."""
    world.leaves_plan(CREATED)
    world.run(**changes)
    folders = {call.command.environment["TF_DATA_DIR"] for call in world.tool.calls}
    assert folders == {str(world.folder / "temp" / "data")}
    assert {call.command.directory for call in world.tool.calls} == {world.directory}


def test_backend_and_providers_share_refreshable_credentials() -> None:
    """A long apply outlives one set of credentials: an endpoint renews them."""
    assert TerraformKind().default_delivery == "endpoint"


def test_terraform_is_given_time_to_save_its_state() -> None:
    """After the polite signal it finishes what it is at."""
    assert TerraformKind().default_grace >= 300


def test_secrets_of_the_backend_are_said(tmp_path: Path) -> None:
    """What the spec calls a secret reaches the masker before anything is done."""
    spec = tool_spec(tmp_path, secrets=(("backend.secret_key", "s3cr3t"),), warnings=("odd",))
    assert list(TerraformKind().secrets(spec)) == [("backend.secret_key", "s3cr3t")]
    assert list(TerraformKind().warnings(spec)) == ["odd"]


def test_the_callers_terraform_variables_do_not_count(tmp_path: Path) -> None:
    """``TF_CLI_ARGS_plan=-destroy`` of whoever started us would make another plan."""
    environment = TerraformKind().environment(tool_spec(tmp_path))
    assert "TF_*" in environment.scrub
    assert environment.names["TF_INPUT"] == "0"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        pytest.param("Outputs.url", "TerraformValueOutputs[url]", id="output"),
        pytest.param("PlanSha256", None, id="our own"),
    ],
)
def test_octopus_finds_outputs_under_the_names_it_knows(name: str, known: str | None) -> None:
    """Steps that read what Octopus's own step published go on working."""
    assert TerraformKind().octopus_name(name) == known
