"""Following a rollout: until it is done, has failed, or has taken too long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.process.base import StopReason
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.kubernetes.rollout.baseline import take_baseline
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
    assert cluster.lines == ["the object is ready after 0s"]


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
        "the rollout of 'deployment/web' failed: 1 of 3 updated, 0 available (after 90s, "
        "wait.timeout)"
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
    baseline = take_baseline(cluster.kubectl, [web, CONFIG])
    cluster.at(100, lambda: cluster.has(on_its_way(generation=3)))
    error = cluster.fail(web, baseline=baseline)
    assert "ImagePullBackOff" in str(error)
    assert 130 <= cluster.clock.monotonic() < 140


def test_where_nothing_was_changed_the_baseline_excuses_nothing(cluster: Cluster) -> None:
    """Somebody who deploys the same again wants to know."""
    web = broken(cluster, container(state=waits("ImagePullBackOff")))
    baseline = take_baseline(cluster.kubectl, [web])
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
