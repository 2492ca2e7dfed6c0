"""One streamed command, told as it goes on, and how it failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from calamari_py.errors import Cancelled
from calamari_py.process.base import ProcessExit, Stream
from calamari_py.steps.base import LineReader, StepReport
from calamari_py.steps.terraform.following.diagnostics import tool_failed
from calamari_py.steps.terraform.following.stream import JsonFollower
from calamari_py.steps.terraform.running.ended import Stopped
from calamari_py.steps.terraform.state.locks import (
    after_forced_end,
    lock_error,
    lock_failed,
    may_be_left,
)
from calamari_py.steps.terraform.values import Diagnostic, Followed
from calamari_py.steps.terraform.work import Work

_KILLED = 128
_BEGINS = b'"apply_start"'


def follow(
    work: Work,
    verb: str,
    command: Callable[[LineReader], ProcessExit],
    *,
    total: int | None = None,
    known: Sequence[Diagnostic] = (),
    good: tuple[int, ...] = (0,),
) -> tuple[ProcessExit, Followed]:
    """Run `command` with a reader that tells what it does. `verb` is what it is called in a message
    (``plan``), `good` are the exit codes of a success.

    ToolFailed when it failed, Stopped when it was ended. Where the state's lock may be left, it was
    looked at.
    """
    follower = JsonFollower(work.report, work.clock, total=total, verb=verb, known=known)
    reader = _Listening(follower, work.report)
    try:
        ended = command(reader)
    except Stopped as stopped:
        after_forced_end(work, follower.finish(say_all=True), stopped.exit)
        raise
    except Cancelled:
        # It was told to end for want of a reader, if it was started at all.
        if reader.heard:
            after_forced_end(work, follower.finish(say_all=True))
        raise
    followed = follower.finish()
    if ended.code > _KILLED or may_be_left(followed.diagnostics):
        after_forced_end(work, followed, ended)
    if ended.code in good:
        return ended, followed
    held = lock_error(followed.errors)
    if held is not None:
        raise lock_failed(work, held, verb)
    product = work.spec.binary_name.rpartition("/")[2]
    raise tool_failed(verb, followed.errors, exit=ended, product=product)


class _Listening:
    """A LineReader that passes on what it hears. From the first resource on that is begun something
    may have been changed, and the step says so however it ends."""

    def __init__(self, reader: LineReader, report: StepReport) -> None:
        self.heard = False
        self._reader = reader
        self._report = report
        self._begun = False

    def line(self, stream: Stream, line: bytes) -> None:
        self.heard = True
        if not self._begun and stream == "stdout" and _BEGINS in line:
            self._begun = True
            self._report.changed()
        self._reader.line(stream, line)

    def idle(self) -> None:
        self._reader.idle()
