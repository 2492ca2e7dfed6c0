"""The stop ladder as a pure value: what is due when."""

from __future__ import annotations

import signal

import pytest

from calamari_py.process.ladder import Ladder


def climbed(ladder: Ladder, now: float) -> list[int]:
    """Every signal that is due at `now`."""
    signals = []
    while (signum := ladder.step(now)) is not None:
        signals.append(signum)
    return signals


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        pytest.param([100], [[2]], id="at once"),
        pytest.param([100, 109.9, 110, 114.9, 115], [[2], [], [15], [], [9]], id="in time"),
        pytest.param([100, 200, 204, 205], [[2], [15], [], [9]], id="late steps keep the distance"),
        pytest.param([100, 110, 115, 999], [[2], [15], [9], []], id="each once"),
    ],
)
def test_polite(times: list[float], expected: list[list[int]]) -> None:
    """The polite signal, SIGTERM after the grace, SIGKILL after the delay, each once."""
    ladder = Ladder.polite(signal.SIGINT, 100, grace=10, kill_delay=5)
    assert [climbed(ladder, now) for now in times] == expected


def test_hurry() -> None:
    """A hurry brings the next rung only."""
    ladder = Ladder.polite(signal.SIGINT, 0, grace=10, kill_delay=5)
    climbed(ladder, 0)
    ladder.hurry(1)
    assert climbed(ladder, 1) == [signal.SIGTERM]
    assert ladder.due == 6
    ladder.hurry(2)
    assert climbed(ladder, 2) == [signal.SIGKILL]
    assert ladder.due is None


def test_last_rungs() -> None:
    """What is left over gets SIGTERM at once and SIGKILL after the delay."""
    ladder = Ladder.last_rungs(0, kill_delay=5)
    assert climbed(ladder, 0) == [signal.SIGTERM]
    assert climbed(ladder, 5) == [signal.SIGKILL]
