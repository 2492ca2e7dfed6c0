"""No secret of a Kubernetes step leaves: objects, values and tokens hold some wherever they can,
and all that a run shows, leaves and gives to its processes is searched."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from calamari_py.sandbox import Sandbox
from tests.integration.conftest import Calamari
from tests.kube.charts import statuses, write_chart
from tests.kube.cluster import SESSIONS, Cluster, Kube, cluster, deployment, kube, secret
from tests.real_terraform.aws import RecordingAws
from tests.real_terraform.room import Ended
from tests.real_terraform.search import ProcessWatch, files_below, found_in

__all__ = ["cluster", "kube"]

pytestmark = [pytest.mark.process, pytest.mark.sandbox, pytest.mark.slow(6)]

TYPED = "typed-into-a-manifest-8c1d22"
GIVEN = "Pa55w0rd/with+odd=chars&quotes"
CODED = "in-base64-77aa31c9-and-more"
CHARTED = "generated-by-a-chart-5e0b1"
QUICK = {"timeout": "30s", "stable_for": 0, "fail_after": 1}


@dataclass(frozen=True, slots=True)
class Traces:
    """All that a run has left, and what its processes were given."""

    ended: Ended
    places: Mapping[str, bytes]
    secrets: Mapping[str, str] = field(repr=False)

    def found(self) -> list[tuple[str, str]]:
        """Each secret that is somewhere, and where."""
        return sorted(found_in(self.secrets, self.places))


@dataclass(frozen=True, slots=True)
class Leaker:
    """A cluster and its step; what the author wrote lies `outside`, where nobody searches."""

    cluster: Cluster
    aws: RecordingAws

    @property
    def outside(self) -> Path:
        return self.cluster.folder.parent / "outside"

    def manifest(self, kind: str, section: Mapping[str, Any]) -> None:
        """The step, with a secret from a file of the author's."""
        given = {"from_file": str(self.outside / "given"), "sensitive": True}
        self.cluster.manifest(kind, section, variables={"Given": given})

    def run(self, *arguments: str) -> Traces:
        """One run, watched; then everything that is there is read."""
        cluster = self.cluster
        cluster.kube.tokens.clear()
        process = cluster.start(*arguments, env={"AWS_ENDPOINT_URL": self.aws.url})
        try:
            with ProcessWatch(process.pid) as watch:
                out, err = process.communicate(timeout=90)
        finally:
            process.kill()
            process.wait()
        ended = cluster.ended(process.returncode, out.decode(), err.decode())
        places = {"stdout": out, "stderr": err, **watch.arguments, **watch.environments}
        secrets = {"typed": TYPED, "given": GIVEN, "coded": CODED, "charted": CHARTED}
        for number, session in enumerate(self.aws.sessions):
            secrets |= {f"key {number}": session.secret, f"session {number}": session.token}
            # The token of a cluster is the base64 of a URL.
            secrets[f"session {number} in a URL"] = quote(session.token, safe="-_.~")
        # The front of a token is the same for all.
        secrets |= {f"token {n}": token[-80:] for n, token in enumerate(cluster.kube.tokens)}
        assert len(secrets) > 6
        return Traces(ended, {**places, **self.files()}, secrets)

    def files(self) -> dict[str, bytes]:
        """What lies where a run may leave anything."""
        environ = self.cluster.calamari.environment
        private = [Path(environ[name]) for name in ("TMPDIR", "HOME")]
        files = files_below(self.cluster.folder, *private, self.cluster.memory)
        files.pop(str(self.cluster.folder / "outputs.json"), None)
        return files


@pytest.fixture
def leaker(cluster: Cluster, kube: Kube, sandbox: Sandbox, launched: Calamari) -> Iterator[Leaker]:
    with RecordingAws(sandbox.endpoint) as aws:
        made = Leaker(replace(cluster, calamari=launched), aws)
        made.outside.mkdir()
        (made.outside / "given").write_text(GIVEN)
        yield made


def test_secrets_among_objects(leaker: Leaker) -> None:
    """Applied; compared and applied on the client's side, which quotes them in annotations."""
    cluster = leaker.cluster
    own = secret("web", typed=TYPED, given="{{ Given }}")
    own["data"] = {"coded": base64.b64encode(CODED.encode()).decode()}
    broken = deployment("web", "crash:1")
    env = [{"name": "PASSWORD", "value": TYPED}]
    broken["spec"]["template"]["spec"]["containers"][0]["env"] = env
    (leaker.outside / "web.yaml").write_text("\n---\n".join(map(json.dumps, (own, broken))))
    section = {"files": [str(leaker.outside / "web.yaml")], "render": True, "wait": QUICK}
    leaker.manifest("kubectl", section)

    failed = leaker.run("--verbose")
    assert failed.ended.code == 1, failed.ended.text
    assert "CrashLoopBackOff" in failed.ended.text
    assert any(b"kubectl" in text for text in failed.places.values())
    assert failed.found() == []
    (told,) = (each for each in failed.ended.details["objects"] if each["kind"] == "Secret")
    assert told["keys"] == ["coded", "given", "typed"]

    own["stringData"]["typed"] = "another-one-typed-1f"
    (leaker.outside / "web.yaml").write_text(json.dumps(own))
    leaker.manifest("kubectl", {**section, "server_side": False})
    for arguments in (["--action", "diff", "--format", "json"], []):
        ran = leaker.run(*arguments)
        assert ran.ended.code == 0, ran.ended.text
        assert ran.found() == []
        assert "another-one-typed-1f" not in ran.ended.text
    stored = cluster.get("Secret", "web")
    assert stored is not None
    assert base64.b64decode(stored["data"]["given"]).decode() == GIVEN


def test_secrets_of_a_release(leaker: Leaker) -> None:
    """Values, what a chart makes of them, and a release that fails and goes back."""
    cluster = leaker.cluster
    write_chart(leaker.outside / "chart", password=CHARTED)
    own = {"release": "web", "chart": str(leaker.outside / "chart"), "wait": QUICK}
    leaker.manifest("helm", {**own, "wait": False})
    first = leaker.run("--verbose")
    assert first.ended.code == 0, first.ended.text
    assert first.found() == []

    values = {"set": {"password": "{{ Given }}"}, "values": [{"image": "bad:1"}]}
    leaker.manifest("helm", {**own, **values})
    failed = leaker.run("--format", "json")
    assert failed.ended.code == 1, failed.ended.text
    assert "ImagePullBackOff" in failed.ended.text
    assert any(b"helm" in text for text in failed.places.values())
    assert failed.found() == []
    revisions = statuses(cluster.kube.server.store, cluster.namespace)
    assert revisions == {1: "superseded", 2: "failed", 3: "deployed"}
    stored, web = cluster.get("Secret", "web"), cluster.get("Deployment", "web")
    assert stored is not None
    assert base64.b64decode(stored["data"]["password"]).decode() == CHARTED
    assert web is not None
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"


def test_a_script(leaker: Leaker) -> None:
    """One line is enough: the context is set, and the token is the role's. The kubeconfig is
    private, and what its exec plugin is started with says which cluster, and nothing else."""
    copy = leaker.outside / "kubeconfig"
    # Of another cluster: the end of a token is its signature, which is shown, and which nobody can
    # use who has not the session.
    token = "eks-token --cluster-name other --region us-east-1"
    script = (
        f'stat -c %a "$KUBECONFIG"; cp "$KUBECONFIG" {copy}; kubectl get configmaps; '
        f'echo "$("$CALAMARI_PYTHON" -m calamari_py {token})"'
    )
    leaker.cluster.kube.server.store.add({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "seen", "namespace": leaker.cluster.namespace},
    })  # fmt: skip
    leaker.cluster.manifest("kubectl", {"script": f"{script} && set_output Done yes"})
    ran = leaker.run()
    assert ran.ended.code == 0, ran.ended.text
    assert ran.ended.out.startswith("600\n")
    assert "seen" in ran.ended.out
    assert re.search(r'"token": "k8s-aws-v1[^"]*\*\*\*', ran.ended.out)
    assert ran.ended.output("Done") == "yes"
    assert all(caller.startswith(SESSIONS) for caller in leaker.cluster.callers())
    assert list(found_in(ran.secrets, {"kubeconfig": copy.read_bytes()})) == []
    assert b"eks-token" in copy.read_bytes()
    assert ran.found() == []
