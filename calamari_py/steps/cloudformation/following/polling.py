"""Asking again while nothing runs at AWS yet: `contact` is for the time when something does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from calamari_py.errors import CalamariError
from calamari_py.steps.cloudformation.following.contact import LONGEST_PAUSE, is_passing
from calamari_py.steps.cloudformation.work import Waiting

Answer = TypeVar("Answer")


def ask_patiently(work: Waiting, call: Callable[[], Answer], waiting_for: str) -> Answer:
    """The answer of `call`, asked for again (with longer and longer pauses) for at most
    ``patience`` seconds without one; then its error. TimedOut when the step's time is over."""
    since: float | None = None
    pause = 1.0
    while True:
        try:
            return call()
        except CalamariError as error:
            now = work.clock.monotonic()
            since = now if since is None else since
            if not is_passing(error) or now - since >= work.spec.patience:
                raise
            work.report.note(f"waiting for {waiting_for}: {error.message}")
        work.deadline.check(waiting_for)
        rest(work, pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def rest(work: Waiting, seconds: float) -> None:
    """Wait about so long, never all at the same moment, and not beyond the step's end."""
    seconds *= 0.75 + work.clock.jitter() / 2
    left = work.deadline.left()
    work.clock.sleep(seconds if left is None else max(0.0, min(seconds, left)))
