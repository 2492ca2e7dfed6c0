"""The other actions, and where a chart comes from, in front of a scripted helm."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.steps.kubernetes.helm.kind import HelmKind
from calamari_py.steps.kubernetes.spec import ClusterSpec
from tests.steps.kubernetes.fakes import Answer, list_of
from tests.steps.kubernetes.helm.room import (
    CONFIG_MAP,
    DEBUG,
    JOB,
    PASSWORD,
    SECRET,
    SECTION,
    HelmWorld,
    live,
    row,
)

REGISTRY = "111111111111.dkr.ecr.eu-west-1.amazonaws.com"
LOGIN = base64.b64encode(b"AWS:an-ecr-password").decode()


@pytest.fixture
def world(tmp_path: Path) -> HelmWorld:
    """See `HelmWorld`."""
    return HelmWorld(tmp_path)


def test_template(world: HelmWorld) -> None:
    """The manifest is printed as the chart wrote it, its Secrets without their values, whatever
    way YAML has to write them; no cluster is asked."""
    other = (
        "# Source: web/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"
    )
    secret = (
        f"# Source: web/templates/b.yaml\n{SECRET}  folded: >-\n    one-half\n    other-half\n"
        '  quoted: "caf\\u00e9 \\\n    goes-on"\n  tiny: abc\n'
    )
    world.tool.on("helm template", Answer(stdout=f"---\n{other}---\n{secret}".encode()))
    assert world.step(action="template").changed is False
    assert {PASSWORD, "one-half other-half", "caf\u00e9 goes-on"} <= set(world.report.hidden)
    shown = world.report.texts[""].decode()
    assert shown.startswith(f"---\n{other}---\n# Source: web/templates/b.yaml\napiVersion: v1\n")
    assert shown.endswith(
        'stringData:\n  folded: "***"\n  password: "***"\n  quoted: "***"\n  tiny: "***"\n'
    )
    assert world.aws.calls == []
    assert world.tool.called("kubectl") == []


def test_a_rollback(world: HelmWorld) -> None:
    """Without a revision it goes to the last deployed one before."""
    world.has(row(1, "superseded"), row(2, "failed", "x"), row(3, "deployed"))
    world.rolls_back(row(3, "superseded"), row(4, "deployed", "Rollback to 1"))
    assert world.step(action="rollback").changed is True
    assert world.verbs() == ["rollback web 1"]
    assert world.report.facts["release"]["revision"] == 4


@pytest.mark.parametrize(
    ("rows", "revision", "words"),
    [
        pytest.param([], None, "there is no release", id="no release"),
        pytest.param([row(1, "deployed")], None, "no revision before 1", id="nothing before"),
        pytest.param([row(1, "deployed")], 7, "no revision 7", id="no such revision"),
    ],
)
def test_nowhere_to_go_back_to(
    world: HelmWorld, rows: list[object], revision: int | None, words: str
) -> None:
    """Helm itself would go to whatever came before."""
    world.has(*rows)
    assert words in world.failure(action="rollback", revision=revision).message
    assert world.verbs() == []


def test_an_uninstall(world: HelmWorld) -> None:
    """What goes is told before, and what became of it after."""
    there = [live("ConfigMap", "web")]
    world.tool.on("kubectl get", Answer(stdout=list_of(*there)), Answer(stdout=list_of()))
    outcome = world.step(action="uninstall")
    assert outcome.changed is True
    assert world.verbs() == ["uninstall web"]
    assert world.report.facts["differences"]["delete"] == 1
    (found,) = world.report.facts["objects"]
    assert (found["name"], found["action"]) == ("web", "deleted")
    assert world.report.outputs["ReleaseStatus"] == "uninstalled"


@pytest.mark.parametrize(
    "rows", [pytest.param([], id="never"), pytest.param([row(1, "uninstalled")], id="not any more")]
)
def test_nothing_to_uninstall(world: HelmWorld, rows: list[object]) -> None:
    """It is a success that changed nothing."""
    world.has(*rows)
    assert world.step(action="uninstall").changed is False
    assert world.verbs() == []


@pytest.mark.parametrize("action", ["rollback", "uninstall"])
def test_a_rehearsal(world: HelmWorld, action: str) -> None:
    """Nothing is done, and something is to be done."""
    world.has(row(1, "superseded"), row(2, "deployed"))
    outcome = world.step(action=action, dry_run=True)
    assert (outcome.changed, outcome.pending) == (None, True)
    assert world.verbs() == []


TEST_HOOKS = """\
apiVersion: v1
kind: Pod
metadata: {name: web-test, annotations: {helm.sh/hook: test}}
---
apiVersion: v1
kind: Secret
metadata: {name: for-tests, annotations: {helm.sh/hook: test}}
stringData: {password: a-tests-own-password}
"""


@pytest.mark.parametrize("code", [0, 1], ids=["passed", "failed"])
def test_what_tests_wrote(code: int, world: HelmWorld) -> None:
    """It is shown however they ended, of those that are pods, and their Secrets are hidden."""
    world.holds(CONFIG_MAP % 1, hooks=TEST_HOOKS)
    world.tool.on("helm test", Answer(code=code, stderr=b"Error: pod web-test failed\n" * code))
    world.tool.on("kubectl logs", Answer(stdout=b"\x1b[2Jboom\x07\r\n"))
    if code:
        error = world.failure(action="test")
        assert "could not test release 'web'" in error.message
        assert "release 'web' has failed its test 'web-test'" in world.report.everything
        assert world.report.has_changed is False
    else:
        assert world.step(action="test").changed is False
    assert world.report.facts["release"]["revision"] == 1
    assert world.report.texts["pod/web-test"] == b"boom\n"
    assert "a-tests-own-password" in world.report.hidden
    (call,) = world.tool.called("helm test")
    assert not {"--debug", "--logs"} & set(call.argv)
    (asked,) = world.tool.called("kubectl logs")
    assert "pod/web-test" in asked.argv


@pytest.mark.parametrize("blanks", [1, 5])
def test_a_release_without_tests(blanks: int, world: HelmWorld) -> None:
    """It has passed none."""
    told = f"NAME: web\nTEST SUITE:{' ' * blanks}None\n"
    world.tool.on("helm test", Answer(stdout=told.encode()))
    world.step(action="test")
    assert ("warning", "release 'web' has no tests") in world.report.told
    assert not any("passed" in text for _, text in world.report.told)


def test_a_chart_on_ecr(world: HelmWorld) -> None:
    """The step's own role logs in; the login is in a private file alone."""
    world.aws.answers["ecr:GetAuthorizationToken"] = {
        "authorizationData": [{"authorizationToken": LOGIN}]
    }

    def pull(call: object) -> Answer:
        (folder,) = [word for word in call.argv if "destination" in word]  # type: ignore[attr-defined]
        Path(folder.partition("=")[2], "web-1.2.3.tgz").write_bytes(b"")
        path = Path(call.command.environment["HELM_REGISTRY_CONFIG"])  # type: ignore[attr-defined]
        assert json.loads(path.read_bytes()) == {"auths": {REGISTRY: {"auth": LOGIN}}}
        assert path.stat().st_mode & 0o777 == 0o600
        return Answer()

    world.tool.on("helm pull", pull)
    world.step(action="diff", chart=f"oci://{REGISTRY}/web", version="1.2.3")
    assert {LOGIN, "an-ecr-password"} <= set(world.report.hidden)
    world.assert_hidden(LOGIN)
    assert world.verbs()[-1].endswith("web-1.2.3.tgz")


def test_a_chart_on_ecr_elsewhere(world: HelmWorld) -> None:
    """A login of one region is of no use in another."""
    registry = REGISTRY.replace("eu-west-1", "us-east-1")
    error = world.failure(action="diff", chart=f"oci://{registry}/web", version="1.2.3")
    assert "ECR's logins hold for one region" in error.message


def test_a_repository_that_wants_another_login(world: HelmWorld) -> None:
    """Helm ends with 0 then; the reason is the repository's, not that no chart was found."""
    said = (
        b"Hang tight while we grab the latest from your chart repositories...\n"
        b'...Unable to get an update from the "r" chart repository (https://x.org):\n'
        b"\tfailed to fetch https://x.org/index.yaml : 401 Unauthorized\nUpdate Complete.\n"
    )
    world.tool.on("helm repo update", Answer(stdout=said))
    error = world.failure(action="diff", chart="r/web", repository="https://x.org", version="1.0.0")
    assert "401 Unauthorized" in error.message
    assert "wants a login" in (error.hint or "")
    assert world.tool.called("helm pull") == []


def test_two_steps_share_nothing(world: HelmWorld) -> None:
    """Every folder and file that Helm keeps anything in is this attempt's own."""
    world.step(action="diff")
    for call in world.tool.called("helm"):
        names = {name: value for name, value in call.command.environment.items()
                 if name.startswith(("HELM_", "XDG_", "DOCKER_"))}  # fmt: skip
        assert len(names) >= 8
        assert all(value.startswith(str(world.folder)) for value in names.values())


def test_a_rollout_that_fails_ends_helm(world: HelmWorld) -> None:
    """An early failure is not waited out: Helm is interrupted, and the release goes back."""
    pod = live("Pod", "web", spec={"containers": [{"name": "a", "image": "x"}]}, status={
        "phase": "Failed", "reason": "Evicted", "message": "no room",
    })  # fmt: skip
    world.tool.on("kubectl get", Answer(stdout=list_of(live("Namespace", "app"), pod)))
    world.would_have(CONFIG_MAP % 2 + "---\napiVersion: v1\nkind: Pod\nmetadata: {name: web}\n")
    world.upgrades(
        row(1, "deployed"),
        row(2, "failed", 'Upgrade "web" failed: context canceled'),
        stderr=DEBUG + b"waiting for release web resources\n",
        act=lambda: world.clock.sleep(60),
        silences=3,
    )
    error = world.failure(wait={"timeout": 600, "fail_after": 1})
    assert isinstance(error, ToolFailed)
    assert "Evicted" in error.message
    (call,) = world.tool.called("helm upgrade --debug")
    assert call.interrupted
    assert world.verbs()[-1] == "rollback web 1"


def test_hooks_are_looked_at_while_they_run(world: HelmWorld) -> None:
    """Their Jobs' failure is the reason that is given."""
    job = {
        **live("Job", "web-pre", status={"conditions": [
            {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}),
        "apiVersion": "batch/v1",
    }  # fmt: skip
    world.tool.on("kubectl get", Answer(stdout=list_of(live("Namespace", "app"), job)))
    world.would_have(CONFIG_MAP % 2, hooks=(JOB,))
    world.upgrades(
        row(1, "deployed"),
        row(2, "failed", "x"),
        code=1,
        stderr=DEBUG + b"Watching for changes to Job web-pre with timeout of 1s\n"
        b"Error: UPGRADE FAILED: pre-upgrade hooks failed\n",
    )
    error = world.failure(wait={"timeout": 600})
    assert "pre-upgrade hooks failed" in error.message
    assert "BackoffLimitExceeded" in error.message


def test_a_finally_finds_the_cluster(world: HelmWorld) -> None:
    """What others write for this step is led to the same kubeconfig."""
    names = HelmKind().equip(world.parse("helm", SECTION), world.context())
    assert names["KUBECONFIG"] == str(world.folder / "private/kubeconfig")
    assert "HOME" not in names


def test_roles_of_a_kubeconfig(world: HelmWorld) -> None:
    """The operator's policy hears of a role that its plugin would assume, by its place."""
    config = (
        b'{"users": [{"name": "u", "user": {"exec": {"command": "aws", "args":'
        b' ["eks", "get-token", "--role-arn", "arn:aws:iam::222222222222:role/Other"]}}}]}'
    )
    spec = world.parse("helm", SECTION)
    spec = replace(spec, cluster=ClusterSpec(way="kubeconfig", config=config))
    assert list(HelmKind().roles(spec)) == [
        ("helm.cluster.kubeconfig", "arn:aws:iam::222222222222:role/Other")
    ]


def test_a_test_hook_alone_that_changed(world: HelmWorld) -> None:
    """It makes a revision: action test would run the old one."""
    hook = JOB.replace("name: web-pre", "name: try, annotations: {helm.sh/hook: test}")
    there = list_of(live("ConfigMap", "web"), live("Namespace", "app"))
    world.tool.on("kubectl get", Answer(stdout=there))
    world.holds(CONFIG_MAP % 1, hooks=hook)
    world.would_have(CONFIG_MAP % 1, hooks=(hook,))
    assert world.step(action="diff").changed is False
    world.would_have(CONFIG_MAP % 1, hooks=(hook.replace("spec: {}", "spec: {a: b}"),))
    assert world.step(action="diff").pending is True
