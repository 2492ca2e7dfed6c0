"""Baseline: how objects were before they were changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from calamari_py.steps.kubernetes.rollout.rules.fields import Body, number, rows, text, uid_of
from calamari_py.steps.kubernetes.values import ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The uid and the generation of each object that was there, and since when Kubernetes had given
    up those Deployments that it had."""

    seen: Mapping[ObjectRef, tuple[str, int]] = field(default_factory=dict)
    late: Mapping[ObjectRef, str] = field(default_factory=dict)

    def is_as_before(self, ref: ObjectRef, body: Body) -> bool:
        """Whether its spec is still the one of before. An object without generations has none that
        could have moved: it is not."""
        generation = number(body, "metadata", "generation")
        return bool(generation) and self.seen.get(ref) == (uid_of(body), generation)

    def was_late(self, ref: ObjectRef, body: Body) -> bool:
        """Whether it is still the rollout of before that took too long: nothing says so yet of one
        that was begun since."""
        since = late_since(body)
        uid, _ = self.seen.get(ref, ("", 0))
        return since is not None and (uid, self.late.get(ref)) == (uid_of(body), since)


def baseline_of(bodies: Mapping[ObjectRef, Body]) -> Baseline:
    """That of objects that were looked at already."""
    return Baseline(
        seen={
            ref: (uid_of(body), number(body, "metadata", "generation"))
            for ref, body in bodies.items()
        },
        late={
            ref: since for ref, body in bodies.items() if (since := late_since(body)) is not None
        },
    )


def late_since(body: Body) -> str | None:
    """Since when it is ProgressDeadlineExceeded, "" where it does not say; None where it is not."""
    for row in rows(body, "status", "conditions"):
        if row.get("type") == "Progressing" and row.get("reason") == "ProgressDeadlineExceeded":
            return text(row, "lastUpdateTime")
    return None
