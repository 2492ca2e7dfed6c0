"""A kubectl step from its manifest to its end: what the runner makes of the kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calamari_py.runner.adhoc import AdHocCommand
from tests.fakes import Running
from tests.runner.world import HEAD, World
from tests.steps.kubernetes.fakes import cluster_body
from tests.steps.kubernetes.world import acts_as_kubernetes

LIST = f"{HEAD}kubectl: {{cluster: {{eks: blue}}, script: kubectl get pods -A}}\n"
TEMPLATE = "kubectl get pods -o go-template='{{range .items}}{{.metadata.name}}{{end}}'"
APPLY = f"{HEAD}kubectl: {{cluster: {{eks: blue}}, files: [web.yaml], wait: false}}\n"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    for name in ("kubectl", "bash"):
        (made.folder / "bin" / name).write_text("never run\n")
        (made.folder / "bin" / name).chmod(0o755)
    made.write("{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}", "web.yaml")
    acts_as_kubernetes(made.child)
    made.aws.answers["eks:DescribeCluster"] = {"cluster": cluster_body()}
    return made


class Listing:
    """A script that prints what it was started with."""

    def __init__(self) -> None:
        self.config = self.text = ""

    def __call__(self, running: Running) -> int:
        self.config = Path(running.environment["KUBECONFIG"]).read_text()
        *_, last = running.command.argv
        self.text = Path(last).read_text() if last.startswith("/") else ""
        running.write(b"web " + running.environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"].encode())
        return 0


@pytest.mark.parametrize("asked", ["interactive", "terminal", "terminal_asked", "isolate"])
def test_a_script_in_one_line(asked: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its context is set, as the step's role; its output is shown as it comes, masked; and it may
    have whatever a script may have."""
    monkeypatch.setattr("calamari_py.process.isolate.require_isolation", lambda: None)
    listing = Listing()
    options: dict[str, Any] = {asked: True}
    assert world.run(LIST, listing, **options).exit_code == 0
    assert world.reporter.shown() == b"web ***"
    assert '"eks-token"' in listing.config
    assert world.child.environments[0]["CALAMARI_FUNCTIONS"]


def test_a_script_is_no_template(world: World) -> None:
    """What kubectl calls a template is kubectl's: nothing in a script is rendered."""
    listing = Listing()
    section = f'cluster: {{eks: blue}}, namespace: app, script: "{TEMPLATE}"'
    assert world.run(f"{HEAD}kubectl: {{{section}}}\n", listing).exit_code == 0
    assert listing.text == TEMPLATE
    long = HEAD + f"kubectl:\n  cluster: {{eks: blue}}\n  script:\n    run: {TEMPLATE}\n"
    assert world.run(long, listing).exit_code == 0
    assert listing.text == TEMPLATE


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        pytest.param(LIST, {"fail_on_no_change": True}, 2, id="a script's changes"),
        pytest.param(APPLY, {"fail_on_no_change": True}, 0, id="changes of apply"),
        pytest.param(APPLY, {"interactive": True}, 2, id="apply by hand"),
        pytest.param(f"{LIST}output_limit: 1MB\n", {}, 0, id="a script's output"),
        pytest.param(f"{APPLY}output_limit: 1MB\n", {}, 65, id="apply's output"),
    ],
)
def test_what_is_for_shown_output(text: str, options: Any, code: int, world: World) -> None:
    """The action decides what may be asked of the step."""
    assert world.run(text, **options).exit_code == code


def test_finally_has_the_context_too(world: World) -> None:
    """What it cleans up is in the same cluster."""
    seen: list[str] = []

    def last(running: Running) -> int:
        seen.append(Path(running.environment["KUBECONFIG"]).read_text())
        return 0

    world.child.answers["-c"] = last
    assert world.run(f"{APPLY}finally: kubectl get pods\n").exit_code == 0
    assert '"eks-token"' in seen[0]


def test_a_command_by_hand_has_the_context(world: World) -> None:
    """``calamari exec step.yaml -- kubectl get pods`` asks the step's cluster."""
    listing = Listing()
    command = AdHocCommand(argv=("kubectl", "get", "pods"), directory=world.folder)
    assert world.run(APPLY, listing, command=command).exit_code == 0
    assert '"eks-token"' in listing.config
