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
    PASSWORD,
    SECRET,
    HelmWorld,
    live,
    row,
)

CHART = "{folder}/web"
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
    outcome = world.step(action=None if dry_run else "diff", dry_run=dry_run)
    assert (outcome.changed, outcome.pending) == (None, True)
    assert [verb for verb in world.verbs() if "--dry-run" not in verb] == []
    assert world.report.facts["differences"]["change"] == 1


def test_nothing_differs(world: HelmWorld) -> None:
    """The same chart, values and manifest make no new revision."""
    world.would_have(CONFIG_MAP % 1)
    world.tool.on(
        "kubectl get", Answer(stdout=list_of(live("ConfigMap", "web"), live("Namespace", "app")))
    )
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


def test_warnings_of_helm(world: HelmWorld) -> None:
    """Each is one of ours, once; what it is at is only for --verbose."""
    said = b"WARNING: old API\nWARNING: old API\n" + DEBUG + b"creating upgraded release\n"
    world.upgrades(row(2, "deployed"), stderr=said)
    world.step()
    assert [text for kind, text in world.report.told if kind == "warning"] == ["old API"]


def test_a_missing_namespace(world: HelmWorld) -> None:
    """It is not made unless the manifest says so."""
    world.tool.on("kubectl get", Answer(stdout=list_of()))
    error = world.failure()
    assert isinstance(error, ToolFailed)
    assert "create_namespace" in (error.hint or "")
