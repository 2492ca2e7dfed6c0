"""One operation on one stack, from its first event to its last."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

from tests.fake_cloudformation import children, tasks
from tests.fake_cloudformation.model import STACK_TYPE, Design, FakeResource, FakeStack
from tests.fake_cloudformation.plan import plan
from tests.fake_cloudformation.timeline import Task, Verb, Wave
from tests.fake_cloudformation.world import World

_WORDS = {
    "create": "CREATE", "update": "UPDATE", "replace": "UPDATE", "restore": "UPDATE",
    "delete": "DELETE", "import": "IMPORT",
}  # fmt: skip
_CANCELLED = {"CREATE": "Resource creation cancelled", "UPDATE": "Resource update cancelled"}
_REPLACING = (
    "Requested update requires the creation of a new physical resource; hence creating one."
)
Done = Callable[[str | None], None]


class Operation:
    """An operation; `done` gets the reason of a failure, None for success.

    A nested stack that fails waits for its parent, which rolls it back.
    """

    def __init__(
        self, world: World, stack: FakeStack, token: str | None, done: Done = lambda _: None
    ) -> None:
        self.world = world
        self.stack = stack
        self.token = token
        self._done = done
        self._wave: Wave | None = None
        self._children: dict[str, Operation] = {}
        self._is_rollback = False
        self._is_cancelled = False
        self._touched: dict[str, Task] = {}
        self._old: list[FakeResource] = []

    # ---- what can be asked for

    def create(self) -> None:
        """Make everything."""
        self.enter("CREATE_IN_PROGRESS", "User Initiated")
        self.stack.resources.clear()
        ids = list(self.stack.design.template.get("Resources", {}))
        self._run(
            [tasks.making(self.stack, one, "create") for one in ids], self._created, stops=True
        )

    def update(self, design: Design) -> None:
        """Make it what `design` says."""
        stack = self.stack
        changes = plan(self.world, stack, design)
        stack.before, stack.design = stack.design, design
        stack.resources_before = copy.deepcopy(stack.resources)
        stack.updated = self.world.now()
        self.enter("UPDATE_IN_PROGRESS", "User Initiated")
        wanted: list[Task] = []
        for change in changes:
            if change.action == "Remove":
                self._old.append(stack.resources[change.logical_id])
            elif change.action == "Add":
                wanted.append(tasks.making(stack, change.logical_id, "create"))
            else:
                verb: Verb = "replace" if change.replacement == "True" else "update"
                wanted.append(tasks.making(stack, change.logical_id, verb))
        self._touched = {task.logical_id: task for task in wanted}
        self._run(wanted, self._updated, stops=True)

    def adopt(self, design: Design, physical_ids: dict[str, str]) -> None:
        """Import resources."""
        stack = self.stack
        stack.before, stack.design = stack.design, design
        stack.resources_before = copy.deepcopy(stack.resources)
        stack.updated = self.world.now()
        self.enter("IMPORT_IN_PROGRESS", "User Initiated")
        wanted = []
        for logical_id, physical_id in physical_ids.items():
            task = tasks.making(stack, logical_id, "import")
            task.resource.physical_id = physical_id
            wanted.append(task)
        self._run(wanted, self._imported, stops=True)

    def delete(self, retain: Iterable[str] = ()) -> None:
        """Delete everything but what is retained."""
        self.enter("DELETE_IN_PROGRESS", "User Initiated" if not self.stack.parent_id else "")
        for logical_id in retain:
            self.say(self.stack.resources.pop(logical_id), "DELETE_SKIPPED")
        self._run(
            tasks.deletions(self.stack, self.stack.resources.values()), self._deleted, stops=False
        )

    def roll_back(self, *, reason: str = "User Initiated", skip: Iterable[str] = ()) -> None:
        """Go back to what was before: to nothing after a creation, else to the design before."""
        self._is_rollback = True
        stack = self.stack
        if stack.status.startswith(("CREATE", "ROLLBACK")):
            self.enter("ROLLBACK_IN_PROGRESS", reason)
            self._run(
                tasks.deletions(self.stack, stack.resources.values()),
                self._rolled_back,
                stops=False,
            )
            return
        begun = self._to_restore()
        if stack.status != "UPDATE_ROLLBACK_IN_PROGRESS":
            self.enter("UPDATE_ROLLBACK_IN_PROGRESS", reason)
        for logical_id in skip:
            stack.broken.discard(logical_id)
            if logical_id in stack.resources_before:
                self.say(stack.resources_before[logical_id], "UPDATE_COMPLETE", "Resource skipped")
        wanted = [
            Task(verb="restore", resource=stack.resources_before[name])
            for name in begun
            if name not in set(skip)
        ]
        self._run(wanted, self._restored, stops=False)

    def clean_up(self) -> None:
        """Delete what an update left over, and be done with it."""
        self._run(
            [*tasks.deletions(self.stack, self._old), *tasks.to_clean(self.world, self.stack)],
            self._cleaned,
            stops=False,
        )

    def cancel(self) -> None:
        """Stop; what runs is cancelled and the stack goes back."""
        assert self._wave is not None
        self._is_cancelled = True
        self._wave.stop()

    def give_up(self) -> None:
        """Stop at once, because the stack is being deleted or the parent has failed."""
        if self._wave is not None:
            self._wave.drop()

    # ---- ends of waves

    def _created(self, wave: Wave) -> None:
        if not wave.broken():
            self.stack.outputs = self.world.outputs(self.stack)
            self._finish("CREATE_COMPLETE")
            return
        reason = tasks.failed(wave)
        for task in wave.broken():
            if not task.resource.physical_id:
                self.stack.resources.pop(task.logical_id, None)
        if self.stack.disable_rollback:
            self._finish("CREATE_FAILED", reason, failed=True)
        elif self.stack.parent_id:
            self._finish("ROLLBACK_IN_PROGRESS", reason, failed=True)
        else:
            self.roll_back(reason=f"{reason}Rollback requested by user.")

    def _updated(self, wave: Wave) -> None:
        stack = self.stack
        if not wave.broken() and not self._is_cancelled:
            stack.broken.clear()
            stack.outputs = self.world.outputs(stack)
            self.enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            if stack.parent_id:
                self._done(None)
            else:
                self.world.clock.after(2.0, self.clean_up)
            return
        reason = "User Initiated" if self._is_cancelled else tasks.failed(wave)
        stack.broken = {task.logical_id for task in wave.broken()}
        if stack.disable_rollback:
            self._finish("UPDATE_FAILED", reason, failed=True)
        elif stack.parent_id:
            self._finish("UPDATE_ROLLBACK_IN_PROGRESS", reason, failed=True)
        else:
            self.roll_back(reason=reason)

    def _imported(self, wave: Wave) -> None:
        if not wave.broken():
            self.stack.outputs = self.world.outputs(self.stack)
            self._finish("IMPORT_COMPLETE")
            return
        self.enter("IMPORT_ROLLBACK_IN_PROGRESS", tasks.failed(wave))
        assert self.stack.before is not None
        self.stack.design, self.stack.resources = self.stack.before, self.stack.resources_before
        self.world.clock.after(2.0, lambda: self._finish("IMPORT_ROLLBACK_COMPLETE"))

    def _deleted(self, wave: Wave) -> None:
        self.stack.broken = {task.logical_id for task in wave.broken()}
        if wave.broken():
            self._finish("DELETE_FAILED", tasks.failed(wave), failed=True)
        else:
            self.stack.deleted = self.world.now()
            self._finish("DELETE_COMPLETE")

    def _rolled_back(self, wave: Wave) -> None:
        self.stack.broken = {task.logical_id for task in wave.broken()}
        if wave.broken():
            self._finish("ROLLBACK_FAILED", tasks.failed(wave), failed=True)
        else:
            self._finish("ROLLBACK_COMPLETE")

    def _restored(self, wave: Wave) -> None:
        stack = self.stack
        stack.broken = {task.logical_id for task in wave.broken()}
        if wave.broken():
            self._finish("UPDATE_ROLLBACK_FAILED", tasks.failed(wave), failed=True)
            return
        self.enter("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        new = [
            one
            for name, one in stack.resources.items()
            if name not in stack.resources_before
            or one.physical_id != stack.resources_before[name].physical_id
        ]
        self._run(tasks.deletions(self.stack, new), self._back, stops=False)

    def _back(self, _: Wave) -> None:
        stack = self.stack
        if stack.before is not None:
            stack.design = stack.before
        stack.resources = copy.deepcopy(stack.resources_before)
        stack.outputs = self.world.outputs(stack)
        self._finish("UPDATE_ROLLBACK_COMPLETE")

    def _cleaned(self, _: Wave) -> None:
        self._finish("UPDATE_COMPLETE")

    # ---- tasks

    def _run(self, wanted: list[Task], done: Callable[[Wave], None], *, stops: bool) -> None:
        self._wave = Wave(wanted, begin=self._begin, cancel=self._cancelled, done=done, stops=stops)
        # A moment, so that no operation is over before the call that started it has answered.
        self.world.clock.after(1.0, self._wave.advance)

    def _begin(self, task: Task) -> None:
        script = self.world.script_of(self.stack, task.logical_id)
        word = _WORDS.get(task.verb)
        if task.verb == "delete" and task.resource.deletion_policy == "Retain":
            self.say(task.resource, "DELETE_SKIPPED")
            self._end(task, None)
            return
        if task.verb in {"create", "replace"}:
            self._resolve(task)
        if word:
            self.say(task.resource, f"{word}_IN_PROGRESS", self._first_reason(task))
        if task.verb == "create":
            self.stack.resources[task.logical_id] = task.resource
        if task.resource.type == STACK_TYPE:
            children.begin(self, task)
            return
        if task.verb in {"create", "replace"}:
            self.world.clock.after(min(1.0, script.seconds / 2), lambda: self._initiated(task))
        failure = script.fail
        if task.verb in {"restore", "delete"}:
            failure = script.fail_rollback if self._is_rollback else None
            if task.verb == "delete" and not self._is_rollback:
                failure = script.fail_delete
        self.world.clock.after(script.seconds, lambda: self._end(task, failure))

    def _first_reason(self, task: Task) -> str:
        return _REPLACING if task.verb == "replace" else ""

    def _resolve(self, task: Task) -> None:
        body = self.stack.design.template["Resources"][task.logical_id]
        resolver = self.world.resolver(self.stack, self.stack.design)
        task.resource.properties = resolver.value(body.get("Properties") or {})

    def _initiated(self, task: Task) -> None:
        if task.state != "running":
            return
        one = task.resource
        if task.verb == "replace":
            self._old.append(copy.copy(one))
        one.physical_id = self.world.physical_id(self.stack, one.logical_id, one.properties)
        word = _WORDS[task.verb]
        self.say(one, f"{word}_IN_PROGRESS", "Resource creation Initiated")

    def _end(self, task: Task, failure: str | None) -> None:
        if task.state != "running":
            return
        assert self._wave is not None
        word = _WORDS.get(task.verb)
        if failure is not None:
            self.say(task.resource, f"{word}_FAILED", failure)
        else:
            self._apply(task)
            if word and not (task.verb == "delete" and task.resource.deletion_policy == "Retain"):
                self.say(task.resource, f"{word}_COMPLETE")
        self._wave.ended(task, failed=failure is not None)

    def _apply(self, task: Task) -> None:
        resources = self.stack.resources
        if task.verb == "delete":
            if resources.get(task.logical_id) is task.resource:
                del resources[task.logical_id]
        elif task.verb in {"update", "import"} and task.resource.type != STACK_TYPE:
            self._resolve(task)
            resources[task.logical_id] = task.resource
        elif task.verb == "replace":
            resources[task.logical_id] = task.resource

    def _cancelled(self, task: Task) -> None:
        child = self._children.get(task.logical_id)
        if child is not None:
            children.stop(child)
        word = _WORDS.get(task.verb, "UPDATE")
        if word in _CANCELLED:
            self.say(task.resource, f"{word}_FAILED", _CANCELLED[word])

    # ---- nested stacks

    def child(self, task: Task, stack: FakeStack, said: str) -> Operation:
        """An operation on the nested stack of `task`, which ends with it; `said` begins what the
        parent says of a failure."""

        def done(failure: str | None) -> None:
            reason = None if failure is None else f"Embedded stack {stack.id} {said}{failure}"
            self._end(task, reason)

        operation = Operation(self.world, stack, self.token, done)
        operation._is_rollback = self._is_rollback
        earlier = self._children.get(task.logical_id)
        if earlier is not None:
            operation._old, operation._touched = earlier._old, earlier._touched
            operation._children = earlier._children
        self._children[task.logical_id] = operation
        return operation

    def end_soon(self, task: Task, failure: str | None) -> None:
        """End `task` in a moment."""
        self.world.clock.after(1.0, lambda: self._end(task, failure))

    # ---- the rest

    def _to_restore(self) -> list[str]:
        stack = self.stack
        begun = {name for name, task in self._touched.items() if task.state != "waiting"}
        if not self._touched:
            begun = stack.broken
            if stack.status == "UPDATE_FAILED":
                begun = begun | {
                    name
                    for name, one in stack.resources.items()
                    if stack.resources_before.get(name) != one
                }
        return [name for name in stack.resources_before if name in begun]

    def say(self, resource: FakeResource, status: str, reason: str = "") -> None:
        """An event of a resource."""
        self.world.emit(self.stack, resource, status, reason, token=self.token)

    def enter(self, status: str, reason: str = "") -> None:
        """The stack goes into `status`."""
        self.world.enter(self.stack, status, reason, token=self.token)

    def _finish(self, status: str, reason: str = "", *, failed: bool = False) -> None:
        self.enter(status, reason)
        self._done(reason if failed else None)
