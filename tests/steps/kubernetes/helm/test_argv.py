"""What Helm is told, word by word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.files import helm_files
from calamari_py.steps.kubernetes.spec import ClusterSpec, HelmSpec, WaitSpec

WAIT = WaitSpec(timeout=90)


def words(command: str, **changes: Any) -> set[str]:
    """The arguments of `command` for a spec with `changes`."""
    given: dict[str, Any] = {
        "action": "upgrade", "binary": Path("/bin/helm"), "kubectl": Path("/bin/kubectl"),
        "cluster": ClusterSpec(way="server"), "folder": Path("/x"), "release": "web",
        "chart": "./web", "chart_is_path": True, "wait": WAIT, "namespace": "app",
    }  # fmt: skip
    spec = HelmSpec(**{**given, **changes})
    files = helm_files(spec, private=Path("/p"), temp=Path("/t"))
    commands = {
        "upgrade": lambda: argv.upgrade(spec, files, Path("/x/web")),
        "dry run": lambda: argv.dry_run(spec, files, Path("/x/web")),
        "rollback": lambda: argv.rollback(spec, 1),
        "uninstall": lambda: argv.uninstall(spec, keep_history=spec.keep_history),
        "template": lambda: argv.template(spec, files, Path("/x/web")),
    }
    return set(commands[command]())


@pytest.mark.parametrize(
    ("command", "changes", "there", "missing"),
    [
        pytest.param("upgrade", {}, {"--install", "--reset-values", "--history-max=10"},
                     {"--no-hooks", "--skip-crds"}, id="upgrade"),
        pytest.param("upgrade", {"history_max": 3}, {"--history-max=3"}, set(), id="history"),
        pytest.param("rollback", {"history_max": 3}, {"--history-max=3"}, set(), id="its history"),
        pytest.param("dry run", {}, {"--reset-values", "--dry-run=server"}, {"--wait"},
                     id="dry run"),
        pytest.param("upgrade", {}, {"--wait", "--wait-for-jobs", "--timeout=90s"}, set(),
                     id="waits"),
        pytest.param("rollback", {}, {"--wait", "--wait-for-jobs", "--timeout=90s"}, set(),
                     id="rollback waits"),
        pytest.param("uninstall", {}, {"--wait", "--timeout=90s"}, {"--wait-for-jobs"},
                     id="uninstall waits"),
        pytest.param("upgrade", {"wait": None}, {"--timeout=600s"}, {"--wait", "--wait-for-jobs"},
                     id="does not wait"),
        *(pytest.param(each, {"hooks": False}, {"--no-hooks"}, set(), id=f"{each} without hooks")
          for each in ("upgrade", "dry run", "rollback", "uninstall", "template")),
        pytest.param("upgrade", {"skip_crds": True}, {"--skip-crds"}, set(), id="no definitions"),
        pytest.param("uninstall", {"keep_history": True}, {"--keep-history"}, set(), id="keeps it"),
    ],
)  # fmt: skip
def test_what_helm_is_told(
    command: str, changes: dict[str, Any], there: set[str], missing: set[str]
) -> None:
    """Each key of the section is an option of the commands that it is for."""
    told = words(command, **changes)
    assert there <= told
    assert not missing & told
