"""A folder with a step for Kubernetes, the cluster that it is for, and what a run has left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from calamari_py.sandbox import Sandbox
from tests.integration.conftest import Calamari
from tests.kube.controllers import Controllers
from tests.kube.eks import EksCluster, FakeEks
from tests.kube.server import Caller, KubeServer
from tests.kube.server.identity import TokenRefused, examine
from tests.real_terraform.room import Ended
from tests.tools import FETCHED, require_tool

ACCOUNT, REGION = "111111111111", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/DevDeployRole"
SESSIONS = f"arn:aws:sts::{ACCOUNT}:assumed-role/DevDeployRole/"
STATIC = "a-static-token-of-a-service-account-5c1e9"
"""A token that is no EKS token, and never ends."""


@dataclass(frozen=True, slots=True)
class Kube:
    """One running cluster, and the EKS that knows it by `name`."""

    name: str
    server: KubeServer
    controllers: Controllers
    eks: FakeEks
    tokens: set[str] = field(repr=False)
    """Every token that was shown, good or not."""

    @property
    def environment(self) -> dict[str, str]:
        """Where EKS is, and the programs."""
        return {"AWS_ENDPOINT_URL_EKS": self.eks.url, "PATH": path_with_tools()}

    def namespace(self, name: str) -> str:
        """Make one."""
        self.server.store.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name


def path_with_tools() -> str:
    """PATH with kubectl and helm, those of `require_tool` before any others."""
    folders = [Path(require_tool(name)).parent for name in ("kubectl", "helm")]
    there = os.environ["PATH"].split(os.pathsep)
    fetched = [str(folder) for folder in folders if folder == FETCHED]
    return os.pathsep.join(dict.fromkeys([*fetched, *there, *map(str, folders)]))


@contextmanager
def running_kube(
    sandbox: Sandbox, eks: FakeEks, *, name: str = "demo", life: float | None = None
) -> Iterator[Kube]:
    """A cluster `name` in the account of the role, whose EKS tokens live for `life` seconds."""

    tokens: set[str] = set()

    def identify(token: str) -> Caller | None:
        tokens.add(token)
        if token == STATIC:
            return Caller(name="system:serviceaccount:app:static")
        try:
            return examine(token, sts_url=sandbox.endpoint, cluster=name, life=life)
        except TokenRefused as error:
            print(f"cluster {name} refuses a token: {error}", file=sys.stderr)
            return None

    def said(namespace: str, pod: str, container: str, text: str) -> None:
        for previous in (False, True):
            server.logs[namespace, pod, container, previous] = text

    with ExitStack() as stack:
        server = stack.enter_context(KubeServer(identify, establish=False))
        controllers = stack.enter_context(Controllers(server.store, said=said))
        eks.add(
            EksCluster(
                name=name, server=server.url, authority=server.ca_pem.encode(),
                account=ACCOUNT, region=REGION,
            )
        )  # fmt: skip
        yield Kube(name, server, controllers, eks, tokens)
        assert controllers.faults == []


@dataclass(frozen=True, slots=True)
class Cluster:
    """A folder, a namespace of its own in the cluster, and a step that works there as a role."""

    calamari: Calamari
    kube: Kube
    namespace: str = field(default_factory=lambda: f"ns-{uuid.uuid4().hex[:8]}")

    @property
    def folder(self) -> Path:
        """Where the manifest is, and where runs leave what they leave."""
        return self.calamari.folder

    @property
    def memory(self) -> Path:
        """Where private folders are made: in /dev/shm those of other runs lie, too."""
        return self.folder.parent / "memory"

    @property
    def artifacts(self) -> Path:
        """Where artifacts are kept."""
        return self.folder / "artifacts"

    def write(self, name: str, *bodies: Mapping[str, Any]) -> None:
        """A file of kube manifests (JSON is YAML, too)."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n---\n".join(json.dumps(body, indent=2) for body in bodies), "utf-8")

    def manifest(self, kind: str, section: Mapping[str, Any] | None = None, **head: Any) -> None:
        """The step: `section` is merged into that of `kind`, `head` into the manifest."""
        step = {"name": "deploy-web", "region": REGION, "assume_role": ROLE} | head
        own = {"cluster": {"eks": self.kube.name}, "namespace": self.namespace}
        step[kind] = {**own, **(section or {})}
        (self.folder / "step.yaml").write_text(json.dumps(step, indent=2), "utf-8")

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 60
    ) -> Ended:
        """``calamari run step.yaml`` with `arguments`."""
        ran = self.calamari(*self.words(*arguments), env=self.env(env), timeout=timeout)
        return self.ended(ran.code, ran.out, ran.err)

    def start(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """The same as `run`, running; the test ends it."""
        return self.calamari.start(self.words(*arguments), env=self.env(env))

    def words(self, *arguments: str) -> list[str]:
        """The command line of `run`; what an earlier run left for machines is gone."""
        for name in ("result.json", "outputs.json"):
            (self.folder / name).unlink(missing_ok=True)
        return [
            "run", "step.yaml", *arguments, "--result", "result.json",
            "--outputs", "outputs.json", "--artifacts", "artifacts",
        ]  # fmt: skip

    def env(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Where EKS is, and private folders, beside what `calamari` has."""
        self.memory.mkdir(mode=0o700, exist_ok=True)
        return {**self.kube.environment, "XDG_RUNTIME_DIR": str(self.memory), **(more or {})}

    def ended(self, code: int, out: str, err: str) -> Ended:
        """What a run that has ended left."""
        return Ended(code, out, err, self._read("result.json"), self._read("outputs.json"))

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """An object of the step's namespace, as the cluster has it."""
        return self.kube.server.store.get(kind, name, self.namespace)

    def callers(self) -> set[str]:
        """Who has called the cluster so far."""
        return self.kube.server.callers()

    def _read(self, name: str) -> Mapping[str, Any]:
        file = self.folder / name
        document: Mapping[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
        return document


def config_map(name: str, **data: str) -> dict[str, Any]:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name: str, **data: str) -> dict[str, Any]:
    """A Secret, its values as text."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def deployment(name: str, image: str = "web:1", *, replicas: int = 1) -> dict[str, Any]:
    """A Deployment of one container, whose image says what becomes of it: `tests.kube.pods`."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": image}]},
            },
        },
    }


@pytest.fixture(scope="module")
def kube(sandbox: Sandbox) -> Iterator[Kube]:
    """The file's cluster, `demo`."""
    path_with_tools()
    with FakeEks() as eks, running_kube(sandbox, eks) as running:
        yield running


@pytest.fixture
def cluster(launched: Calamari, kube: Kube) -> Cluster:
    """A folder, and a namespace of its own, on a machine that has the launcher."""
    kube.server.requests.clear()
    made = Cluster(launched, kube)
    kube.namespace(made.namespace)
    return made
