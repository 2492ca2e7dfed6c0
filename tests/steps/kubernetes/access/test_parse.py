"""The section ``cluster``: one way to one cluster, or every problem with its place."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from calamari_py.errors import FileMissing, ManifestError
from calamari_py.steps._checks import Checks
from calamari_py.steps.kubernetes.access.parse import read_cluster, roles_of, secrets_of
from calamari_py.steps.kubernetes.sections import ClusterSection
from calamari_py.steps.kubernetes.spec import ClusterSpec
from calamari_py.templates import LATE_TEXT
from tests.steps.kubernetes.access.support import KUBECONFIG, PEM, PEM_BASE64, SERVER
from tests.steps.kubernetes.world import KubeWorld

SENSITIVE = {"sensitive": lambda place: place == "kubectl.cluster.token"}


def read(
    folder: Path, section: Mapping[str, Any], **changes: Any
) -> tuple[ClusterSpec | None, Checks]:
    """The spec and what was said of it."""
    world = KubeWorld(folder)
    world.writes("ca.crt", PEM)
    world.writes("kube/config", KUBECONFIG)
    context = world.parse_context(**{**SENSITIVE, **changes})
    checks = Checks(context)
    return read_cluster(msgspec.convert(dict(section), ClusterSection), checks, context), checks


def good(folder: Path, **section: Any) -> ClusterSpec:
    """The spec of a section that is right."""
    spec, checks = read(folder, section)
    assert [problem.message for problem in checks.found.problems] == []
    assert spec is not None
    return spec


def test_eks_by_name(tmp_path: Path) -> None:
    """No more than a name is needed."""
    spec = good(tmp_path, eks="blue")
    assert (spec.way, spec.eks, spec.region, spec.server, spec.authority) == (
        "eks", "blue", "", "", None,
    )  # fmt: skip


@pytest.mark.parametrize(
    "authority", [PEM, PEM_BASE64, PEM_BASE64 + "\n", "ca.crt"], ids=["pem", "base64", "nl", "path"]
)
def test_an_authority_in_every_form(authority: str, tmp_path: Path) -> None:
    """It is PEM afterwards, and a server loses its last slash."""
    spec = good(tmp_path, eks="blue", server=f"{SERVER}/", certificate_authority=authority)
    assert spec.authority is not None
    assert spec.authority.strip() == PEM.strip().encode()
    assert spec.server == SERVER


def test_a_server_with_a_token(tmp_path: Path) -> None:
    """The token is a secret, and in no repr."""
    spec = good(tmp_path, server=SERVER, certificate_authority=PEM, token="t0ken-secret")
    assert spec.way == "server"
    assert list(secrets_of(spec)) == [("cluster.token", "t0ken-secret")]
    assert "t0ken-secret" not in repr(spec)


def test_a_kubeconfig_becomes_one_context(tmp_path: Path) -> None:
    """Its own paths are absolute, and everything else of the file is left behind."""
    spec = good(tmp_path, kubeconfig="kube/config")
    config = json.loads(spec.config)
    (cluster,), (user,) = config["clusters"], config["users"]
    assert (spec.context, config["current-context"]) == ("prod", "calamari")
    assert cluster["cluster"] == {
        "server": "https://prod.example.test",
        "certificate-authority": str(tmp_path / "kube/ca/prod.crt"),
    }
    assert user["user"]["exec"]["command"] == str(tmp_path / "kube/bin/token")
    assert user["user"]["exec"]["interactiveMode"] == "Never"
    assert config["contexts"][0]["context"]["namespace"] == "shop"
    assert "static-t0ken" not in spec.config.decode()


def test_a_kubeconfigs_plugin_has_the_steps_identity(tmp_path: Path) -> None:
    """What would select another is left out or told; a role it assumes is the policy's to judge."""
    spec, checks = read(tmp_path, {"kubeconfig": "kube/config"})
    assert spec is not None
    names = [each["name"] for each in json.loads(spec.config)["users"][0]["user"]["exec"]["env"]]
    assert names == ["AWS_REGION", "API_KEY"]
    assert any("AWS_PROFILE" in warning for warning in checks.warnings)
    assert any("role/Other" in warning for warning in checks.warnings)
    assert list(roles_of(spec)) == [("cluster.kubeconfig", "arn:aws:iam::222222222222:role/Other")]
    assert ("API_KEY of the kubeconfig", "plugin-s3cret") in secrets_of(spec)


def test_files_of_a_kubeconfigs_user(tmp_path: Path) -> None:
    """They are found from everywhere."""
    spec = good(tmp_path, kubeconfig="kube/config", context="certified")
    assert json.loads(spec.config)["users"][0]["user"] == {
        "client-certificate": str(tmp_path / "kube/me.crt"),
        "client-key": "/etc/me.key",
        "tokenFile": str(tmp_path / "kube/run/token"),
    }


def test_a_static_token_is_hidden(tmp_path: Path) -> None:
    """Also where nobody said that it is one."""
    spec = good(tmp_path, kubeconfig="kube/config", context="dev")
    assert [value for _, value in secrets_of(spec)] == ["static-t0ken"]
    assert "static-t0ken" not in repr(spec)


def test_all_that_a_kubeconfig_proves_itself_by_is_hidden(tmp_path: Path) -> None:
    """By name; a key also as the PEM that it is in base64. Settings are no secrets."""
    key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIKey\n-----END EC PRIVATE KEY-----\n"
    coded = base64.b64encode(key.encode()).decode()
    env = [{"name": name, "value": f"of {name}"} for name in ("AWS_REGION", "OIDC_SECRET", "LEVEL")]
    provider = {"id-token": "i", "refresh-token": "r", "client-secret": "c", "client-id": "me"}
    user = {
        "password": "p", "client-key-data": coded, "auth-provider": {"config": provider},
        "exec": {"command": "get-token", "env": env},
    }  # fmt: skip
    cluster = {"server": SERVER, "proxy-url": "http://me:p%2Fw@proxy.test:3128"}
    one = {"name": "one"}
    config = {
        "current-context": "one",
        "contexts": [{**one, "context": {"cluster": "one", "user": "one"}}],
        "clusters": [{**one, "cluster": cluster}],
        "users": [{**one, "user": user}],
    }
    (tmp_path / "mine").write_text(json.dumps(config))
    spec = good(tmp_path, kubeconfig="mine")
    assert {value for _, value in secrets_of(spec)} == {
        "p", coded, key, "i", "r", "c", "of OIDC_SECRET", "p%2Fw", "p/w",
    }  # fmt: skip


def test_no_private_key_comes_with_an_authority(tmp_path: Path) -> None:
    """Of a PEM that holds both, the kubeconfig has the certificates."""
    key = "-----BEGIN PRIVATE KEY-----\nMHcCAQEEIKey\n-----END PRIVATE KEY-----\n"
    spec = good(
        tmp_path, eks="blue", server=SERVER, certificate_authority=f"{PEM}{key}my own\n{PEM}"
    )
    assert spec.authority == (PEM + PEM).encode()


def test_in_cluster_is_not_the_steps_role(tmp_path: Path) -> None:
    """Whoever expects that it is, is told."""
    spec, checks = read(tmp_path, {"in_cluster": True})
    assert spec is not None
    assert spec.way == "in-cluster"
    assert "not as the step's role" in checks.warnings[0]


def test_what_is_not_known_yet_is_no_problem(tmp_path: Path) -> None:
    """Late variables are fetched with the step's credentials; the section is read again then."""
    late = {"eks": LATE_TEXT, "server": LATE_TEXT, "certificate_authority": LATE_TEXT}
    assert good(tmp_path, **late).authority is None
    spec = good(tmp_path, server=SERVER, certificate_authority=PEM, token=LATE_TEXT)
    assert list(secrets_of(spec)) == []


BAD = [
    pytest.param({}, "cluster", "names no cluster", id="nothing"),
    pytest.param({"region": "eu-west-1"}, "cluster", "names no cluster", id="a-region-alone"),
    pytest.param({"eks": "a", "in_cluster": True}, "cluster", "names 2 clusters", id="two"),
    pytest.param({"eks": "a", "token": "t"}, "cluster.token", "does not go with eks", id="token"),
    pytest.param({"eks": "a", "context": "c"}, "cluster.context", "does not go", id="context"),
    pytest.param({"in_cluster": True, "region": "eu-west-1"}, "cluster.region", "does not go with"
                 " in_cluster", id="region"),
    pytest.param({"eks": "a", "server": SERVER}, "cluster.certificate_authority", "go together",
                 id="half"),
    pytest.param({"server": SERVER, "certificate_authority": PEM}, "cluster.token", "is missing",
                 id="no-token"),
    pytest.param({"eks": "arn:aws:eks:eu-west-1:1:cluster/x"}, "cluster.eks", "no name", id="arn"),
    *(
        pytest.param({"eks": "a", "server": server, "certificate_authority": PEM},
                     "cluster.server", "no address", id=server or "blank")
        for server in ("", "http://x", "x:443", "https://u:p@x", "https://x?a", "https://x:99999",
                       "https://x y", "https://")
    ),
    pytest.param({"eks": "a", "server": SERVER, "certificate_authority": "-----BEGIN x"},
                 "cluster.certificate_authority", "no certificate", id="no-pem"),
    pytest.param({"eks": "a", "server": SERVER, "certificate_authority": " "},
                 "cluster.certificate_authority", "is blank", id="blank-ca"),
    pytest.param({"kubeconfig": "kube/config", "context": "x"}, "cluster.context",
                 "has no context 'x'", id="no-context"),
    pytest.param({"kubeconfig": "kube/config", "context": "plain"}, "cluster.context",
                 "is not https", id="http"),
    pytest.param({"kubeconfig": "kube/config", "context": "trusting"}, "cluster.context",
                 "does not verify", id="insecure"),
    pytest.param({"kubeconfig": "kube/config", "context": "dangling"}, "cluster.context",
                 "no cluster 'gone'", id="dangling"),
    pytest.param({"kubeconfig": "ca.crt"}, "cluster.kubeconfig", "is no kubeconfig", id="no-kube"),
    pytest.param({"kubeconfig": LATE_TEXT}, "cluster.kubeconfig", "must be known", id="late"),
]  # fmt: skip


@pytest.mark.parametrize(("section", "place", "words"), BAD)
def test_what_cannot_be_a_cluster(
    section: dict[str, Any], place: str, words: str, tmp_path: Path
) -> None:
    """One sentence at the field that has to change, and what to write."""
    _, checks = read(tmp_path, section)
    (problem,) = checks.found.problems
    assert problem.path == f"kubectl.{place}"
    assert words in problem.message
    assert problem.hint


def test_a_context_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    """Nobody has to look them up."""
    _, checks = read(tmp_path, {"kubeconfig": "kube/config", "context": "x"})
    assert "'prod', 'dev'" in str(checks.found.problems[0].hint)


@pytest.mark.parametrize(
    ("token", "words"), [("a b", "white space"), ("", "blank")], ids=["space", "blank"]
)
def test_no_bearer_token(token: str, words: str, tmp_path: Path) -> None:
    """It would end the header, and it is not shown."""
    _, checks = read(tmp_path, {"server": SERVER, "certificate_authority": PEM, "token": token})
    assert words in checks.found.problems[0].message


def test_a_token_that_everybody_can_read(tmp_path: Path) -> None:
    """A token in the manifest's own text is refused, and not repeated."""
    section = {"server": SERVER, "certificate_authority": PEM, "token": "hunter2-hunter2"}
    _, checks = read(tmp_path, section, sensitive=lambda _: False)
    (problem,) = checks.found.problems
    assert "is no secret" in problem.message
    assert "hunter2" not in f"{problem.message} {problem.hint}"


@pytest.mark.parametrize("field", ["kubeconfig", "certificate_authority"])
def test_a_file_that_is_missing(field: str, tmp_path: Path) -> None:
    """It is exit code 66 when nothing else is wrong."""
    more = {} if field == "kubeconfig" else {"eks": "a", "server": SERVER}
    _, checks = read(tmp_path, {field: "nowhere", **more})
    with pytest.raises(FileMissing):
        checks.found.raise_if_any()


def test_a_launchers_file_is_not_handed_on(tmp_path: Path) -> None:
    """Neither as the kubeconfig itself nor by way of it."""
    for launchers in ("config", "token"):
        _, checks = read(
            tmp_path,
            {"kubeconfig": "kube/config", "context": "certified"},
            launchers=lambda path, name=launchers: path.name == name,
        )
        with pytest.raises(ManifestError):
            checks.found.raise_if_any()
        assert "belongs to the launcher" in checks.found.problems[0].message
