"""Events for people, in columns, and for programs, in fields."""

from __future__ import annotations

import re
from datetime import UTC

from calamari_py.result import format_time
from calamari_py.steps.base import StepReport
from calamari_py.steps.cloudformation.values import StackEvent

_BLOB = re.compile(r"(Encoded authorization failure message:)\s*\S+", re.IGNORECASE)


class EventLines:
    """Tells people of events, in columns, and programs, in fields."""

    def __init__(self, report: StepReport) -> None:
        self._report = report
        self._status, self._place = 18, 24

    def show(self, event: StackEvent) -> None:
        """One line."""
        self._status = max(self._status, min(len(event.status), 28))
        self._place = max(self._place, min(len(place_of(event)), 48))
        line = line_of(event, status=self._status, place=self._place)
        self._report.line(line, event="stack_event", fields=fields_of(event))


def place_of(event: StackEvent) -> str:
    """``Data/Database``; ``Data/`` for the nested stack ``Data`` itself."""
    return f"{'/'.join(event.path)}/" if event.is_of_stack and event.path else event.shown_id


def line_of(event: StackEvent, *, status: int = 18, place: int = 24) -> str:
    """``09:30:12Z  CREATE_IN_PROGRESS  Data/Database  AWS::RDS::DBInstance  reason``, with so many
    columns for status and place."""
    parts = (
        event.time.astimezone(UTC).strftime("%H:%M:%SZ"),
        f"{event.status:<{status}}",
        f"{place_of(event):<{place}}",
        f"{event.resource_type:<26}",
        shortened(_reason_of(event)),
    )
    return "  ".join(parts).rstrip()


def shortened(reason: str) -> str:
    """`reason` in one line, without an encoded message that nobody can read."""
    return " ".join(_BLOB.sub(r"\1 …", reason).split())


def fields_of(event: StackEvent) -> dict[str, object]:
    """JSON values; times are RFC 3339 in UTC."""
    return {
        "stack": event.stack_name,
        "logical_id": event.logical_id,
        "physical_id": event.physical_id,
        "resource_type": event.resource_type,
        "status": event.status,
        "reason": _reason_of(event),
        "event_time": format_time(event.time),
        "event_id": event.id,
        "path": list(event.path),
    }


def _reason_of(event: StackEvent) -> str:
    if not event.hook:
        return event.reason
    said = f"{event.hook} {event.hook_status}"
    return f"{said}: {event.hook_reason}" if event.hook_reason else said
