"""Exports that a missing one may have been meant for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from calamari_py.errors import CalamariError
from calamari_py.steps.base import AwsCalls

_MISSING = re.compile(r"\bno export named (?P<name>\S+) found", re.IGNORECASE)
_SECONDS = 10.0


def missing_export(reason: str) -> str | None:
    """The name of the export that `reason` misses."""
    found = _MISSING.search(reason)
    return found["name"].strip("'\"") if found is not None else None


def similar_exports(aws: AwsCalls, name: str) -> tuple[str, ...]:
    """Names of exports of the account and region that look like `name`, the most similar first;
    none where they may not be listed: it is a diagnosis, and never the reason for a failure."""
    try:
        there = list(_exports(aws))
    except CalamariError:
        return ()
    return tuple(difflib.get_close_matches(name, there, n=3, cutoff=0.6))


def similar_to_missing(aws: AwsCalls, reason: str) -> str:
    """``; similar ones: …``, the end of a hint about an export that `reason` misses; else ""."""
    missing = missing_export(reason)
    similar = similar_exports(aws, missing) if missing else ()
    return f"; similar ones: {', '.join(similar)}" if similar else ""


def _exports(aws: AwsCalls) -> Iterator[str]:
    token: str | None = None
    while True:
        params = {"NextToken": token} if token else {}
        page = aws.call("cloudformation", "ListExports", params, budget=_SECONDS)
        yield from (export["Name"] for export in page.get("Exports") or ())
        token = page.get("NextToken")
        if not token:
            return
