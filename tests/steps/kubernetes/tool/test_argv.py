"""The arguments of kubectl's commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.steps.kubernetes.spec import ClusterSpec, KubectlSpec
from calamari_py.steps.kubernetes.tool import argv

FILE = Path("/p/0001.yaml")
SPEC = KubectlSpec(
    action="apply",
    binary=Path("/bin/kubectl"),
    cluster=ClusterSpec(way="server"),
    folder=Path("/"),
    applyset="secrets/web",
)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(argv.get_types(["a", "b.v1.c"], namespace="n", selector="x=y"),
                     "get a,b.v1.c -o json --namespace n --selector x=y", id="list"),
        pytest.param(argv.get_types(["a"], namespace=None, selector=""),
                     "get a -o json --all-namespaces", id="list-all"),
        pytest.param(argv.get_types(["a"], namespace="", selector=""), "get a -o json",
                     id="list-of-context"),
        pytest.param(argv.get_file(FILE), "get -f /p/0001.yaml --ignore-not-found -o json",
                     id="get"),
        pytest.param(argv.apply([FILE], SPEC, dry_run=True),
                     "apply --server-side --field-manager=calamari --dry-run=server -o json"
                     " -f /p/0001.yaml --request-timeout=40s", id="rehearse"),
        pytest.param(argv.apply([FILE], SPEC, prunes_in="n"),
                     "apply --server-side --field-manager=calamari --prune --applyset=secrets/web"
                     " --namespace n -f /p/0001.yaml --request-timeout=40s", id="prune"),
        pytest.param(argv.create(FILE, SPEC),
                     "create --field-manager=calamari -o json -f /p/0001.yaml"
                     " --request-timeout=40s", id="create"),
        pytest.param(argv.delete([FILE, FILE]),
                     "delete --wait=false --ignore-not-found -f /p/0001.yaml -f /p/0001.yaml"
                     " --request-timeout=40s", id="delete"),
        pytest.param(argv.with_timeout(["get", "x"]), "get x --request-timeout=20s", id="limit"),
        pytest.param(argv.with_timeout(["get", "--request-timeout=0"]), "get --request-timeout=0",
                     id="own-limit"),
    ],
)  # fmt: skip
def test_words(words: tuple[str, ...], expected: str) -> None:
    """Each command."""
    assert " ".join(words) == expected


@pytest.mark.parametrize(
    ("applyset", "expected"),
    [("configmaps/web", True), ("secrets/web", True), ("web", True), ("ConfigMap/web", True),
     ("mysets.example.com/web", False)],
)  # fmt: skip
def test_parents_in_namespaces(applyset: str, expected: bool) -> None:
    """Only of these kubectl wants the namespace said."""
    assert argv.is_namespaced_parent(applyset) is expected
