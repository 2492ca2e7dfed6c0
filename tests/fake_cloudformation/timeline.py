"""Waves: tasks that begin when those before them have ended, and stop together or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.fake_cloudformation.model import FakeResource

Verb = Literal["create", "update", "replace", "restore", "delete", "import", "clean"]
State = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass(kw_only=True, eq=False)
class Task:
    """One resource and what is done with it; `after` are the logical ids that come first."""

    verb: Verb
    resource: FakeResource
    after: frozenset[str] = frozenset()
    state: State = "waiting"

    @property
    def logical_id(self) -> str:
        """The resource's."""
        return self.resource.logical_id


class Wave:
    """Tasks in the order of what they depend on, as many at once as that allows.

    `begin` starts a task, which ends by `ended`. With `stops` the first failure ends the wave and
    `cancel` is called for each task that runs; without it what waits for a failed task never
    begins. `done` is called once, at the end.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        begin: Callable[[Task], None],
        cancel: Callable[[Task], None],
        done: Callable[[Wave], None],
        stops: bool,
    ) -> None:
        self.tasks = tuple(tasks)
        self._begin = begin
        self._cancel = cancel
        self._done = done
        self._stops = stops
        self._is_over = False
        ours = {task.logical_id for task in self.tasks}
        self._waiting = [(task, set(task.after & ours)) for task in self.tasks]
        self._running = 0
        self._ended: set[str] = set()

    def advance(self) -> None:
        """Begin what can begin; end when nothing runs."""
        ready = [task for task, after in self._waiting if after <= self._ended]
        self._waiting = [one for one in self._waiting if not one[1] <= self._ended]
        for task in ready:
            if self._is_over:
                return
            task.state = "running"
            self._running += 1
            self._begin(task)
        if not self._is_over and not self._running:
            self._end()

    def ended(self, task: Task, *, failed: bool) -> None:
        """`task` has come to its end."""
        task.state = "failed" if failed else "done"
        self._running -= 1
        if not failed:
            self._ended.add(task.logical_id)
        if failed and self._stops:
            self.stop()
        else:
            self.advance()

    def stop(self) -> None:
        """Cancel what runs; nothing else begins."""
        for task in self.tasks:
            if task.state == "running":
                task.state = "cancelled"
                self._cancel(task)
        self._end()

    def drop(self) -> None:
        """As `stop`, and nobody is told of the end."""
        self._is_over = True
        for task in self.tasks:
            if task.state == "running":
                task.state = "cancelled"
                self._cancel(task)

    def broken(self) -> tuple[Task, ...]:
        """What has failed or was cancelled."""
        return tuple(task for task in self.tasks if task.state in {"failed", "cancelled"})

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._done(self)
