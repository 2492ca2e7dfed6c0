"""Warning events: what the cluster itself says of objects."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from calamari_py.steps.kubernetes.rollout.rules.fields import Body, number, said, text, when

LAST = 10
EVENT_TYPE = "Event.v1."


def warnings_of(bodies: Iterable[Body]) -> list[Body]:
    """The Warning events among `bodies`, the newest last."""
    found = (body for body in bodies if body.get("kind") == "Event")
    return sorted((body for body in found if body.get("type") == "Warning"), key=when)


def about(events: Iterable[Body], uids: Collection[str]) -> list[Body]:
    """The last ones that are about one of the objects."""
    wanted = [body for body in events if text(body, "involvedObject", "uid") in uids]
    return wanted[-LAST:]


def event_line(event: Body) -> str:
    """``pod/web-1  Failed (x4)  Error: ImagePullBackOff``."""
    kind = text(event, "involvedObject", "kind").lower()
    times = max(number(event, "count"), number(event, "series", "count"))
    often = f" (x{times})" if times > 1 else ""
    name = text(event, "involvedObject", "name")
    return f"{kind}/{name}  {text(event, 'reason')}{often}  {said(event)}"
