"""Helm: the program, bound to one release and one step."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping, Sequence
from os.path import normpath

from calamari_py.errors import ToolFailed, ToolMissing
from calamari_py.process.base import Command, ProcessExit
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.base import Captured, LineReader, StepContext
from calamari_py.steps.kubernetes.access.access import Access
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.failures import helm_failed, is_not_found, warning_of
from calamari_py.steps.kubernetes.helm.files import HelmFiles
from calamari_py.steps.kubernetes.helm.history import Revision, read_history
from calamari_py.steps.kubernetes.spec import HelmSpec

_SIGNALS: Mapping[int, int] = {signal.SIGTERM: signal.SIGINT, signal.SIGHUP: signal.SIGINT}
"""One SIGINT is how Helm is asked to write down that an upgrade has failed."""
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_OLDEST = (3, 13, 0)
"""The first that asks the server in a dry run, and that knows labels."""


class Helm:
    """Its commands, one at a time. All but `look` raise Stopped when calamari had to end the
    command. `access` is None for what asks no cluster."""

    def __init__(
        self, spec: HelmSpec, context: StepContext, files: HelmFiles, access: Access | None
    ) -> None:
        self.spec = spec
        self.files = files
        self._context = context
        self._access = access
        self._warned: set[str] = set()
        around = access.environment if access is not None else _offline(context, files)
        self._environment = {**around, **files.names}

    def version(self) -> str:
        """Which one it is. ToolMissing when it is none, or too old."""
        asked = self.attempt("version", argv.version(self.spec))
        text = asked.stdout.decode("utf-8", "replace").strip()
        match = _VERSION.match(text)
        binary = normpath(self.spec.binary)
        if asked.exit.code != 0 or match is None:
            raise ToolMissing(
                f"'{binary}' is not Helm",
                hint=f"asked for its version it ended with {asked.exit.code}",
            )
        if tuple(int(part) for part in match.groups()) < _OLDEST:
            oldest = ".".join(map(str, _OLDEST))
            raise ToolMissing(
                f"'{binary}' is Helm {text}, and at least {oldest} is needed",
                hint="install a newer one, and name it with 'binary' where it is not the first on"
                " PATH",
            )
        return text.removeprefix("v")

    def history(self) -> tuple[Revision, ...]:
        """All revisions, the oldest first; none where there is no such release."""
        asked = self.attempt("history", argv.history(self.spec))
        if asked.exit.code != 0 and is_not_found(asked.stderr):
            return ()
        if asked.exit.code != 0:
            raise self.failed(f"look at release '{self.spec.release}'", asked.stderr)
        return read_history(asked.stdout)

    def last_history(self, seconds: float) -> tuple[Revision, ...] | None:
        """The same after the end, however that came; None where nobody can say."""
        asked = self.look(argv.history(self.spec), seconds)
        if asked.exit.code != 0:
            return () if is_not_found(asked.stderr) else None
        return read_history(asked.stdout)

    def succeed(self, verb: str, words: Sequence[str], *, doing: str) -> bytes:
        """What the command wrote. ToolFailed when it failed: ``could not {doing}``."""
        asked = self.attempt(verb, words)
        if asked.exit.code != 0:
            raise self.failed(doing, asked.stderr, asked.exit.code)
        self.tell_warnings(asked.stderr)
        return asked.stdout

    def attempt(self, verb: str, words: Sequence[str]) -> Captured:
        """What the command wrote, however it ended by itself."""
        asked = self._context.capture(self._command(words))
        if asked.exit.stopped is not None:
            raise Stopped(f"helm {verb}", asked.exit)
        return asked

    def look(self, words: Sequence[str], seconds: float) -> Captured:
        """What the command wrote within that time, whatever became of the step."""
        return self._context.capture(self._command(words, outlives_us=True), last_words=seconds)

    def read(self, verb: str, words: Sequence[str], reader: LineReader) -> ProcessExit:
        """Run a command that changes the cluster; each of its lines goes to `reader`."""
        ended = self._context.read(self._command(words, outlives_us=True), reader)
        if ended.stopped is not None:
            raise Stopped(f"helm {verb}", ended)
        return ended

    def tell_warnings(self, stderr: bytes) -> None:
        """What Helm warns of, each once."""
        for line in stderr.splitlines():
            warning = warning_of(line)
            if warning and warning not in self._warned:
                self._warned.add(warning)
                self._context.report.warn(warning)

    def failed(self, doing: str, stderr: bytes, code: int = 1) -> ToolFailed:
        """The error of a command that failed."""
        return helm_failed(
            doing, stderr, spec=self.spec, access=self._access, context=self._context, code=code
        )

    def _command(self, words: Sequence[str], *, outlives_us: bool = False) -> Command:
        return Command(
            argv=tuple(words),
            environment=self._environment,
            directory=self.spec.folder,
            stop_signal=signal.SIGINT,
            translate_signals=_SIGNALS,
            # Ended by a broken pipe, it would leave the release pending.
            outlives_us=outlives_us,
        )


def _offline(context: StepContext, files: HelmFiles) -> Mapping[str, str]:
    """Without a cluster: none that the caller happens to have."""
    return {**context.environment, "KUBECONFIG": "/dev/null", "HOME": str(files.home)}
