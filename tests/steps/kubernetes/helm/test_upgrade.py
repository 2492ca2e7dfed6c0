"""Action ``upgrade`` and its rehearsals, in front of a scripted helm."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.process.base import StopReason
from tests.steps.kubernetes.fakes import Answer, list_of
from tests.steps.kubernetes.helm.room import (
    CONFIG_MAP,
    DEBUG,
    JOB,
    PASSWORD,
    SECRET,
    HelmWorld,
    live,
    row,
)

CHART = "{folder}/web"
THERE = list_of(live("ConfigMap", "web"), live("Namespace", "app"))
DEFINITION = (
    b"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
    b"metadata: {name: gadgets.example.org}\n"
)
FAILED = 'Upgrade "web" failed: context canceled'


@pytest.fixture
def world(tmp_path: Path) -> HelmWorld:
    """See `HelmWorld`."""
    return HelmWorld(tmp_path)


def test_an_upgrade(world: HelmWorld) -> None:
    """What differs is told first; then it is upgraded, and the result names the revision."""
    world.upgrades(row(1, "superseded"), row(2, "deployed"))
    outcome = world.step()
    assert (outcome.code, outcome.changed) == (0, True)
    chart = CHART.format(folder=world.folder)
    assert world.verbs() == [
        f"upgrade --dry-run=server web {chart}",
        f"upgrade web {chart}",
    ]
    assert "image: nginx:2" in world.report.everything
    assert world.report.facts["release"]["revision"] == 2
    assert world.report.outputs == {
        "ReleaseName": "web",
        "ReleaseRevision": "2",
        "ReleaseStatus": "deployed",
    }


def test_who_upgrades_is_written_on_the_revision(world: HelmWorld) -> None:
    """The next run can know whether this one is alive."""
    world.upgrades(row(2, "deployed"))
    world.step()
    (call,) = world.tool.called("helm upgrade --debug")
    assert "--labels=calamari-run=r2-" in call.words
    assert call.command.outlives_us
    assert call.command.translate_signals == {
        signal.SIGTERM: signal.SIGINT,
        signal.SIGHUP: signal.SIGINT,
    }


@pytest.mark.parametrize(
    "dry_run", [pytest.param(True, id="dry run"), pytest.param(False, id="diff")]
)
def test_only_looking(world: HelmWorld, dry_run: bool) -> None:
    """A dry run and the action diff change nothing and say that there is something to change."""
    world.tool.on("kubectl get", Answer(stdout=THERE))
    outcome = world.step(action=None if dry_run else "diff", dry_run=dry_run)
    assert (outcome.changed, outcome.pending) == (None, True)
    assert [verb for verb in world.verbs() if "--dry-run" not in verb] == []
    assert world.report.facts["differences"]["change"] == 1


def test_only_looking_at_what_is_gone(world: HelmWorld) -> None:
    """The release is as the chart says, but the cluster is not: an upgrade makes it again."""
    world.would_have(CONFIG_MAP % 1)
    outcome = world.step(action="diff")
    assert (outcome.changed, outcome.pending) == (None, True)
    assert world.report.facts["differences"]["create"] == 1
    assert "is missing in the cluster" in world.report.everything


def test_only_looking_at_a_job_that_went_by_itself(world: HelmWorld) -> None:
    """A Job that removes itself when it is done is not missing."""
    job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: web}\n"
    job += "spec: {ttlSecondsAfterFinished: 5}\n"
    world.holds(job)
    world.would_have(job)
    outcome = world.step(action="diff")
    assert (outcome.changed, outcome.pending) == (False, False)


def test_only_looking_without_a_namespace(world: HelmWorld) -> None:
    """What the upgrade would fail at is no plan."""
    world.tool.on("kubectl get", Answer(stdout=list_of()))
    assert "create_namespace" in world.failure(dry_run=True).hint
    assert world.step(dry_run=True, create_namespace=True).pending is True


def test_nothing_differs(world: HelmWorld) -> None:
    """The same chart, values and manifest make no new revision."""
    world.would_have(CONFIG_MAP % 1)
    world.tool.on("kubectl get", Answer(stdout=THERE))
    outcome = world.step()
    assert outcome.changed is False
    assert "nothing is upgraded" in world.report.everything
    assert len(world.verbs()) == 1


@pytest.mark.parametrize(
    "case", [pytest.param("values", id="other values"), pytest.param("last", id="last one failed"),
             pytest.param("gone", id="an object is gone")],
)  # fmt: skip
def test_what_is_upgraded_all_the_same(world: HelmWorld, case: str) -> None:
    """The manifest alone does not say that nothing is to be done."""
    there = [live("Namespace", "app"), *([] if case == "gone" else [live("ConfigMap", "web")])]
    world.tool.on("kubectl get", Answer(stdout=list_of(*there)))
    world.would_have(CONFIG_MAP % 1, values={"a": 1} if case == "values" else None)
    if case == "last":
        world.has(row(1, "deployed"), row(2, "failed", FAILED))
    world.upgrades(row(3, "deployed"))
    assert world.step().changed is True


def test_values_travel_in_private_files(world: HelmWorld) -> None:
    """No value is an argument; each document is a 0600 file, in its order."""
    world.writes("more.yaml", "replicas: on\n")
    world.upgrades(row(2, "deployed"))
    world.step(values=("more.yaml", {"password": PASSWORD}), set={"image.tag": "v1"})
    (call,) = world.tool.called("helm upgrade --debug")
    assert PASSWORD not in call.words
    assert list(call.files.values()) == [
        b"replicas: on\n",
        b'{"password": "%s"}' % PASSWORD.encode(),
        b'{"image": {"tag": "v1"}}',
    ]
    assert set(call.modes.values()) == {0o600}


def test_secrets_of_the_manifest_are_hidden_first(world: HelmWorld) -> None:
    """Those that are there, and those that are to be, before anything is told."""
    world.holds(SECRET.replace(PASSWORD, "an-old-passw0rd"))
    world.would_have(SECRET)
    world.upgrades(row(2, "deployed"))
    world.step()
    assert {PASSWORD, "an-old-passw0rd"} <= set(world.report.hidden)
    told = "".join(text for kind, text in world.report.told if kind != "hide")
    assert PASSWORD not in told
    assert "an-old-passw0rd" not in told


def test_a_failed_upgrade_goes_back(world: HelmWorld) -> None:
    """To the revision that was deployed, and the step fails with what Helm said."""
    world.upgrades(
        row(1, "deployed"),
        row(2, "failed", FAILED),
        code=1,
        stderr=DEBUG + b"creating\nError: UPGRADE FAILED: hooks: job failed: BackoffLimitExceeded\n"
        + DEBUG + b"hooks\nmain.main\n",
    )  # fmt: skip
    error = world.failure()
    assert error.message == (
        "could not upgrade release 'web': hooks: job failed: BackoffLimitExceeded"
    )
    assert "main.main" not in str(error.evidence)
    assert world.verbs()[-1] == "rollback web 1"
    assert world.report.has_changed is True


def test_keeping_what_failed(world: HelmWorld) -> None:
    """``on_failure: keep`` says how to go back."""
    world.upgrades(row(1, "deployed"), row(2, "failed", FAILED), code=1, stderr=b"Error: x\n")
    error = world.failure(on_failure="keep")
    assert "helm rollback web 1 --namespace=app" in error.hint
    assert "rollback" not in " ".join(world.verbs())


def test_a_first_install_that_failed(world: HelmWorld) -> None:
    """It stays: nothing of before is there to go back to."""
    world.has_none()
    world.upgrades(row(1, "failed", 'Release "web" failed: x'), code=1, stderr=b"Error: x\n")
    error = world.failure()
    assert "helm uninstall web --namespace=app" in error.hint
    assert len(world.verbs()) == 2


def test_what_helm_refuses_is_no_change(world: HelmWorld) -> None:
    """Without a new revision there is nothing to go back from."""
    world.upgrades(row(1, "deployed"), code=1, stderr=b"Error: UPGRADE FAILED: no\n")
    world.failure()
    assert "rollback" not in " ".join(world.verbs())
    assert not world.report.has_changed


def test_a_rollback_that_fails_too(world: HelmWorld) -> None:
    """The first cause stays the error, and the hint has the exact line."""
    world.upgrades(row(1, "deployed"), row(2, "failed", FAILED), code=1, stderr=b"Error: first\n")
    world.tool.on("helm rollback", Answer(code=1, stderr=b"Error: second\n"))
    error = world.failure()
    assert "first" in error.message
    assert "helm rollback web 1 --namespace=app" in error.hint
    assert "second" in world.report.everything


def test_a_signal_leaves_what_can_be_upgraded(world: HelmWorld) -> None:
    """A helm that was killed leaves the release pending: it is taken back, without any waiting."""
    world.upgrades(
        row(1, "deployed"),
        row(2, "pending-upgrade", "Preparing upgrade"),
        code=137,
        stopped=StopReason.SIGNAL,
        signum=15,
    )
    outcome = world.step()
    assert outcome.exit is not None
    assert outcome.exit.signum == 15
    (back,) = world.tool.called("helm rollback")
    assert back.argv[-2:] == ("web", "1")
    assert back.last_words is not None
    assert "--wait" not in back.words


def test_a_calm_end_begins_no_rollback(world: HelmWorld) -> None:
    """Helm has written down that it failed: the next run upgrades."""
    world.upgrades(row(1, "deployed"), row(2, "failed", FAILED), code=1, stopped=StopReason.TIMEOUT)
    world.step()
    assert "rollback" not in " ".join(world.verbs())
    assert world.report.facts["release"]["status"] == "failed"


@pytest.mark.parametrize(
    ("rows", "more", "words"),
    [
        pytest.param(
            [row(1, "pending-install", "Initial install underway")], {"first": True},
            "the next run first uninstalls it", id="a first install that was killed",
        ),
        pytest.param(
            [row(1, "deployed"), row(2, "pending-upgrade", "Preparing upgrade")], {},
            "the next run first takes it back to revision 1", id="killed",
        ),
        pytest.param(
            [row(1, "superseded"), row(2, "deployed")], {},
            "to Helm it is a success", id="what only our rules refuse",
        ),
    ],
)  # fmt: skip
def test_what_is_kept(
    world: HelmWorld, rows: list[object], more: dict[str, bool], words: str
) -> None:
    """What the next run makes of it is said as it will be."""
    if more:
        world.has_none()
    world.upgrades(*rows, code=137, stderr=b"")
    world.failure(on_failure="keep")
    assert words in world.report.everything


def test_the_notes_of_the_chart(world: HelmWorld) -> None:
    """They are shown once all is well, as Helm does."""
    stdout = b'{"info": {"notes": "\\nopen http://web\\n"}}'
    world.upgrades(row(1, "superseded"), row(2, "deployed"), stdout=stdout)
    world.step()
    assert world.report.texts[""] == b"open http://web\n"


def test_a_hook_takes_its_own_time(world: HelmWorld) -> None:
    """The objects get theirs from where Helm has ended, and to stay ready takes some."""
    world.upgrades(row(2, "deployed"), act=lambda: world.clock.sleep(15))
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    there = [live("Namespace", "app"), live("Pod", "web", status=ready)]
    world.tool.on("kubectl get", Answer(stdout=list_of(*there)))
    world.would_have(CONFIG_MAP % 2 + "---\n" + pod)
    assert world.step(wait={"timeout": 10, "stable_for": 5}).changed is True


def test_the_longest_that_an_upgrade_takes(world: HelmWorld) -> None:
    """Each hook has the time anew: so long nobody elsewhere takes it for dead."""
    world.would_have(CONFIG_MAP % 2, hooks=(JOB, JOB.replace("web-pre", "web-post")))
    world.upgrades(row(1, "superseded"), row(2, "deployed"))
    world.step(wait=False)
    (call,) = world.tool.called("helm upgrade --debug")
    assert "-1200s-" in call.words


def test_a_chart_with_definitions(world: HelmWorld) -> None:
    """The first install cannot be checked by a server that does not have them yet."""
    unknown = (
        b"Error: unable to build kubernetes objects from release manifest: resource mapping"
        b' not found for name: "g" namespace: "": no matches for kind "Gadget" in version'
        b' "example.org/v1"\nensure CRDs are installed first\n'
    )
    world.has_none()
    world.tool.on("helm upgrade --dry-run=server", Answer(code=1, stderr=unknown))
    world.tool.on("helm show crds", Answer(stdout=DEFINITION))
    hook = JOB.replace("name: web-pre", "name: pre, annotations: {helm.sh/hook: pre-install}")
    world.tool.on("helm template", Answer(stdout=(CONFIG_MAP % 1 + "---\n" + hook).encode()))
    world.upgrades(row(1, "deployed"))
    assert world.step().changed is True
    assert "was not checked by the server" in world.report.everything
    assert world.report.facts["differences"]["create"] == 1
    (call,) = world.tool.called("helm template")
    assert "--skip-crds" in call.words


def test_an_unknown_type_is_no_definition_to_come(world: HelmWorld) -> None:
    """An upgrade installs none, and neither does a chart without."""
    unknown = b'Error: UPGRADE FAILED: no matches for kind "Gadget" in version "example.org/v1"\n'
    world.tool.on("helm upgrade --dry-run=server", Answer(code=1, stderr=unknown))
    assert "Gadget" in world.failure().message
    world.has_none()
    assert "Gadget" in world.failure().message


def test_warnings_of_helm(world: HelmWorld) -> None:
    """Each is one of ours, once; what it is at is only for --verbose."""
    said = (
        b"WARNING: old API\nWARNING: old API\n" + DEBUG + b"cannot patch:\n"
        b'Name: "web", Namespace: "app"\n' + DEBUG + b"creating upgraded release\n"
    )
    world.upgrades(row(2, "deployed"), stderr=said)
    world.step()
    assert [text for kind, text in world.report.told if kind == "warning"] == ["old API"]


def test_a_missing_namespace(world: HelmWorld) -> None:
    """It is not made unless the manifest says so."""
    world.tool.on("kubectl get", Answer(stdout=list_of()))
    error = world.failure()
    assert isinstance(error, ToolFailed)
    assert "create_namespace" in (error.hint or "")
