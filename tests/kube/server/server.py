"""The API server of a cluster that real kubectl and helm accept, on 127.0.0.1 over TLS."""

from __future__ import annotations

import ssl
import traceback
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.kube.server.api import Api
from tests.kube.server.failures import ApiError, Body, unauthorized
from tests.kube.server.operations import Operations
from tests.kube.server.rights import Caller, Rights
from tests.kube.server.store import Store
from tests.kube.server.tls import Authority, Certificate, the_authority
from tests.kube.server.wire import Answer, Identify, Recorded, Request, refused
from tests.loopback import Loopback

_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_KEEP = ("Connection", "keep-alive")


class KubeServer(Loopback):
    """A context manager: the server answers while it is entered.

    `identify` says who a bearer token is; client certificates of `authority` are taken, too.
    `namespaces` are there from the start, with those that every cluster has. `certificate` is what
    it shows; `establish` serves new CustomResourceDefinitions at once, else some controller gives
    them their condition. What went wrong inside is in `faults`, and is raised at the end.
    """

    def __init__(
        self,
        identify: Identify,
        *,
        namespaces: Iterable[str] = (),
        authority: Authority | None = None,
        certificate: Certificate = "good",
        establish: bool = True,
        keep_bodies: bool = False,
    ) -> None:
        self.identify = identify
        self.now: datetime | None = None
        """What the server takes for the time; None is the machine's."""
        self.logs: dict[tuple[str, str, str, bool], str] = {}
        """By (namespace, pod, container, previous)."""
        self.warnings: list[str] = []
        """Told with every answer about objects."""
        self.requests: list[Recorded] = []
        self.keep_bodies = keep_bodies
        self.watch_limit: float | None = None
        self.open = True
        self.rights = Rights()
        self.store = Store(self.time)
        self.authority = authority or the_authority()
        self.api = Api(self, Operations(self.store, self.time, establish=establish))
        for name in dict.fromkeys((*_NAMESPACES, *namespaces)):
            self.add_namespace(name)
        self._server = _Server(self, self.authority.context(certificate))
        super().__init__(self._server)

    @property
    def url(self) -> str:
        """``https://127.0.0.1:PORT``."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def ca_pem(self) -> str:
        """Who signed the server's certificate."""
        return self.authority.pem

    @property
    def faults(self) -> list[str]:
        """Tracebacks of what the server, or a controller, did wrong."""
        return self.store.faults

    def time(self) -> datetime:
        return self.now or datetime.now(UTC)

    def add_namespace(self, name: str) -> Body:
        return self.store.add(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
                "spec": {"finalizers": ["kubernetes"]},
                "status": {"phase": "Active"},
            }
        )

    def forbid(self, verb: str, resource: str, *, namespace: str = "*", name: str = "*") -> None:
        """Refuse (403). A resource is ``pods``, ``pods/log``, ``deployments.apps``; "*" is any."""
        self.rights.forbid(verb, resource, namespace=namespace, name=name)

    def refuse_with(
        self,
        error: ApiError,
        *,
        verb: str = "*",
        resource: str = "*",
        namespace: str = "*",
        name: str = "*",
        times: int | None = None,
    ) -> None:
        """Answer matching requests with `error`, the first `times` times (None: always)."""
        self.rights.refuse_with(
            error, verb=verb, resource=resource, namespace=namespace, name=name, times=times
        )

    def expire_watch_after(self, seconds: float | None) -> None:
        """Close each watch after this long; None as the client wants it."""
        self.watch_limit = seconds

    def on_change(self, callback: Callable[[Body], None]) -> None:
        """Have a controller told each object after it was stored; it changes more in `store`."""
        self.store.on_change(callback)

    def asked(self, method: str = "", path: str = "") -> list[Recorded]:
        """The requests by this method whose path contains `path`."""
        return [
            one for one in list(self.requests) if method in ("", one.method) and path in one.path
        ]

    def callers(self) -> set[str]:
        """The ARNs, or else names, of all who called; what was refused with 401 has none."""
        return {one.caller.arn or one.caller.name for one in list(self.requests) if one.caller}

    def kubeconfig(self, user: Mapping[str, object], *, namespace: str = "default") -> Body:
        """A kubeconfig for this server, JSON, with `user` as its user (``{"token": …}``)."""
        import base64

        authority = base64.b64encode(self.ca_pem.encode()).decode()
        cluster = {"server": self.url, "certificate-authority-data": authority}
        context = {"cluster": "c", "user": "u", "namespace": namespace}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "x",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": dict(user)}],
            "contexts": [{"name": "x", "context": context}],
        }

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        self.open = False
        with self.store.lock:
            self.store.changed.notify_all()
        super().__exit__(*failure)
        if self.faults and failure[:1] in ((), (None,)):
            raise AssertionError("\n".join(self.faults))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, kube: KubeServer, tls: ssl.SSLContext) -> None:
        self.kube = kube
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or does not trust the certificate, is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    @property
    def kube(self) -> KubeServer:
        return cast("_Server", self.server).kube

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: `requests` has it."""

    def _answer(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        caller, answer = None, None
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        try:
            caller = self._caller()
            if caller is None:
                raise unauthorized()
            request = Request(
                method=self.command,
                path=unquote(url.path),
                query=query,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=body,
                caller=caller,
            )
            answer = self.kube.api.answer(request)
        except ApiError as error:
            answer = refused(error)
        except Exception:  # noqa: BLE001  a fault of the server is told at the end of the test
            self.kube.faults.append(traceback.format_exc())
            fault = "Internal error occurred: a fault of the tests"
            answer = refused(ApiError(500, "InternalError", fault))
        self.kube.requests.append(
            Recorded(
                method=self.command,
                path=url.path,
                query=query,
                agent=self.headers.get("user-agent", ""),
                caller=caller,
                status=answer.status,
                at=self.kube.time(),
                body=body if self.kube.keep_bodies else b"",
            )
        )
        self._send(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def _caller(self) -> Caller | None:
        scheme, _, token = (self.headers.get("authorization") or "").partition(" ")
        if scheme == "Bearer":
            return self.kube.identify(token)
        shown = cast("ssl.SSLSocket", self.connection).getpeercert()
        if not shown:
            return None
        named = [pair for part in cast("Any", shown["subject"]) for pair in part]
        names = [value for key, value in named if key == "commonName"]
        groups = tuple(value for key, value in named if key == "organizationName")
        return Caller(name=names[0], groups=(*groups, "system:authenticated"))

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Audit-Id", "0")
        told = [*answer.warnings]
        if urlsplit(self.path).path.count("/") > 3:
            told += self.kube.warnings
        for text in told:
            quoted = text.replace("\\", "\\\\").replace('"', '\\"')
            self.send_header("Warning", f'299 - "{quoted}"')
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.stream is None:
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            self.wfile.flush()
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in answer.stream:
            if piece:
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            else:
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
