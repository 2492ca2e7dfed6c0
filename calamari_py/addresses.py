"""URLs of endpoints, this machine's own addresses, and the way to others: through which proxy."""

from __future__ import annotations

import re
from collections.abc import Mapping

ENDPOINT = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[a-z0-9/._~-]*)?",
    re.ASCII | re.IGNORECASE,
)
"""The URL of an endpoint. Narrow on purpose: no user, no backslash, no escapes, so that this
reading of the host and the one of an HTTP library cannot differ."""

_LINK_LOCAL = re.compile(r"169\.254\.\d+\.\d+|\[?fe80:.*")


def is_loopback(host: str) -> bool:
    """Whether `host` (a literal, brackets allowed) is this machine: no name but ``localhost``."""
    import ipaddress

    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def proxies_for(environ: Mapping[str, str], url: str) -> dict[str, str]:
    """The proxy for `url` by the usual variables, never for this machine or its metadata."""
    # Imported here: who has no URL to ask does not pay for them.
    from urllib.parse import urlsplit
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or _LINK_LOCAL.fullmatch(host):
        return {}
    name = f"{parts.scheme}_proxy"
    proxy = (environ.get(name) or environ.get(name.upper()) or "").strip()
    exceptions = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if not proxy or proxy_bypass_environment(parts.netloc, {"no": exceptions}):
        return {}
    return {parts.scheme: proxy}
