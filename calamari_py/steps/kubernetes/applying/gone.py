"""Waiting until what was deleted is gone."""

from __future__ import annotations

from collections.abc import Mapping

from calamari_py.errors import ToolFailed
from calamari_py.identity import duration_text
from calamari_py.steps.base import StepReport
from calamari_py.steps.kubernetes.applying.outcome import Body
from calamari_py.steps.kubernetes.applying.tell import named
from calamari_py.steps.kubernetes.applying.terminating import blocked_by
from calamari_py.steps.kubernetes.spec import WaitSpec
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl
from calamari_py.steps.kubernetes.values import ObjectRef

_INTERVAL = 1.0
_LONGEST_INTERVAL = 5.0
_MOST_ROWS = 10


def wait_until_gone(
    kubectl: Kubectl, deleted: Mapping[ObjectRef, Body], wait: WaitSpec, report: StepReport
) -> dict[ObjectRef, str]:
    """Wait until the objects `deleted`, as they were before, are gone; another one of the same name
    does not count. Those that are not in the time of `wait`, with what blocks them."""
    clock = kubectl.context.clock
    end = clock.monotonic() + wait.timeout
    interval = _INTERVAL
    left: Mapping[ObjectRef, Body] = deleted
    while left:
        found = kubectl.get_objects(
            list(left), doing="look whether the objects are gone", refused={}
        )
        left = {ref: body for ref, body in found.items() if _uid(body) == _uid(deleted[ref])}
        rest = end - clock.monotonic()
        if not left or rest <= 0:
            break
        report.progress(None, f"{len(left)} of {len(deleted)} objects are being deleted")
        clock.sleep(min(interval, rest))
        interval = min(interval * 2, _LONGEST_INTERVAL)
    return {ref: _why(body) for ref, body in left.items()}


def not_gone(left: Mapping[ObjectRef, str], wait: WaitSpec) -> ToolFailed:
    """The error for those that `wait_until_gone` gave back."""
    rows = [f"{named(ref)}: {why}" for ref, why in left.items()]
    if len(rows) > _MOST_ROWS:
        rows[_MOST_ROWS:] = [f"and {len(rows) - _MOST_ROWS} more"]
    first = next(iter(left))
    count = f"{len(left)} objects are" if len(left) > 1 else f"'{named(first)}' is"
    return ToolFailed(
        f"{count} not gone after {duration_text(int(wait.timeout))} (wait.timeout)",
        hint="a finalizer is removed by the controller it belongs to: see that it runs, or say"
        " 'wait: false'",
        evidence=rows,
    )


def _why(body: Body) -> str:
    what_blocks = blocked_by(body)
    return f"not gone yet, blocked by {what_blocks}" if what_blocks else "not gone yet"


def _uid(body: Body) -> object:
    return (body.get("metadata") or {}).get("uid")
