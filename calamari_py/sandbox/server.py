"""moto behind a wrapper that refuses, on a server that says nothing and stops cleanly."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from html import escape
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl

from moto.backends import list_of_moto_modules
from moto.iam.models import get_account_id_from, iam_backends
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.sts.models import sts_backends
from moto.utilities.utils import get_partition
from werkzeug.serving import ThreadedWSGIServer

from calamari_py.errors import UsageError
from calamari_py.identity import RoleArn
from calamari_py.sandbox import refusal, seed
from calamari_py.sandbox.refusal import Caller, Refusal, Role

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/aws4_request")
_SILENCED = ("moto", "werkzeug", "responses")
_NEEDED = {"cloudformation": ("s3", "ssm")}
"""What a service takes from others: templates, and values of parameters."""
_STATUS_LINES = {400: "400 Bad Request", 403: "403 Forbidden", 501: "501 Not Implemented"}


class Server:
    """The sandbox's server on 127.0.0.1, answering from a daemon thread between start and stop.

    Raises UsageError when `port` cannot be had.
    """

    def __init__(self, port: int) -> None:
        _silence_loggers()
        with _listen(port) as listener:
            host, taken = listener.getsockname()
            self._server = _QuietServer(
                host, taken, _Sandboxed(), _QuietHandler, fd=listener.fileno()
            )
        self.port = self._server.port
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="sandbox",
            daemon=True,
        )

    def start(self) -> None:
        """Answer from now on; the port has been open since this object was made."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port. werkzeug keeps no connection alive, so nothing is answered after it."""
        self._server.shutdown()
        self._thread.join()


class _QuietHandler(MotoRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """Nothing: the terminal belongs to the step."""


class _QuietServer(ThreadedWSGIServer):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """Nothing, as above."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that went away is no news."""


class _UnknownServiceError(Exception):
    """moto has no such service."""


class _Moto(DomainDispatcherApplication):
    """moto's dispatcher, but a service it does not have is an answer and not a print."""

    def get_backend_for_host(self, host: str | None) -> Any:
        if (
            host is not None
            and "amazonaws.com" in host
            and host not in list_of_moto_modules()
            and not any(pattern.match(f"http://{host}") for _, pattern in self.backend_url_patterns)
        ):
            raise _UnknownServiceError(host)
        return super().get_backend_for_host(host)


class _Sandboxed:
    """The WSGI application: demonstration data on first use, refusals, and then moto."""

    def __init__(self) -> None:
        self._moto = _Moto(create_backend_app)
        self._demos: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == "/federation":
            return _answer_sign_in(start_response)
        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        # moto takes an unsigned request for S3
        key_id, region, service = scope.groups() if scope else (None, seed.REGION, "s3")
        for one in _NEEDED.get(service, (service,)):
            self._create_demos(one, region)
        try:
            if service == "sts" or key_id is None:
                form = _read_form(environ)
                if form.get("Action") == "AssumeRole":
                    token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN")
                    refused = _refusal(form, key_id, token, region)
                    if refused is not None:
                        return _answer(refused, start_response)
            if service == "cloudformation":
                return _answer_cloudformation(environ, start_response)
            return self._moto(environ, start_response)  # type: ignore[no-any-return]
        except _UnknownServiceError:
            return _not_implemented(
                f"The sandbox does not have the service {service}.", start_response
            )

    def _create_demos(self, service: str, region: str) -> None:
        demo = service, "" if service in seed.GLOBAL_DEMOS else region
        if service not in seed.DEMOS or demo in self._demos:
            return
        with self._lock:
            if demo not in self._demos:
                seed.DEMOS[service](region)
                self._demos.add(demo)


def _read_form(environ: Environ) -> Mapping[str, str]:
    """The query's and the form's fields; the body is put back for moto."""
    text = environ.get("QUERY_STRING", "")
    length = environ.get("CONTENT_LENGTH")
    is_form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    if is_form and length:
        body = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = BytesIO(body)
        text += "&" + body.decode("utf-8", "replace")
    return dict(parse_qsl(text))


def _refusal(
    form: Mapping[str, str], key_id: str | None, token: str | None, region: str
) -> Refusal | None:
    if key_id is None:
        return refusal.UNSIGNED
    caller = _caller(key_id, token, get_partition(region))
    if caller is None:
        return refusal.UNKNOWN_TOKEN
    return refusal.input_refusal(form) or refusal.access_refusal(
        form, caller, _role(form["RoleArn"])
    )


def _caller(key_id: str, token: str | None, partition: str) -> Caller | None:
    """Whose key this is; None for one that was not made here or lacks its session's token."""
    account = get_account_id_from(key_id)
    session = sts_backends[account][partition].get_assumed_role_from_access_key(key_id)
    if session is not None:
        if token != session.session_token:
            return None
        return Caller(arn=session.arn, account=account, role_arn=session.role_arn)
    user = iam_backends[account][partition].get_user_from_access_key_id(key_id)
    return None if user is None else Caller(arn=user.arn, account=account)


def _role(arn: str) -> Role | None:
    parsed = RoleArn.parse(arn)
    iam = iam_backends[parsed.account]
    if parsed.partition not in iam:
        return None
    role = next((r for r in iam[parsed.partition].get_roles() if r.arn == arn), None)
    if role is None:
        return None
    return Role(
        trust_policy=role.assume_role_policy_document,
        longest=int(role.max_session_duration or 3600),
    )


def _answer(refused: Refusal, start_response: StartResponse) -> Iterable[bytes]:
    request_id = str(uuid.uuid4())
    body = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
        f"<Type>Sender</Type><Code>{refused.code}</Code>"
        f"<Message>{escape(refused.message, quote=False)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()
    start_response(_STATUS_LINES[refused.status], _headers(body, request_id))
    return [body]


def _headers(body: bytes, request_id: str) -> list[tuple[str, str]]:
    return [
        ("Content-Type", "text/xml"),
        ("Content-Length", str(len(body))),
        ("x-amzn-RequestId", request_id),
    ]


def _not_implemented(text: str, start_response: StartResponse) -> Iterable[bytes]:
    return _answer(Refusal(code="NotImplemented", message=text, status=501), start_response)


def _answer_cloudformation(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    # moto needs two seconds to import it: it makes any kind of resource
    from calamari_py.sandbox import cloudformation, planning

    try:
        status, headers, text = cloudformation.answer(environ)
    except planning.Unsupported as unsupported:
        return _not_implemented(str(unsupported), start_response)
    body = text.encode()
    request_id = str(headers.get("x-amzn-requestid", ""))
    start_response(f"{status} {HTTPStatus(status).phrase}", _headers(body, request_id))
    return [body]


def _answer_sign_in(start_response: StartResponse) -> Iterable[bytes]:
    error = {"Code": "NotImplemented", "Message": "The sandbox has no console."}
    body = json.dumps({"Error": error}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(_STATUS_LINES[501], headers)
    return [body]


def _silence_loggers() -> None:
    for name in _SILENCED:
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def _listen(port: int) -> socket.socket:
    """A listening socket; werkzeug, left to bind, would print and exit when it cannot."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise UsageError(
            f"the sandbox cannot listen on port '{port}' of 127.0.0.1: {error}",
            hint="choose another port, or 0 for a free one",
        ) from error
    return listener
