"""The real kubectl and helm with a kubeconfig of ours, in front of a real TLS server."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from calamari_py.steps.kubernetes.access.access import Access
from calamari_py.steps.kubernetes.access.failures import read_failure
from calamari_py.steps.kubernetes.spec import ClusterSpec
from tests.kube.server import Caller, KubeServer
from tests.steps.kubernetes.access.support import PEM, opened
from tests.steps.kubernetes.world import KubeWorld
from tests.tools import require_tool

pytestmark = [pytest.mark.process, pytest.mark.socket]

KEYS = {"AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "s3cret/s3cret+s"}
SHOWN: list[str] = []


def identify(token: str) -> Caller | None:
    """Whoever signed with the step's key; nobody else."""
    SHOWN.append(token)
    url = base64.urlsafe_b64decode(token.removeprefix("k8s-aws-v1.") + "==").decode()
    signer = parse_qs(urlsplit(url).query)["X-Amz-Credential"][0].partition("/")[0]
    return Caller(name=signer) if signer == KEYS["AWS_ACCESS_KEY_ID"] else None


@pytest.fixture(scope="module")
def server() -> Iterator[KubeServer]:
    """One cluster for all of them."""
    with KubeServer(identify, namespaces=("app",)) as running:
        yield running


def reached(folder: Path, server: KubeServer, *, authority: str = "") -> Access:
    """The access of a step that runs as whoever has `KEYS`."""
    spec = ClusterSpec(
        way="eks", eks="blue", server=server.url, authority=(authority or server.ca_pem).encode()
    )
    world = KubeWorld(folder)
    access = opened(world, spec)
    return replace(access, environment={**access.environment, **KEYS})


def run(
    access: Access, *words: str, program: str = "kubectl", **changes: str
) -> subprocess.CompletedProcess[bytes]:
    """One command of it."""
    return subprocess.run(
        [require_tool(program), *words],
        env={**access.environment, **changes},
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("program", "words"),
    [("kubectl", ("get", "configmaps", "-o", "name")), ("helm", ("list", "--short"))],
)
def test_they_come_as_the_step(
    program: str, words: tuple[str, ...], server: KubeServer, tmp_path: Path
) -> None:
    """The plugin signs with the step's keys, and neither needs anything else."""
    ended = run(reached(tmp_path, server), *words, program=program)
    assert (ended.returncode, ended.stderr) == (0, b"")


# kubectl asks five times before it gives up: Helm says the same at once.
def test_a_stranger_is_a_401(server: KubeServer, tmp_path: Path) -> None:
    """As it is read from what they write."""
    ended = run(reached(tmp_path, server), "list", program="helm", AWS_ACCESS_KEY_ID="ASIASTRANGER")
    failure = read_failure(ended.stderr)
    assert failure is not None
    assert failure.kind == "unauthorized"


def test_without_keys_the_plugin_says_why(server: KubeServer, tmp_path: Path) -> None:
    """Its own words, whatever Helm makes of them."""
    ended = run(reached(tmp_path, server), "list", program="helm", AWS_ACCESS_KEY_ID="")
    failure = read_failure(ended.stderr)
    assert failure is not None
    assert failure.kind == "plugin"
    assert failure.text.startswith("there are no credentials of a step here")


def test_another_authority_is_not_trusted(server: KubeServer, tmp_path: Path) -> None:
    """No token is sent to a server that does not prove who it is."""
    SHOWN.clear()
    ended = run(reached(tmp_path, server, authority=PEM), "get", "pods")
    failure = read_failure(ended.stderr)
    assert failure is not None
    assert failure.kind == "tls"
    assert SHOWN == []
