"""What is foreseen of a helm step is what it runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from calamari_py.steps import STEP_KINDS
from tests.steps.kubernetes.fakes import Answer, list_of
from tests.steps.kubernetes.helm.room import SECTION, HelmWorld, live, row


def said(commands: Iterable[tuple[str, ...]]) -> list[str]:
    """Each command once, where it came first: the program, its verb, and what makes it another."""
    telling = ("--dry-run=server", "-f")
    found = (
        " ".join([Path(argv[0]).name, *argv[1 : 3 if argv[1:2] == ("get",) else 2],
                  *(word for word in telling if word in argv[3:])])
        for argv in commands
    )  # fmt: skip
    return list(dict.fromkeys(found))


@pytest.mark.parametrize(
    ("section", "wishes"),
    [
        pytest.param({"create_namespace": True}, {}, id="upgrade"),
        pytest.param({}, {"dry_run": True}, id="rehearsed upgrade"),
        pytest.param({"namespace": None}, {"action": "diff"}, id="diff"),
        pytest.param({}, {"action": "rollback"}, id="rollback"),
        pytest.param({}, {"action": "rollback", "dry_run": True}, id="rehearsed rollback"),
        pytest.param({}, {"action": "uninstall"}, id="uninstall"),
        pytest.param({}, {"action": "test"}, id="test"),
        pytest.param({}, {"action": "template"}, id="template"),
    ],
)
def test_the_commands_are_those_that_run(
    section: dict[str, Any], wishes: dict[str, Any], tmp_path: Path
) -> None:
    """kubectl's are among them, and none that changes anything in a rehearsal."""
    world = HelmWorld(tmp_path)
    world.has(row(1, "superseded"), row(2, "deployed"))
    world.upgrades(row(1, "superseded"), row(2, "superseded"), row(3, "deployed"))
    world.rolls_back(row(2, "superseded"), row(3, "deployed", "Rollback to 1"))
    if section.get("create_namespace"):
        config = live("ConfigMap", "web")
        world.tool.on("kubectl get", Answer(stdout=list_of()), Answer(stdout=list_of(config)))
    whole = {**SECTION, **section}
    planned = STEP_KINDS["helm"].preview(world.parse("helm", whole, **wishes))
    world.run("helm", whole, **wishes)
    assert said(each.argv for each in planned) == said(each.argv for each in world.tool.calls)
