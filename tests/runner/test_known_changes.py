"""What a kind that knows of each change says of it, and what the result makes of that."""

from __future__ import annotations

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.process import ProcessExit, StopReason
from calamari_py.steps.base import StepContext, StepOutcome
from tests.runner.reading import Act, Probe
from tests.runner.test_reading_kind import PROBE, run
from tests.runner.world import World

STOPPED = StepOutcome(code=1, exit=ProcessExit(code=1, stopped=StopReason.TIMEOUT))


def ends(outcome: StepOutcome | None, *said: bool | None) -> Act:
    """An execution that says so of changes, and then ends so; it fails without an outcome."""

    def act(context: StepContext) -> StepOutcome:
        for done in said:
            context.report.changed(done)
        if outcome is None:
            raise ToolFailed("no")
        return outcome

    return act


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        pytest.param(ends(None), None, id="nothing said"),
        pytest.param(ends(None, False), False, id="failed before"),
        pytest.param(ends(None, False, None), None, id="failed while nobody knew"),
        pytest.param(ends(None, False, None, True), True, id="failed after"),
        pytest.param(ends(None, True, False), True, id="not taken back"),
        pytest.param(ends(STOPPED, False), False, id="stopped before"),
        pytest.param(ends(STOPPED, False, None), None, id="stopped while nobody knew"),
        pytest.param(ends(StepOutcome(code=0, changed=False), False), False, id="a success"),
        pytest.param(ends(StepOutcome(code=0, pending=True), False), None, id="only looked"),
    ],
)
def test_changed(probe: Probe, world: World, act: Act, expected: bool | None) -> None:
    """It is what was said last, but what was changed stays so."""
    assert run(world, probe, act).changed is expected


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        pytest.param(ends(None, False), False, id="nothing yet"),
        pytest.param(ends(None, False, None), None, id="nobody knows"),
        pytest.param(ends(None, False, True), True, id="something"),
    ],
)
def test_changed_over_attempts(
    probe: Probe, world: World, first: Act, expected: bool | None
) -> None:
    """A last attempt that changed nothing does not say so of those before it."""
    retry = "retry: {attempts: 2, delay: 0s, on_exit_codes: [1]}\n"
    last = ends(StepOutcome(code=0, changed=False), False)
    result = run(world, probe, first, last, text=retry + PROBE)
    assert (result.exit_code, result.changed) == (0, expected)


@pytest.mark.parametrize("value", ["true", "false", "null"])
def test_what_is_no_text_is_no_short_secret(probe: Probe, world: World, value: str) -> None:
    """A sensitive output that is true or null is published as sensitive, and refused by nobody."""

    def act(context: StepContext) -> StepOutcome:
        context.report.output("Outputs.x", value, sensitive=True)
        return StepOutcome(code=0)

    result = run(world, probe, act, short_secrets="error")
    assert result.exit_code == 0
    assert result.to_document()["outputs"]["Outputs.x"]["sensitive"] is True
