"""An EKS that knows a few clusters, for ``AWS_ENDPOINT_URL_EKS``."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.loopback import Loopback

_KEY_ID = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/eks/aws4_request")


@dataclass(frozen=True, slots=True, kw_only=True)
class EksCluster:
    """What DescribeCluster says of a cluster. `authority` is PEM."""

    name: str
    server: str
    authority: bytes
    account: str
    region: str = "us-east-1"
    status: str = "ACTIVE"
    version: str = "1.32"

    @property
    def arn(self) -> str:
        """``arn:aws:eks:REGION:ACCOUNT:cluster/NAME``."""
        return f"arn:aws:eks:{self.region}:{self.account}:cluster/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One DescribeCluster: which cluster, where, and with whose key."""

    name: str
    region: str
    key_id: str


class FakeEks(Loopback):
    """A loopback server that answers DescribeCluster; a context manager.

    `clusters` are found by region and name. While `denies` is true the answer is AccessDenied.
    """

    def __init__(self) -> None:
        self.clusters: dict[tuple[str, str], EksCluster] = {}
        self.described: list[Described] = []
        self.denies = False
        eks = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, code, body = eks.answer(self.path, self.headers.get("Authorization", ""))
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("x-amzn-RequestId", "eks-request-1")
                if code:
                    self.send_header("x-amzn-ErrorType", code)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Nothing: the terminal belongs to the tests."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        super().__init__(server)

    def add(self, cluster: EksCluster) -> None:
        """Know `cluster` from now on."""
        self.clusters[cluster.region, cluster.name] = cluster

    def answer(self, path: str, authorization: str) -> tuple[int, str, dict[str, object]]:
        """HTTP status, error code and body of a request signed so."""
        signed = _KEY_ID.search(authorization)
        if signed is None or not path.startswith("/clusters/"):
            return 403, "MissingAuthenticationTokenException", {"message": "not signed for eks"}
        key_id, region = signed.groups()
        name = path.removeprefix("/clusters/")
        self.described.append(Described(name=name, region=region, key_id=key_id))
        if self.denies:
            return 403, "AccessDeniedException", {
                "message": f"User: {key_id} is not authorized to perform: eks:DescribeCluster"
                f" on resource: arn:aws:eks:{region}::cluster/{name}"
            }  # fmt: skip
        cluster = self.clusters.get((region, name))
        if cluster is None:
            return 404, "ResourceNotFoundException", {
                "message": f"No cluster found for name: {name}."
            }  # fmt: skip
        return 200, "", {"cluster": _said(cluster)}


def _said(cluster: EksCluster) -> dict[str, object]:
    said: dict[str, object] = {
        "name": cluster.name, "arn": cluster.arn, "version": cluster.version,
        "status": cluster.status, "platformVersion": "eks.9",
        "roleArn": f"arn:aws:iam::{cluster.account}:role/eks", "resourcesVpcConfig": {},
        "accessConfig": {"authenticationMode": "API"},
    }  # fmt: skip
    if cluster.status not in {"CREATING", "FAILED"}:
        said["endpoint"] = cluster.server
        said["certificateAuthority"] = {"data": base64.b64encode(cluster.authority).decode()}
    return said
