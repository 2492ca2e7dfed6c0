"""Source: the text of a manifest, read once, with the limits that a file has to keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from calamari_py.errors import FileMissing, ManifestError, Problem
from calamari_py.manifest.nodes import unprintable
from calamari_py.variables import SourceUnreadable, read_regular_file

SOURCE_LIMIT = 1_000_000
"""Bytes of one manifest."""
STDIN = "-"
STDIN_NAME = "(standard input)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """`text` of the manifest that messages call `name`; relative paths start at `folder`."""

    name: str
    text: str = field(repr=False)
    folder: Path


def read_source(path: str, *, stdin: BinaryIO, cwd: Path) -> Source:
    """The manifest at `path`, ``-`` for standard input.

    Raises FileMissing for what is not there or no readable file, ManifestError for what is no
    text of at most 1 MB.
    """
    if path == STDIN:
        data = stdin.read(SOURCE_LIMIT + 1)
        if len(data) > SOURCE_LIMIT:
            _refuse(STDIN_NAME, "is larger than 1 MB", "a manifest is small; keep data in files")
        return Source(name=STDIN_NAME, text=_decode(data, STDIN_NAME), folder=cwd)
    if not path or "\0" in path:
        raise FileMissing(
            [Problem(message="the manifest has no name", hint="name a file, or '-'")],
            subject="the command line",
        )
    file = cwd / path
    try:
        data = read_regular_file(file, shown=path, limit=SOURCE_LIMIT)
    except SourceUnreadable as error:
        hint = f"{error.hint}; '-' reads standard input" if error.missing else error.hint
        problem = Problem(message=error.message, hint=hint, file=path)
        kind = FileMissing if error.missing else ManifestError
        raise kind([problem], subject=path) from None
    return Source(name=path, text=_decode(data, path), folder=file.parent)


def _decode(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        what = "is UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "is not valid UTF-8"
        problem = Problem(
            message=what, file=name, line=line, column=column, hint="save the file as UTF-8"
        )
        raise ManifestError([problem], subject=name) from None
    problem_found = unprintable(text, name)
    if problem_found:
        raise ManifestError([problem_found], subject=name)
    return text


def _refuse(name: str, message: str, hint: str) -> None:
    raise ManifestError([Problem(message=message, hint=hint, file=name)], subject=name)
