"""FakeSts: a strict AWS on 127.0.0.1 that speaks STS's real Query protocol.

Where moto says yes to everything, this server says no for the reasons AWS has: signature, clock,
trust, external id, session length, role chaining, tokens. It also keeps a few parameters (SSM) and
secrets (Secrets Manager), so that one server is enough for a whole step.

::

    with FakeSts() as sts:
        launcher = sts.add_user("arn:aws:iam::123456789012:user/launcher")
        sts.add_role("arn:aws:iam::111111111111:role/Deploy", trust=[launcher.arn])
        sts.url, sts.requests, sts.fail_next(503, "ServiceUnavailable", "later", times=2)

Identities and error texts live in `fake_sts_rules`.
"""

from __future__ import annotations

import base64
import json
import secrets
import ssl
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from tests.fake_sts_rules import Keys, Log, Refusal, Role, Token, assume_role, web_identity
from tests.fake_sts_signature import authenticate

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class FakeSts:
    """The server and its tables; a context manager. Everything may be changed while it runs.

    `clock_offset` is in seconds: a positive one makes the server's clock run ahead of ours.
    `requests` holds one entry a request, in order, refused ones included. `connections` counts
    TCP connections. `tls` makes it an https server.
    """

    def __init__(self, *, clock_offset: float = 0.0, tls: ssl.SSLContext | None = None) -> None:
        self.clock_offset = clock_offset
        self.keys: dict[str, Keys] = {}
        self.roles: dict[str, Role] = {}
        self.tokens: dict[str, Token] = {}
        self.parameters: dict[str, tuple[str, str]] = {}
        self.secrets: dict[str, str | bytes] = {}
        self.requests: list[Log] = []
        self.connections = 0
        self._tls = tls
        self._failures: list[_Failure] = []
        self._lock = threading.RLock()
        self._released = threading.Event()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._server = _Server(self, self._tls)
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
        self._released.set()
        assert self._server is not None
        assert self._thread is not None
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``, or https with `tls`."""
        assert self._server is not None
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"

    def now(self) -> datetime:
        """What the server's clock says."""
        return datetime.now(UTC) + timedelta(seconds=self.clock_offset)

    def add_user(self, arn: str, *, access_key_id: str | None = None) -> Keys:
        """Long-lived keys of an IAM user."""
        keys = Keys(
            access_key_id=access_key_id or "AKIA" + _capitals(16),
            secret_access_key=_secret(30),
            arn=arn,
        )
        self.keys[keys.access_key_id] = keys
        return keys

    def add_session(self, role_arn: str, session_name: str, *, duration: int = 3600) -> Keys:
        """Temporary keys of a role session: what a pod or an instance has to begin with."""
        partition, account = role_arn.split(":")[1], role_arn.split(":")[4]
        name = role_arn.rsplit("/", 1)[1]
        keys = Keys(
            access_key_id="ASIA" + _capitals(16),
            secret_access_key=_secret(30),
            session_token=_secret(270),
            arn=f"arn:{partition}:sts::{account}:assumed-role/{name}/{session_name}",
            role_arn=role_arn,
            expires_at=(self.now() + timedelta(seconds=duration)).replace(microsecond=0),
        )
        with self._lock:
            self.keys[keys.access_key_id] = keys
        return keys

    def add_role(
        self,
        arn: str,
        *,
        trust: Sequence[str] = (),
        external_id: str | None = None,
        max_session_duration: int = 3600,
    ) -> Role:
        """A role. `trust` names principals: a user, a role, an account's root, or ``*``."""
        role = Role(
            arn=arn,
            trust=tuple(trust),
            external_id=external_id,
            max_session_duration=max_session_duration,
        )
        self.roles[arn] = role
        return role

    def add_token(
        self,
        token: str,
        *,
        roles: Sequence[str],
        subject: str = "system:serviceaccount:octopus:worker",
        expired: bool = False,
    ) -> None:
        """A web identity token and the ARNs of the roles that trust it."""
        self.tokens[token] = Token(roles=tuple(roles), subject=subject, expired=expired)

    def add_parameter(self, name: str, value: str, kind: str = "SecureString") -> None:
        """An SSM parameter: ``String``, ``StringList`` or ``SecureString``."""
        self.parameters[name] = (kind, value)

    def add_secret(self, secret_id: str, value: str | bytes) -> None:
        """A secret of Secrets Manager: a string or a binary."""
        self.secrets[secret_id] = value

    def fail_next(
        self,
        status: int,
        code: str,
        message: str = "injected by the test",
        times: int = 1,
        *,
        action: str | None = None,
    ) -> None:
        """Answer the next `times` requests (of `action`) with an AWS error, whatever they ask."""
        self._inject(_Failure(status=status, code=code, message=message, action=action), times)

    def answer_next(
        self, body: bytes, status: int = 200, content_type: str = "text/xml", times: int = 1
    ) -> None:
        """Answer the next `times` requests with `body` as it is."""
        self._inject(_Failure(status=status, body=body, content_type=content_type), times)

    def drop_next(self, times: int = 1) -> None:
        """Close the connection instead of answering."""
        self._inject(_Failure(status=0), times)

    def hang_next(self, times: int = 1) -> None:
        """Do not answer before the server ends."""
        self._inject(_Failure(status=-1), times)

    def _inject(self, failure: _Failure, times: int) -> None:
        with self._lock:
            self._failures.extend([failure] * times)

    def _take_failure(self, action: str) -> _Failure | None:
        with self._lock:
            for index, failure in enumerate(self._failures):
                if failure.action in {None, action}:
                    return self._failures.pop(index)
        return None

    def actions(self) -> list[str]:
        """The actions asked for, in order."""
        return [request.action for request in self.requests]


class _Failure:
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
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.body = body
        self.content_type = content_type
        self.action = action


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, sts: FakeSts, tls: ssl.SSLContext | None) -> None:
        self.sts = sts
        super().__init__(("127.0.0.1", 0), _Handler)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without it each small answer waits for the client's delayed acknowledgement.
    disable_nagle_algorithm = True
    request_id = ""

    @property
    def sts(self) -> FakeSts:
        return cast("_Server", self.server).sts

    def setup(self) -> None:
        super().setup()
        self.sts.connections += 1

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silent."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.sts.now(), usegmt=True)

    def do_GET(self) -> None:
        self.request_id = _new_request_id()
        if failure := self.sts._take_failure("GET"):
            self._fail(failure, json_protocol=True)
            return
        self._reply(302, b"", "text/html", {"Location": "https://aws.amazon.com/iam"})

    def do_POST(self) -> None:
        self.request_id = _new_request_id()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.headers.get("X-Amz-Target")
        params = (
            json.loads(body) if target else dict(parse_qsl(body.decode(), keep_blank_values=True))
        )
        action = target.rpartition(".")[2] if target else params.pop("Action", "")
        log = Log(
            action=action,
            params=params,
            access_key_id=_access_key_id(self.headers.get("Authorization") or ""),
            host=self.headers.get("Host") or "",
            headers=dict(self.headers.items()),
        )
        self.sts.requests.append(log)
        if failure := self.sts._take_failure(action):
            self._fail(failure, json_protocol=bool(target))
            return
        try:
            if target:
                self._reply(200, self._json_answer(log, body), "application/x-amz-json-1.1")
            else:
                self._reply(200, self._query_answer(log, body), "text/xml")
        except Refusal as refusal:
            self._refuse(refusal, json_protocol=bool(target))

    def _query_answer(self, log: Log, body: bytes) -> bytes:
        sts = self.sts
        if log.params.pop("Version", None) != "2011-06-15":
            raise Refusal(400, "InvalidAction", f"Could not find operation {log.action}")
        if log.action == "AssumeRoleWithWebIdentity":
            token = web_identity(sts.tokens, sts.roles, log.params)
            fields = self._session(log.params)
            fields["SubjectFromWebIdentityToken"] = token.subject
            return self._xml(log.action, fields)
        caller = authenticate(self, body, "sts", sts.keys, sts.now())
        if log.action == "GetCallerIdentity":
            account = caller.arn.split(":")[4]
            return self._xml(log.action, {"Arn": caller.arn, "UserId": "AIDA", "Account": account})
        if log.action == "AssumeRole":
            assume_role(caller, sts.roles, log.params)
            fields = self._session(log.params)
            if source_identity := log.params.get("SourceIdentity"):
                fields["SourceIdentity"] = source_identity
            return self._xml(log.action, fields)
        raise Refusal(400, "InvalidAction", f"Could not find operation {log.action}")

    def _xml(self, action: str, fields: dict[str, Any]) -> bytes:
        return (
            f'<{action}Response xmlns="{NAMESPACE}"><{action}Result>{_elements(fields)}'
            f"</{action}Result><ResponseMetadata><RequestId>{self.request_id}</RequestId>"
            f"</ResponseMetadata></{action}Response>"
        ).encode()

    def _session(self, params: dict[str, Any]) -> dict[str, Any]:
        keys = self.sts.add_session(
            params["RoleArn"],
            params["RoleSessionName"],
            duration=int(params.get("DurationSeconds", 3600)),
        )
        assert keys.expires_at is not None
        return {
            "AssumedRoleUser": {
                "AssumedRoleId": f"AROA{_capitals(17)}:{params['RoleSessionName']}",
                "Arn": keys.arn,
            },
            "Credentials": {
                "AccessKeyId": keys.access_key_id,
                "SecretAccessKey": keys.secret_access_key,
                "SessionToken": keys.session_token,
                "Expiration": keys.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
            "PackedPolicySize": "6",
        }

    def _json_answer(self, log: Log, body: bytes) -> bytes:
        sts = self.sts
        service = "ssm" if log.action == "GetParameter" else "secretsmanager"
        authenticate(self, body, service, sts.keys, sts.now())
        if log.action == "GetParameter":
            name = log.params["Name"]
            if name not in sts.parameters:
                raise Refusal(400, "ParameterNotFound", "")
            kind, value = sts.parameters[name]
            if kind == "SecureString" and not log.params.get("WithDecryption"):
                value = "AQICAHencrypted"
            return json.dumps(
                {"Parameter": {"Name": name, "Type": kind, "Value": value, "Version": 1}}
            ).encode()
        if log.action == "GetSecretValue":
            name = log.params["SecretId"]
            if name not in sts.secrets:
                raise Refusal(
                    400,
                    "ResourceNotFoundException",
                    "Secrets Manager can't find the specified secret.",
                )
            secret = sts.secrets[name]
            part = (
                {"SecretString": secret}
                if isinstance(secret, str)
                else {"SecretBinary": base64.b64encode(secret).decode()}
            )
            return json.dumps({"Name": name, "ARN": name, **part}).encode()
        raise Refusal(400, "UnknownOperationException", "")

    def _fail(self, failure: _Failure, *, json_protocol: bool) -> None:
        if failure.status == 0:
            self.close_connection = True
        elif failure.status == -1:
            self.sts._released.wait(60)
            self.close_connection = True
        elif failure.body is not None:
            self._reply(failure.status, failure.body, failure.content_type)
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
            f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>{kind}</Type>'
            f"<Code>{escape(refusal.code)}</Code><Message>{escape(refusal.message)}</Message>"
            f"</Error><RequestId>{self.request_id}</RequestId></ErrorResponse>".encode(),
            "text/xml",
        )

    def _reply(
        self, status: int, body: bytes, content_type: str, more: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", self.request_id)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


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


def _capitals(count: int) -> str:
    return "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(count))


def _secret(size: int) -> str:
    return base64.b64encode(secrets.token_bytes(size)).decode()
