"""The tasks of an operation, and the sentences that tell how they ended."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from tests.fake_cloudformation import templates
from tests.fake_cloudformation.model import FakeResource, FakeStack
from tests.fake_cloudformation.timeline import Task, Verb, Wave
from tests.fake_cloudformation.world import World


def making(stack: FakeStack, logical_id: str, verb: Verb) -> Task:
    """Make or change a resource as the stack's template says."""
    template = stack.design.template
    body = template["Resources"][logical_id]
    have = stack.resources.get(logical_id)
    resource = (
        copy.deepcopy(have)
        if have is not None
        else FakeResource(logical_id=logical_id, type=body["Type"])
    )
    resource.type = body["Type"]
    resource.deletion_policy = body.get("DeletionPolicy", "Delete")
    return Task(verb=verb, resource=resource, after=templates.dependencies(template, logical_id))


def deletions(stack: FakeStack, resources: Iterable[FakeResource]) -> list[Task]:
    """Delete what is there of `resources`, what needs others before those."""
    going = [one for one in resources if one.physical_id]
    template = stack.design.template
    users: dict[str, set[str]] = {one.logical_id: set() for one in going}
    for one in going:
        if one.logical_id in template.get("Resources", {}):
            for needed in templates.dependencies(template, one.logical_id):
                users.get(needed, set()).add(one.logical_id)
    return [
        Task(verb="delete", resource=one, after=frozenset(users[one.logical_id])) for one in going
    ]


def to_clean(world: World, stack: FakeStack) -> list[Task]:
    """Let the nested stacks clean up that were updated."""
    waiting = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    return [
        Task(verb="clean", resource=one)
        for one in stack.resources.values()
        if one.nested and world.stacks[one.nested].status == waiting
    ]


def failed(wave: Wave) -> str:
    """What did not work, as a stack's reason says it."""
    kinds: tuple[tuple[set[Verb], str], ...] = (
        ({"create"}, "create"), ({"update", "replace", "restore"}, "update"),
        ({"import"}, "import"), ({"delete"}, "delete"),
    )  # fmt: skip
    texts = []
    for verbs, word in kinds:
        names = [task.logical_id for task in wave.broken() if task.verb in verbs]
        if names:
            texts.append(f"The following resource(s) failed to {word}: [{', '.join(names)}]. ")
    return "".join(texts)
