"""A ``-json`` stream as people read it: a line for what is done, the rest as progress."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from calamari_py.identity import duration_text, elapsed_text
from calamari_py.process.base import Stream
from calamari_py.steps.base import StepClock, StepReport, Tone
from calamari_py.steps.terraform.following.blocks import diagnostics_of_text
from calamari_py.steps.terraform.following.diagnostics import read_diagnostic
from calamari_py.steps.terraform.following.events import (
    BrokenMessage,
    Hook,
    Message,
    read_hook,
    read_message,
    text_of,
)
from calamari_py.steps.terraform.following.progress import (
    Progress,
    Running,
    doing,
    done,
    is_change,
)
from calamari_py.steps.terraform.following.repeated import Diagnostics
from calamari_py.steps.terraform.following.sources import Sources
from calamari_py.steps.terraform.following.undeclared import COUNTED, as_error, undeclared_name
from calamari_py.steps.terraform.values import Diagnostic, Followed

SLOW = 10.0
"""Seconds after which a log says what is being waited for."""
_OFTEN = 0.5
_TAIL_LINES, _TAIL_WIDTH = 200, 4000
_DONE_BY = {"apply": "applied", "destroy": "destroyed"}
_SAID_BETTER = ("Resource targeting is in effect", "Applied changes may be incomplete")
"""Warnings that are in the summary of the plan in a few words."""
_PASSED_OVER = (
    "version",
    "resource_drift",
    "outputs",
    "provision_start",
    "provision_complete",
    "provision_errored",
    "state_lock_release",
)


class JsonFollower:
    """A LineReader that tells what a command with ``-json`` does. What it keeps does not grow with
    the stream.

    `total` is how many resources are expected to change, None where nobody knows; `verb` is what
    the command is called: what an ``apply`` or a ``destroy`` begins is a change, and how far it
    came is told at its end, however it ends. Of its errors the first one is kept for whoever says
    how the command failed, of a ``plan`` all are; warnings that are among `known` were told by an
    earlier command. `lock_timeout` is in seconds.
    """

    def __init__(
        self,
        report: StepReport,
        clock: StepClock,
        *,
        total: int | None,
        verb: str,
        known: Sequence[Diagnostic] = (),
        sources: Sources | None = None,
        lock_timeout: int | None = None,
    ) -> None:
        self._report = report
        self._clock = clock
        self._verb = verb
        self._total = total
        self._changes = verb in _DONE_BY
        self._sources = sources or Sources()
        self._lock_timeout = lock_timeout
        self._progress = Progress(total, verb=verb, began=clock.monotonic())
        self._diagnostics = Diagnostics(report, known=known, keeps_errors=not self._changes)
        self._undeclared: list[str] = []
        self._is_summed_up = False
        self._tail: deque[bytes] = deque(maxlen=_TAIL_LINES)
        self._shown_at = float("-inf")
        self._holding = False
        self._tellers: dict[str, Callable[[Message], None]] = {
            "diagnostic": self._tell_diagnostic,
            "planned_change": self._plan,
            "apply_start": self._start,
            "apply_progress": self._go_on,
            "apply_complete": self._complete,
            "apply_errored": self._fail,
            "ephemeral_op_start": self._start,
            "ephemeral_op_progress": self._go_on,
            "ephemeral_op_complete": self._complete,
            "ephemeral_op_errored": self._fail,
            "provision_progress": self._provision,
            "refresh_start": self._refresh,
            "refresh_complete": self._refreshed,
            "state_lock_acquire": self._wait,
            "change_summary": self._sum_up,
            "log": self._log,
            # Outputs have values; changes are told by whoever has the whole plan; what a
            # provisioner failed with is an error of its own.
            **dict.fromkeys(_PASSED_OVER, self._pass_over),
        }

    def line(self, stream: Stream, line: bytes) -> None:
        """One line, of either stream."""
        try:
            message = read_message(line) if stream == "stdout" else None
        except BrokenMessage:
            self._report.note(f"terraform {self._verb}: half a message ({len(line)} bytes)")
            return
        if message is None:
            self._tell_text(line)
            return
        self._tellers.get(message.type, self._tell_other)(message)
        self._show(often=False)

    def idle(self) -> None:
        """Time goes on where nothing is said."""
        if self._holding:
            self._holding = False
            self._report.settle()
        self._show(often=False)

    def finish(self, *, say_all: bool = False) -> Followed:
        """What the command told, when it has ended. `say_all` tells the first error, too: for whom
        no failure will be said that names it."""
        self._report.settle()
        has_failed = self._diagnostics.has_errors and not self._undeclared
        if not self._diagnostics.has_errors:
            for found in diagnostics_of_text(b"\n".join(self._tail)):
                if found.severity == "error":
                    self._diagnostics.keep(self._sources.seen(found))
        self._tell_how_far()
        return Followed(
            diagnostics=self._diagnostics.finish(say_all=say_all),
            touched=self._progress.touched,
            ended=self._progress.ended,
            unfinished=self._progress.unfinished(),
            undeclared=tuple(self._undeclared),
            is_summed_up=self._is_summed_up,
            has_failed=has_failed,
        )

    def _tell_how_far(self) -> None:
        """Of a success there is more to say than this; nobody else says it of a bad end."""
        if not self._changes or not self._total:
            return
        done = self._progress.ended
        self._report.fact("applied", {"done": done, "planned": self._total})
        self._report.ending(f"{_DONE_BY[self._verb]} {done} of {self._total}")

    def _tell_text(self, line: bytes) -> None:
        if len(line) <= _TAIL_WIDTH:  # half a line might hold half a secret
            self._tail.append(line)
        self._holding = True
        self._report.text(line + b"\n")

    def _tell_diagnostic(self, message: Message) -> None:
        diagnostic = self._sources.seen(read_diagnostic(message.part("diagnostic")))
        if diagnostic.summary in _SAID_BETTER:
            return
        name = None if self._changes else undeclared_name(diagnostic)
        if name is not None:
            self._undeclared.append(name)
            diagnostic = as_error(diagnostic, name)
        elif diagnostic.summary == COUNTED and self._undeclared:
            return
        self._diagnostics.take(diagnostic)

    def _plan(self, message: Message) -> None:
        change = message.part("change")
        hook = read_hook(change)
        self._progress.plan(hook.address, hook.action)

    def _start(self, message: Message) -> None:
        hook = read_hook(message.part("hook"))
        self._progress.start(hook, self._clock.monotonic())
        if is_change(hook.action):
            if self._changes:
                self._report.changed()
            self._tell(hook, "started", "")
        self._show(often=True)

    def _go_on(self, message: Message) -> None:
        hook = read_hook(message.part("hook"))
        running = self._progress.running(hook.address)
        if running is None:
            return
        hook = self._measured(hook, running)
        is_slow = hook.elapsed is not None and hook.elapsed >= SLOW
        if is_slow and not running.announced:
            running.announced = True
            after = elapsed_text(hook.elapsed or 0)
            self._tell(hook, "progress", f"still {doing(hook.action)} after {after}")
        elif is_change(hook.action):
            self._tell(hook, "progress", "")

    def _complete(self, message: Message) -> None:
        hook = read_hook(message.part("hook"))
        running = self._progress.complete(hook)
        hook = self._measured(hook, running)
        if is_change(hook.action) or (running is not None and running.announced):
            took = f" in {elapsed_text(hook.elapsed)}" if hook.elapsed and hook.elapsed >= 1 else ""
            self._tell(hook, "complete", f"{done(hook.action)}{took}")
        self._show(often=True)

    def _fail(self, message: Message) -> None:
        hook = read_hook(message.part("hook"))
        hook = self._measured(hook, self._progress.fail(hook))
        after = f" ({elapsed_text(hook.elapsed)})" if hook.elapsed and hook.elapsed >= 1 else ""
        self._tell(hook, "errored", f"could not be {done(hook.action)}{after}")
        self._show(often=True)

    def _measured(self, hook: Hook, running: Running | None) -> Hook:
        """The hook with what was said at the start and what we measured, where Terraform says
        neither."""
        if running is None:
            return hook
        elapsed = hook.elapsed
        if elapsed is None:
            elapsed = self._clock.monotonic() - running.since
        return replace(hook, action=hook.action or running.action, elapsed=elapsed)

    def _tell(self, hook: Hook, state: str, text: str) -> None:
        """An event, and with a `text` a line of it."""
        self._report.line(
            f"{hook.address}: {text}" if text else "",
            event="terraform_resource",
            fields={
                "state": state,
                "address": hook.address,
                "action": hook.action,
                "elapsed": hook.elapsed,
                "id": hook.id or None,
            },
            tone="bad" if state == "errored" else "",
        )

    def _provision(self, message: Message) -> None:
        hook = read_hook(message.part("hook"))
        of = f"{hook.address} ({hook.provisioner})" if hook.provisioner else hook.address
        self._holding = True
        self._report.text(hook.output.encode() + b"\n", of=of)

    def _refresh(self, message: Message) -> None:
        self._progress.refresh(read_hook(message.part("hook")).address)

    def _refreshed(self, message: Message) -> None:
        self._progress.refreshed(read_hook(message.part("hook")).address)

    def _wait(self, _: Message) -> None:
        self._progress.wait()
        limit = self._lock_timeout
        until = f", up to {duration_text(limit)} (lock_timeout)" if limit else ""
        self._report.line(f"waiting for the lock of the state{until}")

    def _sum_up(self, message: Message) -> None:
        if text_of(message.part("changes"), "operation") in _DONE_BY:
            self._is_summed_up = True

    def _log(self, message: Message) -> None:
        for line in message.text.splitlines():
            if line.strip():
                self._report.line(line.rstrip(), tone=_tone_of(message.level))

    def _pass_over(self, _: Message) -> None:
        return

    def _tell_other(self, message: Message) -> None:
        text = message.text or f"terraform says '{text_of(message.body, 'type')}'"
        if message.level in {"error", "warn"}:
            self._report.line(text, tone=_tone_of(message.level))
        else:
            self._report.note(text)

    def _show(self, *, often: bool) -> None:
        """Where it is now; `often` where something has just begun or ended."""
        now = self._clock.monotonic()
        if now - self._shown_at >= (_OFTEN / 5 if often else _OFTEN):
            self._shown_at = now
            self._report.progress(*self._progress.shown(now))


def _tone_of(level: str) -> Tone:
    tones: dict[str, Tone] = {"error": "bad", "warn": "warn"}
    return tones.get(level, "")
