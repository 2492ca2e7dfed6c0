"""The same steps on a real cluster: `CALAMARI_TEST_KUBECONFIG` names a kubeconfig that may make and
delete namespaces, `CALAMARI_TEST_CONTEXT` one of its contexts. Without them all is skipped."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Calamari
from tests.kube.cluster import config_map, deployment, path_with_tools

KUBECONFIG = os.environ.get("CALAMARI_TEST_KUBECONFIG", "")
CONTEXT = os.environ.get("CALAMARI_TEST_CONTEXT", "")
IMAGE = os.environ.get("CALAMARI_TEST_IMAGE", "registry.k8s.io/pause:3.9")

pytestmark = [
    pytest.mark.process,
    pytest.mark.sandbox,
    pytest.mark.slow(60),
    pytest.mark.skipif(
        not KUBECONFIG, reason="no real cluster: CALAMARI_TEST_KUBECONFIG names no kubeconfig"
    ),
]

TEMPLATES = Path(__file__).parents[2] / "step-templates" / "templates"
WAIT = {"timeout": "3m", "stable_for": "2s", "fail_after": "20s"}


class Real:
    """A step in a namespace of its own, which is gone at the end."""

    def __init__(self, calamari: Calamari) -> None:
        self.calamari = calamari
        self.namespace = f"calamari-test-{uuid.uuid4().hex[:8]}"

    def run(
        self, kind: str, section: Mapping[str, Any], *arguments: str
    ) -> tuple[int, dict[str, Any], str]:
        """Exit code, result and text of a step."""
        cluster = {"kubeconfig": KUBECONFIG, **({"context": CONTEXT} if CONTEXT else {})}
        own = {"cluster": cluster, "namespace": self.namespace}
        step = {"name": "real", "region": "us-east-1", kind: {**own, **section}}
        (self.calamari.folder / "step.yaml").write_text(json.dumps(step))
        ran = self.calamari(
            "run", "step.yaml", "--result", "result.json", *arguments,
            env={"PATH": path_with_tools()}, timeout=300,
        )  # fmt: skip
        result = json.loads((self.calamari.folder / "result.json").read_text())
        return ran.code, result, ran.out + ran.err


@pytest.fixture
def real(launched: Calamari) -> Iterator[Real]:
    made = Real(launched)
    (launched.folder / "ns.json").write_text(
        json.dumps({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made.namespace},
        })
    )  # fmt: skip
    made.run("kubectl", {"files": ["ns.json"], "namespace": "default"})
    yield made
    own = {"files": ["ns.json"], "namespace": "default", "delete_namespaces": True, "wait": False}
    made.run("kubectl", {**own, "action": "delete"})


def test_objects(real: Real) -> None:
    """Applied, found unchanged, and deleted."""
    bodies = [config_map("web", colour="red"), deployment("web", IMAGE)]
    (real.calamari.folder / "web.yaml").write_text("\n---\n".join(map(json.dumps, bodies)))
    section = {"files": ["web.yaml"], "wait": WAIT}
    for wanted in ("created", "unchanged"):
        code, result, text = real.run("kubectl", section)
        assert code == 0, text
        assert {each["action"] for each in result["details"]["objects"]} == {wanted}, text
    code, _, text = real.run("kubectl", {**section, "action": "delete"})
    assert code == 0, text


def test_an_image_that_is_not_there(real: Real) -> None:
    """It fails early, and the reason is told."""
    body = deployment("web", "registry.invalid/none:1")
    (real.calamari.folder / "web.yaml").write_text(json.dumps(body))
    code, _, text = real.run("kubectl", {"files": ["web.yaml"], "wait": WAIT})
    assert code == 1, text
    assert "ImagePull" in text


def test_a_release(real: Real) -> None:
    """Installed, upgraded into a failure that is rolled back, and uninstalled."""
    name, _, tag = IMAGE.rpartition(":")
    own = {"release": "web", "chart": str(TEMPLATES / "chart"), "wait": WAIT}
    values = {"image": {"name": name, "tag": tag}}
    code, _, text = real.run("helm", {**own, "values": [values]})
    assert code == 0, text
    code, result, text = real.run(
        "helm", {**own, "values": [{"image": {"name": "registry.invalid/none", "tag": "1"}}]}
    )
    assert code == 1, text
    assert result["details"]["release"]["status"] == "deployed", text
    code, _, text = real.run("helm", {**own, "action": "uninstall"})
    assert code == 0, text
