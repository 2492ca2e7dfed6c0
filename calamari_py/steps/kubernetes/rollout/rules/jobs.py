"""Job and CronJob."""

from __future__ import annotations

from collections.abc import Sequence

from calamari_py.steps.kubernetes.rollout.rules.family import Family
from calamari_py.steps.kubernetes.rollout.rules.fields import (
    Body,
    condition,
    flag,
    is_true,
    mapping,
    number,
    said,
    text,
)
from calamari_py.steps.kubernetes.rollout.rules.judgement import (
    Judgement,
    failed,
    progressing,
    ready,
)

_FAILED = frozenset(
    {
        "BackoffLimitExceeded", "DeadlineExceeded", "PodFailurePolicy", "FailedIndexes",
        "MaxFailedIndexesExceeded",
    }
)  # fmt: skip


def job(body: Body, _: Family) -> Judgement:
    """It has completed. Failed is what Kubernetes calls so: how often a pod may fail is the job's
    own to say (backoffLimit)."""
    if is_true(body, "Complete"):
        return ready(_completed(body))
    for type_ in ("Failed", "FailureTarget"):
        found = condition(body, type_)
        if found is not None and found.get("status") == "True":
            reason = text(found, "reason") or "Failed"
            return failed(reason, said(found, "the job has failed"))
    if flag(body, "spec", "suspend"):
        return ready("suspended: it does not run", told="warning")
    counted = f"{_succeeded(body)} succeeded, {number(body, 'status', 'active')} active"
    if missed := number(body, "status", "failed"):
        counted += f", {missed} failed"
    return progressing(counted)


def removes_itself(body: Body) -> bool:
    """Whether it is a job that is gone some time after its end, which may be 0 s."""
    return body.get("kind") == "Job" and "ttlSecondsAfterFinished" in mapping(body, "spec")


def end_by_events(events: Sequence[Body]) -> Judgement | None:
    """How a job that is gone has ended, by what its controller said of it; None where it did not
    say so. The newest of the `events` is the last."""
    for event in reversed(events):
        reason = text(event, "reason")
        if reason == "Completed":
            return ready("completed, and is gone")
        if reason in _FAILED:
            return failed(reason, said(event))
    return None


def cron_job(body: Body, _: Family) -> Judgement:
    """It exists: when it runs is a matter of the clock."""
    if flag(body, "spec", "suspend"):
        return ready("suspended")
    return ready(f"runs at {text(body, 'spec', 'schedule')}")


def _completed(body: Body) -> str:
    return f"completed, {_succeeded(body)} succeeded"


def _succeeded(body: Body) -> str:
    done = number(body, "status", "succeeded")
    wanted = number(body, "spec", "completions", default=0)
    return f"{done} of {wanted}" if wanted else str(done)
