"""A kubectl section becomes a spec, or all that is wrong with it, with places."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import FileMissing, ManifestError, ToolMissing, UsageError
from calamari_py.steps.kubernetes.kubectl.kind import KubectlKind
from calamari_py.steps.kubernetes.spec import KubectlSpec, WaitSpec
from tests.steps.kubernetes.world import KubeWorld

EKS = {"eks": "blue"}
WEB = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"
SECRET = (
    "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\ndata: {password: aHVudGVyMi1odW50ZXIy}\n"
)
MADE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: web-}\n"


@pytest.fixture
def world(tmp_path: Path) -> KubeWorld:
    made = KubeWorld(tmp_path)
    made.writes("web.yaml", WEB)
    made.writes("base/kustomization.yaml", "resources: []\n")
    made.writes("plain/web.yaml", WEB)
    made.writes("made.yaml", MADE)
    return made


def parse(world: KubeWorld, section: Mapping[str, Any], **more: Any) -> KubectlSpec:
    """The spec of a section; the cluster stands for itself."""
    found: KubectlSpec = world.parse("kubectl", {"cluster": EKS, **section}, **more)
    return found


FILES = {"files": ["web.yaml"]}
SCRIPT = {"script": "kubectl get pods -A"}
POD = {"resources": ["pod/web"]}


@pytest.mark.parametrize(
    ("section", "wished", "action"),
    [
        pytest.param(FILES, None, "apply", id="files"),
        pytest.param({"kustomize": "base"}, None, "apply", id="kustomize"),
        pytest.param(SCRIPT, None, "script", id="a script"),
        pytest.param({**FILES, "action": "diff"}, None, "diff", id="as it says"),
        pytest.param({**FILES, "action": "diff"}, "delete", "delete", id="as the caller says"),
        pytest.param({**FILES, **SCRIPT, "action": "apply"}, None, "apply", id="one of two"),
        pytest.param({**FILES, **SCRIPT}, "apply", "apply", id="the caller's of two"),
        pytest.param({**POD, "action": "rollout-status"}, None, "rollout-status", id="status"),
    ],
)
def test_what_is_done(
    section: Mapping[str, Any], wished: str | None, action: str, world: KubeWorld
) -> None:
    """The caller's action, the section's own, that of a script, or apply."""
    spec = parse(world, section, action=wished)
    assert spec.action == action
    assert (spec.script is not None) == (action == "script")


def test_a_spec_has_it_all(world: KubeWorld) -> None:
    """What the section says, as the actions take it; paths are absolute."""
    spec = parse(
        world,
        {
            "files": ["web.yaml"],
            "namespace": "app",
            "create_namespace": True,
            "field_manager": "ci",
            "force_conflicts": True,
            "prune": {"applyset": "configmaps/web"},
            "delete_namespaces": True,
            "wait": {"timeout": 60, "stable_for": 1, "fail_after": 9},
        },
        dry_run=True,
    )
    assert (spec.namespace, spec.create_namespace, spec.dry_run) == ("app", True, True)
    assert (spec.field_manager, spec.force_conflicts, spec.server_side) == ("ci", True, True)
    assert (spec.applyset, spec.delete_namespaces) == ("configmaps/web", True)
    assert spec.wait == WaitSpec(timeout=60, stable_for=1, fail_after=9)
    assert [each.ref.name for each in spec.objects] == ["web"]
    assert spec.binary == world.bin / "kubectl"
    assert (spec.cluster.way, spec.cluster.eks) == ("eks", "blue")


def test_not_waiting(world: KubeWorld) -> None:
    """``wait: false`` is no wait, true the usual one."""
    assert parse(world, {**FILES, "wait": False}).wait is None
    assert parse(world, {**FILES, "wait": True}).wait == WaitSpec()


def test_only_what_the_action_is_about_is_read(world: KubeWorld) -> None:
    """Files that another action is about may be missing: one manifest serves several."""
    section = {"files": ["gone.yaml"], **POD, "condition": "condition=Ready"}
    assert parse(world, section, action="wait").objects == ()
    assert parse(world, section, action="rollout-status").objects == ()
    spec = parse(world, {"kustomize": "gone", **POD, "condition": "delete"}, action="wait")
    assert spec.kustomize is None


REFUSED = [
    pytest.param({}, "files", "is missing", id="nothing to apply"),
    pytest.param({"action": "diff"}, "files", "is missing", id="nothing to compare"),
    pytest.param({"action": "delete"}, "files", "is missing", id="nothing to delete"),
    pytest.param({"action": "rollout-status"}, "resources", "is missing", id="no rollout"),
    pytest.param({"action": "wait", "condition": "delete"}, "resources", "is missing",
                 id="of what"),
    pytest.param({"action": "wait", **POD}, "condition", "is missing", id="for what"),
    pytest.param({"action": "script"}, "script", "is missing", id="no script"),
    pytest.param({**FILES, **SCRIPT}, "action", "is missing", id="files and a script"),
    pytest.param({**FILES, "kustomize": "base"}, "kustomize", "both", id="two sources"),
    pytest.param({**FILES, "namespace": "App"}, "namespace", "'App' is no name", id="upper case"),
    pytest.param({**FILES, "namespace": "a" * 64}, "namespace", "no name", id="too long"),
    pytest.param({**FILES, "namespace": "-x"}, "namespace", "no name", id="an option"),
    pytest.param({**FILES, "create_namespace": True}, "create_namespace", "no namespace",
                 id="no namespace to make"),
    pytest.param({**SCRIPT, "namespace": "a", "create_namespace": True}, "create_namespace",
                 "does not go with a script", id="a script's namespace"),
    pytest.param({**FILES, "field_manager": " "}, "field_manager", "no name", id="blank manager"),
    pytest.param({**FILES, "field_manager": "x" * 129}, "field_manager", "no name",
                 id="long manager"),
    pytest.param({**FILES, "server_side": False, "force_conflicts": True}, "force_conflicts",
                 "server_side", id="force on the client's side"),
    pytest.param({**FILES, "server_side": False, "namespace": "a",
                  "prune": {"applyset": "configmaps/x"}}, "prune", "server_side",
                 id="prune on the client's side"),
    pytest.param({**FILES, "prune": {"applyset": "configmaps/x"}}, "prune", "needs a namespace",
                 id="prune anywhere"),
    pytest.param({**FILES, "namespace": "a", "prune": {"applyset": "x y"}}, "prune.applyset",
                 "no parent", id="no ApplySet"),
    pytest.param({"kustomize": "base", "namespace": "a", "prune": {"applyset": "configmaps/x"}},
                 "prune", "is for files", id="prune a kustomization"),
    pytest.param({"files": ["made.yaml"], "namespace": "a", "prune": {"applyset": "configmaps/x"}},
                 "prune", "'web-…'", id="prune what the server names"),
    pytest.param({"kustomize": " "}, "kustomize", "is blank", id="blank kustomization"),
    pytest.param({"kustomize": "https://github.com/x//y?ref=z"}, "kustomize", "on the network",
                 id="remote kustomization"),
    pytest.param({"kustomize": "gone"}, "kustomize", "is no folder", id="no kustomization"),
    pytest.param({"kustomize": "plain"}, "kustomize", "no kustomization.yaml", id="plain folder"),
    pytest.param({"action": "rollout-status", "resources": ["-A"]}, "resources[0]",
                 "names no object", id="an option as resource"),
    pytest.param({"action": "rollout-status", "resources": ["a/b", "deployment"]}, "resources[1]",
                 "a kind without a name", id="a kind alone"),
    pytest.param({"action": "rollout-status", **POD, "selector": "app=web"}, "resources[0]",
                 "a selector is for kinds", id="a name and a selector"),
    pytest.param({"action": "rollout-status", "resources": ["pods"], "selector": " "}, "selector",
                 "selects nothing", id="blank selector"),
    pytest.param({"action": "wait", **POD, "condition": "Ready"}, "condition",
                 "nothing that can be waited for", id="a bare condition"),
    pytest.param({"action": "wait", **POD, "condition": "delete", "wait": False}, "wait",
                 "action 'wait' waits", id="a wait that does not"),
    pytest.param({**FILES, "wait": {"timeout": 3}}, "wait.timeout", "shorter than stable_for (5s)",
                 id="never stable"),
    pytest.param({**FILES, "wait": {"timeout": 0}}, "wait.timeout", "more than nothing",
                 id="no time"),
    pytest.param({"files": ["gone/*.yaml"]}, "files", "", id="an empty match"),
    pytest.param({**SCRIPT, "script": " "}, "script.run", "is empty", id="empty script"),
    pytest.param({"script": {"run": "x", "shell": "fish"}}, "script.shell", "no shell",
                 id="no such shell"),
    pytest.param({**FILES, "cluster": {}}, "cluster", "", id="no cluster"),
]  # fmt: skip


@pytest.mark.parametrize(("section", "field", "said"), REFUSED)
def test_what_is_refused(
    section: Mapping[str, Any], field: str, said: str, world: KubeWorld
) -> None:
    """Every contradiction, with its place and a cure."""
    with pytest.raises(ManifestError) as caught:
        parse(world, section)
    places = {problem.path: problem for problem in caught.value.problems}
    (path,) = (each for each in places if each.partition("[")[0] == f"kubectl.{field}"
               or each == f"kubectl.{field}")  # fmt: skip
    assert said in places[path].message


def test_all_problems_at_once(world: KubeWorld) -> None:
    """Who has three mistakes is told of three."""
    with pytest.raises(ManifestError) as caught:
        parse(world, {"namespace": "A", "kustomize": "gone", "field_manager": ""})
    paths = [problem.path for problem in caught.value.problems]
    assert paths == ["kubectl.namespace", "kubectl.field_manager", "kubectl.kustomize"]


def test_missing_files_have_their_code(world: KubeWorld) -> None:
    """A folder that is not there is a file that is missing."""
    with pytest.raises(FileMissing):
        parse(world, {"kustomize": "gone"})


@pytest.mark.parametrize("binary", ["kubectl-1.2", "", "./tools/kubectl"])
def test_a_program_that_is_not_there(binary: str, world: KubeWorld) -> None:
    """It is like a service that is not there; the files were right."""
    with pytest.raises(ToolMissing) as caught:
        parse(world, {**FILES, "binary": binary})
    assert caught.value.hint


def test_nobody_can_rehearse_a_script(world: KubeWorld) -> None:
    """``--dry-run`` of a script would be a lie."""
    with pytest.raises(UsageError, match="nobody knows what a script would do"):
        parse(world, SCRIPT, dry_run=True)


@pytest.mark.parametrize(
    ("namespace", "warned"),
    [
        pytest.param({"namespace": "staging"}, True, id="another"),
        pytest.param({"namespace": "prod"}, False, id="the same"),
        pytest.param({}, False, id="none"),
    ],
)
def test_files_with_a_namespace_of_their_own(
    namespace: Mapping[str, str], *, warned: bool, world: KubeWorld
) -> None:
    """They keep it, and it is said before anything is applied there."""
    world.writes("own.yaml", WEB.replace("name: web", "name: own, namespace: prod"))
    spec = parse(world, {"files": ["web.yaml", "own.yaml"], **namespace})
    told = ("kubectl.namespace is not that of all files: some name 'prod' themselves",)
    assert spec.warnings == (told if warned else ())


@pytest.mark.parametrize(
    ("section", "field"),
    [
        pytest.param({**FILES, **POD}, "resources", id="resources of apply"),
        pytest.param({**FILES, "condition": "delete"}, "condition", id="condition of apply"),
        pytest.param({**SCRIPT, "binary": "bin/kubectl"}, "binary", id="a script's kubectl"),
        pytest.param({**FILES, **POD, "action": "rollout-status"}, "files", id="two rollouts"),
        pytest.param({**FILES, "selector": "a=b", "action": "rollout-status"}, "selector",
                     id="a selector of nothing"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_said(
    section: Mapping[str, Any], field: str, world: KubeWorld
) -> None:
    """One manifest serves several actions: what this one has no use for is no mistake."""
    (warning,) = KubectlKind().warnings(parse(world, section))
    assert warning.startswith(f"kubectl.{field} does nothing with action ")


def test_secrets_of_files_are_known(world: KubeWorld) -> None:
    """The values of a Secret are masked before anything is said, as text and as base64."""
    world.writes("secret.yaml", SECRET)
    spec = parse(world, {"files": ["secret.yaml"]})
    values = [value for _, value in KubectlKind().secrets(spec)]
    assert "hunter2-hunter2" in values
    assert base64.b64encode(b"hunter2-hunter2").decode() in values
    assert "hunter2" not in repr(spec)


def test_what_a_script_has(world: KubeWorld) -> None:
    """It finds what every script finds, and nothing of the caller's that names a cluster; only it
    is shown as it comes."""
    kind = KubectlKind()
    script, files = parse(world, SCRIPT), parse(world, FILES)
    assert "CALAMARI_FUNCTIONS" in kind.environment(script).names
    assert "CALAMARI_FUNCTIONS" not in kind.environment(files).names
    for spec in (script, files):
        assert "KUBECONFIG" in kind.environment(spec).scrub
    assert [kind.reads(spec) for spec in (script, files, None)] == [False, True, False]


def test_a_whole_script_section(world: KubeWorld) -> None:
    """Whatever ``script`` can say, this one can."""
    world.writes("bin/bash", "never run\n").chmod(0o755)
    world.writes("tools/list.sh", "kubectl get pods\n")
    spec = parse(world, {"script": {"file": "tools/list.sh", "args": ["-A"]}})
    assert spec.script is not None
    assert (spec.script.file, spec.script.args) == (world.folder / "tools/list.sh", ("-A",))


def test_a_kubeconfigs_role_is_a_role(world: KubeWorld) -> None:
    """One that a kubeconfig's own plugin would assume is held against the operator's policy."""
    arn = "arn:aws:iam::222222222222:role/Other"
    world.writes(
        "config",
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "contexts: [{name: c, context: {cluster: c, user: u}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n"
        "users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1,"
        f" command: aws, args: [eks, get-token, --cluster-name, c, --role-arn, '{arn}']}}}}}}]\n",
    )
    spec = parse(world, {**FILES, "cluster": {"kubeconfig": "config"}})
    assert [*KubectlKind().roles(spec)] == [("kubectl.cluster.kubeconfig", arn)]
