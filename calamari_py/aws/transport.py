"""The way to an endpoint: connections, proxies, certificates, and what a broken way is called."""

from __future__ import annotations

import re
from collections.abc import Mapping

from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import URLLib3Session

from calamari_py.addresses import proxies_for
from calamari_py.aws.failures import Unreached
from calamari_py.aws.settings import AwsSettings

_REASON = re.compile(r"\[Errno -?\d+\] ([^\"'>)]+)")
_TLS_REASONS = (
    re.compile(r"(certificate verify failed: [^(]+)"),
    re.compile(r"\[(?:SSL|X509)(?:: ([A-Z0-9_]+))?\]"),
)


def open_session(
    settings: AwsSettings, environ: Mapping[str, str], url: str, timeouts: tuple[float, float]
) -> URLLib3Session:
    """Connections to `url`; `timeouts` are seconds, for the connection and for the answer."""
    return URLLib3Session(
        verify=settings.ca_bundle or True,  # type: ignore[arg-type]
        proxies=proxies_for(environ, url),
        timeout=timeouts,  # type: ignore[arg-type]
    )


def explain(error: BotoCoreError, timeouts: tuple[float, float]) -> Unreached:
    """botocore's error for a request that no answer came back to, in our words."""
    text = f"{error} {error.kwargs.get('error')}"
    if isinstance(error, SSLError) or "CA certificate" in text:
        return _explain_tls(text)
    if isinstance(error, ProxyConnectionError):
        refused = "407" in text or "403" in text
        return Unreached(
            "ProxyError",
            "the proxy refuses the connection" if refused else "the proxy cannot be reached",
            retryable=not refused,
        )
    if isinstance(error, ConnectTimeoutError):
        reason = f"no connection within {timeouts[0]:g} s"
    elif isinstance(error, ReadTimeoutError):
        reason = f"no answer within {timeouts[1]:g} s"
    elif isinstance(error, ConnectionClosedError):
        reason = "the connection was closed without an answer"
    else:
        found = _REASON.search(text)
        reason = found[1].strip().lower() if found else "no connection"
    return Unreached("Unreachable", reason, retryable=True)


def _explain_tls(text: str) -> Unreached:
    matches = [match[1] for pattern in _TLS_REASONS if (match := pattern.search(text))]
    reason = (matches[0] or "").strip() if matches else ""
    if "doesn't match" in text:
        reason = "the certificate is another host's"
    elif "PROTOCOL" in reason or reason in {"WRONG_VERSION_NUMBER", "VERSION_TOO_LOW"}:
        reason = "it speaks no TLS of version 1.2 or newer"
    return Unreached(
        "TlsError",
        f"no trusted TLS connection ({reason})" if reason else "no TLS connection",
        # A handshake cut short may be the network's fault; a certificate is not.
        retryable="EOF" in text or "closed" in text,
    )
