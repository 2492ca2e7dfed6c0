"""A helm step with the real helm, against a cluster that knows who calls it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import THOROUGH
from tests.delivery.support import until
from tests.kube.charts import statuses, write_chart
from tests.kube.cluster import SESSIONS, Cluster, cluster, kube
from tests.real_terraform.room import Ended

__all__ = ["cluster", "kube"]

pytestmark = [pytest.mark.process, pytest.mark.sandbox]

QUICK = {"timeout": "30s", "stable_for": 0, "fail_after": 1}


class Release:
    """The release `web` of a chart in the step's folder."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        write_chart(cluster.folder / "chart")

    def manifest(self, values: Mapping[str, Any] | None = None, **section: Any) -> None:
        own = {"release": "web", "chart": "./chart", "values": [values or {}], "wait": QUICK}
        self.cluster.manifest("helm", {**own, **section})

    def upgrade(self, image: str, **section: Any) -> Ended:
        self.manifest({"image": image}, **section)
        return self.cluster.run()

    @property
    def revisions(self) -> dict[int, str]:
        return statuses(self.cluster.kube.server.store, self.cluster.namespace)

    @property
    def image(self) -> str:
        body = self.cluster.get("Deployment", "web")
        assert body is not None
        image: str = body["spec"]["template"]["spec"]["containers"][0]["image"]
        return image

    def pending(self) -> bool:
        """Whether the newest is: older ones that were left behind stay in helm's history."""
        return ["", *self.revisions.values()][-1].startswith("pending")


@pytest.fixture
def release(cluster: Cluster) -> Release:
    return Release(cluster)


@pytest.mark.preloaded
@pytest.mark.slow(12)
def test_a_release_forth_and_back(release: Release) -> None:
    """Installed, left alone, compared, upgraded and taken back, as the role alone."""
    installed = release.upgrade("web:1")
    assert installed.code == 0, installed.text
    assert [installed.output(f"Release{name}") for name in ("Name", "Revision", "Status")] == [
        "web", "1", "deployed",
    ]  # fmt: skip
    assert {each["action"] for each in installed.details["objects"]} == {"created"}
    assert installed.result["changed"] is True

    again = release.upgrade("web:1")
    assert (again.code, again.result["changed"]) == (0, False), again.text
    assert release.revisions == {1: "deployed"}

    release.manifest({"image": "web:2"}, action="diff")
    differs = release.cluster.run()
    assert differs.code == 0, differs.text
    assert "web:2" in differs.text
    assert (differs.result["changed"], differs.result["pending"]) == (None, True)
    assert release.image == "web:1"

    upgraded = release.upgrade("web:2", wait=False)
    assert upgraded.code == 0, upgraded.text
    assert release.revisions == {1: "superseded", 2: "deployed"}
    assert release.image == "web:2"

    release.manifest(action="rollback")
    back = release.cluster.run()
    assert back.code == 0, back.text
    assert release.image == "web:1"
    assert all(caller.startswith(SESSIONS) for caller in release.cluster.callers())


@pytest.mark.preloaded
@pytest.mark.slow(2)
def test_what_needs_no_release(release: Release) -> None:
    """`template` prints what the chart makes, and not its Secrets."""
    write_chart(release.cluster.folder / "chart", password="in-the-chart-4c1d9")
    release.manifest({"image": "web:7"}, action="template")
    printed = release.cluster.run()
    assert printed.code == 0, printed.text
    assert "web:7" in printed.out
    assert "in-the-chart-4c1d9" not in printed.text


def kill_helm(process: subprocess.Popen[bytes]) -> None:
    """Helm dies without a word; calamari sees that it did."""
    (pid,) = helms_below(process.pid)
    os.kill(pid, signal.SIGKILL)


def kill_both(process: subprocess.Popen[bytes]) -> None:
    """Calamari dies, and helm a moment later: nobody is left to say anything."""
    helms = list(helms_below(process.pid))
    process.kill()
    for pid in helms:
        os.kill(pid, signal.SIGKILL)


def cancel(process: subprocess.Popen[bytes]) -> None:
    """As a CI server does."""
    process.terminate()


def helms_below(root: int) -> Iterator[int]:
    """The processes below `root` whose program is helm."""
    found = [root]
    for pid in found:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
        if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].endswith(b"/helm"):
            yield pid


ENDS = [
    pytest.param([(kill_helm, 1), (kill_both, -9)], id="killed"),
    pytest.param([(cancel, 143), (None, 124)], id="asked", marks=pytest.mark.skipif(
        not THOROUGH, reason="only 'make soak': a scripted helm is asked in tests/steps/kubernetes",
    )),
]  # fmt: skip


@pytest.mark.slow(15)
@pytest.mark.parametrize("ends", ENDS)
def test_an_upgrade_that_was_ended_is_upgraded_by_the_next_run(
    ends: list[tuple[Callable[[subprocess.Popen[bytes]], None] | None, int]], release: Release
) -> None:
    """Whatever it left: nobody has to touch the release by hand. None waits for its timeout."""
    cluster = release.cluster
    first = release.upgrade("web:1", wait=False)
    assert first.code == 0, first.text
    for number, (end, code) in enumerate(ends):
        release.manifest({"image": f"slow:6{number}"}, wait={**QUICK, "timeout": "60s"})
        if end is None:
            cluster.manifest(
                "helm",
                {"release": "web", "chart": "./chart", "values": [{"image": "slow:60"}]},
                timeout="5s",
            )
        process = cluster.start()
        if end is not None:
            until(release.pending, "a pending release")
            end(process)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, out + err

        # What another may be at is waited for: `recover_after`, five minutes.
        after = release.upgrade(f"web:{number}", wait=False)
        assert after.code == 0, after.text
        assert release.image == f"web:{number}"
        assert list(release.revisions.values())[-1] == "deployed"
