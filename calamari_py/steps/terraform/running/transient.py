"""Whether an error of ``init`` may be gone when it is tried again."""

from __future__ import annotations

import re
from collections.abc import Iterable

from calamari_py.steps.terraform.values import Diagnostic

_STATUS = r"(?:408|429|5\d\d)"
_PASSING = tuple(
    (re.compile(pattern, re.IGNORECASE), why)
    for pattern, why in (
        (rf"\b({_STATUS} (?-i:[A-Z][a-z]+(?: [A-Z][a-z]+)*(?:-[a-z]+)?))", r"\1"),
        (rf"(?:response code|status code|StatusCode|returned error):? ({_STATUS})\b", r"code \1"),
        (r"no such host|server misbehaving|name resolution|could not resolve", "the name service"),
        (r"connection refused|couldn't connect to server", "connection refused"),
        (r"connection reset|broken pipe|server sent GOAWAY", "connection reset"),
        (r"TLS handshake timeout", "TLS handshake timeout"),
        (
            r"i/o timeout|timed out|Client\.Timeout exceeded|context deadline exceeded",
            "no answer in time",
        ),
        (r"no route to host|network is unreachable", "the network is unreachable"),
        (
            r'": EOF\b|unexpected EOF|empty reply from server|hung up unexpectedly',
            "the connection was closed",
        ),
        (r"the request failed after \d+ attempts", "the registry does not answer"),
    )
)
_LASTING = re.compile(
    r"\b40[0134] (?-i:[A-Z])|(?:response code|status code|StatusCode|returned error):? 40[0134]\b"
    r"|requires authentication|access ?denied|not authorized|forbidden"
    r"|NoSuchBucket|bucket \S+ does not exist|no valid credential sources"
    r"|InvalidClientTokenId|SignatureDoesNotMatch|ExpiredToken|InvalidAccessKeyId"
    r"|(?:do(?:es)?n't|did not|do(?:es)? not) match|checksum mismatch|inconsistent dependency lock",
    re.IGNORECASE,
)


def why_transient(diagnostics: Iterable[Diagnostic]) -> str | None:
    """In a few words why it is worth trying again; None when one of the errors will stay, or when
    there is none. The text of a lasting one may quote what looks like a passing one."""
    reason = None
    for diagnostic in diagnostics:
        if diagnostic.severity == "error":
            why = _why_passing(f"{diagnostic.summary} {diagnostic.detail}")
            if why is None:
                return None
            reason = reason or why
    return reason


def _why_passing(text: str) -> str | None:
    # Terraform breaks its lines at 78 columns, in the middle of what is looked for.
    text = " ".join(text.split())
    if _LASTING.search(text):
        return None
    for pattern, why in _PASSING:
        match = pattern.search(text)
        if match:
            return match.expand(why)
    return None
