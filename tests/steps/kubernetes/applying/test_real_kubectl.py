"""Applying by the real kubectl: what it says is what is read. One cluster, few commands."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.process.base import Command, ProcessExit
from calamari_py.steps.base import Captured, LineReader, StepContext
from calamari_py.steps.kubernetes.access.access import Access
from calamari_py.steps.kubernetes.applying.apply import apply_objects
from calamari_py.steps.kubernetes.applying.delete import delete_objects
from calamari_py.steps.kubernetes.applying.namespace import ensure_namespace
from calamari_py.steps.kubernetes.applying.preview import dry_run
from calamari_py.steps.kubernetes.spec import ClusterSpec, KubectlSpec
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl
from calamari_py.steps.kubernetes.values import KubeObject
from tests.kube.server import Caller, KubeServer
from tests.steps.kubernetes.applying.cluster import a_definition, a_namespace, an_object
from tests.steps.kubernetes.fakes import FakeTools, kube_context
from tests.steps.terraform.world import WorldReport
from tests.tools import require_tool

pytestmark = [pytest.mark.process, pytest.mark.socket]


class Starts:
    """kubectl, started."""

    def __init__(self) -> None:
        self.verbs: list[str] = []

    def capture(self, command: Command, *, last_words: float | None = None) -> Captured:
        """A `StepContext.capture`."""
        self.verbs.append(command.argv[1])
        ended = subprocess.run(
            command.argv,
            env=dict(command.environment),
            cwd=command.directory,
            capture_output=True,
            timeout=30,
        )
        done = ProcessExit(code=ended.returncode)
        return Captured(exit=done, stdout=ended.stdout, stderr=ended.stderr)

    def read(self, command: Command, reader: LineReader) -> ProcessExit:
        """A `StepContext.read`."""
        ended = self.capture(command)
        for line in ended.stdout.splitlines():
            reader.line("stdout", line)
        for line in ended.stderr.splitlines():
            reader.line("stderr", line)
        return ended.exit


class RealCluster:
    """A server, and kubectl bound to it in namespace ``app``."""

    def __init__(self, folder: Path, server: KubeServer) -> None:
        self.folder = folder
        self.server = server
        self.report = WorldReport()
        self.starts = Starts()
        base = kube_context(folder, FakeTools(), report=self.report)
        fields = {name: getattr(base, name) for name in StepContext.__dataclass_fields__}
        self.context = StepContext(
            **{**fields, "capture": self.starts.capture, "read": self.starts.read}
        )
        config = base.private / "kubeconfig"
        config.write_text(json.dumps(server.kubeconfig({"token": "t0ken"}, namespace="app")))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KUBECONFIG": str(config),
            "KUBECACHEDIR": str(folder / "cache"),
        }
        access = Access(
            kubeconfig=config,
            name="cluster 'real'",
            server=server.url,
            namespace="app",
            way="server",
            environment=environment,
            script_environment={},
        )
        binary = Path(require_tool("kubectl"))
        self.kubectl = Kubectl(binary, access, self.context, directory=folder)

    def spec(self, **changes: object) -> KubectlSpec:
        """A spec of kind kubectl."""
        return KubectlSpec(
            **{
                "action": "apply",
                "binary": self.kubectl.binary,
                "cluster": ClusterSpec(way="server"),
                "folder": self.folder,
                "namespace": "app",
                **changes,
            }  # type: ignore[arg-type]
        )

    def apply(self, *objects: KubeObject, **spec: object) -> list[str]:
        """What became of each."""
        results = apply_objects(self.kubectl, objects, self.spec(**spec), self.report)
        return [f"{result.ref.kind} {result.ref.name} {result.action}" for result in results]

    def rehearse(self, *objects: KubeObject, **spec: object) -> list[str]:
        """What would become of each."""
        found = dry_run(self.kubectl, objects, self.spec(**spec), self.report)
        return [f"{each.ref.kind} {each.ref.name} {each.kind}" for each in found]


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealCluster]:
    """A cluster with nothing in it."""
    with KubeServer(lambda _: Caller(name="deployer")) as server:
        yield RealCluster(tmp_path, server)


def a_map(name: str, value: str = "a") -> KubeObject:
    """A ConfigMap."""
    return an_object("ConfigMap", name, data={"k": value})


MOUSE = an_object("Mouse", "jerry", api="example.com/v1", spec={"size": 1})


def mice() -> KubeObject:
    """A whole definition of an odd plural."""
    plain = a_definition()
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        },
    }
    names = {"kind": "Mouse", "plural": "mice", "singular": "mouse", "listKind": "MouseList"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    return an_object(
        plain.ref.kind, plain.ref.name, namespace="", api=plain.ref.api_version, spec=spec
    )


def test_from_nothing_to_nothing(real: RealCluster) -> None:
    """Applied, rehearsed and deleted: each time it is known what became of each object, also of one
    whose kind is defined on the way. tests/integration has the change in between."""
    secret = an_object("Secret", "db", stringData={"password": "hunter2-hunter2"})
    job = an_object("Job", generate="job-", api="batch/v1", spec={"template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}})  # fmt: skip
    objects = [MOUSE, a_namespace("app"), mice(), secret, a_map("m")]
    applied = real.apply(*objects, job)
    assert [line.rpartition(" ")[2] for line in applied] == ["created"] * 6
    assert applied[-1].startswith("Job job-")
    assert set(real.rehearse(*objects)) == {
        "Mouse jerry none", "Namespace app none", "Secret db none", "ConfigMap m none",
        "CustomResourceDefinition mice.example.com none",
    }  # fmt: skip
    results = delete_objects(real.kubectl, objects, real.spec(delete_namespaces=True), real.report)
    assert {result.action for result in results} == {"deleted"}
    assert real.server.store.get("Namespace", "app") is None
    assert not any("hunter2" in path.read_text("utf-8", "replace")
                   for path in real.folder.rglob("*") if path.is_file())  # fmt: skip


def test_what_the_server_refuses(real: RealCluster) -> None:
    """A conflict and a missing right are known as each object's own; what is fine is applied."""
    ensure_namespace(real.kubectl, "app", create=True, report=real.report)
    assert ensure_namespace(real.kubectl, "app", create=False, report=real.report) is None
    real.apply(a_map("mine"), field_manager="other")
    real.server.forbid("patch", "secrets")
    secret = an_object("Secret", "db", stringData={"password": "hunter2-hunter2"})
    objects = [a_map("mine", "b"), secret, a_map("fine"), an_object("Nope", "n", api="no.io/v1")]
    with pytest.raises(ToolFailed) as raised:
        real.apply(*objects)
    rows = "\n".join(raised.value.evidence)
    assert "configmap/mine (k8s/all.yaml:1): 'other' owns .data.k" in rows
    assert 'cannot patch resource "secrets"' in rows
    assert 'no matches for kind "Nope" in version "no.io/v1"' in rows
    actions = {fact["name"]: fact["action"] for fact in real.report.facts["objects"]}
    assert actions == {"mine": "failed", "db": "failed", "fine": "created", "n": "failed"}
    assert real.apply(a_map("mine", "b"), force_conflicts=True) == ["ConfigMap mine configured"]


def test_a_prune_is_foretold(real: RealCluster) -> None:
    """kubectl's ApplySet: what is in no file any more would go. tests/integration sees it go."""
    both, one = [a_namespace("app"), a_map("a"), a_map("b")], [a_namespace("app"), a_map("a")]
    first = real.apply(*both, applyset="configmaps/set")
    assert {line.rpartition(" ")[2] for line in first} == {"created"}
    foretold = real.rehearse(*one, applyset="configmaps/set")
    assert foretold == ["Namespace app none", "ConfigMap a none", "ConfigMap b delete"]
    assert real.server.store.get("ConfigMap", "b", "app") is not None
