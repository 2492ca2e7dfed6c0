"""A pod in one word, as the STATUS column of ``kubectl get pods`` shows it, and in numbers."""

from __future__ import annotations

from collections.abc import Iterator

from calamari_py.steps.kubernetes.rollout.rules.fields import (
    Body,
    flag,
    is_true,
    mapping,
    number,
    rows,
    text,
)


def pod_status(pod: Body) -> str:
    """``Running``, ``Init:1/2``, ``Init:ImagePullBackOff``, ``Terminating``: what
    kubernetes/pkg/printers/internalversion/printers.go makes of it."""
    if text(pod, "metadata", "deletionTimestamp"):
        gone = text(pod, "status", "reason") == "NodeLost"
        return "Unknown" if gone else "Terminating"
    status = text(pod, "status", "reason") or text(pod, "status", "phase") or "Unknown"
    if status == "Pending" and _is_gated(pod):
        status = "SchedulingGated"
    initial = _initial_status(pod)
    if initial and not is_true(pod, "Initialized"):
        return initial
    running = False
    for state in reversed(rows(pod, "status", "containerStatuses")):
        if found := _state_word(state):
            status = found
        elif flag(state, "ready") and mapping(state, "state", "running"):
            running = True
    if status == "Completed" and running:
        return "Running" if is_true(pod, "Ready") else "NotReady"
    return status


def readiness(pod: Body) -> tuple[int, int]:
    """How many of its containers are ready, and how many there are; sidecars count."""
    sidecars = sidecar_names(pod)
    states = rows(pod, "status", "containerStatuses") + [
        one for one in rows(pod, "status", "initContainerStatuses") if text(one, "name") in sidecars
    ]
    wanted = len(rows(pod, "spec", "containers")) + len(sidecars)
    return sum(flag(one, "ready") for one in states), wanted


def restarts(pod: Body) -> int:
    """How often its containers were started again."""
    return sum(number(one, "restartCount") for _, one in container_states(pod))


def container_states(pod: Body) -> Iterator[tuple[bool, Body]]:
    """Whether it is an init container, and the status, of each container of the pod."""
    for one in rows(pod, "status", "initContainerStatuses"):
        yield True, one
    for one in rows(pod, "status", "containerStatuses"):
        yield False, one


def sidecar_names(pod: Body) -> set[str]:
    """Init containers that stay (restartPolicy Always)."""
    containers = rows(pod, "spec", "initContainers")
    return {text(one, "name") for one in containers if one.get("restartPolicy") == "Always"}


def _is_gated(pod: Body) -> bool:
    conditions = rows(pod, "status", "conditions")
    return any(row.get("reason") == "SchedulingGated" for row in conditions)


def _initial_status(pod: Body) -> str:
    """``Init:…`` while an init container is not through, else ""."""
    sidecars, states = sidecar_names(pod), rows(pod, "status", "initContainerStatuses")
    total = len(rows(pod, "spec", "initContainers")) or len(states)
    for index, one in enumerate(states):
        ended = mapping(one, "state", "terminated")
        if ended and number(ended, "exitCode") == 0:
            continue
        if text(one, "name") in sidecars and flag(one, "started"):
            continue
        word = _state_word(one)
        return f"Init:{word}" if word and word != "PodInitializing" else f"Init:{index}/{total}"
    return ""


def _state_word(state: Body) -> str:
    """Why the container waits or ended, "" for one that runs."""
    if reason := text(state, "state", "waiting", "reason"):
        return reason
    ended = mapping(state, "state", "terminated")
    if not ended:
        return ""
    if signal := number(ended, "signal"):
        return text(ended, "reason") or f"Signal:{signal}"
    return text(ended, "reason") or f"ExitCode:{number(ended, 'exitCode')}"
