"""What `explain` says of a kubectl or helm step is what a run of it does."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from calamari_py.output.explanation import Explanation
from calamari_py.runner import Corridor, Doors, RunOptions, visit
from calamari_py.runner.explain import explain
from tests.fakes import prints
from tests.runner.world import HEAD, World
from tests.steps.kubernetes.fakes import cluster_body
from tests.steps.kubernetes.helm.room import CHART
from tests.steps.kubernetes.world import acts_as_kubernetes

CLUSTER = "cluster: {eks: blue}"
SCRIPT = f"{HEAD}kubectl: {{{CLUSTER}, script: kubectl get pods}}\n"
APPLY = f"{HEAD}kubectl: {{{CLUSTER}, files: [web.yaml], wait: false}}\n"
HELM = f"{HEAD}helm: {{{CLUSTER}, namespace: app, release: web, chart: ./web, %s}}\n"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Programs that are never run, an object and a chart."""
    made = World(tmp_path)
    for name in ("kubectl", "helm", "bash"):
        (made.folder / "bin" / name).write_text("never run\n")
        (made.folder / "bin" / name).chmod(0o755)
    made.write("{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}", "web.yaml")
    (made.folder / "web").mkdir()
    made.write(CHART, "web/Chart.yaml")
    acts_as_kubernetes(made.child)
    made.child.answers |= {"template": prints(b""), "history": prints(b"[]")}
    made.aws.answers["eks:DescribeCluster"] = {"cluster": cluster_body()}
    return made


def explained(world: World, text: str) -> Explanation:
    """The one explanation."""
    world.write(text)
    found: list[Explanation] = []

    def way(corridor: Corridor) -> None:
        with corridor.opened():
            found.append(explain(corridor))

    options = RunOptions(
        manifest="step.yaml", cwd=world.folder, environ=world.environ, stdin=io.BytesIO()
    )
    doors = Doors(make_aws=world.aws.door, now=world.clock, install_signals=False)
    assert visit(options, world.reporter, doors, way) == 0, world.reporter.text
    (one,) = found
    return one


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SCRIPT, id="script"),
        pytest.param(APPLY, id="apply"),
        pytest.param(HELM % "action: uninstall", id="helm"),
        pytest.param(HELM % "action: template", id="helm template"),
    ],
)
def test_the_names_are_those_that_the_tool_gets(text: str, world: World) -> None:
    """What leads to the cluster is among them, and a home of its own is not one that is passed
    on."""
    world.environ |= {"HOME": "/home/me", "KUBECONFIG": "/home/me/.kube/config"}
    names = explained(world, text).names
    assert world.run(text).exit_code == 0, world.reporter.text
    told = [each for each in world.child.commands if Path(each.argv[0]).name != "kubectl"]
    last = told[-1] if told else world.child.commands[-1]
    assert {*names.added, *names.passed} == set(last.environment)
    assert "KUBECONFIG" in names.added
    assert ("HOME" in names.passed) == (text == SCRIPT)
