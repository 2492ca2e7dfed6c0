"""The credential server: one role's credentials, on 127.0.0.1, for as long as the step runs.

Plain sockets: the standard library's HTTP server takes 25 ms to import, answers what nobody here
needs (other methods, a Server header, its own log on stderr) and cannot be ended while it waits.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from calamari_py.delivery._peer import peer_of
from calamari_py.delivery._request import (
    CREDENTIALS_PATH,
    MALFORMED,
    STRANGER,
    Refusal,
    refusal_of,
)
from calamari_py.delivery.base import DeliveryContext
from calamari_py.errors import CalamariError, ToolMissing
from calamari_py.identity import AwsCredentials

ADDRESS = "127.0.0.1"
MOST_READING = 32
"""Connections whose request is not there yet. One more, and the oldest of them is cut."""

MOST_WAITING = 64
"""Connections that wait for credentials. One more is answered "busy"; SDKs ask again."""

_HEAD_LIMIT = 8192
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
            404: "Not Found", 503: "Service Unavailable"}  # fmt: skip

_BUSY = Refusal(status=503, code="Busy", message="too many requests at once")
_UNAVAILABLE = Refusal(
    status=503,
    code="CredentialsUnavailable",
    message="the credentials of this step could not be renewed; the log of calamari says why",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a client must know. `token` is a secret, already registered."""

    uri: str
    token: str = field(repr=False)


@contextmanager
def serving(context: DeliveryContext, *, patience: float = 5.0) -> Iterator[Served]:
    """The credentials of `context.current`, served within the block and not a moment longer.

    A client has `patience` seconds to send its request, and as many to take the answer. Leaving
    waits neither for clients nor for a renewal. Raises ToolMissing when no port can be opened.
    """
    token = os.urandom(32).hex()
    context.register(token, "token of the credential server")
    server = _Server(context, token, patience)
    try:
        server.open()
        yield Served(uri=f"http://{server.host}{CREDENTIALS_PATH}", token=token)
    finally:
        server.close()


class _Server:
    """One thread takes connections, one more answers each. No thread is ever waited for."""

    def __init__(self, context: DeliveryContext, token: str, patience: float) -> None:
        self.host = ""
        self._context = context
        self._token = token
        self._patience = patience
        self._lock = threading.Lock()
        # In order of arrival; the value is unused.
        self._reading: dict[socket.socket, None] = {}
        self._waiting: dict[socket.socket, None] = {}
        self._closing = threading.Event()
        self._told: str | None = None
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="credentials", daemon=True)

    def open(self) -> None:
        """Listen, and start to answer."""
        try:
            self._listener.bind((ADDRESS, 0))
            self._listener.listen(128)
        except OSError as error:
            raise ToolMissing(
                f"no port on {ADDRESS} can be opened: {(error.strerror or 'unknown').lower()}",
                hint="write 'credentials: {delivery: env}', which needs none",
            ) from None
        self._listener.setblocking(False)
        self.host = f"{ADDRESS}:{self._listener.getsockname()[1]}"
        with _signals_left_to_this_thread():
            self._acceptor.start()

    def close(self) -> None:
        """Refuse new connections and cut those that are open. Safe after half an `open`."""
        self._closing.set()
        self._wake_writer.close()
        if self._acceptor.ident is not None:
            # It is never in the middle of anything that lasts; the limit is for a stopped machine.
            self._acceptor.join(timeout=1)
        self._listener.close()
        self._wake_reader.close()
        with self._lock:
            for connection in (*self._reading, *self._waiting):
                _cut(connection)

    def _accept(self) -> None:
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(self._wake_reader, select.POLLIN)
        while not self._closing.is_set():
            poll.poll()
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                continue
            except OSError:
                # Out of descriptors: the queue keeps the client until there are some again.
                self._closing.wait(0.1)
                continue
            self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        """Give `connection` a thread of its own, unless another user is at its other end."""
        connection.setblocking(False)
        try:
            peer = peer_of(connection)
            if peer in {"other", "gone"}:
                self._dismiss(connection, is_other=peer == "other")
                return
            with self._lock:
                if len(self._reading) >= MOST_READING:
                    oldest = next(iter(self._reading))
                    # Not left to its thread: the next connection may be here before that runs.
                    del self._reading[oldest]
                    _cut(oldest)
                self._reading[connection] = None
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
        except (OSError, RuntimeError):
            # The client is gone already, or the system has no thread left for it.
            self._drop(connection)

    def _dismiss(self, connection: socket.socket, *, is_other: bool) -> None:
        with connection:
            if is_other:
                self._tell_once("another user of this machine asked for the step's credentials")
                connection.sendall(_refusal_bytes(STRANGER))
                connection.shutdown(socket.SHUT_WR)

    def _serve(self, connection: socket.socket) -> None:
        """One request, one answer; nothing escapes from here but the thread's end."""
        try:
            answer = self._answer(connection)
            connection.settimeout(self._patience)
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            # Too slow, gone, or cut.
            pass
        finally:
            self._drop(connection)

    def _answer(self, connection: socket.socket) -> bytes:
        head = _read_head(connection, time.monotonic() + self._patience)
        refusal = refusal_of(head, host=self.host, token=self._token) if head else MALFORMED
        if refusal is not None:
            return _refusal_bytes(refusal)
        with self._lock:
            self._reading.pop(connection, None)
            if len(self._waiting) >= MOST_WAITING:
                return _refusal_bytes(_BUSY)
            self._waiting[connection] = None
        return self._credentials()

    def _credentials(self) -> bytes:
        """The answer of credentials that are whole, or of why there are none."""
        try:
            credentials = self._context.current()
        except CalamariError as error:
            self._tell_once(f"the step asked for credentials and got none: {error.message}")
            return _refusal_bytes(_UNAVAILABLE)
        except Exception as error:  # noqa: BLE001  a thread has no caller; the log is told instead
            self._tell_once(
                "the step asked for credentials and got none: a defect in calamari "
                f"({type(error).__name__})"
            )
            return _refusal_bytes(_UNAVAILABLE)
        if not credentials.access_key_id or not credentials.secret_access_key:
            return _refusal_bytes(_UNAVAILABLE)
        self._told = None
        return _response(200, _document(credentials, self._context.account))

    def _tell_once(self, sentence: str) -> None:
        """Tell `sentence` unless it was the last one told: an SDK asks several times."""
        with self._lock:
            if self._told == sentence or self._closing.is_set():
                return
            self._told = sentence
        # A log that takes no more must not cost the client its answer.
        with suppress(CalamariError, OSError):
            self._context.tell(sentence)

    def _drop(self, connection: socket.socket) -> None:
        # Under the lock: nobody may cut a descriptor that was closed and is another file by now.
        with self._lock:
            self._reading.pop(connection, None)
            self._waiting.pop(connection, None)
            connection.close()


def _read_head(connection: socket.socket, deadline: float) -> bytes:
    """Everything before the empty line of a request; empty when it is too long.

    Raises OSError when the client is too slow for `deadline` (a monotonic time) or gone.
    """
    head = bytearray()
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionResetError
        head += piece
        end = head.find(b"\r\n\r\n")
        if end >= 0:
            return bytes(head[:end])
        if len(head) > _HEAD_LIMIT:
            return b""


def _document(credentials: AwsCredentials, account: str | None) -> dict[str, str]:
    """The format of ECS's credential endpoint."""
    from datetime import UTC, datetime, timedelta

    # SDKs insist on Token and Expiration. Keys that live for ever are asked for again every hour.
    expires = credentials.expires_at or datetime.now(UTC) + timedelta(hours=1)
    token = credentials.session_token
    document = {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key.reveal(),
        "Token": token.reveal() if token else "",
        "Expiration": expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if account:
        document["AccountId"] = account
    return document


def _refusal_bytes(refusal: Refusal) -> bytes:
    return _response(refusal.status, {"code": refusal.code, "message": refusal.message})


def _response(status: int, document: dict[str, str]) -> bytes:
    import json

    body = json.dumps(document).encode("ascii")
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def _cut(connection: socket.socket) -> None:
    """End a connection that another thread waits for; that thread closes it."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def _signals_left_to_this_thread() -> Iterator[None]:
    """Threads started within the block, and theirs, get no signals: one must end a wait here."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
