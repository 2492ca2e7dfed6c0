"""A step's work on one stack in front of the fake AWS, or of a scripted one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from calamari_py.steps.cloudformation.changes.change_sets import prepare
from calamari_py.steps.cloudformation.changes.prepared import Prepared
from calamari_py.steps.cloudformation.service.api import StackApi
from calamari_py.steps.cloudformation.spec import Template
from calamari_py.steps.cloudformation.values import ChangeSet
from calamari_py.steps.cloudformation.work import Deadline, Work
from tests.fake_cloudformation import FakeCloudFormation, JumpingClock
from tests.steps.cloudformation.scripted import CHANGE_SET_ID, STACK_ID
from tests.steps.cloudformation.world import NAME, PREFIX, StackWorld
from tests.steps.report import Report

CHANGING = {"CreateChangeSet", "DeleteChangeSet", "DeleteStack", "ExecuteChangeSet", "PutObject"}


class Room:
    """A step's work on one stack, in front of the fake AWS."""

    def __init__(self, *, timeout: float | None = 3600.0, calls: Any = None) -> None:
        self.world = StackWorld(timeout=timeout)
        self.aws: FakeCloudFormation = calls or self.world.aws
        self.clock: JumpingClock = self.world.clock
        self.report: Report = self.world.report
        self.timeout = timeout

    def work(self, **changes: Any) -> Work:
        """The work; `changes` of its spec."""
        context = replace(self.world.context(), aws=self.aws)
        at = None if self.timeout is None else self.clock.monotonic() + self.timeout
        return Work(
            spec=replace(self.world.spec, **changes),
            api=StackApi(self.aws),
            context=context,
            token=f"{PREFIX}-0123456789ab",
            deadline=Deadline(clock=self.clock, at=at, limit=self.timeout),
        )

    def prepare(self, **changes: Any) -> Prepared:
        """Prepare for the stack as it is now."""
        work = self.work(**changes)
        return prepare(work, work.api.find(NAME))

    @property
    def changed(self) -> list[str]:
        """The operations that change something, in order."""
        return [one.operation for one in self.aws.calls if one.operation in CHANGING]

    def left(self) -> list[str]:
        """Names of the change sets of the stack that are there."""
        return list(self.aws.stack(NAME).change_sets)


def template(text: str) -> Template:
    """A template of this text."""
    return Template(shown="template.json", text=text)


def change_set(**changes: Any) -> ChangeSet:
    """One that can be executed; `changes` of its fields."""
    fields: dict[str, Any] = {
        "id": CHANGE_SET_ID,
        "name": "calamari-ab12",
        "stack_id": STACK_ID,
        "status": "CREATE_COMPLETE",
        "execution": "AVAILABLE",
    }
    return ChangeSet(**{**fields, **changes})
