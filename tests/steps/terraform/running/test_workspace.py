"""Workspaces are chosen, and made only where the manifest says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.steps.terraform.spec import Workspace
from tests.steps.terraform.fakes import Answer
from tests.steps.terraform.running.room import Room

MISSING = Answer(
    code=1,
    stderr=b'\nWorkspace "dev" doesn\'t exist.\n\nYou can create this workspace with the "new" '
    b'subcommand \nor include the "-or-create" flag with the "select" subcommand.\n',
)
THERE = Answer(code=1, stderr=b'Workspace "dev" already exists\n')
LISTED = Answer(stdout=b"* default\n  w1\n\n")
DEV = Workspace(name="dev")
NEW = Workspace(name="dev", create=True)


def _subcommands(room: Room) -> list[str]:
    return [call.argv[1] for call in room.fake.calls]


def test_without_a_workspace_nothing_is_asked(tmp_path: Path) -> None:
    """The default workspace needs no command."""
    room = Room(tmp_path)
    room.tool.select_workspace()
    assert room.fake.calls == []
    assert room.report.facts == {"workspace": "default"}


def test_a_workspace_that_the_configuration_names_is_not_ours_to_tell(tmp_path: Path) -> None:
    """A ``cloud`` block has its own."""
    room = Room(tmp_path)
    room.has_backend('{"backend": {"type": "cloud", "config": {"organization": "acme"}}}')
    room.tool.select_workspace()
    assert room.report.facts == {}


def test_one_that_is_there_is_selected(tmp_path: Path) -> None:
    """It is one command, and a fact of the result; nothing is made even where it may be."""
    room = Room(tmp_path, workspace=NEW)
    room.tool.select_workspace()
    assert _subcommands(room) == ["select"]
    assert room.report.facts == {"workspace": "dev"}


def test_a_missing_one_is_made_where_the_manifest_says_so(tmp_path: Path) -> None:
    """It is made, and said."""
    room = Room(tmp_path, workspace=NEW)
    room.fake.on("workspace select", MISSING)
    room.tool.select_workspace()
    assert _subcommands(room) == ["select", "new"]
    assert room.report.said("line") == ["workspace dev was made"]
    assert room.report.facts == {"workspace": "dev"}


def test_a_race_is_no_failure(tmp_path: Path) -> None:
    """Where another run makes it first it is there, which is all that was asked for."""
    room = Room(tmp_path, workspace=NEW)
    room.fake.on("workspace select", MISSING, Answer())
    room.fake.on("workspace new", THERE)
    room.tool.select_workspace()
    assert _subcommands(room) == ["select", "new", "select"]


@pytest.mark.parametrize(
    ("action", "dry_run", "workspace", "advice"),
    [
        pytest.param("deploy", False, DEV, "{name: dev, create: true}", id="may-not"),
        pytest.param("plan-destroy", False, NEW, "action plan-destroy", id="plan-destroy"),
        pytest.param("destroy", False, NEW, "the action destroy makes none", id="destroy"),
        pytest.param("apply", False, NEW, "the action apply makes none", id="apply"),
        pytest.param("drift", False, NEW, "the action drift makes none", id="drift"),
        pytest.param("output", False, NEW, "the action output makes none", id="output"),
        pytest.param("destroy", False, DEV, "the action destroy makes none", id="destroy-may-not"),
        pytest.param("deploy", True, NEW, "a dry run makes none", id="dry-run"),
    ],
)
def test_a_missing_one_is_refused(
    action: str, dry_run: bool, workspace: Workspace, advice: str, tmp_path: Path
) -> None:
    """A typo makes no workspace; those there are, and what to write, are named."""
    room = Room(tmp_path, action=action, dry_run=dry_run, workspace=workspace)
    room.fake.on("workspace select", MISSING)
    room.fake.on("workspace list", LISTED)
    with pytest.raises(ToolFailed, match="workspace 'dev' does not exist") as caught:
        room.tool.select_workspace()
    hint = caught.value.hint or ""
    assert hint.startswith("the workspaces are: default, w1; ")
    assert advice in hint
    assert _subcommands(room) == ["select", "list"]
    assert room.report.facts == {}


def test_many_workspaces_are_not_all_named(tmp_path: Path) -> None:
    """A hint stays a line."""
    room = Room(tmp_path, workspace=DEV)
    room.fake.on("workspace select", MISSING)
    room.fake.on("workspace list", Answer(stdout=b"".join(b"  w%d\n" % n for n in range(500))))
    with pytest.raises(ToolFailed) as caught:
        room.tool.select_workspace()
    assert "w19, …;" in (caught.value.hint or "")
    assert "w20" not in (caught.value.hint or "")


@pytest.mark.parametrize("command", ["select", "new"])
def test_other_errors_are_terraforms_own(command: str, tmp_path: Path) -> None:
    """A bucket that does not exist is not mistaken for a workspace that does not."""
    room = Room(tmp_path, workspace=NEW)
    room.fake.on("workspace select", MISSING)
    broken = b'\nError: Failed to get existing workspaces: S3 bucket "b" does not exist.\n'
    room.fake.on(f"workspace {command}", Answer(code=1, stderr=broken))
    with pytest.raises(ToolFailed, match='S3 bucket "b" does not exist'):
        room.tool.select_workspace()
