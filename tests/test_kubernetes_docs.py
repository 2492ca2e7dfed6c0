"""The walk-through of docs/kubernetes.md is walked, on the tests' cluster, command by command."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from calamari_py.sandbox import Sandbox
from calamari_py.steps.kubernetes.sections import (
    ChartRepositorySection,
    ClusterSection,
    HelmAction,
    HelmSection,
    KubectlAction,
    KubectlSection,
    PruneSection,
    WaitSection,
)
from tests.integration.conftest import Calamari, calamari, sandbox
from tests.kube.cluster import Kube, kube
from tests.walked import Page

__all__ = ["calamari", "kube", "sandbox"]

PAGE = Page("kubernetes.md")
PASSWORD = "demo-password-4f9c2a7be1"


@pytest.mark.process
@pytest.mark.sandbox
@pytest.mark.slow(25)
def test_the_walk_through(calamari: Calamari, sandbox: Sandbox, kube: Kube) -> None:
    """Every command does, and shows, what the page says, and no secret."""
    assert len(PAGE.steps) >= 9
    assert set(PAGE.files) == {
        "web.yaml", "k8s/web.yaml", "cart.yaml", "chart/Chart.yaml", "chart/templates/cart.yaml",
    }  # fmt: skip
    written = PAGE.walk(calamari, {**sandbox.environment, **kube.environment})
    assert PASSWORD not in written


@pytest.mark.parametrize(
    "section",
    [
        KubectlSection, HelmSection, ClusterSection, WaitSection, PruneSection,
        ChartRepositorySection,
    ],
)  # fmt: skip
def test_every_key_is_described(section: type) -> None:
    """The page names every key."""
    keys: tuple[str, ...] = section.__struct_fields__  # type: ignore[attr-defined]
    assert [key for key in keys if not re.search(rf"`\{{?(\w+\.)?{key}\b", PAGE.text)] == []


@pytest.mark.parametrize(("kind", "actions"), [("kubectl", KubectlAction), ("helm", HelmAction)])
def test_every_action_is_described(kind: str, actions: object) -> None:
    """The tables say what each does."""
    table = PAGE.text.partition(f"| `{kind}` | what it does")[2].partition("\n\n")[0]
    assert [action for action in get_args(actions) if f"`{action}`" not in table] == []
