"""The edge of a run: whatever ends it early becomes a failure that is told, and a result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from calamari_py.errors import EX_OK, CalamariError, Cancelled
from calamari_py.masking import SecretRegistry
from calamari_py.output.base import Reporter
from calamari_py.process import SignalInbox
from calamari_py.result import StepResult
from calamari_py.runner.corridor import Corridor
from calamari_py.runner.defect import defect_of
from calamari_py.runner.options import Doors, RunOptions
from calamari_py.runner.record import RunRecord

_T = TypeVar("_T")


def run_step(options: RunOptions, reporter: Reporter, doors: Doors | None = None) -> StepResult:
    """Run one step. Never raises for what can go wrong in a run: the result says it."""
    return _supervise(options, reporter, doors, Corridor.walk, Corridor.finish, last=True)


def run_command(options: RunOptions, reporter: Reporter, doors: Doors | None = None) -> int:
    """Run `RunOptions.command` as the step, and return its exit code: somebody works by hand, so
    there is no result to write and no last word to say."""

    def end(corridor: Corridor) -> int:
        return corridor.record.exit_code

    return _supervise(options, reporter, doors, Corridor.walk, end, last=True)


def visit(
    options: RunOptions, reporter: Reporter, doors: Doors | None, way: Callable[[Corridor], None]
) -> int:
    """Go a part of the corridor, `way`, for somebody who only wants to look. Returns the exit
    code; the reporter is told of a failure, and of nothing else than warnings and notes."""

    def end(corridor: Corridor) -> int:
        return corridor.record.exit_code if corridor.stopped else EX_OK

    return _supervise(options, reporter, doors, way, end)


def _supervise(
    options: RunOptions,
    reporter: Reporter,
    doors: Doors | None,
    way: Callable[[Corridor], None],
    end: Callable[[Corridor], _T],
    *,
    last: bool = False,
) -> _T:
    """Go `way`, turn whatever ends it early into a failure that is told, then `end`. `last`: what
    comes after is the exit, if the caller exits at all."""
    doors = doors or Doors()
    registry = SecretRegistry(options.short_secrets, ansi_aware=options.ansi_aware)
    record = RunRecord(
        step=options.manifest, registry=registry, now=doors.now, started_at=doors.now()
    )
    signals = SignalInbox(install=doors.install_signals, last=last and doors.exits)
    with signals as inbox, doors.pulse.heeding(inbox):
        corridor = Corridor(options, reporter, doors, record, inbox)
        try:
            way(corridor)
        except (CalamariError, Cancelled) as error:
            # A signal now has nothing left to stop, and must not cost the result.
            with inbox.queued():
                corridor.stop(_cancelled_instead(error, record, inbox))
        except BrokenPipeError:
            corridor.stopped = True
            record.reader_gone()
        except Exception as error:  # noqa: BLE001  the edge of a run: its result is still owed
            with inbox.queued():
                corridor.stop(_cancelled_instead(defect_of(error, registry), record, inbox))
        with inbox.queued():
            ended = end(corridor)
            inbox.settle()
        return ended


def _cancelled_instead(
    error: CalamariError | Cancelled, record: RunRecord, inbox: SignalInbox
) -> CalamariError | Cancelled:
    """A signal that came before the step started is why it did not, whatever failed then."""
    if inbox.first is not None and not record.step_started:
        return Cancelled(inbox.first)
    return error
