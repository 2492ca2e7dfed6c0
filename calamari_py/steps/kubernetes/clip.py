"""Texts of others, cut to what people read."""

from __future__ import annotations

import re

_TO_LAST_BLANK = re.compile(r".*\s", re.DOTALL)


def clip(text: str, limit: int) -> str:
    """`text` with no more than `limit` characters, and ``…`` for the rest.

    It ends with a whole word: a part of a secret is known to nobody as one, and is shown. One word
    that is too long is not shown at all.
    """
    if len(text) <= limit:
        return text
    whole = _TO_LAST_BLANK.match(text, 0, limit + 1)
    return f"{whole[0].rstrip()} …".lstrip() if whole else "…"
