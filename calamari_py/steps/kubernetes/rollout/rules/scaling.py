"""HorizontalPodAutoscaler and PodDisruptionBudget."""

from __future__ import annotations

import json
from typing import Any

from calamari_py.identity import count_text
from calamari_py.steps.kubernetes.rollout.rules.family import Family
from calamari_py.steps.kubernetes.rollout.rules.fields import (
    Body,
    mapping,
    number,
    rows,
    said,
    text,
    unseen,
)
from calamari_py.steps.kubernetes.rollout.rules.judgement import Judgement, progressing, ready

_V1_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"


def autoscaler(body: Body, _: Family) -> Judgement:
    """Its controller has looked at it. What it lacks to scale by (metrics, a target) may come
    later, and is told; one whose target is scaled to 0 rests."""
    if behind := unseen(body, required=False):
        return behind
    found = {text(row, "type"): row for row in _conditions(body)}
    counted = count_text(number(body, "status", "currentReplicas"), "replica")
    for type_ in ("AbleToScale", "ScalingActive"):
        row = found.get(type_)
        if row is None:
            return progressing("its controller has not looked at it yet")
        if row.get("status") == "True":
            continue
        if row.get("reason") == "ScalingDisabled":
            return ready("its target is scaled to 0")
        return ready(
            f"{counted}, and cannot scale for now: {said(row, f'{type_} is not true')}", told="note"
        )
    return ready(counted)


def disruption_budget(body: Body, _: Family) -> Judgement:
    """Its controller has counted its pods: that they are healthy is theirs to become."""
    if behind := unseen(body):
        return behind
    healthy = number(body, "status", "currentHealthy")
    wanted = number(body, "status", "desiredHealthy")
    return ready(f"{healthy} healthy" if healthy >= wanted else f"{healthy} of {wanted} healthy")


def _conditions(body: Body) -> list[Body]:
    """Those of v2; v1 has them as JSON in an annotation."""
    if found := rows(body, "status", "conditions"):
        return found
    try:
        read: Any = json.loads(text(mapping(body, "metadata", "annotations"), _V1_CONDITIONS))
    except ValueError:
        return []
    return rows({"read": read}, "read")
