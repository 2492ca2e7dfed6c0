"""The loopback API server, as the real kubectl and helm meet it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.support import until
from tests.kube.server import ApiError, Caller, KubeServer
from tests.kube.server.tls import Authority, Certificate, the_authority
from tests.tools import require_tool

pytestmark = [pytest.mark.process, pytest.mark.socket]

Body = dict[str, Any]
TOKEN = "a-token-that-is-known"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int
    out: str
    err: str

    def json(self) -> Body:
        assert self.code == 0, self.err
        found: Body = json.loads(self.out)
        return found


@dataclass(frozen=True, slots=True)
class Client:
    """kubectl and helm with a kubeconfig for `server`, in a namespace of their own."""

    server: KubeServer
    folder: Path
    namespace: str

    def __call__(self, *words: str, program: str = "kubectl", given: object = None) -> Ended:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            "KUBECACHEDIR": str(self.folder / "cache"),
            "KUBECTL_APPLYSET": "true",
        }
        ended = subprocess.run(
            [require_tool(program), "--namespace", self.namespace, *words],
            input=None if given is None else json.dumps(given),
            capture_output=True,
            text=True,
            env=environment,
            cwd=self.folder,
            timeout=30,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def apply(self, *bodies: Body, words: tuple[str, ...] = ("--server-side",)) -> Ended:
        several = {"apiVersion": "v1", "kind": "List", "items": list(bodies)}
        return self("apply", *words, "-f", "-", given=several)

    def got(self, kind: str, name: str) -> Body | None:
        return self.server.store.get(kind, name, self.namespace)


@pytest.fixture(scope="module")
def server() -> Iterator[KubeServer]:
    """One for the tests of this file; each has a namespace."""
    known = Caller(name="tester", groups=("system:masters",), arn="arn:aws:iam::1:user/tester")
    with KubeServer({TOKEN: known}.get) as running:
        yield running


@pytest.fixture
def client(server: KubeServer, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Client]:
    """In a namespace named after the test."""
    name = request.node.originalname.replace("_", "-")
    server.add_namespace(name)
    kubeconfig = server.kubeconfig({"token": TOKEN}, namespace=name)
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig), encoding="utf-8")
    yield Client(server, tmp_path, name)
    server.rights.allow_all()
    server.expire_watch_after(None)
    server.warnings.clear()


def coded(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()


def config_map(name: str, **values: str) -> Body:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": values}


def deployment(name: str = "web", *, image: str = "web:1", **spec: object) -> Body:
    labels = {"app": name}
    pod = {"containers": [{"name": name, "image": image, "ports": [{"containerPort": 80}]}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
            **spec,
        },
    }


def test_apply_tells_created_configured_and_unchanged(client: Client) -> None:
    """On the client's side: the words are kubectl's, the patches are strategic merges."""
    words = ("--server-side=false",)
    assert client.apply(deployment(), words=words).out == "deployment.apps/web created\n"
    first = client.got("Deployment", "web")
    assert client.apply(deployment(), words=words).out == "deployment.apps/web unchanged\n"
    assert client.got("Deployment", "web") == first
    changed = client.apply(deployment(image="web:2", replicas=3), words=words)
    assert changed.out == "deployment.apps/web configured\n"
    now = client.got("Deployment", "web")
    assert now is not None
    assert now["metadata"]["generation"] == 2
    assert now["spec"]["replicas"] == 3
    [container] = now["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["ports"][0]["containerPort"]) == ("web:2", 80)


def test_fields_have_owners(client: Client) -> None:
    """Server-side apply: an unchanged object keeps its version, a field that is no longer applied
    goes, and what another manager owns is a conflict until it is forced."""
    assert client.apply(config_map("cm", a="1", b="1")).code == 0
    first = client.got("ConfigMap", "cm")
    assert client.apply(config_map("cm", a="1", b="1")).code == 0
    assert client.got("ConfigMap", "cm") == first
    client.apply(config_map("cm", a="1"))
    assert (client.got("ConfigMap", "cm") or {})["data"] == {"a": "1"}
    other = ("--server-side", "--field-manager=other")
    refused = client.apply(config_map("cm", a="2", c="1"), words=other)
    assert refused.code == 1
    assert 'Apply failed with 1 conflict: conflict with "kubectl": .data.a' in refused.err
    assert client.apply(config_map("cm", a="2"), words=(*other, "--force-conflicts")).code == 0
    now = client.got("ConfigMap", "cm") or {}
    assert now["data"] == {"a": "2"}
    assert [entry["manager"] for entry in now["metadata"]["managedFields"]] == ["other"]


def test_a_dry_run_stores_nothing(client: Client) -> None:
    """Neither what is new nor what would change; the answer has the defaults."""
    told = client.apply(deployment(), words=("--server-side", "--dry-run=server", "-o", "json"))
    [item] = told.json()["items"] if "items" in told.json() else [told.json()]
    assert item["spec"]["progressDeadlineSeconds"] == 600
    assert client.got("Deployment", "web") is None


def test_strict_fields_are_refused_as_the_server_says_it(client: Client) -> None:
    """Unknown fields, words for numbers and what cannot be."""
    misspelt = client.apply(deployment(replicaz=1), words=("--server-side=false",))
    assert 'strict decoding error: unknown field "spec.replicaz"' in misspelt.err
    typed = client.apply(deployment(replicas="two"))
    assert ".spec.replicas: expected numeric (int or float), got string" in typed.err
    client.apply(deployment())
    moved = client.apply(deployment(selector={"matchLabels": {"app": "x"}}))
    assert 'The Deployment "web" is invalid' in moved.err
    assert "field is immutable" in moved.err


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("namespace", "made-by-protobuf"), id="namespace"),
        pytest.param(("secret", "generic", "p", "--from-literal=a=b"), id="secret"),
        pytest.param(("deployment", "p", "--image=x:1", "--port=80"), id="deployment"),
        pytest.param(("job", "p", "--image=x:1"), id="job"),
        pytest.param(("service", "clusterip", "p", "--tcp=80:8080"), id="service"),
    ],
)
def test_kubectl_create_sends_protobuf(client: Client, words: tuple[str, ...]) -> None:
    """Which the server reads: what it says of the object is what was asked for."""
    made = client("create", *words, "-o", "json").json()
    assert made["metadata"]["name"] in ("p", "made-by-protobuf")
    expected: Body = {
        "Namespace": lambda: made["status"] == {"phase": "Active"},
        "Secret": lambda: made["data"] == {"a": "Yg=="},
        "Deployment": lambda: made["spec"]["template"]["spec"]["containers"][0]["image"] == "x:1",
        "Job": lambda: made["spec"]["template"]["spec"]["restartPolicy"] == "Never",
        "Service": lambda: made["spec"]["ports"][0]["targetPort"] == 8080,
    }
    assert expected[made["kind"]]()
    client.server.store.remove("Namespace", "made-by-protobuf")


def test_definitions_make_types_at_once(client: Client) -> None:
    """A CustomResourceDefinition is waited for, its type found, its schema kept to."""
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
    }
    names = {"kind": "Widget", "plural": "widgets", "singular": "widget"}
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
    }  # fmt: skip
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": names, "versions": [version],
        },
    }  # fmt: skip
    assert client.apply(crd).code == 0
    waited = client(
        "wait", "--for=condition=Established", "crd/widgets.example.com", "--timeout=5s"
    )
    assert waited.code == 0, waited.err
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
    assert client.apply({**widget, "spec": {"size": 1}}).code == 0
    assert client("get", "widgets", "-o", "name").out == "widget.example.com/w\n"
    wrong = client.apply({**widget, "spec": {"size": "big"}}, words=("--server-side=false",))
    assert "spec.size in body must be of type integer" in wrong.err


def test_lists_are_narrowed_and_paged(client: Client) -> None:
    """By labels, by fields, and page by page."""
    for name, colour in (("a", "red"), ("b", "blue"), ("c", "red")):
        body = config_map(name)
        body["metadata"] |= {"labels": {"colour": colour}, "namespace": client.namespace}
        client.server.store.add(body)
    paged = client("get", "cm", "-l", "colour in (red)", "--chunk-size=1", "-o", "name")
    assert paged.out.split() == ["configmap/a", "configmap/c"]
    pages = client.server.asked("GET", f"{client.namespace}/configmaps")
    assert [one.query.get("limit") for one in pages] == ["1", "1", "1"][: len(pages)]
    assert len(pages) >= 2
    only = client("get", "cm", "--field-selector", "metadata.name!=a", "-o", "name")
    assert only.out.split() == ["configmap/b", "configmap/c"]


def test_a_rollout_is_watched_over_watches_that_end(client: Client) -> None:
    """kubectl begins a new watch where the server closed the last one."""
    client.apply(deployment())
    client.server.expire_watch_after(0.3)

    def done(body: Body) -> None:
        counts = dict.fromkeys(
            ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1
        )
        body["status"] = {"observedGeneration": body["metadata"]["generation"], **counts}

    def watches() -> int:
        asked = client.server.asked("GET", f"{client.namespace}/deployments")
        return sum(one.query.get("watch") == "true" for one in asked)

    def finish() -> None:
        until(lambda: watches() > 1, "a second watch")
        client.server.store.edit("Deployment", "web", client.namespace, done)

    controller = threading.Thread(target=finish)
    controller.start()
    ended = client("rollout", "status", "deployment/web", "--timeout=10s")
    controller.join()
    assert ended.code == 0, ended.err
    assert watches() > 1


def test_deletion_is_as_finalizers_and_owners_have_it(client: Client) -> None:
    """A finalizer holds an object, dependents go with their owner, and all with the namespace."""
    store, home = client.server.store, client.namespace
    owner = store.add(config_map("owner") | {"metadata": {"name": "owner", "namespace": home}})
    reference = {
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"],
    }  # fmt: skip
    for name, more in (
        ("child", {"ownerReferences": [reference]}),
        ("held", {"finalizers": ["x/y"]}),
    ):
        store.add(config_map(name) | {"metadata": {"name": name, "namespace": home, **more}})
    client("delete", "configmap", "owner", "held", "--wait=false")
    assert client.got("ConfigMap", "child") is None
    assert "deletionTimestamp" in (client.got("ConfigMap", "held") or {})["metadata"]
    client("delete", "namespace", home, "--wait=false")
    assert (store.get("Namespace", home) or {})["status"]["phase"] == "Terminating"
    client("patch", "configmap", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert store.get("Namespace", home) is None


def test_who_is_refused_is_told_as_the_server_tells_it(client: Client) -> None:
    """401, 403, 404, and any Status that a test wants; warnings beside all answers."""
    assert "You must be logged in to the server" in client("--token=other", "get", "pods").err
    client.server.forbid("list", "secrets", namespace=client.namespace)
    assert (
        'secrets is forbidden: User "tester" cannot list resource "secrets" in API group "" in the '
        f'namespace "{client.namespace}"'
    ) in client("get", "secrets").err
    assert client("auth", "can-i", "list", "secrets").out == "no\n"
    assert "tester" in client("auth", "whoami").out
    assert 'configmaps "none" not found' in client("get", "configmap", "none").err
    full = ApiError(403, "Forbidden", 'pods "p" is forbidden: exceeded quota: small')
    client.server.refuse_with(full, verb="create", resource="pods", times=1)
    client.server.warnings.append("an old thing")
    assert "exceeded quota: small" in client("run", "p", "--image=x:1").err
    again = client("run", "p", "--image=x:1")
    assert again.out == "pod/p created\n"
    assert "Warning: an old thing" in again.err


def test_logs_events_and_tables_are_there_to_read(client: Client) -> None:
    """What a test put there, and columns that people know."""
    store, home = client.server.store, client.namespace
    pod = {"containers": [{"name": "main", "image": "x:1"}]}
    meta = {"name": "p", "namespace": home}
    store.add(
        {
            "apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod,
            "status": {
                "phase": "Running",
                "containerStatuses": [{"name": "main", "ready": True, "restartCount": 2}],
            },
        }
    )  # fmt: skip
    client.server.logs[home, "p", "main", True] = "first\nlast\n"
    assert client("logs", "p", "--previous", "--tail=1").out == "last\n"
    table = client("get", "pods").out.splitlines()
    assert table[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert table[1].split()[:4] == ["p", "1/1", "Running", "2"]


def test_prune_by_applyset_deletes_what_is_no_longer_applied(client: Client) -> None:
    """kubectl's own way, labels and annotations of the parent included."""
    words = ("--server-side", "--prune", "--applyset=configmaps/parent")
    assert client.apply(config_map("a"), config_map("b"), words=words).code == 0
    pruned = client.apply(config_map("a"), words=words)
    assert pruned.code == 0, pruned.err
    assert client.got("ConfigMap", "b") is None
    assert client.got("ConfigMap", "a") is not None


def test_helm_keeps_its_releases_there(client: Client) -> None:
    """Its Secrets come as protobuf; what it leaves behind is what it leaves in a real cluster."""
    templates = client.folder / "chart" / "templates"
    templates.mkdir(parents=True)
    (client.folder / "chart" / "Chart.yaml").write_text(
        "apiVersion: v2\nname: chart\nversion: 0.1.0\n", encoding="utf-8"
    )
    template = {**deployment(), "spec": {**deployment()["spec"], "replicas": "REPLICAS"}}
    (templates / "all.yaml").write_text(
        json.dumps(template).replace('"REPLICAS"', "{{ .Values.size }}"), encoding="utf-8"
    )

    def helm(*words: str) -> Ended:
        return client(*words, program="helm")

    upgrade = ("upgrade", "--install", "web", "./chart", "--set")
    assert "STATUS: deployed" in helm(*upgrade, "size=1").out
    assert helm(*upgrade, "size=2").code == 0
    assert (client.got("Deployment", "web") or {})["spec"]["replicas"] == 2
    never_ready = helm(*upgrade, "size=3", "--wait", "--timeout=1s")
    assert "context deadline exceeded" in never_ready.err
    assert helm("rollback", "web", "1").code == 0
    [*_, failed, last] = json.loads(helm("history", "web", "-o", "json").out)
    assert (failed["status"], last["status"]) == ("failed", "deployed")
    assert (client.got("Deployment", "web") or {})["spec"]["replicas"] == 1
    assert helm("uninstall", "web").code == 0
    assert client.got("Deployment", "web") is None


@pytest.mark.parametrize(
    ("certificate", "told"),
    [
        pytest.param("expired", "certificate has expired", id="expired"),
        pytest.param("other-name", "certificate is valid for 10.0.0.1", id="other-name"),
        pytest.param("good", "signed by unknown authority", id="other-authority"),
    ],
)
def test_a_certificate_that_nobody_may_accept_is_not_accepted(
    tmp_path: Path, certificate: Certificate, told: str
) -> None:
    """Real TLS: its failures can be tried, too."""
    known = Caller(name="tester")
    signs = Authority("another") if certificate == "good" else the_authority()
    with KubeServer({TOKEN: known}.get, certificate=certificate, authority=signs) as running:
        kubeconfig = running.kubeconfig({"token": TOKEN})
        trusted = kubeconfig["clusters"][0]["cluster"]
        trusted["certificate-authority-data"] = coded(the_authority().pem)
        (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig), encoding="utf-8")
        refused = Client(running, tmp_path, "default")("get", "--raw", "/version")
        assert refused.code == 1
        assert told in refused.err
        assert running.requests == []


def test_client_certificates_are_identities(server: KubeServer, tmp_path: Path) -> None:
    """The common name is the user, as clusters have it."""
    shown = server.authority.client("someone", "builders")
    user = {
        "client-certificate-data": coded(shown.certificate),
        "client-key-data": coded(shown.key),
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(server.kubeconfig(user)), encoding="utf-8")
    assert "someone" in Client(server, tmp_path, "default")("auth", "whoami").out
