"""Reading what the API server sends: every field may be absent, and may be of another type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calamari_py.steps.kubernetes.rollout.rules.judgement import Judgement, progressing

Body = Mapping[str, Any]
_NOTHING: Body = {}


def mapping(body: Body, *path: str) -> Body:
    """The mapping at `path`, empty where there is none."""
    found: Any = body
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else _NOTHING


def rows(body: Body, *path: str) -> list[Body]:
    """The mappings of the list at `path`."""
    found = mapping(body, *path[:-1]).get(path[-1])
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []


def text(body: Body, *path: str) -> str:
    """The text at `path`, "" where there is none."""
    found = mapping(body, *path[:-1]).get(path[-1])
    return found if isinstance(found, str) else ""


def number(body: Body, *path: str, default: int = 0) -> int:
    """The whole number at `path`."""
    found = mapping(body, *path[:-1]).get(path[-1])
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def flag(body: Body, *path: str) -> bool:
    """Whether true stands at `path`."""
    return mapping(body, *path[:-1]).get(path[-1]) is True


def condition(body: Body, type_: str) -> Body | None:
    """The status condition of that type; None where there is none, or where it is about an earlier
    generation."""
    generation = number(body, "metadata", "generation")
    for row in rows(body, "status", "conditions"):
        if row.get("type") == type_:
            seen = row.get("observedGeneration")
            return None if isinstance(seen, int) and seen < generation else row
    return None


def is_true(body: Body, type_: str) -> bool:
    """Whether the condition is there and true."""
    found = condition(body, type_)
    return found is not None and found.get("status") == "True"


def said(row: Body, default: str = "") -> str:
    """What a condition says, in one line."""
    return " ".join(text(row, "message").split()) or text(row, "reason") or default


def unseen(body: Body, *, required: bool = True) -> Judgement | None:
    """A judgement where the status is older than the object. Where the generation observed is not
    `required`, a status without one counts."""
    generation = number(body, "metadata", "generation")
    observed = mapping(body, "status").get("observedGeneration")
    if observed is None and not required:
        return None
    if isinstance(observed, int) and observed >= generation:
        return None
    if observed is None and not generation:
        return None
    return progressing("its controller has not seen the change yet")


def uid_of(body: Body) -> str:
    """Its uid."""
    return text(body, "metadata", "uid")


def name_of(body: Body) -> str:
    """Its name."""
    return text(body, "metadata", "name")


def when(event: Body) -> str:
    """When the event came last. Kubernetes writes all times alike, in UTC: they can be compared."""
    times = [
        text(event, "series", "lastObservedTime"),
        text(event, "lastTimestamp"),
        text(event, "eventTime"),
        text(event, "metadata", "creationTimestamp"),
    ]
    return next(filter(None, times), "")
