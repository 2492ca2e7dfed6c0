"""Events for people, in columns, and for programs, in fields."""

from __future__ import annotations

from datetime import UTC

from calamari_py.result import format_time
from calamari_py.steps.base import StepReport, Tone
from calamari_py.steps.cloudformation.failures.denials import ENCODED
from calamari_py.steps.cloudformation.values import StackEvent

_STATUS = len("ROLLBACK_IN_PROGRESS")
_PLACE, _WIDEST = 24, 48


class EventLines:
    """Tells people of events, in columns, and programs, in fields. `place` is how long the longest
    name of a resource is: the columns stay where they are, and what is wider than its own moves
    only its own line."""

    def __init__(self, report: StepReport, *, place: int = _PLACE) -> None:
        self._report = report
        self._place = max(_PLACE, min(place, _WIDEST))

    def show(self, event: StackEvent) -> None:
        """One line."""
        line = line_of(event, place=self._place)
        self._report.line(line, event="stack_event", fields=fields_of(event), tone=tone_of(event))


def place_of(event: StackEvent) -> str:
    """``Data/Database``; ``Data/`` for the nested stack ``Data`` itself."""
    return f"{'/'.join(event.path)}/" if event.is_of_stack and event.path else event.shown_id


def tone_of(event: StackEvent) -> Tone:
    """What it is like: a failure, a way back, the end of the whole."""
    if event.is_failure or event.hook_status.endswith("_FAILED"):
        return "bad"
    if "ROLLBACK" in event.status:
        return "warn"
    is_end = event.is_of_stack and not event.path and event.status.endswith("_COMPLETE")
    return "good" if is_end else ""


def line_of(event: StackEvent, *, place: int = _PLACE) -> str:
    """``09:30:12Z  CREATE_IN_PROGRESS  Data/Database  AWS::RDS::DBInstance  reason``, with so many
    columns for the place."""
    parts = (
        event.time.astimezone(UTC).strftime("%H:%M:%SZ"),
        f"{event.status:<{_STATUS}}",
        f"{place_of(event):<{place}}",
        f"{event.resource_type:<26}",
        shortened(_reason_of(event)),
    )
    return "  ".join(parts).rstrip()


def shortened(reason: str) -> str:
    """`reason` in one line, without an encoded message that nobody can read."""
    encoded = ENCODED.search(reason)
    if encoded is not None:
        reason = reason.replace(encoded["message"], "…")
    return " ".join(reason.split())


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
