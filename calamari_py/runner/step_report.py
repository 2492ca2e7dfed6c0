"""The report of a kind that tells what it does: everything it says is masked on its way."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from calamari_py.channel import ChildFileRefused
from calamari_py.errors import Cancelled, OutputNotWritable
from calamari_py.masking import Masked, MaskedBytes
from calamari_py.output.base import Reporter
from calamari_py.process import Limits
from calamari_py.runner.collect import keep_artifact
from calamari_py.runner.intake import Declared
from calamari_py.runner.last_line import LastLine, shorten
from calamari_py.runner.masked import mask_fields
from calamari_py.runner.outlet import LONGEST_MESSAGE
from calamari_py.runner.record import RunRecord
from calamari_py.runner.step_texts import Texts
from calamari_py.steps.base import Tone

_NO_SECRETS = ("true", "false", "null")
"""What JSON has beside texts and numbers. Their variable is sensitive all the same."""


class RunReport:
    """See `calamari_py.steps.base.StepReport`. `attend` says what other threads have left;
    `artifacts` is the folder for them, None for none; `timeout` the step's limit, in seconds of
    `monotonic`.

    Outputs join those that a script declares: when the step has ended they are collected together,
    by one set of rules. That nobody can read any more is a reason to stop, once: what the kind
    still does on its way out goes on unread.
    """

    def __init__(
        self,
        *,
        reporter: Reporter,
        record: RunRecord,
        declared: Declared,
        attend: Callable[[], None],
        artifacts: Path | None = None,
        timeout: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failed = False
        """Whether a setback was told."""
        self.texts = Texts(
            record.registry, show=self._show, warn_of_fault=lambda why: self._warn(Masked(why))
        )
        self._last_line = LastLine(Limits(timeout=timeout), clock=monotonic)
        self._artifacts = artifacts
        self._reporter = reporter
        self._record = record
        self._registry = record.registry
        self._declared = declared
        self._attend = attend
        self._unread = False

    def line(
        self,
        text: str,
        *,
        event: str = "",
        fields: Mapping[str, Any] | None = None,
        tone: Tone = "",
    ) -> None:
        """One line of the step's output."""
        with self._heard():
            masked = mask_fields(fields or {}, self._record.masked)
            line = self._text(text)
            self._reporter.detail(line, event, masked, tone=tone)
            self._last_line.take("stdout", f"{line}\n".encode("utf-8", "replace"))

    def progress(self, percent: float | None, text: str, *, rows: Sequence[str] = ()) -> None:
        """Where the step is now."""
        with self._heard():
            masked = [self._text(row) for row in rows]
            self._reporter.progress(percent, self._text(text), passing=True, rows=masked)

    def warn(self, text: str, hint: str | None = None) -> None:
        """Something may be wrong."""
        self._warn(self._text(text), self._record.masked(hint) if hint else None)

    def note(self, text: str) -> None:
        """A line for ``--verbose``."""
        with self._heard():
            self._reporter.note(self._text(text))

    def hide(self, value: str, name: str) -> None:
        """Mask `value` from now on, and every text in it where it is JSON. ManifestError where
        short secrets are errors."""
        self._registry.add_json(value, name=name)
        self._warn_of_secrets()

    def output(self, name: str, value: str, *, sensitive: bool = False) -> None:
        """Publish an output variable."""
        if sensitive or name in self._declared.sensitive_outputs:
            if value not in _NO_SECRETS:
                self._registry.add_json(value, name=f"output {name}")
            self._declared.sensitive_outputs.add(name)
            self._warn_of_secrets()
        self._declared.outputs[name] = value

    def text(self, data: bytes, *, of: str = "") -> None:
        """Output of something else, as it comes."""
        self.texts.take(data, of)

    def settle(self) -> None:
        """Show what of all `text` is held back."""
        self.texts.settle()

    def artifact(self, path: Path, name: str, *, as_it_is: bool = False) -> Path | None:
        """Keep the file `path` as an artifact, now. What keeps it from that is warned of."""
        if self._artifacts is None:
            return None
        try:
            kept = keep_artifact(
                path, name, folder=self._artifacts, registry=self._registry, as_it_is=as_it_is
            )
        except ChildFileRefused as refused:
            self.warn(f"'{name}' is not kept as an artifact: the file {refused}")
            return None
        except OSError as error:
            why = (error.strerror or "unknown error").lower()
            self.warn(f"'{name}' is not kept as an artifact: it cannot be written ({why})")
            return None
        self._record.artifacts.append(kept)
        return self._artifacts.absolute() / kept

    def fact(self, name: str, value: Any) -> None:
        """Keep `value` for the result, which masks it with all that is known by then."""
        self._record.details[name] = value

    def changed(self, done: bool | None = True) -> None:
        """Whether something was changed at AWS."""
        self._record.note_changed(done)

    def ending(self, text: str) -> None:
        """What the closing line says."""
        self._record.ending = text

    def setback(self, text: str, hint: str | None = None) -> None:
        """The step has failed, though it goes on."""
        self.failed = True
        setback = self._record.failed_after_success(text, hint)
        with self._heard():
            self._reporter.setback(setback.message, setback.hint)

    def attend(self) -> None:
        """Say what other threads have left."""
        with self._heard():
            pass

    def close(self) -> None:
        """The execution is over: what is held back is shown, as far as anybody reads it, who is
        missed by the last word at the latest."""
        unread, self._unread = self._unread, True
        self.texts.close()
        self._unread = unread

    def last_line(self) -> Masked | None:
        """What was shown last before the time was up, None where nothing was."""
        return self._last_line.text(self._registry)

    def _show(self, data: bytes) -> None:
        with self._heard():
            self._reporter.output("stdout", MaskedBytes(data))
            self._last_line.take("stdout", data)

    def _warn(self, text: Masked, hint: Masked | None = None) -> None:
        with self._heard():
            self._reporter.warning(text, hint)

    def _text(self, text: str) -> Masked:
        return shorten(self._record.masked(text), LONGEST_MESSAGE)

    def _warn_of_secrets(self) -> None:
        for warning in self._registry.take_warnings():
            self.warn(warning)

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """Around every word: what waits is said before it."""
        try:
            self._attend()
            yield
        except (BrokenPipeError, OutputNotWritable) as error:
            if self._unread:
                return
            self._unread = True
            if isinstance(error, BrokenPipeError):
                raise Cancelled(signal.SIGPIPE) from None
            raise
