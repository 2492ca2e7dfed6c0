"""An AWS that notes who asked for what, in front of another one that answers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.loopback import Loopback

_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/[^/,\s]+/([^/,\s]+)/aws4_request")
_KEYS = re.compile(rb"<(AccessKeyId|SecretAccessKey|SessionToken)>([^<]+)</")
_EXPIRATION = re.compile(rb"(<Expiration>)[^<]+(</Expiration>)")
_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "date", "server"}
_EXPIRED = (
    b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One request: with whose key, for which service, and how it was answered."""

    method: str
    path: str
    service: str
    key_id: str
    status: int


@dataclass(frozen=True, slots=True)
class Session:
    """Keys that a role was given."""

    key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)


class RecordingAws(Loopback):
    """A loopback server that hands requests on to `endpoint`; a context manager.

    `life` (seconds) is how long the sessions live that are given out from now on, instead of an
    hour: their keys are refused afterwards. None leaves that to the one behind.
    """

    def __init__(self, endpoint: str) -> None:
        self.heard: list[Heard] = []
        self.sessions: list[Session] = []
        self.life: float | None = None
        self.expires: dict[str, datetime] = {}
        self._behind = urlsplit(endpoint).netloc
        aws = self

        class Handler(_Handler):
            def answer(self) -> None:
                aws.answer(self)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        super().__init__(server)

    def requests_of(self, service: str, *, path: str = "") -> list[Heard]:
        """Those for `service` whose path holds `path`, in order."""
        return [each for each in self.heard if each.service == service and path in each.path]

    def forget(self) -> None:
        """Begin anew: nothing was heard, sessions live for as long as ever."""
        self.heard.clear()
        self.sessions.clear()
        self.life = None

    def answer(self, request: _Handler) -> None:
        """Hand `request` on, and note it."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        scope = _SCOPE.search(request.headers.get("Authorization", ""))
        key_id, service = scope.groups() if scope else ("", "")
        if key_id in self.expires and datetime.now(UTC) >= self.expires[key_id]:
            answered = _EXPIRED if service == "s3" else b"<R>%s</R>" % _EXPIRED
            status, headers = 400, [("Content-Type", "application/xml")]
        else:
            status, headers, answered = self._behind_us(request, body)
        if service == "sts" and b"<AssumeRoleResult>" in answered:
            answered = self._session(answered)
        self.heard.append(
            Heard(
                method=request.command, path=request.path, service=service,
                key_id=key_id, status=status,
            )
        )  # fmt: skip
        _send(request, status, headers, answered)

    def _behind_us(
        self, request: _Handler, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = HTTPConnection(self._behind, timeout=30)
        try:
            connection.request(request.command, request.path, body, dict(request.headers))
            response: HTTPResponse = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def _session(self, answered: bytes) -> bytes:
        """A session was given out: note it, and let it live for `life`."""
        given = {name.decode(): value.decode() for name, value in _KEYS.findall(answered)}
        self.sessions.append(
            Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        )
        if self.life is None:
            return answered
        ends = (datetime.now(UTC) + timedelta(seconds=self.life)).replace(microsecond=0)
        self.expires[given["AccessKeyId"]] = ends
        return _EXPIRATION.sub(rb"\g<1>%s\g<2>" % f"{ends:%Y-%m-%dT%H:%M:%SZ}".encode(), answered)


class _Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        """Answer this request."""
        raise NotImplementedError

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    def do_DELETE(self) -> None:
        self.answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: the terminal belongs to the tests."""


def _send(request: _Handler, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
    request.send_response(status)
    length = str(len(body))
    for name, value in headers:
        if name.lower() == "content-length" and request.command == "HEAD":
            length = value
        elif name.lower() not in _HOP_BY_HOP:
            request.send_header(name, value)
    request.send_header("Content-Length", length)
    request.end_headers()
    request.wfile.write(body)
