"""Baseline: how objects were before they were changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from calamari_py.steps.kubernetes.rollout.rules.fields import Body, number, uid_of
from calamari_py.steps.kubernetes.rollout.rules.judge import has_state
from calamari_py.steps.kubernetes.values import ObjectRef

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.tool.kubectl import Kubectl


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The uid and the generation of each object that was there."""

    seen: Mapping[ObjectRef, tuple[str, int]] = field(default_factory=dict)

    def is_as_before(self, ref: ObjectRef, body: Body) -> bool:
        """Whether its spec is still the one of before. An object without generations has none that
        could have moved: it is not."""
        generation = number(body, "metadata", "generation")
        return bool(generation) and self.seen.get(ref) == (uid_of(body), generation)


def baseline_of(bodies: Mapping[ObjectRef, Body]) -> Baseline:
    """That of objects that were looked at already."""
    return Baseline(
        seen={
            ref: (uid_of(body), number(body, "metadata", "generation"))
            for ref, body in bodies.items()
        }
    )


def take_baseline(kubectl: Kubectl, refs: Sequence[ObjectRef]) -> Baseline:
    """Look at `refs` before they are changed, with one process. Those that are not there yet are in
    none."""
    wanted = [ref for ref in refs if ref.name and has_state(ref)]
    if not wanted:
        return Baseline()
    return baseline_of(kubectl.get_objects(wanted, doing="look at what is there", refused={}))
