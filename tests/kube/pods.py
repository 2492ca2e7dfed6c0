"""What becomes of a pod by and by: its image says it. Pure: a status for an age.

| image | |
|---|---|
| anything else | runs and is ready once it is `READY_AFTER` old |
| ``slow:7`` | is ready once it is 7 seconds old |
| ``bad:…`` | cannot be pulled: ErrImagePull, then ImagePullBackOff |
| ``crash:…`` | its container ends with 1: CrashLoopBackOff |
| ``config:…`` | wants a Secret that is not there: CreateContainerConfigError |
| ``huge:…`` | fits on no node: Unschedulable |
| ``fail:…`` | a job's: its container ends with 1, and is not started again |
| ``never:…`` | runs and is never ready |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

READY_AFTER = 0.3
"""Seconds until an ordinary pod is ready, and until a job's is done."""
CRASHED_WITH = "panic: cannot reach the database\n"

Body = Mapping[str, Any]


def image_of(pod_spec: Body) -> tuple[str, str]:
    """Name and tag of the first container's image."""
    containers = pod_spec.get("containers") or [{}]
    name, _, tag = str(containers[0].get("image", "")).rpartition(":")
    return name.rpartition("/")[2], tag


def seconds_of(pod_spec: Body) -> float:
    """How long its kind of pod takes to be ready, or done."""
    name, tag = image_of(pod_spec)
    return float(tag) if name == "slow" else READY_AFTER


def status_of(pod_spec: Body, age: float, *, of_job: bool = False) -> dict[str, Any]:
    """``status`` of a pod that is `age` seconds old."""
    name, _ = image_of(pod_spec)
    if name == "huge":
        return _unscheduled()
    if age < seconds_of(pod_spec) or name in _STUCK:
        return _waiting(pod_spec, name, age)
    if name == "crash":
        return _crashing(pod_spec, age)
    if of_job or pod_spec.get("restartPolicy") in {"Never", "OnFailure"}:
        return _done(pod_spec, code=1 if name == "fail" else 0)
    return _running(pod_spec, ready=name != "never")


def warnings_of(pod_spec: Body, age: float) -> Iterator[tuple[str, str]]:
    """Reason and message of each Warning event that such a pod has by now."""
    name, _ = image_of(pod_spec)
    containers = pod_spec.get("containers") or [{}]
    image = containers[0].get("image", "")
    if name == "huge":
        yield "FailedScheduling", _UNSCHEDULABLE
    if name == "bad":
        yield "Failed", f'Failed to pull image "{image}": not found'
    if name == "config":
        yield "Failed", _NO_SECRET
    if name == "crash" and age >= READY_AFTER:
        yield "BackOff", f"Back-off restarting failed container {containers[0].get('name')}"


_UNSCHEDULABLE = "0/3 nodes are available: 3 Insufficient memory."
_NO_SECRET = 'Error: secret "missing" not found'
_STUCK = {"bad", "config"}


def _waiting(pod_spec: Body, name: str, age: float) -> dict[str, Any]:
    reason, message = "ContainerCreating", ""
    if name == "bad":
        reason = "ErrImagePull" if age < READY_AFTER else "ImagePullBackOff"
        message = f'Back-off pulling image "{pod_spec["containers"][0]["image"]}"'
    if name == "config":
        reason, message = "CreateContainerConfigError", _NO_SECRET
    waiting = {"reason": reason, **({"message": message} if message else {})}
    return _status(pod_spec, "Pending", {"waiting": waiting}, ready=False)


def _crashing(pod_spec: Body, age: float) -> dict[str, Any]:
    ended = {"exitCode": 1, "reason": "Error", "message": ""}
    status = _status(
        pod_spec, "Running", {"waiting": {"reason": "CrashLoopBackOff"}}, ready=False
    )  # fmt: skip
    for container in status["containerStatuses"]:
        container |= {"lastState": {"terminated": ended}, "restartCount": 1 + int(age)}
    return status


def _done(pod_spec: Body, *, code: int) -> dict[str, Any]:
    ended = {"exitCode": code, "reason": "Error" if code else "Completed"}
    phase = "Failed" if code else "Succeeded"
    return _status(pod_spec, phase, {"terminated": ended}, ready=False)


def _running(pod_spec: Body, *, ready: bool) -> dict[str, Any]:
    return _status(
        pod_spec, "Running", {"running": {"startedAt": "2026-03-01T09:30:00Z"}}, ready=ready
    )  # fmt: skip


def _status(pod_spec: Body, phase: str, state: Body, *, ready: bool) -> dict[str, Any]:
    truth = "True" if ready else "False"
    return {
        "phase": phase,
        "conditions": [
            {"type": "PodScheduled", "status": "True"},
            {"type": "Ready", "status": truth},
            {"type": "ContainersReady", "status": truth},
        ],
        "containerStatuses": [
            {
                "name": container.get("name", ""), "image": container.get("image", ""),
                "imageID": "", "ready": ready, "started": ready, "restartCount": 0,
                "state": dict(state),
            }
            for container in pod_spec.get("containers", ())
        ],
    }  # fmt: skip


def _unscheduled() -> dict[str, Any]:
    condition = {
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": _UNSCHEDULABLE,
    }  # fmt: skip
    return {"phase": "Pending", "conditions": [condition]}
