"""The files that a run leaves: ``--result``, ``--outputs``, ``--artifacts``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from calamari_py.errors import CalamariError, UsageError
from calamari_py.result import check_result_target, write_outputs, write_result
from calamari_py.runner.collect import prepare_artifacts_folder
from calamari_py.runner.options import RunOptions
from calamari_py.runner.record import RunRecord


class ResultFiles:
    """Where a run writes what became of it. What `check` refused is never written to."""

    def __init__(self, options: RunOptions) -> None:
        self._options = options
        self._refused: set[Path] = set()

    def check(self) -> None:
        """A result that could not be written is known before anything runs."""
        options = self._options
        used = {os.path.realpath(options.cwd / options.manifest): "the manifest"}
        for option, target in (("--result", options.result), ("--outputs", options.outputs)):
            if target is None:
                continue
            self._refused.add(target)
            check_result_target(target, option=option)
            other = used.setdefault(os.path.realpath(target), option)
            if other != option:
                raise UsageError(
                    f"{option} names the same file as {other}", hint="give each a file of its own"
                )
            self._refused.discard(target)
        if options.artifacts is not None:
            prepare_artifacts_folder(options.artifacts)

    def write(self, record: RunRecord, *, fail: Callable[[str, str | None], None]) -> None:
        """Each file is tried, whatever became of the other."""
        writers: list[tuple[Path | None, Callable[[Path], None]]] = [
            (self._options.outputs, lambda path: write_outputs(path, record.outputs)),
            (self._options.result, lambda path: write_result(path, record.result().to_document())),
        ]
        for path, write in writers:
            if path is None or path in self._refused:
                continue
            try:
                write(path)
            except CalamariError as error:
                fail(error.message, error.hint)
