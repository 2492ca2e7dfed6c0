"""``delivery: endpoint``: no keys, but the address of a server that gives them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from calamari_py.delivery._server import serving
from calamari_py.delivery.base import DeliveryContext


@contextmanager
def deliver(context: DeliveryContext) -> Iterator[Mapping[str, str]]:
    """The two variables that SDKs know from ECS and EKS Pod Identity."""
    with serving(context) as served:
        yield {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": served.uri,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": served.token,
        }
