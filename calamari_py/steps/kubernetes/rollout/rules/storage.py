"""PersistentVolumeClaim."""

from __future__ import annotations

from calamari_py.steps.kubernetes.rollout.rules.family import Family
from calamari_py.steps.kubernetes.rollout.rules.fields import Body, mapping, text
from calamari_py.steps.kubernetes.rollout.rules.judgement import (
    Judgement,
    failed,
    progressing,
    ready,
)

_SELECTED = "volume.kubernetes.io/selected-node"


def claim(body: Body, family: Family) -> Judgement:
    """Bound; one that waits for its first consumer is as far as it comes without a pod."""
    phase = text(body, "status", "phase")
    if phase == "Bound":
        return ready("bound")
    if phase == "Lost":
        return failed("Lost", "its volume is gone")
    wanted = text(mapping(body, "metadata", "annotations"), _SELECTED)
    if not wanted and family.waits_for_consumer(body):
        return ready("waits for its first consumer")
    return progressing(f"not bound ({phase or 'Pending'})")
