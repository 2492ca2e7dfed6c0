"""A helm step in a world of its own: releases as a scripted helm tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from calamari_py.steps.base import StepOutcome
from tests.steps.kubernetes.fakes import Answer, list_of, to_json
from tests.steps.kubernetes.world import KubeWorld

PASSWORD = "hunter2-hunter2"
CHART = "apiVersion: v2\nname: web\nversion: 0.1.0\nappVersion: '1.0'\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {image: 'nginx:%s'}\n"
SECRET = (
    f"apiVersion: v1\nkind: Secret\nmetadata: {{name: web}}\nstringData:\n  password: {PASSWORD}\n"
)
JOB = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: web-pre}\nspec: {template: {spec: {}}}\n"
SECTION: Mapping[str, Any] = {
    "cluster": {"eks": "blue"},
    "namespace": "app",
    "release": "web",
    "chart": "./web",
    "wait": False,
}
DEBUG = b"upgrade.go:375: 2026-11-22 21:44:51.88 +0000 UTC m=+0.15 [debug] "


def row(number: int, status: str, description: str = "Upgrade complete", **more: Any) -> Any:
    """One line of the history."""
    return {
        "revision": number,
        "status": status,
        "updated": "2026-01-01T00:00:00.123456789Z",
        "chart": "web-0.1.0",
        "app_version": "1.0",
        "description": description,
        **more,
    }


def live(kind: str, name: str, **more: Any) -> dict[str, Any]:
    """An object of the cluster."""
    metadata = {"name": name, "namespace": "app", "uid": f"uid-{name}", "resourceVersion": "1"}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **more}


class HelmWorld(KubeWorld):
    """A chart ``web`` and a release of it, whose revision 1 has image 1."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.writes("web/Chart.yaml", CHART)
        self.tool.on("helm version", Answer(stdout=b"v3.17.2"))
        self.tool.on("kubectl get", Answer(stdout=list_of(live("Namespace", "app"))))
        self.tool.on("kubectl get secrets,configmaps", self._labels)
        self.label = ""
        """What another run has on revision 2, in place of this run's label."""
        self.has(row(1, "deployed", "Install complete"))
        self.holds(CONFIG_MAP % 1)
        self.would_have(CONFIG_MAP % 2)

    def _labels(self, _call: Any) -> Answer:
        """What Helm keeps: all revisions from 2 on bear the label of the upgrade."""
        found = ""
        for call in self.tool.called("helm upgrade --debug"):
            (given,) = [word for word in call.argv if word.startswith("--labels=")]
            found = given.rpartition("=")[2]
        labels = {1: found, 2: self.label or found, 3: found, 4: found}
        return Answer(stdout="".join(f"{key} {each}\n" for key, each in labels.items()).encode())

    def has(self, *rows: Any, then: tuple[Any, ...] = ()) -> None:
        """The release has these revisions; at the next look it has those of `then`."""
        lots = [rows, *([then] if then else [])]
        self.tool.on("helm history", *(Answer(stdout=to_json(lot)) for lot in lots))

    def has_none(self) -> None:
        """There is no release."""
        self.tool.on("helm history", Answer(code=1, stderr=b"Error: release: not found\n"))

    def holds(self, manifest: str, *, hooks: str = "", values: Any = None) -> None:
        """What a stored revision holds."""
        self.tool.on("helm get manifest", Answer(stdout=manifest.encode()))
        self.tool.on("helm get hooks", Answer(stdout=hooks.encode()))
        self.tool.on("helm get values", Answer(stdout=to_json(values)))

    def would_have(self, manifest: str, *, hooks: tuple[str, ...] = (), values: Any = None) -> None:
        """What the dry run says."""
        document = {
            "name": "web",
            "namespace": "app",
            "version": 2,
            "info": {"status": "pending-upgrade"},
            "chart": {"metadata": {"name": "web", "version": "0.1.0", "appVersion": "1.0"}},
            "config": values or {},
            "manifest": manifest,
            "hooks": [{"manifest": each} for each in hooks],
        }
        self.tool.on("helm upgrade --dry-run=server", Answer(stdout=to_json(document)))

    def upgrades(self, *rows: Any, **answer: Any) -> None:
        """The upgrade ends so, and leaves these revisions."""

        def upgrade(_call: Any) -> Answer:
            self.has(*rows)
            return Answer(**answer)

        self.tool.on("helm upgrade --debug", upgrade)

    def rolls_back(self, *rows: Any, **answer: Any) -> None:
        """A rollback ends so, and leaves these revisions."""

        def back(_call: Any) -> Answer:
            self.has(*rows)
            return Answer(**answer)

        self.tool.on("helm rollback", back)

    def step(self, *, action: str | None = None, dry_run: bool = False, **more: Any) -> StepOutcome:
        """Carry the step out."""
        return self.run("helm", {**SECTION, **more}, action=action, dry_run=dry_run)

    def failure(self, **more: Any) -> Any:
        """The error it ends with."""
        wishes = {name: more.pop(name) for name in ("action", "dry_run") if name in more}
        return self.fail("helm", {**SECTION, **more}, **wishes)

    def verbs(self) -> list[str]:
        """What Helm was told, in order, but for what only looks."""
        looks = ("version", "history", "get")
        helm = [call for call in self.tool.calls if call.argv[0] == "helm"]
        return [
            " ".join(
                word
                for word in call.argv[1:]
                if not word.startswith("--") or word == "--dry-run=server"
            )
            for call in helm
            if call.argv[1] not in looks
        ]

    def seconds_ago(self, seconds: float) -> str:
        """A moment as Helm writes it."""
        return f"{self.clock.now() - timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"
