"""A signal is a reason not to try again, also where the child did not end by it."""

from __future__ import annotations

import signal

from calamari_py.result import Outcome
from tests.fakes import Running
from tests.runner.world import HEAD, SCRIPT, World


def test_no_attempt_after_a_signal(world: World) -> None:
    """It came when the child had ended by itself, with a code that asks for another attempt."""

    def ends_under_fire(running: Running) -> int:
        running.inbox.deliver(signal.SIGTERM)
        return 7

    again = "retry: {attempts: 2, delay: 0s, on_exit_codes: [7]}\n"
    result = world.run(HEAD + SCRIPT + again, ends_under_fire)
    assert (result.outcome, result.exit_code) == (Outcome.CANCELLED, 143)
    assert len(world.child.commands) == 1
