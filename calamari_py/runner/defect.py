"""Where a defect of ours is written down."""

from __future__ import annotations

import tempfile


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
