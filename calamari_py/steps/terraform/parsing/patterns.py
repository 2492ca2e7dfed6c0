"""Patterns of addresses that could cover something. One that cannot protects nothing, unseen."""

from __future__ import annotations

import re
from unicodedata import normalize

_NAME = r"(?:[A-Za-z0-9_*?-]|[^\x00-\x7f])+"
_KEY = r'(?:\[(?:[0-9*?]+|"(?:[^"\\]|\\.)*")\])'
_PATTERN = re.compile(rf"{_NAME}{_KEY}*(?:\.{_NAME}{_KEY}*)*")
_PREFIX = "resource."


def what_is_wrong(pattern: str) -> tuple[str, str] | None:
    """What completes its sentence, and the cure; None where it may cover something. ``*`` and ``?``
    alone are special, as everybody knows who wrote one in a shell."""
    text = normalize("NFC", pattern)
    if text.startswith(_PREFIX):
        return (
            "begins with 'resource.', as no address does",
            f"write '{text.removeprefix(_PREFIX)}'",
        )
    if _PATTERN.fullmatch(text):
        return None
    return "is a pattern that no address fits", _cure(text)


def _cure(text: str) -> str:
    if text.endswith("."):
        whole = text.rstrip(".")
        return f"write '{whole}', or '{whole}.*' for all in it"
    if "'" in text:
        return 'put keys in double quotes: aws_instance.web["a"]'
    return (
        "only * and ? are special: write one like aws_db_*.main or aws_instance.web[0], and one "
        "for each kind that is meant"
    )
