"""Credentials to deliver, and clients that say exactly what they send."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from calamari_py.delivery import DeliveryContext
from calamari_py.delivery._request import CREDENTIALS_PATH
from calamari_py.identity import AwsCredentials
from calamari_py.masking import Secret

SECRET = "delivered/secret+key0123456789abcdefghij"
TOKEN = "delivered-session-token//////////0123456789=="
PATIENCE = 20.0
"""Seconds after which a test gives up; nothing waits for them where all is well."""


def credentials(
    number: int = 1, *, life: float = 3600.0, token: str | None = TOKEN
) -> AwsCredentials:
    """The `number`-th set. Its parts name it."""
    return AwsCredentials(
        access_key_id=f"ASIADELIVERED{number:07d}",
        secret_access_key=Secret(f"{SECRET}{number}"),
        session_token=None if token is None else Secret(f"{token}{number}"),
        expires_at=None if token is None else datetime.now(UTC) + timedelta(seconds=life),
    )


@dataclass
class Deliverer:
    """A DeliveryContext whose answers a test programs, and what it was told."""

    private: Path
    answer: Callable[[], AwsCredentials] = credentials
    asked: int = 0
    told: list[str] = field(default_factory=list)
    registered: dict[str, str] = field(default_factory=dict)

    def context(self, *, region: str | None = "eu-west-1") -> DeliveryContext:
        return DeliveryContext(
            current=self._current,
            private=self.private,
            register=self.registered.__setitem__,
            tell=self.told.append,
            region=region,
            account="111111111111",
        )

    def _current(self) -> AwsCredentials:
        self.asked += 1
        return self.answer()


@dataclass(frozen=True)
class Answer:
    """What came back: 0 and nothing when the connection was closed without an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


@dataclass(frozen=True)
class Client:
    """Talks to the server at `uri` with plain sockets: nothing is added, nothing is followed."""

    uri: str
    token: str

    @classmethod
    def of(cls, names: Mapping[str, str]) -> Client:
        for uri, token in (
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"),
            ("CALAMARI_CREDENTIALS_URI", "CALAMARI_CREDENTIALS_TOKEN"),
        ):
            if uri in names:
                return cls(names[uri], names[token])
        raise AssertionError(f"no server is named by {sorted(names)}")

    @property
    def port(self) -> int:
        port = urlsplit(self.uri).port
        assert port is not None
        return port

    def head(
        self,
        *,
        method: str = "GET",
        path: str = CREDENTIALS_PATH,
        host: str | None = "127.0.0.1:PORT",
        authorization: str | None = "TOKEN",
        more: tuple[str, ...] = (),
    ) -> bytes:
        """A request; PORT and TOKEN stand for the server's own."""
        lines = [f"{method} {path} HTTP/1.1", "Accept: application/json"]
        lines += [] if host is None else [f"Host: {host}"]
        lines += [] if authorization is None else [f"Authorization: {authorization}"]
        text = "\r\n".join((*lines, *more)).replace("PORT", str(self.port))
        return text.replace("TOKEN", self.token).encode("latin-1") + b"\r\n\r\n"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def get(self, **parts: Any) -> Answer:
        return self.send(self.head(**parts))

    def send(self, request: bytes) -> Answer:
        with closing(self.connect()) as connection:
            connection.sendall(request)
            return parse(read_all(connection))


def read_all(connection: socket.socket) -> bytes:
    """Everything up to the other side's end."""
    pieces = []
    while piece := connection.recv(65_536):
        pieces.append(piece)
    return b"".join(pieces)


def parse(data: bytes) -> Answer:
    if not data:
        return Answer(0, {}, b"")
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("ascii").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert int(headers["content-length"]) == len(body)
    return Answer(int(status.split()[1]), headers, body)


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for `condition`; a test that waits in vain says for what."""
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends, f"waited in vain: {what}"
        time.sleep(0.005)


@dataclass
class Gate:
    """A renewal that hangs until it is opened, and then raises `error` if there is one."""

    error: Exception | None = None
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    opened: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> AwsCredentials:
        self.entered.release()
        assert self.opened.wait(PATIENCE)
        if self.error is not None:
            raise self.error
        return credentials()

    def await_callers(self, count: int) -> None:
        for _ in range(count):
            assert self.entered.acquire(timeout=PATIENCE)


AS_USER = """
import os, socket, sys
uid, family, address, port = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
os.setgroups([])
os.setgid(uid)
os.setuid(uid)
client = socket.socket(getattr(socket, family))
client.settimeout(20)
client.connect((address, port))
client.sendall(sys.stdin.buffer.read())
while piece := client.recv(65536):
    sys.stdout.buffer.write(piece)
"""


def send_as_user(uid: int, client: Client, request: bytes, *, mapped: bool = False) -> Answer:
    """The answer to a process of another user; `mapped`: on an IPv6 socket, as Java does."""
    family, address = ("AF_INET6", "::ffff:127.0.0.1") if mapped else ("AF_INET", "127.0.0.1")
    ended = subprocess.run(
        [sys.executable, "-I", "-c", AS_USER, str(uid), family, address, str(client.port)],
        input=request,
        capture_output=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    return parse(ended.stdout)


def open_connections(client: Client, stack: ExitStack, count: int) -> list[socket.socket]:
    return [stack.enter_context(closing(client.connect())) for _ in range(count)]
