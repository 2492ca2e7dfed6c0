"""Watches: what changes, line by line, until the client or a limit ends them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.kube.server.failures import Body, expired
from tests.kube.server.store import Change, Key, Store

_PATIENCE = 0.5


def events(
    store: Store,
    *,
    fits: Callable[[Key], bool],
    matches: Callable[[Body], bool],
    told: Callable[[Body], Body],
    kind: Body,
    version: str,
    bookmarks: bool,
    ends: float,
    open_: Callable[[], bool],
) -> Iterator[bytes]:
    """The lines of a watch from `version` on ("", "0": first all that is there).

    `ends` is the time (monotonic) when the server closes it, and `open_` whether it still serves.
    """
    if version in ("", "0"):
        with store.lock:
            seen = store.version
            present = [body for key, body in store.items(fits) if matches(body)]
        yield from (_line("ADDED", told(body)) for body in present)
    else:
        seen = int(version)
        if seen < store.oldest:
            error = expired(f"too old resource version: {seen} ({store.oldest})")
            yield _line("ERROR", error.body())
            return
    yield b""
    while open_() and time.monotonic() < ends:
        with store.lock:
            changes = list(store.since(seen))
            if not changes:
                store.changed.wait(min(_PATIENCE, max(0.0, ends - time.monotonic())))
                continue
        seen = changes[-1].version
        for change in changes:
            event = _event(change, matches) if fits(change.key) else None
            if event:
                yield _line(event, told(change.body))
        yield b""
    if bookmarks:
        yield _line("BOOKMARK", {**kind, "metadata": {"resourceVersion": str(seen)}})


def _event(change: Change, matches: Callable[[Body], bool]) -> str | None:
    """What the change is for a watch that sees only what matches."""
    was = change.before is not None and matches(change.before)
    now = change.event != "DELETED" and matches(change.body)
    if now:
        return "MODIFIED" if was else "ADDED"
    return "DELETED" if was else None


def _line(event: str, body: Any) -> bytes:
    return json.dumps({"type": event, "object": body}).encode() + b"\n"
