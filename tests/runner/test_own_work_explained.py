"""`explain` of a step that calls AWS itself: intentions in the place of commands and of a child."""

from __future__ import annotations

import io

import pytest

from calamari_py.output._explanation_page import page_lines
from calamari_py.output.explanation import Check, Explanation
from calamari_py.runner import Corridor, Doors, RunOptions, visit
from calamari_py.runner.explain import explain
from calamari_py.steps.base import Wishes
from tests.runner.own_work import Errand
from tests.runner.world import HEAD, World

ERRAND = f"{HEAD}errand: {{what: stroll}}\n"
ABOUT_A_CHILD = {"tools", "inherited", "files", "metadata", "user"}


def look(world: World, text: str, *, action: str | None = None) -> tuple[int, list[Explanation]]:
    """The exit code, and what was explained."""
    world.write(text)
    found: list[Explanation] = []

    def way(corridor: Corridor) -> None:
        with corridor.opened():
            found.append(explain(corridor))

    code = visit(
        RunOptions(
            manifest="step.yaml",
            cwd=world.folder,
            environ=world.environ,
            stdin=io.BytesIO(),
            wishes=Wishes(action=action),
        ),
        world.reporter,
        Doors(make_aws=world.aws.door, now=world.clock, install_signals=False),
        way,
    )
    return code, found


def one(world: World, text: str, *, action: str | None = None) -> Explanation:
    """The one explanation."""
    code, (found,) = look(world, text, action=action)
    assert code == 0, world.reporter.text
    return found


def check(explained: Explanation, name: str) -> Check:
    """The check of that name."""
    (found,) = [check for check in explained.checks if check.name == name]
    return found


def test_it_does_and_starts_nothing(errand: Errand, world: World) -> None:
    """There are sentences, no commands and no environment; the limit is the kind's; nothing ran."""
    found = one(world, ERRAND)
    assert found.intentions == ("go on errand 'stroll'",)
    assert found.commands == ()
    assert (found.names.removed, found.names.added, found.names.passed) == ((), (), ())
    assert (found.bounds.timeout, found.bounds.grace) == (3600.0, None)
    assert (found.identity.delivery, found.identity.renewed) == (None, True)
    assert not ABOUT_A_CHILD & {check.name for check in found.checks}
    assert errand.specs == []
    assert world.aws.calls == []


def test_its_page(errand: Errand, world: World) -> None:
    """People read what it would do, and nothing about a child."""
    lines = page_lines(one(world, ERRAND), 84)
    page = "\n".join("".join(span.text for span in line) for line in lines)
    assert "  does       go on errand 'stroll'" in page
    assert "the credentials, once they are obtained" in page
    assert "limits     timeout 1h" in page
    for word in ("removed", "passed on", "command", "delivery", "grace"):
        assert word not in page


def test_its_action(errand: Errand, world: World) -> None:
    """What is explained is what that action would do."""
    assert one(world, ERRAND, action="look").intentions == ("look on errand 'stroll'",)
    assert look(world, ERRAND, action="fly")[0] == 2


def test_finally_is_a_child(errand: Errand, world: World) -> None:
    """With a `finally` there is an environment: that of a script, as a run builds it."""
    text = ERRAND + "finally: echo bye\n"
    found = one(world, text)
    assert len(found.finally_commands) == 1
    assert found.identity.delivery == "env"
    assert ABOUT_A_CHILD - {"tools"} <= {check.name for check in found.checks}
    world.run(text)
    ran = set(world.child.environments[0])
    assert {*found.names.added, *found.names.passed} == ran


def test_credentials_do_not_end_mid_step(errand: Errand, world: World) -> None:
    """However long it may take, they are renewed."""
    lifetime = check(one(world, ERRAND + "timeout: 9h\n"), "lifetime")
    assert lifetime.state == "ok"
    assert "renewed" in lifetime.evidence


def test_a_region_that_is_missing(errand: Errand, world: World) -> None:
    """It is needed without any role, too."""
    code, (found,) = look(world, "name: d\nerrand: {}\n")
    assert code == 0
    region = check(found, "region")
    assert (region.state, region.exit_code) == ("fail", 65)
    assert "the step, which calls AWS, needs one" in region.evidence


@pytest.mark.parametrize("text", ["idle_timeout: 1m\n", "grace: 1s\n"])
def test_what_a_run_refuses(text: str, errand: Errand, world: World) -> None:
    """The manifest is as invalid as for a run."""
    assert look(world, ERRAND + text) == (65, [])
