"""A helm that changes the cluster, followed: its rollout judged while it waits itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from calamari_py.errors import TimedOut, ToolFailed
from calamari_py.process.base import Stream
from calamari_py.steps._stopped import Stopped, is_time_over
from calamari_py.steps.kubernetes.helm.failures import begins, is_debug, is_timeout
from calamari_py.steps.kubernetes.helm.work import Work

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.rollout.follow import Rollout

PAUSE = 2.0
"""Seconds between two looks at the rollout."""
_AT_HOOKS = re.compile(r"Watching for changes to ")
_AT_OBJECTS = re.compile(r"checking \d+ resources|waiting for release|beginning wait for \d+ resou"
                         r"rces with")  # fmt: skip
_DEBUG = re.compile(r"^.*?\[debug\] ?")
_MOST = 64 * 1024


class Follower:
    """The reader of such a command. `hooks` and `objects` are what may be looked at while Helm is
    at the one or the others; what they find ends the command politely."""

    def __init__(
        self,
        work: Work,
        *,
        objects: Rollout | None = None,
        hooks: Rollout | None = None,
        shows_stdout: bool = False,
    ) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.is_at_hooks = False
        self.hooks = hooks
        self.objects = objects
        self._shows_stdout = shows_stdout
        self._work = work
        self._looked = work.clock.monotonic()
        self._has_failed = False
        self._is_debugging = False

    def line(self, stream: Stream, line: bytes) -> None:
        """Helm speaks."""
        if stream == "stdout":
            self.stdout += line + b"\n"
            if self._shows_stdout:
                self._work.report.text(line + b"\n")
            return
        if len(self.stderr) < _MOST:
            self.stderr += line + b"\n"
        self._has_failed = self._has_failed or line.startswith(b"Error:")
        if self._has_failed:
            return
        if is_debug(line) or (self._is_debugging and not begins(line)):
            self._is_debugging = True
            self._debug(_DEBUG.sub("", line.decode("utf-8", "replace")))
        else:
            self._is_debugging = False
            self._work.helm.tell_warnings(line)
        # Who speaks all the time is never silent.
        self.idle()

    def idle(self) -> None:
        """Look, at most every two seconds."""
        rollout = self.hooks if self.is_at_hooks else self.objects
        now = self._work.clock.monotonic()
        if rollout is None or self._has_failed or now - self._looked < PAUSE:
            return
        rollout.look()
        self._looked = self._work.clock.monotonic()

    def _debug(self, text: str) -> None:
        if _AT_HOOKS.search(text):
            self.is_at_hooks = True
        elif _AT_OBJECTS.search(text):
            self.is_at_hooks = False
        self._work.report.note(f"helm: {text}")


def follow(
    work: Work,
    verb: str,
    words: Sequence[str],
    *,
    objects: Rollout | None = None,
    hooks: Rollout | None = None,
    shows_stdout: bool = False,
    doing: str,
) -> bytes:
    """Run it and give what it wrote to stdout. Raises ToolFailed with what Helm says went wrong and
    what the rollout shows of it, RolloutFailed once the rollout is certain to fail, Stopped when
    calamari had to end it."""
    follower = Follower(work, objects=objects, hooks=hooks, shows_stdout=shows_stdout)
    try:
        ended = work.helm.read(verb, words, follower)
    except (Stopped, TimedOut) as over:
        rollout = hooks if follower.is_at_hooks else objects
        if rollout is not None and is_time_over(over):
            rollout.tell_unfinished()
        raise
    work.report.settle()
    if ended.code == 0:
        return bytes(follower.stdout)
    stderr = bytes(follower.stderr)
    error = work.helm.failed(doing, stderr, ended.code)
    if follower.is_at_hooks and hooks is not None:
        raise _explained(error, hooks.look)
    if objects is not None and is_timeout(stderr):
        # That the time was over says nothing: what was not ready does.
        raise _explained(error, objects.wait_until_ready, f"could not {doing}")
    raise error


def _explained(error: ToolFailed, look: Callable[[], object], instead: str = "") -> ToolFailed:
    """`error` with what a look after it finds; `instead` of its message, where there is such."""
    try:
        look()
    except ToolFailed as found:
        return ToolFailed(
            f"{instead or error.message}: {found.message}",
            hint=found.hint or error.hint,
            evidence=(*error.evidence, *found.evidence),
        )
    return error
