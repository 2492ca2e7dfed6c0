"""Stopped: a command that calamari had to end."""

from __future__ import annotations

from calamari_py.errors import CalamariError, TimedOut
from calamari_py.process.base import ProcessExit, StopReason


class Stopped(CalamariError):
    """calamari ended a command: the time was over, a signal came, or nobody reads any more. `exit`
    says which; it becomes the step's own end. `is_done` says that the command had done all before
    it heard of that."""

    def __init__(self, verb: str, ended: ProcessExit) -> None:
        super().__init__(f"'{verb}' was ended: {ended.stopped}")
        self.exit = ended
        self.is_done = False


def is_time_over(error: CalamariError) -> bool:
    """Whether `error` says that the step's own time is over."""
    if isinstance(error, Stopped):
        return error.exit.stopped is StopReason.TIMEOUT
    return isinstance(error, TimedOut)
