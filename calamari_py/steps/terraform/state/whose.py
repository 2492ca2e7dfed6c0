"""Whose a state is that could not be saved: two runs in one folder leave it in the same place."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

from calamari_py.process.base import ProcessExit, Stream
from calamari_py.steps.base import LineReader
from calamari_py.steps.terraform.reading.written import read_json
from calamari_py.steps.terraform.state.ends import UNSAVED

Whose = Literal["ours", "another's", "unknown"]
_DIAGNOSTIC = b'"diagnostic"'


class Overheard:
    """A LineReader that passes on what the apply of `plan` says to another, `around`, and knows
    whether Terraform says that it could not save the state. Of an end that is none of ours `ended`
    is told, and it `is_calm` where Terraform ended by itself."""

    def __init__(self, plan: Path) -> None:
        self._lineage = _lineage_of_plan(plan)
        self._reader: LineReader | None = None
        self._said = False
        self.is_calm = False

    def around(self, reader: LineReader) -> LineReader:
        """Itself, in front of `reader`."""
        self._reader = reader
        return self

    def line(self, stream: Stream, line: bytes) -> None:
        """One line, for both."""
        if stream == "stdout" and _DIAGNOSTIC in line:
            self._said = self._said or bool(UNSAVED.search(line.decode("utf-8", "replace")))
        assert self._reader is not None
        self._reader.line(stream, line)

    def idle(self) -> None:
        """Nothing comes."""
        assert self._reader is not None
        self._reader.idle()

    def ended(self, ended: ProcessExit) -> None:
        """It has said all that it wants to say, if its code is its own."""
        self.is_calm = ended.code in (0, 1)

    def whose(self, content: bytes) -> Whose:
        """Whose the state file `content` is. A lineage belongs to one state alone, and a state that
        is made now has none in its plan."""
        lineage = _lineage(content)
        if self._lineage and lineage:
            return "ours" if lineage == self._lineage else "another's"
        if self._said:
            return "ours"
        return "another's" if self.is_calm else "unknown"


def _lineage_of_plan(plan: Path) -> str:
    """That of the state which `plan` was made of; "" where it cannot be told: a plan may be
    encrypted, or lie elsewhere."""
    try:
        with zipfile.ZipFile(plan) as archive:
            return _lineage(archive.read("tfstate"))
    except (OSError, KeyError, RuntimeError, NotImplementedError, zipfile.BadZipFile):
        return ""


def _lineage(content: bytes) -> str:
    try:
        document = read_json(content)
    except (ValueError, RecursionError):
        return ""
    lineage = document.get("lineage") if isinstance(document, dict) else None
    return lineage if isinstance(lineage, str) else ""
