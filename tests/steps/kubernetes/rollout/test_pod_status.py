"""A pod in one word: as ``kubectl get pods`` says it."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.steps.kubernetes.rollout.rules.pod_status import pod_status, readiness
from tests.steps.kubernetes.rollout.bodies import RUNS, condition, container, ended, pod, waits

DONE = {"terminated": ended(0, "Completed")}


@pytest.mark.parametrize(
    ("found", "status", "ready"),
    [
        pytest.param(pod("a", container(state=RUNS, ready=True)), "Running", (1, 1), id="running"),
        pytest.param(pod("a", phase="Pending"), "Pending", (0, 1), id="pending"),
        pytest.param(
            pod("a", container(state=waits("ImagePullBackOff")), phase="Pending"),
            "ImagePullBackOff", (0, 1), id="image"),
        pytest.param(
            pod("a", container(state=waits("CrashLoopBackOff")),
                container("log", state=RUNS, ready=True)),
            "CrashLoopBackOff", (1, 2), id="one of two"),
        pytest.param(
            pod("a", container(state={"terminated": ended(137, "OOMKilled")})),
            "OOMKilled", (0, 1), id="memory"),
        pytest.param(
            pod("a", container(state={"terminated": {"exitCode": 2}})), "ExitCode:2", (0, 1),
            id="code"),
        pytest.param(
            pod("a", container(state={"terminated": {"exitCode": 137, "signal": 9}})),
            "Signal:9", (0, 1), id="signal"),
        pytest.param(
            pod("a", container(state=waits("PodInitializing")), phase="Pending",
                initial=[container("one", state=DONE), container("two", state=RUNS)]),
            "Init:1/2", (0, 1), id="init"),
        pytest.param(
            pod("a", container(state=waits("PodInitializing")), phase="Pending",
                initial=[container("one", state=waits("ImagePullBackOff"))]),
            "Init:ImagePullBackOff", (0, 1), id="init image"),
        pytest.param(
            pod("a", container(state=waits("PodInitializing")), phase="Pending",
                initial=[container("one", state={"terminated": ended(1)})]),
            "Init:Error", (0, 1), id="init error"),
        pytest.param(
            pod("a", container(state=RUNS, ready=True), sidecars=["mesh"],
                initial=[container("mesh", state=RUNS, ready=True, started=True)]),
            "Running", (2, 2), id="sidecar"),
        pytest.param(
            pod("a", container(state=DONE), container("log", state=RUNS, ready=True)),
            "NotReady", (1, 2), id="half through"),
        pytest.param(
            pod("a", container(state=RUNS), deletionTimestamp="2026-03-01T00:00:00Z"),
            "Terminating", (0, 1), id="goes"),
        pytest.param(
            pod("a", phase="Failed", status={"reason": "Evicted"}), "Evicted", (0, 1),
            id="evicted"),
        pytest.param(
            pod("a", phase="Pending",
                conditions=[condition("PodScheduled", "False", "SchedulingGated")]),
            "SchedulingGated", (0, 1), id="gated"),
        pytest.param({}, "Unknown", (0, 0), id="nothing"),
    ],
)  # fmt: skip
def test_a_pod_has_the_word_that_people_know(
    found: dict[str, Any], status: str, ready: tuple[int, int]
) -> None:
    """The word and the numbers are those of kubectl's own table."""
    assert (pod_status(found), readiness(found)) == (status, ready)
