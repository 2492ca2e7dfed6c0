"""Signs of a rollout that goes wrong: which there are, about whom, and how long each may last."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.steps.kubernetes.rollout.rules.family import Family
from calamari_py.steps.kubernetes.rollout.rules.judge import judge
from calamari_py.steps.kubernetes.rollout.rules.signs import (
    Sign,
    settle_doubt,
    signs_of,
    signs_of_pod,
)
from tests.steps.kubernetes.rollout.bodies import (
    RUNS,
    condition,
    container,
    daemon_set,
    deployment,
    ended,
    event,
    job,
    pod,
    replica_set,
    stateful_set,
    waits,
)

CRASHED = ended(1, "Error", message="panic: no database")


@pytest.mark.parametrize(
    ("found", "trouble", "reason", "message"),
    [
        pytest.param(pod("a", container(state=waits("ErrImagePull", "not found"))),
                     "image", "ErrImagePull", "not found", id="image"),
        pytest.param(pod("a", container(state=waits("ImagePullBackOff", "Back-off pulling"))),
                     "image", "ImagePullBackOff", "Back-off", id="image back-off"),
        pytest.param(pod("a", container(state=waits("InvalidImageName"))), "image",
                     "InvalidImageName", "", id="image name"),
        pytest.param(
            pod("a", container(state=waits("CrashLoopBackOff"), restarts=3, last=CRASHED)),
            "crash", "CrashLoopBackOff",
            "container 'app' ended with code 1 (panic: no database), 3 restarts", id="crash loop"),
        pytest.param(pod("a", container(state={"terminated": ended(2)})), "crash",
                     "CrashLoopBackOff", "ended with code 2", id="just crashed"),
        pytest.param(
            pod("a", container(state=waits("CrashLoopBackOff"), restarts=1,
                               last=ended(137, "OOMKilled")),
                spec={"containers": [{"name": "app", "image": "x", "resources": {
                    "limits": {"memory": "64Mi"}}}]}),
            "crash", "OOMKilled", "more memory than its limit (64Mi)", id="memory"),
        pytest.param(
            pod("a", container(state=waits("CreateContainerConfigError",
                                           'secret "db" not found'))),
            "config", "CreateContainerConfigError", 'secret "db"', id="config"),
        pytest.param(pod("a", container(state=waits("CreateContainerError"))), "config",
                     "CreateContainerError", "", id="create"),
        pytest.param(pod("a", container(state=waits("RunContainerError"))), "config",
                     "RunContainerError", "", id="run"),
        pytest.param(
            pod("a", container(state=waits("PodInitializing")),
                initial=[container("init", state=waits("CrashLoopBackOff"), last=CRASHED)]),
            "crash", "CrashLoopBackOff", "init container 'init' ended", id="init crash"),
        pytest.param(
            pod("a", container(state=waits("PodInitializing")),
                initial=[container("init", state={"terminated": ended(1)})]),
            "crash", "CrashLoopBackOff", "init container", id="init failed"),
        pytest.param(
            pod("a", container(state=waits("PodInitializing")),
                initial=[container("init", state=waits("ImagePullBackOff"))]),
            "image", "ImagePullBackOff", "", id="init image"),
        pytest.param(
            pod("a", phase="Pending", conditions=[
                condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available")]),
            "unschedulable", "Unschedulable", "0/3 nodes", id="unschedulable"),
    ],
)  # fmt: skip
def test_a_pod_shows_what_is_wrong(
    found: dict[str, Any], trouble: str, reason: str, message: str
) -> None:
    """Each way in which a pod cannot start is a sign, with Kubernetes' own words."""
    (sign,) = [one for one in signs_of_pod(found) if not one.doubt]
    assert (sign.trouble, sign.reason) == (trouble, reason)
    assert message in sign.message
    assert sign.is_now


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(pod("a", container(state=RUNS, ready=True)), id="well"),
        pytest.param(pod("a", container(state=RUNS)), id="not ready yet"),
        pytest.param(pod("a", container(state=RUNS, ready=True, restarts=7, last=CRASHED)),
                     id="well again"),
        pytest.param(pod("a", phase="Pending"), id="not started"),
        pytest.param(
            pod("a", container(state={"terminated": ended(0, "Completed")}), phase="Succeeded"),
            id="through"),
        pytest.param(
            pod("a", container(state=RUNS), initial=[
                container("i", state={"terminated": ended(0)}, last=CRASHED, restarts=1)]),
            id="init went well at last"),
        pytest.param(
            pod("a", phase="Pending", conditions=[
                condition("PodScheduled", "False", "SchedulingGated")]),
            id="gated"),
    ],
)  # fmt: skip
def test_what_is_no_sign(found: dict[str, Any]) -> None:
    """A pod that only needs time shows nothing."""
    assert [*signs_of_pod(found)] == []


def test_a_container_that_runs_again_is_what_is_left_of_a_sign() -> None:
    """It may be well this time: that is no reason to fail, nor to count anew."""
    (sign,) = signs_of_pod(pod("a", container(state=RUNS, restarts=1, last=CRASHED)))
    assert not sign.is_now
    (before,) = signs_of_pod(pod("a", container(state=waits("CrashLoopBackOff"), last=CRASHED)))
    assert before.key == sign.key


def test_pulling_and_waiting_to_pull_are_one_sign() -> None:
    """They take turns: neither lasts, their trouble does."""
    keys = {
        sign.key
        for reason in ("ErrImagePull", "ImagePullBackOff")
        for sign in signs_of_pod(pod("a", container(state=waits(reason))))
    }
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("trouble", "fail_after", "seconds"),
    [
        ("image", 30, 30),
        ("crash", 5, 5),
        ("unschedulable", 30, 300),
        ("unschedulable", 600, 600),
        ("volume", 30, 300),
    ],
)
def test_each_sign_may_last(trouble: Any, fail_after: float, seconds: float) -> None:
    """A node or a volume takes minutes, whatever the manifest says of the others."""
    assert Sign(trouble=trouble, reason="", message="").grace(fail_after) == seconds


BROKEN = container(state=waits("ImagePullBackOff"))


def test_old_pods_of_a_deployment_do_not_count() -> None:
    """Only what the newest ReplicaSet made says something about the change."""
    web = deployment(updated=1, available=0)
    new, old = replica_set(web), replica_set(web, "web-old", revision=1)
    broken = pod("web-old-1", BROKEN, owner=old)
    assert signs_of(web, Family([web, old, new, broken])) == []
    (sign,) = signs_of(web, Family([web, old, new, pod("web-new-1", BROKEN, owner=new)]))
    assert sign.place == "pod/web-new-1 (app)"


def test_before_there_is_a_new_replica_set_nothing_counts() -> None:
    """The old ones are those of another template."""
    web = deployment(updated=0, available=0)
    old = replica_set(web, "web-old", revision=1)
    assert signs_of(web, Family([web, old, pod("web-old-1", BROKEN, owner=old)])) == []


@pytest.mark.parametrize(
    ("owner", "label", "old", "new"),
    [
        pytest.param(
            stateful_set(parallel=True, replicas=3, updateRevision="web-b",
                         currentRevision="web-a"),
            "controller-revision-hash", "web-a", "web-b", id="StatefulSet"),
        pytest.param(
            {**daemon_set(desiredNumberScheduled=1), "metadata": {
                "name": "web", "uid": "u", "annotations": {
                    "deprecated.daemonset.template.generation": "3"}}},
            "pod-template-generation", "2", "3", id="DaemonSet"),
    ],
)  # fmt: skip
def test_old_pods_of_other_controllers_do_not_count(
    owner: dict[str, Any], label: str, old: str, new: str
) -> None:
    """The controller labels its pods with what they were made from."""

    def signs(value: str) -> list[Sign]:
        one = pod("web-0", BROKEN, owner=owner, labels={label: value})
        return [sign for sign in signs_of(owner, Family([owner, one])) if not sign.doubt]

    assert signs(old) == []
    assert len(signs(new)) == 1


@pytest.mark.parametrize(
    ("parallel", "new_is_ready", "count"),
    [
        pytest.param(False, True, 1, id="in the way"),
        pytest.param(False, False, 0, id="a new one is in the way"),
        pytest.param(True, True, 0, id="Parallel waits for none"),
    ],
)
def test_an_old_pod_counts_where_it_blocks_the_new_ones(
    parallel: bool, new_is_ready: bool, count: int
) -> None:
    """A StatefulSet renews none while an old one is not ready."""
    web = stateful_set(parallel=parallel, currentRevision="a", updateRevision="b")
    well = container(state=RUNS, ready=new_is_ready)
    new = pod("web-2", well, owner=web, labels={"controller-revision-hash": "b"})
    old = pod("web-1", BROKEN, owner=web, labels={"controller-revision-hash": "a"})
    signs = [sign for sign in signs_of(web, Family([web, new, old])) if not sign.doubt]
    assert [(sign.place, sign.is_old) for sign in signs] == [("pod/web-1 (app)", True)] * count


def test_a_pod_that_goes_does_not_count() -> None:
    """It is on its way out, whatever it looks like."""
    web = stateful_set(wanted=1, replicas=1)
    gone = pod("web-0", BROKEN, owner=web, deletionTimestamp="2026-03-01T00:00:00Z")
    assert [sign for sign in signs_of(web, Family([web, gone])) if not sign.doubt] == []


def test_a_job_counts_its_own_crashes() -> None:
    """How often a pod may fail is its backoffLimit; what never starts is a sign all the same."""
    one = job(active=1)
    crash = pod("m-1", container(state=waits("CrashLoopBackOff"), last=CRASHED), owner=one)
    assert signs_of(one, Family([one, crash])) == []
    assert len(signs_of(one, Family([one, pod("m-2", BROKEN, owner=one)]))) == 1


def test_evicted_pods_count_where_nothing_took_their_place() -> None:
    """A controller makes new ones; the old ones stay to be looked at."""
    web = daemon_set(desiredNumberScheduled=1)
    evicted = pod("web-1", phase="Failed", owner=web, status={"reason": "Evicted"})
    (sign,) = [one for one in signs_of(web, Family([web, evicted])) if not one.doubt]
    assert (sign.trouble, sign.reason) == ("evicted", "Evicted")
    alive = pod("web-2", container(state=RUNS), owner=web)
    assert signs_of(web, Family([web, evicted, alive])) == []


@pytest.mark.parametrize("at_deployment", [True, False])
def test_pods_that_may_not_be_made_are_a_sign(at_deployment: bool) -> None:
    """A quota is told by a condition of the ReplicaSet, and of the Deployment a moment later."""
    quota = condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota: pods")
    web = deployment(updated=0, available=0, conditions=[quota] if at_deployment else [])
    new = replica_set(web, conditions=[quota])
    (sign,) = signs_of(web, Family([web, new]))
    assert (sign.trouble, sign.message, sign.place) == ("quota", "exceeded quota: pods", "")


def test_what_an_old_replica_set_may_not_make_is_no_sign() -> None:
    """The Deployment copies the condition of any of its own."""
    quota = condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota: pods")
    web = deployment(updated=3, available=2, conditions=[quota])
    new, old = replica_set(web), replica_set(web, "web-old", revision=1, conditions=[quota])
    assert signs_of(web, Family([web, new, old])) == []
    assert judge(web, Family([web, new, old])).reason == ""
    assert len(signs_of(web, Family([web]))) == 1


@pytest.mark.parametrize(
    "owner",
    [
        pytest.param(stateful_set(replicas=0), id="StatefulSet"),
        pytest.param(daemon_set(desiredNumberScheduled=2), id="DaemonSet"),
        pytest.param(job(), id="Job"),
    ],
)
def test_others_tell_it_by_events_alone(owner: dict[str, Any]) -> None:
    """Pods that are missing are a doubt, which the controller's own newest warning settles."""
    (doubt,) = signs_of(owner, Family([owner]))
    assert doubt.doubt
    old = event(owner, "FailedCreate", "long ago", when="2026-03-01T09:00:00Z")
    new = event(owner, "FailedCreate", "exceeded quota", when="2026-03-01T09:31:00Z")
    other = event(pod("x"), "FailedCreate", "of another", when="2026-03-01T09:32:00Z")
    sign = settle_doubt(doubt, owner, [old, new, other], since="2026-03-01T09:30:00Z")
    assert sign is not None
    assert (sign.message, sign.doubt, sign.key) == ("exceeded quota", False, doubt.key)
    assert settle_doubt(doubt, owner, [old, other], since="2026-03-01T09:30:00Z") is None


@pytest.mark.parametrize(
    ("message", "trouble"),
    [
        ('MountVolume.SetUp failed for volume "tls" : secret "web-tls" not found', "config"),
        ("Unable to attach or mount volumes: timed out", "volume"),
    ],
)
def test_a_pod_that_cannot_mount_is_told_by_events(message: str, trouble: str) -> None:
    """A missing Secret will not come by itself; a volume may only be late."""
    web = daemon_set(desiredNumberScheduled=1)
    stuck = pod("web-1", container(state=waits("ContainerCreating")), owner=web, phase="Pending")
    (doubt,) = signs_of(web, Family([web, stuck]))
    sign = settle_doubt(doubt, web, [event(stuck, "FailedMount", message)])
    assert sign is not None
    assert (sign.trouble, sign.place) == (trouble, "pod/web-1")


@pytest.mark.parametrize(
    ("failure", "then", "is_sign"),
    [
        ("FailedMount", "Pulling", False),
        ("FailedMount", "SuccessfulAttachVolume", True),
        ("FailedAttachVolume", "SuccessfulAttachVolume", False),
        ("FailedMount", "Scheduled", True),
    ],
)
def test_a_failure_that_it_went_on_after_is_none(failure: str, then: str, is_sign: bool) -> None:
    """An event stays for an hour; what came after it counts, in the same second, too."""
    stuck = pod("web-1", container(state=waits("ContainerCreating")), phase="Pending")
    (doubt,) = signs_of_pod(stuck)
    events = [event(stuck, then, "goes on", type_="Normal"), event(stuck, failure, "no volume")]
    assert (settle_doubt(doubt, stuck, events) is not None) is is_sign
    again = event(stuck, failure, "no volume", when="2026-03-01T09:31:01Z")
    assert settle_doubt(doubt, stuck, [*events, again]) is not None


def test_a_pod_that_is_ready_to_start_containers_has_its_volumes() -> None:
    """No event can say otherwise."""
    waiting = container(state=waits("ContainerCreating"))
    started = pod("web-1", waiting, conditions=[condition("PodReadyToStartContainers")])
    assert [*signs_of_pod(started)] == []


def test_what_was_wrong_before_may_last_longer() -> None:
    """Its cure may be among the changes, and a kubelet tries again within five minutes."""
    assert Sign(trouble="crash", reason="", message="", as_before=True).grace(30) == 300
