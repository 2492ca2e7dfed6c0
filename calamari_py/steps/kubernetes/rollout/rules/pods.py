"""Pod, for one that no controller holds."""

from __future__ import annotations

from calamari_py.steps.kubernetes.rollout.rules.family import Family
from calamari_py.steps.kubernetes.rollout.rules.fields import Body, condition, is_true, text
from calamari_py.steps.kubernetes.rollout.rules.judgement import (
    Judgement,
    failed,
    progressing,
    ready,
)
from calamari_py.steps.kubernetes.rollout.rules.pod_status import pod_status, readiness


def pod(body: Body, _: Family) -> Judgement:
    """Ready, or succeeded."""
    phase, shown = text(body, "status", "phase"), pod_status(body)
    if phase == "Succeeded":
        return ready("completed")
    if phase == "Failed":
        reason = text(body, "status", "reason") or shown
        return failed(reason, text(body, "status", "message") or f"the pod has failed ({shown})")
    if phase == "Running" and is_true(body, "Ready"):
        return ready(shown.lower())
    number, all_of_them = readiness(body)
    scheduled = condition(body, "PodScheduled")
    held_up = scheduled is not None and scheduled.get("status") == "False"
    reason = text(scheduled or {}, "reason") if held_up else ""
    return progressing(f"{shown}, {number} of {all_of_them} containers ready", reason)
