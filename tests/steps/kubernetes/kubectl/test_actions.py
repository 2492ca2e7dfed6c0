"""Each action of a kubectl step, with a kubectl that says what it is told to."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import CloudError, ToolFailed, ToolMissing
from calamari_py.process.base import StopReason
from calamari_py.steps import STEP_KINDS
from tests.steps.kubernetes.fakes import Answer, Call, body_of, list_of, to_json
from tests.steps.kubernetes.world import KubeWorld

CLUSTER = {"cluster": {"eks": "blue"}, "namespace": "app"}
FILES = {**CLUSTER, "files": ["k8s/web.yaml"]}
WEB = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {colour: blue}\n"
SECRET = "hunter2-hunter2"
BUILT = f"""\
apiVersion: v1
kind: Secret
metadata: {{name: db}}
stringData: {{password: {SECRET}}}
"""
NAMESPACE = body_of("Namespace", "app", metadata={"namespace": None})
CONFIG = body_of("ConfigMap", "web", data={"colour": "blue"})
OLD = body_of("ConfigMap", "web", data={"colour": "red"}, metadata={"resourceVersion": "0"})
APPLIED = Answer(stdout=b"configmap/web serverside-applied\n")
READY = body_of(
    "Deployment",
    "web",
    metadata={"generation": 1},
    spec={"replicas": 1},
    status={
        "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
        "availableReplicas": 1,
    },
)  # fmt: skip
BROKEN = {
    **READY,
    "status": {
        **READY["status"], "availableReplicas": 0, "readyReplicas": 0,
        "conditions": [{
            "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
            "message": "it took too long",
        }],
    },
}  # fmt: skip

UNREADY = {**READY, "status": {**READY["status"], "availableReplicas": 0, "readyReplicas": 0}}


@pytest.fixture
def world(tmp_path: Path) -> KubeWorld:
    """A namespace that is there, and nothing in it."""
    made = KubeWorld(tmp_path)
    made.writes("k8s/web.yaml", WEB)
    holds(made)
    made.tool.on("kubectl apply", APPLIED)
    return made


def holds(world: KubeWorld, *bodies: Mapping[str, Any]) -> None:
    """What the cluster has: whoever asks for objects by a file gets those that the file names. The
    namespace is there."""
    known = {(body["kind"], body["metadata"]["name"]): body for body in (NAMESPACE, *bodies)}

    def answer(call: Call) -> Answer:
        (text,) = call.files.values()
        items = json.loads(text)["items"]
        keys = [(item["kind"], item["metadata"]["name"]) for item in items]
        return Answer(stdout=list_of(*(known[key] for key in keys if key in known)))

    world.tool.on("kubectl get -f", answer)


def then(answer: Answer, act: Callable[[], object]) -> Answer:
    """The same answer, and `act` is what the command does."""
    return replace(answer, act=act)


def verbs(world: KubeWorld) -> list[str]:
    """The commands of kubectl that were run, in order."""
    return [call.argv[1] for call in world.tool.calls]


# --- apply --------------------------------------------------------------------------------------


def test_apply(world: KubeWorld) -> None:
    """What the files say is applied, each object is told, and the result knows them."""
    world.tool.on("kubectl apply", then(APPLIED, lambda: holds(world, CONFIG)))
    outcome = world.run("kubectl", FILES)
    assert (outcome.code, outcome.changed) == (0, True)
    (created,) = world.report.facts["objects"]
    assert (created["kind"], created["name"], created["action"]) == ("ConfigMap", "web", "created")
    assert created["uid"] == "uid-web"
    assert world.report.last_words == "applied: 1 created"
    assert world.report.facts["cluster"]["arn"].endswith(":cluster/blue")
    assert (world.report.facts["namespace"], world.report.facts["action"]) == ("app", "apply")
    (applied,) = world.tool.called("kubectl apply")
    assert [*applied.files.values()] == [WEB.encode()]
    assert "--server-side" in applied.argv
    assert Path(applied.command.environment["KUBECONFIG"]).is_file()


def test_nothing_was_to_be_applied(world: KubeWorld) -> None:
    """Objects that are as the files say are unchanged, and so is the cluster."""
    holds(world, CONFIG)
    outcome = world.run("kubectl", FILES)
    assert (outcome.code, outcome.changed) == (0, False)
    assert world.report.last_words == "applied: 1 unchanged"
    assert world.report.has_changed is False


def test_a_namespace_that_is_not_there(world: KubeWorld) -> None:
    """It is made where the manifest says so, else it is a failure with that cure; one that is in
    the files is theirs to make."""
    world.tool.on("kubectl get -f", Answer(stdout=b""))
    error = world.fail("kubectl", FILES)
    assert "namespace 'app' does not exist" in str(error)
    assert "create_namespace" in error.hint
    assert not world.tool.called("kubectl apply")
    assert world.run("kubectl", {**FILES, "create_namespace": True}).changed is True
    assert world.tool.called("kubectl create namespace app")
    facts = world.report.facts["objects"]
    assert [(fact["kind"], fact["action"]) for fact in facts] == [
        ("Namespace", "created"), ("ConfigMap", "created"),
    ]  # fmt: skip
    assert world.report.last_words == "applied: 2 created"
    world.tool.calls.clear()
    world.writes("k8s/web.yaml", f"{WEB}---\napiVersion: v1\nkind: Namespace\n"
                 "metadata: {name: app}\n")  # fmt: skip
    world.tool.on("kubectl apply", Answer(stdout=b"namespace/app serverside-applied\n"), APPLIED)
    world.run("kubectl", {**FILES, "wait": False})
    assert not world.tool.called("kubectl create namespace")


def test_a_rollout_is_waited_for(world: KubeWorld) -> None:
    """Applying is done when all is ready; one that cannot get ready fails the step, and what was
    applied stays told."""
    world.writes("k8s/web.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n")
    applied = Answer(stdout=b"deployment.apps/web serverside-applied\n")
    world.tool.on("kubectl apply", then(applied, lambda: holds(world, READY)))
    world.tool.on("kubectl get", Answer(stdout=list_of(READY)))
    assert world.run("kubectl", FILES).changed is True
    holds(world)
    world.tool.on("kubectl get", Answer(stdout=list_of(BROKEN)))
    error = world.fail("kubectl", FILES)
    assert isinstance(error, ToolFailed)
    assert "deployment/web" in str(error)
    assert world.report.has_changed is True
    assert world.run("kubectl", {**FILES, "wait": False}).code == 0


def test_a_kustomization(world: KubeWorld) -> None:
    """kubectl builds it; its secrets are known before anything is told of them."""
    world.writes("base/kustomization.yaml", "resources: []\n")
    world.tool.on("kubectl kustomize", Answer(stdout=BUILT.encode()))
    world.tool.on("kubectl apply", Answer(stdout=b"secret/db serverside-applied\n"))
    section = {**CLUSTER, "kustomize": "base", "wait": False}
    assert world.run("kubectl", section).changed is True
    (built,) = world.tool.called("kubectl kustomize")
    assert str(world.folder / "base") in built.argv
    assert SECRET in world.report.hidden
    world.assert_hidden(SECRET)
    assert world.report.facts["objects"][0]["keys"] == ["password"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(Answer(code=1, stderr=b"error: no such file\n"), "could not build", id="bad"),
        pytest.param(Answer(), "holds no object", id="empty"),
        pytest.param(Answer(stdout=b"a: [\n"), "is no kube manifest", id="no YAML"),
    ],
)
def test_a_kustomization_that_cannot_be_built(answer: Answer, said: str, world: KubeWorld) -> None:
    """Nothing is applied."""
    world.writes("base/kustomization.yaml", "resources: []\n")
    world.tool.on("kubectl kustomize", answer)
    error = world.fail("kubectl", {**CLUSTER, "kustomize": "base"})
    assert said in str(error)
    assert error.exit_code == 1
    assert not world.tool.called("kubectl apply")


# --- diff and rehearsals ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wishes",
    [
        pytest.param({"action": "diff"}, id="diff"),
        pytest.param({"action": "apply", "dry_run": True}, id="a rehearsed apply"),
    ],
)
def test_a_look(wishes: Mapping[str, Any], world: KubeWorld) -> None:
    """The server says what would be: it is pending and nobody calls it unchanged. Nothing is
    changed, no namespace made."""
    holds(world, OLD)
    world.tool.on("kubectl apply", Answer(stdout=to_json(CONFIG)))
    outcome = world.run("kubectl", {**FILES, "create_namespace": True}, **wishes)
    assert (outcome.code, outcome.changed, outcome.pending) == (0, None, True)
    assert world.report.last_words == "would change: 1 to change"
    assert world.report.facts["differences"]
    assert "colour: blue" in world.report.everything
    (asked,) = world.tool.called("kubectl apply")
    assert "--dry-run=server" in asked.argv
    assert not world.tool.called("kubectl create")


def test_a_look_that_finds_nothing(world: KubeWorld) -> None:
    """Then nothing was, and nothing has to be changed."""
    holds(world, CONFIG)
    world.tool.on("kubectl apply", Answer(stdout=to_json(CONFIG)))
    outcome = world.run("kubectl", FILES, action="diff")
    assert (outcome.changed, outcome.pending) == (False, False)
    assert world.report.last_words == "nothing to change"


# --- delete -------------------------------------------------------------------------------------


def test_delete(world: KubeWorld) -> None:
    """What is there goes, and it is known that it has gone."""
    holds(world, CONFIG)
    gone = Answer(stdout=b'configmap "web" deleted\n')
    world.tool.on("kubectl delete", then(gone, lambda: holds(world)))
    outcome = world.run("kubectl", FILES, action="delete")
    assert (outcome.changed, world.report.last_words) == (True, "1 deleted")


@pytest.mark.parametrize(
    ("there", "pending", "words"),
    [
        pytest.param([CONFIG], True, "would be: 1 deleted", id="something"),
        pytest.param([], False, "nothing to delete", id="nothing"),
    ],
)
def test_a_rehearsed_delete(
    there: list[Mapping[str, Any]], pending: bool, words: str, world: KubeWorld
) -> None:
    """It says what would go, and nothing goes."""
    holds(world, *there)
    outcome = world.run("kubectl", FILES, action="delete", dry_run=True)
    assert outcome.pending is pending
    assert outcome.changed is (None if pending else False)
    assert world.report.last_words == words
    assert not world.tool.called("kubectl delete")


# --- looking ------------------------------------------------------------------------------------

STATUS = {**CLUSTER, "action": "rollout-status", "resources": ["deployment/web"]}


def test_rollout_status(world: KubeWorld) -> None:
    """What the resources name is judged by the same rules; nothing is changed."""
    world.tool.on("kubectl get deployment/web", Answer(stdout=to_json(READY)))
    world.tool.on("kubectl get", Answer(stdout=list_of(READY)))
    outcome = world.run("kubectl", STATUS)
    assert (outcome.code, outcome.changed) == (0, False)
    assert {*verbs(world)} == {"version", "get"}


def test_files_that_are_not_there(world: KubeWorld) -> None:
    """Nobody says that a kind of which nothing else is seen is ready when it is not there."""
    error = world.fail("kubectl", FILES, action="rollout-status")
    assert str(error) == "'configmap/web' is not there"
    holds(world, CONFIG)
    assert world.run("kubectl", FILES, action="rollout-status").code == 0


def test_files_that_may_not_be_looked_at(world: KubeWorld) -> None:
    """They are no failure: a role that sees no Secrets may still ask for the rest."""
    refused = (
        b'Error from server (Forbidden): configmaps "web" is forbidden: User "x" cannot get '
        b'resource "configmaps" in API group "" in the namespace "app"\n'
    )
    world.tool.on("kubectl get -f", Answer(code=1, stderr=refused))
    assert world.run("kubectl", FILES, action="rollout-status").code == 0
    assert "1 of 1 objects may not be looked at" in world.report.said("note")


def test_a_rollout_that_has_failed(world: KubeWorld) -> None:
    """It fails with what is wrong with it, and no file has to be there."""
    world.tool.on("kubectl get deployment/web", Answer(stdout=to_json(BROKEN)))
    world.tool.on("kubectl get", Answer(stdout=list_of(BROKEN)))
    error = world.fail("kubectl", STATUS)
    assert "ProgressDeadlineExceeded" in str(error)


def test_no_such_rollout(world: KubeWorld) -> None:
    """What is not there is said, and how it was asked for."""
    section = {**STATUS, "resources": ["deployments"], "selector": "app=web"}
    world.tool.on("kubectl get deployments", Answer(stdout=list_of()))
    error = world.fail("kubectl", section)
    assert str(error) == "there are no deployments with labels 'app=web'"
    missing = b'Error from server (NotFound): deployments.apps "web" not found\n'
    world.tool.on("kubectl get deployment/web", Answer(code=1, stderr=missing))
    assert "could not look at deployment/web" in str(world.fail("kubectl", STATUS))


WAIT = {
    **CLUSTER, "action": "wait", "resources": ["deployment/web"],
    "condition": "condition=Available", "wait": {"timeout": 90},
}  # fmt: skip


def test_wait(world: KubeWorld) -> None:
    """kubectl itself waits, as long as the manifest says."""
    world.tool.on("kubectl wait", Answer(stdout=b"deployment.apps/web condition met\n"))
    outcome = world.run("kubectl", WAIT)
    assert (outcome.code, outcome.changed) == (0, False)
    (waited,) = world.tool.called("kubectl wait")
    assert waited.argv[1:] == (
        "wait", "--for=condition=Available", "--timeout=90s", "deployment/web",
    )  # fmt: skip
    assert "deployment.apps/web condition met" in world.report.said("line")


LATE = b"error: timed out waiting for the condition on deployments/web\n"


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        pytest.param(BROKEN, "ProgressDeadlineExceeded", id="with a reason"),
        pytest.param(
            UNREADY,
            "is not done after 90s (wait.timeout): 1 of 1 updated, 0 available",
            id="not there yet",
        ),
        pytest.param(READY, "for deployments/web", id="without one"),
    ],
)
def test_a_wait_in_vain(seen: Mapping[str, Any], said: str, world: KubeWorld) -> None:
    """The condition, the time, the object, and what is wrong with it as far as it shows."""
    world.tool.on("kubectl wait", Answer(code=1, stderr=LATE))
    world.tool.on("kubectl get deployment/web", Answer(stdout=to_json(seen)))
    world.tool.on("kubectl get", Answer(stdout=list_of(seen)))
    error = world.fail("kubectl", WAIT)
    assert str(error).startswith("'condition=Available' did not come within 90s")
    assert said in str(error)
    assert error.hint


def test_a_wait_that_is_refused(world: KubeWorld) -> None:
    """What the server has against it is no waiting in vain, and nobody looks any further."""
    refused = b'Error from server (NotFound): deployments.apps "web" not found\n'
    world.tool.on("kubectl wait", Answer(code=1, stderr=refused))
    error = world.fail("kubectl", WAIT)
    assert "could not wait for condition=Available" in str(error)
    assert verbs(world) == ["version", "wait"]


# --- script -------------------------------------------------------------------------------------


def test_a_script_in_one_line(world: KubeWorld) -> None:
    """It runs with the context set, with the user's own home, and its code is the step's."""
    world.writes("bin/bash", "never run\n").chmod(0o755)
    world.tool.on("bash", Answer(code=7))
    outcome = world.run("kubectl", {**CLUSTER, "script": "kubectl get pods -A"})
    assert (outcome.code, outcome.changed) == (7, None)
    (ran,) = world.tool.calls
    assert ran.way == "run"
    environment = ran.command.environment
    assert b"namespace" in Path(environment["KUBECONFIG"]).read_bytes()
    assert environment["HOME"] == "/home/user"
    assert world.report.has_changed is None
    assert world.report.facts["cluster"]["version"] == "1.32"


def test_what_others_of_the_step_get(world: KubeWorld) -> None:
    """`finally`, `exec` and `shell` find the same context."""
    spec = world.parse("kubectl", FILES)
    names = STEP_KINDS["kubectl"].equip(spec, world.context())
    assert Path(names["KUBECONFIG"]).stat().st_mode & 0o777 == 0o600
    assert "HOME" not in names


# --- ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["version", "get", "apply"])
def test_a_command_that_was_stopped(verb: str, world: KubeWorld) -> None:
    """Why calamari ended a command is how the step ends."""
    stopped = Answer(code=130, stopped=StopReason.SIGNAL, signum=signal.SIGTERM)
    world.tool.on(f"kubectl {verb}" + (" -f" if verb == "get" else ""), stopped)
    outcome = world.run("kubectl", FILES)
    assert outcome.exit is not None
    assert (outcome.exit.stopped, outcome.exit.signum) == (StopReason.SIGNAL, signal.SIGTERM)


def test_a_cluster_that_cannot_be_found(world: KubeWorld) -> None:
    """kubectl is not started at all."""
    world.aws.answers["eks:DescribeCluster"] = CloudError(
        "no cluster", service="eks", operation="DescribeCluster", code="ResourceNotFoundException"
    )
    assert "blue" in str(world.fail("kubectl", FILES))
    assert world.tool.calls == []


def test_a_kubectl_that_is_too_old(world: KubeWorld) -> None:
    """It is told before anything is asked of the cluster."""
    version = {"clientVersion": {"gitVersion": "v1.20.0"}}
    world.tool.on("kubectl version", Answer(stdout=to_json(version)))
    assert isinstance(world.fail("kubectl", FILES), ToolMissing)
    assert verbs(world) == ["version"]


# --- preview ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "wishes", "foreseen"),
    [
        pytest.param({**FILES, "create_namespace": True}, {},
                     ["version", "get", "create", "get", "apply", "get", "get"],
                     id="apply"),
        pytest.param({**FILES, "wait": False}, {}, ["version", "get", "get", "apply", "get"],
                     id="apply and go"),
        pytest.param(FILES, {"dry_run": True}, ["version", "get", "apply"], id="rehearsal"),
        pytest.param(FILES, {"action": "diff"}, ["version", "get", "apply"], id="diff"),
        pytest.param(FILES, {"action": "delete"}, ["version", "get", "delete", "get"], id="delete"),
        pytest.param(FILES, {"action": "delete", "dry_run": True}, ["version", "get"],
                     id="rehearsed delete"),
        pytest.param(STATUS, {}, ["version", "get", "get"], id="rollout-status"),
        pytest.param(FILES, {"action": "rollout-status"}, ["version", "get", "get"],
                     id="rollout-status of files"),
        pytest.param(WAIT, {}, ["version", "wait"], id="wait"),
        pytest.param({**CLUSTER, "kustomize": "base", "wait": False}, {},
                     ["version", "kustomize", "get", "get", "apply", "get"], id="kustomize"),
    ],
)  # fmt: skip
def test_what_is_foreseen(
    section: Mapping[str, Any], wishes: Mapping[str, Any], foreseen: list[str], world: KubeWorld
) -> None:
    """The commands in order, and none that changes anything in a rehearsal."""
    world.writes("base/kustomization.yaml", "resources: []\n")
    planned = STEP_KINDS["kubectl"].preview(world.parse("kubectl", section, **wishes))
    assert [command.argv[1] for command in planned] == foreseen
    is_dry = ["--dry-run=server" in command.argv for command in planned
              if command.argv[1] == "apply"]  # fmt: skip
    assert is_dry == [bool(wishes)] * len(is_dry)
