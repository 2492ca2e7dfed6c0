"""A kubectl step with the real kubectl, against a cluster that knows who calls it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest

from calamari_py.sandbox import Sandbox
from tests.kube.cluster import (
    ROLE,
    SESSIONS,
    Cluster,
    Kube,
    cluster,
    config_map,
    deployment,
    kube,
    running_kube,
    secret,
)

__all__ = ["cluster", "kube"]

pytestmark = [pytest.mark.process, pytest.mark.sandbox, pytest.mark.preloaded]

SETTINGS = {"files": ["k8s"], "wait": {"timeout": "20s", "stable_for": 0, "fail_after": 1}}


def actions(details: object) -> dict[str, str]:
    """What became of each object, by kind and name."""
    assert isinstance(details, dict)
    return {f"{each['kind']}/{each['name']}": each["action"] for each in details["objects"]}


@pytest.mark.slow(8)
def test_objects_from_nothing_to_nothing(cluster: Cluster) -> None:
    """Looked at, applied, altered, pruned and deleted, as the role and as nobody else."""
    before = [deployment("web"), config_map("settings", colour="red"), config_map("goes")]
    cluster.write("k8s/web.json", *before)
    section = {**SETTINGS, "prune": {"applyset": "configmaps/web"}}
    cluster.manifest("kubectl", section)

    looked = cluster.run("--dry-run")
    assert looked.code == 0, looked.text
    assert cluster.get("Deployment", "web") is None
    assert (looked.result["changed"], looked.result["pending"]) == (None, True)

    made = cluster.run()
    assert made.code == 0, made.text
    assert actions(made.details) == dict.fromkeys(
        ("Deployment/web", "ConfigMap/settings", "ConfigMap/goes", "ConfigMap/web"), "created"
    )
    assert made.details["cluster"]["name"] == "demo"
    assert made.result["changed"] is True
    web = cluster.get("Deployment", "web")
    assert web is not None
    assert web["status"]["availableReplicas"] == 1

    cluster.write("k8s/web.json", deployment("web"), config_map("settings", colour="blue"))
    altered = cluster.run()
    assert altered.code == 0, altered.text
    assert actions(altered.details) == {
        "Deployment/web": "unchanged", "ConfigMap/settings": "configured",
        "ConfigMap/goes": "pruned",
    }  # fmt: skip
    assert cluster.get("ConfigMap", "goes") is None

    gone = cluster.run("--action", "delete")
    assert gone.code == 0, gone.text
    assert actions(gone.details) == {
        "Deployment/web": "deleted", "ConfigMap/settings": "deleted", "ConfigMap/web": "kept",
    }  # fmt: skip
    assert cluster.get("Deployment", "web") is None

    callers = cluster.callers()
    assert callers
    assert all(caller.startswith(SESSIONS) for caller in callers)
    assert {each.name for each in cluster.kube.eks.described} == {"demo"}


@pytest.mark.slow(2)
def test_a_definition_is_waited_for(cluster: Cluster) -> None:
    """A namespace, a definition and an object of it come in one step, whatever their order."""
    name = f"db{cluster.namespace[3:]}"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{name}s.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"kind": name.title(), "plural": f"{name}s", "singular": name},
            "versions": [{
                "name": "v1", "served": True, "storage": True, "schema": {
                    "openAPIV3Schema": {
                        "type": "object", "x-kubernetes-preserve-unknown-fields": True,
                    },
                },
            }],
        },
    }  # fmt: skip
    own = {
        "apiVersion": "example.com/v1", "kind": name.title(),
        "metadata": {"name": "orders", "namespace": f"{cluster.namespace}-own"}, "spec": {},
    }  # fmt: skip
    namespace = {
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{cluster.namespace}-own"},
    }  # fmt: skip
    cluster.write("k8s/a.json", own, definition, namespace)
    cluster.manifest("kubectl", SETTINGS)
    ran = cluster.run()
    assert ran.code == 0, ran.text
    assert set(actions(ran.details).values()) == {"created"}


@pytest.mark.slow(2)
def test_a_part_that_is_refused(cluster: Cluster) -> None:
    """Each object says what became of it, and why; the cure is named."""
    server = cluster.kube.server
    server.forbid("*", "secrets", namespace=cluster.namespace)
    cluster.write("k8s/a.json", config_map("web"), secret("web", password="Pa55w0rd-9c1"))
    cluster.manifest("kubectl", SETTINGS)
    ran = cluster.run()
    server.rights.allow_all()
    assert ran.code == 1, ran.text
    assert actions(ran.details) == {"ConfigMap/web": "created", "Secret/web": "failed"}
    assert "secrets" in ran.err
    assert cluster.namespace in ran.err
    assert "Pa55w0rd-9c1" not in ran.text


def test_a_cluster_that_does_not_know_the_role(cluster: Cluster) -> None:
    """The message names who called, and the line that lets the role in."""
    kube = cluster.kube
    known = kube.eks.clusters["us-east-1", "demo"]
    # A token for one cluster is good for no other.
    kube.eks.add(dataclasses.replace(known, name="stranger"))
    cluster.write("k8s/a.json", config_map("web"))
    cluster.manifest("kubectl", {**SETTINGS, "cluster": {"eks": "stranger"}})
    ran = cluster.run()
    assert ran.code == 1, ran.text
    assert SESSIONS in ran.err
    line = f"aws eks create-access-entry --cluster-name stranger --principal-arn {ROLE}"
    assert line in " ".join(ran.err.split())


def test_a_cluster_that_is_not_for_this_step(cluster: Cluster) -> None:
    """It is in another account: nothing is asked of its API server."""
    eks = cluster.kube.eks
    known = eks.clusters["us-east-1", "demo"]
    eks.add(dataclasses.replace(known, name="wrong", account="222222222222"))
    cluster.write("k8s/a.json", config_map("web"))
    cluster.manifest("kubectl", {**SETTINGS, "cluster": {"eks": "wrong"}})
    ran = cluster.run()
    assert (ran.code, "222222222222" in ran.err) == (77, True), ran.text
    assert cluster.kube.server.requests == []


def test_a_cluster_that_is_not_there(cluster: Cluster) -> None:
    """The region and the account that were asked are named."""
    cluster.write("k8s/a.json", config_map("web"))
    cluster.manifest("kubectl", {**SETTINGS, "cluster": {"eks": "none"}})
    ran = cluster.run()
    assert ran.code == 1, ran.text
    assert "'none'" in ran.err
    assert "us-east-1" in ran.err
    assert "111111111111" in ran.err


@pytest.mark.slow(2)
def test_the_callers_own_settings_decide_nothing(cluster: Cluster) -> None:
    """Another context, another differ, another HOME with a context: all are left alone. Nor is EKS
    asked where server and certificate are in the manifest."""
    outside = cluster.folder.parent / "outside"
    (outside / ".kube").mkdir(parents=True)
    trap = {
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "x"}}],
    }  # fmt: skip
    for name in ("kc", ".kube/config"):
        (outside / name).write_text(json.dumps(trap))
    server = cluster.kube.server
    cluster.kube.eks.described.clear()
    (cluster.folder / "ca.pem").write_text(server.ca_pem)
    own = {"eks": "demo", "server": server.url, "certificate_authority": "ca.pem"}
    cluster.write("k8s/a.json", config_map("web"))
    cluster.manifest("kubectl", {**SETTINGS, "wait": False, "cluster": own})
    ran = cluster.run(
        env={
            "KUBECONFIG": str(outside / "kc"), "HOME": str(outside), "KUBECACHEDIR": str(outside),
            "KUBECTL_EXTERNAL_DIFF": "false", "KUBERC": str(outside / "kc"),
            "HELM_NAMESPACE": "elsewhere", "HELM_KUBEAPISERVER": "https://127.0.0.1:9",
        }
    )  # fmt: skip
    assert ran.code == 0, ran.text
    assert sorted(path.name for path in outside.rglob("*") if path.is_file()) == ["config", "kc"]
    assert (outside / "kc").read_text() == json.dumps(trap)
    assert all(caller.startswith(SESSIONS) for caller in cluster.callers())
    assert cluster.kube.eks.described == []


@pytest.fixture(scope="module")
def second(kube: Kube, sandbox: Sandbox) -> Iterator[Kube]:
    """Another cluster beside the first."""
    with running_kube(sandbox, kube.eks, name="second") as running:
        yield running


@pytest.mark.slow(4)
def test_two_steps_at_once(cluster: Cluster, second: Kube) -> None:
    """One folder, one user, two clusters: each object is where it belongs."""
    second.server.add_namespace(cluster.namespace)
    second.server.requests.clear()
    both = [cluster, dataclasses.replace(cluster, kube=second)]
    started = []
    for each in both:
        each.write(f"{each.kube.name}/a.json", config_map(each.kube.name))
        each.manifest("kubectl", {"files": [each.kube.name], "wait": False})
        step = cluster.folder / f"{each.kube.name}.yaml"
        (cluster.folder / "step.yaml").rename(step)
        started.append(cluster.calamari.start(["run", str(step)], env=each.env()))
    ended = [(process.communicate(timeout=60), process.returncode) for process in started]
    assert [code for _, code in ended] == [0, 0], ended
    for each, other in (both, both[::-1]):
        assert each.get("ConfigMap", each.kube.name) is not None
        assert each.get("ConfigMap", other.kube.name) is None
        assert all(caller.startswith(SESSIONS) for caller in each.callers())
