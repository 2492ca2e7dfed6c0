"""What is said and written once a run is over, whatever came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from calamari_py.errors import CalamariError, Cancelled, OutputNotWritable
from calamari_py.output.base import Reporter
from calamari_py.result import StepResult
from calamari_py.runner.options import RunOptions
from calamari_py.runner.publish import Publication
from calamari_py.runner.record import RunRecord
from calamari_py.runner.targets import ResultFiles


class LastWords:
    """The failure, the outputs, the result files and the last event: each is tried, whatever became
    of the others, and what could not be said becomes part of the result."""

    def __init__(
        self, options: RunOptions, *, record: RunRecord, reporter: Reporter, files: ResultFiles
    ) -> None:
        self._options = options
        self._record = record
        self._reporter = reporter
        self._files = files

    def stopped_by(self, error: CalamariError | Cancelled) -> None:
        """Why calamari itself ends the run."""
        failure = self._record.stopped_by(error)
        if failure is not None:
            self._tell(self._reporter.failed, failure)

    def finish(self, octopus_name: Callable[[str], str | None]) -> StepResult:
        """The outputs, the result files and the last event, on every way out."""
        publication = Publication(
            record=self._record,
            reporter=self._reporter,
            environ=self._options.environ,
            warn=self.warn,
            tell=self.highlight,
            fail=self._fail,
            artifacts=self._options.artifacts,
            octopus_name=octopus_name,
        )
        publication.outputs()
        self._files.write(self._record, fail=self._fail)
        publication.summary()
        result = self._record.result()
        if not self._tell(self._reporter.finished, result):
            # What the files say and the exit code must not differ.
            self._files.write(self._record, fail=self._fail)
            result = self._record.result()
        return result

    def warn(self, text: str) -> None:
        """A warning, masked."""
        self._tell(self._reporter.warning, self._record.masked(text))

    def highlight(self, text: str) -> None:
        """A line that people should see, masked."""
        self._tell(self._reporter.highlight, self._record.masked(text))

    def _fail(self, text: str, hint: str | None) -> None:
        setback = self._record.failed_after_success(text, hint)
        self._tell(lambda told: self._reporter.setback(told.message, told.hint), setback)

    def _tell(self, say: Callable[[Any], None], what: Any) -> bool:
        """Say one of the last words; whether it arrived. The result is owed all the same."""
        try:
            say(what)
        except BrokenPipeError:
            self._record.reader_gone()
        except OutputNotWritable as error:
            # Nobody can be told but the reader of the result file.
            self._record.failed_after_success(error.message)
        else:
            return True
        return False
