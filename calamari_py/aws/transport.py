"""The way to an endpoint: connections, proxies, certificates, limits, and what a broken way is
called.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import URLLib3Session
from urllib3.exceptions import HTTPError

from calamari_py.addresses import proxies_for
from calamari_py.aws.failures import Unreached
from calamari_py.aws.settings import AwsSettings

ANSWER_LIMIT = 1024 * 1024
"""Bytes of a body; the largest that most services send, a secret of 64 KiB in JSON, has a third."""
LARGE_ANSWER_LIMIT = 8 * ANSWER_LIMIT
"""Of services that send templates (1 MiB, escaped), long lists and files."""
_PIECE = 512
"""Bytes that are read between two looks at the clock."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back over HTTP, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def exchange(
    session: URLLib3Session,
    request: Any,
    *,
    timeouts: tuple[float, float],
    seconds: float,
    limit: int = ANSWER_LIMIT,
) -> Answer:
    """The answer to a prepared `request`, or Unreached when none came whole in `seconds`, or one
    of more than `limit` bytes.

    A socket's time-out begins anew with every byte, and a name look-up has none. So a thread of
    its own asks, and is left behind when its time is over; it ends with its connection, at the
    latest with the process.
    """
    expires = time.monotonic() + seconds
    outcomes: list[Answer | Unreached] = []

    def ask() -> None:
        try:
            outcomes.append(_receive(session, request, expires, limit))
        except BotoCoreError as error:
            outcomes.append(explain(error, timeouts))
        except Unreached as why:
            outcomes.append(why)

    thread = threading.Thread(target=ask, name="call to AWS", daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcomes:
        raise Unreached("Unreachable", f"no whole answer within {seconds:.2g} s", retryable=True)
    if isinstance(outcomes[0], Unreached):
        raise outcomes[0]
    return outcomes[0]


def _receive(session: URLLib3Session, request: Any, expires: float, limit: int) -> Answer:
    request.stream_output = True  # The body is for us to read, piece by piece.
    response: Any = session.send(request)
    body = bytearray()
    try:
        for piece in response.raw.stream(_PIECE, decode_content=False):
            body += piece
            if len(body) > limit:
                raise Unreached(
                    "Unreachable", f"more than {limit // 1024} KiB came back", retryable=True
                )
            if time.monotonic() > expires:
                raise TimeoutError
    except (HTTPError, OSError):
        raise Unreached("Unreachable", "the answer broke off", retryable=True) from None
    finally:
        # A connection whose answer was read to its end is back in the pool, and stays open.
        response.raw.close()
    return Answer(status=response.status_code, headers=response.headers, body=bytes(body))


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
    elif (
        "PROTOCOL" in reason
        or reason in {"WRONG_VERSION_NUMBER", "VERSION_TOO_LOW"}
        # OpenSSL 3.0: what TLS 1.1 signs with is not taken any more.
        or "legacy sigalg" in text
    ):
        reason = "it speaks no TLS of version 1.2 or newer"
    return Unreached(
        "TlsError",
        f"no trusted TLS connection ({reason})" if reason else "no TLS connection",
        # A handshake cut short may be the network's fault; a certificate is not.
        retryable="EOF" in text or "closed" in text,
    )
