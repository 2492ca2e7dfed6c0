"""What kubectl complains of on stderr, one thing after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from calamari_py.steps.kubernetes.access.failures import ApiFailure, read_failure

_WARNING = re.compile(rb"Warning: (.*)")
_BEGINNING = re.compile(
    rb"(?:[eE]rror|[uU]nable to|The \S+ \"|The connection to|Apply failed|resource mapping)\b"
)


def warning_in(line: bytes) -> str | None:
    """The warning that a line of stderr is: the API server's, or kubectl's own."""
    match = _WARNING.fullmatch(line.rstrip())
    return match[1].decode("utf-8", "replace").strip() if match else None


def failures_in(stderr: bytes) -> tuple[ApiFailure, ...]:
    """All that went wrong, each once, in kubectl's order; as one where kubectl does not say where
    the one ends and the other begins."""
    found: dict[str, ApiFailure] = {}
    for part in _parts(stderr):
        failure = read_failure(part)
        if failure is not None:
            found.setdefault(failure.text, failure)
    if not found:
        whole = read_failure(stderr)
        return (whole,) if whole is not None else ()
    return tuple(found.values())


def _parts(stderr: bytes) -> Iterator[bytes]:
    part: list[bytes] = []
    for line in stderr.splitlines():
        if warning_in(line) is not None:
            continue
        if _BEGINNING.match(line) and part:
            yield b"\n".join(part)
            part = []
        part.append(line)
    if part:
        yield b"\n".join(part)
