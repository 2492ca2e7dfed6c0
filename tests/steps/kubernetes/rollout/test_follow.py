"""Following a rollout: until it is done, has failed, or has taken too long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.process.base import StopReason
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.kubernetes.rollout.baseline import baseline_of
from calamari_py.steps.kubernetes.rollout.follow import RolloutFailed
from calamari_py.steps.kubernetes.values import ObjectRef, ref_of
from tests.steps.kubernetes.fakes import Answer
from tests.steps.kubernetes.rollout.bodies import (
    RUNS,
    body,
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
from tests.steps.kubernetes.rollout.room import REFUSED, Cluster

CONFIG = ObjectRef(kind="ConfigMap", name="web", namespace="app")
CRASHED = ended(1)


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def on_its_way(**more: Any) -> dict[str, Any]:
    return deployment(updated=1, available=0, total=4, **more)


def broken(cluster: Cluster, *states: dict[str, Any], name: str = "web-new-1") -> ObjectRef:
    """A Deployment of whose newest pods one has the containers `states`."""
    web = on_its_way()
    new = replica_set(web)
    return cluster.has(web, new, pod(name, *states, owner=new, image="nginx:nope"))


def test_what_has_no_state_is_not_waited_for(cluster: Cluster) -> None:
    """Nobody is asked where there is nothing that could be on its way."""
    cluster.rollout(CONFIG).wait_until_ready()
    assert cluster.tool.calls == []
    assert cluster.clock.slept == []


def test_an_unchanged_set_is_done_with_the_first_look(cluster: Cluster) -> None:
    """What is ready and was not changed needs no proof."""
    web = cluster.has(deployment())
    cluster.rollout(web, anything_changed=False).wait_until_ready()
    assert cluster.clock.slept == []
    assert len(cluster.tool.calls) == 1
    assert cluster.lines == ["deployment/web is ready after 0s"]


def test_a_changed_set_stays_ready_for_a_while(cluster: Cluster) -> None:
    """A pod that dies a moment after it was ready was never well."""
    web = cluster.has(deployment())
    cluster.rollout(web, stable_for=10).wait_until_ready()
    assert 10 <= cluster.clock.monotonic() < 11


def test_a_set_that_does_not_stay_ready_begins_anew(cluster: Cluster) -> None:
    """The time of proof counts from the last time it became ready."""
    web = cluster.has(deployment())
    cluster.at(6, lambda: cluster.has(deployment(available=2)))
    cluster.at(20, lambda: cluster.has(deployment()))
    cluster.rollout(web, stable_for=10).wait_until_ready()
    assert cluster.clock.monotonic() >= 30


def test_what_had_to_be_waited_for_is_proved_though_nothing_was_changed(cluster: Cluster) -> None:
    """It was on its way when it was looked at."""
    web = cluster.has(on_its_way())
    cluster.at(3, lambda: cluster.has(deployment()))
    cluster.rollout(web, stable_for=10, anything_changed=False).wait_until_ready()
    assert cluster.clock.monotonic() >= 13


def test_one_process_looks_at_a_namespace(cluster: Cluster) -> None:
    """However many objects there are, and with all that belongs to them."""
    refs = [
        cluster.has(deployment()),
        cluster.has(deployment(name="api")),
        cluster.has(stateful_set(readyReplicas=3)),
        cluster.has(body("Service", spec={"type": "ClusterIP"})),
        cluster.has(deployment(name="far") | {"metadata": {
            "name": "far", "namespace": "other", "uid": "u", "generation": 2}}),
    ]  # fmt: skip
    cluster.rollout(*refs, CONFIG, anything_changed=False).wait_until_ready()
    types = "Deployment.v1.apps,StatefulSet.v1.apps,Service.v1.,ReplicaSet.v1.apps,Pod.v1."
    assert cluster.lists == [
        f"{types} --namespace app",
        "Deployment.v1.apps,ReplicaSet.v1.apps,Pod.v1. --namespace other",
    ]


def test_what_is_of_the_whole_cluster_is_asked_for_by_name(cluster: Cluster) -> None:
    """Nobody wants the definitions of all others with every look."""
    names = [condition("NamesAccepted"), condition("Established")]
    crd = cluster.has(body("CustomResourceDefinition", "webs.acme.example", conditions=names))
    cluster.rollout(crd, anything_changed=False).wait_until_ready()
    assert cluster.lists == []
    assert len(cluster.tool.called("kubectl get -f")) == 1


def test_the_pauses_grow(cluster: Cluster) -> None:
    """A long rollout is looked at less often, never less than every five seconds."""
    web = cluster.has(on_its_way())
    cluster.fail(web, timeout=60)
    pauses = cluster.clock.slept[:-1]
    assert pauses[0] == 2.0
    assert pauses == sorted(pauses)
    assert pauses[-1] == 5.0


def test_the_deadline_counts_everything(cluster: Cluster) -> None:
    """The error comes when the time is over, names what is missing, and keeps the numbers."""
    web = cluster.has(on_its_way())
    error = cluster.fail(web, cluster.has(stateful_set(readyReplicas=3)), timeout=90)
    assert isinstance(error, RolloutFailed)
    assert cluster.clock.monotonic() == 90
    assert str(error) == (
        "the rollout of 'deployment/web' is not done after 90s (wait.timeout): 1 of 3 updated, "
        "0 available"
    )
    assert error.evidence == ("deployment/web\t1 of 3 updated, 0 available",)
    assert error.standing.counted == "1 of 2 ready"
    assert error.hint


def test_ready_too_late_to_be_proved(cluster: Cluster) -> None:
    """The time of proof is no more time."""
    web = cluster.has(on_its_way())
    cluster.at(28, lambda: cluster.has(deployment()))
    error = cluster.fail(web, timeout=30, stable_for=10)
    assert str(error) == "the rollout was ready, but not for 10s within 30s"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (waits("ImagePullBackOff", "Back-off pulling image"), "ImagePullBackOff"),
        (waits("CrashLoopBackOff"), "CrashLoopBackOff"),
        (waits("CreateContainerConfigError", 'secret "db" not found'),
         "CreateContainerConfigError"),
    ],
)  # fmt: skip
def test_a_sign_that_lasts_fails_early(cluster: Cluster, state: Any, reason: str) -> None:
    """Half a minute, not the ten of Kubernetes' own deadline."""
    web = broken(cluster, container(state=state, last=CRASHED))
    error = cluster.fail(web)
    assert 30 <= cluster.clock.monotonic() < 36
    assert f"{reason} in pod/web-new-1 (app)" in str(error)


def test_a_sign_that_passes_fails_nothing(cluster: Cluster) -> None:
    """The image was pushed a moment later."""
    web = broken(cluster, container(state=waits("ErrImagePull")))
    cluster.at(20, lambda: cluster.has(pod("web-new-1", container(state=RUNS))))
    cluster.at(50, lambda: cluster.has(deployment()))
    cluster.rollout(web).wait_until_ready()
    assert cluster.clock.monotonic() >= 55


def test_a_container_that_crashes_again_and_again_fails(cluster: Cluster) -> None:
    """Between two crashes it runs: that does not start its time anew, and is no moment to fail."""
    web = broken(cluster, container(state=waits("CrashLoopBackOff"), last=CRASHED))
    new = cluster.objects[ObjectRef(group="apps", kind="ReplicaSet", name="web-new",
                                    namespace="app")]  # fmt: skip

    def state(found: dict[str, Any]) -> Callable[[], object]:
        one = container(state=found, last=CRASHED, restarts=2)
        return lambda: cluster.has(pod("web-new-1", one, owner=new))

    cluster.at(10, state(RUNS))
    cluster.at(40, state(waits("CrashLoopBackOff")))
    cluster.fail(web)
    assert 40 <= cluster.clock.monotonic() < 46


def test_a_container_that_has_crashed_once_and_runs_has_time(cluster: Cluster) -> None:
    """Its database was late; now it starts slowly."""
    web = broken(cluster, container(state=waits("CrashLoopBackOff"), last=CRASHED))
    new = replica_set(on_its_way())
    slow = pod("web-new-1", container(state=RUNS, last=CRASHED, restarts=1), owner=new)
    cluster.at(10, lambda: cluster.has(slow))
    cluster.at(120, lambda: cluster.has(deployment()))
    cluster.rollout(web).wait_until_ready()


def test_what_is_left_of_a_sign_begins_no_time(cluster: Cluster) -> None:
    """A crash from before the first look is counted from when it comes again."""
    again = container(state=RUNS, last=CRASHED, restarts=1)
    web = broken(cluster, again)
    crash = container(state=waits("CrashLoopBackOff"), last=CRASHED, restarts=2)
    new = replica_set(on_its_way())
    cluster.at(25, lambda: cluster.has(pod("web-new-1", crash, owner=new)))
    cluster.fail(web)
    assert 55 <= cluster.clock.monotonic() < 66


def test_before_the_controller_has_seen_a_change_no_pod_counts(cluster: Cluster) -> None:
    """What looks like the newest pods are those of the template before."""
    web = broken(cluster, container(state=waits("ImagePullBackOff")))
    cluster.has(deployment(observed=1))
    cluster.at(60, lambda: cluster.has(deployment()))
    cluster.rollout(web).wait_until_ready()


def test_no_node_is_waited_for_longer(cluster: Cluster) -> None:
    """An autoscaler makes one."""
    web = broken(cluster)
    unscheduled = condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available")
    new = replica_set(on_its_way())
    cluster.has(pod("web-new-1", owner=new, phase="Pending", conditions=[unscheduled]))
    error = cluster.fail(web)
    assert 300 <= cluster.clock.monotonic() < 306
    assert "0/3 nodes are available" in str(error)


def test_a_verdict_of_kubernetes_fails_at_once(cluster: Cluster) -> None:
    """It has waited long enough itself."""
    late = condition("Progressing", "False", "ProgressDeadlineExceeded", "timed out progressing")
    error = cluster.fail(cluster.has(on_its_way(conditions=[late])))
    assert cluster.clock.slept == []
    assert "ProgressDeadlineExceeded" in str(error)


def test_a_quota_that_only_events_tell(cluster: Cluster) -> None:
    """A StatefulSet without pods is asked about; its events come with the same list."""
    owner = stateful_set(replicas=0)
    refused = event(owner, "FailedCreate", "pods web-0 is forbidden: exceeded quota")
    web = cluster.has(owner, refused)
    error = cluster.fail(web)
    assert "exceeded quota" in str(error)
    assert 30 <= cluster.clock.monotonic() < 36
    assert not any("Event" in types for types in cluster.lists[:4])


def test_a_slow_controller_is_no_failure(cluster: Cluster) -> None:
    """Pods that are missing without a word of why are waited for."""
    web = cluster.has(daemon_set(desiredNumberScheduled=1))
    done = daemon_set(desiredNumberScheduled=1, updatedNumberScheduled=1, numberAvailable=1)
    cluster.at(100, lambda: cluster.has(done))
    cluster.rollout(web).wait_until_ready()


def test_the_generation_of_before_is_no_reason_to_fail(cluster: Cluster) -> None:
    """What was broken before a change to others, and was not changed itself, has failed nothing;
    the moment its own change is there, it counts."""
    web = broken(cluster, container(state=waits("ImagePullBackOff")))
    baseline = baseline_of(cluster.kubectl.get_objects([web, CONFIG], doing="look"))
    cluster.at(100, lambda: cluster.has(on_its_way(generation=3)))
    error = cluster.fail(web, baseline=baseline)
    assert "ImagePullBackOff" in str(error)
    assert 130 <= cluster.clock.monotonic() < 140


def test_where_nothing_was_changed_the_baseline_excuses_nothing(cluster: Cluster) -> None:
    """Somebody who deploys the same again wants to know."""
    web = broken(cluster, container(state=waits("ImagePullBackOff")))
    baseline = baseline_of(cluster.kubectl.get_objects([web], doing="look"))
    cluster.fail(web, baseline=baseline, anything_changed=False)
    assert cluster.clock.monotonic() < 36


def test_an_object_that_vanishes_has_failed(cluster: Cluster) -> None:
    """Somebody else has deleted it: nobody waits for it any more."""
    web = cluster.has(on_its_way())
    cluster.at(9, lambda: cluster.loses(web))
    error = cluster.fail(web)
    assert "NotFound: it was deleted meanwhile" in str(error)
    assert cluster.clock.monotonic() < 15


def test_an_object_that_never_was_there_has_failed_after_a_while(cluster: Cluster) -> None:
    """A cache may be late, not for long."""
    error = cluster.fail(ref_of(deployment()))
    assert "NotFound: it is not there" in str(error)
    assert 30 <= cluster.clock.monotonic() < 36


def test_a_job_that_removes_itself_was_done(cluster: Cluster) -> None:
    """ttlSecondsAfterFinished may be 0."""
    one = job(condition("Complete"), spec={"ttlSecondsAfterFinished": 0})
    ref = cluster.has(one)
    cluster.at(3, lambda: cluster.loses(ref))
    cluster.rollout(ref).wait_until_ready()


TTL: dict[str, Any] = {"ttlSecondsAfterFinished": 0}


def loses_job(cluster: Cluster, *events: tuple[str, str]) -> ObjectRef:
    """A job that runs, and at 12 s is gone with these events left."""
    one = job(spec=TTL, active=1)
    ref = cluster.has(one)
    cluster.at(12, lambda: cluster.loses(ref))
    for reason, type_ in events:
        left = event(one, reason, "Job has ended", type_=type_)
        cluster.at(12, partial(cluster.has, left))
    return ref


def test_a_job_that_removed_itself_has_its_end_in_its_events(cluster: Cluster) -> None:
    """It was done and gone between two looks."""
    cluster.rollout(loses_job(cluster, ("Completed", "Normal"))).wait_until_ready()
    assert cluster.report.said("warning") == []
    assert cluster.clock.monotonic() < 30


def test_a_job_that_removed_itself_may_have_failed(cluster: Cluster) -> None:
    """That it is gone is no success."""
    error = cluster.fail(loses_job(cluster, ("BackoffLimitExceeded", "Warning")))
    assert "BackoffLimitExceeded: Job has ended" in str(error)


def test_a_job_that_removed_itself_without_a_word_is_told(cluster: Cluster) -> None:
    """Nobody knows: neither a failure nor called ready."""
    cluster.rollout(loses_job(cluster)).wait_until_ready()
    told = "job/migrate: it has removed itself; its end was not seen"
    assert cluster.report.said("warning") == [told]
    assert cluster.lines[-1].startswith("job/migrate is as far as it comes after ")


def test_a_job_that_is_gone_before_the_first_look(cluster: Cluster) -> None:
    """Who applied it knows that it removes itself; its events are found by name."""
    one = job(spec=TTL)
    done = event(one, "Completed", "Job completed", type_="Normal", when="2099-03-01T00:00:00Z")
    cluster.has(done)
    cluster.rollout(ref_of(one), fleeting=[ref_of(one)]).wait_until_ready()
    assert cluster.report.said("warning") == []
    cluster.has({**done, "reason": "BackoffLimitExceeded"})
    assert "BackoffLimitExceeded" in str(cluster.fail(ref_of(one), fleeting=[ref_of(one)]))


def test_a_job_that_was_gone_and_left_no_word(cluster: Cluster) -> None:
    """Where nobody knows that it removes itself it is missing, else its end is unknown."""
    ref = ref_of(job(spec=TTL))
    assert "NotFound: it is not there" in str(cluster.fail(ref))
    cluster.rollout(ref, fleeting=[ref]).wait_until_ready()
    assert cluster.report.said("warning") == [
        "job/migrate: it has removed itself; its end was not seen"
    ]


def test_events_that_are_over_fail_nothing(cluster: Cluster) -> None:
    """A Secret that came three seconds late is mounted; the image is large."""
    web = on_its_way()
    new = replica_set(web)
    stuck = pod("web-new-1", container(state=waits("ContainerCreating")), owner=new)
    late = 'MountVolume.SetUp failed for volume "tls" : secret "tls" not found'
    ref = cluster.has(web, new, stuck, event(stuck, "FailedMount", late))
    pulls = event(stuck, "Pulling", "Pulling image", type_="Normal", when="2026-03-01T09:31:03Z")
    cluster.at(3, lambda: cluster.has(pulls))
    cluster.at(90, lambda: cluster.has(deployment()))
    cluster.rollout(ref).wait_until_ready()


def test_a_volume_that_is_never_attached_fails(cluster: Cluster) -> None:
    """Once the events have told it they are asked on, or nothing would last."""
    web = on_its_way()
    new = replica_set(web)
    stuck = pod("web-new-1", container(state=waits("ContainerCreating")), owner=new)
    never = event(stuck, "FailedAttachVolume", "Multi-Attach error for volume")
    error = cluster.fail(cluster.has(web, new, stuck, never))
    assert "Multi-Attach error" in str(error)
    assert 300 <= cluster.clock.monotonic() < 330


def test_a_crash_long_after_another_has_its_own_time(cluster: Cluster) -> None:
    """What ran for longer than a sign may last is forgotten."""
    web = broken(cluster, container(state={"terminated": CRASHED}))
    new = replica_set(on_its_way())
    runs = pod("web-new-1", container(state=RUNS, restarts=1, last=CRASHED), owner=new)
    again = container(state={"terminated": CRASHED}, restarts=1, last=CRASHED)
    cluster.at(6, lambda: cluster.has(runs))
    cluster.at(200, lambda: cluster.has(pod("web-new-1", again, owner=new)))
    cluster.at(210, lambda: cluster.has(deployment()))
    cluster.rollout(web).wait_until_ready()


def test_the_namespace_of_the_context_is_no_other(cluster: Cluster) -> None:
    """Objects that name it and objects that do not are listed together, and their pods once."""
    web = cluster.has(deployment())
    api = replace(cluster.has(deployment(name="api")), namespace="")
    cluster.rollout(web, api, anything_changed=False).wait_until_ready()
    assert len(cluster.lists) == 1
    assert cluster.lines == ["all 2 objects are ready after 0s"]


def test_what_had_failed_before_fails_once_it_is_all_that_is_left(cluster: Cluster) -> None:
    """Not after the whole timeout, and not while others are on their way."""
    one = job(condition("Failed", reason="BackoffLimitExceeded", message="limit"), generation=1)
    ref = cluster.has(one)
    baseline = baseline_of({ref: one})
    web = cluster.has(on_its_way())
    cluster.at(60, lambda: cluster.has(deployment()))
    error = cluster.fail(ref, web, baseline=baseline)
    assert "'job/migrate' failed: BackoffLimitExceeded: limit" in str(error)
    assert 60 <= cluster.clock.monotonic() < 66


def test_what_was_broken_before_fails_with_its_sign(cluster: Cluster) -> None:
    """After the longest back-off: what was changed might have cured it."""
    web = broken(cluster, container(state=waits("ImagePullBackOff")))
    baseline = baseline_of({web: cluster.objects[web]})
    error = cluster.fail(web, baseline=baseline)
    assert "ImagePullBackOff in pod/web-new-1 (app)" in str(error)
    assert 300 <= cluster.clock.monotonic() < 306


def test_while_something_changes_it_what_was_broken_before_is_not_told(cluster: Cluster) -> None:
    """helm may be about to repair it: no look says that it will fail."""
    web = broken(cluster, container(state=waits("ImagePullBackOff")))
    rollout = cluster.rollout(web, baseline=baseline_of({web: cluster.objects[web]}))
    for _ in range(200):
        rollout.look()
        cluster.clock.sleep(2)
    assert not any("fails in" in line for line in cluster.lines)


@pytest.mark.parametrize("seconds", [20, 100])
def test_a_verdict_of_before_is_given_time(cluster: Cluster, seconds: float) -> None:
    """The Deployment was given up before it was changed: the condition is still the old one."""
    stamp = "2026-03-01T09:00:00Z"
    late = condition("Progressing", "False", "ProgressDeadlineExceeded", "late", updated=stamp)
    before = on_its_way(conditions=[late])
    web = cluster.has(on_its_way(conditions=[late], generation=3))
    cluster.at(seconds, lambda: cluster.has(deployment(generation=3)))
    rollout = cluster.rollout(web, baseline=baseline_of({web: before}))
    if seconds < 30:
        rollout.wait_until_ready()
        return
    with pytest.raises(RolloutFailed, match="ProgressDeadlineExceeded"):
        rollout.wait_until_ready()
    assert 30 <= cluster.clock.monotonic() < 36


def test_a_new_verdict_is_one_whatever_was_before(cluster: Cluster) -> None:
    """It was given since."""
    stamps = "2026-03-01T09:00:00Z", "2026-03-01T09:29:30Z"
    before, now = (
        on_its_way(generation=generation, conditions=[
            condition("Progressing", "False", "ProgressDeadlineExceeded", updated=stamp)])
        for generation, stamp in enumerate(stamps, 2)
    )  # fmt: skip
    web = cluster.has(now)
    cluster.fail(web, baseline=baseline_of({web: before}))
    assert cluster.clock.slept == []


def test_an_object_that_somebody_else_makes_anew_has_failed(cluster: Cluster) -> None:
    """What gets ready is not what was applied."""
    web = cluster.has(on_its_way())
    other = deployment()
    other["metadata"]["uid"] = "another"
    cluster.at(6, lambda: cluster.has(other))
    error = cluster.fail(web)
    assert "Replaced: it was deleted and made anew" in str(error)
    assert error.hint == "see who else deploys it, then run the step again"


def test_a_template_that_somebody_else_changes_is_told(cluster: Cluster) -> None:
    """The same object with another image."""
    web = cluster.has(on_its_way())
    other = deployment(generation=3)
    other["spec"]["template"] = {"spec": {"containers": [{"name": "app", "image": "other:1"}]}}
    cluster.at(6, lambda: cluster.has(other))
    cluster.rollout(web).wait_until_ready()
    (warning,) = cluster.report.said("warning")
    assert warning.endswith("somebody else has changed its template meanwhile")


def test_storage_classes_that_may_not_be_listed(cluster: Cluster) -> None:
    """A claim without a pod is as far as it comes; whether it is one is said not to be known."""
    waiting = body(
        "PersistentVolumeClaim", spec={"storageClassName": "gp3"}, status={"phase": "Pending"}
    )
    claim = cluster.has(waiting)
    cluster.forbidden = {"storageclasses"}
    cluster.rollout(claim, stable_for=0).wait_until_ready()
    assert "storage classes may not be listed" in cluster.lines[0]
    cluster.has(event(waiting, "WaitForFirstConsumer", "waiting", type_="Normal"))
    cluster.rollout(claim).wait_until_ready()
    assert cluster.lines[2:] == ["persistentvolumeclaim/web is ready after 5s"]


def test_while_something_changes_it_nothing_is_missing(cluster: Cluster) -> None:
    """helm makes what is not there yet, and may make anew what was there."""
    rollout = cluster.rollout(ref_of(deployment()))
    for _ in range(40):
        standing = rollout.look()
        cluster.clock.sleep(2)
    assert [row.judgement.message for row in standing.waiting] == ["not there yet"]


def test_an_api_server_that_is_away_is_waited_for(cluster: Cluster) -> None:
    """A control plane may be renewed during a rollout; it is said once."""
    web = cluster.has(on_its_way())
    cluster.at(5, lambda: setattr(cluster, "down", REFUSED))
    cluster.at(40, lambda: setattr(cluster, "down", b""))
    cluster.at(50, lambda: cluster.has(deployment()))
    cluster.rollout(web).wait_until_ready()
    (warning,) = cluster.report.said("warning")
    assert warning.startswith("no answer for now: could not see how the rollout goes:")
    assert any("answers again" in line for line in cluster.lines)


@pytest.mark.parametrize(
    "down",
    [
        pytest.param(REFUSED, id="refused"),
        pytest.param(
            b"Error from server (TooManyRequests): the server has received too many requests",
            id="429"),
        pytest.param(
            b"Error from server (ServiceUnavailable): the server is currently unable to handle the "
            b"request", id="503"),
        pytest.param(b"Error from server (InternalError): Internal error occurred: etcd", id="500"),
    ],
)  # fmt: skip
def test_an_api_server_that_stays_away_ends_the_step(cluster: Cluster, down: bytes) -> None:
    """After a minute nobody believes in it any more."""
    web = cluster.has(on_its_way())
    cluster.at(5, lambda: setattr(cluster, "down", down))
    error = cluster.fail(web)
    assert type(error) is not RolloutFailed
    assert "could not see how the rollout goes" in str(error)
    assert 60 <= cluster.clock.monotonic() < 75


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"error: You must be logged in to the server (Unauthorized)", id="401"),
        pytest.param(
            b'Error from server (Forbidden): deployments.apps is forbidden: User "u" cannot list '
            b'resource "deployments" in API group "apps" in the namespace "app"', id="403"),
        pytest.param(
            b"Unable to connect to the server: tls: failed to verify certificate: x509: certificate"
            b" signed by unknown authority", id="tls"),
    ],
)  # fmt: skip
def test_what_will_not_pass_ends_the_step_at_once(cluster: Cluster, said: bytes) -> None:
    """Waiting makes nobody welcome."""
    web = cluster.has(on_its_way())
    cluster.down = said
    error = cluster.fail(web)
    assert isinstance(error, ToolFailed)
    assert cluster.clock.slept == []


@pytest.mark.parametrize("plural", ["pods", "replicasets"])
def test_what_may_not_be_listed_is_done_without(cluster: Cluster, plural: str) -> None:
    """Said once; the Deployment itself says when it is done."""
    web = broken(cluster, container(state=waits("ImagePullBackOff")))
    cluster.forbidden = {plural}
    cluster.at(60, lambda: cluster.has(deployment()))
    cluster.rollout(web).wait_until_ready()
    (warning,) = cluster.report.said("warning")
    assert f"the {plural} may not be listed" in warning


def test_a_command_that_was_ended_ends_the_look(cluster: Cluster) -> None:
    """The step's own time, or a signal: that is not the rollout's failure."""
    web = cluster.has(on_its_way())
    cluster.tool.on("kubectl get", Answer(code=143, stopped=StopReason.TIMEOUT))
    with pytest.raises(Stopped):
        cluster.rollout(web).wait_until_ready()
