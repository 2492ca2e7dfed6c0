"""A loopback API server that real kubectl and helm accept.

``with KubeServer(identify, namespaces=["app"]) as server: …``: `server.url`, `server.ca_pem` and
`server.kubeconfig({"token": …})` are what a client needs; `server.store` is what is in the cluster.
"""

from __future__ import annotations

from tests.kube.server.failures import ApiError
from tests.kube.server.rights import Caller
from tests.kube.server.server import KubeServer
from tests.kube.server.store import Store

__all__ = ["ApiError", "Caller", "KubeServer", "Store"]
