"""Stacks that are there already, with the past that explains their status."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from tests.fake_cloudformation.model import STACK_TYPE, Design, FakeEvent, FakeResource, FakeStack
from tests.fake_cloudformation.world import World

_MINUTE = 60.0
_MADE = ("CREATE_IN_PROGRESS", "CREATE_COMPLETE")
_FAILED_UPDATE = (*_MADE, "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS")
WAYS: dict[str, tuple[str, ...]] = {
    "REVIEW_IN_PROGRESS": (),
    "CREATE_IN_PROGRESS": (),
    "CREATE_COMPLETE": ("CREATE_IN_PROGRESS",),
    "CREATE_FAILED": ("CREATE_IN_PROGRESS",),
    "ROLLBACK_IN_PROGRESS": ("CREATE_IN_PROGRESS",),
    "ROLLBACK_COMPLETE": ("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"),
    "ROLLBACK_FAILED": ("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"),
    "DELETE_IN_PROGRESS": _MADE,
    "DELETE_FAILED": (*_MADE, "DELETE_IN_PROGRESS"),
    "DELETE_COMPLETE": (*_MADE, "DELETE_IN_PROGRESS"),
    "UPDATE_IN_PROGRESS": _MADE,
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": (*_MADE, "UPDATE_IN_PROGRESS"),
    "UPDATE_COMPLETE": (*_MADE, "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
    "UPDATE_FAILED": (*_MADE, "UPDATE_IN_PROGRESS"),
    "UPDATE_ROLLBACK_IN_PROGRESS": (*_MADE, "UPDATE_IN_PROGRESS"),
    "UPDATE_ROLLBACK_FAILED": _FAILED_UPDATE,
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": _FAILED_UPDATE,
    "UPDATE_ROLLBACK_COMPLETE": (
        *_FAILED_UPDATE,
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    ),
    "IMPORT_IN_PROGRESS": _MADE,
    "IMPORT_COMPLETE": (*_MADE, "IMPORT_IN_PROGRESS"),
    "IMPORT_ROLLBACK_IN_PROGRESS": (*_MADE, "IMPORT_IN_PROGRESS"),
    "IMPORT_ROLLBACK_FAILED": (*_MADE, "IMPORT_IN_PROGRESS", "IMPORT_ROLLBACK_IN_PROGRESS"),
    "IMPORT_ROLLBACK_COMPLETE": (*_MADE, "IMPORT_IN_PROGRESS", "IMPORT_ROLLBACK_IN_PROGRESS"),
}
_BEGINNINGS = frozenset({
    "REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS",
    "IMPORT_IN_PROGRESS",
})  # fmt: skip
_EMPTY = frozenset({"REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "DELETE_COMPLETE"})


def add(
    world: World,
    name: str,
    *,
    status: str,
    design: Design,
    way: Sequence[str] | None,
    settles: tuple[float, str] | None,
    token: str | None,
    broken: Sequence[str],
    protected: bool,
    drift: str,
    policy: str | None,
) -> FakeStack:
    """See `FakeCloudFormation.add_stack`."""
    stack = world.make_stack(name, design, status=status, parent=None, logical_id="")
    statuses = (*(WAYS[status] if way is None else way), status)
    stack.status, stack.reason = status, _reason(status, broken)
    stack.created = world.now()
    _write_past(world, stack, statuses, token)
    if status not in _EMPTY:
        fill(world, stack)
    stack.broken, stack.protected = set(broken), protected
    stack.drift, stack.policy = drift, policy
    stack.before, stack.resources_before = design, dict(stack.resources)
    if status == "DELETE_COMPLETE":
        stack.deleted = world.now()
    world.keep_view(stack)
    if settles is not None:
        seconds, end = settles
        world.clock.after(seconds, lambda: world.enter(stack, end, token=token))
    return stack


def fill(world: World, stack: FakeStack) -> None:
    """Make the resources, without an event of any of them; nested stacks with theirs."""
    written = stack.design.template.get("Resources", {})
    for _ in range(2):  # the second time what refers to a later one is right as well
        for logical_id, body in written.items():
            _fill_one(world, stack, logical_id, body)
    stack.outputs = world.outputs(stack)


def _fill_one(world: World, stack: FakeStack, logical_id: str, body: dict[str, object]) -> None:
    resolved = world.resolver(stack, stack.design).value(body.get("Properties") or {})
    have = stack.resources.get(logical_id)
    if have is not None:
        have.properties = resolved
        return
    one = FakeResource(
        logical_id=logical_id,
        type=str(body["Type"]),
        properties=resolved,
        deletion_policy=str(body.get("DeletionPolicy", "Delete")),
    )
    stack.resources[logical_id] = one
    if one.type != STACK_TYPE:
        one.physical_id = world.physical_id(stack, logical_id, resolved)
        return
    design = world.nested_design(stack, stack.design, logical_id)
    nested_name = f"{stack.name}-{logical_id}-{world.letters()}"
    child = world.make_stack(
        nested_name, design, status="CREATE_COMPLETE", parent=stack, logical_id=logical_id
    )
    one.nested = one.physical_id = child.id
    fill(world, child)


def _write_past(world: World, stack: FakeStack, statuses: Sequence[str], token: str | None) -> None:
    now = world.clock.monotonic()
    last_beginning = max(
        (place for place, one in enumerate(statuses) if one in _BEGINNINGS), default=0
    )
    for place, one in enumerate(statuses):
        ago = _MINUTE * (len(statuses) - 1 - place)
        when = world.now() - timedelta(seconds=ago)
        if place == 0:
            stack.created = when
        if one in {"UPDATE_IN_PROGRESS", "IMPORT_IN_PROGRESS"}:
            stack.updated = when
        stack.statuses.append((now - ago, one, ""))
        is_ours = place >= last_beginning
        stack.events.append(
            FakeEvent(
                id=world.uuid(),
                stack_id=stack.id,
                stack_name=stack.name,
                logical_id=stack.name,
                physical_id=stack.id,
                type=STACK_TYPE,
                status=one,
                reason="User Initiated" if one in _BEGINNINGS else "",
                time=when,
                token=token if is_ours else None,
                seen_from=now,
            )
        )


def _reason(status: str, broken: Sequence[str]) -> str:
    if not broken:
        return ""
    word = "delete" if "DELETE" in status else "update"
    return f"The following resource(s) failed to {word}: [{', '.join(broken)}]. "
