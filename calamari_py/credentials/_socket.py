"""One HTTP exchange on one fresh socket, bounded in time and size. Imported on first use."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

from calamari_py.credentials._http import LIMIT, NoAnswerError, Target

_TOO_MUCH = f"answered more than {LIMIT // 1024} KiB"


def connect(target: Target, timeout: float) -> socket.socket:
    """A connection to `target`, TLS verified for https; OSError when there is none in time.

    Names are only looked up for targets that have no literal address.
    """
    expires = time.monotonic() + timeout
    if target.address is not None:
        addresses: Sequence[Any] = [(str(target.address), target.port)]
    else:
        addresses = _look_up(target.host, target.port, timeout)
    failure: OSError = OSError("the name has no address")
    for address in addresses:
        try:
            plain = socket.create_connection(address[:2], timeout=_left(expires))
        except OSError as error:
            failure = error
            continue
        return _secured(plain, target, expires) if target.scheme == "https" else plain
    raise failure


def _look_up(host: str, port: int, timeout: float) -> Sequence[Any]:
    """The addresses of `host`. The C library's look-up knows no timeout: a thread is left behind
    when it takes longer."""
    answers: list[Sequence[Any] | OSError] = []

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            answers.append(OSError("the name cannot be resolved"))
        else:
            answers.append([entry[4] for entry in found])

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(timeout)
    if not answers:
        raise TimeoutError("the name look-up timed out")
    if isinstance(answers[0], OSError):
        raise answers[0]
    return answers[0]


def _secured(plain: socket.socket, target: Target, expires: float) -> socket.socket:
    try:
        plain.settimeout(_left(expires))
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context.wrap_socket(plain, server_hostname=target.host.strip("[]"))
    except (OSError, ValueError):
        plain.close()
        raise


def exchange(
    connect_within: Callable[[float], socket.socket], head: bytes, *, method: str, timeout: float
) -> tuple[int, bytes]:
    """Send `head`; status and body of the answer, or NoAnswerError for everything else."""
    stream = _Stream(expires=time.monotonic() + timeout)
    try:
        with connect_within(timeout) as connection:
            return _converse(connection, stream, head, method)
    except TimeoutError:
        raise NoAnswerError(
            f"timed out after {timeout:.3g} s{stream.state}", heard=stream.heard, timed_out=True
        ) from None
    except OSError as error:
        raise NoAnswerError(_why(error), heard=stream.heard) from None
    except (http.client.HTTPException, ValueError):
        raise NoAnswerError("answered something that is no HTTP", heard=True) from None


def _converse(
    connection: socket.socket, stream: _Stream, head: bytes, method: str
) -> tuple[int, bytes]:
    stream.connection = connection
    connection.settimeout(_left(stream.expires))
    connection.sendall(head)
    # HTTPResponse calls nothing but makefile(), and every read of that one keeps the deadline.
    response = http.client.HTTPResponse(cast("Any", stream), method=method)
    response.begin()
    body = response.read(LIMIT + 1)
    if len(body) > LIMIT:
        raise NoAnswerError(_TOO_MUCH, heard=True)
    if response.length:
        raise NoAnswerError("stopped in the middle of its answer", heard=True)
    return response.status, body


def _why(error: OSError) -> str:
    """A clause without addresses or values: what the system says of `error`."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({getattr(error, 'verify_message', '') or error.reason or 'SSL'})"
    if isinstance(error, ConnectionResetError):
        return "closed the connection without an answer"
    if error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _left(expires: float) -> float:
    seconds = expires - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


class _Stream(io.RawIOBase):
    """A connection's incoming bytes under one deadline and one limit for all reads together."""

    def __init__(self, *, expires: float) -> None:
        super().__init__()
        self.expires = expires
        self.connection: socket.socket | None = None
        self.received = 0

    @property
    def heard(self) -> bool:
        """Whether the other side said anything."""
        return self.received > 0

    @property
    def state(self) -> str:
        """How far it came, for somebody who waits no longer."""
        if self.connection is None:
            return " without a connection"
        return " in the middle of an answer" if self.heard else " on an open connection"

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What `http.client` asks of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        assert self.connection is not None
        self.connection.settimeout(_left(self.expires))
        count = self.connection.recv_into(buffer)
        self.received += count
        if self.received > 2 * LIMIT:
            raise NoAnswerError(_TOO_MUCH, heard=True)
        return count
