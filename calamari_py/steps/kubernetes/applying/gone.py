"""Waiting until what was deleted is gone."""

from __future__ import annotations

from collections.abc import Mapping

from calamari_py.errors import ToolFailed
from calamari_py.identity import duration_text
from calamari_py.steps.base import StepReport
from calamari_py.steps.kubernetes.access.failures import ApiFailure
from calamari_py.steps.kubernetes.applying.causes import short
from calamari_py.steps.kubernetes.applying.outcome import Body
from calamari_py.steps.kubernetes.applying.tell import named
from calamari_py.steps.kubernetes.applying.terminating import blocked_by
from calamari_py.steps.kubernetes.spec import WaitSpec
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl
from calamari_py.steps.kubernetes.values import ObjectRef

_INTERVAL = 1.0
_LONGEST_INTERVAL = 5.0
_MOST_ROWS = 10
_UNSEEN = "not known whether it is gone"


def wait_until_gone(
    kubectl: Kubectl,
    deleted: Mapping[ObjectRef, Body | None],
    wait: WaitSpec,
    report: StepReport,
    gone: set[ObjectRef],
) -> dict[ObjectRef, str]:
    """Wait until the objects `deleted` are gone, and put each that is in `gone`. They come as they
    were before, None for one that was not seen; another one of the same name does not count. Those
    that are not gone in the time of `wait`, or may not be looked at, with the reason."""
    clock = kubectl.context.clock
    end = clock.monotonic() + wait.timeout
    interval = _INTERVAL
    left = dict(deleted)
    why: dict[ObjectRef, str] = {}
    while left:
        unseen: dict[ObjectRef, ApiFailure] = {}
        found = kubectl.get_objects(
            list(left), doing="look whether the objects are gone", refused=unseen
        )
        there = {ref: body for ref, body in found.items() if _is_still(body, deleted[ref])}
        gone |= left.keys() - there.keys() - unseen.keys()
        hidden = {ref for ref, failure in unseen.items() if failure.kind == "forbidden"}
        why |= {ref: f"{_UNSEEN}: {short(unseen[ref].text)}" for ref in unseen}
        why |= {ref: _why(body) for ref, body in there.items()}
        left = {ref: body for ref, body in left.items() if ref not in gone | hidden}
        rest = end - clock.monotonic()
        if not left or rest <= 0:
            break
        report.progress(None, f"{len(left)} of {len(deleted)} objects are being deleted")
        clock.sleep(min(interval, rest))
        interval = min(interval * 2, _LONGEST_INTERVAL)
    return {ref: why[ref] for ref in deleted if ref not in gone}


def not_gone(left: Mapping[ObjectRef, str], wait: WaitSpec) -> ToolFailed:
    """The error for those that `wait_until_gone` gave back."""
    rows = [f"{named(ref)}: {why}" for ref, why in left.items()]
    if len(rows) > _MOST_ROWS:
        rows[_MOST_ROWS:] = [f"and {len(rows) - _MOST_ROWS} more"]
    first = next(iter(left))
    what = f"{len(left)} objects are" if len(left) > 1 else f"'{named(first)}' is"
    message = f"{what} not gone after {duration_text(int(wait.timeout))} (wait.timeout)"
    hint = "a finalizer is removed by the controller it belongs to: see that it runs"
    if all(why.startswith(_UNSEEN) for why in left.values()):
        message = f"nobody can see whether {what} gone"
        hint = "give the step the right to get what it deletes"
    return ToolFailed(message, hint=f"{hint}, or say 'wait: false'", evidence=rows)


def _why(body: Body) -> str:
    what_blocks = blocked_by(body)
    return f"not gone yet, blocked by {what_blocks}" if what_blocks else "not gone yet"


def _is_still(body: Body, before: Body | None) -> bool:
    """Whether `body` is what was there `before`. Where nobody saw that, one that is being deleted
    is it."""
    metadata = body.get("metadata") or {}
    if before is None:
        return bool(metadata.get("deletionTimestamp"))
    return bool(metadata.get("uid") == (before.get("metadata") or {}).get("uid"))
