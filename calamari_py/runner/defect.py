"""Where a defect of ours is written down."""

from __future__ import annotations

import tempfile
import traceback

from calamari_py.errors import InternalError
from calamari_py.masking import SecretRegistry


def defect_of(error: Exception, registry: SecretRegistry) -> InternalError:
    """A defect of ours: the traceback, masked and without locals, goes to a private file."""
    lines = traceback.format_exception(error)
    if not len(registry):
        # Nothing could be masked yet, and messages may quote what was being read.
        lines = [*traceback.format_tb(error.__traceback__), type(error).__name__]
    text = registry.mask_text("".join(lines))
    return InternalError(f"a defect in calamari ({type(error).__name__})", hint=save_defect(text))


def save_defect(text: str) -> str:
    """Write `text`, which holds no secret, to a private file; returns the hint that names it."""
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            encoding="utf-8",
            errors="backslashreplace",
            prefix="calamari-defect-",
            suffix=".txt",
            delete=False,
        ) as file:
            file.write(text)
    except OSError:
        return f"please report it:\n{text}"
    return f"please report it with the file {file.name}; secrets are masked in it"
