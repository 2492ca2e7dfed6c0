"""Files that a section names, relative to its manifest."""

from __future__ import annotations

from calamari_py.errors import FileMissing, ManifestError, Problem
from calamari_py.manifest.launcher_files import launchers_file
from calamari_py.steps.base import ParseContext
from calamari_py.variables import SourceUnreadable, from_file

FILE_LIMIT = 4_000_000
"""Bytes of one file. A template may become smaller by being rendered."""


def read_text(written: str, context: ParseContext, field: str) -> str:
    """The text of the file `written` at `field` of the section, without a byte order mark.

    Raises FileMissing for what is not there, ManifestError for what is no text, or is the
    launcher's own.
    """
    path = f"{context.path}.{field}"
    if context.launchers(context.folder / written):
        message, hint = launchers_file(written)
        raise ManifestError([Problem(path=path, message=message, hint=hint)])
    try:
        text = from_file(context.folder / written, shown=written, limit=FILE_LIMIT)
    except SourceUnreadable as error:
        message, hint = error.message, error.hint
        if error.missing and message.endswith("does not exist"):
            hint = f"correct the path; it is relative to {context.folder}"
        problem = Problem(path=path, message=message, hint=hint)
        raise (FileMissing if error.missing else ManifestError)([problem]) from None
    return text.removeprefix("\ufeff")
