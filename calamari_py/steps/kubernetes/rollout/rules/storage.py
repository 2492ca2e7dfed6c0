"""PersistentVolumeClaim."""

from __future__ import annotations

from calamari_py.steps.kubernetes.rollout.rules.family import Family
from calamari_py.steps.kubernetes.rollout.rules.fields import Body, mapping, said, text
from calamari_py.steps.kubernetes.rollout.rules.judgement import (
    Judgement,
    failed,
    progressing,
    ready,
)

_SELECTED = "volume.kubernetes.io/selected-node"


def claim(body: Body, family: Family) -> Judgement:
    """Bound; one that waits for its first consumer is as far as it comes without a pod. Where the
    storage classes may not be listed, its newest event tells, if there is one."""
    phase = text(body, "status", "phase")
    if phase == "Bound":
        return ready("bound")
    if phase == "Lost":
        return failed("Lost", "its volume is gone")
    wanted = text(mapping(body, "metadata", "annotations"), _SELECTED)
    waits = False if wanted else family.waits_for_consumer(body)
    event = family.newest_event(body) if waits is None else None
    if waits or (event is not None and event.get("reason") == "WaitForFirstConsumer"):
        return ready("waits for its first consumer")
    unbound = f"not bound ({phase or 'Pending'})"
    if event is not None:
        return progressing(f"{unbound}: {said(event)}", text(event, "reason"))
    if waits is None:
        return ready(
            f"{unbound}: storage classes may not be listed, so whether it waits for its first "
            "consumer is not known",
            told="note",
        )
    return progressing(unbound)
