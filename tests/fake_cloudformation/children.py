"""Nested stacks: what a parent's task does to one, and what becomes of the task then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fake_cloudformation.model import Design, FakeStack
from tests.fake_cloudformation.timeline import Task

if TYPE_CHECKING:
    from tests.fake_cloudformation.operations import Operation

_UPDATED = "was not successfully updated. Currently in UPDATE_ROLLBACK_IN_PROGRESS with reason: "
_CHANGED = frozenset({
    "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED",
    "UPDATE_FAILED",
})  # fmt: skip


def begin(parent: Operation, task: Task) -> None:
    """Begin what `task` asks of its nested stack."""
    if task.verb == "create":
        _create(parent, task)
        return
    child = parent.world.stacks[str(task.resource.nested)]
    if task.verb == "update":
        design = _design(parent, task)
        if design is not None:
            parent.child(task, child, _UPDATED).update(design)
    elif task.verb == "clean":
        parent.child(task, child, "").clean_up()
    elif task.verb == "delete" and not child.is_gone:
        parent.child(task, child, "was not successfully deleted: ").delete()
    elif task.verb == "restore" and child.status in _CHANGED:
        parent.child(task, child, "was not successfully updated: ").roll_back(reason="")
    else:
        parent.end_soon(task, None)


def stop(child: Operation) -> None:
    """The parent has failed: the child stops and waits for the parent's rollback."""
    child.give_up()
    reason = "Stack operation was cancelled by the parent stack."
    if child.stack.status == "CREATE_IN_PROGRESS":
        child.enter("ROLLBACK_IN_PROGRESS", reason)
    elif child.stack.status == "UPDATE_IN_PROGRESS":
        child.enter("UPDATE_ROLLBACK_IN_PROGRESS", reason)


def _create(parent: Operation, task: Task) -> None:
    one, world = task.resource, parent.world
    design = _design(parent, task)
    if design is None:
        return
    child: FakeStack = world.make_stack(
        f"{parent.stack.name}-{one.logical_id}-{world.letters()}",
        design,
        status="CREATE_IN_PROGRESS",
        parent=parent.stack,
        logical_id=one.logical_id,
    )
    one.nested = one.physical_id = child.id
    parent.say(one, "CREATE_IN_PROGRESS", "Resource creation Initiated")
    parent.child(task, child, "was not successfully created: ").create()


def _design(parent: Operation, task: Task) -> Design | None:
    try:
        return parent.world.nested_design(parent.stack, parent.stack.design, task.logical_id)
    except ValueError as error:
        parent.end_soon(task, str(error))
        return None
