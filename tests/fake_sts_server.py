"""The HTTP side of `fake_sts`: requests in, answers and AWS's kinds of errors out."""

from __future__ import annotations

import base64
import json
import secrets
import ssl
from collections.abc import Mapping
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from tests import fake_sts_answers as answers
from tests.fake_sts_tables import Log, Refusal

if TYPE_CHECKING:
    from tests.fake_sts import FakeSts

_GETS = {"/federation/credentials": "GetRoleCredentials", "/federation": "getSigninToken"}


class Failure:
    """What to answer instead: an error, raw bytes, nothing (0), or never (-1)."""

    def __init__(
        self,
        *,
        status: int,
        code: str = "",
        message: str = "",
        body: bytes | None = None,
        content_type: str = "text/xml",
        action: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.body = body
        self.content_type = content_type
        self.action = action
        self.headers = headers


class Server(ThreadingHTTPServer):
    """The listening socket of one FakeSts."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, sts: FakeSts, tls: ssl.SSLContext | None) -> None:
        self.sts = sts
        super().__init__(("127.0.0.1", 0), _Handler)
        if tls is not None:
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without it each small answer waits for the client's delayed acknowledgement.
    disable_nagle_algorithm = True
    request_id = ""

    @property
    def sts(self) -> FakeSts:
        return cast("Server", self.server).sts

    def setup(self) -> None:
        super().setup()
        self.sts.connections += 1

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silent."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.sts.signing_now(), usegmt=True)

    def do_GET(self) -> None:
        self.request_id = _new_request_id()
        if "/s3/aws4_request" in (self.headers.get("Authorization") or ""):
            self._answer_s3()
            return
        parts = urlsplit(self.path)
        action = _GETS.get(parts.path, "GET")
        log = self._log(action, dict(parse_qsl(parts.query)))
        if failure := self.sts.take_failure(action):
            self._fail(failure, json_protocol=True)
        elif action == "getSigninToken":
            self._sign_in(log)
        else:
            self._reply(302, b"", "text/html", {"Location": "https://aws.amazon.com/iam"})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.request_id = _new_request_id()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.headers.get("X-Amz-Target")
        is_json = bool(target) or self.path == "/token"
        params = (
            json.loads(body) if is_json else dict(parse_qsl(body.decode(), keep_blank_values=True))
        )
        action = target.rpartition(".")[2] if target else params.pop("Action", "CreateToken")
        log = self._log(action, params)
        if failure := self.sts.take_failure(action):
            self._fail(failure, json_protocol=is_json)
        elif urlsplit(self.path).path == "/federation":
            self._sign_in(log)
        else:
            self._answer(log, body, json_protocol=is_json)

    def _log(self, action: str, params: dict[str, Any]) -> Log:
        log = Log(
            action=action,
            params=params,
            access_key_id=_access_key_id(self.headers.get("Authorization") or ""),
            host=self.headers.get("Host") or "",
            headers=dict(self.headers.items()),
            at=self.sts.now(),
        )
        self.sts.requests.append(log)
        return log

    def _answer(self, log: Log, body: bytes, *, json_protocol: bool) -> None:
        try:
            if json_protocol:
                answer = json.dumps(answers.json_answer(self.sts, self, log, body)).encode()
                self._reply(200, answer, "application/x-amz-json-1.1")
            else:
                namespace, fields = answers.query_answer(self.sts, self, log, body)
                self._reply(200, self._xml(namespace, log.action, fields), "text/xml")
        except Refusal as refusal:
            self.sts.refusals.append((log, refusal))
            self._refuse(refusal, json_protocol=json_protocol)

    def _answer_s3(self) -> None:
        """Reads alone. That there is no such object is an answer, no refusal."""
        log = self._log(f"s3:{self.command}", dict(parse_qsl(urlsplit(self.path).query)))
        try:
            self._reply(200, answers.s3_answer(self.sts, self, b""), "application/xml")
        except Refusal as refusal:
            if refusal.status != 404:
                self.sts.refusals.append((log, refusal))
            text = f"<Error><Code>{refusal.code}</Code><Message>{refusal.message}</Message></Error>"
            self._reply(refusal.status, text.encode(), "application/xml")

    def _sign_in(self, log: Log) -> None:
        """The federation page: it refuses with a page that explains nothing."""
        try:
            answer = json.dumps(answers.sign_in_answer(self.sts, log.params)).encode()
            self._reply(200, answer, "application/json")
        except Refusal as refusal:
            page = f"<html><body>{escape(refusal.message)}</body></html>".encode()
            self._reply(refusal.status, page, "text/html")

    def _xml(self, namespace: str, action: str, fields: dict[str, Any]) -> bytes:
        return (
            f'<{action}Response xmlns="{namespace}"><{action}Result>{_elements(fields)}'
            f"</{action}Result><ResponseMetadata><RequestId>{self.request_id}</RequestId>"
            f"</ResponseMetadata></{action}Response>"
        ).encode()

    def _fail(self, failure: Failure, *, json_protocol: bool) -> None:
        if failure.status == 0:
            self.close_connection = True
        elif failure.status == -1:
            self.sts.released.wait(60)
            self.close_connection = True
        elif failure.body is not None:
            self._reply(failure.status, failure.body, failure.content_type, failure.headers)
        else:
            self._refuse(
                Refusal(failure.status, failure.code, failure.message), json_protocol=json_protocol
            )

    def _refuse(self, refusal: Refusal, *, json_protocol: bool) -> None:
        if json_protocol:
            body = json.dumps({"__type": refusal.code, "message": refusal.message}).encode()
            self._reply(refusal.status, body, "application/x-amz-json-1.1")
            return
        kind = "Sender" if refusal.status < 500 else "Receiver"
        self._reply(
            refusal.status,
            f'<ErrorResponse xmlns="{answers.STS_NAMESPACE}"><Error><Type>{kind}</Type>'
            f"<Code>{escape(refusal.code)}</Code><Message>{escape(refusal.message)}</Message>"
            f"</Error><RequestId>{self.request_id}</RequestId></ErrorResponse>".encode(),
            "text/xml",
        )

    def _reply(
        self, status: int, body: bytes, content_type: str, more: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", self.request_id)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def capitals(count: int) -> str:
    """Random characters of the kind that access key ids have."""
    return "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(count))


def secret_text(size: int) -> str:
    """Random text of the kind that secret keys are."""
    return base64.b64encode(secrets.token_bytes(size)).decode()


def _elements(fields: dict[str, Any]) -> str:
    return "".join(
        f"<{name}>{_elements(value) if isinstance(value, dict) else escape(str(value))}</{name}>"
        for name, value in fields.items()
    )


def _access_key_id(authorization: str) -> str | None:
    _, found, rest = authorization.partition("Credential=")
    return rest.split("/")[0] if found else None


def _new_request_id() -> str:
    text = secrets.token_hex(16)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
