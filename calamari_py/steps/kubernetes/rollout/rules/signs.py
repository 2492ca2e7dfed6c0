"""Signs that a rollout will not come to a good end, long before Kubernetes gives it up.

A sign is no proof: an image may be pushed a moment later, a crash may have waited for a database.
It has to last (`Sign.grace`) before it fails a rollout.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from calamari_py.identity import count_text
from calamari_py.steps.kubernetes.rollout.rules.family import Family, is_going, pods_wanted
from calamari_py.steps.kubernetes.rollout.rules.fields import (
    Body,
    condition,
    flag,
    is_true,
    mapping,
    name_of,
    number,
    rows,
    said,
    text,
    uid_of,
    when,
)
from calamari_py.steps.kubernetes.rollout.rules.pod_status import container_states

Trouble = Literal[
    "image", "crash", "config", "unschedulable", "quota", "volume", "evicted", "absent", "verdict"
]

REASONS: dict[str, Trouble] = {
    "ErrImagePull": "image",
    "ImagePullBackOff": "image",
    "InvalidImageName": "image",
    "ErrImageNeverPull": "image",
    "ImageInspectError": "image",
    "RegistryUnavailable": "image",
    "SignatureValidationFailed": "image",
    "CrashLoopBackOff": "crash",
    "CreateContainerConfigError": "config",
    "CreateContainerError": "config",
    "RunContainerError": "config",
    "PreCreateHookError": "config",
    "PreStartHookError": "config",
    "PostStartHookError": "config",
}
"""What a container may wait for, and what trouble that is."""

LEAST_GRACE: dict[Trouble, float] = {"unschedulable": 300.0, "volume": 300.0}
"""Seconds that a sign of this trouble is given at least, whatever ``fail_after`` says: an
autoscaler needs minutes for a node, AWS for a volume that was attached elsewhere."""

AS_BEFORE = 300.0
"""Seconds for what was wrong before, since its cure may be among the things that were changed:
after a kubelet's longest back-off it has tried again."""

_MISSING_VOLUME = "MountVolume.SetUp failed"
_BEFORE_START = frozenset({"ContainerCreating", "PodInitializing"})
_STARTS = frozenset({"Pulling", "Pulled", "Created", "Started"})
_CURES = {
    "FailedCreate": frozenset({"SuccessfulCreate"}),
    "FailedMount": _STARTS,
    "FailedAttachVolume": _STARTS | {"SuccessfulAttachVolume"},
}
"""Events that settle a doubt, and after which of them it is none any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One thing that goes wrong. `pod` is where, None where there is not even a pod. One that is
    not `is_now` is the rest of another: a container that has crashed runs again, and nobody knows
    yet. `doubt` is one that only events can tell, and none until they do: it `asks_events`, as it
    does when they have. `is_old` is one of a pod that blocks those of a newer template,
    `as_before` one of an object that nobody has changed."""

    trouble: Trouble
    reason: str
    message: str
    pod: Body | None = field(default=None, repr=False)
    container: str = ""
    image: str = ""
    has_crashed: bool = False
    is_now: bool = True
    doubt: bool = False
    asks_events: bool = False
    is_old: bool = False
    as_before: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """What lasts: ErrImagePull and ImagePullBackOff take turns and are one."""
        return (uid_of(self.pod) if self.pod else "", self.container, self.trouble)

    @property
    def place(self) -> str:
        """``pod/web-1 (app)``, "" without a pod."""
        if self.pod is None:
            return ""
        return f"pod/{name_of(self.pod)}" + (f" ({self.container})" if self.container else "")

    def grace(self, fail_after: float) -> float:
        """Seconds it may last."""
        least = AS_BEFORE if self.as_before else 0.0
        return max(fail_after, least, LEAST_GRACE.get(self.trouble, 0.0))


def signs_of(body: Body, family: Family) -> list[Sign]:
    """All signs about an object that is not done, of its newest pods and of old ones that block
    them."""
    pods = [pod for pod in family.newest_pods(body) if not is_going(pod)]
    found = [*_refusals(body, family, pods)]
    is_job = body.get("kind") == "Job"
    for pod in pods:
        # How many crashes are too many says a job itself.
        found += [one for one in signs_of_pod(pod) if not (is_job and one.trouble == "crash")]
    alive = [pod for pod in pods if text(pod, "status", "phase") != "Failed"]
    if pods and not alive and not is_job and body.get("kind") != "Pod":
        found += [_ended(pod) for pod in pods]
    for pod in family.blocking_pods(body):
        if not is_going(pod):
            found += [replace(one, is_old=True) for one in signs_of_pod(pod)]
    return found


def signs_of_pod(pod: Body) -> Iterator[Sign]:
    """Those of one pod."""
    if text(pod, "status", "phase") in {"Failed", "Succeeded"}:
        return
    scheduled = condition(pod, "PodScheduled")
    if scheduled is not None and scheduled.get("reason") == "Unschedulable":
        yield Sign(
            trouble="unschedulable", reason="Unschedulable", message=said(scheduled), pod=pod
        )
    for is_init, state in container_states(pod):
        yield from _signs_of_container(pod, state, is_init=is_init)


def _signs_of_container(pod: Body, state: Body, *, is_init: bool) -> Iterator[Sign]:
    reason = text(state, "state", "waiting", "reason")
    waiting = mapping(state, "state", "waiting")
    name, image = text(state, "name"), _image(pod, state)
    trouble = REASONS.get(reason)
    if trouble is not None and trouble != "crash":
        yield Sign(
            trouble=trouble,
            reason=reason,
            message=said(waiting),
            pod=pod,
            container=name,
            image=image,
        )
    elif trouble == "crash" or _has_crashed(state, is_init=is_init):
        yield _crash(state, reason, is_init=is_init, pod=pod, container=name, image=image)
    elif reason in _BEFORE_START and not is_init and not is_true(pod, "PodReadyToStartContainers"):
        yield Sign(
            trouble="config", reason=reason, message="", doubt=True, asks_events=True, pod=pod
        )


def _has_crashed(state: Body, *, is_init: bool) -> bool:
    """Whether it has ended badly and is not well again."""
    if number(state, "state", "terminated", "exitCode"):
        return True
    if is_init and not mapping(state, "state", "running"):
        return False
    last = mapping(state, "lastState", "terminated")
    return bool(last) and number(last, "exitCode") != 0 and not flag(state, "ready")


def _crash(
    state: Body, reason: str, *, is_init: bool, pod: Body, container: str, image: str
) -> Sign:
    ended = mapping(state, "state", "terminated") or mapping(state, "lastState", "terminated")
    word = text(ended, "reason")
    which = "init container" if is_init else "container"
    how = f"{which} '{container}' ended with code {number(ended, 'exitCode')}"
    if word == "OOMKilled":
        how = f"{which} '{container}' was killed because it wanted more memory than its limit"
        if limit := _memory_limit(pod, container):
            how += f" ({limit})"
    elif said_last := " ".join(text(ended, "message").split()):
        how += f" ({said_last})"
    if times := number(state, "restartCount"):
        how += f", {count_text(times, 'restart')}"
    return Sign(
        trouble="crash",
        reason=word if word == "OOMKilled" else reason or "CrashLoopBackOff",
        message=how if ended else said(mapping(state, "state", "waiting"), how),
        pod=pod,
        container=container,
        image=image,
        has_crashed=True,
        is_now=not mapping(state, "state", "running"),
    )


def _ended(pod: Body) -> Sign:
    """A pod that is over and was not replaced."""
    reason = text(pod, "status", "reason") or "Failed"
    message = " ".join(text(pod, "status", "message").split()) or "the pod has failed"
    return Sign(trouble="evicted", reason=reason, message=message, pod=pod)


def _refusals(body: Body, family: Family, pods: list[Body]) -> Iterator[Sign]:
    """Pods that its controller may not make: quota, permissions, admission."""
    if failure := family.refusal(body):
        reason = text(failure, "reason") or "FailedCreate"
        yield Sign(trouble="quota", reason=reason, message=said(failure))
        return
    holds_pods = body.get("kind") in {"StatefulSet", "DaemonSet", "Job"}
    if holds_pods and len(pods) < pods_wanted(body):
        yield Sign(trouble="quota", reason="FailedCreate", message="", doubt=True, asks_events=True)


def settle_doubt(
    sign: Sign, owner: Body, events: Sequence[Body], *, since: str = ""
) -> Sign | None:
    """The sign that `sign` becomes by the `events` (the newest last): by the last failure, unless
    it went on since. None for none; those that came last before `since` do not count."""
    about = uid_of(sign.pod if sign.pod is not None else owner)
    wanted = {"FailedCreate"} if sign.pod is None else {"FailedMount", "FailedAttachVolume"}
    own = [one for one in events if text(one, "involvedObject", "uid") == about]
    own = [one for one in own if when(one) >= since]
    for event in reversed(own):
        reason = text(event, "reason")
        if reason not in wanted or _went_on(event, own, _CURES[reason]):
            continue
        message = said(event)
        trouble = sign.trouble
        if sign.pod is not None and not (_MISSING_VOLUME in message and "not found" in message):
            trouble = "volume"
        return Sign(
            trouble=trouble,
            reason=reason,
            message=message,
            pod=sign.pod,
            asks_events=True,
            is_old=sign.is_old,
        )
    return None


def _went_on(failure: Body, events: Sequence[Body], cures: Collection[str]) -> bool:
    """Whether one of `cures` came later; times are of whole seconds."""
    return any(text(event, "reason") in cures and when(event) >= when(failure) for event in events)


def _image(pod: Body, state: Body) -> str:
    """As the pod asks for it: what the status says is resolved."""
    name = text(state, "name")
    for each in rows(pod, "spec", "initContainers") + rows(pod, "spec", "containers"):
        if text(each, "name") == name:
            return text(each, "image")
    return text(state, "image")


def _memory_limit(pod: Body, container: str) -> str:
    for each in rows(pod, "spec", "initContainers") + rows(pod, "spec", "containers"):
        if text(each, "name") == container:
            return text(each, "resources", "limits", "memory")
    return ""
