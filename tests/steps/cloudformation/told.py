"""Events as CloudFormation would tell them, made short."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from calamari_py.steps.cloudformation.values import STACK_TYPE, StackEvent

REGION = "eu-west-1"
START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
TOKEN = "calamari-payments-dev-0123456789ab"
_numbers = itertools.count()


def name_of(path: tuple[str, ...]) -> str:
    """``my-app``, ``my-app-Data-1X``."""
    return "-".join(("my-app", *path, *(("1X",) if path else ())))


def arn_of(path: tuple[str, ...] = ()) -> str:
    """The ARN of the stack at `path`."""
    return f"arn:aws:cloudformation:{REGION}:111111111111:stack/{name_of(path)}/1b2c"


def resource(
    shown_id: str,
    status: str,
    reason: str = "",
    *,
    kind: str = "AWS::SNS::Topic",
    at: float = 0,
    **more: Any,
) -> StackEvent:
    """An event of ``Data/Database``, `at` seconds after the start."""
    *path, logical_id = shown_id.split("/")
    values: dict[str, Any] = {
        "id": f"{logical_id}-{status}-{next(_numbers)}",
        "stack_id": arn_of(tuple(path)),
        "stack_name": name_of(tuple(path)),
        "logical_id": logical_id,
        "physical_id": f"physical-{logical_id}",
        "resource_type": kind,
        "status": status,
        "reason": reason,
        "time": START + timedelta(seconds=at),
        "token": TOKEN,
        "path": tuple(path),
    }
    return StackEvent(**(values | more))


def below(
    shown_id: str, status: str, reason: str = "", *, at: float = 0, **more: Any
) -> StackEvent:
    """An event of the resource that is a nested stack."""
    physical_id = arn_of(tuple(shown_id.split("/")))
    values = {"kind": STACK_TYPE, "physical_id": physical_id} | more
    return resource(shown_id, status, reason, at=at, **values)


def stack(
    status: str, reason: str = "", *, path: tuple[str, ...] = (), at: float = 0, **more: Any
) -> StackEvent:
    """An event of the stack itself, or of the nested one at `path`."""
    values: dict[str, Any] = {
        "kind": STACK_TYPE,
        "physical_id": arn_of(path),
        "stack_id": arn_of(path),
        "stack_name": name_of(path),
        "path": path,
    }
    return resource(name_of(path), status, reason, at=at, **(values | more))


class PagedEvents:
    """What a StackApi tells of events: `told` of each stack, oldest first, in pages.

    `asked` are the stacks whose pages were asked for, `pages` how many were taken; what stands in
    `errors` for a stack is raised instead, once each.
    """

    def __init__(self, *, page_size: int = 100) -> None:
        self.page_size = page_size
        self.told: dict[str, list[StackEvent]] = {}
        self.errors: dict[str, list[BaseException]] = {}
        self.asked: list[str] = []
        self.pages = 0

    def add(self, *events: StackEvent) -> None:
        """These have happened since."""
        for event in events:
            self.told.setdefault(event.stack_id, []).append(event)

    def event_pages(
        self, stack_id: str, *, path: tuple[str, ...] = ()
    ) -> Iterator[tuple[StackEvent, ...]]:
        """Newest first."""
        self.asked.append(stack_id)
        newest: Sequence[StackEvent] = self.told.get(stack_id, [])[::-1]
        errors = self.errors.get(stack_id, [])
        for begin in range(0, max(1, len(newest)), self.page_size):
            if errors:
                raise errors.pop(0)
            self.pages += 1
            yield tuple(newest[begin : begin + self.page_size])
