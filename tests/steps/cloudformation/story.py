"""One stack whose status and events a test sets as time goes by."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

from calamari_py.errors import CloudError, Temporary
from calamari_py.steps.cloudformation.following.follow import follow
from calamari_py.steps.cloudformation.following.operation import Finished, Operation, Verb
from calamari_py.steps.cloudformation.service.api import StackApi
from calamari_py.steps.cloudformation.values import Stack, StackEvent
from calamari_py.steps.cloudformation.work import Deadline, Work
from tests.fake_cloudformation import JumpingClock
from tests.steps.cloudformation.told import TOKEN, PagedEvents, arn_of
from tests.steps.cloudformation.world import StackWorld
from tests.steps.report import Report

WATCH = "calamari run step.yaml --action watch"
STACK = Stack(id=arn_of(), name="my-app", status="UPDATE_COMPLETE")


def throttled() -> Temporary:
    return Temporary("AWS says later", service="cloudformation", operation="X", code="Throttling")


def refused(code: str = "AccessDenied", operation: str = "DescribeStackEvents") -> CloudError:
    return CloudError(
        f"the step's role is not allowed 'cloudformation:{operation}'",
        service="cloudformation",
        operation=operation,
        code=code,
        hint=f"allow 'cloudformation:{operation}'",
    )


@dataclass
class Story(PagedEvents):
    """A StackApi of one stack whose status and events a test sets as time goes by.

    `failures` are raised by the next calls, whatever they ask for.
    """

    clock: JumpingClock = field(default_factory=JumpingClock)
    stack: Stack | None = field(default=STACK)
    failures: list[BaseException] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)
    finds: int = 0
    timeout: float | None = 3600.0
    report: Report = field(default_factory=Report)
    spec: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        PagedEvents.__init__(self)

    def at(self, seconds: float, status: str | None = None, *events: StackEvent) -> None:
        """Then this has happened."""

        def happen() -> None:
            self.add(*events)
            if status is not None and self.stack is not None:
                self.stack = replace(self.stack, status=status)

        self.clock.at(seconds, happen)

    def event_pages(self, stack_id: str, *, path: tuple[str, ...] = ()) -> Any:
        self._fail("DescribeStackEvents")
        return super().event_pages(stack_id, path=path)

    def find(self, name_or_id: str) -> Stack | None:
        self.finds += 1
        self._fail("DescribeStacks")
        return self.stack

    def _fail(self, operation: str) -> None:
        if self.failures:
            raise self.failures.pop(0)
        if operation in self.denied:
            raise refused(operation=operation)

    def work(self) -> Work:
        world = StackWorld(report=self.report, timeout=self.timeout)
        context = replace(world.context(), clock=self.clock)
        return Work(
            spec=replace(world.spec, **self.spec),
            api=cast("StackApi", self),
            context=context,
            token=TOKEN,
            deadline=Deadline(
                clock=self.clock,
                at=self.timeout,
                limit=self.timeout,
            ),
        )

    def follow(self, verb: Verb = "update", **more: Any) -> Finished:
        operation = Operation(
            stack_id=arn_of(), name="my-app", verb=verb, **({"token": TOKEN} | more)
        )
        return follow(self.work(), operation)
