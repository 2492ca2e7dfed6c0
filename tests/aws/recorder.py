"""A server on 127.0.0.1 that writes down what it is asked and says what it is told to say."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from calamari_py.aws import AwsSettings, BotoAws
from calamari_py.errors import CloudError
from calamari_py.identity import AwsCredentials
from calamari_py.masking import SecretRegistry
from calamari_py.masking.secret import Secret
from tests.aws.aws_world import FakeTime

SECRET_KEY = "step/secret+key0123456789abcdefghijklmno"
KEYS = AwsCredentials(
    access_key_id="ASIASTEPSTEPSTEPSTEP",
    secret_access_key=Secret(SECRET_KEY),
    session_token=Secret("step-session-token//////////0123456789"),
)
_SCOPE = re.compile(
    r"Credential=\w+/\d{8}/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def signed_for(self) -> tuple[str, str]:
        """Region and service of a signature that is right, computed by botocore."""
        found = _SCOPE.search(self.headers["Authorization"])
        assert found is not None
        region, service, signed, signature = found.groups()
        request = AWSRequest(
            method=self.method,
            url=f"http://{self.headers['Host']}{self.path}",
            headers={name: self.headers[name] for name in signed.split(";")},
            data=self.body,
        )
        request.context["timestamp"] = self.headers["X-Amz-Date"]
        keys = Credentials(KEYS.access_key_id, SECRET_KEY)
        signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(keys, service, region)
        text = signer.string_to_sign(request, signer.canonical_request(request))
        assert signer.signature(text, request) == signature
        return region, service


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no error of the server's."""


@dataclass
class Recorder:
    """The server. `say` queues an answer; the last one stays."""

    asked: list[Asked] = field(default_factory=list)
    time: FakeTime = field(default_factory=FakeTime)
    _answers: list[tuple[int, bytes, Mapping[str, str]]] = field(default_factory=list)

    def say(
        self, body: bytes | str = b"", status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        content = body.encode() if isinstance(body, str) else body
        self._answers.append((status, content, headers or {}))

    def forget(self) -> None:
        """Say the answer that stayed no more."""
        self._answers.pop(0)

    def aws(self, environ: Mapping[str, str] | None = None, **pace: Any) -> BotoAws:
        """calamari's door, to this server."""
        environ = {"AWS_ENDPOINT_URL": self.url, **(environ or {})}
        settings = AwsSettings.from_environ(environ, region="eu-west-1")
        return BotoAws(settings, SecretRegistry(), environ, pace=self.time.pace(**pace))

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # In one piece: in two, the second waits for an acknowledgement.

            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                asked = Asked(
                    method=self.command,
                    path=self.path,
                    headers=self.headers,  # type: ignore[arg-type]
                    body=self.rfile.read(length),
                )
                recorder.asked.append(asked)
                answers = recorder._answers
                status, body, headers = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_HEAD = _answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                return

        self._server = _Server(("127.0.0.1", 0), Handler)
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
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def refused(recorder: Recorder, service: str, operation: str, **params: Any) -> CloudError:
    """The error that the call ends with."""
    with pytest.raises(CloudError) as caught:
        recorder.aws().call(KEYS, service, operation, params, subject="a thing")
    return caught.value
