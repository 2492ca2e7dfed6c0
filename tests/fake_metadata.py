"""Strict metadata servers on 127.0.0.1: EC2's IMDSv2 and the container credential endpoint.

In a network namespace (`tests.netns`) they can have the real services' addresses.
They log every request, refuse what the real ones refuse, and misbehave on demand::

    with FakeImds() as imds:
        imds.inject("/latest/api/token", Reply(503), SILENCE)     # the next two answers there
        imds.url, imds.heard
"""

from __future__ import annotations

import json
import secrets
import socket
import socketserver
import ssl
import threading
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

EXPIRATION = "2099-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Heard:
    """One request as it came; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """A well-formed answer."""

    status: int
    body: str | bytes = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The answer on the wire."""
        body = self.body.encode() if isinstance(self.body, str) else self.body
        lines = [f"HTTP/1.1 {self.status} Said", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes as they are, then the end of the connection. `drip`: seconds between two bytes."""

    content: bytes = b""
    drip: float = 0.0


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing, until the server is closed."""


SILENCE = Silence()
HANG_UP = Raw()
Answer = Reply | Raw | Silence


def credential_document(**changes: str | None) -> str:
    """What both services answer; a None leaves the field out."""
    fields: dict[str, str | None] = {
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": "ASIALAUNCHERLAUNCHER",
        "SecretAccessKey": "launcher/secret+key0123456789abcdefghijk",
        "Token": "launcher-session-token//////////0123456789",
        "Expiration": EXPIRATION,
        **changes,
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None})


class FakeServer:
    """One loopback server; subclasses say what it answers. A context manager.

    `heard` holds every request in order. `connections` counts TCP connections. With `tls` it
    speaks https. `address` is where it listens; port 0 is any free one.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, address: tuple[str, int] = ("127.0.0.1", 0)
    ) -> None:
        self.tls = tls
        self.address = address
        self.heard: list[Heard] = []
        self.connections = 0
        self.closed = threading.Event()
        self._injected: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        assert self._thread is not None
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        host = self.address[0]
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def inject(self, path: str, *answers: Answer) -> None:
        """What the next requests for `path` get instead of the truth."""
        self._injected[path].extend(answers)

    def answer(self, heard: Heard) -> Answer:
        """The injected answer, else what the subclass says."""
        self.heard.append(heard)
        waiting = self._injected[heard.path]
        return waiting.popleft() if waiting else self.tell(heard)

    def tell(self, heard: Heard) -> Answer:
        """The truth."""
        return Reply(404)

    def paths(self) -> list[str]:
        """``METHOD path`` of every request."""
        return [f"{heard.method} {heard.path}" for heard in self.heard]


class FakeImds(FakeServer):
    """IMDSv2: a PUT with a life gives a token; every GET needs it. Version 1 gets 401."""

    def __init__(
        self,
        *,
        role: str | None = "worker-role",
        region: str = "eu-west-1",
        prefix: str = "",
        address: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        super().__init__(address=address)
        self.role = role
        self.region = region
        self.prefix = prefix
        self.document = credential_document()
        self.token = secrets.token_urlsafe(40) + "=="

    def tell(self, heard: Heard) -> Answer:
        path = heard.path.removeprefix(self.prefix)
        if heard.method == "PUT" and path == "/latest/api/token":
            life = heard.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
            bad = not life.isdigit() or not 1 <= int(life) <= 21600
            return (
                Reply(400) if bad or "x-forwarded-for" in heard.headers else Reply(200, self.token)
            )
        if heard.method != "GET" or heard.headers.get("x-aws-ec2-metadata-token") != self.token:
            return Reply(401, "<html>401 - Unauthorized</html>")
        roles = "/latest/meta-data/iam/security-credentials/"
        truth = {"/latest/meta-data/placement/region": self.region}
        if self.role is not None:
            truth |= {roles: self.role, f"{roles}{self.role}": self.document}
        return Reply(200, truth[path]) if path in truth else Reply(404, "<html>404</html>")

    def tokenless_gets(self) -> list[str]:
        """What a client of version 1 would have asked for."""
        return [
            heard.path
            for heard in self.heard
            if heard.method == "GET" and heard.headers.get("x-aws-ec2-metadata-token") is None
        ]


class FakeContainer(FakeServer):
    """The endpoint of the EKS Pod Identity agent and of ECS: one path, one authorization."""

    def __init__(
        self,
        *,
        path: str = "/v1/credentials",
        authorization: str | None = None,
        address: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        super().__init__(address=address)
        self.path = path
        self.authorization = authorization
        self.document = credential_document(Code=None, Type=None)

    def tell(self, heard: Heard) -> Answer:
        if heard.method != "GET" or heard.path != self.path:
            return Reply(404, '{"message": "not here"}')
        if heard.headers.get("authorization") != self.authorization:
            return Reply(401, '{"message": "who are you?"}')
        return Reply(200, self.document)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 50

    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake
        if ":" in fake.address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(fake.address, _Connection)

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        if self.fake.tls is None:
            return connection, address
        secured = self.fake.tls.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        )
        return secured, address

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is what these tests are about."""


class _Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        fake = self.server.fake
        fake.connections += 1
        heard = self._read()
        if heard is None:
            return
        answer = fake.answer(heard)
        if isinstance(answer, Silence):
            fake.closed.wait()
        elif isinstance(answer, Reply):
            self.wfile.write(answer.to_bytes())
        elif not answer.drip:
            self.wfile.write(answer.content)
        else:
            for byte in answer.content:
                self.wfile.write(bytes([byte]))
                if fake.closed.wait(answer.drip):
                    return

    def _read(self) -> Heard | None:
        first = self.rfile.readline().decode("latin-1").split()
        headers: dict[str, str] = {}
        while line := self.rfile.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return Heard(first[0], first[1], headers) if len(first) == 3 else None
