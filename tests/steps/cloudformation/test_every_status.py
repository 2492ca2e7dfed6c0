"""Every status at every action: nothing that ever lived is deleted unless ``delete`` was said."""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from typing import get_args

import pytest

from calamari_py.errors import CalamariError
from calamari_py.steps.cloudformation.sections import Action
from calamari_py.steps.cloudformation.states import STATUSES
from tests.steps.cloudformation.world import NAME, TWO, StackWorld

NEVER_LIVED = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"}
# What a status in progress becomes: the worst for who confuses the two.
ENDS = {
    "CREATE_IN_PROGRESS": "CREATE_COMPLETE",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_COMPLETE",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
    "UPDATE_IN_PROGRESS": "UPDATE_ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_FAILED",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_IN_PROGRESS": "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_IN_PROGRESS": "IMPORT_ROLLBACK_FAILED",
}
BEFORE = ("CREATE_IN_PROGRESS", "CREATE_COMPLETE", "UPDATE_IN_PROGRESS")


def _in(status: str, *, lived: bool) -> StackWorld:
    world = StackWorld()
    settles = (60.0, ENDS[status]) if status in ENDS else None
    history = BEFORE if lived else None
    world.aws.add_stack(NAME, status=status, settles=settles, history=history)
    return world


@pytest.mark.parametrize("action", get_args(Action))
@pytest.mark.parametrize("status", STATUSES)
def test_what_is_deleted(status: str, action: str) -> None:
    """DeleteStack is called by ``delete``, and by a deployment that was told to recreate what
    all its events prove to be a failed creation; by nothing else but a rehearsal, for an empty
    stack that its events prove to have held change sets only."""
    for lived, recreate in product((False, True), repeat=2):
        world = _in(status, lived=lived)
        old = set(world.aws.stacks)
        with suppress(CalamariError):
            world.run(action=action, template=TWO, recreate_failed=recreate)
        may_recreate = (
            action == "deploy"
            and recreate
            and not lived
            and ENDS.get(status, status) in NEVER_LIVED
        )
        deleted = {one["StackName"] for one in world.params("DeleteStack")}
        was_empty = status == "REVIEW_IN_PROGRESS" and not lived and action == "diff"
        wanted = (action == "delete" or may_recreate) and status != "DELETE_COMPLETE"
        wanted = wanted or was_empty
        assert bool(deleted & old) is wanted, f"{lived=} {recreate=}"


@pytest.mark.parametrize("action", get_args(Action))
@pytest.mark.parametrize("status", STATUSES)
def test_a_rehearsal_changes_nothing(status: str, action: str) -> None:
    """``--dry-run`` makes a change set at most, and drops it."""
    world = _in(status, lived=status not in NEVER_LIVED)
    old = set(world.aws.stacks)
    with suppress(CalamariError):
        world.run(action=action, template=TWO, dry_run=True, recreate_failed=True)
    assert set(world.called()) <= {"CreateChangeSet", "DeleteChangeSet", "DeleteStack"}
    assert not {one["StackName"] for one in world.params("DeleteStack")} & old
    assert not any(stack.change_sets for stack in world.aws.stacks.values())
    assert not world.report.has_changed
