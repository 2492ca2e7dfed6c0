"""What people and programs see of a rollout, and what they are shown when it fails."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from calamari_py.steps.kubernetes.rollout.evidence.hints import hint_of
from calamari_py.steps.kubernetes.rollout.rules.judgement import progressing
from calamari_py.steps.kubernetes.rollout.rules.signs import Sign
from calamari_py.steps.kubernetes.rollout.standing import Row
from calamari_py.steps.kubernetes.values import ObjectRef, ref_of
from tests.steps.kubernetes.fakes import Answer
from tests.steps.kubernetes.rollout.bodies import (
    RUNS,
    body,
    condition,
    container,
    deployment,
    ended,
    event,
    job,
    pod,
    replica_set,
    stateful_set,
    waits,
)
from tests.steps.kubernetes.rollout.room import Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def crash(cluster: Cluster) -> ObjectRef:
    """A Deployment whose new pod crashes, with an old one and what the cluster says."""
    web = deployment(updated=1, available=2, total=4)
    new, old = replica_set(web, wanted=1), replica_set(web, "web-old", revision=1, ready=2)
    bad = container(state=waits("CrashLoopBackOff"), restarts=4, last=ended(1))
    first = pod("web-new-1", bad, owner=new, spec={"nodeName": "node-1"})
    well = pod("web-old-1", container(state=RUNS, ready=True), owner=old)
    return cluster.has(
        web, new, old, first, well,
        event(first, "BackOff", "Back-off restarting failed container", count=9),
        event(first, "Pulled", "Successfully pulled image", type_="Normal"),
        event(well, "Unhealthy", "of an old one"),
    )  # fmt: skip


def test_a_failure_shows_what_people_would_look_up(cluster: Cluster) -> None:
    """The tree, the last warnings about the bad ones, and the log of the container that crashed."""
    error = cluster.fail(crash(cluster))
    begin = cluster.lines.index("deployment/web  1 of 3 updated, 2 available")
    assert cluster.lines[begin:] == [
        "deployment/web  1 of 3 updated, 2 available",
        "  replicaset/web-new  0 of 1 ready",
        "    pod/web-new-1  CrashLoopBackOff, 0 of 1 ready, 4 restarts, on node-1, nginx:1.27",
        "  replicaset/web-old  2 of 3 ready, old",
        "    pod/web-old-1  Running, 1 of 1 ready, nginx:1.27",
        "last warnings:",
        "  pod/web-new-1  BackOff (x9)  Back-off restarting failed container",
    ]
    assert cluster.report.texts == {"pod/web-new-1 (app)": b"line 1\nno database\n"}
    (logs,) = cluster.tool.called("kubectl logs")
    assert logs.words == (
        "kubectl logs pod/web-new-1 --namespace=app --tail=20 --container=app --previous "
        "--request-timeout=20s"
    )
    assert error.evidence == (
        "deployment/web\t1 of 3 updated, 2 available",
        "pod/web-new-1 (app)\tCrashLoopBackOff: container 'app' ended with code 1, 4 restarts",
        "image\tnginx:1.27",
    )
    assert error.hint == "the container starts and ends: its last lines are above"


def test_a_log_that_is_only_of_now_is_taken(cluster: Cluster) -> None:
    """Where the run before has left none, the present one may say it."""
    cluster.tool.on("kubectl logs --previous", Answer(code=1, stderr=b"Error from server"))
    cluster.fail(crash(cluster))
    assert b"no database" in cluster.report.texts["pod/web-new-1 (app)"]


def test_evidence_that_cannot_be_had_hides_no_failure(cluster: Cluster) -> None:
    """Logs and events may be forbidden."""
    web = crash(cluster)
    cluster.forbidden = {"events"}
    cluster.tool.on("kubectl logs", Answer(code=1, stderr=b"Error from server (Forbidden): no"))
    error = cluster.fail(web)
    assert "CrashLoopBackOff" in str(error)
    assert cluster.report.texts == {}


def test_a_pod_that_never_gets_ready_has_its_log_shown(cluster: Cluster) -> None:
    """No sign but a probe that fails: the program itself may say why."""
    web = deployment(updated=1, available=0)
    new = replica_set(web)
    ref = cluster.has(web, new, pod("web-new-1", container(state=RUNS), owner=new))
    cluster.fail(ref, timeout=60)
    assert [*cluster.report.texts] == ["pod/web-new-1 (app)"]
    assert "--previous" not in cluster.tool.called("kubectl logs")[0].argv


def test_no_log_is_shown_that_does_not_say_why(cluster: Cluster) -> None:
    """The image of one container is missing; what another writes is not the reason."""
    web = deployment(updated=1, available=0)
    new = replica_set(web)
    states = container(state=waits("ErrImagePull")), container("log", state=RUNS)
    cluster.fail(cluster.has(web, new, pod("web-new-1", *states, owner=new)))
    assert cluster.report.texts == {}


def test_a_failed_job_has_its_log_shown(cluster: Cluster) -> None:
    """Its pods are over, and their logs still there."""
    one = job(condition("Failed", reason="BackoffLimitExceeded", message="backoff limit"))
    dead = pod("migrate-1", container(state={"terminated": ended(1)}), phase="Failed", owner=one)
    error = cluster.fail(cluster.has(one, dead))
    assert [*cluster.report.texts] == ["pod/migrate-1 (app)"]
    assert "BackoffLimitExceeded: backoff limit" in str(error)


def test_one_line_for_each_change(cluster: Cluster) -> None:
    """Not one per look: numbers alone are told a few times a minute."""
    web = cluster.has(deployment(updated=1, available=0, total=3))
    cluster.at(10, lambda: cluster.has(deployment(updated=2, available=0, total=3)))
    cluster.at(13, lambda: cluster.has(deployment(available=1)))
    cluster.at(40, lambda: cluster.has(deployment(available=2)))
    cluster.at(60, lambda: cluster.has(deployment()))
    cluster.rollout(web).wait_until_ready()
    assert cluster.lines == [
        "deployment/web: 1 of 3 updated, 0 available",
        "deployment/web: 3 of 3 updated, 1 available",
        "deployment/web: 3 of 3 updated, 2 available",
        "deployment/web: 3 available",
        "deployment/web is ready after 1m06s",
    ]
    told = [fields["message"] for name, fields in cluster.report.events if name == "kube_rollout"]
    assert told == [
        "1 of 3 updated, 0 available",
        "2 of 3 updated, 0 available",
        "3 of 3 updated, 1 available",
        "3 of 3 updated, 2 available",
        "3 available",
    ]
    assert cluster.report.events[-1][1] == {
        "api_version": "apps/v1", "kind": "Deployment", "name": "web", "namespace": "app",
        "status": "ready", "reason": None, "message": "3 available",
    }  # fmt: skip


@pytest.mark.parametrize("is_there", [True, False])
def test_events_say_the_namespace_of_the_step(cluster: Cluster, is_there: bool) -> None:
    """An object that names none is in it, whether it can be seen yet or not."""
    web = cluster.has(deployment())
    if not is_there:
        cluster.loses(web)
    cluster.rollout(replace(web, namespace="")).look()
    assert [fields["namespace"] for _, fields in cluster.report.events] == ["app"]


@pytest.mark.parametrize(("namespace", "told"), [("other", "other"), ("", None)])
def test_events_say_where_a_custom_object_was_seen(namespace: str, told: str | None) -> None:
    """Only the server knows whether its kind has a namespace."""
    ref = ObjectRef(group="x.io", kind="Mouse", name="jerry")
    seen = {"metadata": {"namespace": namespace}}
    row = Row(ref=ref, judgement=progressing("…"), body=seen)
    assert row.fields("app")["namespace"] == told


def test_what_was_passed_over_is_told_later(cluster: Cluster) -> None:
    """The last line about an object is how it stands."""
    web = cluster.has(deployment(updated=1, available=0, total=3))
    cluster.at(1, lambda: cluster.has(deployment(updated=2, available=0, total=3)))
    cluster.fail(web, timeout=60)
    assert cluster.lines[:3] == [
        "deployment/web: 1 of 3 updated, 0 available",
        "deployment/web: 2 of 3 updated, 0 available",
        "deployment/web  2 of 3 updated, 0 available",
    ]


def test_a_sign_is_told_when_it_is_first_seen(cluster: Cluster) -> None:
    """With what it means for the step."""
    cluster.fail(crash(cluster))
    assert cluster.lines[0] == (
        "deployment/web: 1 of 3 updated, 2 available: CrashLoopBackOff in pod/web-new-1 (app): "
        "container 'app' ended with code 1, 4 restarts (fails in 30s unless it passes)"
    )
    assert cluster.report.tones[0] == "warn"
    assert sum("unless it passes" in line for line in cluster.lines) == 1


def test_one_trouble_is_told_once(cluster: Cluster) -> None:
    """ErrImagePull and ImagePullBackOff take turns."""
    web = deployment(updated=1, available=0)
    new = replica_set(web)
    ref = cluster.has(web, new)
    for second, reason in enumerate(["ErrImagePull", "ImagePullBackOff"] * 4):
        bad = pod("web-new-1", container(state=waits(reason)), owner=new)
        cluster.at(second * 4, partial(cluster.has, bad))
    cluster.fail(ref)
    assert sum("unless it passes" in line for line in cluster.lines) == 1


def test_those_who_watch_see_a_table(cluster: Cluster) -> None:
    """What is not ready stands first."""
    cluster.rollout(cluster.has(stateful_set(readyReplicas=3)), crash(cluster)).look()
    assert cluster.report.said("progress") == ["1 of 2 ready, 0s"]
    assert cluster.report.table == [
        "  deployment/web   1 of 3 updated, 2 available, CrashLoopBackOff",
        "  statefulset/web  3 ready",
    ]


def test_what_is_not_rolled_out_is_not_called_ready(cluster: Cluster) -> None:
    """A warning says it in the end, and the last line counts it out."""
    paused = cluster.has(deployment(updated=0, available=0, paused=True, name="new"))
    cluster.rollout(cluster.has(deployment()), paused).wait_until_ready()
    assert cluster.report.said("warning") == [
        "deployment/new: paused, nothing is rolled out: 0 of 3 updated, 0 available"
    ]
    assert cluster.lines == ["1 of 2 ready after 5s, the others as warned"]


def test_what_is_told_in_the_end_is_told_once(cluster: Cluster) -> None:
    """Not when it comes about, too: it may pass."""
    cluster.has(body("HorizontalPodAutoscaler"))
    blind = condition("ScalingActive", "False", "NoMetrics", "no metrics")
    seen = body("HorizontalPodAutoscaler", conditions=[condition("AbleToScale"), blind])
    cluster.at(3, lambda: cluster.has(seen))
    cluster.rollout(ref_of(seen), stable_for=0).wait_until_ready()
    assert sum("no metrics" in line for line in cluster.lines) == 1


def test_what_only_took_too_long_is_not_called_failed(cluster: Cluster) -> None:
    """Nothing has failed but to come in time."""
    web = cluster.has(deployment(updated=1, available=0))
    error = cluster.fail(web, cluster.has(deployment(updated=1, name="api")), timeout=60)
    assert str(error) == (
        "the rollout of 'deployment/web' is not done after 1m (wait.timeout): 1 of 3 updated, "
        "0 available; 1 other object not ready"
    )
    assert not any("failed" in text for text in (str(error), *error.evidence, *cluster.lines))


def test_a_pod_that_blocks_a_stateful_set_is_named(cluster: Cluster) -> None:
    """With its log, and what helps."""
    web = stateful_set(updatedReplicas=0, readyReplicas=2, currentRevision="a", updateRevision="b")
    crash = container(state=waits("CrashLoopBackOff"), last=ended(1))
    old = pod("web-2", crash, owner=web, labels={"controller-revision-hash": "a"})
    error = cluster.fail(cluster.has(web, old))
    assert "CrashLoopBackOff in pod/web-2 (app)" in str(error)
    assert [*cluster.report.texts] == ["pod/web-2 (app)"]
    assert "delete that pod" in str(error.hint)


def sign(trouble: str, message: str = "", *, reason: str = "", image: str = "") -> Sign:
    return Sign(trouble=trouble, reason=reason, message=message, image=image)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "cure"),
    [
        pytest.param(
            sign("image", image="111111111111.dkr.ecr.eu-west-1.amazonaws.com/team/web:v7"),
            "aws ecr describe-images --registry-id 111111111111 --region eu-west-1 "
            "--repository-name team/web --image-ids imageTag=v7", id="ecr"),
        pytest.param(sign("image", "pull access denied", image="acme/web:1"), "a pull secret",
                     id="denied"),
        pytest.param(sign("image", "manifest unknown", image="nginx:nope"),
                     "'nginx:nope' exists", id="unknown"),
        pytest.param(sign("image", reason="InvalidImageName", image="Web:1"),
                     "'Web:1' is no image name", id="name"),
        pytest.param(sign("config", 'secret "db" not found'), "there is no Secret 'db'",
                     id="secret"),
        pytest.param(sign("config", 'configmap "web" not found'), "there is no ConfigMap 'web'",
                     id="config map"),
        pytest.param(sign("config", "couldn't find key url in Secret app/db"),
                     "Secret 'app/db' has no key 'url'", id="key"),
        pytest.param(sign("unschedulable", "0/3 nodes"), "what the scheduler says",
                     id="unschedulable"),
        pytest.param(sign("quota", "exceeded quota"), "raise the quota", id="quota"),
        pytest.param(sign("crash", reason="OOMKilled"), "more memory", id="memory"),
        pytest.param(sign("evicted"), "disk and memory pressure", id="evicted"),
        pytest.param(sign("volume", reason="FailedAttachVolume"), "let go within minutes",
                     id="volume"),
    ],
)  # fmt: skip
def test_each_trouble_has_a_cure(found: Sign, cure: str) -> None:
    """A failure ends in what to do."""
    row = Row(ref=ObjectRef(kind="Pod", name="a"), judgement=progressing(""), signs=(found,))
    assert cure in (hint_of(row, found) or "")
