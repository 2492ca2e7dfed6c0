"""Addresses of objects in S3: which are ones, and what of them may be shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

from calamari_py.steps.cloudformation.service.places import SUFFIXES

_HOST = re.compile(
    r"(?:[a-z0-9.-]+\.)?s3(?!-website)(?:-[a-z0-9-]+)?(?:\.dualstack)?(?:\.[a-z]+(?:-[a-z]+)+-\d)?",
    re.ASCII,
)
_LONG_ENOUGH = 12
"""Characters of a value in a query that may be a secret: a signature or a token has more."""


def is_s3(host: str) -> bool:
    """Whether a host is S3's, in any partition."""
    ends = (f".{suffix}" for suffix in SUFFIXES)
    return any(
        host.endswith(end) and _HOST.fullmatch(host.removesuffix(end)) is not None for end in ends
    )


def climbs(key: str) -> bool:
    """Whether a key has a ``.`` or ``..`` between its slashes: on its way it may become another."""
    return any(part in (".", "..") for part in unquote(key).split("/"))


def shown(url: str) -> str:
    """The address as it may be shown: without the query of one that somebody has signed."""
    parts = urlsplit(url)
    queried = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    return url if queried <= {"versionId"} else f"{url.partition('?')[0]}?…"


def secrets_in(url: str) -> Iterator[tuple[str, str]]:
    """Names and values in the query of an address that somebody has signed: who has them may read
    the object. As they are written, and as they are meant."""
    for pair in urlsplit(url).query.split("&"):
        name, _, written = pair.partition("=")
        for value in dict.fromkeys((written, unquote(written))):
            if name != "versionId" and len(value) >= _LONG_ENOUGH:
                yield f"template {name}", value
