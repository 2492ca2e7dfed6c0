"""One streamed command, told as it goes on, and how it failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from calamari_py.errors import Cancelled
from calamari_py.process.base import ProcessExit, Stream
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.base import LineReader
from calamari_py.steps.terraform.actions.verdict import is_finished, never_finished
from calamari_py.steps.terraform.following.diagnostics import tool_failed
from calamari_py.steps.terraform.following.sources import sources_of
from calamari_py.steps.terraform.following.stream import JsonFollower
from calamari_py.steps.terraform.state.ends import after_forced_end, is_calm, is_saved
from calamari_py.steps.terraform.state.locks import lock_error, lock_failed
from calamari_py.steps.terraform.values import Diagnostic, Followed
from calamari_py.steps.terraform.work import Work


def follow(
    work: Work,
    verb: str,
    command: Callable[[LineReader], ProcessExit],
    *,
    total: int | None = None,
    known: Sequence[Diagnostic] = (),
    good: tuple[int, ...] = (0,),
    before_telling: Callable[[ProcessExit | None], None],
    at_end: Callable[[Followed], None] = lambda _: None,
) -> tuple[ProcessExit, Followed]:
    """Run `command` with a reader that tells what it does. `verb` is what it is called in a message
    (``plan``), `good` are the exit codes of a success, where no error was told.

    What it says went wrong is told when it has ended. `before_telling`, with its end, masks what is
    secret in that and was not known before; the end is None where nobody reads any more. `at_end`
    hears what was told, however it ended.

    ToolFailed when it failed, Stopped when it was ended. Where the state's lock may be left, it was
    looked at.
    """
    follower = JsonFollower(
        work.report,
        work.clock,
        total=total,
        verb=verb,
        known=known,
        sources=sources_of(work.spec, work.files),
        lock_timeout=work.spec.lock_timeout,
    )
    reader = _Listening(follower)

    def finish(*, say_all: bool = False) -> Followed:
        followed = follower.finish(say_all=say_all)
        at_end(followed)
        return followed

    try:
        ended = command(reader)
    except Stopped as stopped:
        before_telling(stopped.exit)
        followed = finish(say_all=True)
        after_forced_end(work, followed, stopped.exit)
        is_well = _is_well(stopped.exit, followed, good)
        stopped.is_done = is_well and is_finished(work, verb, followed)
        raise
    except Cancelled:
        # It was told to end for want of a reader, if it was started at all.
        if reader.heard:
            before_telling(None)
            after_forced_end(work, finish(say_all=True))
        raise
    before_telling(ended)
    followed = finish()
    _check_end(work, verb, ended, followed, is_well=_is_well(ended, followed, good))
    return ended, followed


def _is_well(ended: ProcessExit, followed: Followed, good: tuple[int, ...]) -> bool:
    return ended.code in good and not followed.has_failed


def _check_end(
    work: Work, verb: str, ended: ProcessExit, followed: Followed, *, is_well: bool
) -> None:
    """ToolFailed when it failed. Where the state's lock may be left, it is looked at."""
    if is_well and not is_finished(work, verb, followed):
        after_forced_end(work, followed)
        raise never_finished(work, verb)
    if not is_calm(ended, followed):
        after_forced_end(work, followed, ended)
    if is_well:
        return
    held = lock_error(followed.errors)
    if held is not None:
        raise lock_failed(work, held, verb)
    raise tool_failed(
        verb,
        followed.errors,
        exit=ended,
        product=work.spec.program,
        is_saved=followed.touched > 0 and is_saved(ended, followed),
        directory=work.spec.directory,
    )


class _Listening:
    """A LineReader that passes on what it hears, and knows whether that was anything."""

    def __init__(self, reader: LineReader) -> None:
        self.heard = False
        self._reader = reader

    def line(self, stream: Stream, line: bytes) -> None:
        self.heard = True
        self._reader.line(stream, line)

    def idle(self) -> None:
        self._reader.idle()
