"""The model behind HTTP: for a calamari that runs as a process of its own.

::

    with CloudFormationServer(FakeCloudFormation(RunningClock(speed=200))) as server:
        subprocess.run([…], env={**os.environ, **server.environment})
"""

from __future__ import annotations

import re
import secrets
import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.fake_cloudformation import wire
from tests.fake_cloudformation.change_sets import Refused
from tests.fake_cloudformation.faults import Fault, status_of
from tests.fake_cloudformation.service import FakeCloudFormation

_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/aws4_request")
LAUNCHER_KEY = "AKIALAUNCHERLAUNCHER"


class CloudFormationServer:
    """A FakeCloudFormation on 127.0.0.1, in AWS's query language, with S3 (path style) and enough
    of STS to assume any role. A context manager that closes it.

    `sessions` are the keys it gave and the ARNs they stand for. A key in `expired` is refused from
    then on; `lifetime` is what STS says of how long a session lasts, in real seconds. `used` is who
    called what, in order.
    """

    def __init__(self, fake: FakeCloudFormation, *, lifetime: float = 3600.0) -> None:
        self.fake = fake
        self.lifetime = lifetime
        self.sessions: dict[str, str] = {LAUNCHER_KEY: "arn:aws:iam::123456789012:user/launcher"}
        self.expired: set[str] = set()
        self.used: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._http = _Http(self)
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def environment(self) -> Mapping[str, str]:
        """What points an SDK at it, with the launcher's keys."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": LAUNCHER_KEY,
            "AWS_SECRET_ACCESS_KEY": "launcher/secret+key0123456789abcdefghijk",
            "AWS_REGION": self.fake.region,
        }

    def expire_sessions(self) -> None:
        """All sessions that it gave until now are over."""
        self.expired |= set(self.sessions) - {LAUNCHER_KEY}

    def close(self) -> None:
        """Stop answering."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def answer(self, key: str, service: str, operation: str, params: Any) -> dict[str, Any]:
        """One call; Refused as AWS refuses."""
        with self._lock:
            self.used.append((key, operation))
            if key in self.expired:
                raise Refused(
                    "ExpiredToken", "The security token included in the request is expired"
                )
            if key not in self.sessions:
                raise Refused(
                    "InvalidClientTokenId",
                    "The security token included in the request is invalid.",
                )
            if service == "sts" and operation in {"AssumeRole", "GetCallerIdentity"}:
                return self._sts(key, operation, params)
            return self.fake.answer(service, operation, params)

    def _sts(self, key: str, operation: str, params: Any) -> dict[str, Any]:
        if operation == "GetCallerIdentity":
            arn = self.sessions[key]
            return {"Arn": arn, "Account": arn.split(":")[4], "UserId": "AROAEXAMPLEEXAMPLE:x"}
        role, name = params["RoleArn"], params["RoleSessionName"]
        account, role_name = role.split(":")[4], role.split("/")[-1]
        arn = f"arn:{self.fake.partition}:sts::{account}:assumed-role/{role_name}/{name}"
        access_key = "ASIA" + secrets.token_hex(8).upper()
        self.sessions[access_key] = arn
        return {
            "Credentials": {
                "AccessKeyId": access_key,
                "SecretAccessKey": secrets.token_hex(20),
                "SessionToken": secrets.token_hex(60),
                "Expiration": datetime.now(UTC) + timedelta(seconds=self.lifetime),
            },
            "AssumedRoleUser": {"Arn": arn, "AssumedRoleId": f"AROAEXAMPLEEXAMPLE:{name}"},
        }


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, owner: CloudFormationServer) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without it each small answer waits for the client's delayed acknowledgement.
    disable_nagle_algorithm = True

    @property
    def owner(self) -> CloudFormationServer:
        return cast("_Http", self.server).owner

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silent."""

    def do_POST(self) -> None:
        form = dict(parse_qsl(self._body().decode(), keep_blank_values=True))
        key, service = self._scope()
        operation = form.pop("Action")
        form.pop("Version", None)
        params = wire.read_form(service, operation, form)
        self._answer(key, service, operation, params)

    def do_PUT(self) -> None:
        self._object("PutObject", {"Body": self._body()})

    def do_HEAD(self) -> None:
        self._object("HeadObject", {})

    def _object(self, operation: str, params: dict[str, Any]) -> None:
        bucket, _, name = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        key, service = self._scope()
        self._answer(key, service, operation, {"Bucket": bucket, "Key": name, **params})

    def _answer(self, key: str, service: str, operation: str, params: Any) -> None:
        request_id = str(uuid.uuid4())
        try:
            answer = self.owner.answer(key, service, operation, params)
        except Refused as refused:
            self._refuse(refused, request_id)
            return
        is_s3 = service == "s3"
        body = b"" if is_s3 else wire.write_answer(service, operation, answer, request_id)
        self._send(200, body, request_id)

    def _refuse(self, refused: Refused, request_id: str) -> None:
        fault = refused.fault or Fault()
        if fault.close:
            self.close_connection = True
        elif fault.http is not None:
            self._send(fault.http, b"<html>Service Unavailable</html>", request_id, "text/html")
        else:
            body = wire.write_error(refused.code, refused.message, request_id)
            self._send(status_of(refused.code), body, request_id)

    def _send(
        self, status: int, body: bytes, request_id: str, content_type: str = "text/xml"
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", request_id)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _scope(self) -> tuple[str, str]:
        found = _SCOPE.search(self.headers.get("Authorization", ""))
        return (found[1], found[3]) if found else ("", "")
